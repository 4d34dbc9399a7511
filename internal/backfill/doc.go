// Package backfill reads the load of the past from elsewhere, as means of hours: CSV files,
// and servers that speak the HTTP API of Prometheus.
//
// Invariant: a value that is no load is an error that names its place, its field and its
// value, and nothing of what surrounds it is made up: an hour without a value is absent. It
// imports models; it must not import another adapter.
package backfill
