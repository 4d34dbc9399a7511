// Package predictor forecasts the load of a service from its history and the weddings in
// the calendar: the coming week by the hour, days up to 400 days ahead, and what decisions
// need within minutes, by the minute where those are known. The models are those of
// internal/forecast; where they have too little to learn from, simpler forms stand in.
//
// Invariant: a forecast says by which method it was made and why; where nothing is
// known nothing is predicted; an hour without samples is missing, never zero; and base,
// season, holiday and wedding shares add up to the expected load. It imports models and
// internal/forecast, which touches nothing; it must not import an adapter, activities or
// api.
package predictor
