package models

import (
	"encoding/json"
	"time"
)

// WorkflowKind is a kind of workflow that people start, inspect, signal and cancel.
type WorkflowKind string

// The kinds of workflow.
const (
	WorkflowAutoscale   WorkflowKind = "autoscale"
	WorkflowScaleUp     WorkflowKind = "scale_up"
	WorkflowScaleDown   WorkflowKind = "scale_down"
	WorkflowMaintenance WorkflowKind = "maintenance"
	WorkflowWeddingDay  WorkflowKind = "wedding_day"
)

// ControlAction is a command to a service's autoscaler.
type ControlAction string

// The control actions.
const (
	ControlPause    ControlAction = "pause"
	ControlResume   ControlAction = "resume"
	ControlOverride ControlAction = "override"
)

// ControlCommand is a validated command with who gives it and why. RequestID makes it
// idempotent.
type ControlCommand struct {
	Action      ControlAction
	Service     ServiceName
	Actor       string
	Reason      string
	Until       time.Time    // pause: zero = until resumed
	Reservation *Reservation // override: the row that was placed
	RequestID   string
}

// ControlResult is the autoscaler's answer.
type ControlResult struct {
	Service ServiceName `json:"service"`
	Paused  bool        `json:"paused"`
	Text    string      `json:"text"`
}

// StartCommand starts an Autoscale workflow (Service) or a Maintenance job (Job).
type StartCommand struct {
	Kind      WorkflowKind
	Service   ServiceName
	Job       string
	Actor     string
	RequestID string
}

// SignalCommand sends a signal by name; Payload is JSON of the signal's message.
type SignalCommand struct {
	WorkflowID string
	Signal     string
	Payload    json.RawMessage
	Actor      string
}

// WorkflowRun names a run.
type WorkflowRun struct {
	WorkflowID     string `json:"workflowId"`
	RunID          string `json:"runId"`
	AlreadyRunning bool   `json:"alreadyRunning"`
	URL            string `json:"url"` // Temporal UI
}

// WorkflowFilter selects runs; zero fields do not filter.
type WorkflowFilter struct {
	Kind      WorkflowKind
	Service   ServiceName
	Open      *bool
	Limit     int
	PageToken string
}

// WorkflowSummary is one run in a list.
type WorkflowSummary struct {
	WorkflowID string       `json:"workflowId"`
	RunID      string       `json:"runId"`
	Kind       WorkflowKind `json:"kind"`
	Status     string       `json:"status"` // running, completed, failed, cancelled, terminated, continued_as_new, timed_out
	Service    ServiceName  `json:"service,omitempty"`
	Outcome    string       `json:"outcome,omitempty"`
	Sentence   string       `json:"sentence,omitempty"`
	StartedAt  time.Time    `json:"startedAt"`
	ClosedAt   *time.Time   `json:"closedAt,omitempty"`
	URL        string       `json:"url"`
}

// WorkflowPage is one page of runs.
type WorkflowPage struct {
	Items         []WorkflowSummary `json:"items"`
	NextPageToken string            `json:"nextPageToken,omitempty"`
}

// WorkflowDetail is a run with the state it answers to a query; State is nil where no
// worker answered in time, and StateError says why.
type WorkflowDetail struct {
	WorkflowSummary
	State      json.RawMessage `json:"state,omitempty"`
	StateError string          `json:"stateError,omitempty"`
	Pending    []string        `json:"pendingActivities,omitempty"`
}
