package workflows

import (
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
