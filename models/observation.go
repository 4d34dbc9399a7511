package models

import "time"

// Quality says how far a signal can be trusted. The zero value is missing: what
// nobody vouched for is not used.
type Quality string

// The qualities, worst first.
const (
	QualityMissing    Quality = ""            // no sample, too old, or impossible
	QualityStale      Quality = "STALE"       // older than two intervals, at most 90 s
	QualitySuspectLow Quality = "SUSPECT_LOW" // fell by half while the service looks ill: an outage, not a lull
	QualityOK         Quality = "OK"
)

// Signal is what is known of one metric of one service at the time of a decision.
// An average is nil where the window holds no sample.
type Signal struct {
	Metric       MetricName `json:"metric"`
	Avg2         *float64   `json:"avg2,omitempty"`   // mean over the last 2 s
	Avg6         *float64   `json:"avg6,omitempty"`   // mean over the last 6 s
	Avg60        *float64   `json:"avg60,omitempty"`  // mean over the last 60 s
	Avg300       *float64   `json:"avg300,omitempty"` // mean over the last 300 s
	Max60        *float64   `json:"max60,omitempty"`  // largest second of the last 60 s
	AgeSeconds   float64    `json:"ageSeconds"`       // since the newest sample
	Completeness float64    `json:"completeness"`     // seconds with a sample ÷ 60, 0 to 1

	// IntervalSeconds is how often the metric is reported; 0 = each second.
	IntervalSeconds float64 `json:"intervalSeconds,omitempty"`
	// Max7Days is the largest minute of the last seven days; nil: not known.
	Max7Days *float64 `json:"max7d,omitempty"`
	// Recent are the means of the last five windows of ten seconds, oldest first.
	Recent []float64 `json:"recent,omitempty"`
	// Snapshot says that the signal comes from the copy at rest, since the hot store
	// could not be read: it is stale at best.
	Snapshot bool `json:"snapshot,omitempty"`
}

// Observation is everything a decision about one service is made from, as it was
// read at one time. What could not be read is named in Gaps.
type Observation struct {
	Service      Service           `json:"service"`
	At           time.Time         `json:"at"`
	Replicas     *ReplicaSet       `json:"replicas,omitempty"` // nil: the actuator could not be read
	Signals      []Signal          `json:"signals"`            // in the order of MetricNames; absent = missing
	Forecast     *ForecastPoint    `json:"forecast,omitempty"` // demand expected within the lead time
	Reservations []Reservation     `json:"reservations"`       // active at At, oldest first
	Requests     []DecisionRequest `json:"requests"`           // decisions asked for by people, still open
	Limits       Limits            `json:"limits"`
	Operation    *OperationRef     `json:"operation,omitempty"` // outcome of the operation in flight, when it is known
	Gaps         []string          `json:"gaps,omitempty"`      // what could not be read, one sentence each

	Mode        Mode         `json:"mode,omitempty"`        // "" = normal
	Calendar    *Calendar    `json:"calendar,omitempty"`    // nil: capacity for guests comes from reservations alone
	Learned     *Learned     `json:"learned,omitempty"`     // nil: the catalogue's figures count
	Disturbance *Disturbance `json:"disturbance,omitempty"` // nil: nothing is known to have happened
	// UsualRPS is the 95th percentile of the load at this hour of the week.
	UsualRPS *float64 `json:"usualRps,omitempty"`
}

// Mode says how much a service may not fail now. The zero value is normal.
type Mode string

// The modes. Freeze and the kill switch stop changes, the others change how they are made.
const (
	ModeNormal     Mode = ""
	ModeWeddingDay Mode = "wedding_day" // more room, slower removal, money no object
	ModeEmergency  Mode = "emergency"   // capacity now, verified afterwards, none removed
	ModeFreeze     Mode = "freeze"      // nothing is changed but for the safety maximum
)

// Calendar is what is known of coming guests. Windows are ordered by start, then ID.
type Calendar struct {
	ReadAt  time.Time        `json:"readAt"` // when the feed was last read whole
	Windows []CalendarWindow `json:"windows"`
	Kernel  *GuestKernel     `json:"kernel,omitempty"` // nil: guests cannot be turned into load
	// BaseRPS is the load without guests that is expected within the lead time.
	BaseRPS float64 `json:"baseRps"`
}

// CalendarWindow is one event that brings guests. Its ID is a pseudonym.
type CalendarWindow struct {
	ID        string    `json:"id"`
	Start     time.Time `json:"start"` // ceremony
	End       time.Time `json:"end"`   // last guest leaves
	Guests    int       `json:"guests"`
	Confirmed bool      `json:"confirmed"` // a tentative one counts as well: capacity comes first
	Cancelled bool      `json:"cancelled,omitempty"`
	TimeZone  string    `json:"timeZone,omitempty"` // for people; times are instants
}

// GuestKernel is the load of one guest around the ceremony, in requests per second: the
// 90th percentile of each step of StepMinutes, the first of which begins FromMinutes
// after the ceremony (negative: before it). With the median too, it is known how much of
// it is chance, which evens out over several weddings.
type GuestKernel struct {
	FromMinutes int       `json:"fromMinutes"`
	StepMinutes int       `json:"stepMinutes"`
	P90         []float64 `json:"p90"`
	P50         []float64 `json:"p50,omitempty"` // as long as P90, or absent
}

// Learned is what a service's own record says of it. Zero fields are not known.
type Learned struct {
	CapacityP50RPS    float64    `json:"capacityP50Rps,omitempty"`    // of one replica at 100 %
	CapacityP10RPS    float64    `json:"capacityP10Rps,omitempty"`    // certified: nine of ten replicas serve this
	CertifiedAt       *time.Time `json:"certifiedAt,omitempty"`       // when the load test was that certified it
	StartupP50Seconds float64    `json:"startupP50Seconds,omitempty"` // order to ready, of the last 50 starts
	StartupP95Seconds float64    `json:"startupP95Seconds,omitempty"`
	FailedStarts10Min int        `json:"failedStarts10Min,omitempty"`
}

// Disturbance is what else can make load fall without people leaving.
type Disturbance struct {
	DeployedAt      *time.Time `json:"deployedAt,omitempty"`      // last deployment or failover
	FallingServices int        `json:"fallingServices,omitempty"` // whose load halves at the same time, this one with them
	HealthyShare    *float64   `json:"healthyShare,omitempty"`    // of the load balancer's hosts, 0 to 1
}

// Signal finds one metric; ok is false where it was not reported.
func (o Observation) Signal(m MetricName) (s Signal, ok bool) {
	for _, s := range o.Signals {
		if s.Metric == m {
			return s, true
		}
	}
	return Signal{}, false
}

// ForecastPoint is the largest demand that a predictor expects within the lead time,
// in requests per second, with the trust that its record has earned.
type ForecastPoint struct {
	P50      float64   `json:"p50"`
	P95      float64   `json:"p95"`
	P99      float64   `json:"p99"`
	IssuedAt time.Time `json:"issuedAt"`
	Model    string    `json:"model"`
	Trusted  bool      `json:"trusted"`
	Reason   string    `json:"reason"` // why it is trusted or not

	// LookAheadP90 is the largest 90th percentile within the next 30 min; 0: not known.
	LookAheadP90 float64 `json:"lookAheadP90,omitempty"`
	// P70 is what is worth planning for in calm: the largest 70th percentile within the
	// lead time, or a surge by the clock that is likely enough; 0: not known.
	P70 float64 `json:"p70,omitempty"`
	// VerifiedP70 is the same until an order of now is verified, before which no other can
	// be made; 0: not known.
	VerifiedP70 float64 `json:"verifiedP70,omitempty"`
	// Calendar says that weddings are part of it: a reason to be far above the usual.
	Calendar bool `json:"calendar,omitempty"`
	// The record of the last seven days. Nil: the predictor's own word counts.
	WAPE7Days   *float64 `json:"wape7d,omitempty"`
	Coverage95  *float64 `json:"coverage95,omitempty"`
	HistoryDays *float64 `json:"historyDays,omitempty"`
}

// Limits are the ceilings that no decision passes. A nil limit does not bind.
type Limits struct {
	Database   *DatabaseLimit `json:"database,omitempty"`
	Quota      *int           `json:"quota,omitempty"` // replicas the provider allows
	HourBudget *float64       `json:"hourBudget,omitempty"`

	Downstream []DownstreamLimit `json:"downstream,omitempty"`
	Budget     *Budget           `json:"budget,omitempty"`
	// SchedulableHeadroom is how many replicas fit on the nodes that are there; more are
	// ordered all the same, and wait for nodes.
	SchedulableHeadroom *int `json:"schedulableHeadroom,omitempty"`
}

// DownstreamLimit is what a service behind this one can take.
type DownstreamLimit struct {
	Name  string  `json:"name"`
	RPS   float64 `json:"rps"`
	Calls float64 `json:"calls"` // per request of this service; 0 = 1
}

// Budget is what capacity may cost, and what was spent, in the operator's currency. A
// limit of 0 does not bind.
type Budget struct {
	Hour       float64 `json:"hour,omitempty"`
	Day        float64 `json:"day,omitempty"`
	Month      float64 `json:"month,omitempty"`
	SpentDay   float64 `json:"spentDay,omitempty"`
	SpentMonth float64 `json:"spentMonth,omitempty"`
}

// DatabaseLimit is the connection ceiling that a service's replicas share.
type DatabaseLimit struct {
	MaxConnections int `json:"maxConnections"`
	Reserved       int `json:"reserved"`
	OtherUsers     int `json:"otherUsers"` // held by the other services now
	PerReplica     int `json:"perReplica"`
}

// DecisionRequest is a change of capacity that somebody asked for: a decision row
// that waits for its service's Autoscale workflow.
type DecisionRequest struct {
	DecisionID    string    `json:"decisionId"`
	ReservationID string    `json:"reservationId"`
	Actor         string    `json:"actor"`
	CreatedAt     time.Time `json:"createdAt"`
}

// OperationRef names a verified change and its outcome ("" while it runs).
type OperationRef struct {
	DecisionID string  `json:"decisionId"`
	Outcome    Outcome `json:"outcome"`
}
