package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wedsync/scalability/models"
)

// IngestMetrics counts what becomes of samples and times how they are stored.
type IngestMetrics struct {
	samples  *prometheus.CounterVec
	flushes  *prometheus.HistogramVec
	lastGood prometheus.Gauge
	spikes   *prometheus.CounterVec
}

// NewIngestMetrics registers the metrics of ingestion; registering twice panics. The
// results of samples start at zero, so that a rate has a beginning.
func NewIngestMetrics(r prometheus.Registerer) *IngestMetrics {
	m := &IngestMetrics{
		samples: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wedsync_ingest_samples_total", Help: "Samples, by result: accepted, late, future, duplicate or refused.",
		}, []string{"result"}),
		flushes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "wedsync_ingest_flush_duration_seconds", Help: "Time to store what was aggregated, by result: ok or failed.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"result"}),
		lastGood: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "wedsync_ingest_last_flush_timestamp_seconds", Help: "When aggregates were last stored, in seconds since 1970.",
		}),
		spikes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wedsync_ingest_spikes_total", Help: "Spikes that woke an autoscaler, by service.",
		}, []string{"service"}),
	}
	r.MustRegister(m.samples, m.flushes, m.lastGood, m.spikes)
	for _, result := range []string{"accepted", "late", "future", "duplicate", "refused"} {
		m.samples.WithLabelValues(result)
	}
	return m
}

// Received counts the samples of one batch by what became of them.
func (m *IngestMetrics) Received(r models.IngestResult) {
	m.count("accepted", r.Accepted)
	m.count("late", r.Late)
	m.count("future", r.Future)
	m.count("duplicate", r.Received-r.Accepted-r.Late-r.Future)
}

// Refused counts the samples of a batch that broke a rule, so that none was taken.
func (m *IngestMetrics) Refused(samples int) { m.count("refused", samples) }

// Flushed times one attempt to store; only one that succeeded moves the last flush.
func (m *IngestMetrics) Flushed(at time.Time, took time.Duration, err error) {
	if err != nil {
		m.flushes.WithLabelValues("failed").Observe(took.Seconds())
		return
	}
	m.flushes.WithLabelValues("ok").Observe(took.Seconds())
	m.lastGood.Set(float64(at.UnixMilli()) / 1000)
}

// SpikeSignalled counts one spike that woke a service's autoscaler.
func (m *IngestMetrics) SpikeSignalled(s models.ServiceName) {
	m.spikes.WithLabelValues(service(s)).Inc()
}

// count ignores what is not positive: a counter never falls.
func (m *IngestMetrics) count(result string, n int) {
	if n > 0 {
		m.samples.WithLabelValues(result).Add(float64(n))
	}
}
