package scaling_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

func TestSignalsThatAreReportedLessOften(t *testing.T) {
	every := func(seconds, age float64) func(*scaling.Inputs) {
		return func(in *scaling.Inputs) {
			for i := range in.Observation.Signals {
				s := &in.Observation.Signals[i]
				s.IntervalSeconds, s.AgeSeconds, s.Completeness = seconds, age, 1/seconds
			}
		}
	}
	decideAll(t, map[string]ruled{
		"each 15 s, two intervals old":    {in: with(serving(20, 400), every(15, 30)), want: 18, class: models.ClassSteady},
		"each 15 s, older":                {in: with(serving(20, 400), every(15, 31)), want: 20, class: models.ClassHold, rule: "signal_quality"},
		"each minute, two intervals old":  {in: with(serving(20, 400), every(60, 120)), want: 18, class: models.ClassSteady},
		"each second, half of them there": {in: with(serving(20, 400), every(1, 1), change(models.MetricCPU, gappy)), want: 20, class: models.ClassHold, rule: "signal_quality"},
	})
}

func TestACopyAtRestIsStaleAtBest(t *testing.T) {
	copied := func(age float64) func(*scaling.Inputs) {
		return func(in *scaling.Inputs) {
			for i := range in.Observation.Signals {
				in.Observation.Signals[i].Snapshot, in.Observation.Signals[i].AgeSeconds = true, age
			}
		}
	}
	decideAll(t, map[string]ruled{
		"it raises":                   {in: with(serving(10, 780), copied(200)), want: 12, class: models.ClassReactive},
		"it lowers nothing":           {in: with(serving(20, 400), copied(3)), want: 20, class: models.ClassHold, rule: "signal_quality"},
		"after five minutes it is no": {in: with(serving(10, 780), copied(301)), want: 10, class: models.ClassFailsafe},
	})
	e, _ := scaling.Decide(with(serving(20, 400), copied(200)))
	assert.Contains(t, e.Text, "throughput is a copy that is 200 s old, since the hot store cannot be read")
}

func TestACountBeyondAllThatWasSeenIsNotBelievedWhileTheCpuIsCalm(t *testing.T) {
	most := func(v float64) func(*scaling.Inputs) {
		return change(models.MetricThroughput, func(s *models.Signal) { s.Max7Days = val(v) })
	}
	calm := change(models.MetricCPU, func(s *models.Signal) { s.Avg6, s.Avg60 = val(0.3), val(0.3) })
	decideAll(t, map[string]ruled{
		"ten times what was ever seen, and calm": {in: with(serving(10, 8_000), most(700), calm), want: 10, class: models.ClassHold, rule: "signal_quality"},
		"with work for the cpu it is a rush":     {in: with(serving(10, 8_000), most(700)), want: 30, class: models.ClassPanic},
		"less than that is believed":             {in: with(serving(10, 780), most(100)), want: 12, class: models.ClassReactive},
		"a quiet week says nothing":              {in: with(serving(10, 780), most(0)), want: 12, class: models.ClassReactive},
	})
	e, _ := scaling.Decide(with(serving(10, 8_000), most(700), calm))
	assert.Equal(t, models.QualityMissing, candidate(e, "throughput").Quality)
	assert.Contains(t, e.Text, "throughput is over ten times all that seven days have seen, while the cpu is calm")
}

func TestWhatElseMakesLoadFall(t *testing.T) {
	disturbed := func(d models.Disturbance) scaling.Inputs {
		in := with(serving(20, 400), needed(6), change(models.MetricThroughput, fell))
		in.Observation.Disturbance = &d
		return in
	}
	decideAll(t, map[string]ruled{
		"a deployment just now":          {in: disturbed(models.Disturbance{DeployedAt: ago(5 * time.Minute)}), want: 20, class: models.ClassHold, rule: "signal_quality"},
		"one before that":                {in: disturbed(models.Disturbance{DeployedAt: ago(301 * time.Second)}), want: 18, class: models.ClassSteady},
		"three services fall together":   {in: disturbed(models.Disturbance{FallingServices: 3}), want: 20, class: models.ClassHold, rule: "signal_quality"},
		"two do":                         {in: disturbed(models.Disturbance{FallingServices: 2}), want: 18, class: models.ClassSteady},
		"the load balancer misses hosts": {in: disturbed(models.Disturbance{HealthyShare: val(0.85)}), want: 20, class: models.ClassHold, rule: "signal_quality"},
		"it does not":                    {in: disturbed(models.Disturbance{HealthyShare: val(0.95)}), want: 18, class: models.ClassSteady},
		"replicas are being replaced": {in: with(disturbed(models.Disturbance{}), func(in *scaling.Inputs) { in.Observation.Replicas.Rollout = "api-7f" }),
			want: 20, class: models.ClassHold, rule: "signal_quality"},
	})
}

func TestAnOutageIsSuspectForAsLongAsRequestsFail(t *testing.T) {
	in := with(serving(20, 200), change(models.MetricErrorRate, func(s *models.Signal) { s.Avg60 = val(0.3) }))
	in.State.Ring = []scaling.Recommendation{{At: now.Add(-time.Minute), N: 20}}
	start := in.Now
	fallen := with(in, change(models.MetricThroughput, fell))
	_, fallen.State = scaling.Decide(fallen)
	require.NotNil(t, fallen.State.SuspectAt)
	in.State = fallen.State
	var e models.Explanation
	for in.Now = start; in.Now.Before(start.Add(2 * time.Hour)); in.Now = in.Now.Add(30 * time.Second) {
		e, in.State = scaling.Decide(in)
		require.Equal(t, 20, e.Desired, "%s %s", in.Now, e.Text)
	}
	well := with(in, change(models.MetricErrorRate, func(s *models.Signal) { s.Avg60 = val(0) }))
	recovered := well.Now
	for ; well.Now.Before(recovered.Add(time.Hour)); well.Now = well.Now.Add(30 * time.Second) {
		e, well.State = scaling.Decide(well)
		if e.Direction == models.DirectionDown {
			break
		}
	}
	assert.InDelta(t, 15, well.Now.Sub(recovered).Minutes(), 1, "a quarter of an hour after the recovery capacity may go")
	assert.Zero(t, well.State.SuspectNeed)
}

func TestSlowAnswers(t *testing.T) {
	slow := func(recent ...float64) func(*scaling.Inputs) {
		return func(in *scaling.Inputs) {
			s := signal(models.MetricResponseP95, 1800)
			s.Recent = recent
			in.Observation.Signals = append(in.Observation.Signals, s)
		}
	}
	decideAll(t, map[string]ruled{
		"with a calm cpu no replica is added":   {in: with(serving(10, 560), slow(1500, 1500, 1500, 900, 900)), want: 10, class: models.ClassHold},
		"with a busy one a quarter more":        {in: with(serving(10, 650), slow(1500, 1500, 1500, 900, 900)), want: 13, class: models.ClassReactive},
		"two of five windows are chance":        {in: with(serving(10, 650), slow(900, 1500, 1500, 900, 900)), want: 10, class: models.ClassHold},
		"only the newest five count":            {in: with(serving(10, 650), slow(1500, 1500, 1500, 900, 900, 900, 900, 900)), want: 10, class: models.ClassHold},
		"without windows the minute has to say": {in: with(serving(10, 650), slow()), want: 13, class: models.ClassReactive},
	})
	e, _ := scaling.Decide(with(serving(10, 400), needed(10), slow(1500, 1500, 1500, 1500, 1500)))
	assert.Equal(t, "answers take 1800 ms, over 1000 ms, with only 40 % of the cpu in use: something behind the service is slow, and more replicas would press harder on it", flag(e, "downstream_bottleneck").Text)
	assert.False(t, candidate(e, "latency").Used)
	e, _ = scaling.Decide(with(serving(10, 650), slow()))
	assert.Empty(t, flag(e, "downstream_bottleneck"))
}

func TestMemoryRaisesWithinBoundsAndHoldsBack(t *testing.T) {
	memory := func(share float64, changes ...func(*models.Signal)) func(*scaling.Inputs) {
		return func(in *scaling.Inputs) {
			s := signal(models.MetricMemory, share)
			for _, c := range changes {
				c(&s)
			}
			in.Observation.Signals = append(in.Observation.Signals, s)
		}
	}
	decideAll(t, map[string]ruled{
		"nine tenths in use":                                 {in: with(serving(10, 640), memory(0.9)), want: 12, class: models.ClassReactive},
		"less than the target asks for nothing":              {in: with(serving(10, 640), memory(0.7)), want: 10, class: models.ClassHold},
		"a leak asks for no more than half as much again":    {in: with(serving(20, 700), needed(11), memory(1)), want: 20, class: models.ClassHold},
		"what is in memory is not squeezed into fewer":       {in: with(serving(20, 400), needed(6), memory(0.79)), want: 20, class: models.ClassHold, rule: "memory"},
		"nor below it in one step":                           {in: with(serving(20, 400), needed(6), memory(0.75)), want: 19, class: models.ClassSteady},
		"memory that fell silent removes nothing":            {in: with(serving(20, 400), needed(6), memory(0.2, stale)), want: 20, class: models.ClassHold, rule: "signal_quality"},
		"a service that does not report it is no worse off":  {in: with(serving(20, 400), needed(6)), want: 18, class: models.ClassSteady},
		"memory alone, when nothing else is known, may lift": {in: with(serving(10, 640), memory(0.9), change(models.MetricThroughput, nil), change(models.MetricCPU, nil)), want: 12, class: models.ClassReactive},
	})
}

func TestReplicasThatDoNotStartAreReplacedWithinBounds(t *testing.T) {
	failing := func(ready, crashing int) func(*scaling.Inputs) {
		return func(in *scaling.Inputs) {
			set := replicas(ready+crashing, 0)
			set.Ready = ready
			for i := range crashing {
				set.Replicas[i].Phase = models.ReplicaCrashing
			}
			in.Observation.Replicas = set
		}
	}
	decideAll(t, map[string]ruled{
		"two of twelve": {in: with(serving(10, 780), failing(10, 2)), want: 14, class: models.ClassReactive},
		"most of them: no more than a quarter, the next would crash as well": {in: with(serving(10, 780), failing(4, 8)), want: 15, class: models.ClassPanic},
		"not while a change is being verified":                               {in: with(serving(10, 780), failing(10, 2), func(in *scaling.Inputs) { in.InFlight = true }), want: 12, class: models.ClassHold},
	})
}

func TestTheCpuIsMultipliedByTheReplicasThatDidTheWork(t *testing.T) {
	// Eight replicas were saturated; five more have become ready since, and the mean of the
	// newest seconds is mostly of the time before.
	in := with(serving(13, 733), change(models.MetricCPU, func(s *models.Signal) { s.Avg2, s.Avg6, s.Avg60 = val(0.6), val(0.87), val(0.95) }))
	in.State.Seen = &scaling.Capacity{At: now.Add(-2 * time.Second), Spec: 13, Ready: 8}
	e, state := scaling.Decide(in)
	assert.Equal(t, 11, candidate(e, "utilisation").N, "87 %% of eight: %s", e.Text)
	assert.Equal(t, 13, e.Desired)
	in.State, in.Now = state, now.Add(5*time.Second)
	e, state = scaling.Decide(in)
	assert.Equal(t, 11, candidate(e, "utilisation").N, "the mean still has seconds of then")
	in.State, in.Now = state, now.Add(10*time.Second)
	e, _ = scaling.Decide(in)
	assert.Equal(t, 18, candidate(e, "utilisation").N)
}

func TestAReplicaSetThatCannotBeReadIsToldAfterAMinute(t *testing.T) {
	in := with(serving(10, 780), func(in *scaling.Inputs) { in.Observation.Replicas = nil })
	e, state := scaling.Decide(in)
	assert.Empty(t, e.Flags)
	in.State, in.Now = state, now.Add(time.Minute)
	e, state = scaling.Decide(in)
	assert.Equal(t, models.FlagWarning, flag(e, "unreadable").Level)
	again := with(serving(10, 780), func(in *scaling.Inputs) { in.State = state })
	_, state = scaling.Decide(again)
	assert.Nil(t, state.UnreadSince)
}
