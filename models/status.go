package models

import "time"

// Overall is the health of the whole. The zero value is unhealthy.
type Overall string

// The overall states.
const (
	OverallHealthy   Overall = "healthy"
	OverallDegraded  Overall = "degraded"
	OverallUnhealthy Overall = "unhealthy"
)

// Health is the state of the five components.
type Health struct {
	ScalingEngine      bool      `json:"scalingEngine"`
	LoadPredictor      bool      `json:"loadPredictor"`
	PerformanceMonitor bool      `json:"performanceMonitor"`
	RBACManager        bool      `json:"rbacManager"`
	Database           bool      `json:"database"`
	OverallHealth      Overall   `json:"overallHealth"`
	CheckedAt          time.Time `json:"checkedAt"`
}

// WithOverall counts the five components: 5 healthy, 3 or 4 degraded, fewer unhealthy.
func (h Health) WithOverall() Health {
	n := 0
	for _, ok := range []bool{h.ScalingEngine, h.LoadPredictor, h.PerformanceMonitor, h.RBACManager, h.Database} {
		if ok {
			n++
		}
	}
	switch {
	case n == 5:
		h.OverallHealth = OverallHealthy
	case n >= 3:
		h.OverallHealth = OverallDegraded
	default:
		h.OverallHealth = OverallUnhealthy
	}
	return h
}

// Score is the share of the five components that are healthy, 0 to 100.
func (h Health) Score() float64 {
	score := 0.0
	for _, ok := range []bool{h.ScalingEngine, h.LoadPredictor, h.PerformanceMonitor, h.RBACManager, h.Database} {
		if ok {
			score += 20
		}
	}
	return score
}

// HealthSnapshot is health at rest. Row of system_health_snapshots.
type HealthSnapshot struct {
	ID      string    `json:"id" gorm:"primaryKey"`
	At      time.Time `json:"at"`
	Overall Overall   `json:"overall"`
	Health  Health    `json:"health" gorm:"serializer:json;type:jsonb"`
}

// TableName is the SQL table.
func (HealthSnapshot) TableName() string { return "system_health_snapshots" }

// ScalingState is the last evaluation of one service, kept for status, health and the
// dashboard. Row of table scaling_states, one per service, written on every tick.
type ScalingState struct {
	Service     ServiceName  `json:"service" gorm:"primaryKey"`
	TickedAt    time.Time    `json:"tickedAt"`
	Spec        int          `json:"spec"`
	Ready       int          `json:"ready"`
	Pending     int          `json:"pending"`
	Desired     int          `json:"desired"`
	Paused      bool         `json:"paused"`
	PausedBy    string       `json:"pausedBy"`
	Operation   string       `json:"operation"` // decision ID in flight, "" for none
	Explanation *Explanation `json:"explanation,omitempty" gorm:"serializer:json;type:jsonb"`
}

// TableName is the SQL table.
func (ScalingState) TableName() string { return "scaling_states" }

// ServiceStatus is what a person looks at: load, capacity and the last word on one
// service. A metric that was not reported is absent from Metrics.
type ServiceStatus struct {
	Service  ServiceName            `json:"service"`
	Tier     Tier                   `json:"tier"`
	Metrics  map[MetricName]float64 `json:"metrics"`
	MetricAt *time.Time             `json:"metricAt,omitempty"` // newest sample; nil = none in 30 s
	Scaling  *ScalingState          `json:"scaling,omitempty"`  // nil = never evaluated
	// Judgement holds the metrics against the thresholds in force.
	Judgement *Judgement `json:"judgement,omitempty"`
	// CapacityRPS is what one ready replica serves at 100 %, requests per second.
	CapacityRPS float64 `json:"capacityRps"`
	Min         int     `json:"min"`
	Max         int     `json:"max"`
	// TemporalURL opens the service's Autoscale workflow in the Temporal UI.
	TemporalURL string `json:"temporalUrl"`
}

// LiveSnapshot is one event of the live stream: all services at one time and the
// decisions that are new since the event before.
type LiveSnapshot struct {
	At        time.Time         `json:"at"`
	Health    Health            `json:"health"`
	Judgement PlatformJudgement `json:"judgement"`
	Services  []ServiceStatus   `json:"services"`
	Decisions []Decision        `json:"decisions"` // newest first; all recent ones in the first event
}

// DatabaseStatus is what an operator asks of the database: the process's own pool and
// the largest tables. Sizes are bytes.
type DatabaseStatus struct {
	Reachable       bool             `json:"reachable"`
	LatencyMS       float64          `json:"latencyMs"`
	OpenConnections int              `json:"openConnections"`
	InUse           int              `json:"inUse"`
	MaxConnections  int              `json:"maxConnections"`
	WaitCount       int64            `json:"waitCount"`
	TableBytes      map[string]int64 `json:"tableBytes"`
	Version         string           `json:"version"`
}
