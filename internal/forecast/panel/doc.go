// Package panel forecasts many hourly series at once: ridges that series alike share,
// double-seasonal smoothing, autoregression and naive methods, weighted for each series
// by how they did at rolling origins, with intervals from the same errors.
//
// Invariant: weights and intervals come from forecasts made without the values that
// judge them; what a series is too short for is left out, and the naive methods remain.
// It imports internal/forecast's numeric packages alone.
package panel
