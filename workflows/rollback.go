package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/verification"
)

// undoAttempts is how often a compensation is planned again because the spec moved
// under it.
const undoAttempts = 3

// undoPatience is how long an undone change may take to stand.
const undoPatience = 20 * time.Second

// takeBack is the compensation of a scale-up: back to the baseline, but not below the
// need of this very moment.
func (o *operation) takeBack(ctx workflow.Context) (string, error) {
	var errs error
	for attempt := 1; attempt <= undoAttempts; attempt++ {
		var p activities.RollbackPlan
		in := activities.RollbackInput{Service: o.in.Service, BaselineSpec: o.in.Baseline, Baseline: o.baseline, Unhealthy: o.unhealthy(), Cause: o.cause}
		if err := workflow.ExecuteActivity(within(ctx, effectAttempt, undoBudget), operator.PlanRollback, in).Get(ctx, &p); err != nil {
			o.spec = nil
			return "", errors.Join(errs, errors.New(cause(err)))
		}
		o.spec = &p.From
		if p.Target == p.From {
			o.step(ctx, phaseRollback, p.Reason)
			return p.Reason, nil
		}
		again, err := o.undo(ctx, undoOrder{attempt: attempt, from: p.From, target: p.Target, victims: p.Victims, reason: p.Reason})
		if err == nil {
			return p.Reason, nil
		}
		errs = errors.Join(errs, err)
		if !again {
			break
		}
	}
	return "", errs
}

// restore is the compensation of a scale-in: what was removed is ordered again.
func (o *operation) restore(ctx workflow.Context) (string, error) {
	var errs error
	for attempt := 1; attempt <= undoAttempts; attempt++ {
		if o.spec == nil || attempt > 1 {
			if _, ok := o.look(ctx); !ok {
				return "", errors.Join(errs, errors.New("the replicas could not be read"))
			}
		}
		if o.known() >= o.in.Baseline {
			return fmt.Sprintf("%d replicas are there", o.known()), nil
		}
		reason := fmt.Sprintf("%d replicas ordered again", o.in.Baseline)
		again, err := o.undo(ctx, undoOrder{attempt: attempt, from: o.known(), target: o.in.Baseline, reason: reason})
		if err == nil {
			return reason, nil
		}
		errs = errors.Join(errs, err)
		if !again {
			break
		}
	}
	return "", errs
}

// undoOrder is one attempt to move the spec back.
type undoOrder struct {
	attempt int
	from    int
	target  int
	victims []string
	reason  string
}

// undo orders, without expiry, and reads back that the order stands. again says that the
// spec had moved and a new attempt makes sense.
func (o *operation) undo(ctx workflow.Context, u undoOrder) (again bool, err error) {
	req := models.ApplyRequest{
		Service: o.in.Service.Name, ExpectedSpec: u.from, Desired: u.target, Victims: u.victims,
		Key: fmt.Sprintf("%s/undo-%d", o.decision.ID, u.attempt),
	}
	var res models.ApplyResult
	if err := workflow.ExecuteActivity(within(ctx, effectAttempt, undoBudget), operator.Order, req).Get(ctx, &res); err != nil {
		o.spec = nil
		o.step(ctx, phaseRollback, "no order: "+cause(err))
		return activities.KindOf(err) == models.KindConflict, errors.New(cause(err))
	}
	o.saw(res.Observed)
	o.step(ctx, phaseRollback, fmt.Sprintf("%s (%s)", u.reason, res.Reason))
	return o.stands(ctx, u)
}

// stands reads back what an undone change left.
func (o *operation) stands(ctx workflow.Context, u undoOrder) (again bool, err error) {
	in := activities.AwaitInput{
		Service: o.in.Service.Name, Spec: u.target, Baseline: o.baseline,
		Deadline: workflow.Now(ctx).Add(undoPatience),
	}
	var res activities.AwaitResult
	if err := workflow.ExecuteActivity(waiting(ctx, undoPatience), operator.AwaitReady, in).Get(ctx, &res); err != nil {
		return false, fmt.Errorf("%d replicas were ordered, and could not be read back: %s", u.target, cause(err))
	}
	o.saw(res.Replicas)
	if res.Replicas.Spec != u.target {
		return true, fmt.Errorf("%d replicas were ordered, %d are seen", u.target, res.Replicas.Spec)
	}
	o.step(ctx, phaseRollback, fmt.Sprintf("%d replicas stand, %d ready", res.Replicas.Spec, res.Replicas.Ready))
	return false, nil
}

// unhealthy lists the new replicas that the last measurement found ill.
func (o *operation) unhealthy() []string {
	ms := o.progress.Evidence.Measurements
	if len(ms) == 0 {
		return nil
	}
	return ms[len(ms)-1].Unhealthy
}

// restoreMeasurements say whether a service is as before the change that was taken back.
const restoreMeasurements = 3

// restored measures after a rollback. What cannot be measured or compared is not held
// against it: the spec was read back.
func (o *operation) restored(ctx workflow.Context) verification.Result {
	var ms []models.Measurement
	for range restoreMeasurements {
		if workflow.Sleep(ctx, o.interval()) != nil {
			break
		}
		if m, ok := o.measure(ctx, o.interval()); ok {
			ms = append(ms, m)
		}
	}
	res := verification.JudgeRestored(verification.RestoredInputs{Baseline: o.before, Measurements: ms, Ready: min(o.known(), o.served)})
	o.progress.Evidence.Checks = append(o.progress.Evidence.Checks, res.Checks...)
	o.step(ctx, phaseRollback, res.Reason)
	return res
}
