// Package forecast forecasts the hourly load of a service whose busiest hours are known
// beforehand: a base that repeats by day, week and year, and the events of a calendar on
// top of it.
//
// Invariant: a forecast depends on what was measured before its origin and on the
// calendar, and on nothing else; its base, season, holiday and events add up to it; an
// hour that was not measured is missing, never zero; and a forecast says which path made
// it. It imports models, policies and its own sub-packages; it must not import an adapter.
package forecast
