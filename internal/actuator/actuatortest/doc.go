// Package actuatortest is the conformance suite of the actuator port: what every
// adapter that moves capacity must do, whatever it talks to.
//
// Invariant: the suite knows the port only, never an adapter. It imports models and
// testing libraries, and belongs into tests alone.
package actuatortest
