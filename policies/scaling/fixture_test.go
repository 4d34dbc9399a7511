package scaling_test

import (
	"fmt"
	"time"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

var now = time.Date(2027, 6, 12, 14, 0, 0, 0, time.UTC)

// api is the critical service of the default catalogue: 100 requests/s per replica at
// 65 %, 2 to 30 replicas, never more than 60.
func api() models.Service { return models.DefaultServices("fleet")[0] }

func val(v float64) *float64 { return &v }

func ago(d time.Duration) *time.Time { t := now.Add(-d); return &t }

// signal is a fresh and complete signal that has been at v for five minutes.
func signal(m models.MetricName, v float64) models.Signal {
	return models.Signal{Metric: m, Avg2: val(v), Avg6: val(v), Avg60: val(v), Avg300: val(v), Max60: val(v), AgeSeconds: 1, Completeness: 1}
}

// replicas is a set of ready replicas with others on their way.
func replicas(ready, pending int) *models.ReplicaSet {
	set := &models.ReplicaSet{Service: models.ServiceAPI, Spec: ready + pending, Ready: ready, ObservedAt: now}
	for i := range ready + pending {
		r := models.Replica{ID: fmt.Sprintf("api-%d", i), Phase: models.ReplicaReady, OrderedAt: now.Add(-time.Hour)}
		if i >= ready {
			r.Phase = models.ReplicaPending
		}
		set.Replicas = append(set.Replicas, r)
	}
	return set
}

// serving is a service in calm: ready replicas at the load of rps, known for long
// enough that nothing but the load speaks against a scale-in.
func serving(ready int, rps float64) scaling.Inputs {
	cpu := 0.0
	if ready > 0 {
		cpu = rps / (100 * float64(ready))
	}
	return scaling.Inputs{
		Now: now,
		Observation: models.Observation{
			Service: api(), At: now, Replicas: replicas(ready, 0),
			Signals: []models.Signal{
				signal(models.MetricThroughput, rps), signal(models.MetricCPU, min(cpu, 1)),
				signal(models.MetricErrorRate, 0), signal(models.MetricQueueDepth, 0),
			},
		},
		State: scaling.State{
			Ring:   []scaling.Recommendation{{At: now.Add(-10 * time.Minute), N: ready}},
			Demand: []scaling.Recommendation{{At: now.Add(-10 * time.Minute), N: ready}},
		},
	}
}

// with gives serving's inputs with changes.
func with(in scaling.Inputs, changes ...func(*scaling.Inputs)) scaling.Inputs {
	for _, c := range changes {
		c(&in)
	}
	return in
}

// reserve adds active reservations.
func reserve(rs ...models.Reservation) func(*scaling.Inputs) {
	return func(in *scaling.Inputs) {
		for _, r := range rs {
			if r.ID == "" {
				r.ID = fmt.Sprintf("r%d", len(in.Observation.Reservations)+1)
			}
			if r.Until.IsZero() {
				r.From, r.Until = now.Add(-time.Hour), now.Add(4*time.Hour)
			}
			r.Holder, r.Reason = "user:anna", "a test."
			in.Observation.Reservations = append(in.Observation.Reservations, r)
		}
	}
}

func floor(n int) models.Reservation {
	return models.Reservation{Kind: models.ReservationFloor, Replicas: n}
}

// change replaces a signal; a nil change removes it.
func change(m models.MetricName, f func(*models.Signal)) func(*scaling.Inputs) {
	return func(in *scaling.Inputs) {
		kept := []models.Signal{}
		for _, s := range in.Observation.Signals {
			if s.Metric == m {
				if f == nil {
					continue
				}
				f(&s)
			}
			kept = append(kept, s)
		}
		in.Observation.Signals = kept
	}
}

func old(s *models.Signal) { s.AgeSeconds = 91 }

func stale(s *models.Signal) { s.AgeSeconds = 30 }

func gappy(s *models.Signal) { s.Completeness = 0.5 }

// fell has the load halved and more within the last minute.
func fell(s *models.Signal) { s.Avg300 = val(*s.Avg60 * 3) }

func spike(rps float64, seen time.Time) func(*scaling.Inputs) {
	return func(in *scaling.Inputs) {
		in.Spike = &models.Spike{Service: models.ServiceAPI, SeenAt: seen, RPS: rps}
	}
}

// shaping finds the effect of a rule, "" when it had none.
func shaping(e models.Explanation, rule string) string {
	for _, s := range e.Shaping {
		if s.Rule == rule {
			return s.Effect
		}
	}
	return ""
}

func candidate(e models.Explanation, by string) models.Candidate {
	for _, c := range e.Candidates {
		if c.By == by {
			return c
		}
	}
	return models.Candidate{}
}

// minutely is load of which the newest seconds are not known: it is no spike.
func minutely(s *models.Signal) { s.Avg2, s.Avg6 = nil, nil }

// hump is a guest's load by ten minutes from two hours before to eight hours after the
// ceremony: 0.1 requests/s, and 1 in the half hour after it has begun.
func hump() *models.GuestKernel {
	k := &models.GuestKernel{FromMinutes: -120, StepMinutes: 10, P90: make([]float64, 60)}
	for i := range k.P90 {
		k.P90[i] = 0.1
		if i >= 12 && i < 15 {
			k.P90[i] = 1
		}
	}
	return k
}

// at is a wedding of so many guests whose ceremony is so long from now.
func at(in time.Duration, guests int) models.CalendarWindow {
	start := now.Add(in)
	return models.CalendarWindow{ID: fmt.Sprintf("w%d", guests), Start: start, End: start.Add(8 * time.Hour), Guests: guests, Confirmed: true}
}

// windows puts weddings into the calendar, on a base of 200 requests/s, and certifies the
// capacity of a replica.
func windows(ws ...models.CalendarWindow) func(*scaling.Inputs) {
	return func(in *scaling.Inputs) {
		in.Observation.Calendar = &models.Calendar{ReadAt: now.Add(-time.Minute), Windows: ws, Kernel: hump(), BaseRPS: 200}
		in.Observation.Learned = &models.Learned{CapacityP10RPS: 100, CertifiedAt: ago(time.Hour)}
	}
}

// doubted has half of what a guest brings at the 90th percentile expected.
func doubted(in *scaling.Inputs) {
	k := *in.Observation.Calendar.Kernel
	k.P50 = make([]float64, len(k.P90))
	for i, v := range k.P90 {
		k.P50[i] = v / 2
	}
	in.Observation.Calendar.Kernel = &k
}

// calendar has n weddings of 20 guests, half an hour apart, around now.
func calendar(n int) func(*scaling.Inputs) {
	var ws []models.CalendarWindow
	for i := range n {
		ws = append(ws, at(time.Duration(i-n/2)*30*time.Minute, 20))
	}
	return windows(ws...)
}

// trusted is a forecast with a good record.
func trusted(rps float64, change func(*models.ForecastPoint)) func(*scaling.Inputs) {
	return func(in *scaling.Inputs) {
		f := models.ForecastPoint{
			P50: rps, P95: rps, P99: rps, P70: rps, IssuedAt: now.Add(-time.Minute), Model: "profile", Trusted: true,
			WAPE7Days: val(0.1), Coverage95: val(0.95), HistoryDays: val(30),
		}
		if change != nil {
			change(&f)
		}
		in.Observation.Forecast = &f
	}
}

func mode(m models.Mode) func(*scaling.Inputs) {
	return func(in *scaling.Inputs) { in.Observation.Mode = m }
}

func flag(e models.Explanation, name string) models.Flag {
	for _, f := range e.Flags {
		if f.Name == name {
			return f
		}
	}
	return models.Flag{}
}
