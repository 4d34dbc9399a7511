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
}

// Limits are the ceilings that no decision passes. A nil limit does not bind.
type Limits struct {
	Database   *DatabaseLimit `json:"database,omitempty"`
	Quota      *int           `json:"quota,omitempty"` // replicas the provider allows
	HourBudget *float64       `json:"hourBudget,omitempty"`
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
