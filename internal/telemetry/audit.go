package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// AuditMetrics say whether the audit trail has all that was answered.
type AuditMetrics struct {
	entries *prometheus.CounterVec
	commits *prometheus.HistogramVec
	counted *prometheus.GaugeVec
	whole   prometheus.Gauge
	signed  prometheus.Gauge
}

// NewAuditMetrics registers the metrics of the audit trail; registering twice panics.
func NewAuditMetrics(r prometheus.Registerer) *AuditMetrics {
	m := &AuditMetrics{
		entries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wedsync_audit_entries_total", Help: "Entries that were sent to the trail, by result: ok or failed.",
		}, []string{"result"}),
		commits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "wedsync_audit_commit_duration_seconds", Help: "Time to commit a group of entries, by result: ok or failed.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"result"}),
		counted: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "wedsync_audit_counted", Help: "Entries of this process: issued (callers were told that they are kept), committed (found when the trail was read back) and refused (callers were told that they are not).",
		}, []string{"what"}),
		whole: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "wedsync_audit_completeness_ratio", Help: "Committed by issued. Less than 1 is critical: the trail lacks what was answered.",
		}),
	}
	m.signed = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "wedsync_audit_anchored_timestamp_seconds", Help: "When this process last found that all of the trail is signed and copied; it looks every ten seconds. 0: no key signs here.",
	})
	r.MustRegister(m.entries, m.commits, m.counted, m.whole, m.signed)
	for _, result := range []string{"ok", "failed"} {
		m.entries.WithLabelValues(result)
	}
	m.whole.Set(1)
	return m
}

// Committed times one group.
func (m *AuditMetrics) Committed(n int, took time.Duration, err error) {
	result := "ok"
	if err != nil {
		result = "failed"
	}
	m.entries.WithLabelValues(result).Add(float64(n))
	m.commits.WithLabelValues(result).Observe(took.Seconds())
}

// Anchored keeps when all was signed and copied.
func (m *AuditMetrics) Anchored(at time.Time) { m.signed.Set(float64(at.UnixMilli()) / 1000) }

// Counted keeps what the trail was found to hold.
func (m *AuditMetrics) Counted(issued, committed, refused int64) {
	m.counted.WithLabelValues("issued").Set(float64(issued))
	m.counted.WithLabelValues("committed").Set(float64(committed))
	m.counted.WithLabelValues("refused").Set(float64(refused))
	if issued > 0 {
		m.whole.Set(float64(committed) / float64(issued))
	}
}
