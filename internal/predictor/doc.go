// Package predictor forecasts the load of a service: the same hours of last week, with
// the guests of the weddings in the calendar on top.
//
// Invariant: a forecast says by which method it was made and why; where nothing is
// known nothing is predicted; an hour without samples is missing, never zero; and base
// and wedding shares add up to the expected load. It imports models; it must not
// import another adapter, activities or api.
package predictor
