// Package simulate holds an autoscaling policy against a load: one plant, one run loop,
// and our engine beside the autoscalers that a user would pick instead, each with its
// published behaviour.
//
// Invariant: the same scenario, seed and policy give the same result, and every request
// that is offered is served, failed or still waiting at the end. The plant treats all
// policies alike; it knows nothing of who orders. It imports models, policies and the
// standard library; no clock, no I/O.
package simulate
