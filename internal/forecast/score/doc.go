// Package score measures forecasts: the errors, the intervals and the points of the M4
// competition and of this platform's own tracking.
//
// Invariant: a scorer is a function of actual values and forecasts, and is checked
// against published figures before it judges anything. It imports the standard library
// alone.
package score
