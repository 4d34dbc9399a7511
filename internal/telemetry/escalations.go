package telemetry

import "github.com/prometheus/client_golang/prometheus"

// EscalationMetrics count what people have to hear of.
type EscalationMetrics struct{ told *prometheus.CounterVec }

// NewEscalationMetrics registers the metric of escalations; registering twice panics. Each
// series is there from the start, so that a rate over the first one is not missed.
func NewEscalationMetrics(r prometheus.Registerer) *EscalationMetrics {
	m := &EscalationMetrics{told: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wedsync_escalations_total", Help: "What the preparation of seasons and wedding days had people called for, by its severity.",
	}, []string{"of", "severity"})}
	r.MustRegister(m.told)
	for _, of := range []string{"season", "wedding_day"} {
		for _, severity := range []string{"warning", "critical"} {
			m.told.WithLabelValues(of, severity)
		}
	}
	return m
}

// Told counts one.
func (m *EscalationMetrics) Told(of, severity string) { m.told.WithLabelValues(of, severity).Inc() }
