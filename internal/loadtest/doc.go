// Package loadtest offers load to a service in steps and watches what becomes of it. A
// test is bounded in rate and time, and stops by itself when it does harm.
//
// Invariant: no load beyond the configured rate, none to an address that was not
// configured, and none after a test has ended, however it ended. It imports models, and
// must not import an adapter: what is loaded and what is looked at come through ports.
package loadtest
