package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

func TestScaleUpThatServesWellIsVerified(t *testing.T) {
	s := newStage(t, 4)
	p := s.up(s.input(8, models.ClassPanic))
	assert.Equal(t, models.OutcomeVerified, p.Outcome)
	assert.Equal(t, []string{
		"preflight 8 from [4]", "order 4→8 d1/wave-1 until +60s", "await 8: 8 ready",
		"measure +75s", "measure +90s", "measure +105s", "measure +120s", "measure +135s",
		"close verified", "tell verified",
	}, s.effects, "soak of 60 s, then five measurements of 15 s")
	require.NotNil(t, s.closed.Report.OrderedAt)
	assert.True(t, s.closed.Changed)
	assert.Equal(t, 8, *s.closed.Report.FinalReplicas)
	assert.Len(t, p.Evidence.Measurements, 5)
	assert.NotEmpty(t, p.Evidence.Checks)
	assert.Equal(t, models.VerdictKeep, p.Evidence.Verdict)
	assert.NotNil(t, p.Evidence.Baseline)
	assert.Equal(t, workflows.OperationFinished{DecisionID: "d1", Outcome: models.OutcomeVerified, Spec: 8, Baseline: 4}, *s.told)
}

func TestAPlannedChangeGoesInWaves(t *testing.T) {
	s := newStage(t, 10)
	p := s.up(s.input(40, models.ClassFloor))
	assert.Equal(t, models.OutcomeVerified, p.Outcome, p.Reason)
	assert.Equal(t, []string{
		"order 10→13 d1/wave-1 until +60s", "order 13→25 d1/wave-2 until +900s", "order 25→40 d1/wave-3 until +900s",
	}, s.did("order"))
	assert.Len(t, s.did("measure"), 15)
	assert.Equal(t, 3, p.Wave)
}

func TestAWaveWithoutTrafficDoesNotStopAPromisedFloor(t *testing.T) {
	s := newStage(t, 10)
	s.measured = func(_ int, m models.Measurement) models.Measurement {
		m.New.Requests, m.Old.Requests, m.New.ErrorRate, m.New.P95MS = 0, 0, nil, nil
		return m
	}
	p := s.up(s.input(40, models.ClassFloor))
	assert.Equal(t, models.OutcomeHeld, p.Outcome)
	assert.Contains(t, p.Reason, "0 requests")
	assert.Len(t, s.did("order"), 3)
	assert.Equal(t, 40, s.spec, "held keeps what was promised")
	assert.Empty(t, s.did("plan rollback"))
}

func TestTooLittleTrafficIsExtendedOnceAndThenHeld(t *testing.T) {
	s := newStage(t, 4)
	s.measured = func(_ int, m models.Measurement) models.Measurement {
		m.New.Requests = 10
		m.Old.Requests = 10
		return m
	}
	p := s.up(s.input(8, models.ClassReactive))
	assert.Equal(t, models.OutcomeHeld, p.Outcome)
	assert.Len(t, s.did("measure"), 5+8, "one extension of 120 s")
	assert.Equal(t, 8, s.spec)
	assert.Empty(t, s.did("plan rollback"))
	assert.Contains(t, steps(p), "extended")
}

func TestTrafficThatComesInTheExtensionVerifies(t *testing.T) {
	s := newStage(t, 4)
	s.measured = func(n int, m models.Measurement) models.Measurement {
		if n <= 5 {
			m.New.Requests, m.Old.Requests = 1, 1
		}
		return m
	}
	p := s.up(s.input(8, models.ClassReactive))
	assert.Equal(t, models.OutcomeVerified, p.Outcome, p.Reason)
	assert.Len(t, s.did("measure"), 5+8)
}

func TestCrashingReplicasAreJudgedAtOnceAndTakenBack(t *testing.T) {
	s := newStage(t, 4)
	s.crash, s.need = true, 5
	p := s.up(s.input(8, models.ClassPanic))
	assert.Equal(t, models.OutcomeRolledBack, p.Outcome)
	assert.Equal(t, []string{
		"preflight 8 from [4]", "order 4→8 d1/wave-1 until +60s", "await 8: 4 ready", "measure +0s",
		"plan rollback 8→5", "order 8→5 d1/undo-1 no expiry", "await 5: 4 ready",
		"measure +15s", "measure +30s", "measure +45s", "close rolled_back", "tell rolled_back",
	}, s.effects, "no soak, and never below the need, and measured afterwards")
	assert.Equal(t, models.VerdictRollback, p.Evidence.Verdict)
	assert.Contains(t, p.Reason, "crash")
	assert.Equal(t, 5, *s.closed.Report.FinalReplicas)
}

func TestARollbackTakesNothingThatIsNeeded(t *testing.T) {
	s := newStage(t, 4)
	s.crash, s.need = true, 9
	p := s.up(s.input(8, models.ClassPanic))
	assert.Equal(t, models.OutcomeRolledBack, p.Outcome)
	assert.Len(t, s.did("order"), 1, "what is needed is not taken back")
	assert.Equal(t, 8, *s.closed.Report.FinalReplicas)
	assert.Contains(t, p.Reason, "back to 8")
}

func TestReplicasThatNeverStartAreTakenBack(t *testing.T) {
	s := newStage(t, 4)
	s.neverReady = true
	p := s.up(s.input(8, models.ClassReactive))
	assert.Equal(t, models.OutcomeRolledBack, p.Outcome)
	assert.Contains(t, p.Reason, "not ready")
	assert.Len(t, s.did("measure"), 1+3)
	assert.Equal(t, 4, s.spec)
}

func TestSickReplicasAreTakenBackBeforeAllMeasurementsAreTaken(t *testing.T) {
	for name, c := range map[string]struct {
		errors float64
		taken  int
	}{
		"a critical gate ends it at once":           {0.5, 1},
		"a failed gate ends it at the second time":  {0.02, 2},
		"one failure among good ones is overlooked": {0, 5},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, 4)
			s.measured = func(n int, m models.Measurement) models.Measurement {
				rate := c.errors
				if rate == 0 && n == 2 {
					rate = 0.02
				}
				m.New.ErrorRate = &rate
				return m
			}
			p := s.up(s.input(8, models.ClassReactive))
			if c.errors == 0 {
				assert.Len(t, s.did("measure"), c.taken)
				assert.Equal(t, models.OutcomeVerified, p.Outcome)
				return
			}
			assert.Len(t, s.did("measure"), c.taken+3, "and three after it was taken back")
			assert.Equal(t, models.OutcomeRolledBack, p.Outcome)
			assert.Equal(t, []string{"plan rollback 8→4"}, s.did("plan rollback"))
		})
	}
}

func TestPreflightMayEndAnOperation(t *testing.T) {
	for name, c := range map[string]struct {
		result activities.PreflightResult
		want   models.Outcome
	}{
		"done already":       {activities.PreflightResult{Outcome: models.OutcomeNoOp, Reason: "api has 8 replicas already", Replicas: models.ReplicaSet{Service: "api", Spec: 8}}, models.OutcomeNoOp},
		"the spec has moved": {activities.PreflightResult{Outcome: models.OutcomeRefused, Reason: "the spec has moved", Replicas: models.ReplicaSet{Service: "api", Spec: 6}}, models.OutcomeRefused},
		"too late":           {activities.PreflightResult{Outcome: models.OutcomeExpired, Reason: "the decision was not carried out"}, models.OutcomeExpired},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, 4)
			s.preflight = &c.result
			p := s.up(s.input(8, models.ClassReactive))
			assert.Equal(t, c.want, p.Outcome)
			assert.Equal(t, c.result.Reason, p.Reason)
			assert.Empty(t, s.did("order"))
			assert.False(t, s.closed.Changed)
			assert.Nil(t, s.closed.Report.OrderedAt)
		})
	}
}

func TestAnActuatorThatIsAwayNeverDoublesAndIsNotCalledASuccess(t *testing.T) {
	away := refuse(models.KindUnavailable, "connection refused")
	always := func(int) error { return away }
	for name, c := range map[string]struct {
		before map[string]func(int) error
		want   models.Outcome
		orders []string
		spec   int
	}{
		"before preflight":         {map[string]func(int) error{"Preflight": always}, models.OutcomeExpired, []string{}, 4},
		"the service is not known": {map[string]func(int) error{"Preflight": func(int) error { return refuse(models.KindNotFound, "no such service") }}, models.OutcomeRefused, []string{}, 4},
		"for two attempts to order": {
			map[string]func(int) error{"Order": func(n int) error {
				if n <= 2 {
					return away
				}
				return nil
			}}, models.OutcomeVerified, []string{"order 4→8 d1/wave-1 until +60s"}, 8,
		},
		"until the decision expires":                    {map[string]func(int) error{"Order": always}, models.OutcomeExpired, []string{}, 4},
		"until it expires, and it cannot be looked for": {map[string]func(int) error{"Order": always, "AwaitReady": always}, models.OutcomeFailed, []string{}, 4},
		"it says expired":                               {map[string]func(int) error{"Order": func(int) error { return refuse(models.KindExpired, "too late") }}, models.OutcomeExpired, []string{}, 4},
		"it says conflict":                              {map[string]func(int) error{"Order": func(int) error { return refuse(models.KindConflict, "the spec has moved: it is 5") }}, models.OutcomeRefused, []string{}, 4},
		"every answer to the order is lost": {
			map[string]func(int) error{"Order": func(int) error { return refuse(models.KindUnavailable, "lost") }},
			models.OutcomeVerified, nil, 8,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, 4)
			s.before = c.before
			p := s.up(s.input(8, models.ClassReactive))
			assert.Equal(t, c.want, p.Outcome, p.Reason)
			if c.orders != nil {
				assert.Equal(t, c.orders, s.did("order"))
			} else {
				for _, o := range s.did("order") {
					assert.Contains(t, o, "d1/wave-1", "a repeated order has the same key")
				}
			}
			assert.Equal(t, c.spec, s.spec)
			assert.Equal(t, c.spec != 4 || c.want == models.OutcomeFailed, s.closed.Changed, "what is not known is audited")
		})
	}
}

func TestASecondWaveThatIsRefusedIsSaidTruthfully(t *testing.T) {
	s := newStage(t, 10)
	s.before["Order"] = func(n int) error {
		if n > 1 {
			return refuse(models.KindConflict, "the spec has moved: it is 11")
		}
		return nil
	}
	p := s.up(s.input(40, models.ClassForecast))
	assert.Equal(t, models.OutcomeFailed, p.Outcome)
	assert.Contains(t, p.Reason, "wave 2")
	assert.True(t, s.closed.Changed)
}

func TestARollbackThatCannotBeMadeIsAFailure(t *testing.T) {
	for name, step := range map[string]string{"the need is not known": "PlanRollback", "no order is taken": "Order"} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, 4)
			s.crash = true
			s.before[step] = func(n int) error {
				if step == "Order" && n == 1 {
					return nil
				}
				return refuse(models.KindUnavailable, "connection refused")
			}
			p := s.up(s.input(8, models.ClassPanic))
			assert.Equal(t, models.OutcomeFailed, p.Outcome)
			assert.Contains(t, p.Reason, "connection refused")
			assert.Contains(t, p.Reason, "crash", "why it was to be taken back")
		})
	}
}

func TestARollbackIsPlannedAgainWhenTheSpecMoves(t *testing.T) {
	s := newStage(t, 4)
	s.crash = true
	s.before["Order"] = func(n int) error {
		if n == 2 {
			return refuse(models.KindConflict, "the spec has moved")
		}
		return nil
	}
	p := s.up(s.input(8, models.ClassPanic))
	assert.Equal(t, models.OutcomeRolledBack, p.Outcome, p.Reason)
	assert.Len(t, s.did("plan rollback"), 2)
	assert.Equal(t, []string{"order 4→8 d1/wave-1 until +60s", "order 8→4 d1/undo-2 no expiry"}, s.did("order"))
}

func TestMeasurementsThatCannotBeTakenAreNoSuccess(t *testing.T) {
	s := newStage(t, 4)
	s.before["Measure"] = func(int) error { return refuse(models.KindUnavailable, "connection refused") }
	p := s.up(s.input(8, models.ClassReactive))
	assert.Equal(t, models.OutcomeHeld, p.Outcome)
	assert.Contains(t, p.Reason, "nothing was measured")
	assert.Equal(t, 8, s.spec)
}

func TestAnOperationEndsInItsTime(t *testing.T) {
	s := newStage(t, 4)
	s.service.Policy.OperationDeadlineSeconds = 80
	p := s.up(s.input(8, models.ClassReactive))
	assert.Equal(t, models.OutcomeHeld, p.Outcome, "one of five measurements is no verdict")
	assert.Contains(t, p.Reason, "1 of 5")
	assert.LessOrEqual(t, s.env.Now().Sub(noon), 100*time.Second)
}

func TestAnOutcomeIsNotLostWhileItCannotBeRecorded(t *testing.T) {
	s := newStage(t, 4)
	s.before["CloseDecision"] = func(n int) error {
		if n < 10 { // the test environment tries ten times, the server without end
			return refuse(models.KindUnavailable, "the database is away")
		}
		return nil
	}
	p := s.up(s.input(8, models.ClassReactive))
	assert.Equal(t, models.OutcomeVerified, p.Outcome)
	assert.Greater(t, s.env.Now().Sub(noon), 4*time.Minute, "it waited for the database")
}

func TestABaselineIsInheritedFromASupersededOperation(t *testing.T) {
	s := newStage(t, 8) // four of them are the first operation's
	in := s.input(12, models.ClassPanic)
	in.Baseline, in.BaselineReplicas, in.Expected = 4, []string{"old-0", "old-1", "old-2", "old-3"}, []int{8, 7}
	s.crash, s.old, s.need = true, s.old[:4], 4
	p := s.up(in)
	assert.Equal(t, models.OutcomeRolledBack, p.Outcome)
	assert.Equal(t, "preflight 12 from [8 8 7]", s.effects[0])
	assert.Equal(t, 4, s.spec, "back to what was there before both")
}

func steps(p workflows.OperationProgress) []string {
	names := []string{}
	for _, st := range p.Evidence.Steps {
		names = append(names, st.Name)
	}
	return names
}
