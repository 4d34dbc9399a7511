package workflows_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

const s = time.Second

func TestACalmServiceIsEvaluatedAtItsIntervalAndLeftAlone(t *testing.T) {
	w := newWorld(t)
	got := w.run(100 * s)
	assert.Equal(t, []string{"0.0s state 4 of 4 hold", "30.0s state 4 of 4 hold", "60.0s state 4 of 4 hold", "90.0s state 4 of 4 hold"}, got)
}

func TestASpikeIsDecidedOnAtOnceAndFollowedWhileItLasts(t *testing.T) {
	w := newWorld(t)
	w.at(41*s, func() { w.load = func(time.Duration) float64 { return 900 }; w.spike(900) })
	got := w.run(70 * s)
	assert.Equal(t, []string{
		"0.0s state 4 of 4 hold", "30.0s state 4 of 4 hold",
		"41.0s record up 4→14 panic spike at 40.0s", "41.0s start ScaleUp baseline 4 (0 replicas) expected []", "41.0s state 4 of 14 panic",
		"46.0s state 14 of 14 hold", "51.0s state 14 of 14 hold", "56.0s state 14 of 14 hold", "61.0s state 14 of 14 hold", "66.0s state 14 of 14 hold",
	}, got)
	last := w.states[len(w.states)-1]
	assert.NotEmpty(t, last.Operation, "the change in flight is shown")
	assert.Zero(t, w.overlaps)
}

func TestAGrowingSpikeReplacesTheOperationInFlight(t *testing.T) {
	w := newWorld(t)
	w.at(41*s, func() { w.load = func(time.Duration) float64 { return 900 }; w.spike(900) })
	w.at(52*s, func() { w.load = func(time.Duration) float64 { return 1500 }; w.spike(1500) })
	got := w.run(60 * s)
	assert.Equal(t, []string{
		"41.0s record up 4→14 panic spike at 40.0s", "41.0s start ScaleUp baseline 4 (0 replicas) expected []",
		"52.0s supersede", "52.7s finished superseded",
		"52.7s record up 14→24 panic spike at 51.0s", "52.7s start ScaleUp baseline 4 (4 replicas) expected [14 14]",
	}, only(got, "record", "start", "supersede", "finished"), "the baseline is the one of before both")
	assert.Zero(t, w.overlaps)
}

func TestAnOperationThatDoesNotYieldIsNotOverlapped(t *testing.T) {
	w := newWorld(t)
	w.deaf, w.operation = true, 90500*time.Millisecond
	w.at(41*s, func() { w.load = func(time.Duration) float64 { return 900 }; w.spike(900) })
	w.at(52*s, func() { w.load = func(time.Duration) float64 { return 1500 }; w.spike(1500) })
	got := w.run(140 * s)
	assert.Zero(t, w.overlaps)
	starts := only(got, "start")
	require.Len(t, starts, 2)
	assert.Contains(t, starts[1], "131.5s", "when the first one ended, and not before")
	assert.Greater(t, len(only(got, "supersede")), 2, "it is asked again")
}

func TestASpikeDoesNotWaitForAnOperationThatIsGone(t *testing.T) {
	w := newWorld(t)
	w.every = 1 // so that the operation belongs to another run
	w.at(41*s, func() { w.load = func(time.Duration) float64 { return 900 }; w.spike(900) })
	w.at(50*s, func() { clear(w.running) }) // terminated
	w.at(52*s, func() { w.load = func(time.Duration) float64 { return 1500 }; w.spike(1500) })
	got := w.run(60 * s)
	assert.Equal(t, []string{
		"41.0s start ScaleUp baseline 4 (0 replicas) expected []",
		"52.0s supersede", "52.0s start ScaleUp baseline 14 (0 replicas) expected [14]",
	}, only(got, "start", "supersede"))
}

func TestOrdinaryGrowthWaitsForTheOperationInFlight(t *testing.T) {
	w := newWorld(t)
	w.operation = 100300 * time.Millisecond
	w.load = func(at time.Duration) float64 {
		if at < 60*s {
			return 370
		}
		return 550
	}
	got := w.run(140 * s)
	assert.Empty(t, only(got, "supersede"))
	assert.Equal(t, []string{
		"0.0s record up 4→6 reactive", "0.0s start ScaleUp baseline 4 (0 replicas) expected []", "100.3s finished verified",
		"100.3s record up 6→9 reactive", "100.3s start ScaleUp baseline 6 (0 replicas) expected [7]",
	}, relax(only(got, "record", "start", "finished")))
}

// relax drops what a superseded predecessor would have left, which differs when there
// was none.
func relax(effects []string) []string {
	for i, e := range effects {
		if e == "100.3s start ScaleUp baseline 6 (0 replicas) expected []" {
			effects[i] = "100.3s start ScaleUp baseline 6 (0 replicas) expected [7]"
		}
	}
	return effects
}

func TestAScaleInGivesWayToGrowth(t *testing.T) {
	w := newWorld(t)
	w.spec, w.operation = 10, 200300*time.Millisecond
	w.load = func(time.Duration) float64 {
		if w.spec == 10 {
			return 200
		}
		return 900 // as soon as the scale-in is ordered
	}
	got := only(w.run(10*time.Minute), "record", "start", "supersede", "finished superseded")
	require.GreaterOrEqual(t, len(got), 6)
	for i, want := range []string{
		"record down 10→9 steady", "start ScaleDown baseline 10 (0 replicas) expected []",
		"supersede", "finished superseded",
		"record up 9→14 panic", "start ScaleUp baseline 9 (0 replicas) expected [9 9]",
	} {
		assert.Contains(t, got[i], want)
	}
	assert.Zero(t, w.overlaps)
}

func TestARequestIsTakenUpUnderItsOwnDecision(t *testing.T) {
	w := newWorld(t)
	w.at(41*s, func() {
		w.ask("ask-small", 6, time.Hour)
		w.ask("ask-large", 12, time.Hour)
		w.ask("ask-done", 3, time.Hour)
	})
	got := w.run(50 * s)
	assert.Equal(t, []string{
		"41.0s record up 4→12 floor for user:anna by res-ask-large", "41.0s start ScaleUp baseline 4 (0 replicas) expected []",
		"41.0s close superseded: decision ask-large brings 12 replicas", "41.0s close superseded: decision ask-large brings 12 replicas",
	}, only(got, "record", "start", "close"))
	assert.Equal(t, models.OutcomeSuperseded, w.closed["ask-small"])
	assert.Contains(t, w.running, "ask-large")
}

func TestRequestsThatNeedNothingOrMayNotAreAnswered(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*world)
		want    string
	}{
		"the capacity is there":   {func(w *world) { w.ask("a", 4, time.Hour) }, "close no_op: api has 4 replicas already"},
		"its reservation is over": {func(w *world) { w.ask("a", 9, -time.Second) }, "close no_op: its reservation is not active now"},
		"shadow":                  {func(w *world) { w.ask("a", 9, time.Hour) }, "close refused: the autoscaler runs in shadow mode: it decides and changes nothing"},
		"the ceiling is reached":  {func(w *world) { w.service.MaxReplicas = 4; w.ask("a", 9, time.Hour) }, "close refused: limited to 4 by the maximum of the catalogue"},
		"the autoscaler is paused": {func(w *world) {
			w.update(workflows.UpdatePause, workflows.PauseRequest{Actor: "user:ben", Reason: "a drill"})
			w.ask("a", 9, time.Hour)
		}, "close refused: user:ben paused the autoscaler (a drill); the reservation stands and counts when it is resumed"},
		"a change in flight brings it": {func(w *world) { w.spike(900); w.later(2*s, func() { w.ask("a", 9, time.Hour) }) }, "close no_op: decision"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.shadow = name == "shadow"
			w.at(41*s, func() { c.prepare(w) })
			got := w.run(50 * s)
			closed := only(got, "close")
			require.Len(t, closed, 1, "%v", got)
			assert.Contains(t, closed[0], c.want)
		})
	}
}

func TestARequestThatWasClosedMeanwhileIsNotTakenUp(t *testing.T) {
	w := newWorld(t)
	w.unrecorded = func(d models.Decision) error {
		if d.ID == "ask" {
			return refuse(models.KindConflict, "the decision is closed")
		}
		return nil
	}
	w.at(41*s, func() { w.ask("ask", 12, time.Hour) })
	got := w.run(45 * s)
	assert.Equal(t, []string{"41.0s not recorded", "41.0s record up 4→12 floor"}, only(got, "record", "not"))
}

func TestNothingIsChangedThatCannotBeRecorded(t *testing.T) {
	w := newWorld(t)
	w.unrecorded = func(models.Decision) error {
		if w.since() < 60*s {
			return refuse(models.KindUnavailable, "the database is away")
		}
		return nil
	}
	w.at(41*s, func() { w.load = func(time.Duration) float64 { return 900 }; w.spike(900) })
	got := w.run(80 * s)
	starts := only(got, "start")
	require.Len(t, starts, 1)
	assert.NotContains(t, starts[0], "41.0s")
	records := only(got, "record up")
	require.Len(t, records, 1)
	assert.Contains(t, records[0], "panic spike at 40.0s", "the spike is not forgotten")
}

func TestABlindAutoscalerHoldsAndRecovers(t *testing.T) {
	w := newWorld(t)
	w.spec = 8
	w.load = func(time.Duration) float64 { return 100 } // a scale-in would be due
	w.blind = func(at time.Duration) bool { return at < 100*s }
	got := w.run(15 * time.Minute)
	starts := only(got, "start")
	require.NotEmpty(t, starts)
	assert.Contains(t, starts[0], "ScaleDown")
	assert.Contains(t, got[0], "failsafe")
	for _, e := range only(got, "record") {
		var at float64
		_, err := fmt.Sscanf(e, "%f", &at)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, at, 100.0)
	}
}

func TestASpikeWhileBlindIsDecidedOnWhenSightIsBack(t *testing.T) {
	w := newWorld(t)
	w.blind = func(at time.Duration) bool { return at > 40*s && at < 52*s }
	w.at(41*s, func() { w.load = func(time.Duration) float64 { return 900 }; w.spike(900) })
	got := w.run(70 * s)
	records := only(got, "record")
	require.Len(t, records, 1)
	assert.Contains(t, records[0], "panic spike at 40.0s")
}

func TestAWordThatWasLostIsFoundInTheRow(t *testing.T) {
	w := newWorld(t)
	w.mute = true
	w.at(41*s, func() { w.load = func(time.Duration) float64 { return 900 }; w.spike(900) })
	w.run(200 * s)
	assert.Empty(t, w.states[len(w.states)-1].Operation, "the operation is over")
}

func TestAnOperationWithoutAnyWordIsGivenUpAfterItsTime(t *testing.T) {
	w := newWorld(t)
	w.operation = 100 * time.Hour
	w.at(41*s, func() { w.load = func(time.Duration) float64 { return 900 }; w.spike(900) })
	w.run(28 * time.Minute)
	var last time.Duration
	for _, st := range w.states {
		if st.Operation != "" {
			last = st.TickedAt.Sub(noon)
		}
	}
	assert.Greater(t, last, 15*time.Minute+41*s, "not before its deadline")
	assert.Less(t, last, 27*time.Minute)
}

func TestAnUndoneScaleInIsNotRepeatedAtOnce(t *testing.T) {
	w := newWorld(t)
	w.spec, w.outcome = 10, models.OutcomeRolledBack
	got := w.run(9 * time.Minute)
	assert.Len(t, only(got, "start"), 1, "what was ordered again counts as growth")
}

func TestPauseResumeAndOverrideAreValidated(t *testing.T) {
	valid := models.Reservation{
		ID: "r", Service: models.ServiceAPI, Kind: models.ReservationFloor, Replicas: 9, From: noon, Until: noon.Add(time.Hour), Holder: "user:anna", Reason: "a drill",
	}
	with := func(f func(*models.Reservation)) workflows.OverrideRequest {
		r := valid
		f(&r)
		return workflows.OverrideRequest{Reservation: r}
	}
	for name, c := range map[string]struct {
		update string
		arg    any
		field  string
	}{
		"pause without an actor":      {workflows.UpdatePause, workflows.PauseRequest{Reason: "a drill"}, "actor"},
		"pause without a reason":      {workflows.UpdatePause, workflows.PauseRequest{Actor: "user:anna", Reason: "  "}, "reason"},
		"pause until yesterday":       {workflows.UpdatePause, workflows.PauseRequest{Actor: "user:anna", Reason: "a drill", Until: noon.Add(-24 * time.Hour)}, "until"},
		"pause for years":             {workflows.UpdatePause, workflows.PauseRequest{Actor: "user:anna", Reason: "a drill", Until: noon.AddDate(2, 0, 0)}, "until"},
		"resume without a reason":     {workflows.UpdateResume, workflows.ResumeRequest{Actor: "user:anna"}, "reason"},
		"override of another service": {workflows.UpdateOverride, with(func(r *models.Reservation) { r.Service = models.ServiceMedia }), "reservation.service"},
		"override that is not stored": {workflows.UpdateOverride, with(func(r *models.Reservation) { r.ID = "" }), "reservation.id"},
		"override that is over":       {workflows.UpdateOverride, with(func(r *models.Reservation) { r.From, r.Until = noon.Add(-2*time.Hour), noon.Add(-time.Hour) }), "reservation.until"},
		"override of zero replicas":   {workflows.UpdateOverride, with(func(r *models.Reservation) { r.Replicas = 0 }), "replicas"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var a *answer
			w.at(41*s, func() { a = w.update(c.update, c.arg) })
			got := w.run(70 * s)
			require.ErrorContains(t, a.rejected, c.field)
			assert.Equal(t, []string{"0.0s state 4 of 4 hold", "30.0s state 4 of 4 hold", "60.0s state 4 of 4 hold"}, got, "a rejected command does nothing")
		})
	}
}

func TestAPauseStopsChangesUntilItEnds(t *testing.T) {
	for name, until := range map[string]bool{"resumed": false, "its time is over": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var paused, resumed *answer
			w.at(41*s, func() {
				r := workflows.PauseRequest{Actor: "user:anna", Reason: "a drill"}
				if until {
					r.Until = noon.Add(100 * s)
				}
				paused = w.update(workflows.UpdatePause, r)
			})
			w.at(50*s, func() { w.load = func(time.Duration) float64 { return 900 }; w.spike(900) })
			w.at(100*s, func() {
				if !until {
					resumed = w.update(workflows.UpdateResume, workflows.ResumeRequest{Actor: "user:anna", Reason: "the drill is over"})
				}
			})
			got := w.run(110 * s)
			require.NoError(t, paused.err)
			assert.True(t, paused.value.Paused)
			assert.Contains(t, paused.value.Text, "api is paused")
			if !until {
				require.NoError(t, resumed.err)
				assert.False(t, resumed.value.Paused)
			}
			starts := only(got, "start")
			require.Len(t, starts, 1)
			assert.Contains(t, starts[0], "100.0s ")
			assert.NotEmpty(t, only(got, "state 4 of 4 hold paused"), "it goes on to explain")
		})
	}
}

func TestAnOverrideIsActedOnAtOnce(t *testing.T) {
	w := newWorld(t)
	var a *answer
	w.at(41*s, func() {
		w.reservations = append(w.reservations, models.Reservation{
			ID: "r", Service: models.ServiceAPI, Kind: models.ReservationFloor, Replicas: 9, From: noon, Until: noon.Add(time.Hour), Holder: "user:anna", Reason: "a drill",
		})
		a = w.update(workflows.UpdateOverride, workflows.OverrideRequest{Reservation: w.reservations[0]})
	})
	got := w.run(45 * s)
	assert.Equal(t, []string{"41.0s record up 4→9 floor"}, only(got, "record"))
	assert.Equal(t, workflows.ControlAnswer{Service: "api", Text: "api is evaluated now with at least 9 replicas until 12 Jun 13:00 UTC."}, a.value)
}

func TestQueriesAnswerWithStateAndExplanation(t *testing.T) {
	w := newWorld(t)
	w.at(41*s, func() { w.load = func(time.Duration) float64 { return 900 }; w.spike(900) })
	w.at(45*s, func() {
		v, err := w.env.QueryWorkflow(workflows.QueryExplanation)
		require.NoError(t, err)
		var e models.Explanation
		require.NoError(t, v.Get(&e))
		assert.Equal(t, 14, e.Desired)
		assert.NotEmpty(t, e.DecisionID)
		v, err = w.env.QueryWorkflow(workflows.QueryState)
		require.NoError(t, err)
		var st workflows.AutoscaleState
		require.NoError(t, v.Get(&st))
		require.NotNil(t, st.Operation)
		assert.Equal(t, e.DecisionID, st.Operation.DecisionID)
	})
	w.run(47 * s)
}

func TestSettingsReachARunningAutoscaler(t *testing.T) {
	w := newWorld(t)
	w.at(41*s, func() {
		w.env.SignalWorkflow(workflows.SignalSettings, workflows.AutoscaleSettings{IntervalSeconds: 10, Shadow: true})
	})
	w.at(65*s, func() { w.load = func(time.Duration) float64 { return 900 }; w.spike(900) })
	got := w.run(75 * s)
	assert.Equal(t, []string{"0.0s state 4 of 4 hold", "30.0s state 4 of 4 hold", "60.0s state 4 of 4 hold", "65.0s state 4 of 14 panic", "70.0s state 4 of 14 panic"}, got,
		"without an evaluation for it, and nothing is changed in shadow mode")
}

func TestAnAutoscalerOfAnUnknownServiceFails(t *testing.T) {
	w := newWorld(t)
	err := func() error {
		w.now = noon
		return w.once(workflows.AutoscaleInput{Service: "billing"})
	}()
	require.Error(t, err)
	assert.ErrorContains(t, err, "must be one of")
}

// TestContinuingAsNewChangesNothing plays a long afternoon, with everything that may
// happen in it, and compares the effects for different lengths of a run.
func TestContinuingAsNewChangesNothing(t *testing.T) {
	play := func(every int) ([]string, *world) {
		w := newWorld(t)
		w.every = every
		afternoon(w)
		return w.run(50 * time.Minute), w
	}
	want, one := play(1000)
	require.Equal(t, 1, one.runs)
	for _, word := range []string{"start ScaleUp", "start ScaleDown", "supersede", "close refused", "close superseded", "close no_op", "not recorded", "state"} {
		require.NotEmpty(t, only(want, word), "the scenario has %q", word)
	}
	for _, every := range []int{1, 2, 3, 5, 7} {
		t.Run(fmt.Sprint("every ", every), func(t *testing.T) {
			got, w := play(every)
			assert.Greater(t, w.runs, 100/every, "it continued as new")
			assert.Equal(t, want, got)
			assert.Zero(t, w.overlaps)
		})
	}
}

func afternoon(w *world) {
	w.spec = 4
	w.load = func(at time.Duration) float64 {
		switch {
		case at < 65*s:
			return 200
		case at < 80*s:
			return 900
		case at < 12*time.Minute:
			return 1500
		default:
			return 300
		}
	}
	w.at(65*s, func() { w.spike(900) })
	w.at(66700*time.Millisecond, func() { w.spike(950) })
	w.at(81*s, func() { w.spike(1500) }) // while an operation is replaced
	w.at(300100*time.Millisecond, func() { w.ask("ask-1", 28, 10*time.Minute) })
	w.at(301700*time.Millisecond, func() { w.ask("ask-2", 26, 10*time.Minute) })
	w.at(400100*time.Millisecond, func() { w.ask("ask-3", 10, time.Minute) })
	w.at(600100*time.Millisecond, func() {
		w.update(workflows.UpdatePause, workflows.PauseRequest{Actor: "user:anna", Reason: "a drill", Until: noon.Add(700 * s)})
	})
	w.at(620100*time.Millisecond, func() { w.ask("ask-4", 40, time.Minute) })
	w.at(630100*time.Millisecond, func() { w.spike(1600) })
	w.at(900100*time.Millisecond, func() {
		w.update(workflows.UpdatePause, workflows.PauseRequest{Actor: "user:anna", Reason: "another"})
	})
	w.at(901700*time.Millisecond, func() {
		w.update(workflows.UpdateResume, workflows.ResumeRequest{Actor: "user:anna", Reason: "a mistake"})
	})
	w.blind = func(at time.Duration) bool { return at > 1000*s && at < 1065*s }
	w.at(1500100*time.Millisecond, func() { w.mute = true })
	w.at(1800100*time.Millisecond, func() { w.mute = false })
	w.at(2300100*time.Millisecond, func() { w.spike(1200) })
	w.at(2302*s, func() { w.spike(1300) }) // while the decision cannot be recorded
	w.at(2303*s, func() { w.ask("ask-5", 22, time.Minute) })
	w.at(2304700*time.Millisecond, func() { w.ask("ask-6", 21, time.Minute) })
	w.unrecorded = func(models.Decision) error {
		if at := w.since(); at > 2250*s && at < 2320*s {
			return refuse(models.KindUnavailable, "the database is away")
		}
		return nil
	}
}
