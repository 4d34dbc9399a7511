package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wedsync/scalability/models"
)

// ThreatMetrics say what threat detection found, and whether it looks.
type ThreatMetrics struct {
	alerts   *prometheus.CounterVec
	watching prometheus.Gauge
	behind   prometheus.Gauge
}

// NewThreatMetrics registers the metrics of threat detection; registering twice panics.
func NewThreatMetrics(r prometheus.Registerer) *ThreatMetrics {
	m := &ThreatMetrics{
		alerts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wedsync_security_alerts_total", Help: "Security alerts that this process raised, by rule and severity.",
		}, []string{"rule", "severity"}),
		watching: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "wedsync_security_watching", Help: "1 in the one process that watches the audit trail. A sum of 0 over all is critical.",
		}),
		behind: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "wedsync_security_behind_seconds", Help: "How far the watch is behind what was committed: since when what it found could not be kept.",
		}),
	}
	r.MustRegister(m.alerts, m.watching, m.behind)
	for _, rule := range models.ThreatRules() {
		for _, s := range []models.ThreatSeverity{models.ThreatWarning, models.ThreatCritical} {
			m.alerts.WithLabelValues(string(rule), string(s))
		}
	}
	return m
}

// Raised counts an alert.
func (m *ThreatMetrics) Raised(t models.Threat) {
	m.alerts.WithLabelValues(string(t.Rule), string(t.Severity)).Inc()
}

// Watched notes a round.
func (m *ThreatMetrics) Watched(watching bool, behind time.Duration) {
	on := 0.0
	if watching {
		on = 1
	}
	m.watching.Set(on)
	m.behind.Set(behind.Seconds())
}
