package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

// callTimeout bounds one call, so that a Temporal that hangs is asked again.
const callTimeout = 10 * time.Second

// EnsureAutoscalers starts the autoscaler of each service, or tells the running one the
// settings of this worker.
func EnsureAutoscalers(ctx context.Context, o Options) error {
	var errs error
	for _, s := range o.Services {
		errs = errors.Join(errs, ensureAutoscaler(ctx, o, s))
	}
	return errs
}

func ensureAutoscaler(ctx context.Context, o Options, service models.ServiceName) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	settings := workflows.AutoscaleSettings{IntervalSeconds: int(o.Interval / time.Second), ContinueEvery: o.ContinueEvery, Shadow: o.Shadow, KillSwitch: o.KillSwitch, ApprovalSeconds: int(o.ApprovalWait / time.Second)}
	in := workflows.AutoscaleInput{
		Service: service, IntervalSeconds: settings.IntervalSeconds, ContinueEvery: settings.ContinueEvery, Shadow: settings.Shadow,
		KillSwitch: settings.KillSwitch, ApprovalSeconds: settings.ApprovalSeconds,
	}
	options := client.StartWorkflowOptions{
		ID: workflows.AutoscaleID(service), TaskQueue: o.TaskQueue,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes:    temporal.NewSearchAttributes(workflows.SearchAttributeService().ValueSet(string(service))),
		Memo:                     map[string]any{workflows.MemoSentence: fmt.Sprintf("%s was not evaluated yet.", service)},
	}
	_, err := o.Client.SignalWithStartWorkflow(ctx, options.ID, workflows.SignalSettings, settings, options, workflows.AutoscaleType, in)
	if err != nil {
		return fmt.Errorf("worker.EnsureAutoscalers: %s: %w", service, err)
	}
	return nil
}

// CancelAutoscalers ends the autoscalers that run: the switch is off. Operations in
// flight go on to their own end.
func CancelAutoscalers(ctx context.Context, o Options) error {
	var errs error
	for _, s := range o.Services {
		errs = errors.Join(errs, cancelAutoscaler(ctx, o, s))
	}
	return errs
}

func cancelAutoscaler(ctx context.Context, o Options, service models.ServiceName) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := o.Client.CancelWorkflow(ctx, workflows.AutoscaleID(service), "")
	var missing *serviceerror.NotFound // also when it has ended
	if err != nil && !errors.As(err, &missing) {
		return fmt.Errorf("worker.CancelAutoscalers: %s: %w", service, err)
	}
	return nil
}
