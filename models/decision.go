package models

import "time"

// Direction is which way a decision moves capacity. The zero value holds.
type Direction string

// The directions.
const (
	DirectionHold Direction = ""
	DirectionUp   Direction = "up"
	DirectionDown Direction = "down"
)

// Class says what made a decision. The zero value is hold.
type Class string

// The classes of decisions.
const (
	ClassHold     Class = "hold"
	ClassSteady   Class = "steady"   // scale-in under calm load
	ClassReactive Class = "reactive" // measured demand
	ClassPanic    Class = "panic"    // a spike on the fast path
	ClassForecast Class = "forecast"
	ClassFloor    Class = "floor"    // a reservation
	ClassCap      Class = "cap"      // a ceiling pulled capacity down
	ClassFailsafe Class = "failsafe" // signals missing
)

// Candidate is one opinion on how many replicas are needed, used or not, with why.
type Candidate struct {
	By      string   `json:"by"` // throughput, utilisation, queue, forecast, reservation:<id>, min
	Value   *float64 `json:"value,omitempty"`
	Target  *float64 `json:"target,omitempty"`
	Quality Quality  `json:"quality,omitempty"`
	N       int      `json:"n"` // replicas this candidate asks for
	Used    bool     `json:"used"`
	Why     string   `json:"why,omitempty"`
	Guests  int      `json:"guests,omitempty"`
}

// Shaping is a rule that changed, or was asked to change, the raw need.
type Shaping struct {
	Rule   string `json:"rule"`
	Effect string `json:"effect"`
}

// Cap is a ceiling that was looked at, in order, with its arithmetic.
type Cap struct {
	Cap   string `json:"cap"`
	Limit int    `json:"limit"`
	Bound bool   `json:"bound"`
	Calc  string `json:"calc,omitempty"`
}

// Deficit is need that no decision may meet, with what a person can do about it.
type Deficit struct {
	Replicas int      `json:"replicas"`
	RPS      float64  `json:"rps"`
	Cap      string   `json:"cap"`
	Remedies []string `json:"remedies"`
	// ETASeconds is how long after a remedy the missing capacity would serve.
	ETASeconds float64 `json:"etaSeconds,omitempty"`
}

// Counterfactual is what the published autoscalers would have ordered on the same
// input: Kubernetes HPA on CPU, Knative KPA on concurrency.
type Counterfactual struct {
	HPA *int `json:"hpa,omitempty"`
	KPA *int `json:"kpa,omitempty"`
	// StaticFloor is what a schedule would hold that knows the weddings' times and the
	// load of their busiest moment, as a KEDA cron trigger does.
	StaticFloor *int `json:"staticFloor,omitempty"`
}

// FlagLevel says who has to know of a flag. The zero value is for the record.
type FlagLevel string

// The levels.
const (
	FlagNotice  FlagLevel = ""
	FlagWarning FlagLevel = "warning"
	FlagPage    FlagLevel = "page"
)

// Flag is something that a decision found and a person or an alert rule has to know.
type Flag struct {
	Name  string    `json:"name"` // e.g. blind, capacity_deficit, downstream_bottleneck
	Level FlagLevel `json:"level,omitempty"`
	Text  string    `json:"text"`
}

// Urgency says how soon a decision has to take effect. The zero value is at leisure.
type Urgency string

// The urgencies.
const (
	UrgencyRoutine Urgency = ""
	UrgencySoon    Urgency = "soon" // load asks for it, or will
	UrgencyNow     Urgency = "now"  // people are waiting
)

// Plan says how a change is carried out. The zero value is none, for a hold.
type Plan string

// The plans.
const (
	PlanNone   Plan = ""
	PlanSingle Plan = "single" // all at once, verified afterwards
	PlanWaves  Plan = "waves"  // a few first
)

// Approval is who has to agree before a decision is carried out.
type Approval struct {
	Permission Permission `json:"permission"`
	Reason     string     `json:"reason"`
}

// Cost is what a decision does to the bill, in the operator's currency.
type Cost struct {
	Hour        float64 `json:"hour"`             // an hour of the desired spec
	DayForecast float64 `json:"dayForecast"`      // spent today, and the rest of the day (UTC) at the desired spec
	Budget      float64 `json:"budget,omitempty"` // of the day, or of 24 h at the hour's
}

// Explanation is the record of one evaluation: every candidate, rule and ceiling with
// its part in the result. It is made on each tick, also on those that change nothing.
type Explanation struct {
	DecisionID     string         `json:"id"`
	Service        ServiceName    `json:"service"`
	At             time.Time      `json:"at"`
	PolicyVersion  string         `json:"policy"`
	InputsHash     string         `json:"inputsHash"` // sha256 over the canonical inputs
	Mode           string         `json:"mode"`
	Current        int            `json:"current"` // spec
	Ready          int            `json:"ready"`
	Pending        int            `json:"pending"`
	Raw            int            `json:"raw"`     // need before shaping and caps
	Desired        int            `json:"desired"` // spec to have
	Class          Class          `json:"class"`
	Direction      Direction      `json:"direction"`
	BindingReason  string         `json:"bindingReason"`
	Candidates     []Candidate    `json:"candidates"`
	Shaping        []Shaping      `json:"shaping"`
	Caps           []Cap          `json:"caps"`
	Deficit        *Deficit       `json:"deficit,omitempty"`
	CostDeltaHour  float64        `json:"costDeltaPerHour"`
	Counterfactual Counterfactual `json:"counterfactual"`
	Gaps           []string       `json:"gaps,omitempty"`
	Text           string         `json:"text"` // the sentence a person reads

	Urgency   Urgency    `json:"urgency,omitempty"`
	Plan      Plan       `json:"plan,omitempty"`
	NotBefore *time.Time `json:"notBefore,omitempty"` // of a scale-in that waits: when its hold ends
	ExpiresAt *time.Time `json:"expiresAt,omitempty"` // of a change: an actuator refuses it later
	Approval  *Approval  `json:"approval,omitempty"`  // of a change that a person has to agree to
	Flags     []Flag     `json:"flags,omitempty"`
	Cost      *Cost      `json:"cost,omitempty"`
}

// Outcome is how a decision ended. The zero value is open: nothing is claimed yet.
type Outcome string

// The outcomes of a decision.
const (
	OutcomeOpen       Outcome = ""
	OutcomeVerified   Outcome = "verified"    // the new capacity serves as well as the old
	OutcomeHeld       Outcome = "held"        // kept, but not enough evidence for a verdict
	OutcomePartial    Outcome = "partial"     // kept, but a part of it never came up, also when it was ordered again
	OutcomeRolledBack Outcome = "rolled_back" // judged harmful and taken back, never below the need
	OutcomeSuperseded Outcome = "superseded"  // a later decision took over while it ran
	OutcomeCancelled  Outcome = "cancelled"   // stopped by a person, compensated
	OutcomeRefused    Outcome = "refused"     // preflight or the actuator said no; nothing was changed
	OutcomeExpired    Outcome = "expired"     // not carried out within its time; nothing was changed
	OutcomeNoOp       Outcome = "no_op"       // nothing had to be done
	OutcomeFailed     Outcome = "failed"      // neither done nor undone; a person is needed
	OutcomeLost       Outcome = "lost"        // its workflow ended without a word; found by reconciliation
)

// Outcomes lists the closed outcomes.
func Outcomes() []Outcome {
	return []Outcome{
		OutcomeVerified, OutcomeHeld, OutcomePartial, OutcomeRolledBack, OutcomeSuperseded, OutcomeCancelled,
		OutcomeRefused, OutcomeExpired, OutcomeNoOp, OutcomeFailed, OutcomeLost,
	}
}

// DecisionStatus is where a decision stands on its way.
type DecisionStatus string

// The statuses of a decision.
const (
	DecisionProposed  DecisionStatus = "proposed"  // asked for, not taken up by its Autoscale workflow yet
	DecisionExecuting DecisionStatus = "executing" // its operation workflow is started or about to be
	DecisionClosed    DecisionStatus = "closed"    // Outcome says how
)

// Decision is a recorded choice to change capacity. Row of scalability_decisions; it
// is committed before anything is changed, and its operation's workflow ID is made
// from its ID.
type Decision struct {
	ID            string         `json:"id" gorm:"primaryKey"`
	Service       ServiceName    `json:"service"`
	CreatedAt     time.Time      `json:"createdAt"`
	ExpiresAt     time.Time      `json:"expiresAt"` // not carried out later than this
	RequestedBy   string         `json:"requestedBy"`
	Class         Class          `json:"class"`
	Direction     Direction      `json:"direction"`
	FromReplicas  int            `json:"fromReplicas"`
	ToReplicas    int            `json:"toReplicas"`
	Sentence      string         `json:"sentence"`
	Explanation   *Explanation   `json:"explanation,omitempty" gorm:"serializer:json;type:jsonb"`
	Status        DecisionStatus `json:"status"`
	Outcome       Outcome        `json:"outcome"`
	OutcomeReason string         `json:"outcomeReason"`
	FinishedAt    *time.Time     `json:"finishedAt,omitempty"`
	FinalReplicas *int           `json:"finalReplicas,omitempty"`
	WorkflowID    string         `json:"workflowId"`
	ReservationID string         `json:"reservationId,omitempty"`
	Evidence      *Evidence      `json:"evidence,omitempty" gorm:"serializer:json;type:jsonb"`
	// SpikeSampleAt is the first sample that showed the spike, for the time from
	// sample to order; nil when no spike was involved.
	SpikeSampleAt *time.Time `json:"spikeSampleAt,omitempty"`
	OrderedAt     *time.Time `json:"orderedAt,omitempty"` // the actuator accepted the order
	// What the replicas cost in an hour at the catalogue's price: before the change, and
	// with what it asks for, or once it is closed with what it left. Nil: not known.
	CostPerHourBefore *float64 `json:"costPerHourBefore,omitempty"`
	CostPerHourAfter  *float64 `json:"costPerHourAfter,omitempty"`
	// Approval is the explanation's, where the explanation itself is left out: in the
	// live stream. It is not stored.
	Approval *Approval `json:"approval,omitempty" gorm:"-"`
}

// TableName is the SQL table.
func (Decision) TableName() string { return "scalability_decisions" }

// Evidence is what a verified change measured and judged.
type Evidence struct {
	Baseline     *Measurement  `json:"baseline,omitempty"`
	Measurements []Measurement `json:"measurements"`
	Checks       []Check       `json:"checks"`
	Verdict      Verdict       `json:"verdict"`
	Steps        []Step        `json:"steps"`

	Sentence string            `json:"sentence,omitempty"` // what became of the change, for a person
	Before   *Standing         `json:"before,omitempty"`
	After    *Standing         `json:"after,omitempty"`
	Approval *ApprovalEvidence `json:"approval,omitempty"` // of a change that a person had to agree to
	Cause    string            `json:"cause,omitempty"`    // of a verdict other than keep: crash, start, errors, …
	Flags    []Flag            `json:"flags,omitempty"`    // what a person or an alert rule has to know
}

// Step is one thing a workflow did, in order.
type Step struct {
	At   time.Time `json:"at"`
	Name string    `json:"name"`
	Text string    `json:"text"`
}

// Verdict judges new capacity against old. The zero value holds: without evidence
// nothing is called a success and nothing is rolled back.
type Verdict string

// The verdicts.
const (
	VerdictHold     Verdict = ""
	VerdictKeep     Verdict = "keep"
	VerdictPartial  Verdict = "partial" // what came up serves well, a part did not come up
	VerdictRollback Verdict = "rollback"
)

// CheckResult is how one gate came out. The zero value is inconclusive.
type CheckResult string

// The results of a gate.
const (
	CheckInconclusive CheckResult = ""
	CheckPass         CheckResult = "pass"
	CheckPartial      CheckResult = "partial" // most of it passes, the rest does no harm
	CheckFail         CheckResult = "fail"
	CheckCritical     CheckResult = "critical" // one is enough for a rollback
)

// Check is one gate applied to one measurement.
type Check struct {
	Name   string      `json:"name"`
	Result CheckResult `json:"result"`
	Value  *float64    `json:"value,omitempty"`
	Limit  *float64    `json:"limit,omitempty"`
	Reason string      `json:"reason"`
}

// DecisionFilter selects decisions, newest first. Zero fields do not filter.
type DecisionFilter struct {
	Service ServiceName
	Outcome *Outcome // pointer: open ("") is a filter of its own
	Since   time.Time
	Until   time.Time
	Limit   int
	Before  *Cursor
}

// Cursor is a position in a list ordered by time and then ID, newest first.
type Cursor struct {
	At time.Time
	ID string
}
