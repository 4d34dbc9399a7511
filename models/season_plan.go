package models

import "time"

// PlanStatus is where a version of a plan stands.
type PlanStatus string

// The statuses of a plan.
const (
	PlanProposed   PlanStatus = "proposed"   // waits for a person
	PlanApproved   PlanStatus = "approved"   // a person agreed
	PlanAmended    PlanStatus = "amended"    // within the bounds of the approved one
	PlanRejected   PlanStatus = "rejected"   // a person said no
	PlanSuperseded PlanStatus = "superseded" // a later one took its place
)

// SeasonPlan is one version of a season's capacity plan. Row of table season_plans.
type SeasonPlan struct {
	SeasonID  string         `json:"seasonId" gorm:"primaryKey"`
	Version   int            `json:"version" gorm:"primaryKey"`
	MadeAt    time.Time      `json:"madeAt"`
	Status    PlanStatus     `json:"status"`
	Weeks     []PlanWeek     `json:"weeks" gorm:"serializer:json;type:jsonb"` // by service, then week
	Cost      float64        `json:"cost"`                                    // of the whole season, in the operator's currency
	Quota     []QuotaNeed    `json:"quota" gorm:"serializer:json;type:jsonb"`
	Database  *DatabaseNeed  `json:"database,omitempty" gorm:"serializer:json;type:jsonb"`
	Deficits  []PlanDeficit  `json:"deficits" gorm:"serializer:json;type:jsonb"`
	Edits     []SeasonEdit   `json:"edits" gorm:"serializer:json;type:jsonb"`
	Amendment *PlanAmendment `json:"amendment,omitempty" gorm:"serializer:json;type:jsonb"`
	Sentence  string         `json:"sentence"`
	DecidedBy string         `json:"decidedBy"`
	Reason    string         `json:"reason"`
	DecidedAt *time.Time     `json:"decidedAt,omitempty"`
}

// TableName is the SQL table.
func (SeasonPlan) TableName() string { return "season_plans" }

// PlanWeek is what one service needs in one week of the season.
type PlanWeek struct {
	Service  ServiceName      `json:"service"`
	From     time.Time        `json:"from"`
	Until    time.Time        `json:"until"`
	Floor    int              `json:"floor"`   // held all week
	Peak     int              `json:"peak"`    // at its busiest
	Wanted   int              `json:"wanted"`  // at its busiest, if nothing capped it
	PeakRPS  float64          `json:"peakRps"` // 95th percentile of its busiest hour
	PeakAt   time.Time        `json:"peakAt"`
	Weddings int              `json:"weddings"`
	Guests   int              `json:"guests"`
	Days     int              `json:"days"` // with a forecast
	Cost     float64          `json:"cost"`
	Bound    string           `json:"bound,omitempty"` // the ceiling that holds it
	Method   PredictionMethod `json:"method"`
}

// QuotaNeed is what the provider has to allow a service.
type QuotaNeed struct {
	Service ServiceName `json:"service"`
	Needed  int         `json:"needed"`
	Allowed *int        `json:"allowed,omitempty"` // nil: the provider does not say
}

// DatabaseNeed is the busiest week against the database's connections.
type DatabaseNeed struct {
	Week           time.Time `json:"week"`
	Connections    int       `json:"connections"` // of all services' peaks and what is reserved
	MaxConnections int       `json:"maxConnections"`
	Share          float64   `json:"share"`
}

// PlanDeficit is capacity that is needed and that a ceiling denies, with what could be done.
type PlanDeficit struct {
	Service  ServiceName `json:"service,omitempty"` // "": all of them together
	Week     time.Time   `json:"week"`
	Ceiling  string      `json:"ceiling"`
	Replicas int         `json:"replicas"` // short by
	RPS      float64     `json:"rps"`
	Text     string      `json:"text"`
	Remedies []string    `json:"remedies"`
}

// SeasonEdit is a person's own figure in a plan.
type SeasonEdit struct {
	Service ServiceName `json:"service"`
	Week    *time.Time  `json:"week,omitempty"` // an instant within it; nil: each week
	Floor   int         `json:"floor,omitempty"`
	Peak    int         `json:"peak,omitempty"`
	Actor   string      `json:"actor"`
	Reason  string      `json:"reason"`
}

// Validate checks an edit.
func (e SeasonEdit) Validate() error {
	if _, err := ParseServiceName("service", string(e.Service)); err != nil {
		return err
	}
	switch {
	case e.Floor < 0 || e.Floor > 100000:
		return Invalid("floor", e.Floor, "must be from 0 (as forecast) to 100000")
	case e.Peak < 0 || e.Peak > 100000:
		return Invalid("peak", e.Peak, "must be from 0 (as forecast) to 100000")
	case e.Floor == 0 && e.Peak == 0:
		return Invalid("floor", e.Floor, "or peak is required")
	case e.Peak > 0 && e.Floor > e.Peak:
		return Invalid("floor", e.Floor, "must not be above peak")
	}
	return nil
}

// AmendmentVerdict says what may be done with a newer plan. The zero value asks.
type AmendmentVerdict string

// The verdicts on a newer plan.
const (
	AmendmentAsk    AmendmentVerdict = "ask"    // beyond the bounds: a person has to agree again
	AmendmentWithin AmendmentVerdict = "within" // taken, and recorded
	AmendmentNone   AmendmentVerdict = "none"   // nothing changed
)

// PlanAmendment is a newer plan against the approved one.
type PlanAmendment struct {
	Verdict AmendmentVerdict `json:"verdict"`
	Changed int              `json:"changed"` // weeks of services that differ
	Beyond  []string         `json:"beyond"`  // what passes the bounds; the first ten
	Text    string           `json:"text"`
}
