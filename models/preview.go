package models

import "time"

// PreviewRequest asks what would be decided about a service if some things were otherwise
// than they were at its last evaluation. Nothing is changed by it.
type PreviewRequest struct {
	Service ServiceName
	Changes PreviewChanges
}

// PreviewChanges are the things that are to be otherwise. What is nil stays as it was.
type PreviewChanges struct {
	Now            *time.Time // with the reservations that count then
	RPS            *float64   // of the whole service, in each second of the last minutes
	CPU            *float64   // share in use
	Memory         *float64
	ResponseTimeMS *float64 // 95th percentile
	ErrorRate      *float64
	QueueDepth     *float64
	Replicas       *int // ordered and ready
	MinReplicas    *int
	MaxReplicas    *int
	Mode           *Mode
	// Reservations take the place of those that count; not nil and empty: none does.
	Reservations []Reservation
}
