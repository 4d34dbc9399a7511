package workflows

import (
	"fmt"
	"math"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/verification"
)

// ScaleUp gets capacity in waves, verifies each, and keeps, holds or takes it back.
func ScaleUp(ctx workflow.Context, in OperationInput) (OperationProgress, error) {
	o := newOperation(ctx, in)
	return o.run(ctx, o.grow)
}

// grow is the story of a scale-up. A wave that cannot be judged for want of traffic does
// not stop the next one, nor does one that came up in part: the capacity was promised, and
// nothing speaks against it. Only the last verdict is the operation's.
func (o *operation) grow(ctx workflow.Context) ending {
	if end := o.admit(ctx); end != nil {
		return *end
	}
	waves := o.waves(ctx)
	for i, target := range waves {
		last := i == len(waves)-1
		o.compensate = o.takeBack
		if end := o.order(ctx, i, target); end != nil {
			return *end
		}
		verdict, end := o.verify(ctx, target, last)
		switch {
		case end != nil:
			return *end
		case verdict.Verdict == models.VerdictRollback:
			o.cause = verdict.Cause
			return o.rollBack(ctx, verdict.Reason)
		case !last && o.left(ctx) == 0:
			return ending{outcome: models.OutcomeFailed, reason: fmt.Sprintf("the operation's time ended at %d of %d replicas", target, o.decision.ToReplicas)}
		case !last:
			o.step(ctx, "next wave", verdict.Reason)
		case verdict.Verdict == models.VerdictKeep:
			return ending{outcome: models.OutcomeVerified, reason: verdict.Reason}
		case verdict.Verdict == models.VerdictPartial:
			return o.keepPart(ctx, verdict.Reason)
		default:
			o.flag(ctx, "inconclusive", models.FlagNotice, verdict.Reason)
			return ending{outcome: models.OutcomeHeld, reason: verdict.Reason}
		}
	}
	return ending{outcome: models.OutcomeNoOp, reason: "there was nothing to order"}
}

// keepPart ends a change of which a part never came up: that part is given up, as far as
// nobody needs it, and the rest stays.
func (o *operation) keepPart(ctx workflow.Context, why string) ending {
	undo, release := workflow.NewDisconnectedContext(ctx)
	defer release()
	o.flag(undo, "partial", models.FlagWarning, why)
	o.cause = verification.CauseStart
	text, err := o.takeBack(undo)
	if err != nil {
		text = fmt.Sprintf("what did not come up could not be given up: %v", err)
	}
	return ending{outcome: models.OutcomePartial, reason: why + "; " + text}
}

// rollBack undoes a change that was judged harmful, and measures that the service is as
// before. A cancellation does not stop it.
func (o *operation) rollBack(ctx workflow.Context, why string) ending {
	undo, release := workflow.NewDisconnectedContext(ctx)
	defer release()
	o.phase(phaseRollback)
	o.step(undo, phaseRollback, why)
	if o.cause == verification.CauseDatabase {
		o.step(undo, phaseRollback, "the connections per replica stay as they are: the actuator cannot lower them")
	}
	text, err := o.compensate(undo)
	if err != nil {
		o.stuck = fmt.Sprintf("the rollback of decision %s failed", o.decision.ID)
		return ending{outcome: models.OutcomeFailed, reason: fmt.Sprintf("%s; it could not be taken back: %v", why, err)}
	}
	if o.decision.Direction == models.DirectionUp {
		if res := o.restored(undo); res.Verdict == models.VerdictRollback {
			o.stuck = fmt.Sprintf("after the rollback of decision %s the service is not as before", o.decision.ID)
			return ending{outcome: models.OutcomeFailed, reason: fmt.Sprintf("%s; %s; %s", why, text, res.Reason)}
		}
	}
	return ending{outcome: models.OutcomeRolledBack, reason: why + "; " + text}
}

const (
	// waveThreshold is the change, in replicas, up to which one wave is taken.
	waveThreshold = 10
	// waveBudget is the share of an operation's time that its waves may plan to use; the
	// rest is for one extension and for a rollback.
	waveBudget = 0.75
	// ceremonyAhead is how long before the guests come waves must be done.
	ceremonyAhead = 20 * time.Minute
)

// waves plans the change, and says when guests come before waves could be done.
func (o *operation) waves(ctx workflow.Context) []int {
	steps := plan(o.known(), o.decision.ToReplicas, o.decision.Class, o.in.Service)
	if o.emergency() {
		return steps[len(steps)-1:]
	}
	if c := o.in.Ceremony; c != nil && len(steps) > 1 {
		if done := workflow.Now(ctx).Add(time.Duration(len(steps)) * waveTime(o.in.Service)); done.After(c.Add(-ceremonyAhead)) {
			o.flag(ctx, "wedding_deadline", models.FlagPage, fmt.Sprintf("waves would be done at %s, and guests come at %s: all is ordered at once", clock(done), clock(*c)))
			return steps[len(steps)-1:]
		}
	}
	if e := o.decision.Explanation; e != nil && e.Plan == models.PlanSingle {
		return steps[len(steps)-1:]
	}
	return steps
}

// plan gives the specs to order one after the other, the last of which is the target:
//
//	floor or forecast, and more than 10 replicas  10 % (at least 1), 50 %, 100 % of the change
//	else                                          all at once
//
// What is planned ahead can be tried on a few replicas first; what load asks for now
// cannot wait. Waves that would not be verified within the operation's time are not taken.
func plan(from, target int, class models.Class, svc models.Service) []int {
	change := target - from
	planned := class == models.ClassFloor || class == models.ClassForecast
	if !planned || change <= waveThreshold || !fits(3, svc) {
		return []int{target}
	}
	first := from + max(1, int(math.Ceil(float64(change)*0.10)))
	half := from + int(math.Ceil(float64(change)*0.50))
	return []int{first, half, target}
}

// fits says whether so many waves can start and be verified in the operation's time.
func fits(waves int, svc models.Service) bool {
	return (time.Duration(waves) * waveTime(svc)).Seconds() <= waveBudget*float64(svc.Policy.OperationDeadlineSeconds)
}

// waveTime is how long a wave takes to start and to be verified.
func waveTime(svc models.Service) time.Duration {
	p := svc.Policy
	return time.Duration((svc.StartupP95Seconds + float64(p.SoakSeconds+p.Measurements*p.MeasurementIntervalSeconds)) * float64(time.Second))
}
