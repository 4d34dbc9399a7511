package simulate

import (
	"math"
	"time"

	"github.com/wedsync/scalability/internal/forecast/minute"
	"github.com/wedsync/scalability/models"
)

// Autoscaler is one policy under test. It keeps its own memory; Run lets it begin anew,
// so one value may be run again, but not twice at the same time.
type Autoscaler interface {
	Name() string
	// Interval is the time between two calls of Desired, in whole seconds.
	Interval() time.Duration
	// Desired is the replicas to have ordered.
	Desired(v View) int
}

// beginner is a policy with a memory: begin clears it before a run.
type beginner interface{ begin(s Scenario) }

// targeted is a policy that runs replicas at a share of their capacity.
type targeted interface{ target() float64 }

// accountable is a policy that counts for itself what Run cannot see: how often it
// decided, and how often it said that a ceiling binds.
type accountable interface {
	deficits() int
	decisions() int
}

// foreseeing is a policy that forecasts.
type foreseeing interface{ foresight() *minute.Foresight }

// View is what a policy may see at a tick.
type View struct {
	Now      time.Time
	Second   int // since the scenario's start
	Spec     int // replicas ordered
	Ready    int // replicas that take requests
	Pending  int // on their way
	Crashing int // failed to start, waiting to be tried again
	Service  models.Service
	// DatabaseConnections is the ceiling of the scenario; 0 is none.
	DatabaseConnections int
	// Calendar is what is known of guests now, by start, faults included.
	Calendar []Window
	Metrics  *Metrics
	// Starts says how long replicas took from order to ready.
	Starts *Starts
}

// Signal is one of the plant's metrics.
type Signal int

// The metrics of a service, each one sample a second.
const (
	Throughput Signal = iota // requests that arrived, per second
	CPU                      // share of the ready replicas' capacity in use, 0 to 1
	ErrorRate                // failed of those that came to an end, 0 to 1
	QueueDepth               // requests waiting
	signals
)

// kept is how many seconds of metrics are looked back on; a power of two.
const kept = 4096

// Metrics is what monitoring recorded. Samples that were lost are absent, never zero.
type Metrics struct {
	sums    [kept]cumulative // sums over all seconds up to and with this one
	values  [kept]sample
	now     int // seconds recorded
	newest  int // second after the newest sample
	minutes []float64
	first   int // index in minutes of the minute at the scenario's start
}

type sample struct {
	v       [signals]float64
	present bool
}

type cumulative struct {
	v [signals]float64
	n int
}

// Mean is over the samples of a window of seconds that ended lag seconds ago; ok is false
// where it has none.
func (m *Metrics) Mean(s Signal, window, lag int) (mean float64, ok bool) {
	from, to := m.span(window, lag)
	n := to.n - from.n
	if n <= 0 {
		return 0, false
	}
	return math.Max(0, (to.v[s]-from.v[s])/float64(n)), true
}

// Samples is how many seconds of a window have a sample.
func (m *Metrics) Samples(window, lag int) int {
	from, to := m.span(window, lag)
	return to.n - from.n
}

// At is the sample of one second, back seconds before the newest recorded one.
func (m *Metrics) At(s Signal, back int) (v float64, ok bool) {
	i := m.now - 1 - back
	if i < 0 || back >= kept {
		return 0, false
	}
	x := &m.values[i&(kept-1)]
	return x.v[s], x.present
}

// Age is the seconds since the newest sample that had arrived lag seconds ago.
func (m *Metrics) Age(lag int) int {
	for back := max(lag, m.now-m.newest); back < min(m.now, kept); back++ {
		if m.values[(m.now-1-back)&(kept-1)].present {
			return back
		}
	}
	return m.now
}

// Minutes is the mean load of each full minute until now, oldest first, with the
// scenario's history before it; NaN where nothing is known. The caller must not write.
func (m *Metrics) Minutes() []float64 { return m.minutes }

// MinutesBeforeStart is how many of the minutes lie before the scenario's start.
func (m *Metrics) MinutesBeforeStart() int { return m.first }

// span gives the sums at the ends of a window.
func (m *Metrics) span(window, lag int) (from, to *cumulative) {
	end := m.now - max(0, lag)
	begin := max(0, end-window, m.now-kept+1)
	if end <= begin {
		return &m.sums[0], &m.sums[0]
	}
	return &m.sums[begin&(kept-1)], &m.sums[end&(kept-1)]
}

// record adds the sample of the next second.
func (m *Metrics) record(v [signals]float64, present bool) {
	last := &m.sums[m.now&(kept-1)]
	m.values[m.now&(kept-1)] = sample{v, present}
	m.now++
	next := &m.sums[m.now&(kept-1)]
	*next = *last
	if present {
		for i := range v {
			next.v[i] += v[i]
		}
		next.n++
		m.newest = m.now
	}
	if m.now%60 == 0 {
		mean, ok := m.Mean(Throughput, 60, 0)
		if !ok {
			mean = math.NaN()
		}
		m.minutes = append(m.minutes, mean)
	}
}

func newMetrics(history []float64, seconds int) *Metrics {
	m := &Metrics{first: len(history), minutes: make([]float64, 0, len(history)+seconds/60+1)}
	m.minutes = append(m.minutes, history...)
	return m
}

// bounded keeps a number of replicas within a service's own bounds.
func bounded(s models.Service, n int) int { return max(s.MinReplicas, min(n, s.MaxReplicas)) }

// ceil rounds up to whole replicas; 3.0000000001 are three.
func ceil(x float64) int {
	if !(x > 0) {
		return 0
	}
	return int(math.Ceil(math.Min(x, 1e6) - 1e-9))
}
