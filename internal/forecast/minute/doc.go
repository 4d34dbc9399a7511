// Package minute forecasts the load of the coming minutes from the same minutes of other
// days, with the surges that come by the clock: what a decision plans for, where
// internal/forecast has the hours and days.
//
// Invariant: a forecast depends on the record so far and on the events it is given, and on
// nothing else; a minute that was not measured is missing, never zero. It imports models;
// it must not import an adapter.
package minute
