// Package fleet is the actuator of the embedded default: a process that models a
// fleet of the nine services with start-up times, queues, a database ceiling and
// injected failures, and the client that orders and measures its replicas.
//
// Invariant: the plant is a pure function of its seed, its orders and the time it is
// stepped to; an order that was answered is on disk, so a restart finds every spec,
// replica and used key again. It imports models and the standard library and must not
// import another adapter, activities or api.
package fleet
