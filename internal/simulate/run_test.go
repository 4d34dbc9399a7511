package simulate_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/internal/simulate"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

var start = time.Date(2027, 6, 12, 0, 0, 0, 0, time.UTC)

// service is a standard one: 100 requests/s per replica at 70 %, ready after 45 to 90 s.
func service() models.Service {
	s := models.DefaultServices("fleet")[0]
	s.Tier, s.Policy = models.TierStandard, models.DefaultScalingPolicy(models.TierStandard)
	s.MaxReplicas, s.AbsoluteMaxReplicas, s.ConnectionsPerReplica = 200, 200, 0
	s.StartupP50Seconds, s.StartupP95Seconds = 45, 90
	return s
}

// flat is a load that does not move.
func flat(rps float64, seconds int) []float64 {
	load := make([]float64, seconds)
	for i := range load {
		load[i] = rps
	}
	return load
}

// stepped is a load that is multiplied from one second on.
func stepped(rps, factor float64, at, seconds int) []float64 {
	load := flat(rps, seconds)
	for i := at; i < seconds; i++ {
		load[i] *= factor
	}
	return load
}

// day is a load that swings around a mean once a day.
func day(mean float64, days int) []float64 {
	load := make([]float64, days*86400)
	for i := range load {
		load[i] = mean * (1 - 0.6*math.Cos(2*math.Pi*float64(i)/86400))
	}
	return load
}

func scenario(load []float64) simulate.Scenario {
	return simulate.Scenario{Name: "test", Start: start, Load: load, Service: service(), Seed: 1}
}

// all makes one of each policy.
func all() []simulate.Autoscaler {
	return []simulate.Autoscaler{
		simulate.NewEngine(simulate.EngineOptions{Calendar: true}), simulate.NewEngine(simulate.EngineOptions{}),
		simulate.NewHPA(0.7), simulate.NewKEDA(70), simulate.NewKPA(0.7), simulate.NewKPAWithDelay(0.7, 5*time.Minute),
		simulate.NewAWSPredictive(0.7), simulate.NewStatic(20),
		simulate.NewKEDACron(70, []simulate.Cron{{Days: []time.Weekday{time.Saturday}, Until: 24 * time.Hour, Replicas: 12}}),
	}
}

func TestEnoughReplicasServeEverything(t *testing.T) {
	r := simulate.Run(scenario(flat(500, 3600)), simulate.NewStatic(6))
	assert.InDelta(t, 500*3600, r.Served, 1e-3)
	assert.Zero(t, r.Failed)
	assert.Zero(t, r.ViolationMinutes)
	assert.InDelta(t, 6, r.ReplicaHours, 0.1)
	require.Len(t, r.Minutes, 60)
	assert.InDelta(t, 500, r.Minutes[30].Load, 1e-9)
	assert.InDelta(t, 600, r.Minutes[30].Capacity, 1e-9)
	assert.Equal(t, start.Add(30*time.Minute), r.Minutes[30].At)
}

func TestTooFewReplicasFailTheRest(t *testing.T) {
	r := simulate.Run(scenario(flat(500, 3600)), simulate.NewStatic(4))
	assert.InDelta(t, 60, r.ViolationMinutes, 1)
	assert.InDelta(t, 400*3600, r.Served, 2000)
	assert.InDelta(t, 10, r.P999WaitSeconds, 1e-9)
	assert.Positive(t, r.Retried)
}

func TestARequestIsNeitherLostNorMade(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 1500).Draw(t, "seconds")
		s := scenario(make([]float64, n))
		level := 0.0
		for i := range s.Load {
			if i%97 == 0 {
				level = rapid.Float64Range(0, 5000).Draw(t, "level")
			}
			s.Load[i] = level
		}
		s.Seed = rapid.Uint64().Draw(t, "seed")
		s.ReplicasPerNode = rapid.IntRange(0, 6).Draw(t, "perNode")
		s.Service.ConnectionsPerReplica = 4
		s.DatabaseConnections = rapid.IntRange(0, 100).Draw(t, "connections")
		s.Faults.StartFailures = rapid.Float64Range(0, 0.6).Draw(t, "startFailures")
		s.Faults.OrderErrors = rapid.Float64Range(0, 0.6).Draw(t, "orderErrors")
		if rapid.Bool().Draw(t, "outage") {
			s.Faults.Outages = []simulate.Outage{{From: n / 4, Until: n / 2}}
		}
		if rapid.Bool().Draw(t, "loss") {
			s.Faults.MetricLoss = []simulate.MetricLoss{{From: n / 3, Until: n, Share: rapid.Float64Range(0, 1).Draw(t, "lost")}}
		}
		a := all()[rapid.IntRange(0, len(all())-1).Draw(t, "policy")]
		r := simulate.Run(s, a)
		assert.InDelta(t, r.Offered, r.Served+r.Failed+r.Waiting, 1e-6*(1+r.Offered))
		assert.LessOrEqual(t, r.Late, r.Served)
		for _, m := range r.Minutes {
			assert.True(t, m.Ready >= 0 && m.Ready <= m.Spec, "%d of %d", m.Ready, m.Spec)
		}
	})
}

func TestTheSameSeedGivesTheSameRun(t *testing.T) {
	s := scenario(day(800, 1))
	s.ReplicasPerNode, s.Faults.StartFailures = 4, 0.2
	s.Faults.MetricLoss = []simulate.MetricLoss{{Until: 86400, Share: 0.3}}
	for _, a := range all() {
		first := simulate.Run(s, a)
		assert.Equal(t, first, simulate.Run(s, a), "%s forgets the run before", a.Name())
		other := s
		other.Seed = 2
		if a.Name() != "static 20" {
			assert.NotEqual(t, first, simulate.Run(other, a), a.Name())
		}
	}
}

// steps plays 3 × the load of 15 replicas at each second of a minute.
func steps(t *testing.T, a simulate.Autoscaler) (worst float64) {
	t.Helper()
	for phase := range 60 {
		s := scenario(stepped(15*70, 3, 600+phase, 1500))
		s.Replicas, s.StepAt = 15, 600+phase
		r := simulate.Run(s, a)
		require.NotNil(t, r.OrderedAfterSeconds, "%s at phase %d", a.Name(), phase)
		worst = max(worst, *r.OrderedAfterSeconds)
	}
	return worst
}

func TestTheEngineOrdersEnoughWithinFiveSecondsOfTheFirstSample(t *testing.T) {
	assert.LessOrEqual(t, steps(t, simulate.NewEngine(simulate.EngineOptions{})), 5.0)
	assert.LessOrEqual(t, steps(t, simulate.NewEngine(simulate.EngineOptions{Calendar: true})), 5.0)
	hpa := steps(t, simulate.NewHPA(0.7))
	assert.True(t, hpa >= 30 && hpa <= 240, "HPA takes several rounds: %v", hpa)
	assert.LessOrEqual(t, steps(t, simulate.NewKPA(0.7)), 12.0)
}

func TestAStepThatIsNeverCoveredHasNoTime(t *testing.T) {
	s := scenario(stepped(15*70, 3, 600, 1500))
	s.Replicas, s.StepAt = 15, 600
	assert.Nil(t, simulate.Run(s, simulate.NewStatic(15)).OrderedAfterSeconds)
	r := simulate.Run(s, simulate.NewStatic(60))
	require.NotNil(t, r.OrderedAfterSeconds)
	assert.Zero(t, *r.OrderedAfterSeconds)
}

// outage keeps 80 % of the load of ten minutes away and brings it back twice as strong.
func outage() simulate.Scenario {
	s := scenario(flat(1400, 3*3600))
	s.Faults.Outages = []simulate.Outage{{From: 3600, Until: 4200}}
	return s
}

// blind loses every sample for an hour of an even load.
func blind() simulate.Scenario {
	s := scenario(flat(1400, 3*3600))
	s.Faults.MetricLoss = []simulate.MetricLoss{{From: 3600, Until: 7200, Share: 1}}
	return s
}

func TestRemovalsThatHarmAreCounted(t *testing.T) {
	assert.Positive(t, simulate.Run(outage(), simulate.NewKEDA(70)).HarmfulRemovals, "a dip is taken for a lull")
	assert.Positive(t, simulate.Run(outage(), simulate.NewKPA(0.7)).HarmfulRemovals)
	assert.Positive(t, simulate.Run(blind(), simulate.NewKEDA(70)).HarmfulRemovals, "nothing is taken for zero")
	assert.Zero(t, simulate.Run(blind(), simulate.NewHPA(0.7)).HarmfulRemovals)
	assert.Zero(t, simulate.Run(outage(), simulate.NewStatic(20)).HarmfulRemovals)

	calm := scenario(stepped(1400, 0.5, 3600, 3*3600))
	assert.Zero(t, simulate.Run(calm, simulate.NewKEDA(70)).HarmfulRemovals, "only scenarios with faults count")
	calm.Faults.OrderErrors = 1e-9
	r := simulate.Run(calm, simulate.NewKEDA(70))
	assert.Zero(t, r.HarmfulRemovals, "the load has truly fallen")
	assert.Equal(t, 10, r.Minutes[len(r.Minutes)-1].Spec)
}

func TestNoFaultMakesTheEngineRemoveWhatIsNeeded(t *testing.T) {
	ceiling := scenario(stepped(700, 3, 3600, 2*3600))
	ceiling.DatabaseConnections, ceiling.Service.ConnectionsPerReplica = 80, 4
	starts := scenario(stepped(700, 3, 3600, 2*3600))
	starts.Faults.StartFailures = 0.2
	orders := scenario(day(1000, 1))
	orders.Faults.OrderErrors = 0.3
	gappy := scenario(day(1000, 1))
	gappy.Faults.MetricLoss = []simulate.MetricLoss{{Until: 86400, Share: 0.5}}
	for name, s := range map[string]simulate.Scenario{
		"outage and retry storm": outage(), "metrics lost": blind(), "a gap in every second sample": gappy,
		"database ceiling": ceiling, "starts fail": starts, "orders are refused": orders,
	} {
		t.Run(name, func(t *testing.T) {
			r := simulate.Run(s, simulate.NewEngine(simulate.EngineOptions{Calendar: true}))
			assert.Zero(t, r.HarmfulRemovals)
			if name == "database ceiling" {
				assert.Positive(t, r.Deficits, "a ceiling that binds is said")
				for _, m := range r.Minutes {
					assert.LessOrEqual(t, m.Spec, 20)
				}
			}
		})
	}
}

func TestEveryDeficitHasARemedy(t *testing.T) {
	s := scenario(stepped(700, 3, 1800, 3600))
	s.DatabaseConnections, s.Service.ConnectionsPerReplica = 80, 4
	seen := 0
	simulate.Run(s, simulate.NewEngine(simulate.EngineOptions{Observe: func(in scaling.Inputs, e models.Explanation) {
		require.NotNil(t, in.Observation.Replicas)
		if e.Deficit != nil {
			seen++
			assert.NotEmpty(t, e.Deficit.Remedies)
			assert.Equal(t, "database_connections", e.Deficit.Cap)
		}
	}}))
	assert.Positive(t, seen)
}

func TestAViolationMinuteHasMoreThanOneInAHundredFailed(t *testing.T) {
	for name, c := range map[string]struct{ late, want float64 }{
		"1 % and less": {120, 0}, "more than 1 %": {126, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := scenario(flat(200, 600))
			s.Load[305] = 400 + c.late // 4 replicas serve 400: the rest waits a second
			s.Service.SLOResponseTimeMS = 500
			r := simulate.Run(s, simulate.NewStatic(4))
			assert.InDelta(t, c.late, r.Late, 1e-9)
			assert.InDelta(t, c.want, r.ViolationMinutes, 1e-9)
			assert.InDelta(t, c.want, violations(r.Minutes[5:6]), 1e-9, "in the sixth minute")
		})
	}
}

func violations(minutes []simulate.Minute) (n float64) {
	for _, m := range minutes {
		if m.Violation {
			n++
		}
	}
	return n
}

func TestOnlyWhatComesAfterTheWarmUpCounts(t *testing.T) {
	s := scenario(stepped(1000, 0.1, 1800, 3600))
	s.ReportFrom = 1800
	r := simulate.Run(s, simulate.NewStatic(5))
	assert.Less(t, r.ViolationMinutes, 2.0)
	assert.Len(t, r.Minutes, 30)
	assert.InDelta(t, 2.5, r.ReplicaHours, 0.01)
	assert.InDelta(t, 1800.0/86400, r.Days, 1e-9)
}

func BenchmarkRun(b *testing.B) {
	s := scenario(day(1000, 1))
	for _, a := range all() {
		b.Run(a.Name(), func(b *testing.B) {
			for range b.N {
				simulate.Run(s, a)
			}
		})
	}
}

func TestTheCalendarReachesTheDecision(t *testing.T) {
	s := scenario(flat(500, 6*3600))
	// Out of order, and one that was a week ago.
	for _, h := range []int{9, 4, -170} {
		at := start.Add(time.Duration(h) * time.Hour)
		s.Calendar = append(s.Calendar, simulate.Window{Start: at, End: at.Add(8 * time.Hour), Guests: 100 + h, Confirmed: true})
	}
	sawDay := false
	var last []models.CalendarWindow
	observe := func(in scaling.Inputs, _ models.Explanation) {
		last = append(last[:0], in.Observation.Calendar.Windows...)
		sawDay = sawDay || in.Observation.Mode == models.ModeWeddingDay
	}
	with := simulate.Run(s, simulate.NewEngine(simulate.EngineOptions{Calendar: true, Observe: observe}))
	require.Len(t, last, 2)
	assert.Equal(t, 104, last[0].Guests)
	assert.NotEqual(t, last[0].ID, last[1].ID)
	assert.False(t, sawDay)
	without := simulate.Run(s, simulate.NewEngine(simulate.EngineOptions{}))
	at := 4*60 - 1 // minutes: just before the ceremony
	assert.Greater(t, with.Minutes[at].Spec, without.Minutes[at].Spec)

	simulate.Run(s, simulate.NewEngine(simulate.EngineOptions{Calendar: true, WeddingDays: true, Observe: observe}))
	assert.True(t, sawDay)
	s.Faults.Calendar.Missing = true
	simulate.Run(s, simulate.NewEngine(simulate.EngineOptions{Calendar: true, Observe: observe}))
	assert.Empty(t, last)
}

// script orders what it is told to at each second.
type script func(second int) int

func (script) Name() string                  { return "script" }
func (script) Interval() time.Duration       { return time.Second }
func (s script) Desired(v simulate.View) int { return s(v.Second) }
func at(second, before, from int) script {
	return func(t int) int {
		if t < second {
			return before
		}
		return from
	}
}

func TestHarmIsWhatHPAWouldHaveKept(t *testing.T) {
	for name, c := range map[string]struct {
		load []float64
		at   script
		want int
	}{
		"1400 ÷ 70 = 20, and 12 are left":          {flat(1400, 1200), at(600, 20, 12), 8},
		"of 25 that stood there 5 were too many":   {flat(1400, 1200), at(600, 25, 12), 8},
		"20 of 21 are within the tolerance: 21":    {flat(1400, 1200), at(600, 21, 20), 1},
		"what was needed four minutes ago is kept": {stepped(1400, 0.5, 420, 1200), at(600, 20, 10), 10},
		"what was needed six minutes ago is not":   {stepped(1400, 0.5, 240, 1200), at(700, 20, 10), 0},
		"nothing is kept that was not there":       {flat(1400, 1200), at(600, 8, 5), 3},
		"growth harms nobody":                      {flat(1400, 1200), at(600, 12, 20), 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := scenario(c.load)
			s.Replicas = c.at(0)
			s.Faults.OrderErrors = 1e-12
			r := simulate.Run(s, c.at)
			assert.Equal(t, c.want, r.HarmfulRemovals)
			assert.Equal(t, 1, r.Orders)
			assert.Zero(t, r.Flips)
		})
	}
}

func TestAFlipIsAChangeOfDirection(t *testing.T) {
	s := scenario(flat(100, 86400))
	n := []int{5, 6, 7, 4, 3, 3, 8, 2}
	r := simulate.Run(s, script(func(t int) int { return n[min(t/600, len(n)-1)] }))
	assert.Equal(t, 3, r.Flips, "up up, down down, up, down")
	assert.InDelta(t, 3, r.FlipsPerDay, 1e-9)
	assert.InDelta(t, 8, r.MaxOverprovision*2, 1e-9, "8 replicas where 2 are the least")
}
