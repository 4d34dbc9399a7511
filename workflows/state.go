package workflows

import (
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

// AutoscaleState is what an autoscaler carries from run to run, and what it answers to
// the state query.
type AutoscaleState struct {
	Iteration   int64               `json:"iteration"`
	Policy      scaling.State       `json:"policy"`
	Operation   *Operation          `json:"operation,omitempty"` // in flight
	Paused      bool                `json:"paused"`
	PausedBy    string              `json:"pausedBy"`
	PauseReason string              `json:"pauseReason"`
	PausedUntil *time.Time          `json:"pausedUntil,omitempty"`
	Last        *models.Explanation `json:"last,omitempty"`
	// Spike was signalled and not decided on yet.
	Spike *models.Spike `json:"spike,omitempty"`
	// Catalogue is the service's entry as it was last read, for the time that it
	// cannot be.
	Catalogue *models.Service `json:"catalogue,omitempty"`
	// Seen is the capacity as it was last observed.
	Seen Capacity `json:"seen"`
	// Told is the direction of the sentence in the memo.
	Told models.Direction `json:"told"`

	// What changes that went wrong left behind; a resume lifts it.
	Quarantine *Quarantine `json:"quarantine,omitempty"` // growth waits
	Frozen     *Frozen     `json:"frozen,omitempty"`     // nothing is changed
	Declined   *Declined   `json:"declined,omitempty"`   // a person said no: no scale-in
	// Template is what new replicas are made from, as it was last seen.
	Template string `json:"template,omitempty"`
	// WaryUntil is until when a scale-in waits twice as long: one did harm.
	WaryUntil *time.Time `json:"waryUntil,omitempty"`
}

// Capacity is a service's replicas in numbers.
type Capacity struct {
	Spec    int `json:"spec"`
	Ready   int `json:"ready"`
	Pending int `json:"pending"`
}

// Operation is a verified change in flight.
type Operation struct {
	DecisionID string           `json:"decisionId"`
	Direction  models.Direction `json:"direction"`
	Target     int              `json:"target"`
	Baseline   int              `json:"baseline"` // spec to fall back to
	StartedAt  time.Time        `json:"startedAt"`
	DeadlineAt time.Time        `json:"deadlineAt"`
}

// OperationInput starts ScaleUp or ScaleDown.
type OperationInput struct {
	Decision models.Decision `json:"decision"`
	Service  models.Service  `json:"service"`
	// Baseline is the spec that a rollback may go back to (never below the need).
	Baseline int `json:"baseline"`
	// BaselineReplicas are the replicas to compare new ones with; empty = those found
	// by preflight.
	BaselineReplicas []string `json:"baselineReplicas,omitempty"`
	// Expected are the specs that the change may start from besides the decision's
	// own: those that a superseded operation may have left.
	Expected []int `json:"expected,omitempty"`
	// ApprovalSeconds is how long it waits for a person who has to agree; 0: 15 min.
	ApprovalSeconds int `json:"approvalSeconds,omitempty"`
	// Ceremony is when the next guests come; waves are done 20 min before.
	Ceremony *time.Time `json:"ceremony,omitempty"`
}

// OperationProgress answers the state query of ScaleUp and ScaleDown.
type OperationProgress struct {
	DecisionID string          `json:"decisionId"`
	Phase      string          `json:"phase"` // approval, preflight, order, ready, soak, measure, rollback, record, done
	Wave       int             `json:"wave"`
	Target     int             `json:"target"`
	Outcome    models.Outcome  `json:"outcome"`
	Reason     string          `json:"reason"`
	Evidence   models.Evidence `json:"evidence"`
}

// clone copies what a state points to and later evaluations change in place.
func (s AutoscaleState) clone() AutoscaleState {
	s.Policy.Ring = slices.Clone(s.Policy.Ring)
	if s.Operation != nil {
		op := *s.Operation
		s.Operation = &op
	}
	if s.Quarantine != nil {
		q := *s.Quarantine
		s.Quarantine = &q
	}
	return s
}
