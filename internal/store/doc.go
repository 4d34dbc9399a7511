// Package store keeps the platform's records in Postgres: the catalogue, the calendar,
// claims on capacity, decisions, rollups of metrics, who holds which role.
//
// Invariant: every statement runs in a transaction that carries a scope, which row level
// security reads; without a scope nothing is read or written, and what the scope may not
// see does not exist for it. A dependency that is away is KindUnavailable, never an empty
// answer. It imports models and policies; it must not import another adapter, activities
// or api.
package store
