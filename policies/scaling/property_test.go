package scaling_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

// draw makes inputs as they come: loads around and far from capacity, signals that are
// missing or old, replicas that start or do not, claims, a calendar, forecasts with and
// without trust, limits, modes, spikes and memories.
func draw(t *rapid.T) scaling.Inputs {
	svc := api()
	svc.CapacityRPS = rapid.Float64Range(0.5, 500).Draw(t, "capacity")
	svc.MinReplicas = rapid.IntRange(1, 10).Draw(t, "min")
	svc.MaxReplicas = svc.MinReplicas + rapid.IntRange(0, 60).Draw(t, "max")
	svc.AbsoluteMaxReplicas = svc.MaxReplicas + rapid.IntRange(0, 60).Draw(t, "absolute")
	svc.Zones = rapid.IntRange(1, 3).Draw(t, "zones")
	in := scaling.Inputs{Now: now, InFlight: rapid.Bool().Draw(t, "in flight")}
	o := &in.Observation
	o.Service, o.At = svc, now
	o.Replicas = replicas(rapid.IntRange(0, svc.AbsoluteMaxReplicas).Draw(t, "ready"), 0)
	if n := o.Replicas.Spec; n < svc.AbsoluteMaxReplicas {
		o.Replicas = replicas(n, rapid.IntRange(0, svc.AbsoluteMaxReplicas-n).Draw(t, "pending"))
	}
	for _, m := range drawn() {
		if rapid.IntRange(0, 9).Draw(t, "has "+string(m)) > 0 {
			o.Signals = append(o.Signals, drawSignal(t, m, svc))
		}
	}
	drawClaims(t, &in)
	drawKnowledge(t, &in)
	if rapid.Bool().Draw(t, "spikes") {
		spike(rapid.Float64Range(0, 20000).Draw(t, "rps"), now.Add(-time.Duration(rapid.IntRange(-5, 90).Draw(t, "told"))*time.Second))(&in)
	}
	in.State = drawState(t)
	return in
}

// drawn are the metrics that a decision looks at.
func drawn() []models.MetricName {
	return []models.MetricName{
		models.MetricThroughput, models.MetricCPU, models.MetricErrorRate, models.MetricQueueDepth,
		models.MetricMemory, models.MetricResponseP95,
	}
}

// drawClaims adds reservations and limits.
func drawClaims(t *rapid.T, in *scaling.Inputs) {
	for i := range rapid.IntRange(0, 3).Draw(t, "reservations") {
		r := rapid.SampledFrom([]models.Reservation{floor(0), most(0), {Kind: models.ReservationNoIn}}).Draw(t, "kind")
		if r.Kind != models.ReservationNoIn {
			r.Replicas = rapid.IntRange(1, 150).Draw(t, "reserved")
			r.Guests = 100 * i
		}
		reserve(r)(in)
	}
	if rapid.Bool().Draw(t, "limited") {
		database(models.DatabaseLimit{MaxConnections: 200, Reserved: 10, OtherUsers: rapid.IntRange(0, 250).Draw(t, "others"), PerReplica: rapid.IntRange(0, 12).Draw(t, "per replica")})(in)
		quota(rapid.IntRange(0, 100).Draw(t, "quota"))(in)
	}
	if l := &in.Observation.Limits; rapid.IntRange(0, 3).Draw(t, "money") == 0 {
		l.Budget = &models.Budget{Hour: rapid.Float64Range(0, 10).Draw(t, "hour"), Day: 50, SpentDay: rapid.Float64Range(0, 60).Draw(t, "spent")}
		l.Downstream = []models.DownstreamLimit{{Name: "mail", RPS: rapid.Float64Range(0, 20000).Draw(t, "mail")}}
	}
}

// drawKnowledge adds what is known of the time to come, and of the mode.
func drawKnowledge(t *rapid.T, in *scaling.Inputs) {
	o := &in.Observation
	if rapid.Bool().Draw(t, "forecast") {
		f := models.ForecastPoint{IssuedAt: now.Add(-time.Duration(rapid.IntRange(0, 1000).Draw(t, "issued")) * time.Second), Trusted: true}
		f.P50 = rapid.Float64Range(0, 10_000).Draw(t, "p50")
		f.P95, f.P99 = 1.3*f.P50, 1.5*f.P50
		f.P70 = rapid.SampledFrom([]float64{0, 1.1 * f.P50}).Draw(t, "p70")
		f.LookAheadP90, f.VerifiedP70 = rapid.Float64Range(0, 20_000).Draw(t, "ahead"), rapid.Float64Range(0, 20_000).Draw(t, "verified")
		f.Calendar, f.WAPE7Days = rapid.Bool().Draw(t, "of weddings"), val(rapid.Float64Range(0, 0.5).Draw(t, "wape"))
		o.Forecast = &f
	}
	if rapid.Bool().Draw(t, "calendar") {
		var ws []models.CalendarWindow
		for range rapid.IntRange(0, 4).Draw(t, "weddings") {
			ws = append(ws, at(time.Duration(rapid.IntRange(-600, 120).Draw(t, "start"))*time.Minute, rapid.IntRange(0, 5000).Draw(t, "guests")))
		}
		windows(ws...)(in)
		if rapid.Bool().Draw(t, "chance") {
			doubted(in)
		}
		o.Learned.CapacityP10RPS = o.Service.CapacityRPS
		o.Calendar.ReadAt = now.Add(-time.Duration(rapid.IntRange(0, 30).Draw(t, "read")) * time.Hour)
	}
	o.Mode = rapid.SampledFrom([]models.Mode{models.ModeNormal, models.ModeNormal, models.ModeWeddingDay, models.ModeEmergency}).Draw(t, "mode")
	if rapid.Bool().Draw(t, "usual") {
		o.UsualRPS = val(rapid.Float64Range(0, 5000).Draw(t, "usual rps"))
	}
}

func drawSignal(t *rapid.T, m models.MetricName, svc models.Service) models.Signal {
	most := map[models.MetricName]float64{models.MetricThroughput: 60 * svc.CapacityRPS, models.MetricCPU: 1.2, models.MetricErrorRate: 0.1, models.MetricQueueDepth: 1e5, models.MetricMemory: 1, models.MetricResponseP95: 2000}[m]
	s := signal(m, rapid.Float64Range(0, most).Draw(t, string(m)))
	s.Avg6 = val(rapid.Float64Range(0, most).Draw(t, "avg6"))
	s.Avg300 = val(rapid.Float64Range(0, most).Draw(t, "avg300"))
	s.AgeSeconds = rapid.SampledFrom([]float64{0, 1, 5, 30, 120}).Draw(t, "age")
	s.Completeness = rapid.SampledFrom([]float64{1, 0.9, 0.5}).Draw(t, "completeness")
	return s
}

func drawState(t *rapid.T) scaling.State {
	var s scaling.State
	for _, age := range []time.Duration{20 * time.Minute, 10 * time.Minute, 4 * time.Minute, time.Minute} {
		if rapid.Bool().Draw(t, "remembered") {
			s.Ring = append(s.Ring, scaling.Recommendation{At: now.Add(-age), N: rapid.IntRange(0, 60).Draw(t, "need")})
		}
	}
	maybe := func(name string, seconds int) *time.Time {
		if rapid.Bool().Draw(t, name) {
			return ago(time.Duration(seconds) * time.Second)
		}
		return nil
	}
	s.LastUpAt, s.LastDownAt = maybe("went up", rapid.IntRange(0, 900).Draw(t, "up")), maybe("went down", rapid.IntRange(0, 90).Draw(t, "down"))
	s.SuspectAt, s.PanicUntil = maybe("suspect", rapid.IntRange(0, 1000).Draw(t, "since")), maybe("panic", -rapid.IntRange(-10, 60).Draw(t, "until"))
	s.PanicMax = rapid.IntRange(0, 60).Draw(t, "panic max")
	s.BlindSince = maybe("blind", rapid.IntRange(0, 1000).Draw(t, "blind since"))
	if rapid.Bool().Draw(t, "seen") {
		s.Seen = &scaling.Capacity{At: now.Add(-time.Duration(rapid.IntRange(0, 60).Draw(t, "seen at")) * time.Second), Spec: 20, Ready: rapid.IntRange(0, 40).Draw(t, "seen ready")}
	}
	return s
}

// hardBound says whether a ceiling that yields to nothing bound.
func hardBound(e models.Explanation) bool {
	for _, c := range e.Caps {
		if c.Bound && c.Cap != "absolute_max" && c.Cap != "max" {
			return true
		}
	}
	return false
}

func TestNeverUnderTheMinimumOrOverTheSafetyMaximum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t)
		e, _ := scaling.Decide(in)
		svc := in.Observation.Service
		require.LessOrEqual(t, e.Desired, svc.AbsoluteMaxReplicas, e.Text)
		if e.Desired < svc.MinReplicas {
			require.True(t, hardBound(e) && e.Deficit != nil, e.Text)
		}
	})
}

func TestMoreDemandNeverGivesFewerReplicas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t)
		before, _ := scaling.Decide(in)
		grow := rapid.Float64Range(1, 3).Draw(t, "growth")
		more := in
		more.Observation.Signals = nil
		for _, s := range in.Observation.Signals {
			if s.Metric == models.MetricThroughput || s.Metric == models.MetricCPU || s.Metric == models.MetricQueueDepth || s.Metric == models.MetricMemory {
				for _, v := range []**float64{&s.Avg2, &s.Avg6, &s.Avg60, &s.Avg300} {
					*v = val(**v * grow)
				}
			}
			more.Observation.Signals = append(more.Observation.Signals, s)
		}
		if s := in.Spike; s != nil {
			more.Spike = &models.Spike{Service: s.Service, SeenAt: s.SeenAt, RPS: s.RPS * grow}
		}
		after, _ := scaling.Decide(more)
		require.GreaterOrEqual(t, after.Desired, before.Desired, "%s\n%s", before.Text, after.Text)
	})
}

// Applying a decision lets its replicas start, or removes ready ones; then the same
// signals must ask for nothing more.
func TestDecidingAgainOnTheSameInputsIsANoOp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t)
		first, state := scaling.Decide(in)
		ready := min(in.Observation.Replicas.Ready, first.Desired)
		in.Observation.Replicas, in.State = replicas(ready, first.Desired-ready), state
		second, _ := scaling.Decide(in)
		require.Equal(t, first.Desired, second.Desired, "%s\n%s", first.Text, second.Text)
	})
}

func TestTheSameInputsGiveTheSameBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t)
		kept, err := json.Marshal(in)
		require.NoError(t, err)
		a, stateA := scaling.Decide(in)
		b, stateB := scaling.Decide(in)
		require.Equal(t, marshal(t, a), marshal(t, b))
		require.Equal(t, marshal(t, stateA), marshal(t, stateB))
		require.Equal(t, string(kept), marshal(t, in), "the inputs are left as they are")
	})
}

// Worse signals may hide that more is needed, but they never take away what is there or
// what better ones asked to keep; only older ones, with the same values, raise as before.
func TestWorseSignalsNeverLower(t *testing.T) {
	worse := map[string]func(*models.Signal){
		"stale": stale, "gappy": gappy, "old": old, "absent": nil,
		"not a number": func(s *models.Signal) { s.Avg6 = val(math.NaN()) }, "negative": func(s *models.Signal) { s.Avg60 = val(-1) },
	}
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t)
		m := rapid.SampledFrom([]models.MetricName{models.MetricThroughput, models.MetricCPU, models.MetricErrorRate, models.MetricQueueDepth, models.MetricMemory}).Draw(t, "metric")
		how := rapid.SampledFrom([]string{"stale", "gappy", "old", "absent", "not a number", "negative"}).Draw(t, "how")
		if (m == models.MetricQueueDepth || m == models.MetricMemory) && how == "absent" {
			how = "old" // a service without a queue is none with a worse signal
		}
		good, _ := scaling.Decide(in)
		judged := func(s *models.Signal) {
			if s.AgeSeconds <= 90 { // what is missing already cannot get worse
				worse[how](s)
			}
		}
		if worse[how] == nil {
			judged = nil
		}
		bad, _ := scaling.Decide(with(in, change(m, judged)))
		if capped := bad.Class == models.ClassCap || good.Class == models.ClassCap; capped {
			require.GreaterOrEqual(t, bad.Desired, min(good.Desired, bad.Current), "%s\n%s", good.Text, bad.Text)
			return
		}
		require.GreaterOrEqual(t, bad.Desired, min(good.Desired, good.Current), "%s\n%s", good.Text, bad.Text)
		if how == "stale" || how == "gappy" {
			require.GreaterOrEqual(t, bad.Desired, good.Desired, "%s\n%s", good.Text, bad.Text)
		}
	})
}

func TestTheNeedOfTheMomentKeepsItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		obs := draw(t).Observation
		need := scaling.NeedNow(obs)
		require.GreaterOrEqual(t, need, obs.Service.MinReplicas)
		require.LessOrEqual(t, need, obs.Service.AbsoluteMaxReplicas)
		gap := obs
		gap.Gaps = []string{"the reservations could not be read"}
		require.GreaterOrEqual(t, scaling.NeedNow(gap), max(need, min(obs.Replicas.Ready, obs.Service.AbsoluteMaxReplicas)))
	})
}

func TestTheMemoryIsBounded(t *testing.T) {
	in := serving(10, 640)
	for i := range 2000 { // a need that falls all the time leaves the most to remember
		rps := 640 - 0.3*float64(i)
		in = with(in, change(models.MetricThroughput, func(s *models.Signal) { *s = signal(s.Metric, rps); minutely(s) }))
		in.Observation.Service.CapacityRPS = 0.01
		in.Now = now.Add(time.Duration(i) * time.Second)
		_, in.State = scaling.Decide(in)
		require.LessOrEqual(t, len(in.State.Ring), 62, "one need for each 15 s of 15 min")
	}
	assert.GreaterOrEqual(t, len(in.State.Ring), 60)
	for i := 1; i < len(in.State.Ring); i++ {
		assert.Less(t, in.State.Ring[i].N, in.State.Ring[i-1].N)
		assert.True(t, in.State.Ring[i].At.After(in.State.Ring[i-1].At))
	}
	in.Now = now.Add(3 * time.Hour)
	_, in.State = scaling.Decide(in)
	assert.Len(t, in.State.Ring, 1)
}

// What is forgotten is never what a window's largest need would have been, and what is
// merged counts for no longer than a step of 15 s.
func TestTheMemoryGivesTheLargestNeedOfAnyWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := serving(10, 640)
		in.Observation.Service.MinReplicas, in.Observation.Service.MaxReplicas, in.Observation.Service.AbsoluteMaxReplicas = 1, 1000, 1000
		in.State = scaling.State{}
		var all []scaling.Recommendation
		at := now
		for range rapid.IntRange(1, 60).Draw(t, "evaluations") {
			at = at.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "pause")) * time.Second)
			in = with(in, change(models.MetricThroughput, func(s *models.Signal) {
				*s = signal(s.Metric, rapid.Float64Range(0, 5000).Draw(t, "load"))
				minutely(s)
			}), change(models.MetricCPU, nil))
			in.Now = at
			_, in.State = scaling.Decide(in)
			newest := in.State.Ring[len(in.State.Ring)-1]
			require.Equal(t, at, newest.At)
			all = append(all, newest)
		}
		window := time.Duration(rapid.IntRange(1, 880).Draw(t, "window")) * time.Second
		low, high, got := mostNeeded(all, at.Add(-window)), mostNeeded(all, at.Add(-window-15*time.Second)), mostNeeded(in.State.Ring, at.Add(-window))
		require.LessOrEqual(t, low, got)
		require.LessOrEqual(t, got, high)
	})
}

func mostNeeded(ring []scaling.Recommendation, since time.Time) int {
	n := 0
	for _, r := range ring {
		if !r.At.Before(since) {
			n = max(n, r.N)
		}
	}
	return n
}

func marshal(t require.TestingT, v any) string {
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return string(raw)
}
