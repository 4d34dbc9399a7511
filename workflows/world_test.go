package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/verification"
	"github.com/wedsync/scalability/worker"
	"github.com/wedsync/scalability/workflows"
)

// world is a service with load, claims and operations, around an Autoscale workflow
// that may continue as new as often as it likes. Effects are noted with their time.
type world struct {
	t     *testing.T
	env   *testsuite.TestWorkflowEnvironment
	every int
	runs  int

	mu      sync.Mutex
	now     time.Time // start of the run
	effects []string
	events  []*event

	service      models.Service
	spec         int
	load         func(at time.Duration) float64
	reservations []models.Reservation
	requests     map[string]models.DecisionRequest
	order        []string // of requests
	closed       map[string]models.Outcome
	running      map[string]workflows.OperationInput
	base         map[string]int // spec before an operation
	overlaps     int
	operation    time.Duration // how long one takes
	outcome      models.Outcome
	mute         bool // operations do not signal that they finished
	deaf         bool // operations do not answer to supersede
	blind        func(at time.Duration) bool
	unrecorded   func(d models.Decision) error
	states       []models.ScalingState
	shadow       bool
	killed       bool
	cause        verification.Cause // of what operations come to
	stuck        string
	declined     string
	undo         bool // operations leave everything as it was
	interval     int
}

// event happens once, at a time of the whole scenario.
type event struct {
	at   time.Duration
	f    func()
	done bool
}

func newWorld(t *testing.T) *world {
	return &world{
		t: t, every: 1000, service: apiService(), spec: 4, interval: 30,
		load:     func(time.Duration) float64 { return 200 },
		requests: map[string]models.DecisionRequest{}, closed: map[string]models.Outcome{},
		running: map[string]workflows.OperationInput{}, base: map[string]int{},
		operation: 41300 * time.Millisecond, outcome: models.OutcomeVerified,
	}
}

func (w *world) at(d time.Duration, f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, &event{at: d, f: f})
}

// since is the scenario's time.
func (w *world) since() time.Duration { return w.env.Now().Sub(noon) }

// later arranges an event while the scenario runs. A run that ends before it leaves it
// to the next one.
func (w *world) later(d time.Duration, f func()) {
	e := &event{at: w.since() + d, f: f}
	w.mu.Lock()
	w.events = append(w.events, e)
	w.mu.Unlock()
	w.arm(e)
}

func (w *world) arm(e *event) {
	w.env.RegisterDelayedCallback(func() {
		if !e.done {
			e.done = true
			e.f()
		}
	}, e.at-w.since())
}

// run plays the scenario until its end, when the workflow is cancelled, and gives the
// effects. Signals that a run did not receive before it continued are in its state, or
// are events of the next run.
func (w *world) run(end time.Duration) []string {
	w.at(end, func() { w.env.CancelWorkflow() })
	in := workflows.AutoscaleInput{Service: w.service.Name, IntervalSeconds: w.interval, ContinueEvery: w.every, Shadow: w.shadow, KillSwitch: w.killed}
	w.now = noon
	for {
		w.runs++
		require.Less(w.t, w.runs, 5000, "it ends")
		err := w.once(in)
		var next *workflow.ContinueAsNewError
		if !errors.As(err, &next) {
			require.True(w.t, temporal.IsCanceledError(err), "%v", err)
			return w.effects
		}
		w.now = w.env.Now()
		in = workflows.AutoscaleInput{}
		require.NoError(w.t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &in))
	}
}

func (w *world) once(in workflows.AutoscaleInput) error {
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(silent{})
	w.env = suite.NewTestWorkflowEnvironment()
	w.env.SetStartTime(w.now)
	w.env.SetTestTimeout(30 * time.Second)
	w.env.SetDetachedChildWait(false)
	w.register()
	w.play()
	for _, e := range w.events {
		if !e.done {
			w.arm(e)
		}
	}
	w.env.ExecuteWorkflow(workflows.AutoscaleType, in)
	require.True(w.t, w.env.IsWorkflowCompleted())
	return w.env.GetWorkflowError()
}

// register puts the world's operations in the place of the real ones. They run on, as
// far as one environment is concerned; their end is an event of the world.
func (w *world) register() {
	worker.Register(fakeOperations{w.env}, worker.Activities{})
	for _, typ := range []string{workflows.ScaleUpType, workflows.ScaleDownType} {
		w.env.RegisterWorkflowWithOptions(func(ctx workflow.Context, in workflows.OperationInput) (workflows.OperationProgress, error) {
			id := workflow.GetInfo(ctx).WorkflowExecution.ID
			w.started(typ, id, in)
			for {
				var s workflows.Supersede
				workflow.GetSignalChannel(ctx, workflows.SignalSupersede).Receive(ctx, &s)
				_ = w.superseded(id, s)
			}
		}, workflow.RegisterOptions{Name: typ})
	}
}

// fakeOperations leaves the real operations out.
type fakeOperations struct {
	*testsuite.TestWorkflowEnvironment
}

func (f fakeOperations) RegisterWorkflowWithOptions(w any, o workflow.RegisterOptions) {
	if o.Name != workflows.ScaleUpType && o.Name != workflows.ScaleDownType {
		f.TestWorkflowEnvironment.RegisterWorkflowWithOptions(w, o)
	}
}

func (w *world) play() {
	w.env.OnActivity("Observe", mock.Anything, mock.Anything).Return(w.observe)
	w.env.OnActivity("RecordDecision", mock.Anything, mock.Anything).Return(w.record).Maybe()
	w.env.OnActivity("CloseDecision", mock.Anything, mock.Anything).Return(w.close).Maybe()
	w.env.OnActivity("SaveState", mock.Anything, mock.Anything).Return(w.save).Maybe()
	w.env.OnSignalExternalWorkflow(mock.Anything, mock.Anything, "", workflows.SignalSupersede, mock.Anything).Return(
		func(_, id, _, _ string, arg any) error { return w.superseded(id, arg.(workflows.Supersede)) }).Maybe()
}

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.effects = append(w.effects, fmt.Sprintf("%.1fs ", w.since().Seconds())+fmt.Sprintf(format, args...))
}

func (w *world) observe(_ context.Context, in activities.ObserveInput) (models.Observation, error) {
	at := w.since()
	if w.blind != nil && w.blind(at) {
		return models.Observation{}, refuse(models.KindUnavailable, "nobody answers")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	load := w.load(at)
	cpu := min(1, load/(w.service.CapacityRPS*float64(w.spec)))
	set := &models.ReplicaSet{Service: w.service.Name, Spec: w.spec, Ready: w.spec}
	for i := range w.spec {
		set.Replicas = append(set.Replicas, models.Replica{ID: fmt.Sprint("r", i), Phase: models.ReplicaReady})
	}
	obs := models.Observation{
		Service: w.service, At: w.env.Now(), Replicas: set, Requests: []models.DecisionRequest{}, Reservations: []models.Reservation{},
		Signals: []models.Signal{signal(models.MetricThroughput, load), signal(models.MetricCPU, cpu)},
	}
	for _, r := range w.reservations {
		if r.ActiveAt(w.env.Now()) {
			obs.Reservations = append(obs.Reservations, r)
		}
	}
	for _, id := range w.order {
		if r, open := w.requests[id]; open {
			obs.Requests = append(obs.Requests, r)
		}
	}
	if in.InFlight != "" {
		obs.Operation = &models.OperationRef{DecisionID: in.InFlight, Outcome: w.closed[in.InFlight]}
	}
	return obs, nil
}

func signal(m models.MetricName, v float64) models.Signal {
	return models.Signal{Metric: m, Avg2: &v, Avg6: &v, Avg60: &v, Avg300: &v, Max60: &v, Completeness: 1}
}

func (w *world) record(_ context.Context, d models.Decision) error {
	if w.unrecorded != nil {
		if err := w.unrecorded(d); err != nil {
			w.note("not recorded")
			return err
		}
	}
	by := ""
	if d.ReservationID != "" {
		by = " for " + d.RequestedBy + " by " + d.ReservationID
	}
	if d.SpikeSampleAt != nil {
		by += fmt.Sprintf(" spike at %.1fs", d.SpikeSampleAt.Sub(noon).Seconds())
	}
	w.note("record %s %d→%d %s%s", d.Direction, d.FromReplicas, d.ToReplicas, d.Class, by)
	assert.Equal(w.t, d.ID, d.Explanation.DecisionID)
	assert.Equal(w.t, workflows.OperationID(d.Service, d.ID), d.WorkflowID)
	assert.Equal(w.t, time.Minute, d.ExpiresAt.Sub(d.CreatedAt))
	w.mu.Lock()
	defer w.mu.Unlock()
	_, taken := w.closed[d.ID]
	assert.False(w.t, taken, "a decision's ID is used once")
	w.closed[d.ID] = models.OutcomeOpen
	delete(w.requests, d.ID)
	return nil
}

func (w *world) close(_ context.Context, in activities.CloseInput) error {
	w.note("close %s: %s", in.Report.Outcome, strings.SplitN(in.Report.Reason, " 0", 2)[0])
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed[in.Report.DecisionID] = in.Report.Outcome
	delete(w.requests, in.Report.DecisionID)
	return nil
}

func (w *world) save(_ context.Context, in activities.StateInput) error {
	s := in.ScalingState
	w.note("state %d of %d %s%s", s.Spec, s.Desired, s.Explanation.Class, map[bool]string{true: " paused", false: ""}[s.Paused])
	w.mu.Lock()
	defer w.mu.Unlock()
	w.states = append(w.states, s)
	return nil
}

// started carries an operation out: its capacity is there at once, its word later.
func (w *world) started(typ, id string, in workflows.OperationInput) {
	assert.Equal(w.t, workflows.OperationID(w.service.Name, in.Decision.ID), id)
	w.note("start %s baseline %d (%d replicas) expected %v", typ, in.Baseline, len(in.BaselineReplicas), in.Expected)
	w.mu.Lock()
	_, recorded := w.closed[in.Decision.ID]
	if len(w.running) > 0 {
		w.overlaps++
	}
	w.running[in.Decision.ID] = in
	w.base[in.Decision.ID] = in.Baseline
	w.spec = in.Decision.ToReplicas
	w.mu.Unlock()
	assert.True(w.t, recorded, "the row is committed before the operation starts")
	w.later(w.operation, func() { w.finish(in.Decision.ID, w.outcome) })
}

func (w *world) finish(id string, outcome models.Outcome) {
	w.mu.Lock()
	in, runs := w.running[id]
	if !runs {
		w.mu.Unlock()
		return
	}
	delete(w.running, id)
	w.closed[id] = outcome
	if outcome == models.OutcomeRolledBack || w.undo {
		w.spec = in.Baseline
	}
	spec := w.spec
	w.mu.Unlock()
	w.note("finished %s", outcome)
	if w.mute {
		return
	}
	f := workflows.OperationFinished{DecisionID: id, Outcome: outcome, Spec: spec, Baseline: in.Baseline, Cause: w.cause, Stuck: w.stuck, DeclinedBy: w.declined}
	if outcome == models.OutcomeSuperseded {
		f.BaselineReplicas = []string{"r0", "r1", "r2", "r3"}
	}
	w.env.SignalWorkflow(workflows.SignalOperationFinished, f)
}

func (w *world) superseded(id string, _ workflows.Supersede) error {
	w.note("supersede")
	decision := id[strings.LastIndex(id, "/")+1:]
	w.mu.Lock()
	_, runs := w.running[decision]
	w.mu.Unlock()
	switch {
	case !runs:
		return errors.New("not found")
	case !w.deaf:
		w.later(700*time.Millisecond, func() { w.finish(decision, models.OutcomeSuperseded) })
	}
	return nil
}

// spike signals load that was seen a second before.
func (w *world) spike(rps float64) {
	now := w.env.Now()
	w.env.SignalWorkflow(workflows.SignalSpike, models.Spike{
		Service: w.service.Name, SeenAt: now, FirstSampleAt: now.Add(-time.Second), RPS: rps, Reason: "load outran capacity",
	})
}

// ask places a floor with a request, and nudges.
func (w *world) ask(id string, replicas int, hold time.Duration) {
	w.mu.Lock()
	now := w.env.Now()
	w.reservations = append(w.reservations, models.Reservation{
		ID: "res-" + id, Service: w.service.Name, Kind: models.ReservationFloor, Replicas: replicas,
		From: now, Until: now.Add(hold), Holder: "user:anna", Reason: "a big day",
	})
	w.requests[id] = models.DecisionRequest{DecisionID: id, ReservationID: "res-" + id, Actor: "user:anna", CreatedAt: now}
	w.order = append(w.order, id)
	w.mu.Unlock()
	w.env.SignalWorkflow(workflows.SignalReservationChanged, workflows.ReservationChanged{ReservationID: "res-" + id})
}

// answer is what an update came back with.
type answer struct {
	rejected error
	value    workflows.ControlAnswer
	err      error
}

func (w *world) update(name string, arg any) *answer {
	a := &answer{}
	w.env.UpdateWorkflow(name, fmt.Sprint(name, w.since()), &testsuite.TestUpdateCallback{
		OnAccept:   func() {},
		OnReject:   func(err error) { a.rejected = err },
		OnComplete: func(v any, err error) { a.value, _ = v.(workflows.ControlAnswer); a.err = err },
	}, arg)
	return a
}

// only keeps the effects with one of the words.
func only(effects []string, words ...string) []string {
	out := []string{}
	for _, e := range effects {
		for _, word := range words {
			if strings.Contains(e, " "+word) {
				out = append(out, e)
				break
			}
		}
	}
	return out
}
