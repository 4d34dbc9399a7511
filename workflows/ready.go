package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/verification"
)

// awaitReady waits until the spec is ready. False: a new replica crashes, or the wave did
// not start in time. Replicas that cannot be read are judged by measurement.
//
//	until 1.5 × S95    all of the wave
//	then               enough of it (95 % of more than ten) is ready: go on
//	else from 80 %     what did not start is ordered again, twice at most: go on
//	else               until the hard deadline for enough of it
func (o *operation) awaitReady(ctx workflow.Context, t trial) (bool, *ending) {
	o.phase(phaseReady)
	hard := min(seconds(o.policy.ReadyDeadlineSeconds), o.left(ctx))
	soft := hard
	if t.added > 0 {
		soft = min(o.soft(), hard)
	}
	res, known, end := o.awaits(ctx, t.target, t.serving, soft)
	missing := t.serving - res.Replicas.Ready
	switch {
	case end != nil:
		return false, end
	case !known || res.Ready:
		return true, nil
	case res.Crashing > 0 || t.added == 0:
		return false, nil
	case missing <= t.added-verification.Enough(t.added):
		o.step(ctx, phaseReady, "that is enough; the rest is late")
		return true, nil
	case verification.Partial(t.added, missing):
		return o.again(ctx, t, res.Replicas)
	case hard == soft:
		return false, nil
	}
	o.step(ctx, phaseReady, fmt.Sprintf("%d replicas are late, they are waited for until %s", missing, clock(workflow.Now(ctx).Add(hard-soft))))
	res, known, end = o.awaits(ctx, t.target, t.serving-t.added+verification.Enough(t.added), min(hard-soft, o.left(ctx)))
	switch {
	case end != nil:
		return false, end
	case !known || res.Ready:
		return true, nil
	}
	// In part it is judged like any other: what came up serves or does not.
	return res.Crashing == 0 && verification.Partial(t.added, t.serving-res.Replicas.Ready), nil
}

// soft is the time by which a replica has usually started.
func (o *operation) soft() time.Duration {
	return max(time.Second, time.Duration(softFactor*o.in.Service.StartupP95Seconds*float64(time.Second)))
}

// awaits waits until enough of a spec are ready. Not known: the replicas could not be read.
func (o *operation) awaits(ctx workflow.Context, spec, enough int, patience time.Duration) (activities.AwaitResult, bool, *ending) {
	in := activities.AwaitInput{
		Service: o.in.Service.Name, Spec: spec, Enough: enough, Baseline: o.baseline,
		Deadline: workflow.Now(ctx).Add(patience),
	}
	var res activities.AwaitResult
	err := workflow.ExecuteActivity(waiting(ctx, patience), operator.AwaitReady, in).Get(ctx, &res)
	switch {
	case ctx.Err() != nil:
		return res, false, &ending{interrupted: true}
	case err != nil:
		o.step(ctx, phaseReady, "the replicas could not be read: "+cause(err))
		return res, false, nil
	}
	o.saw(res.Replicas)
	text := fmt.Sprintf("%d of %d replicas are ready", res.Replicas.Ready, spec)
	if res.Crashing > 0 {
		text += fmt.Sprintf(", %d crash", res.Crashing)
	}
	o.step(ctx, phaseReady, text)
	return res, true, nil
}

// again orders anew what did not start, in another pool where the actuator has one: first
// as many more, then as many fewer of those that never came, so that the spec does not
// fall below the wave on the way. What still does not come is judged as a part.
func (o *operation) again(ctx workflow.Context, t trial, set models.ReplicaSet) (bool, *ending) {
	for n := 1; n <= alternates && o.left(ctx) > o.soft(); n++ {
		late := absent(set, func(id string) bool { return !slices.Contains(o.baseline, id) })
		more := t.target + len(late)
		o.step(ctx, "again", fmt.Sprintf("%d replicas did not start and are ordered again (%d of %d)", len(late), n, alternates))
		if most := o.in.Service.AbsoluteMaxReplicas; more > most {
			o.step(ctx, "again", fmt.Sprintf("there is no room for them: %d is the safety maximum", most))
			break
		}
		if end, ok := o.reorder(ctx, fmt.Sprintf("again-%d", n), more, nil); end != nil || !ok {
			return true, end
		}
		res, _, end := o.awaits(ctx, more, t.serving, min(o.soft(), o.left(ctx)))
		if end != nil {
			return false, end
		}
		if res.Crashing > 0 {
			return false, nil
		}
		if end, ok := o.reorder(ctx, fmt.Sprintf("again-%d-trim", n), t.target, late); end != nil || !ok {
			return true, end
		}
		if res.Ready {
			return true, nil
		}
		set, _ = o.look(ctx)
	}
	return true, nil
}

// reorder moves the spec by a few within a wave. Not ok: it was not taken, and what stands
// is judged as it is.
func (o *operation) reorder(ctx workflow.Context, key string, spec int, victims []string) (end *ending, ok bool) {
	req := models.ApplyRequest{
		Service: o.in.Service.Name, ExpectedSpec: o.known(), Desired: spec, Victims: victims,
		Key: o.decision.ID + "/" + key, NotAfter: o.deadline,
	}
	var res models.ApplyResult
	err := workflow.ExecuteActivity(ordering(ctx, measureBudget), operator.Order, req).Get(ctx, &res)
	switch {
	case ctx.Err() != nil:
		o.spec = nil
		return &ending{interrupted: true}, false
	case err != nil:
		o.step(ctx, "again", "no order: "+cause(err))
		o.spec = nil
		return nil, false
	}
	o.saw(res.Observed)
	return nil, true
}

// absent lists the replicas of a kind that do not serve.
func absent(set models.ReplicaSet, of func(id string) bool) []string {
	var ids []string
	for _, r := range set.Replicas {
		if r.Phase != models.ReplicaReady && of(r.ID) {
			ids = append(ids, r.ID)
		}
	}
	return ids
}
