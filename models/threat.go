package models

import (
	"net/netip"
	"time"
)

// ThreatRule names a rule of threat detection.
type ThreatRule string

// The rules of threat detection.
const (
	ThreatBruteForce           ThreatRule = "brute_force"            // one account is tried again and again
	ThreatSuccessAfterFailures ThreatRule = "success_after_failures" // and then somebody gets in
	ThreatStuffing             ThreatRule = "credential_stuffing"    // many accounts from one network
	ThreatSpray                ThreatRule = "spray"                  // many accounts from everywhere
	ThreatEscalation           ThreatRule = "privilege_escalation"   // somebody reaches for more than they hold
	ThreatUnusual              ThreatRule = "unusual_access"         // somebody does what they never do
	ThreatAuditIntegrity       ThreatRule = "audit_integrity"        // the trail itself lacks or contradicts something
)

// ThreatRules lists the rules in fixed order.
func ThreatRules() []ThreatRule {
	return []ThreatRule{
		ThreatBruteForce, ThreatSuccessAfterFailures, ThreatStuffing, ThreatSpray, ThreatEscalation, ThreatUnusual, ThreatAuditIntegrity,
	}
}

// ThreatSeverity says how bad it is. The zero value is none.
type ThreatSeverity string

// The severities.
const (
	ThreatWarning  ThreatSeverity = "warning"
	ThreatCritical ThreatSeverity = "critical"
)

// ThreatResponse is what is done about a threat without asking anybody. The zero value is
// nothing: somebody has to look.
type ThreatResponse string

// The responses.
const (
	RespondNot             ThreatResponse = ""
	RespondDelayAccount    ThreatResponse = "delay_account"    // refused calls for it are answered slowly
	RespondThrottleNetwork ThreatResponse = "throttle_network" // few refused calls from it are heard
	RespondRevokeSubject   ThreatResponse = "revoke_subject"   // all tokens it was given until now end
)

// Threat is an attack as it was seen in the audit trail. Row of security_alerts.
type Threat struct {
	ID       string         `json:"id" gorm:"primaryKey"`
	Rule     ThreatRule     `json:"rule"`
	Kind     string         `json:"kind"` // which part of the rule
	Severity ThreatSeverity `json:"severity"`
	// Subject is who did it, or whose account it was about; a name that no credential
	// vouched for where Claimed is set.
	Subject  string         `json:"subject,omitempty"`
	Claimed  bool           `json:"claimed"`
	Network  string         `json:"network,omitempty"` // whence: a /24 or a /64
	At       time.Time      `json:"at"`                // of the entry with which the rule was met
	RaisedAt time.Time      `json:"raisedAt"`
	Entries  int            `json:"entries"`                                    // that met the rule
	Evidence []string       `json:"evidence" gorm:"serializer:json;type:jsonb"` // IDs of the newest of them
	Sentence string         `json:"sentence"`                                   // what happened, for people
	Response ThreatResponse `json:"response,omitempty"`
	// RespondUntil is when a delay or a throttle ends.
	RespondUntil *time.Time `json:"respondUntil,omitempty"`

	AcknowledgedAt *time.Time `json:"acknowledgedAt,omitempty"`
	AcknowledgedBy string     `json:"acknowledgedBy,omitempty"`
	Note           string     `json:"note,omitempty"` // what whoever acknowledged found
}

// TableName is the SQL table.
func (Threat) TableName() string { return "security_alerts" }

// ThreatFilter selects alerts; zero fields select all.
type ThreatFilter struct {
	Since    time.Time
	Severity ThreatSeverity
	Rule     ThreatRule
	Before   *Cursor // newest first: raised before this one
	Limit    int
}

// Acknowledgement is a person's word on an alert.
type Acknowledgement struct {
	ID    string
	Actor string
	Note  string
	At    time.Time
}

// Validate checks the note.
func (a Acknowledgement) Validate() error { return text("note", a.Note, 3, 500) }

// Throttle slows refused calls down: those of an account, or those from a network.
type Throttle struct {
	Account string    `json:"account,omitempty"`
	Network string    `json:"network,omitempty"`
	From    time.Time `json:"from"`
	Until   time.Time `json:"until"`
}

// Rules of audit rows by which the guard says that somebody reached for more than they hold.
const (
	RulePrivilegeEscalation = "privilege escalation"
	RuleRoleClaimMismatch   = "role claim mismatch"
)

// Keys of the context of audit rows, as the guard writes and detection reads them.
const (
	ContextClaimedSubject = "claimedSubject" // whom a refused caller said to be: never believed
	ContextAbuse          = "tokenAbuse"     // what a refused token tried; see Presented
	ContextRefusal        = "refusal"        // why a credential was refused, where the rule says something else
	ContextTokenID        = "tokenId"
	ContextWeddingDay     = "weddingDay"
)

// Presented is what a refused credential said of itself: bounded, and vouched for by
// nobody. It is for the record alone; nothing is ever allowed by it.
type Presented struct {
	Subject string // user:…, svc:…, or key:<id> of a service key that is not known
	Abuse   string // "algorithm", "own key" or "key id" where the token tried to choose how it is checked
}

// Behaviour is the long memory of threat detection, as it is read back from the trail.
type Behaviour struct {
	Habits []Habit
	Slots  []FailingSlot
	Uses   []KnownUse
}

// Habit is what a subject did in an hour with a permission.
type Habit struct {
	Subject    string
	Permission Permission
	Hour       time.Time
	Allowed    bool // at least once
	Peak       int  // most calls of the subject, with any permission, in five minutes of it
}

// FailingSlot is how many accounts failed in ten minutes, of how many that called.
type FailingSlot struct {
	At      time.Time
	Failing int
	Active  int
}

// KnownUse is a token that worked from a network.
type KnownUse struct {
	Subject  string
	TokenID  string
	RemoteIP string
	At       time.Time // the first time
}

// TrailPosition is how far a reader has come in each stream of the trail.
type TrailPosition map[string]int64

// TrailGap says that rows of a stream are missing in the trail.
type TrailGap struct {
	Stream string
	After  int64 // the last row that is there before
	Before int64 // the first that is there again; 0: the head says that there must be more
	At     time.Time
}

// NetworkOf is the /24 of an IPv4 address and the /64 of an IPv6 address, "" of anything
// else.
func NetworkOf(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	a = a.Unmap().WithZone("")
	bits := 64
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}
