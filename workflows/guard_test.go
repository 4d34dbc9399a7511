package workflows_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/verification"
	"github.com/wedsync/scalability/workflows"
)

// crashing is a world in which growth crashes within a second, and is taken back.
func crashing(t *testing.T) *world {
	w := newWorld(t)
	w.operation, w.outcome, w.cause = time.Second, models.OutcomeRolledBack, verification.CauseCrash
	return w
}

func TestWhatCrashedIsNotOrderedAgainForAWhile(t *testing.T) {
	w := crashing(t)
	w.at(10*s, func() { w.ask("a", 8, 2*time.Hour) })
	got := w.run(30 * time.Minute)
	starts := only(got, "start")
	require.Len(t, starts, 3, "%v", starts)
	assert.Contains(t, starts[0], "10.0s ")
	assert.Contains(t, starts[1], "340.0s ", "after 5 minutes")
	assert.Contains(t, starts[2], "970.0s ", "and then 10")
	last := w.states[len(w.states)-1]
	assert.Contains(t, last.Explanation.BindingReason, "quarantine", "every evaluation says why")
	assert.Contains(t, last.Explanation.BindingReason, "failed by crash")
	assert.Equal(t, 4, w.spec)
}

func TestMeasuredNeedMayTryOneReplicaInQuarantine(t *testing.T) {
	w := crashing(t)
	w.at(10*s, func() { w.ask("a", 8, 2*time.Hour) })
	w.at(45*s, func() { w.load = func(time.Duration) float64 { return 600 }; w.spike(600) })
	got := w.run(150 * s)
	records := only(got, "record")
	require.GreaterOrEqual(t, len(records), 3, "%v", records)
	assert.Contains(t, records[1], "record up 4→5", "one, to see whether it runs")
	assert.Contains(t, records[2], "→", "and again a minute later")
	assert.NotContains(t, records[1], "4→10")
}

func TestAReplicaThatRunsLiftsTheQuarantine(t *testing.T) {
	w := crashing(t)
	w.at(10*s, func() { w.ask("a", 8, 2*time.Hour) })
	w.at(40*s, func() { w.outcome, w.cause = models.OutcomeVerified, "" })
	w.at(45*s, func() { w.load = func(time.Duration) float64 { return 600 }; w.spike(600) })
	got := w.run(80 * s)
	records := only(got, "record")
	require.Len(t, records, 3, "%v", records)
	assert.Contains(t, records[1], "record up 4→5")
	assert.Contains(t, records[2], "record up 5→10", "the rest follows at once")
}

func TestAPersonsWordLiftsTheQuarantine(t *testing.T) {
	w := crashing(t)
	w.at(10*s, func() { w.ask("a", 8, 2*time.Hour) })
	var a *answer
	w.at(40*s, func() {
		w.outcome, w.cause = models.OutcomeVerified, ""
		a = w.update(workflows.UpdateResume, workflows.ResumeRequest{Actor: "user:anna", Reason: "the image is mended"})
	})
	got := w.run(60 * s)
	assert.Contains(t, a.value.Text, "quarantine")
	assert.Len(t, only(got, "start"), 2)
	assert.Equal(t, 8, w.spec)
}

func TestAChangeThatIsNeitherDoneNorUndoneFreezesTheService(t *testing.T) {
	w := newWorld(t)
	w.operation, w.outcome, w.stuck = time.Second, models.OutcomeFailed, "the rollback of decision x failed"
	w.at(10*s, func() { w.ask("a", 8, 2*time.Hour) })
	w.at(40*s, func() { w.load = func(time.Duration) float64 { return 1500 }; w.spike(1500) })
	var a *answer
	var frozen models.ScalingState
	w.at(99*s, func() { frozen = w.states[len(w.states)-1] })
	w.at(100*s, func() {
		w.outcome, w.stuck = models.OutcomeVerified, ""
		a = w.update(workflows.UpdateResume, workflows.ResumeRequest{Actor: "user:anna", Reason: "I looked at it"})
	})
	got := w.run(110 * s)
	starts := only(got, "start")
	require.Len(t, starts, 2, "%v", starts)
	assert.Contains(t, starts[1], "100.0s ", "not before a person has looked")
	assert.Contains(t, a.value.Text, "freeze")
	assert.Contains(t, frozen.Explanation.BindingReason, "the rollback of decision x failed")
}

func TestANoToAScaleInCountsForAnHour(t *testing.T) {
	w := newWorld(t)
	w.spec, w.service.Policy.DownStepShare, w.service.Policy.HoldAfterUpSeconds = 20, 1, 0
	w.service.Policy.DownStabilisationSeconds = 0
	w.operation, w.outcome, w.declined, w.undo = time.Second, models.OutcomeRefused, "user:bob", true
	got := w.run(90 * time.Minute)
	starts := only(got, "start ScaleDown")
	require.Len(t, starts, 2, "%v", starts)
	assert.Equal(t, 20, w.spec)
}

func TestAScaleInThatDidHarmMakesTheNextOneWaitTwiceAsLong(t *testing.T) {
	w := newWorld(t)
	w.spec, w.service.Policy.HoldAfterUpSeconds = 20, 300
	w.operation, w.outcome = time.Second, models.OutcomeRolledBack
	got := w.run(40 * time.Minute)
	starts := only(got, "start ScaleDown")
	require.GreaterOrEqual(t, len(starts), 2, "%v", got)
	var first, second float64
	_, err := fmt.Sscanf(starts[0], "%fs", &first)
	require.NoError(t, err)
	_, err = fmt.Sscanf(starts[1], "%fs", &second)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, second-first, 600.0, "twice 300 s")
}

func TestTheKillSwitchStopsEveryChange(t *testing.T) {
	w := newWorld(t)
	w.killed = true
	w.at(10*s, func() { w.ask("a", 8, 2*time.Hour) })
	w.at(40*s, func() { w.load = func(time.Duration) float64 { return 1500 }; w.spike(1500) })
	got := w.run(90 * s)
	assert.Empty(t, only(got, "start"))
	assert.NotEmpty(t, only(got, "close refused"), "who asked is told")
}
