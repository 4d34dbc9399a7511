// Package replay offers load to a fleet: recorded request traces, an endless
// generated day with weddings, and spikes for drills.
//
// Invariant: a trace's counts are never multiplied; what is scaled is drawn anew from
// a smoothed intensity with a fixed seed, so that a run can be repeated. It speaks to
// the fleet and the API over HTTP as any client would. It imports models, the standard
// library and gonum, and must not import an adapter, activities or api.
package replay
