// Package threats watches the audit trail as it is committed, has policies/threats say what is
// an attack, keeps what it says, and does what can be done at once.
//
// Invariant: one process watches at a time, and a takeover begins where the other one was, so
// that nothing is passed over; an alert is kept before anything is done about it; no session
// ends on the word of a credential that was refused. It must not import any package of ours
// but models and policies.
package threats
