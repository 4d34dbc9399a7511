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
}

// OperationProgress answers the state query of ScaleUp and ScaleDown.
type OperationProgress struct {
	DecisionID string          `json:"decisionId"`
	Phase      string          `json:"phase"` // preflight, order, ready, soak, measure, rollback, record, done
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
	return s
}
