package models

import (
	"math"
	"strings"
	"time"
)

// MetricName is a signal of a service. The unit is part of its meaning.
type MetricName string

// The metrics and their units.
const (
	MetricThroughput  MetricName = "throughput"        // requests per second of the whole service, offered
	MetricCPU         MetricName = "cpu"               // share of the ready replicas' capacity in use, 0 to 1
	MetricMemory      MetricName = "memory"            // share of memory in use, 0 to 1
	MetricResponseP95 MetricName = "response_time_p95" // milliseconds
	MetricErrorRate   MetricName = "error_rate"        // share of failed requests, 0 to 1
	MetricQueueDepth  MetricName = "queue_depth"       // requests waiting
	MetricConnections MetricName = "connections"       // database connections in use
)

// MetricNames lists the metrics in their fixed order.
func MetricNames() []MetricName {
	return []MetricName{
		MetricThroughput, MetricCPU, MetricMemory, MetricResponseP95,
		MetricErrorRate, MetricQueueDepth, MetricConnections,
	}
}

// ParseMetricName accepts one of the known metrics.
func ParseMetricName(field, s string) (MetricName, error) {
	names := make([]string, 0, 7)
	for _, n := range MetricNames() {
		if s == string(n) {
			return n, nil
		}
		names = append(names, string(n))
	}
	return "", Invalid(field, s, "must be one of "+strings.Join(names, ", "))
}

// maxMetricValue bounds a sample: beyond it a sender is broken, not busy.
const maxMetricValue = 1e12

// ValidateMetricValue refuses NaN, infinities, negatives and values that no service
// can have; shares may pass 1 (an overloaded CPU) but not 100.
func ValidateMetricValue(field string, m MetricName, v float64) error {
	limit := float64(maxMetricValue)
	rule := "must be a finite number from 0 to 1e12"
	if m == MetricCPU || m == MetricMemory || m == MetricErrorRate {
		limit, rule = 100, "is a share: must be a finite number from 0 to 100, where 1 means all of it"
	}
	if math.IsNaN(v) || v < 0 || v > limit {
		return Invalid(field, v, rule)
	}
	return nil
}

// Sample is one measurement of one metric of one service.
type Sample struct {
	Service   ServiceName `json:"service"`
	Metric    MetricName  `json:"metric"`
	Value     float64     `json:"value"`
	Timestamp time.Time   `json:"timestamp"`
}

// Cell is the aggregate of the samples of one metric of one service over one window
// (a second in the hot store, ten seconds in Postgres). Cells of the same window
// merge by adding counts and sums.
type Cell struct {
	Service ServiceName `json:"service"`
	Metric  MetricName  `json:"metric"`
	Start   time.Time   `json:"start"`
	Count   int64       `json:"count"`
	Sum     float64     `json:"sum"`
	Min     float64     `json:"min"`
	Max     float64     `json:"max"`
	Last    float64     `json:"last"`
}

// Mean is the average of the window's samples; ok is false for an empty cell.
func (c Cell) Mean() (mean float64, ok bool) {
	if c.Count == 0 {
		return 0, false
	}
	return c.Sum / float64(c.Count), true
}

// Merge adds the samples of another cell of the same window; other counts as later.
func (c Cell) Merge(other Cell) Cell {
	if c.Count == 0 {
		return other
	}
	if other.Count == 0 {
		return c
	}
	c.Count += other.Count
	c.Sum += other.Sum
	c.Min = math.Min(c.Min, other.Min)
	c.Max = math.Max(c.Max, other.Max)
	c.Last = other.Last
	return c
}

// MetricRollup is a ten-second cell at rest. Row of table scalability_metrics,
// partitioned by day on Timestamp.
type MetricRollup struct {
	Timestamp   time.Time   `json:"timestamp"`
	Service     ServiceName `json:"service"`
	Metric      MetricName  `json:"metric"`
	WindowSecs  int         `json:"windowSeconds" gorm:"column:window_seconds"`
	SampleCount int64       `json:"count"`
	Sum         float64     `json:"sum"`
	Min         float64     `json:"min"`
	Max         float64     `json:"max"`
	Last        float64     `json:"last"`
	Source      string      `json:"source"` // the ingest process that closed the window
}

// TableName is the SQL table.
func (MetricRollup) TableName() string { return "scalability_metrics" }

// LatestMetrics is the newest value of each metric of one service, as it stands in
// Redis under metrics:<service>:latest for 30 s. A metric that was not reported is
// absent from Values.
type LatestMetrics struct {
	Service ServiceName            `json:"service"`
	At      time.Time              `json:"at"` // newest sample
	Values  map[MetricName]float64 `json:"values"`
}
