package telemetry

import (
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
)

// TemporalMetrics shows the Temporal SDK's metrics in Prometheus. Names begin with
// temporal_; counters end in _total and timers, which become histograms, in _seconds.
// Every metric has the same labels, so that one name may be used with different tags;
// other tags are dropped, since their values have no bound.
type TemporalMetrics struct {
	vectors *vectors
	tags    map[string]string
	values  []string // of temporalLabels, in their order
}

var _ client.MetricsHandler = (*TemporalMetrics)(nil)

// NewTemporalMetrics makes the handler for client.Options.MetricsHandler; metrics are
// registered when the SDK first uses them.
func NewTemporalMetrics(r prometheus.Registerer) *TemporalMetrics {
	v := &vectors{
		registerer: r, counters: map[string]*prometheus.CounterVec{},
		gauges: map[string]*prometheus.GaugeVec{}, histograms: map[string]*prometheus.HistogramVec{},
	}
	return &TemporalMetrics{vectors: v, values: labelValues(nil)}
}

// temporalLabels are the tags that are kept: each has few values, known from the code
// and the configuration.
func temporalLabels() []string {
	return []string{
		"namespace", "task_queue", "worker_type", "poller_type", "workflow_type",
		"activity_type", "operation", "status_code", "failure_reason", "cause",
	}
}

func labelValues(tags map[string]string) []string {
	labels := temporalLabels()
	values := make([]string, len(labels))
	for i, label := range labels {
		values[i] = strings.ToValidUTF8(tags[label], "")
	}
	return values
}

// WithTags gives a handler that adds the tags to those of this one.
func (t *TemporalMetrics) WithTags(tags map[string]string) client.MetricsHandler {
	all := maps.Clone(t.tags)
	if all == nil {
		all = make(map[string]string, len(tags))
	}
	maps.Copy(all, tags)
	return &TemporalMetrics{vectors: t.vectors, tags: all, values: labelValues(all)}
}

// Counter gives the counter of a name. A name that Prometheus cannot register counts
// nothing: metrics never stop the work they measure.
func (t *TemporalMetrics) Counter(name string) client.MetricsCounter {
	vec, ok := obtain(t.vectors, t.vectors.counters, metricName(name, "_total"), newCounter)
	if !ok {
		return client.MetricsNopHandler.Counter(name)
	}
	return counter{vec.WithLabelValues(t.values...)}
}

// Gauge gives the gauge of a name.
func (t *TemporalMetrics) Gauge(name string) client.MetricsGauge {
	vec, ok := obtain(t.vectors, t.vectors.gauges, metricName(name, ""), newGauge)
	if !ok {
		return client.MetricsNopHandler.Gauge(name)
	}
	return gauge{vec.WithLabelValues(t.values...)}
}

// Timer gives the timer of a name.
func (t *TemporalMetrics) Timer(name string) client.MetricsTimer {
	vec, ok := obtain(t.vectors, t.vectors.histograms, metricName(name, "_seconds"), newHistogram)
	if !ok {
		return client.MetricsNopHandler.Timer(name)
	}
	return timer{vec.WithLabelValues(t.values...)}
}

// vectors holds what has been registered, by name.
type vectors struct {
	mu         sync.RWMutex
	registerer prometheus.Registerer
	counters   map[string]*prometheus.CounterVec
	gauges     map[string]*prometheus.GaugeVec
	histograms map[string]*prometheus.HistogramVec
}

// obtain finds or registers the vector of a name; not ok where the name is taken by a
// metric of another kind.
func obtain[V prometheus.Collector](v *vectors, known map[string]V, name string, build func(name string) V) (V, bool) {
	v.mu.RLock()
	vec, ok := known[name]
	v.mu.RUnlock()
	if ok {
		return vec, true
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if vec, ok := known[name]; ok {
		return vec, true
	}
	vec = build(name)
	if err := v.registerer.Register(vec); err != nil {
		return vec, false
	}
	known[name] = vec
	return vec, true
}

func newCounter(name string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: temporalHelp}, temporalLabels())
}

func newGauge(name string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: temporalHelp}, temporalLabels())
}

func newHistogram(name string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: temporalHelp,
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600}}, temporalLabels())
}

const temporalHelp = "Temporal SDK metric, see https://docs.temporal.io/references/sdk-metrics."

// metricName makes a name that Prometheus takes, with our prefix and the suffix of
// its kind, each once.
func metricName(name, suffix string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
	return "temporal_" + strings.TrimSuffix(strings.TrimPrefix(clean, "temporal_"), suffix) + suffix
}

type counter struct{ prometheus.Counter }

// Inc adds; what is not positive is no increment.
func (c counter) Inc(n int64) {
	if n > 0 {
		c.Add(float64(n))
	}
}

type gauge struct{ prometheus.Gauge }

// Update sets the gauge.
func (g gauge) Update(v float64) { g.Set(v) }

type timer struct{ prometheus.Observer }

// Record observes a duration in seconds.
func (t timer) Record(d time.Duration) { t.Observe(d.Seconds()) }
