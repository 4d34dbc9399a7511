package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

// moment is a point of a scale-up from 10 to 40 in three waves at which something
// happens: in an activity's nth call, when it has done its work and its answer is about
// to be lost, or at a time.
type moment struct {
	activity string
	call     int
	at       time.Duration
}

// moments are all the steps of a scale-up, in order.
func moments() map[string]moment {
	return map[string]moment{
		"01 in preflight":                      {activity: "Preflight", call: 1},
		"02 in the first order":                {activity: "Order", call: 1},
		"03 while the first wave starts":       {activity: "AwaitReady", call: 1},
		"04 while the first wave soaks":        {at: 30 * time.Second},
		"05 between measurements":              {at: 80 * time.Second},
		"06 in the first measurement":          {activity: "Measure", call: 1},
		"07 in the last measurement of a wave": {activity: "Measure", call: 5},
		"08 in the second order":               {activity: "Order", call: 2},
		"09 while the second wave starts":      {activity: "AwaitReady", call: 2},
		"10 in the third order":                {activity: "Order", call: 3},
		"11 in the very last measurement":      {activity: "Measure", call: 15},
	}
}

// happen arranges that f runs at a moment.
func (s *stage) happen(m moment, f func()) {
	if m.activity == "" {
		s.env.RegisterDelayedCallback(f, m.at)
		return
	}
	s.after[m.activity] = func(n int) {
		if n == m.call {
			f()
		}
	}
}

func TestCancellingAScaleUpAtAnyStepTakesBackWhatWasOrdered(t *testing.T) {
	for name, m := range moments() {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, 10)
			s.need = 12
			s.happen(m, s.env.CancelWorkflow)
			p := s.up(s.input(40, models.ClassFloor))
			assert.True(t, s.cancelled(), "Temporal shows the run as cancelled")
			require.Equal(t, models.OutcomeCancelled, p.Outcome, p.Reason)
			orders := s.did("order")
			if m.activity == "Preflight" {
				assert.Empty(t, orders)
				assert.Equal(t, 10, s.spec)
				assert.Contains(t, p.Reason, "before anything was ordered")
				return
			}
			assert.Equal(t, 12, s.spec, "back, but not below the need")
			assert.Len(t, s.did("plan rollback"), 1)
			assert.Contains(t, orders[len(orders)-1], "d1/undo-1 no expiry", "the last order is the compensation")
			assert.True(t, s.closed.Changed)
			assert.Equal(t, 12, *s.closed.Report.FinalReplicas)
		})
	}
}

func TestCancellingWhileItIsTakenBackDoesNotStopThat(t *testing.T) {
	for name, m := range map[string]moment{
		"in the plan":           {activity: "PlanRollback", call: 1},
		"in the order":          {activity: "Order", call: 2},
		"while it is read back": {activity: "AwaitReady", call: 2},
		"while it is recorded":  {activity: "CloseDecision", call: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, 4)
			s.crash = true
			s.happen(m, s.env.CancelWorkflow)
			p := s.up(s.input(8, models.ClassPanic))
			assert.Equal(t, models.OutcomeRolledBack, p.Outcome, p.Reason)
			assert.Equal(t, 4, s.spec)
		})
	}
}

func TestACompensationThatFailsIsAFailureThatSaysBoth(t *testing.T) {
	s := newStage(t, 4)
	s.before["PlanRollback"] = func(int) error { return refuse(models.KindUnavailable, "the fleet is away") }
	s.happen(moment{at: 30 * time.Second}, s.env.CancelWorkflow)
	p := s.up(s.input(8, models.ClassPanic))
	assert.Equal(t, models.OutcomeFailed, p.Outcome)
	assert.Contains(t, p.Reason, "stopped by a person")
	assert.Contains(t, p.Reason, "the fleet is away")
}

func TestSupersedingAScaleUpAtAnyStepKeepsWhatWasOrdered(t *testing.T) {
	for name, m := range moments() {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, 10)
			s.happen(m, func() { s.env.SignalWorkflow(workflows.SignalSupersede, workflows.Supersede{ByDecisionID: "d2"}) })
			p := s.up(s.input(40, models.ClassFloor))
			require.NoError(t, s.env.GetWorkflowError())
			require.Equal(t, models.OutcomeSuperseded, p.Outcome, p.Reason)
			assert.Contains(t, p.Reason, "d2")
			assert.Empty(t, s.did("plan rollback"))
			for _, o := range s.did("order") {
				assert.Contains(t, o, "/wave-", "nothing is undone")
			}
			if m.activity != "Preflight" {
				assert.Equal(t, s.spec, s.told.Spec, "its successor hears what stands, also when the answer to the order was lost")
				assert.Equal(t, s.old, s.told.BaselineReplicas, "and what to compare with")
			}
			assert.Equal(t, 10, s.told.Baseline)
		})
	}
}

func TestSupersedingWhileItIsTakenBackComesTooLate(t *testing.T) {
	s := newStage(t, 4)
	s.crash = true
	s.happen(moment{activity: "PlanRollback", call: 1}, func() {
		s.env.SignalWorkflow(workflows.SignalSupersede, workflows.Supersede{ByDecisionID: "d2"})
	})
	p := s.up(s.input(8, models.ClassPanic))
	assert.Equal(t, models.OutcomeRolledBack, p.Outcome)
	assert.Equal(t, 4, s.spec)
}

func TestAnInterruptionAfterTheVerdictChangesNothing(t *testing.T) {
	for name, f := range map[string]func(*stage){
		"cancelled": func(s *stage) { s.env.CancelWorkflow() },
		"superseded": func(s *stage) {
			s.env.SignalWorkflow(workflows.SignalSupersede, workflows.Supersede{ByDecisionID: "d2"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, 4)
			s.happen(moment{activity: "CloseDecision", call: 1}, func() { f(s) })
			p := s.up(s.input(8, models.ClassPanic))
			assert.Equal(t, models.OutcomeVerified, p.Outcome)
			assert.Equal(t, 8, s.spec)
		})
	}
}
