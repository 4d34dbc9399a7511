// Package scaling decides how much capacity a service needs, and explains it.
//
// Invariant: Decide is a pure function of its inputs: the same inputs give the same
// bytes, worse signals never give less capacity, and no result passes a hard cap. It
// imports models and the standard library; no clock, no I/O, no randomness.
package scaling
