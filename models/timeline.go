package models

import "time"

// TimelinePoint is what a service did in one step of time: the load that was measured and
// the replicas that there were. A nil value was not measured.
type TimelinePoint struct {
	At      time.Time `json:"at"`                // start of the step
	RPS     *float64  `json:"rps,omitempty"`     // mean requests per second
	Spec    *float64  `json:"spec,omitempty"`    // mean replicas ordered
	Ready   *float64  `json:"ready,omitempty"`   // mean replicas ready
	Desired *int      `json:"desired,omitempty"` // most that was decided
	Mode    string    `json:"mode,omitempty"`    // wedding_day where it was one at any time
}
