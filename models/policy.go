package models

import "time"

// PolicyStatus is where a proposed access policy stands. The zero value is not valid in a
// row.
type PolicyStatus string

// The statuses of an access policy. The one in force is the approved one that was approved
// last; without any, the one that is part of the program.
const (
	PolicyProposed PolicyStatus = "proposed"
	PolicyApproved PolicyStatus = "approved"
	PolicyRejected PolicyStatus = "rejected"
)

// AccessPolicy is a whole set of rules: who may do what. Row of access_policies.
type AccessPolicy struct {
	ID             string       `json:"id" gorm:"primaryKey"`
	Text           string       `json:"text"` // as docs/access.md describes it
	Reason         string       `json:"reason"`
	Status         PolicyStatus `json:"status"`
	ProposedBy     string       `json:"proposedBy"`
	ProposedAt     time.Time    `json:"proposedAt"`
	DecidedBy      string       `json:"decidedBy,omitempty"`
	DecidedAt      *time.Time   `json:"decidedAt,omitempty"`
	DecisionReason string       `json:"decisionReason,omitempty"`
}

// TableName is the SQL table.
func (AccessPolicy) TableName() string { return "access_policies" }

// MaxPolicyBytes bounds a policy's text.
const MaxPolicyBytes = 64 << 10

// PolicyVerdict is a second person's answer to a proposed policy.
type PolicyVerdict struct {
	ID      string
	Approve bool
	Actor   string
	Reason  string
	At      time.Time
}

// AuditedCalls are past calls that an access policy decided alike.
type AuditedCalls struct {
	Roles        []Role        `json:"roles"`
	Permission   Permission    `json:"permission"`
	WeddingDay   bool          `json:"weddingDay"`
	ChangeFreeze bool          `json:"changeFreeze"`
	Decision     AuditDecision `json:"decision"`
	Count        int64         `json:"count"`
	Subjects     int64         `json:"subjects"` // different ones
}

// ChangedCalls are past calls that another policy would answer otherwise.
type ChangedCalls struct {
	AuditedCalls
	Would AuditDecision `json:"would"`
	Rule  string        `json:"rule"` // that would decide
}

// AccessQuestion asks whether a subject may do something at a time.
type AccessQuestion struct {
	Subject    string
	Permission Permission
	Object     string // a route, a wedding's ID or a service; "" for none
	At         time.Time
}

// AccessAnswer says why.
type AccessAnswer struct {
	Subject      string     `json:"subject"`
	Permission   Permission `json:"permission"`
	Object       string     `json:"object,omitempty"`
	At           time.Time  `json:"at"`
	Allowed      bool       `json:"allowed"`
	Rule         string     `json:"rule"`
	Roles        []Role     `json:"roles"`
	WeddingDay   bool       `json:"weddingDay"`
	ChangeFreeze bool       `json:"changeFreeze"`
	Policy       string     `json:"policy"` // ID, or "built-in"
	Text         string     `json:"text"`   // the answer in a sentence
}
