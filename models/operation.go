package models

import "time"

// OutcomeReport closes a decision: the first report wins, repeating it changes nothing.
type OutcomeReport struct {
	DecisionID    string     `json:"decisionId"`
	Outcome       Outcome    `json:"outcome"`
	Reason        string     `json:"reason"`
	FinishedAt    time.Time  `json:"finishedAt"`
	FinalReplicas *int       `json:"finalReplicas,omitempty"`
	Evidence      *Evidence  `json:"evidence,omitempty"`
	OrderedAt     *time.Time `json:"orderedAt,omitempty"`
}

// IngestResult says what became of a batch: every sample is accepted, late, future or
// duplicate, so Received is their sum.
type IngestResult struct {
	Received int `json:"received"`
	Accepted int `json:"accepted"`
	Late     int `json:"late"`   // older than the window that is still open
	Future   int `json:"future"` // further ahead than clocks may differ
}

// Spike is load that outran the ready capacity, as the probe saw it on the stream.
type Spike struct {
	Service       ServiceName `json:"service"`
	SeenAt        time.Time   `json:"seenAt"`
	FirstSampleAt time.Time   `json:"firstSampleAt"` // first sample above the trigger
	RPS           float64     `json:"rps"`           // mean over the last 6 s, or 2 s when higher
	Reason        string      `json:"reason"`
}

// Quota is the answer of a rate limiter. The zero value refuses.
type Quota struct {
	Allowed       bool
	Limit         int
	Remaining     int
	WindowSeconds int
	ResetSeconds  int // until the oldest counted request leaves the window
}
