package simulate

import (
	"time"

	"github.com/wedsync/scalability/internal/forecast/minute"
)

// Result is how a policy did in a scenario, from ReportFrom on.
//
// An SLO-violation minute is one in which more than 1 % of the requests that came to an
// end failed (they timed out or were refused) or waited longer than the service's
// objective. It is the same for all policies. Requests that an outage keeps from
// arriving are nobody's: they are not offered to the service.
type Result struct {
	Policy   string `json:"policy"`
	Scenario string `json:"scenario"`

	ViolationMinutes float64 `json:"violationMinutes"`
	// ReplicaHours counts ordered replicas, also those that still start.
	ReplicaHours float64 `json:"replicaHours"`
	// Flips counts how often the direction of two orders in a row differs.
	Flips       int     `json:"flips"`
	FlipsPerDay float64 `json:"flipsPerDay"`
	// P999WaitSeconds is the 99.9th percentile of the time in the queue, in whole seconds;
	// a request that failed counts as having waited until the time-out.
	P999WaitSeconds float64 `json:"p999WaitSeconds"`
	// MaxOverprovision is the largest ratio, over the minutes, of the ordered replicas to
	// those that the minute's busiest second keeps fully busy, at least the minimum.
	MaxOverprovision float64 `json:"maxOverprovision"`
	// HarmfulRemovals counts replicas that the policy removed in a scenario with faults and
	// that HPA's formula, on the load that people truly wanted to send, would have kept.
	HarmfulRemovals int `json:"harmfulRemovals"`
	// Deficits counts the times at which a hard ceiling began to keep the policy from what
	// was needed and it said so; only our engine does.
	Deficits int `json:"deficits"`
	// OrderedAfterSeconds is the time from the first sample that shows the scenario's step
	// to an order that runs the new load within HPA's tolerance of the policy's target; nil
	// without a step, or when that is never ordered.
	OrderedAfterSeconds *float64 `json:"orderedAfterSeconds,omitempty"`

	// Forecast is how the policy's forecasts did; nil where it makes none that are judged.
	Forecast *minute.Foresight `json:"forecast,omitempty"`

	Days        float64 `json:"days"`
	Evaluations int     `json:"evaluations"` // decisions that were made
	Orders      int     `json:"orders"`      // decisions that changed the spec
	Offered     float64 `json:"offered"`     // requests that arrived, with retries
	Served      float64 `json:"served"`
	Failed      float64 `json:"failed"`
	Late        float64 `json:"late"`    // served after the objective
	Waiting     float64 `json:"waiting"` // at the end
	Retried     float64 `json:"retried"`

	// Minutes is the course of the run, for pictures.
	Minutes []Minute `json:"minutes,omitempty"`
}

// Minute is one minute of a run.
type Minute struct {
	At        time.Time `json:"at"`
	Load      float64   `json:"load"`     // mean requests per second that arrived
	Capacity  float64   `json:"capacity"` // mean requests per second that could be served
	Spec      int       `json:"spec"`     // replicas ordered at its end
	Ready     int       `json:"ready"`
	Violation bool      `json:"violation"`
}
