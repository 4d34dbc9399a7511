package workflows_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/worker"
	"github.com/wedsync/scalability/workflows"
)

// stage runs one ScaleUp or ScaleDown among activities that play a service. Each effect
// is noted, in order.
type stage struct {
	t   *testing.T
	env *testsuite.TestWorkflowEnvironment

	mu      sync.Mutex
	effects []string
	counts  map[string]int

	service models.Service
	spec    int
	old     []string
	need    int

	crash      bool // new replicas crash
	neverReady bool
	measured   func(n int, m models.Measurement) models.Measurement // changes the nth measurement, from 1
	before     map[string]func(n int) error                         // runs before the nth call of an activity
	after      map[string]func(n int)                               // runs when it has done its work, before it answers
	closed     *activities.CloseInput
	told       *workflows.OperationFinished
	preflight  *activities.PreflightResult
	probe      func(models.ProbeRequest) bool
	busy       func(in activities.PreflightInput, n int) string // what the nth preflight has to wait for
}

func newStage(t *testing.T, spec int) *stage {
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(silent{})
	s := &stage{
		t: t, env: suite.NewTestWorkflowEnvironment(), counts: map[string]int{}, spec: spec,
		service: apiService(), need: spec, before: map[string]func(int) error{}, after: map[string]func(int){},
	}
	for i := range spec {
		s.old = append(s.old, fmt.Sprintf("old-%d", i))
	}
	s.env.SetStartTime(noon)
	s.env.SetTestTimeout(20 * time.Second)
	worker.Register(s.env, worker.Activities{})
	s.play()
	t.Cleanup(func() {
		if !t.Failed() {
			s.env.AssertExpectations(t)
		}
	})
	return s
}

var noon = time.Date(2027, 6, 12, 12, 0, 0, 0, time.UTC)

// apiService has the default policy.
func apiService() models.Service {
	for _, s := range models.DefaultServices("fleet") {
		if s.Name == models.ServiceAPI {
			s.MaxReplicas, s.AbsoluteMaxReplicas = 100, 200
			return s
		}
	}
	panic("the catalogue has no api")
}

func (s *stage) play() {
	s.env.OnActivity("Preflight", mock.Anything, mock.Anything).Return(s.doPreflight).Maybe()
	s.env.OnActivity("Order", mock.Anything, mock.Anything).Return(s.doOrder).Maybe()
	s.env.OnActivity("AwaitReady", mock.Anything, mock.Anything).Return(s.doAwait).Maybe()
	s.env.OnActivity("Measure", mock.Anything, mock.Anything).Return(s.doMeasure).Maybe()
	if s.probe == nil {
		s.probe = func(models.ProbeRequest) bool { return false }
	}
	s.env.OnActivity("Probe", mock.Anything, mock.Anything).Return(func(_ context.Context, req models.ProbeRequest) (activities.ProbeResult, error) {
		return activities.ProbeResult{Sent: s.probe(req)}, nil
	}).Maybe()
	s.env.OnActivity("PlanRollback", mock.Anything, mock.Anything).Return(s.doPlan).Maybe()
	s.env.OnActivity("CloseDecision", mock.Anything, mock.Anything).Return(s.doClose)
	s.env.OnSignalExternalWorkflow(mock.Anything, "autoscale/api", "", workflows.SignalOperationFinished, mock.Anything).Return(
		func(_, _, _, _ string, arg any) error {
			f := arg.(workflows.OperationFinished)
			s.mu.Lock()
			s.told = &f
			s.mu.Unlock()
			s.note("tell " + string(f.Outcome))
			return nil
		}).Once()
}

func (s *stage) note(effect string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.effects = append(s.effects, effect)
}

// call counts an activity and runs what a test wants before it.
func (s *stage) call(name string) error {
	s.mu.Lock()
	s.counts[name]++
	n, f := s.counts[name], s.before[name]
	s.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(n)
}

// worked runs what a test wants when an activity has done its work.
func (s *stage) worked(name string) {
	s.mu.Lock()
	n, f := s.counts[name], s.after[name]
	s.mu.Unlock()
	if f != nil {
		f(n)
	}
}

func (s *stage) set() models.ReplicaSet {
	s.mu.Lock()
	defer s.mu.Unlock()
	set := models.ReplicaSet{Service: s.service.Name, Spec: s.spec}
	for i := range s.spec {
		r := models.Replica{ID: fmt.Sprintf("new-%d", i), Phase: models.ReplicaReady}
		if i < len(s.old) {
			r.ID = s.old[i]
		} else if s.crash {
			r.Phase = models.ReplicaCrashing
		} else if s.neverReady {
			r.Phase = models.ReplicaPending
		}
		if r.Phase == models.ReplicaReady {
			set.Ready++
		}
		set.Replicas = append(set.Replicas, r)
	}
	return set
}

func (s *stage) doPreflight(_ context.Context, in activities.PreflightInput) (activities.PreflightResult, error) {
	defer s.worked("Preflight")
	if err := s.call("Preflight"); err != nil {
		return activities.PreflightResult{}, err
	}
	s.note(fmt.Sprintf("preflight %d from %v", in.Target, in.Expected))
	if s.preflight != nil {
		return *s.preflight, nil
	}
	if s.busy != nil {
		if why := s.busy(in, s.counts["Preflight"]); why != "" {
			return activities.PreflightResult{Busy: why}, nil
		}
	}
	m, set := s.measurement(nil), s.set()
	before := &models.Standing{At: s.env.Now(), Spec: set.Spec, Ready: set.Ready, CostPerHour: float64(set.Spec) * s.service.CostPerReplicaHour}
	return activities.PreflightResult{Replicas: set, Baseline: &m, Before: before}, nil
}

func (s *stage) doOrder(_ context.Context, req models.ApplyRequest) (models.ApplyResult, error) {
	defer s.worked("Order")
	// The order is carried out, and then the answer may be lost.
	fault := s.call("Order")
	if fault != nil && !strings.HasPrefix(fault.Error(), "lost") {
		s.note("no order: " + fault.Error())
		return models.ApplyResult{}, fault
	}
	expiry := "no expiry"
	if !req.NotAfter.IsZero() {
		expiry = fmt.Sprintf("until +%.0fs", req.NotAfter.Sub(noon).Seconds())
	}
	s.note(fmt.Sprintf("order %d→%d %s %s", req.ExpectedSpec, req.Desired, req.Key, expiry))
	s.mu.Lock()
	s.spec = req.Desired
	s.mu.Unlock()
	if fault != nil {
		return models.ApplyResult{}, fault
	}
	return models.ApplyResult{Outcome: models.ApplyApplied, Reason: "spec moved", Observed: s.set()}, nil
}

func (s *stage) doAwait(_ context.Context, in activities.AwaitInput) (activities.AwaitResult, error) {
	defer s.worked("AwaitReady")
	if err := s.call("AwaitReady"); err != nil {
		return activities.AwaitResult{}, err
	}
	set := s.set()
	enough := in.Spec
	if in.Enough > 0 {
		enough = in.Enough
	}
	res := activities.AwaitResult{Replicas: set, Ready: set.Spec == in.Spec && set.Ready >= enough}
	if s.crash && set.Spec > len(s.old) {
		res.Crashing = set.Spec - len(s.old)
	}
	s.note(fmt.Sprintf("await %d: %d ready", in.Spec, set.Ready))
	return res, nil
}

func (s *stage) doMeasure(_ context.Context, req models.MeasureRequest) (models.Measurement, error) {
	defer s.worked("Measure")
	if err := s.call("Measure"); err != nil {
		return models.Measurement{}, err
	}
	m := s.measurement(req.Baseline)
	s.mu.Lock()
	n, f := s.counts["Measure"], s.measured
	s.mu.Unlock()
	if f != nil {
		m = f(n, m)
	}
	s.note(fmt.Sprintf("measure +%.0fs", s.env.Now().Sub(noon).Seconds()))
	return m, nil
}

// measurement is a service that serves well, each replica alike.
func (s *stage) measurement(baseline []string) models.Measurement {
	set := s.set()
	newReplicas := max(0, set.Spec-len(baseline))
	if baseline == nil {
		newReplicas = 0
	}
	good, p95 := 0.001, 80.0
	m := models.Measurement{
		WindowSeconds: 15, Spec: set.Spec, Ready: set.Ready,
		New:     models.CohortStats{Replicas: newReplicas, Requests: int64(newReplicas) * 300, ErrorRate: &good, P95MS: &p95},
		Old:     models.CohortStats{Replicas: set.Spec - newReplicas, Requests: int64(set.Spec-newReplicas) * 300, ErrorRate: &good, P95MS: &p95},
		Service: models.CohortStats{Replicas: set.Spec, Requests: int64(set.Spec) * 300, ErrorRate: &good, P95MS: &p95},
	}
	for _, r := range set.Replicas {
		if r.Phase == models.ReplicaCrashing {
			m.Crashing++
			m.Unhealthy = append(m.Unhealthy, r.ID)
		}
	}
	return m
}

func (s *stage) doPlan(_ context.Context, in activities.RollbackInput) (activities.RollbackPlan, error) {
	defer s.worked("PlanRollback")
	if err := s.call("PlanRollback"); err != nil {
		return activities.RollbackPlan{}, err
	}
	from := s.set().Spec
	target := min(from, max(in.BaselineSpec, s.need))
	s.note(fmt.Sprintf("plan rollback %d→%d", from, target))
	return activities.RollbackPlan{From: from, Target: target, Need: s.need, Reason: fmt.Sprintf("back to %d", target), Victims: in.Unhealthy}, nil
}

func (s *stage) doClose(_ context.Context, in activities.CloseInput) error {
	defer s.worked("CloseDecision")
	if err := s.call("CloseDecision"); err != nil {
		return err
	}
	s.note("close " + string(in.Report.Outcome))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = &in
	return nil
}

func (s *stage) input(to int, class models.Class) workflows.OperationInput {
	dir := models.DirectionUp
	if to < s.spec {
		dir = models.DirectionDown
	}
	return workflows.OperationInput{
		Service: s.service, Baseline: s.spec,
		Decision: models.Decision{
			ID: "d1", Service: s.service.Name, CreatedAt: noon, ExpiresAt: noon.Add(time.Minute), RequestedBy: "autoscale/api",
			Class: class, Direction: dir, FromReplicas: s.spec, ToReplicas: to, Sentence: "Scale api.", Status: models.DecisionExecuting,
		},
	}
}

// up runs ScaleUp to its end; wantErr is "" or part of the workflow's error.
func (s *stage) up(in workflows.OperationInput) workflows.OperationProgress {
	s.env.ExecuteWorkflow(workflows.ScaleUpType, in)
	return s.ended()
}

func (s *stage) down(in workflows.OperationInput) workflows.OperationProgress {
	s.env.ExecuteWorkflow(workflows.ScaleDownType, in)
	return s.ended()
}

// ended reads the state that the workflow left, and checks what holds at every end.
func (s *stage) ended() workflows.OperationProgress {
	require.True(s.t, s.env.IsWorkflowCompleted(), "the operation ends")
	v, err := s.env.QueryWorkflow(workflows.QueryState)
	require.NoError(s.t, err)
	var p workflows.OperationProgress
	require.NoError(s.t, v.Get(&p))
	s.mu.Lock()
	defer s.mu.Unlock()
	require.NotNil(s.t, s.closed, "the outcome is recorded: %v", s.effects)
	assert.Equal(s.t, p.Outcome, s.closed.Report.Outcome)
	assert.NotEqual(s.t, models.OutcomeOpen, p.Outcome)
	assert.NotEmpty(s.t, p.Reason)
	assert.Equal(s.t, "done", p.Phase)
	require.NotNil(s.t, s.told, "the autoscaler is told")
	assert.Equal(s.t, p.Outcome, s.told.Outcome)
	closed, told := slices.Index(s.effects, "close "+string(p.Outcome)), slices.Index(s.effects, "tell "+string(p.Outcome))
	assert.GreaterOrEqual(s.t, closed, 0)
	assert.Greater(s.t, told, closed, "recorded before told: %v", s.effects)
	return p
}

// did lists the effects on capacity: orders and what became of them.
func (s *stage) did(prefix string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []string{}
	for _, e := range s.effects {
		if strings.HasPrefix(e, prefix) {
			out = append(out, e)
		}
	}
	return out
}

func (s *stage) cancelled() bool {
	return temporal.IsCanceledError(s.env.GetWorkflowError())
}

// refuse is an error as an activity classifies it.
func refuse(kind models.Kind, text string) error {
	switch kind {
	case models.KindUnavailable:
		return temporal.NewApplicationError(text, string(kind))
	default:
		return temporal.NewNonRetryableApplicationError(text, string(kind), nil)
	}
}

// silent drops the test environment's log.
type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}
