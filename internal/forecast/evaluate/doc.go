// Package evaluate judges the forecasts of internal/forecast on public data sets: it
// reads them, makes each forecast with what was known at its origin, and prints tables,
// the headline figures and a page with pictures.
//
// Invariant: no forecast sees a value that was measured after its origin, and each
// figure names its data, its split and its lead. It imports internal/forecast; it must
// not import an adapter.
package evaluate
