// Package workflows orchestrates: which effect follows which, what is undone when one
// fails, and when to wait. Decisions are made by policies, effects by activities.
//
// Invariant: deterministic under replay; capacity is changed by ScaleUp and ScaleDown
// alone, and only Autoscale starts them. It imports models, policies, typed references
// to activities and Temporal's workflow package; it must not import an adapter or api.
package workflows
