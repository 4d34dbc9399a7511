package workflows

import (
	"fmt"
	"math"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
)

const (
	// approvalWait is how long a change waits for a person when nobody said how long.
	approvalWait = 15 * time.Minute
	// approvalParts divide the wait: after each but the last, somebody is reminded.
	approvalParts = 3
	// approvalShare and approvalReplicas bound a scale-in that nobody has to agree to.
	approvalShare    = 0.30
	approvalReplicas = 10.0
	// emergencyLimit bounds an operation that people wait for, unless its own replicas
	// need longer to start and to be measured.
	emergencyLimit = 5 * time.Minute
	// rolloutPatience is how long a planned change waits for a rollout; then it joins.
	rolloutPatience = 2 * time.Minute
	rolloutPoll     = 10 * time.Second
)

// admit lets a change begin: who has to agree does, and nothing speaks against it. Nil
// means go.
func (o *operation) admit(ctx workflow.Context) *ending {
	if end := o.approval(ctx); end != nil {
		return end
	}
	o.deadline = workflow.Now(ctx).Add(o.limit())
	return o.preflight(ctx)
}

// limit is the time for the whole operation, without the wait for a person.
func (o *operation) limit() time.Duration {
	whole := seconds(o.policy.OperationDeadlineSeconds)
	if !o.emergency() {
		return whole
	}
	once := o.soft() + seconds(o.policy.SoakSeconds+o.policy.Measurements*o.policy.MeasurementIntervalSeconds)
	return min(whole, max(emergencyLimit, once))
}

// emergency says whether people wait for the capacity now.
func (o *operation) emergency() bool {
	d := o.decision
	if d.Direction != models.DirectionUp {
		return false
	}
	e := d.Explanation
	return d.Class == models.ClassPanic || (e != nil && (e.Urgency == models.UrgencyNow || e.Mode == string(models.ModeEmergency)))
}

func (o *operation) weddingDay() bool {
	e := o.decision.Explanation
	return e != nil && e.Mode == string(models.ModeWeddingDay)
}

// approvalNeeded says why a person has to agree, "" when nobody has to. Growth never
// waits.
func approvalNeeded(d models.Decision) string {
	if d.Direction != models.DirectionDown {
		return ""
	}
	if e := d.Explanation; e != nil && e.Approval != nil {
		return e.Approval.Reason
	}
	if removed := d.FromReplicas - d.ToReplicas; float64(removed) > math.Max(approvalShare*float64(d.FromReplicas), approvalReplicas) {
		return fmt.Sprintf("it removes %d of %d at once", removed, d.FromReplicas)
	}
	return ""
}

// approval waits for a person. Until one agrees nothing is touched; without an answer in
// time nothing ever is.
func (o *operation) approval(ctx workflow.Context) *ending {
	why := approvalNeeded(o.decision)
	if why == "" {
		return nil
	}
	o.phase(phaseApproval)
	wait := approvalWait
	if o.in.ApprovalSeconds > 0 {
		wait = seconds(o.in.ApprovalSeconds)
	}
	now := workflow.Now(ctx)
	a := &models.ApprovalEvidence{Why: why, AskedAt: now, ExpiresAt: now.Add(wait)}
	o.progress.Evidence.Approval = a
	o.step(ctx, phaseApproval, fmt.Sprintf("%s: a person has to agree by %s", why, clock(a.ExpiresAt)))
	for part := range approvalParts {
		if part > 0 {
			o.step(ctx, phaseApproval, fmt.Sprintf("reminder %d: nobody has answered, it expires at %s", part, clock(a.ExpiresAt)))
		}
		answered, err := workflow.AwaitWithTimeout(ctx, wait/approvalParts, func() bool { return a.Verdict != models.ApprovalWaiting })
		if err != nil {
			return &ending{interrupted: true}
		}
		if answered {
			break
		}
	}
	switch a.Verdict {
	case models.ApprovalApproved:
		o.expires, o.waited = workflow.Now(ctx).Add(decisionLife), true
		o.step(ctx, phaseApproval, fmt.Sprintf("%s agreed: %s", a.Actor, a.Reason))
		return nil
	case models.ApprovalRejected:
		o.declinedBy = a.Actor
		return &ending{outcome: models.OutcomeRefused, reason: fmt.Sprintf("%s said no: %s; everything is as it was", a.Actor, a.Reason)}
	default:
		a.Verdict = models.ApprovalExpired
		o.declinedBy = "nobody"
		return &ending{outcome: models.OutcomeExpired, reason: fmt.Sprintf("nobody agreed in %s (%s); everything is as it was", wait, why)}
	}
}

// handleApproval takes the answers of people. One that nobody waits for, that has no
// reason, or that is of who asked for the change, is rejected before it counts.
func (o *operation) handleApproval(ctx workflow.Context) error {
	answer := func(verdict models.ApprovalVerdict) func(workflow.Context, ApprovalRequest) (ApprovalAnswer, error) {
		return func(ctx workflow.Context, r ApprovalRequest) (ApprovalAnswer, error) {
			now := workflow.Now(ctx)
			a := o.progress.Evidence.Approval
			a.Verdict, a.Actor, a.Reason, a.At = verdict, r.Actor, r.Reason, &now
			return ApprovalAnswer{
				DecisionID: o.decision.ID, Verdict: verdict,
				Text: fmt.Sprintf("%s %d→%d is %s by %s.", o.in.Service.Name, o.decision.FromReplicas, o.decision.ToReplicas, verdict, r.Actor),
			}, nil
		}
	}
	options := workflow.UpdateHandlerOptions{
		Validator: func(_ workflow.Context, r ApprovalRequest) error { return rejected(o.validApproval(r)) },
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, UpdateApprove, answer(models.ApprovalApproved), options); err != nil {
		return err
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, UpdateReject, answer(models.ApprovalRejected), options)
}

func (o *operation) validApproval(r ApprovalRequest) error {
	a := o.progress.Evidence.Approval
	if a == nil || a.Verdict != models.ApprovalWaiting || o.progress.Phase != phaseApproval {
		return &models.Error{Kind: models.KindConflict, Field: "decisionId", Value: o.decision.ID, Rule: "does not wait for approval"}
	}
	if err := validCommand(r.Actor, r.Reason); err != nil {
		return err
	}
	if r.Actor == o.decision.RequestedBy {
		return models.Invalid("actor", r.Actor, "must be somebody else than who asked for the change")
	}
	return nil
}

// preflight looks before anything is changed; nil means go. A rollout that is under way is
// waited for, and joined when it takes too long or people wait.
func (o *operation) preflight(ctx workflow.Context) *ending {
	o.phase(phasePreflight)
	join := workflow.Now(ctx).Add(rolloutPatience)
	for {
		res, end := o.lookBefore(ctx, !workflow.Now(ctx).Before(join))
		switch {
		case end != nil:
			return end
		case res.Busy == "":
			o.admitted(ctx, res)
			return nil
		}
		o.step(ctx, phasePreflight, res.Busy+"; it is waited for")
		if err := workflow.Sleep(ctx, rolloutPoll); err != nil {
			return &ending{interrupted: true}
		}
		o.expires = workflow.Now(ctx).Add(decisionLife) // the wait is ours, and everything is looked at again
	}
}

// lookBefore is one preflight.
func (o *operation) lookBefore(ctx workflow.Context, join bool) (activities.PreflightResult, *ending) {
	in := activities.PreflightInput{
		Service: o.in.Service, Target: o.decision.ToReplicas, Class: o.decision.Class, Emergency: join || o.emergency(), Waited: o.waited,
		Expected:  append([]int{o.decision.FromReplicas}, o.in.Expected...),
		ExpiresAt: o.expires,
	}
	var res activities.PreflightResult
	budget := max(o.expires.Sub(workflow.Now(ctx)), time.Second) + recordBudget
	err := workflow.ExecuteActivity(within(ctx, effectAttempt, budget), operator.Preflight, in).Get(ctx, &res)
	switch {
	case ctx.Err() != nil:
		return res, &ending{interrupted: true}
	case err != nil && definite(err):
		return res, &ending{outcome: models.OutcomeRefused, reason: "the state before the change could not be read: " + cause(err)}
	case err != nil:
		return res, &ending{outcome: models.OutcomeExpired, reason: "the state before the change could not be read in time, nothing was changed: " + cause(err)}
	case res.Outcome != models.OutcomeOpen:
		if res.Replicas.Service != "" || res.Replicas.Spec > 0 {
			o.saw(res.Replicas)
		}
		o.step(ctx, phasePreflight, res.Reason)
		return res, &ending{outcome: res.Outcome, reason: res.Reason}
	}
	return res, nil
}

// admitted keeps the state from before the change.
func (o *operation) admitted(ctx workflow.Context, res activities.PreflightResult) {
	o.saw(res.Replicas)
	o.found, o.served = res.Replicas.Spec, res.Replicas.Ready
	o.before, o.progress.Evidence.Baseline, o.progress.Evidence.Before = res.Baseline, res.Baseline, res.Before
	if len(o.baseline) == 0 {
		o.baseline = res.Replicas.IDs()
	}
	o.lame = len(absent(res.Replicas, func(id string) bool { return slices.Contains(o.baseline, id) }))
	o.step(ctx, phasePreflight, fmt.Sprintf("%d replicas ordered, %d ready", res.Replicas.Spec, res.Replicas.Ready))
	for _, n := range res.Notes {
		o.step(ctx, phasePreflight, n)
	}
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05 MST") }
