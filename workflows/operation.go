package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/verification"
)

// Phases of an operation.
const (
	phaseApproval  = "approval"
	phasePreflight = "preflight"
	phaseOrder     = "order"
	phaseReady     = "ready"
	phaseSoak      = "soak"
	phaseMeasure   = "measure"
	phaseRollback  = "rollback"
	phaseRecord    = "record"
	phaseDone      = "done"
)

// OutcomeAttributeOpen is the outcome's search attribute while an operation runs.
const OutcomeAttributeOpen = "open"

// operation is the working state of ScaleUp and ScaleDown.
type operation struct {
	in       OperationInput
	decision models.Decision
	policy   models.ScalingPolicy
	progress OperationProgress
	deadline time.Time
	expires  time.Time // of the first order

	baseline     []string            // replicas from before the change
	before       *models.Measurement // how the service did before it
	spec         *int                // as last observed; nil = not known
	ready        int                 // as last observed
	found        int                 // spec that preflight found
	served       int                 // replicas that were ready then
	lame         int                 // replicas from before that did not serve then
	orderedAt    *time.Time
	supersededBy string
	waited       bool               // for a person
	declinedBy   string             // who did not agree
	cause        verification.Cause // of the verdict that takes it back
	stuck        string             // why it is neither done nor undone
	// compensate takes the change back. It is set before the first order and may be
	// run more than once.
	compensate func(ctx workflow.Context) (string, error)
}

// ending is how an operation ends. Interrupted: somebody stopped it on the way, and
// interruption says what becomes of it.
type ending struct {
	outcome     models.Outcome
	reason      string
	interrupted bool
}

func newOperation(ctx workflow.Context, in OperationInput) *operation {
	return &operation{
		in: in, decision: in.Decision, policy: in.Service.Policy,
		deadline: workflow.Now(ctx).Add(seconds(in.Service.Policy.OperationDeadlineSeconds)), expires: in.Decision.ExpiresAt,
		baseline: in.BaselineReplicas,
		progress: OperationProgress{
			DecisionID: in.Decision.ID, Phase: phasePreflight, Target: in.Decision.ToReplicas,
			Evidence: models.Evidence{Measurements: []models.Measurement{}, Checks: []models.Check{}, Steps: []models.Step{}},
		},
	}
}

// run tells a story to its end, whatever happens on the way: the outcome is recorded and
// the autoscaler is told.
func (o *operation) run(ctx workflow.Context, story func(workflow.Context) ending) (OperationProgress, error) {
	if err := workflow.SetQueryHandler(ctx, QueryState, func() (OperationProgress, error) { return o.progress, nil }); err != nil {
		return o.progress, err
	}
	if err := o.handleApproval(ctx); err != nil {
		return o.progress, err
	}
	end := story(o.interruptible(ctx))
	after, release := workflow.NewDisconnectedContext(ctx)
	defer release()
	if end.interrupted {
		end = o.interruption(ctx, after)
	}
	if o.compensate != nil && o.spec == nil {
		o.look(after) // what stands is part of the record
	}
	o.close(after, end)
	o.report(after, end)
	return o.progress, ctx.Err()
}

// interruptible is the context of the story: it ends when the run is cancelled or a
// later decision takes over.
func (o *operation) interruptible(ctx workflow.Context) workflow.Context {
	story, stop := workflow.WithCancel(ctx)
	workflow.Go(ctx, func(ctx workflow.Context) {
		var s Supersede
		workflow.GetSignalChannel(ctx, SignalSupersede).Receive(ctx, &s)
		o.supersededBy = s.ByDecisionID
		if s.ByDecisionID == "" {
			o.supersededBy = "unknown"
		}
		stop()
	})
	return story
}

// interruption ends a story that was stopped: superseded keeps what was ordered,
// cancelled takes it back.
func (o *operation) interruption(ctx, after workflow.Context) ending {
	if ctx.Err() == nil {
		if o.compensate != nil && o.spec == nil {
			o.look(after)
		}
		o.step(after, "superseded", "by decision "+o.supersededBy+"; what was ordered stays")
		return ending{outcome: models.OutcomeSuperseded, reason: "decision " + o.supersededBy + " took over"}
	}
	if o.compensate == nil {
		return ending{outcome: models.OutcomeCancelled, reason: "stopped by a person before anything was ordered"}
	}
	o.phase(phaseRollback)
	text, err := o.compensate(after)
	if err != nil {
		o.stuck = fmt.Sprintf("it was stopped, and what was ordered could not be taken back: %v", err)
		reason := fmt.Sprintf("stopped by a person, and what was ordered could not be taken back: %v", err)
		o.step(after, "compensation failed", reason)
		return ending{outcome: models.OutcomeFailed, reason: reason}
	}
	return ending{outcome: models.OutcomeCancelled, reason: "stopped by a person; " + text}
}

// order asks the actuator for a spec. Its compensation is registered before. An answer
// that got lost is looked for: only what is known to be refused is called refused.
func (o *operation) order(ctx workflow.Context, wave, target int) *ending {
	o.phase(phaseOrder)
	o.progress.Wave = wave + 1
	notAfter := o.expires
	if wave > 0 {
		notAfter = o.deadline
	}
	req := models.ApplyRequest{
		Service: o.in.Service.Name, ExpectedSpec: o.known(), Desired: target,
		Key: fmt.Sprintf("%s/wave-%d", o.decision.ID, wave+1), NotAfter: notAfter,
	}
	// The budget reaches past the expiry, so that the actuator itself can say that an
	// order whose answer was lost was carried out, or never will be.
	budget := max(notAfter.Sub(workflow.Now(ctx)), time.Second) + 2*effectAttempt
	var res models.ApplyResult
	err := workflow.ExecuteActivity(ordering(ctx, budget), operator.Order, req).Get(ctx, &res)
	if err == nil {
		o.ordered(ctx, res.Observed, res.Reason)
		return nil
	}
	if ctx.Err() != nil {
		o.spec = nil
		return &ending{interrupted: true}
	}
	return o.orderFailed(ctx, err, wave, target)
}

func (o *operation) ordered(ctx workflow.Context, set models.ReplicaSet, why string) {
	o.saw(set)
	if o.orderedAt == nil {
		now := workflow.Now(ctx)
		o.orderedAt = &now
	}
	o.step(ctx, phaseOrder, fmt.Sprintf("%d replicas ordered (%s)", set.Spec, why))
}

// orderFailed finds out what became of an order that was not answered with a result.
func (o *operation) orderFailed(ctx workflow.Context, err error, wave, target int) *ending {
	why := cause(err)
	o.step(ctx, phaseOrder, "no order: "+why)
	if !definite(err) {
		set, ok := o.look(ctx)
		switch {
		case ctx.Err() != nil:
			return &ending{interrupted: true}
		case !ok:
			return &ending{outcome: models.OutcomeFailed, reason: "the actuator did not answer, and what became of the order is not known: " + why}
		case set.Spec == target:
			o.ordered(ctx, set, "the answer was lost")
			return nil
		}
	}
	switch {
	case wave > 0:
		return &ending{outcome: models.OutcomeFailed, reason: fmt.Sprintf("wave %d was not ordered, the %d replicas of the waves before stand: %s", wave+1, o.known(), why)}
	case definite(err) && activities.KindOf(err) != models.KindExpired:
		return &ending{outcome: models.OutcomeRefused, reason: "the actuator refused: " + why}
	default:
		return &ending{outcome: models.OutcomeExpired, reason: "the actuator took no order in time, nothing was changed: " + why}
	}
}

// look reads the replicas once, now.
func (o *operation) look(ctx workflow.Context) (models.ReplicaSet, bool) {
	in := activities.AwaitInput{Service: o.in.Service.Name, Spec: o.known(), Deadline: workflow.Now(ctx), Baseline: o.baseline}
	var res activities.AwaitResult
	if err := workflow.ExecuteActivity(within(ctx, effectAttempt, lookBudget), operator.AwaitReady, in).Get(ctx, &res); err != nil {
		o.spec = nil
		return res.Replicas, false
	}
	o.saw(res.Replicas)
	return res.Replicas, true
}

func (o *operation) saw(set models.ReplicaSet) {
	spec := set.Spec
	o.spec, o.ready = &spec, set.Ready
}

// known is the spec as last observed, or the one that the decision was made at.
func (o *operation) known() int {
	if o.spec != nil {
		return *o.spec
	}
	return o.decision.FromReplicas
}

// close records the outcome, however long that takes.
func (o *operation) close(ctx workflow.Context, end ending) {
	o.phase(phaseRecord)
	if end.outcome == models.OutcomeFailed {
		o.flag(ctx, "operation_failed", models.FlagPage, end.reason)
	}
	o.progress.Outcome, o.progress.Reason = end.outcome, end.reason
	o.conclude(ctx, end)
	o.step(ctx, string(end.outcome), end.reason)
	evidence := o.progress.Evidence
	report := models.OutcomeReport{
		DecisionID: o.decision.ID, Outcome: end.outcome, Reason: end.reason, FinishedAt: workflow.Now(ctx),
		FinalReplicas: o.spec, Evidence: &evidence, OrderedAt: o.orderedAt,
	}
	in := activities.CloseInput{
		Service: o.in.Service.Name, Report: report, Actor: o.decision.RequestedBy,
		DecidedAt: o.decision.CreatedAt, SpikeSampleAt: o.decision.SpikeSampleAt,
		Changed: o.orderedAt != nil || (o.compensate != nil && (o.spec == nil || *o.spec != o.found)),
	}
	if err := workflow.ExecuteActivity(untilDone(ctx), recorder.CloseDecision, in).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Error("the outcome could not be recorded", "decision", o.decision.ID, "outcome", end.outcome, "error", err)
	}
	found := []temporal.SearchAttributeUpdate{SearchAttributeOutcome().ValueSet(string(end.outcome))}
	if severity := o.severity(); severity != "" {
		found = append(found, SearchAttributeSeverity().ValueSet(severity))
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, found...); err != nil {
		workflow.GetLogger(ctx).Warn("the outcome is not searchable", "error", err)
	}
}

// report tells the autoscaler; it may be gone, and finds the outcome in the row too.
func (o *operation) report(ctx workflow.Context, end ending) {
	msg := OperationFinished{DecisionID: o.decision.ID, Outcome: end.outcome, Spec: o.known(), Baseline: o.in.Baseline, Cause: o.cause, Stuck: o.stuck, DeclinedBy: o.declinedBy}
	if end.outcome == models.OutcomeSuperseded {
		msg.BaselineReplicas = o.baseline
	}
	if err := workflow.SignalExternalWorkflow(ctx, AutoscaleID(o.in.Service.Name), "", SignalOperationFinished, msg).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Info("no autoscaler to tell", "error", err)
	}
	o.phase(phaseDone)
}

func (o *operation) phase(name string) { o.progress.Phase = name }

func (o *operation) step(ctx workflow.Context, name, text string) {
	o.progress.Evidence.Steps = append(o.progress.Evidence.Steps, models.Step{At: workflow.Now(ctx), Name: name, Text: text})
}

// left is the time that the operation still has.
func (o *operation) left(ctx workflow.Context) time.Duration {
	return max(0, o.deadline.Sub(workflow.Now(ctx)))
}
