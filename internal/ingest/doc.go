// Package ingest takes metric samples in, aggregates them per service and second and
// per ten seconds, and sees spikes on the stream.
//
// Invariant: every sample of an accepted batch is counted once as accepted, late or
// future; a refused batch changes nothing. It imports models and policies; it must
// not import another adapter, activities or api.
package ingest
