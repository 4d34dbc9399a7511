// Package telemetry is how a process tells about itself: structured logs, Prometheus
// metrics and OpenTelemetry traces.
//
// Invariant: nothing here changes what the platform does, no label takes values that
// a caller can invent without bound, and no log line shows a secret. It must not
// import any package of ours but models.
package telemetry
