package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/models"
)

// ScaleUp gets capacity in waves, verifies each, and keeps, holds or takes it back.
func ScaleUp(ctx workflow.Context, in OperationInput) (OperationProgress, error) {
	o := newOperation(ctx, in)
	return o.run(ctx, o.grow)
}

// grow is the story of a scale-up. A wave that cannot be judged for want of traffic does
// not stop the next one: the capacity was promised, and nothing speaks against it. Only
// the last verdict is the operation's.
func (o *operation) grow(ctx workflow.Context) ending {
	if end := o.preflight(ctx); end != nil {
		return *end
	}
	waves := plan(o.known(), o.decision.ToReplicas, o.decision.Class, o.in.Service)
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
			return o.rollBack(ctx, verdict.Reason)
		case !last && o.left(ctx) == 0:
			return ending{outcome: models.OutcomeFailed, reason: fmt.Sprintf("the operation's time ended at %d of %d replicas", target, o.decision.ToReplicas)}
		case !last:
			o.step(ctx, "next wave", verdict.Reason)
		case verdict.Verdict == models.VerdictKeep:
			return ending{outcome: models.OutcomeVerified, reason: verdict.Reason}
		default:
			return ending{outcome: models.OutcomeHeld, reason: verdict.Reason}
		}
	}
	return ending{outcome: models.OutcomeNoOp, reason: "there was nothing to order"}
}

// rollBack undoes a change that was judged harmful. A cancellation does not stop it.
func (o *operation) rollBack(ctx workflow.Context, why string) ending {
	undo, release := workflow.NewDisconnectedContext(ctx)
	defer release()
	o.phase(phaseRollback)
	o.step(undo, phaseRollback, why)
	text, err := o.compensate(undo)
	if err != nil {
		return ending{outcome: models.OutcomeFailed, reason: fmt.Sprintf("%s; it could not be taken back: %v", why, err)}
	}
	return ending{outcome: models.OutcomeRolledBack, reason: why + "; " + text}
}
