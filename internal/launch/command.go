package launch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

// StartWorkflow starts an Autoscale or Maintenance workflow; one that runs already is
// answered as it is. Operations are started by autoscalers alone.
func (l *Launcher) StartWorkflow(ctx context.Context, c models.StartCommand) (models.WorkflowRun, error) {
	const op = "launch.StartWorkflow"
	options := client.StartWorkflowOptions{
		TaskQueue:                                l.o.TaskQueue,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		Memo:                                     map[string]any{workflows.MemoSentence: "Started by " + c.Actor + "."},
	}
	kind, input, err := l.start(c, &options)
	if err != nil {
		return models.WorkflowRun{}, err
	}
	ctx, cancel := l.bounded(ctx)
	defer cancel()
	run, err := l.o.Client.ExecuteWorkflow(ctx, options, kind, input)
	var running *serviceerror.WorkflowExecutionAlreadyStarted
	switch {
	case errors.As(err, &running):
		return models.WorkflowRun{WorkflowID: options.ID, RunID: running.RunId, AlreadyRunning: true, URL: l.runURL(options.ID, running.RunId)}, nil
	case err != nil:
		return models.WorkflowRun{}, classify(op, options.ID, err)
	}
	return models.WorkflowRun{WorkflowID: options.ID, RunID: run.GetRunID(), URL: l.runURL(options.ID, run.GetRunID())}, nil
}

// start completes the options with the ID, and gives type and input.
func (l *Launcher) start(c models.StartCommand, o *client.StartWorkflowOptions) (kind string, input any, err error) {
	switch c.Kind {
	case models.WorkflowAutoscale:
		if _, err := models.ParseServiceName("service", string(c.Service)); err != nil {
			return "", nil, err
		}
		o.ID = workflows.AutoscaleID(c.Service)
		o.TypedSearchAttributes = temporal.NewSearchAttributes(workflows.SearchAttributeService().ValueSet(string(c.Service)))
		return workflows.AutoscaleType, workflows.AutoscaleInput{
			Service: c.Service, IntervalSeconds: int(l.o.Interval / time.Second), ContinueEvery: l.o.ContinueEvery,
		}, nil
	case models.WorkflowMaintenance:
		job := workflows.MaintenanceJob(c.Job)
		if !slices.Contains(workflows.MaintenanceJobs(), job) {
			return "", nil, models.Invalid("job", c.Job, "must be one of "+listed(workflows.MaintenanceJobs()))
		}
		o.ID = workflows.MaintenanceID(job)
		return workflows.MaintenanceType, workflows.MaintenanceInput{
			Job: job, MetricsRetentionDays: l.o.MetricsRetentionDays, AuditRetentionDays: l.o.AuditRetentionDays,
		}, nil
	case models.WorkflowScaleUp, models.WorkflowScaleDown:
		return "", nil, models.Invalid("kind", c.Kind, "is started by autoscalers alone: ask for capacity with POST /services/{service}/scale")
	default:
		return "", nil, models.Invalid("kind", c.Kind, "must be one of autoscale, maintenance")
	}
}

// CancelWorkflow asks an operation or a maintenance job to stop and undo what it may. An
// autoscaler is not cancelled: it would be missed.
func (l *Launcher) CancelWorkflow(ctx context.Context, id, actor, reason string) error {
	t, err := parseID(id)
	if err != nil {
		return err
	}
	if t.family == familyAutoscale {
		return models.Invalid("workflowId", id, "an autoscaler is not cancelled: pause it with POST /services/"+string(t.service)+"/pause")
	}
	if t.family == familyWeddingDay {
		return models.Invalid("workflowId", id, "a wedding day is cancelled with POST /wedding-days/{date}/cancel")
	}
	if t.family == familySeason {
		return models.Invalid("workflowId", id, "a season is cancelled with POST /seasons/{id}/cancel")
	}
	return l.cancel(ctx, id, actor, reason)
}

// cancel asks a run to stop.
func (l *Launcher) cancel(ctx context.Context, id, actor, reason string) error {
	const op = "launch.CancelWorkflow"
	if _, err := parseID(id); err != nil {
		return err
	}
	ctx, cancel := l.bounded(ctx)
	defer cancel()
	// Temporal takes the request for a run that has ended, and nothing comes of it.
	run, err := l.o.Client.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return classify(op, id, err)
	}
	if !running(run.GetWorkflowExecutionInfo()) {
		return classify(op, id, serviceerror.NewNotFound("the run has ended"))
	}
	// The plain client has no place for who and why; both stand in the run's history.
	_, err = l.o.Client.WorkflowService().RequestCancelWorkflowExecution(ctx, &workflowservice.RequestCancelWorkflowExecutionRequest{
		Namespace: l.o.Namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id}, Identity: actor, Reason: reason,
	})
	return classify(op, id, err)
}

// SignalWorkflow sends an autoscaler a spike or a reservation change. Other signals are
// what workflows say to each other.
func (l *Launcher) SignalWorkflow(ctx context.Context, c models.SignalCommand) error {
	const op = "launch.SignalWorkflow"
	t, err := parseID(c.WorkflowID)
	if err != nil {
		return err
	}
	if t.family != familyAutoscale {
		return models.Invalid("workflowId", c.WorkflowID, "takes no signals: only autoscale/<service> does")
	}
	var message any
	switch c.Signal {
	case workflows.SignalSpike:
		message, err = spikeOf(c.Payload, t.service)
	case workflows.SignalReservationChanged:
		message, err = changeOf(c.Payload)
	default:
		return models.Invalid("signal", c.Signal, "must be one of "+workflows.SignalSpike+", "+workflows.SignalReservationChanged)
	}
	if err != nil {
		return err
	}
	return l.signal(ctx, op, c.WorkflowID, c.Signal, message)
}

const (
	maxRPS        = 1e9
	maxReason     = 500
	maxIdentifier = 100
)

func spikeOf(payload json.RawMessage, service models.ServiceName) (models.Spike, error) {
	var s models.Spike
	if err := strict(payload, &s); err != nil {
		return s, err
	}
	switch {
	case s.Service != service:
		return s, models.Invalid("payload.service", s.Service, "must be "+string(service)+", the service of this autoscaler")
	case !(s.RPS > 0 && s.RPS <= maxRPS):
		return s, models.Invalid("payload.rps", s.RPS, "must be above 0 and at most 1e9")
	case s.SeenAt.IsZero():
		return s, models.Invalid("payload.seenAt", "", "is required")
	case s.FirstSampleAt.After(s.SeenAt):
		return s, models.Invalid("payload.firstSampleAt", s.FirstSampleAt.Format(time.RFC3339), "must not be after seenAt")
	case len(s.Reason) > maxReason:
		return s, models.Invalid("payload.reason", s.Reason, fmt.Sprintf("must have at most %d characters", maxReason))
	}
	return s, nil
}

func changeOf(payload json.RawMessage) (workflows.ReservationChanged, error) {
	var c workflows.ReservationChanged
	if err := strict(payload, &c); err != nil {
		return c, err
	}
	if c.ReservationID == "" || len(c.ReservationID) > maxIdentifier {
		return c, models.Invalid("payload.reservationId", c.ReservationID, fmt.Sprintf("must have 1 to %d characters", maxIdentifier))
	}
	return c, nil
}

// strict decodes one JSON object with no unknown field and nothing after it.
func strict(payload json.RawMessage, into any) error {
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("has more than one JSON value")
		}
	}
	if err != nil {
		return &models.Error{Kind: models.KindInvalid, Field: "payload", Rule: "must be the signal's message in JSON", Err: err}
	}
	return nil
}

// listed joins the values of an enum for a person.
func listed[T ~string](values []T) string {
	out := make([]string, 0, len(values))
	for _, v := range values {
		out = append(out, string(v))
	}
	return strings.Join(out, ", ")
}
