package scaling_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

// ruled is one case: what is seen, the spec to have, and its class. rule names the
// shaping rule that has to be recorded.
type ruled struct {
	in    scaling.Inputs
	want  int
	class models.Class
	rule  string
}

func decideAll(t *testing.T, cases map[string]ruled) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e, _ := scaling.Decide(c.in)
			assert.Equal(t, c.want, e.Desired, e.Text)
			assert.Equal(t, c.class, e.Class, e.Text)
			if c.rule != "" {
				assert.NotEmpty(t, shaping(e, c.rule), "rule %s in %v", c.rule, e.Shaping)
			}
		})
	}
}

func TestMeasuredDemandRaises(t *testing.T) {
	decideAll(t, map[string]ruled{
		"nothing to do":                                {in: serving(10, 640), want: 10, class: models.ClassHold},
		"the load of twelve":                           {in: serving(10, 780), want: 12, class: models.ClassReactive},
		"three and a rounding error is none":           {in: with(serving(3, 195.00000000001), change(models.MetricCPU, nil)), want: 3, class: models.ClassHold},
		"half a replica is within the dead-band of 20": {in: serving(20, 1310), want: 20, class: models.ClassHold, rule: "dead_band"},
		"no more than twice as many in one step":       {in: with(serving(10, 2600), change(models.MetricCPU, nil), change(models.MetricThroughput, minutely)), want: 20, class: models.ClassReactive, rule: "up_step"},
		"at least four more in one step":               {in: with(serving(2, 2600), change(models.MetricCPU, nil), change(models.MetricThroughput, minutely)), want: 6, class: models.ClassReactive, rule: "up_step"},
		"those on their way count": {in: with(serving(10, 780), func(in *scaling.Inputs) { in.Observation.Replicas = replicas(10, 2) }),
			want: 12, class: models.ClassHold},
		"a step lasts until its replicas are ready": {in: with(serving(10, 2600), change(models.MetricCPU, nil), change(models.MetricThroughput, minutely), func(in *scaling.Inputs) { in.Observation.Replicas = replicas(10, 10) }),
			want: 20, class: models.ClassHold, rule: "up_step"},
		"cpu alone": {in: with(serving(10, 100), change(models.MetricThroughput, nil), change(models.MetricCPU, func(s *models.Signal) { s.Avg6, s.Avg60 = val(0.75), val(0.75) })),
			want: 12, class: models.ClassReactive},
		"a saturated cpu asks for half as many again": {in: with(serving(10, 100), change(models.MetricThroughput, nil), change(models.MetricCPU, func(s *models.Signal) { s.Avg6, s.Avg60 = val(0.96), val(0.96) })),
			want: 15, class: models.ClassReactive},
		"and for no more while those start": {in: with(serving(10, 100), change(models.MetricThroughput, nil), change(models.MetricCPU, func(s *models.Signal) { s.Avg6, s.Avg60 = val(0.96), val(0.96) }), func(in *scaling.Inputs) { in.Observation.Replicas = replicas(10, 5) }),
			want: 15, class: models.ClassHold},
		"a queue is to be served within a minute": {in: with(serving(10, 640), change(models.MetricQueueDepth, func(s *models.Signal) { s.Avg6 = val(36_000) })),
			want: 13, class: models.ClassReactive},
		"a queue that was silent for seconds counts with its minute": {in: with(serving(10, 640), change(models.MetricQueueDepth, func(s *models.Signal) { s.Avg6, s.Avg60 = nil, val(36_000) })),
			want: 13, class: models.ClassReactive},
		"five minutes stand in for a minute without samples": {in: with(serving(10, 640), change(models.MetricCPU, nil), change(models.MetricThroughput, func(s *models.Signal) {
			s.Avg2, s.Avg6, s.Avg60, s.Avg300, s.AgeSeconds = nil, nil, nil, val(780), 70
		})), want: 12, class: models.ClassReactive},
	})
}

func TestTheMinimumAndFloorsPassEveryShapingRule(t *testing.T) {
	minimum := func(n int) func(*scaling.Inputs) {
		return func(in *scaling.Inputs) { in.Observation.Service.MinReplicas = n }
	}
	wide := func(in *scaling.Inputs) {
		in.Observation.Service.MaxReplicas, in.Observation.Service.AbsoluteMaxReplicas = 100, 200
	}
	guests := func(wedding string, n int) models.Reservation {
		return models.Reservation{Kind: models.ReservationFloor, Replicas: n, Guests: 100, WeddingID: wedding}
	}
	ended := floor(20)
	ended.EndedAt = ago(time.Minute)
	past, future := floor(20), floor(20)
	past.From, past.Until = now.Add(-2*time.Hour), now
	future.From, future.Until = now.Add(time.Second), now.Add(time.Hour)
	decideAll(t, map[string]ruled{
		"a spec below the minimum is raised":                     {in: with(serving(1, 10), minimum(2)), want: 2, class: models.ClassSteady},
		"also without metrics":                                   {in: with(serving(1, 10), minimum(2), func(in *scaling.Inputs) { in.Observation.Signals = nil }), want: 2, class: models.ClassSteady},
		"a minimum one above is not within the dead-band":        {in: with(serving(39, 2530), wide, minimum(40)), want: 40, class: models.ClassSteady},
		"nor where demand asks for as many":                      {in: with(serving(39, 2600), wide, minimum(40)), want: 40, class: models.ClassSteady},
		"nor where demand asks for more":                         {in: with(serving(59, 3965), wide, minimum(60)), want: 60, class: models.ClassSteady},
		"a floor":                                                {in: with(serving(4, 250), reserve(floor(20))), want: 20, class: models.ClassFloor},
		"a floor of 30 from 29 is reached":                       {in: with(serving(29, 1900), reserve(floor(30))), want: 30, class: models.ClassFloor},
		"a floor is reached where demand is step-limited":        {in: with(serving(5, 1900), change(models.MetricCPU, nil), change(models.MetricThroughput, minutely), reserve(floor(25))), want: 25, class: models.ClassFloor, rule: "up_step"},
		"a floor without metrics":                                {in: with(serving(4, 250), reserve(floor(20)), func(in *scaling.Inputs) { in.Observation.Signals = nil }), want: 20, class: models.ClassFloor},
		"of two floors the larger":                               {in: with(serving(4, 250), reserve(floor(12), floor(20))), want: 20, class: models.ClassFloor},
		"the floors for two weddings add up":                     {in: with(serving(4, 250), reserve(guests("w1", 8), guests("w2", 10), floor(12))), want: 18, class: models.ClassFloor},
		"of a wedding the largest is added":                      {in: with(serving(4, 250), reserve(guests("w1", 8), guests("w1", 10), guests("w2", 5))), want: 15, class: models.ClassFloor},
		"two floors for one wedding do not":                      {in: with(serving(4, 250), reserve(guests("w1", 8), guests("w1", 10))), want: 10, class: models.ClassFloor},
		"floors for guests without a wedding are of several":     {in: with(serving(4, 250), reserve(guests("", 8), guests("", 10))), want: 18, class: models.ClassFloor},
		"a floor that ended, was released or is still to come":   {in: with(serving(4, 250), reserve(past, ended, future)), want: 4, class: models.ClassHold},
		"an impossible floor asks for nothing":                   {in: with(serving(4, 250), reserve(floor(-5))), want: 4, class: models.ClassHold},
		"a floor holds scale-in back, at no more than the floor": {in: with(serving(10, 100), reserve(floor(10))), want: 10, class: models.ClassHold},
	})
}

func TestTheSumForGuestsCountsWeddings(t *testing.T) {
	guests := func(wedding string, n int) models.Reservation {
		return models.Reservation{Kind: models.ReservationFloor, Replicas: n, Guests: 100, WeddingID: wedding}
	}
	e, _ := scaling.Decide(with(serving(4, 250), reserve(guests("w1", 8), guests("w1", 10), guests("w2", 5))))
	assert.Equal(t, "the reservations for guests of 2 weddings add up to 15 replicas", candidate(e, "reservations:guests").Why)
	e, _ = scaling.Decide(with(serving(4, 250), reserve(guests("w1", 8), guests("w1", 10))))
	assert.Empty(t, candidate(e, "reservations:guests"))
}

func TestForecastsOnlyRaise(t *testing.T) {
	forecast := func(p95 float64, change func(*models.ForecastPoint)) func(*scaling.Inputs) {
		return func(in *scaling.Inputs) {
			f := models.ForecastPoint{P95: p95, IssuedAt: now.Add(-time.Minute), Trusted: true, Reason: "two good weeks"}
			if change != nil {
				change(&f)
			}
			in.Observation.Forecast = &f
		}
	}
	decideAll(t, map[string]ruled{
		"a trusted forecast raises":         {in: with(serving(10, 640), forecast(1125, nil)), want: 15, class: models.ClassForecast},
		"it passes the step limit":          {in: with(serving(10, 640), forecast(2100, nil)), want: 28, class: models.ClassForecast},
		"a low one lowers nothing":          {in: with(serving(10, 640), forecast(10, nil)), want: 10, class: models.ClassHold},
		"one that has not earned trust":     {in: with(serving(10, 640), forecast(1125, func(f *models.ForecastPoint) { f.Trusted = false })), want: 10, class: models.ClassHold},
		"one that is old":                   {in: with(serving(10, 640), forecast(1125, func(f *models.ForecastPoint) { f.IssuedAt = now.Add(-16 * time.Minute) })), want: 10, class: models.ClassHold},
		"one that is negative":              {in: with(serving(10, 640), forecast(-5, nil)), want: 10, class: models.ClassHold},
		"one without capacity to set it to": {in: with(serving(10, 640), forecast(1125, nil), func(in *scaling.Inputs) { in.Observation.Service.CapacityRPS = 0 }), want: 10, class: models.ClassFailsafe},
	})
}

func TestPauseFreezeAndShadow(t *testing.T) {
	freeze := reserve(models.Reservation{Kind: models.ReservationFreeze})
	pause := func(in *scaling.Inputs) { in.Paused = true }
	shadow := func(in *scaling.Inputs) { in.Shadow = true }
	low := func(in *scaling.Inputs) {
		in.Observation.Service.MaxReplicas, in.Observation.Service.AbsoluteMaxReplicas = 4, 8
	}
	decideAll(t, map[string]ruled{
		"a pause keeps a spec that is too small":        {in: with(serving(4, 780), pause, reserve(floor(20))), want: 4, class: models.ClassHold, rule: "paused"},
		"and one that is too large":                     {in: with(serving(20, 100), pause), want: 20, class: models.ClassHold, rule: "paused"},
		"also one over the safety maximum, and says so": {in: with(serving(10, 100), pause, low), want: 10, class: models.ClassHold, rule: "absolute_max"},
		"a freeze keeps a spec that is too small":       {in: with(serving(4, 780), freeze, reserve(floor(20))), want: 4, class: models.ClassHold, rule: "freeze"},
		"and one over the maximum of the policy":        {in: with(serving(7, 100), freeze, low), want: 7, class: models.ClassHold, rule: "freeze"},
		"but not one over the safety maximum":           {in: with(serving(10, 100), freeze, low), want: 8, class: models.ClassCap},
		"a freeze holds in shadow too":                  {in: with(serving(4, 780), freeze, shadow), want: 4, class: models.ClassHold, rule: "freeze"},
		"shadow decides as ever":                        {in: with(serving(10, 780), shadow), want: 12, class: models.ClassReactive},
	})
	for mode, in := range map[string]scaling.Inputs{
		"paused": with(serving(4, 100), pause, freeze, shadow), "shadow": with(serving(4, 100), freeze, shadow),
		"freeze": with(serving(4, 100), freeze), "normal": serving(4, 100),
	} {
		e, _ := scaling.Decide(in)
		assert.Equal(t, mode, e.Mode)
	}
	_, state := scaling.Decide(with(serving(10, 780), shadow))
	assert.Nil(t, state.LastUpAt, "nothing moved")
	_, state = scaling.Decide(serving(10, 780))
	require.NotNil(t, state.LastUpAt)
	assert.Equal(t, now, *state.LastUpAt)
}

func TestWhatCannotBeReadChangesNothing(t *testing.T) {
	cases := map[string]struct {
		change func(*scaling.Inputs)
		text   string
	}{
		"the replicas":                {func(in *scaling.Inputs) { in.Observation.Replicas = nil }, "Keep api as it is: the replicas could not be read."},
		"the catalogue":               {func(in *scaling.Inputs) { in.Observation.Service = models.Service{} }, "Keep api at 10: the catalogue could not be read."},
		"both":                        {func(in *scaling.Inputs) { in.Observation = models.Observation{} }, "Keep the service as it is: the replicas could not be read."},
		"a maximum under the minimum": {func(in *scaling.Inputs) { in.Observation.Service.MaxReplicas = 1 }, "Keep api at 10: the catalogue's bounds contradict each other (minimum 2, maximum 1, absolute maximum 60)."},
		"no maximum":                  {func(in *scaling.Inputs) { in.Observation.Service.AbsoluteMaxReplicas = 0 }, "Keep api at 10: the catalogue's bounds contradict each other (minimum 2, maximum 30, absolute maximum 0)."},
		"a spec that cannot be":       {func(in *scaling.Inputs) { in.Observation.Replicas.Spec = -1 }, "Keep api at -1: the replicas that were read are impossible (spec -1, ready 10)."},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			in := with(serving(10, 780), reserve(floor(20)), c.change)
			e, state := scaling.Decide(in)
			assert.Equal(t, e.Current, e.Desired)
			assert.Equal(t, models.DirectionHold, e.Direction)
			assert.Equal(t, models.ClassFailsafe, e.Class)
			assert.Equal(t, c.text, e.Text)
			assert.Equal(t, in.State.Ring, state.Ring, "nothing was learned")
		})
	}
}

func TestCapacityThatIsNoNumberIsNotMeasuredByButFloorsCount(t *testing.T) {
	zero := func(in *scaling.Inputs) { in.Observation.Service.CapacityRPS = 0 }
	idle := func(in *scaling.Inputs) { in.Observation.Service.Policy.TargetUtilisation = 0 }
	decideAll(t, map[string]ruled{
		"no capacity":              {in: with(serving(10, 780), zero), want: 10, class: models.ClassFailsafe},
		"no target":                {in: with(serving(10, 780), idle), want: 10, class: models.ClassFailsafe},
		"no load and no capacity":  {in: with(serving(10, 0), zero), want: 10, class: models.ClassFailsafe},
		"no capacity, and a floor": {in: with(serving(10, 780), zero, reserve(floor(15))), want: 15, class: models.ClassFloor},
		"no replica is ready":      {in: with(serving(0, 780), func(in *scaling.Inputs) { in.Observation.Replicas = replicas(0, 12) }), want: 12, class: models.ClassHold},
		"and none is ordered":      {in: serving(0, 780), want: 4, class: models.ClassReactive, rule: "up_step"},
	})
}
