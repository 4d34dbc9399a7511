package workflows

import (
	"errors"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
)

// Typed references to the activities: they name them and are never called.
var (
	observer   *activities.Observer   //nolint:gochecknoglobals // a typed reference, always nil
	operator   *activities.Operator   //nolint:gochecknoglobals // a typed reference, always nil
	recorder   *activities.Recorder   //nolint:gochecknoglobals // a typed reference, always nil
	maintainer *activities.Maintainer //nolint:gochecknoglobals // a typed reference, always nil

	dayKeeper *activities.WeddingDayKeeper //nolint:gochecknoglobals // a typed reference, always nil
)

// Times of activities. A worker's death is noticed when an attempt's time is over, so
// these also bound how long a change stands still then.
const (
	observeAttempt  = 5 * time.Second // its parts take at most 4 s
	observeBudget   = 8 * time.Second
	decideBudget    = 5 * time.Second
	recordAttempt   = 5 * time.Second
	recordBudget    = 10 * time.Second
	effectAttempt   = 8 * time.Second
	measureBudget   = 20 * time.Second
	lookBudget      = 10 * time.Second
	undoBudget      = 2 * time.Minute
	heartbeat       = 15 * time.Second
	awaitGrace      = 30 * time.Second // after the deadline that the wait itself keeps
	closeMaxBackoff = 30 * time.Second
)

// within gives attempts of one length, repeated within a budget.
func within(ctx workflow.Context, attempt, budget time.Duration) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout:    min(attempt, budget),
		ScheduleToCloseTimeout: budget,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: 500 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 5 * time.Second},
	})
}

// observing has two attempts: an observation that fails is a gap, and the next one is due
// soon.
func observing(ctx workflow.Context) workflow.Context {
	o := workflow.GetActivityOptions(within(ctx, observeAttempt, observeBudget))
	o.RetryPolicy.MaximumAttempts = 2
	return workflow.WithActivityOptions(ctx, o)
}

// ordering is within, but a cancelled order is waited for: whether it was carried out
// must be known.
func ordering(ctx workflow.Context, budget time.Duration) workflow.Context {
	o := workflow.GetActivityOptions(within(ctx, effectAttempt, budget))
	o.WaitForCancellation = true
	return workflow.WithActivityOptions(ctx, o)
}

// waiting is for the activity that polls until a deadline of its own, and heartbeats.
func waiting(ctx workflow.Context, left time.Duration) workflow.Context {
	o := workflow.GetActivityOptions(within(ctx, left+awaitGrace, left+2*awaitGrace))
	o.HeartbeatTimeout = heartbeat
	return workflow.WithActivityOptions(ctx, o)
}

// untilDone repeats without end: an outcome must not be lost because Postgres is away.
func untilDone(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: effectAttempt,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: closeMaxBackoff},
	})
}

// local is for a decision: it has no effect and no reason to fail.
func local(ctx workflow.Context) workflow.Context {
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		ScheduleToCloseTimeout: decideBudget,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 3},
	})
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// definite says whether an error is an answer: the effect did not happen and will not.
func definite(err error) bool {
	return slices.Contains([]models.Kind{
		models.KindInvalid, models.KindNotFound, models.KindConflict, models.KindExpired,
		models.KindForbidden, models.KindUnauthorised, models.KindTooLarge,
	}, activities.KindOf(err))
}

// cause is what an activity's error says, without the layers that name workers and
// activities.
func cause(err error) string {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Message()
	}
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) {
		return "no answer in time"
	}
	return err.Error()
}
