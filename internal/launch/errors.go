package launch

import (
	"context"
	"errors"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/wedsync/scalability/models"
)

// classify gives an error of a call about one workflow its kind: it does not exist or has
// ended, Temporal or a worker is away, or something is wrong with us.
func classify(op, id string, err error) error {
	var missing *serviceerror.NotFound // also of a run that has ended
	switch {
	case err == nil:
		return nil
	case errors.As(err, &missing):
		e := models.NotFound("workflowId", id)
		e.Op, e.Rule = op, "does not exist or does not run"
		return e
	case away(err):
		return models.Unavailable(op, err)
	default:
		return &models.Error{Op: op, Err: err}
	}
}

// away says whether Temporal did not answer, or asks to be called later.
func away(err error) bool {
	var (
		unavailable *serviceerror.Unavailable
		exhausted   *serviceerror.ResourceExhausted
		deadline    *serviceerror.DeadlineExceeded
		cancelled   *serviceerror.Canceled
		update      *client.WorkflowUpdateServiceTimeoutOrCanceledError
	)
	return errors.As(err, &unavailable) || errors.As(err, &exhausted) || errors.As(err, &deadline) ||
		errors.As(err, &cancelled) || errors.As(err, &update) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
