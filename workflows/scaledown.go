package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/models"
)

// shrinkMeasurements make the verdict over a scale-in: it is small, and undone at the
// first breach. Each is twice as long as one of growth: less is seen of what is missing
// than of what is new.
const (
	shrinkMeasurements = 2
	shrinkIntervals    = 2
)

// ScaleDown removes capacity in one wave and orders it again when the service is worse
// without it.
func ScaleDown(ctx workflow.Context, in OperationInput) (OperationProgress, error) {
	o := newOperation(ctx, in)
	return o.run(ctx, o.shrink)
}

// shrink is the story of a scale-in.
func (o *operation) shrink(ctx workflow.Context) ending {
	if end := o.admit(ctx); end != nil {
		return *end
	}
	target := o.decision.ToReplicas
	o.compensate = o.restore
	if end := o.order(ctx, 0, target); end != nil {
		return *end
	}
	verdict, end := o.verifyShrink(ctx, target)
	switch {
	case end != nil:
		return *end
	case verdict.Verdict == models.VerdictRollback && o.decision.Class == models.ClassCap:
		return ending{outcome: models.OutcomeHeld, reason: fmt.Sprintf("%s; a ceiling forbids more than %d replicas", verdict.Reason, target)}
	case verdict.Verdict == models.VerdictRollback:
		return o.rollBack(ctx, verdict.Reason)
	case verdict.Verdict == models.VerdictKeep:
		return ending{outcome: models.OutcomeVerified, reason: verdict.Reason}
	default:
		return ending{outcome: models.OutcomeHeld, reason: verdict.Reason}
	}
}
