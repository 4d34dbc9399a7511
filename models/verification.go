package models

import "time"

// Standing is a service at one moment of a change. What was not measured is nil.
type Standing struct {
	At                  time.Time `json:"at"`
	Spec                int       `json:"spec"`
	Ready               int       `json:"ready"`
	CapacityRPS         float64   `json:"capacityRps"` // of the ready replicas at 100 %, by the catalogue
	P95MS               *float64  `json:"p95Ms,omitempty"`
	ErrorRate           *float64  `json:"errorRate,omitempty"`
	DatabaseConnections *int      `json:"databaseConnections,omitempty"`
	CostPerHour         float64   `json:"costPerHour"`
}

// ApprovalVerdict is what became of a change that waited for a person. The zero value
// waits.
type ApprovalVerdict string

// The verdicts on a change that needs approval.
const (
	ApprovalWaiting  ApprovalVerdict = ""
	ApprovalApproved ApprovalVerdict = "approved"
	ApprovalRejected ApprovalVerdict = "rejected"
	ApprovalExpired  ApprovalVerdict = "expired" // nobody answered in time
)

// ApprovalEvidence says why a change had to be agreed to, and who did or did not.
type ApprovalEvidence struct {
	Why       string          `json:"why"`
	AskedAt   time.Time       `json:"askedAt"`
	ExpiresAt time.Time       `json:"expiresAt"`
	Verdict   ApprovalVerdict `json:"verdict"`
	Actor     string          `json:"actor,omitempty"`
	Reason    string          `json:"reason,omitempty"`
	At        *time.Time      `json:"at,omitempty"`
}

// ApprovalCommand is a person's answer to a change that waits for one.
type ApprovalCommand struct {
	Service    ServiceName
	DecisionID string
	Actor      string
	Reason     string
	RequestID  string // repeated with it, the command is carried out once; "" = each counts
}

// ProbeRequest asks for synthetic requests to all replicas but those of Baseline.
type ProbeRequest struct {
	Service  ServiceName `json:"service"`
	Baseline []string    `json:"baseline"`
	RPS      float64     `json:"rps"`
	Seconds  int         `json:"seconds"`
}
