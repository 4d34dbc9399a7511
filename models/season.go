package models

import (
	"fmt"
	"regexp"
	"time"
)

// WorkflowSeason is the kind of the workflow that prepares a season.
const WorkflowSeason WorkflowKind = "season_preparation"

// Season is a span of the year that is prepared for as a whole. Times are instants: the
// first is local midnight of the first day in the season's zone, the last that after its
// last day. Row of table seasons.
type Season struct {
	ID          string          `json:"id" gorm:"primaryKey"`
	Name        string          `json:"name"`
	TimeZone    string          `json:"timeZone"` // of its days and weeks
	From        time.Time       `json:"from" gorm:"column:starts_at"`
	Until       time.Time       `json:"until" gorm:"column:ends_at"`
	Bounds      SeasonBounds    `json:"bounds" gorm:"serializer:json;type:jsonb"`
	RequestedBy string          `json:"requestedBy"`
	Phase       SeasonPhase     `json:"phase"`
	Outcome     SeasonOutcome   `json:"outcome"`
	Sentence    string          `json:"sentence"`
	Report      *SeasonReport   `json:"report,omitempty" gorm:"serializer:json;type:jsonb"`
	Approved    int             `json:"approvedVersion" gorm:"column:approved"` // 0: no plan was agreed to
	Effective   int             `json:"effectiveVersion" gorm:"column:effective"`
	Proposed    int             `json:"proposedVersion" gorm:"column:proposed"` // 0: none waits
	CreatedAt   time.Time       `json:"createdAt"`
	UpdatedAt   time.Time       `json:"updatedAt"`
	Gates       []SeasonGate    `json:"gates,omitempty" gorm:"-"`
	Proofs      []CapacityProof `json:"certificates,omitempty" gorm:"-"`
}

// TableName is the SQL table.
func (Season) TableName() string { return "seasons" }

// SeasonPhase is where the preparation of a season stands.
type SeasonPhase string

// The phases. The zero value has not begun.
const (
	SeasonNew       SeasonPhase = ""
	SeasonApproval  SeasonPhase = "approval"  // the first plan waits for a person
	SeasonPreparing SeasonPhase = "preparing" // gates
	SeasonRunning   SeasonPhase = "running"   // the season itself
	SeasonWindDown  SeasonPhase = "wind_down" // after its last day
	SeasonDone      SeasonPhase = "done"
)

// SeasonOutcome is how the preparation ended; "" while it has not.
type SeasonOutcome string

// The outcomes of a season's preparation.
const (
	SeasonOpen      SeasonOutcome = ""
	SeasonCompleted SeasonOutcome = "completed"
	SeasonRejected  SeasonOutcome = "rejected"   // a person said no: nothing is reserved
	SeasonExpired   SeasonOutcome = "unapproved" // the season ended before anybody agreed
	SeasonCancelled SeasonOutcome = "cancelled"  // all reservations were released
)

// SeasonBounds are how far a plan may move without asking again.
type SeasonBounds struct {
	ReplicaShare float64 `json:"replicaShare"` // more replicas in any week of any service
	CostShare    float64 `json:"costShare"`    // more cost of the whole season
}

// DefaultSeasonBounds allow a fifth more replicas and a tenth more cost.
func DefaultSeasonBounds() SeasonBounds { return SeasonBounds{ReplicaShare: 0.20, CostShare: 0.10} }

// seasonID is what an ID of a season may look like: it is part of a workflow's.
var seasonID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,60}$`)

// MaxSeasonDays bounds a season: a forecast reaches no further.
const MaxSeasonDays = 300

// Validate checks a season that is to be prepared.
func (s Season) Validate() error {
	switch days := s.Until.Sub(s.From).Hours() / 24; {
	case !seasonID.MatchString(s.ID):
		return Invalid("id", s.ID, "must have 2 to 61 lower-case letters, digits and hyphens, the first no hyphen")
	case s.From.IsZero():
		return Invalid("from", "", "is required")
	case !(days > 0 && days <= MaxSeasonDays+1):
		return Invalid("until", s.Until.Format(time.RFC3339), fmt.Sprintf("must be after from by at most %d days", MaxSeasonDays))
	case s.TimeZone == "" || s.TimeZone == "Local":
		return Invalid("timeZone", s.TimeZone, "must be an IANA time zone such as Europe/London")
	}
	if err := text("name", s.Name, 0, 100); err != nil {
		return err
	}
	return s.Bounds.Validate()
}

// Validate checks the bounds.
func (b SeasonBounds) Validate() error {
	return firstBreach([]bound{{"bounds.replicaShare", b.ReplicaShare, 0, 2}, {"bounds.costShare", b.CostShare, 0, 2}})
}

// SeasonOf makes a season from its first and last day in a zone. The zone database is the
// caller's: load is time.LoadLocation.
func SeasonOf(id, first, last, zone string, load func(string) (*time.Location, error)) (Season, error) {
	s := Season{ID: id, TimeZone: zone, Bounds: DefaultSeasonBounds()}
	loc, err := load(zone)
	if err != nil || zone == "" || zone == "Local" {
		return s, Invalid("timeZone", zone, "must be an IANA time zone such as Europe/London")
	}
	from, err := time.ParseInLocation(time.DateOnly, first, loc)
	if err != nil {
		return s, Invalid("from", first, "must be a date as 2027-03-20")
	}
	until, err := time.ParseInLocation(time.DateOnly, last, loc)
	if err != nil {
		return s, Invalid("until", last, "must be a date as 2027-10-31")
	}
	s.From, s.Until = from.UTC(), until.AddDate(0, 0, 1).UTC()
	return s, s.Validate()
}

// GateName is one of the checks before a season.
type GateName string

// The gates, in order.
const (
	GateQuota     GateName = "quota"
	GateLoadTest  GateName = "load_test"
	GateGameDay   GateName = "game_day"
	GateFreeze    GateName = "freeze"
	GateRehearsal GateName = "rehearsal"
)

// GateNames lists the gates in order.
func GateNames() []GateName {
	return []GateName{GateQuota, GateLoadTest, GateGameDay, GateFreeze, GateRehearsal}
}

// ParseGateName accepts one of the gates.
func ParseGateName(field, s string) (GateName, error) {
	for _, g := range GateNames() {
		if s == string(g) {
			return g, nil
		}
	}
	return "", Invalid(field, s, "must be one of quota, load_test, game_day, freeze, rehearsal")
}

// GateStatus is how a gate stands.
type GateStatus string

// The statuses. The zero value is not due yet.
const (
	GateWaiting GateStatus = ""
	GatePassed  GateStatus = "passed"
	GateFailed  GateStatus = "failed"  // tried again each day until the season begins
	GateSkipped GateStatus = "skipped" // by a person, with a reason
	GateMissed  GateStatus = "missed"  // there is no time left for it
)

// SeasonGate is the last result of one gate. Row of table season_gates.
type SeasonGate struct {
	SeasonID   string        `json:"seasonId" gorm:"primaryKey"`
	Gate       GateName      `json:"gate" gorm:"primaryKey"`
	Due        time.Time     `json:"due" gorm:"column:due_at"`
	Status     GateStatus    `json:"status"`
	Attempts   int           `json:"attempts"`
	FinishedAt time.Time     `json:"finishedAt"`
	Text       string        `json:"text"`
	Findings   []GateFinding `json:"findings" gorm:"serializer:json;type:jsonb"`
	Remedies   []string      `json:"remedies" gorm:"serializer:json;type:jsonb"`
	Actor      string        `json:"actor,omitempty"` // who skipped it
	Reason     string        `json:"reason,omitempty"`
}

// TableName is the SQL table.
func (SeasonGate) TableName() string { return "season_gates" }

// GateFinding is one thing that a gate looked at.
type GateFinding struct {
	Service ServiceName `json:"service,omitempty"`
	OK      bool        `json:"ok"`
	Text    string      `json:"text"`
}

// CapacityProof is a capacity certificate: what a load test has shown. Row of table
// capacity_certificates.
type CapacityProof struct {
	ID          string      `json:"id" gorm:"primaryKey"`
	SeasonID    string      `json:"seasonId"`
	Service     ServiceName `json:"service"`
	CapacityRPS float64     `json:"capacityRps"` // κ: of one replica at 100 %, in its worst tenth of moments
	MaxReplicas int         `json:"maxReplicas"` // that were seen to serve
	PeakRPS     float64     `json:"peakRps"`     // that was served within the SLO
	DatabaseCap int         `json:"databaseCap"` // replicas that the database has connections for; 0: not known
	IssuedAt    time.Time   `json:"issuedAt"`
	ExpiresAt   time.Time   `json:"expiresAt"`
}

// TableName is the SQL table.
func (CapacityProof) TableName() string { return "capacity_certificates" }

// CertificateDays is how long a capacity certificate holds.
const CertificateDays = 30

// SeasonReport says what was promised and what came of it.
type SeasonReport struct {
	Weeks         int          `json:"weeks"`
	PlannedCost   float64      `json:"plannedCost"`
	Amendments    int          `json:"amendments"`
	Reservations  int          `json:"reservations"`
	Released      int          `json:"released"`
	Gates         []SeasonGate `json:"gates"`
	Escalations   int          `json:"escalations"`
	PromisedPeak  []PeakUse    `json:"peaks"`
	ApprovedBy    string       `json:"approvedBy"`
	ApprovalsLate int          `json:"approvalsLate"`
	Text          string       `json:"text"`
}

// PeakUse compares the largest planned peak of a service with the most replicas it had.
type PeakUse struct {
	Service  ServiceName `json:"service"`
	Promised int         `json:"promised"`
	Used     *int        `json:"used,omitempty"` // nil: no evaluation is kept
}

// SeasonEscalation is something that people have to hear of.
type SeasonEscalation struct {
	ID       string    `json:"id"`
	SeasonID string    `json:"seasonId"`
	At       time.Time `json:"at"`
	Severity string    `json:"severity"` // warning or critical
	What     string    `json:"what"`
	Text     string    `json:"text"`
	Remedies []string  `json:"remedies"`
}

// SeasonCommand is a person's word to a season's preparation.
type SeasonCommand struct {
	SeasonID  string
	Action    SeasonAction
	Actor     string
	Reason    string
	RequestID string
	Version   int           // approve, reject: of the plan; 0 = the one that waits
	Gate      GateName      // skip_gate
	Edits     []SeasonEdit  // amend
	Bounds    *SeasonBounds // amend; nil = as they are
}

// SeasonAction is what a command wants.
type SeasonAction string

// The actions.
const (
	SeasonApprove  SeasonAction = "approve"
	SeasonReject   SeasonAction = "reject"
	SeasonAmend    SeasonAction = "amend_plan"
	SeasonSkipGate SeasonAction = "skip_gate"
)

// SeasonAnswer is what a season's preparation answers to a command.
type SeasonAnswer struct {
	SeasonID string      `json:"seasonId"`
	Phase    SeasonPhase `json:"phase"`
	Text     string      `json:"text"`
}
