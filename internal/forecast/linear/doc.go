// Package linear solves the least squares problems of forecasts: gathered and shrunk, or
// recursively.
//
// Invariant: the same rows in the same order give the same coefficients. It imports
// gonum and nothing of ours.
package linear
