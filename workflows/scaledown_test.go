package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

func TestAScaleInThatHarmsNobodyIsVerified(t *testing.T) {
	s := newStage(t, 10)
	p := s.down(s.input(9, models.ClassSteady))
	assert.Equal(t, models.OutcomeVerified, p.Outcome, p.Reason)
	assert.Equal(t, []string{
		"preflight 9 from [10]", "order 10→9 d1/wave-1 until +60s", "await 9: 9 ready",
		"measure +30s", "measure +60s", "close verified", "tell verified",
	}, s.effects)
	assert.Equal(t, 9, *s.closed.Report.FinalReplicas)
}

func TestAScaleInThatHarmsIsUndoneAtTheFirstBreach(t *testing.T) {
	for name, worse := range map[string]func(*models.Measurement){
		"errors":                 func(m *models.Measurement) { v := 0.03; m.Service.ErrorRate = &v },
		"slow answers":           func(m *models.Measurement) { v := 1500.0; m.Service.P95MS = &v },
		"a replica went missing": func(m *models.Measurement) { m.Ready = 8 },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, 10)
			s.measured = func(_ int, m models.Measurement) models.Measurement { worse(&m); return m }
			p := s.down(s.input(9, models.ClassSteady))
			assert.Equal(t, models.OutcomeRolledBack, p.Outcome, p.Reason)
			assert.Equal(t, []string{"order 10→9 d1/wave-1 until +60s", "order 9→10 d1/undo-1 no expiry"}, s.did("order"))
			assert.Len(t, s.did("measure"), 1)
			assert.Equal(t, 10, *s.closed.Report.FinalReplicas)
			assert.NotEmpty(t, p.Evidence.Measurements)
		})
	}
}

func TestAScaleInThatACeilingForcesIsNotUndone(t *testing.T) {
	s := newStage(t, 10)
	s.measured = func(_ int, m models.Measurement) models.Measurement { v := 0.2; m.Service.ErrorRate = &v; return m }
	p := s.down(s.input(6, models.ClassCap))
	assert.Equal(t, models.OutcomeHeld, p.Outcome)
	assert.Contains(t, p.Reason, "ceiling")
	assert.Equal(t, 6, s.spec)
}

func TestAScaleInWithoutTrafficIsHeld(t *testing.T) {
	s := newStage(t, 10)
	s.measured = func(_ int, m models.Measurement) models.Measurement {
		m.Service = models.CohortStats{Replicas: 9}
		return m
	}
	p := s.down(s.input(9, models.ClassSteady))
	assert.Equal(t, models.OutcomeHeld, p.Outcome)
	assert.Equal(t, 9, s.spec)
}

func TestCancellingAScaleInOrdersAgainWhatWasRemoved(t *testing.T) {
	for name, m := range map[string]moment{
		"1 in preflight":            {activity: "Preflight", call: 1},
		"2 in the order":            {activity: "Order", call: 1},
		"3 while it settles":        {activity: "AwaitReady", call: 1},
		"4 while it soaks":          {at: 20 * time.Second},
		"5 in a measurement":        {activity: "Measure", call: 1},
		"6 in the last measurement": {activity: "Measure", call: 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, 10)
			s.happen(m, s.env.CancelWorkflow)
			p := s.down(s.input(9, models.ClassSteady))
			require.Equal(t, models.OutcomeCancelled, p.Outcome, p.Reason)
			assert.True(t, s.cancelled())
			assert.Equal(t, 10, s.spec)
		})
	}
}

func TestASpikeSupersedesAScaleIn(t *testing.T) {
	s := newStage(t, 10)
	s.happen(moment{at: 20 * time.Second}, func() { s.env.SignalWorkflow(workflows.SignalSupersede, workflows.Supersede{ByDecisionID: "d2"}) })
	p := s.down(s.input(9, models.ClassSteady))
	assert.Equal(t, models.OutcomeSuperseded, p.Outcome)
	assert.Equal(t, 9, s.told.Spec)
	assert.Equal(t, 9, s.spec, "the spike's own decision orders what it needs")
}

func TestAScaleInThatCannotBeUndoneIsAFailure(t *testing.T) {
	s := newStage(t, 10)
	s.measured = func(_ int, m models.Measurement) models.Measurement { v := 0.2; m.Service.ErrorRate = &v; return m }
	s.before["Order"] = func(n int) error {
		if n > 1 {
			return refuse(models.KindForbidden, "the account is locked")
		}
		return nil
	}
	p := s.down(s.input(9, models.ClassSteady))
	assert.Equal(t, models.OutcomeFailed, p.Outcome)
	assert.Contains(t, p.Reason, "the account is locked")
}
