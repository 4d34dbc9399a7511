package scaling_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

func TestScaleInIsSlow(t *testing.T) {
	ring := func(age time.Duration, n int) func(*scaling.Inputs) {
		return func(in *scaling.Inputs) {
			in.State.Ring = append(in.State.Ring, scaling.Recommendation{At: now.Add(-age), N: n})
		}
	}
	decideAll(t, map[string]ruled{
		"a tenth in one step":                        {in: serving(20, 400), want: 18, class: models.ClassSteady, rule: "down_step"},
		"at least one":                               {in: serving(5, 100), want: 4, class: models.ClassSteady, rule: "down_step"},
		"not below the need":                         {in: serving(5, 250), want: 4, class: models.ClassSteady},
		"not within the dead-band":                   {in: serving(20, 1170), want: 20, class: models.ClassHold, rule: "dead_band"},
		"not below the need of the last 5 min":       {in: with(serving(20, 400), ring(300*time.Second, 20)), want: 20, class: models.ClassHold, rule: "stabilisation"},
		"needs before that do not count":             {in: with(serving(20, 400), ring(301*time.Second, 20)), want: 18, class: models.ClassSteady},
		"after growth not of the last 15 min":        {in: with(serving(20, 400), ring(899*time.Second, 20), grown), want: 20, class: models.ClassHold, rule: "stabilisation"},
		"until a scale-in has begun":                 {in: with(serving(20, 400), ring(899*time.Second, 20), grown, shrunk), want: 18, class: models.ClassSteady},
		"two stay whatever the load":                 {in: with(serving(2, 0), func(in *scaling.Inputs) { in.Observation.Service.MinReplicas = 1 }), want: 2, class: models.ClassHold, rule: "min_remaining"},
		"one stays one":                              {in: with(serving(1, 0), func(in *scaling.Inputs) { in.Observation.Service.MinReplicas = 0 }), want: 1, class: models.ClassHold, rule: "min_remaining"},
		"three go to two":                            {in: with(serving(3, 0), func(in *scaling.Inputs) { in.Observation.Service.MinReplicas = 1 }), want: 2, class: models.ClassSteady},
		"the minimum stays":                          {in: serving(2, 0), want: 2, class: models.ClassHold},
		"nothing at first sight":                     {in: with(serving(20, 400), func(in *scaling.Inputs) { in.State = scaling.State{} }), want: 20, class: models.ClassHold, rule: "stabilisation"},
		"nothing after a silence of a quarter hour":  {in: with(serving(20, 400), func(in *scaling.Inputs) { in.State.Ring[0].At = now.Add(-16 * time.Minute) }), want: 20, class: models.ClassHold, rule: "stabilisation"},
		"a queue without entries is no reason to go": {in: with(serving(20, 400), change(models.MetricQueueDepth, nil)), want: 18, class: models.ClassSteady},
	})
}

// grown and shrunk are changes some minutes ago.
func grown(in *scaling.Inputs)  { in.State.LastUpAt = ago(11 * time.Minute) }
func shrunk(in *scaling.Inputs) { in.State.LastDownAt = ago(2 * time.Minute) }

// needed has the ring remember a smaller need than what stands there.
func needed(n int) func(*scaling.Inputs) {
	return func(in *scaling.Inputs) {
		in.State.Ring = []scaling.Recommendation{{At: now.Add(-10 * time.Minute), N: n}}
		in.State.Demand = in.State.Ring
	}
}

func TestScaleInIsHeldBack(t *testing.T) {
	decideAll(t, map[string]ruled{
		"by throughput that is missing":        {in: with(serving(20, 400), change(models.MetricThroughput, nil)), want: 20, class: models.ClassHold, rule: "signal_quality"},
		"by throughput that is stale":          {in: with(serving(20, 400), change(models.MetricThroughput, stale)), want: 20, class: models.ClassHold, rule: "signal_quality"},
		"by throughput with gaps":              {in: with(serving(20, 400), change(models.MetricThroughput, gappy)), want: 20, class: models.ClassHold, rule: "signal_quality"},
		"by throughput that is too old":        {in: with(serving(20, 400), change(models.MetricThroughput, old)), want: 20, class: models.ClassHold, rule: "signal_quality"},
		"by cpu that is missing":               {in: with(serving(20, 400), change(models.MetricCPU, nil)), want: 20, class: models.ClassHold, rule: "signal_quality"},
		"by a queue that fell silent":          {in: with(serving(20, 400), change(models.MetricQueueDepth, old)), want: 20, class: models.ClassHold, rule: "signal_quality"},
		"by both missing":                      {in: with(serving(20, 400), func(in *scaling.Inputs) { in.Observation.Signals = nil }), want: 20, class: models.ClassFailsafe},
		"by a part that could not be read":     {in: with(serving(20, 400), func(in *scaling.Inputs) { in.Observation.Gaps = []string{"the reservations could not be read"} }), want: 20, class: models.ClassHold, rule: "gaps"},
		"by an operation in flight":            {in: with(serving(20, 400), func(in *scaling.Inputs) { in.InFlight = true }), want: 20, class: models.ClassHold, rule: "in_flight"},
		"by a person":                          {in: with(serving(20, 400), reserve(models.Reservation{Kind: models.ReservationNoIn})), want: 20, class: models.ClassHold, rule: "no_in"},
		"by a scale-up less than 10 min ago":   {in: with(serving(20, 400), func(in *scaling.Inputs) { in.State.LastUpAt = ago(599 * time.Second) }), want: 20, class: models.ClassHold, rule: "hold_after_up"},
		"by a scale-in less than a minute ago": {in: with(serving(20, 400), func(in *scaling.Inputs) { in.State.LastDownAt = ago(59 * time.Second) }), want: 20, class: models.ClassHold, rule: "down_period"},
		"by a spike":                           {in: with(serving(20, 400), spike(10, now)), want: 20, class: models.ClassHold, rule: "panic"},
		"not by what is long ago": {in: with(serving(20, 400), func(in *scaling.Inputs) {
			in.State.LastUpAt, in.State.LastDownAt = ago(600*time.Second), ago(60*time.Second)
		}), want: 18, class: models.ClassSteady},
		"by load that fell while requests fail":     {in: with(serving(20, 400), needed(6), change(models.MetricThroughput, fell), change(models.MetricErrorRate, func(s *models.Signal) { s.Avg60 = val(0.05) })), want: 20, class: models.ClassHold, rule: "signal_quality"},
		"by load that fell while nobody counts":     {in: with(serving(20, 400), needed(6), change(models.MetricThroughput, fell), change(models.MetricErrorRate, nil)), want: 20, class: models.ClassHold, rule: "signal_quality"},
		"by load that fell while replicas are away": {in: with(serving(20, 400), needed(6), change(models.MetricThroughput, fell), func(in *scaling.Inputs) { in.Observation.Replicas.Ready = 17 }), want: 20, class: models.ClassHold, rule: "signal_quality"},
		"not by load that fell in good health":      {in: with(serving(20, 400), change(models.MetricThroughput, fell)), want: 18, class: models.ClassSteady},
		"not by errors at steady load":              {in: with(serving(20, 400), change(models.MetricErrorRate, func(s *models.Signal) { s.Avg60 = val(0.05) })), want: 18, class: models.ClassSteady},
		"for 15 min after such a fall":              {in: with(serving(20, 400), needed(6), func(in *scaling.Inputs) { in.State.SuspectAt = ago(14 * time.Minute) }), want: 20, class: models.ClassHold, rule: "signal_quality"},
		"not longer":                                {in: with(serving(20, 400), func(in *scaling.Inputs) { in.State.SuspectAt = ago(15 * time.Minute) }), want: 18, class: models.ClassSteady},
		"and not longer than the policy says": {in: with(serving(20, 400), func(in *scaling.Inputs) {
			in.Observation.Service.Policy.SuspectHoldSeconds, in.State.SuspectAt = 60, ago(time.Minute)
		}), want: 18, class: models.ClassSteady},
		"but as long": {in: with(serving(20, 400), needed(6), func(in *scaling.Inputs) {
			in.Observation.Service.Policy.SuspectHoldSeconds, in.State.SuspectAt = 60, ago(59*time.Second)
		}), want: 20, class: models.ClassHold, rule: "signal_quality"},
	})
}

func TestNoNeedFromBeforeWhatThePolicyRemembersStandsAfterAFall(t *testing.T) {
	in := with(serving(10, 200), change(models.MetricThroughput, fell), change(models.MetricErrorRate, func(s *models.Signal) { s.Avg60 = val(0.3) }))
	in.State.Demand = []scaling.Recommendation{{At: now.Add(-10 * time.Minute), N: 30}, {At: now.Add(-5 * time.Second), N: 12}}
	before := func(seconds int) int {
		in.Observation.Service.Policy.SuspectHoldSeconds = seconds
		_, next := scaling.Decide(in)
		return next.SuspectNeed
	}
	assert.Equal(t, 30, before(0), "a quarter of an hour, where nothing is said")
	assert.Equal(t, 12, before(8))
}

func TestAfterAFallThatLooksLikeAnOutageTheNeedOfBeforeStands(t *testing.T) {
	in := with(serving(10, 200), change(models.MetricThroughput, fell), change(models.MetricErrorRate, func(s *models.Signal) { s.Avg60 = val(0.3) }))
	in.State.Demand = []scaling.Recommendation{{At: now.Add(-12 * time.Minute), N: 16}, {At: now.Add(-10 * time.Minute), N: 10}}
	e, state := scaling.Decide(in)
	assert.Equal(t, 16, e.Desired, e.Text)
	assert.Equal(t, models.QualitySuspectLow, candidate(e, "throughput").Quality)
	assert.True(t, candidate(e, "before_fall").Used)
	require.NotNil(t, state.SuspectAt)
	assert.Equal(t, 4, state.Ring[len(state.Ring)-1].N, "the need that was measured is remembered, so that the one of before ends")
}

func TestAFloorThatHasEndedDoesNotComeBackAfterAFall(t *testing.T) {
	in := with(serving(10, 200), change(models.MetricThroughput, fell), change(models.MetricErrorRate, func(s *models.Signal) { s.Avg60 = val(0.3) }))
	in.State.Ring = []scaling.Recommendation{{At: now.Add(-12 * time.Minute), N: 25}}
	e, _ := scaling.Decide(in)
	assert.Equal(t, 10, e.Desired, "25 were a floor's, not people's: %s", e.Text)
}

func TestASpikePassesTheShapingRulesAndEnds(t *testing.T) {
	in := with(serving(10, 640), spike(2600, now), change(models.MetricCPU, func(s *models.Signal) { s.Avg60 = val(0.7) }))
	e, state := scaling.Decide(in)
	assert.Equal(t, 30, e.Desired, "wanted 40, the catalogue allows 30: %s", e.Text)
	assert.Equal(t, models.ClassPanic, e.Class)
	assert.Equal(t, 40, state.PanicMax)
	assert.Equal(t, now.Add(time.Minute), *state.PanicUntil)

	calm := with(serving(10, 640), func(in *scaling.Inputs) {
		in.State, in.Now = state, now.Add(59*time.Second)
		in.Observation.Replicas = replicas(10, 20)
	})
	e, later := scaling.Decide(calm)
	assert.Equal(t, 30, e.Desired, "the largest need of the spike stands")
	assert.Equal(t, 40, e.Raw)
	assert.Equal(t, 40, later.PanicMax)

	calm.Now = now.Add(60 * time.Second)
	e, later = scaling.Decide(calm)
	assert.Equal(t, 10, e.Raw, "a minute after the spike its need is over")
	assert.Equal(t, 30, e.Desired, "but a scale-in waits")
	assert.Nil(t, later.PanicUntil)
	assert.Zero(t, later.PanicMax)
}

func TestPanicTakesTheNewestSecondsAndGrowsNoFurtherWhileReplicasStart(t *testing.T) {
	rising := change(models.MetricThroughput, func(s *models.Signal) { s.Avg6, s.Avg2 = val(1300), val(1625) })
	in := with(serving(10, 640), rising, change(models.MetricCPU, func(s *models.Signal) { s.Avg6, s.Avg60 = val(0.99), val(0.99) }))
	calm, _ := scaling.Decide(with(in, change(models.MetricThroughput, func(s *models.Signal) { s.Avg6, s.Avg2 = val(640), val(1625) })))
	assert.Equal(t, 16, calm.Desired, "in calm the minute and a saturated cpu count: %s", calm.Text)
	e, state := scaling.Decide(in)
	assert.Equal(t, models.ClassPanic, e.Class, "the evaluation itself sees a spike that nobody told")
	require.NotNil(t, state.PanicUntil)
	told, _ := scaling.Decide(with(in, spike(650, now)))
	require.Equal(t, e.Desired, told.Desired)
	require.Equal(t, 25, e.Desired, e.Text)
	for range 5 {
		in.State, in.Observation.Replicas = state, replicas(10, e.Desired-10)
		e, state = scaling.Decide(in)
		require.Equal(t, 25, e.Desired, "those on their way are enough: %s", e.Text)
	}
}

func TestASpikeThatWasToldLateOrAheadOfTime(t *testing.T) {
	e, state := scaling.Decide(with(serving(10, 640), spike(2600, now.Add(-61*time.Second))))
	assert.Equal(t, 10, e.Desired, "it is over: %s", e.Text)
	assert.Nil(t, state.PanicUntil)

	_, state = scaling.Decide(with(serving(10, 640), spike(2600, now.Add(-20*time.Second))))
	assert.Equal(t, now.Add(40*time.Second), *state.PanicUntil)

	_, state = scaling.Decide(with(serving(10, 640), spike(2600, now.Add(time.Hour))))
	assert.Equal(t, now.Add(time.Minute), *state.PanicUntil, "the sender's clock is ahead")

	_, state = scaling.Decide(with(serving(10, 640), spike(2600, now), func(in *scaling.Inputs) { in.Observation.Replicas = nil }))
	require.NotNil(t, state.PanicUntil, "a spike is told once: it is remembered while the replicas cannot be read")
}

func TestBlindnessIsTimed(t *testing.T) {
	blind := with(serving(10, 640), func(in *scaling.Inputs) { in.Observation.Signals = nil })
	e, state := scaling.Decide(blind)
	assert.Equal(t, "Keep api at 10: no usable metrics; what is missing removes nothing.", e.Text)
	blind.State, blind.Now = state, now.Add(90*time.Second)
	e, state = scaling.Decide(blind)
	assert.Equal(t, "Keep api at 10: no usable metrics for 90 s; what is missing removes nothing.", e.Text)
	seeing := serving(10, 640)
	seeing.State = state
	_, state = scaling.Decide(seeing)
	assert.Nil(t, state.BlindSince)
}

func TestLoadThatHasJustComeBackIsNotRemovedByTheMinutesMean(t *testing.T) {
	newest := func(rps float64) func(*scaling.Inputs) {
		return change(models.MetricThroughput, func(s *models.Signal) { s.Avg6, s.Avg2 = val(rps), val(rps) })
	}
	e, _ := scaling.Decide(with(serving(20, 300), newest(1_300)))
	assert.Equal(t, 20, e.Desired, "1300 requests/s need 20 of 100 at 65 %%: %s", e.Text)
	assert.NotEmpty(t, shaping(e, "rising"))

	e, _ = scaling.Decide(with(serving(20, 300), newest(1_235)))
	assert.Equal(t, 20, e.Desired, "19 are within the dead-band of 20: %s", e.Text)

	e, _ = scaling.Decide(with(serving(20, 300), newest(300)))
	assert.Equal(t, 18, e.Desired, "a lull is followed, one step at a time: %s", e.Text)
}
