package models

import "time"

// WeddingDayPhase is where a wedding day stands. The zero value claims nothing.
type WeddingDayPhase string

// The phases, in their order. Decay is open with fewer guests than were planned for.
const (
	WeddingDayUnknown   WeddingDayPhase = ""
	WeddingDayAhead     WeddingDayPhase = "ahead"     // more than a day to the first ceremony
	WeddingDayChecklist WeddingDayPhase = "checklist" // what must be in order is checked, each hour
	WeddingDayPreWarm   WeddingDayPhase = "pre_warm"  // capacity is ordered before the guests come
	WeddingDayOpen      WeddingDayPhase = "open"      // a ceremony window is open: strict thresholds
	WeddingDayDecay     WeddingDayPhase = "decay"     // open, and a floor is let down since guests stay away
	WeddingDayCoolDown  WeddingDayPhase = "cool_down" // the last guests leave, floors run out
	WeddingDayDone      WeddingDayPhase = "done"
)

// DayWedding is what a day has to know of one wedding: a pseudonym, times and numbers.
type DayWedding struct {
	ID        string    `json:"id"`
	Date      string    `json:"date"` // of the ceremony in the venue's zone
	Region    string    `json:"region,omitempty"`
	StartsAt  time.Time `json:"startsAt"`
	EndsAt    time.Time `json:"endsAt"`
	Guests    int       `json:"guests"`
	Cancelled bool      `json:"cancelled,omitempty"`
	// Ended says that a person ended it before its time.
	EndedAt *time.Time `json:"endedAt,omitempty"`
	// ExtendedTo is until when a person extended it; nil: as booked.
	ExtendedTo *time.Time `json:"extendedTo,omitempty"`
}

// Counts says whether its guests are still planned for.
func (w DayWedding) Counts() bool { return !w.Cancelled && w.Guests > 0 }

// Until is when its last guest leaves, as far as is known now.
func (w DayWedding) Until() time.Time {
	until := w.EndsAt
	if w.ExtendedTo != nil && w.ExtendedTo.After(until) {
		until = *w.ExtendedTo
	}
	if w.EndedAt != nil && w.EndedAt.Before(until) {
		until = *w.EndedAt
	}
	return until
}

// ThresholdSet is when somebody is told. Shares are 0 to 1, the health score 0 to 100.
type ThresholdSet struct {
	ResponseTimeMS float64 `json:"responseTimeMs"` // 95th percentile
	ErrorRate      float64 `json:"errorRate"`
	CPU            float64 `json:"cpu"`
	Memory         float64 `json:"memory"`
	HealthScore    float64 `json:"healthScore"` // below it
}

// WeddingDayThresholds are the strict ones, while a ceremony window is open.
func WeddingDayThresholds() ThresholdSet {
	return ThresholdSet{ResponseTimeMS: 500, ErrorRate: 0.01, CPU: 0.70, Memory: 0.70, HealthScore: 80}
}

// TimeSpan is [From, Until).
type TimeSpan struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// Holds says whether a time lies within.
func (s TimeSpan) Holds(at time.Time) bool { return !at.Before(s.From) && at.Before(s.Until) }

// DayFloor is one step of a day's floor of one service.
type DayFloor struct {
	Service  ServiceName `json:"service"`
	From     time.Time   `json:"from"`
	Until    time.Time   `json:"until"`
	Replicas int         `json:"replicas"`
	Guests   int         `json:"guests"` // most at once
}

// DayBasis is what turns guests into load for one service: what one guest brings, and the
// load without guests by hour. Hours are of the day, in order; before the first and after
// the last the nearest counts.
type DayBasis struct {
	Service ServiceName  `json:"service"`
	Kernel  *GuestKernel `json:"kernel,omitempty"`
	Base    []BaseHour   `json:"base,omitempty"`
}

// BaseHour is the load without guests from a time on, in requests per second.
type BaseHour struct {
	At  time.Time `json:"at"`
	RPS float64   `json:"rps"`
}

// At is the load without guests at a time.
func (b DayBasis) At(at time.Time) float64 {
	rps := 0.0
	for i, h := range b.Base {
		if i > 0 && h.At.After(at) {
			break
		}
		rps = h.RPS
	}
	return rps
}

// TimeLens lets a day pass faster than it is, for a demonstration: the time of the day is
// Origin + Factor · (now − Origin). The zero lens changes nothing.
type TimeLens struct {
	Origin time.Time `json:"origin"`
	Factor float64   `json:"factor"`
}

// Day is the time of the day at a time of the clock.
func (l TimeLens) Day(clock time.Time) time.Time {
	if l.Factor == 0 {
		return clock
	}
	return l.Origin.Add(time.Duration(float64(clock.Sub(l.Origin)) * l.Factor))
}

// Clock is the time of the clock at a time of the day.
func (l TimeLens) Clock(day time.Time) time.Time {
	if l.Factor == 0 {
		return day
	}
	return l.Origin.Add(l.Span(day.Sub(l.Origin)))
}

// Span is how long a span of the day takes by the clock.
func (l TimeLens) Span(d time.Duration) time.Duration {
	if l.Factor == 0 {
		return d
	}
	return time.Duration(float64(d) / l.Factor)
}

// CheckVerdict is what one point of the check-list came to. The zero value is unknown:
// what could not be looked at is not in order.
type CheckVerdict string

// The verdicts.
const (
	CheckUnknown CheckVerdict = ""
	CheckOK      CheckVerdict = "ok"
	CheckWarning CheckVerdict = "warning"
	CheckFailed  CheckVerdict = "failed"
)

// DayCheck is one point of the check-list with what can be done about it.
type DayCheck struct {
	Name    string       `json:"name"`
	Verdict CheckVerdict `json:"verdict"`
	Text    string       `json:"text"`
	Remedy  string       `json:"remedy,omitempty"`
}

// DayNote is something that happened on a day, for people.
type DayNote struct {
	At    time.Time `json:"at"`
	Level FlagLevel `json:"level,omitempty"`
	Text  string    `json:"text"`
}

// DayUse is what was promised to one service and what it used.
type DayUse struct {
	Service          ServiceName `json:"service"`
	PeakFloor        int         `json:"peakFloor"`
	PeakReplicas     int         `json:"peakReplicas"`
	PromisedHours    float64     `json:"promisedReplicaHours"`
	UsedHours        float64     `json:"usedReplicaHours"`
	PeakRPS          float64     `json:"peakRps"`
	ViolationMinutes int         `json:"violationMinutes"` // of an open window, above the strict response time or error rate
	Cost             float64     `json:"cost"`
}

// DayReport compares what a day was promised with what it used.
type DayReport struct {
	Outcome  string    `json:"outcome"` // completed, cancelled, empty
	Text     string    `json:"text"`
	Weddings int       `json:"weddings"`
	Guests   int       `json:"guests"`
	From     time.Time `json:"from"`
	Until    time.Time `json:"until"`
	Services []DayUse  `json:"services"`
	Cost     float64   `json:"cost"`
}

// WeddingDay is a day as it stands. Row of wedding_days, one per date and region; the
// thresholds hold while a window is open, by the reader's own clock.
type WeddingDay struct {
	Date       string          `json:"date" gorm:"primaryKey;type:date;serializer:isodate"`
	Region     string          `json:"region" gorm:"primaryKey"` // "": all regions
	Phase      WeddingDayPhase `json:"phase"`
	Text       string          `json:"text"`
	Weddings   int             `json:"weddings"`
	Guests     int             `json:"guests"`
	Windows    []TimeSpan      `json:"windows" gorm:"serializer:json;type:jsonb"`
	Thresholds ThresholdSet    `json:"thresholds" gorm:"serializer:json;type:jsonb"`
	Floors     []DayFloor      `json:"floors" gorm:"serializer:json;type:jsonb"`
	Checks     []DayCheck      `json:"checks" gorm:"serializer:json;type:jsonb"`
	Notes      []DayNote       `json:"notes" gorm:"serializer:json;type:jsonb"` // newest last
	Report     *DayReport      `json:"report,omitempty" gorm:"serializer:json;type:jsonb"`
	StrictFrom *time.Time      `json:"strictFrom,omitempty"` // first opening of a window
	StrictTo   *time.Time      `json:"strictUntil,omitempty" gorm:"column:strict_until"`
	UpdatedAt  time.Time       `json:"updatedAt"`
}

// TableName is the SQL table.
func (WeddingDay) TableName() string { return "wedding_days" }

// StrictAt says whether the strict thresholds hold at a time.
func (d WeddingDay) StrictAt(at time.Time) bool {
	for _, w := range d.Windows {
		if w.Holds(at) {
			return true
		}
	}
	return false
}

// DayReading is how one service stands on its day: load against plan.
type DayReading struct {
	Service  ServiceName `json:"service"`
	Ready    int         `json:"ready"`
	Spec     int         `json:"spec"`
	Need     int         `json:"need"`   // what measured demand asks for now
	Floor    int         `json:"floor"`  // of the day at this time
	Demand   *float64    `json:"demand"` // 95th percentile of the last 20 min; nil: not measured
	Expected float64     `json:"expected"`
	// Rising says that more is planned within the next hour.
	Rising bool `json:"rising,omitempty"`
	// Settled says that the ceremony of some guests was 45 min ago or more.
	Settled bool `json:"settled,omitempty"`
}

// WeddingDayQuery selects days by date, YYYY-MM-DD, both included. Empty fields do not
// filter.
type WeddingDayQuery struct {
	From, Until string
	Limit       int
}

// WeddingDayAction is a command to a running day.
type WeddingDayAction string

// The actions.
const (
	WeddingDayExtend WeddingDayAction = "extend"
	WeddingDayEnd    WeddingDayAction = "end"
	WeddingDayRaise  WeddingDayAction = "raise_floor"
)

// WeddingDayCommand is a validated command with who gives it and why. RequestID makes it
// idempotent.
type WeddingDayCommand struct {
	Action    WeddingDayAction
	Date      string
	Region    string
	WeddingID string // extend; end: "" = all
	Service   ServiceName
	Replicas  int
	Until     time.Time
	Bounded   bool // a coordinator's: at most half more, for at most twelve hours, own wedding
	Actor     string
	Reason    string
	RequestID string
}

// WeddingDayAnswer is the day's own answer.
type WeddingDayAnswer struct {
	Phase WeddingDayPhase `json:"phase"`
	Text  string          `json:"text"`
}
