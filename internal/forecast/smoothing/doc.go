// Package smoothing is double-seasonal exponential smoothing with an autoregressive
// residual, for hourly series with a day and a week in them.
//
// Invariant: a forecast depends on the values before it alone. It imports the standard
// library.
package smoothing
