package simulate

import (
	"fmt"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

// sight is the memory that observations are made in, used again each time.
type sight struct {
	values   [signals][6]float64
	now      time.Time
	signals  [signals]models.Signal
	replicas []models.Replica
	set      models.ReplicaSet
	calendar models.Calendar
	learned  models.Learned
	windows  []models.CalendarWindow
	point    models.ForecastPoint
	database models.DatabaseLimit
}

// metricOf names the plant's metrics in the product's vocabulary, in its order.
func metricOf(s Signal) models.MetricName {
	switch s {
	case Throughput:
		return models.MetricThroughput
	case CPU:
		return models.MetricCPU
	case ErrorRate:
		return models.MetricErrorRate
	default:
		return models.MetricQueueDepth
	}
}

// observe builds what a decision is made from, as the product's observation does.
func (e *engine) observe(v View) models.Observation {
	o := models.Observation{
		Service: e.service, At: v.Now, Replicas: e.sight.replicaSet(v), Signals: e.sight.read(v.Metrics),
		Mode: e.o.Mode,
	}
	e.sight.now = v.Now
	// The plant's replicas are what the catalogue says: a load test would have shown it.
	e.sight.learned = models.Learned{
		CapacityP50RPS: e.service.CapacityRPS, CapacityP10RPS: e.service.CapacityRPS, CertifiedAt: &e.sight.now,
	}
	if p50, p95, ok := v.Starts.Percentiles(); ok {
		e.sight.learned.StartupP50Seconds, e.sight.learned.StartupP95Seconds = p50, p95
	}
	o.Learned = &e.sight.learned
	if per := e.service.ConnectionsPerReplica; v.DatabaseConnections > 0 && per > 0 {
		e.sight.database = models.DatabaseLimit{MaxConnections: v.DatabaseConnections, PerReplica: per}
		o.Limits.Database = &e.sight.database
	}
	if e.guests != nil {
		e.guests.learn(v)
	}
	if e.oracle != nil {
		e.sight.point = e.oracle.Next(v.Metrics.Minutes(), scaling.LeadOf(models.Observation{Service: e.service, Learned: o.Learned}), v.Now)
		o.Forecast = &e.sight.point
		if usual, ok := e.oracle.Usual(); ok {
			o.UsualRPS = &usual
		}
	}
	if e.guests != nil {
		e.calendar(v, &o)
	}
	return o
}

// calendar adds the windows that count within a day, with what a guest brings.
func (e *engine) calendar(v View, o *models.Observation) {
	c := &e.sight.calendar
	*c = models.Calendar{ReadAt: v.Now, Windows: e.sight.windows[:0], Kernel: e.guests.kernel()}
	// The calendar is ordered by start; no window is longer than a day.
	first, _ := slices.BinarySearchFunc(v.Calendar, v.Now.Add(-27*time.Hour), func(w Window, t time.Time) int { return w.Start.Compare(t) })
	for i, w := range v.Calendar[first:] {
		if w.Start.Sub(v.Now) >= 24*time.Hour {
			break
		}
		if v.Now.Sub(w.End) < 3*time.Hour {
			c.Windows = append(c.Windows, models.CalendarWindow{ID: e.windowID(first + i), Start: w.Start, End: w.End, Guests: w.Guests, Confirmed: w.Confirmed})
		}
	}
	e.sight.windows = c.Windows
	if e.oracle != nil {
		c.BaseRPS = e.oracle.Base(e.guests.day)
	}
	o.Calendar = c
	if e.o.WeddingDays {
		o.Mode = scaling.ModeAt(*c, v.Now)
	}
}

// windowID names a window of the calendar, the same one always alike.
func (e *engine) windowID(i int) string {
	for len(e.ids) <= i {
		e.ids = append(e.ids, fmt.Sprintf("w%d", len(e.ids)))
	}
	return e.ids[i]
}

// replicaSet gives the counts; only replicas that are not ready are listed.
func (s *sight) replicaSet(v View) *models.ReplicaSet {
	s.replicas = s.replicas[:0]
	for range v.Pending {
		s.replicas = append(s.replicas, models.Replica{Phase: models.ReplicaPending, OrderedAt: v.Now})
	}
	for range v.Crashing {
		s.replicas = append(s.replicas, models.Replica{Phase: models.ReplicaCrashing, OrderedAt: v.Now})
	}
	s.set = models.ReplicaSet{Service: v.Service.Name, Spec: v.Spec, Ready: v.Ready, ObservedAt: v.Now, Replicas: s.replicas}
	return &s.set
}

// read summarises the metrics as the hot store does; a metric without a sample in five
// minutes is absent.
func (s *sight) read(m *Metrics) []models.Signal {
	if m.Samples(300, engineLag) == 0 {
		return nil
	}
	age := float64(m.Age(engineLag))
	present := float64(m.Samples(60, engineLag)) / 60
	for i := range signals {
		v := &s.values[i]
		get := func(at, window int) *float64 {
			mean, ok := m.Mean(i, window, engineLag)
			if !ok {
				return nil
			}
			v[at] = mean
			return &v[at]
		}
		x := models.Signal{
			Metric: metricOf(i), AgeSeconds: age, Completeness: present,
			Avg2: get(0, 2), Avg6: get(1, 6), Avg60: get(2, 60), Avg300: get(3, 300),
		}
		s.signals[i] = x
	}
	return s.signals[:]
}
