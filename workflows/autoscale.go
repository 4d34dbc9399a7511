package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

const (
	defaultInterval      = 30 * time.Second
	defaultContinueEvery = 500
	// panicInterval follows a spike that still grows.
	panicInterval = 5 * time.Second
	// spikeLife is how long a spike that could not be decided on is worth deciding on.
	spikeLife = time.Minute
)

// Autoscale watches one service for ever: observe, decide, act, record, wait.
func Autoscale(ctx workflow.Context, in AutoscaleInput) error {
	a := &autoscale{in: in, state: in.State.clone()}
	if err := a.setup(ctx); err != nil {
		return err
	}
	return a.run(ctx)
}

type autoscale struct {
	in    AutoscaleInput
	state AutoscaleState
	wake  bool // something happened that is worth an evaluation now

	spikes, changes, finished, settings workflow.ReceiveChannel
}

// setup opens the channels, and the handlers of updates and queries.
func (a *autoscale) setup(ctx workflow.Context) error {
	if _, err := models.ParseServiceName("service", string(a.in.Service)); err != nil {
		return temporal.NewNonRetryableApplicationError(err.Error(), string(models.KindInvalid), nil)
	}
	a.spikes = workflow.GetSignalChannel(ctx, SignalSpike)
	a.changes = workflow.GetSignalChannel(ctx, SignalReservationChanged)
	a.finished = workflow.GetSignalChannel(ctx, SignalOperationFinished)
	a.settings = workflow.GetSignalChannel(ctx, SignalSettings)
	if _, ok := workflow.GetTypedSearchAttributes(ctx).GetKeyword(SearchAttributeService()); !ok {
		if err := workflow.UpsertTypedSearchAttributes(ctx, SearchAttributeService().ValueSet(string(a.in.Service))); err != nil {
			return err
		}
	}
	if err := a.handleQueries(ctx); err != nil {
		return err
	}
	return a.handleUpdates(ctx)
}

// run is the loop. It ends by continuing as new, or when it is cancelled; an operation
// in flight then goes on to its own end.
func (a *autoscale) run(ctx workflow.Context) error {
	for n := 1; ; n++ {
		a.evaluate(ctx)
		if err := a.await(ctx); err != nil {
			return err
		}
		if n >= a.continueEvery() || workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return a.continueAsNew(ctx)
		}
	}
}

// evaluation is one turn of the loop.
type evaluation struct {
	now         time.Time
	obs         models.Observation
	spike       *models.Spike
	inputs      scaling.Inputs // that was decided on
	explanation models.Explanation
	request     *models.DecisionRequest // that the decision takes up
	launched    *models.Decision
}

// evaluate observes, decides, acts and records.
func (a *autoscale) evaluate(ctx workflow.Context) {
	a.state.Iteration++
	ev := &evaluation{now: workflow.Now(ctx), spike: a.takeSpike(ctx)}
	a.liftPause(ev.now)
	ev.obs = a.observe(ctx)
	a.settle(ctx, ev.obs)
	a.forget(ev.now, ev.obs.Replicas)
	if !a.decide(ctx, ev) {
		a.state.Spike = ev.spike
		return
	}
	if ev.obs.Replicas == nil {
		a.state.Spike = ev.spike // nothing could be decided on it yet
	}
	a.act(ctx, ev)
	a.answerRequests(ctx, ev)
	a.keep(ctx, ev)
}

// observe reads the world. What cannot be read in time is a gap, and without replicas
// the decision is to hold.
func (a *autoscale) observe(ctx workflow.Context) models.Observation {
	in := activities.ObserveInput{Service: a.in.Service}
	if a.state.Operation != nil {
		in.InFlight = a.state.Operation.DecisionID
	}
	var obs models.Observation
	if err := workflow.ExecuteActivity(observing(ctx), observer.Observe, in).Get(ctx, &obs); err != nil {
		obs = models.Observation{At: workflow.Now(ctx), Gaps: []string{"the observation failed: " + cause(err)}}
	}
	switch {
	case obs.Service.Name == a.in.Service:
		svc := obs.Service
		a.state.Catalogue = &svc
	case a.state.Catalogue != nil:
		obs.Service = *a.state.Catalogue
	default:
		// Without bounds and policy no number may be decided on.
		obs.Service.Name, obs.Replicas = a.in.Service, nil
	}
	if r := obs.Replicas; r != nil {
		a.state.Seen = Capacity{Spec: r.Spec, Ready: r.Ready, Pending: r.Pending()}
	}
	return obs
}

// decide asks the policy, as a local activity: the recorded value replays. False: it
// could not be asked.
func (a *autoscale) decide(ctx workflow.Context, ev *evaluation) bool {
	in := scaling.Inputs{
		Now: workflow.Now(ctx), Observation: a.guarded(workflow.Now(ctx), ev.obs), Spike: ev.spike, State: a.state.Policy,
		InFlight: a.state.Operation != nil, Paused: a.state.Paused, Shadow: a.in.Shadow, KillSwitch: a.in.KillSwitch,
	}
	var res activities.DecideResult
	if err := workflow.ExecuteLocalActivity(local(ctx), activities.Decider{}.Decide, in).Get(ctx, &res); err != nil {
		workflow.GetLogger(ctx).Error("no decision", "service", a.in.Service, "error", err)
		return false
	}
	a.state.Policy, ev.explanation, ev.inputs = res.State, res.Explanation, in
	return true
}

// keep records the evaluation for everybody who looks: query, row, memo.
func (a *autoscale) keep(ctx workflow.Context, ev *evaluation) {
	e := ev.explanation
	a.state.Last = &e
	row := models.ScalingState{
		Service: a.in.Service, TickedAt: ev.now, Spec: a.state.Seen.Spec, Ready: a.state.Seen.Ready, Pending: a.state.Seen.Pending,
		Desired: e.Desired, Paused: a.state.Paused, PausedBy: a.state.PausedBy, Explanation: &e,
	}
	if ev.obs.Replicas == nil {
		row.Desired = a.state.Seen.Spec
	}
	if a.state.Operation != nil {
		row.Operation = a.state.Operation.DecisionID
	}
	if err := workflow.ExecuteActivity(within(ctx, recordAttempt, recordBudget), recorder.SaveState, activities.StateInput{ScalingState: row, Inputs: &ev.inputs}).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Warn("the evaluation could not be kept", "service", a.in.Service, "error", err)
	}
	if e.Direction == a.state.Told && a.state.Iteration > 1 {
		return // a memo costs an event: it follows the changes only
	}
	a.state.Told = e.Direction
	if err := workflow.UpsertMemo(ctx, map[string]any{MemoSentence: e.Text}); err != nil {
		workflow.GetLogger(ctx).Warn("no memo", "error", err)
	}
}

// await sleeps until the next evaluation is due or something happens.
func (a *autoscale) await(ctx workflow.Context) error {
	due := workflow.Now(ctx).Add(a.pace(ctx))
	for {
		a.drain(ctx)
		left := due.Sub(workflow.Now(ctx))
		if a.wake || left <= 0 {
			a.wake = false
			return ctx.Err()
		}
		_, err := workflow.AwaitWithTimeout(ctx, left, func() bool {
			return a.wake || a.spikes.Len()+a.changes.Len()+a.finished.Len()+a.settings.Len() > 0
		})
		if err != nil {
			return err
		}
	}
}

// pace is the time to the next evaluation: shorter in a panic, and not past the end of
// a pause.
func (a *autoscale) pace(ctx workflow.Context) time.Duration {
	now := workflow.Now(ctx)
	d := defaultInterval
	if a.in.IntervalSeconds > 0 {
		d = seconds(a.in.IntervalSeconds)
	}
	p := a.state.Policy.PanicUntil
	if panicked := p != nil && now.Before(*p); (panicked || a.state.Spike != nil) && !a.state.Paused {
		d = min(d, panicInterval)
	}
	if u := a.state.PausedUntil; a.state.Paused && u != nil && now.Before(*u) {
		d = min(d, u.Sub(now))
	}
	return d
}

// drain takes what was signalled into the state, where it survives continue-as-new.
func (a *autoscale) drain(ctx workflow.Context) {
	for {
		var s models.Spike
		if !a.spikes.ReceiveAsync(&s) {
			break
		}
		a.sawSpike(ctx, s)
	}
	for {
		var c ReservationChanged
		if !a.changes.ReceiveAsync(&c) {
			break
		}
		a.wake = true
	}
	for {
		var s AutoscaleSettings
		if !a.settings.ReceiveAsync(&s) {
			break
		}
		a.in.IntervalSeconds, a.in.ContinueEvery, a.in.Shadow = s.IntervalSeconds, s.ContinueEvery, s.Shadow
		a.in.KillSwitch, a.in.ApprovalSeconds = s.KillSwitch, s.ApprovalSeconds
	}
	a.drainFinished(ctx)
}

// sawSpike keeps the newest load and the earliest sample of the spikes that wait.
func (a *autoscale) sawSpike(ctx workflow.Context, s models.Spike) {
	if s.Service != a.in.Service {
		workflow.GetLogger(ctx).Warn("a spike of another service was ignored", "service", a.in.Service, "other", s.Service)
		return
	}
	if old := a.state.Spike; old != nil && !old.FirstSampleAt.IsZero() && old.FirstSampleAt.Before(s.FirstSampleAt) {
		s.FirstSampleAt = old.FirstSampleAt
	}
	a.state.Spike = &s
	a.wake = true
}

// takeSpike gives the spike that waits to be decided on, unless it is too old.
func (a *autoscale) takeSpike(ctx workflow.Context) *models.Spike {
	s := a.state.Spike
	a.state.Spike = nil
	if s == nil || workflow.Now(ctx).Sub(s.SeenAt) > spikeLife {
		return nil
	}
	return s
}

func (a *autoscale) continueEvery() int {
	if a.in.ContinueEvery > 0 {
		return a.in.ContinueEvery
	}
	return defaultContinueEvery
}

// continueAsNew starts the next run with what this one knows, after every handler has
// answered and every signal is in the state.
func (a *autoscale) continueAsNew(ctx workflow.Context) error {
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
		return err
	}
	a.drain(ctx)
	return workflow.NewContinueAsNewError(ctx, AutoscaleType, a.carry())
}

// carry is the one place that makes the next run's input.
func (a *autoscale) carry() AutoscaleInput {
	return AutoscaleInput{
		Service: a.in.Service, IntervalSeconds: a.in.IntervalSeconds, ContinueEvery: a.in.ContinueEvery,
		Shadow: a.in.Shadow, KillSwitch: a.in.KillSwitch, ApprovalSeconds: a.in.ApprovalSeconds, State: a.state.clone(),
	}
}
