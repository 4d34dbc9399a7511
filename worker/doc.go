// Package worker runs workflows and activities on a task queue, and keeps the standing
// runs in place: one autoscaler per service, one schedule per maintenance job.
//
// Invariant: everything it ensures may be ensured again at any time and by several
// workers at once, and none of it stops a worker when Temporal is away. It imports
// workflows, activities, models and Temporal's SDK; it must not import an adapter.
package worker
