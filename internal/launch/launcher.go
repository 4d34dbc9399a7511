package launch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

// defaultTimeout bounds a call, so that a caller is not held up by a Temporal that is away.
const defaultTimeout = 3 * time.Second

// Options say which Temporal the launcher speaks to, and how it starts workflows.
type Options struct {
	Client    client.Client
	TaskQueue string
	Namespace string // of Client, for links
	UIURL     string // Temporal's web interface; empty: no links

	// What autoscalers and maintenance jobs are started with.
	Interval             time.Duration // between evaluations
	ContinueEvery        int           // evaluations per run
	MetricsRetentionDays int
	AuditRetentionDays   int

	Codec converter.PayloadCodec // what Client was dialled with; nil: none

	WeddingDays bool // a wedding that is booked for the week ahead starts its day

	Timeout time.Duration // of one call; 0: 3 s. A command that waits for a worker gets twice
	Log     *slog.Logger  // nil: silent
}

// Launcher is the Temporal client behind the ports of the API, of ingestion and of the
// activities. It is safe for concurrent use.
type Launcher struct {
	o Options

	mu      sync.Mutex // guards the remembered check
	checked time.Time
	health  error
}

// New makes a launcher; it does not connect.
func New(o Options) *Launcher {
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Launcher{o: o}
}

func (l *Launcher) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, l.o.Timeout)
}

// NudgeAutoscale wakes a service's autoscaler because a claim changed. Without one that
// runs it is KindNotFound: the claim is then found when one is started.
func (l *Launcher) NudgeAutoscale(ctx context.Context, service models.ServiceName, reservationID string) error {
	const op = "launch.NudgeAutoscale"
	return l.signal(ctx, op, workflows.AutoscaleID(service), workflows.SignalReservationChanged, workflows.ReservationChanged{ReservationID: reservationID})
}

// SignalSpike wakes a service's autoscaler because load outran its capacity.
func (l *Launcher) SignalSpike(ctx context.Context, s models.Spike) error {
	const op = "launch.SignalSpike"
	return l.signal(ctx, op, workflows.AutoscaleID(s.Service), workflows.SignalSpike, s)
}

func (l *Launcher) signal(ctx context.Context, op, id, name string, message any) error {
	ctx, cancel := l.bounded(ctx)
	defer cancel()
	return classify(op, id, l.o.Client.SignalWorkflow(ctx, id, "", name, message))
}

// Control pauses, resumes or overrides, and answers with the autoscaler's own words. What
// the autoscaler refuses is KindInvalid with its reason. A command that is repeated with
// its RequestID is carried out once. KindUnavailable: nobody answered in time, and the
// command may still be carried out.
func (l *Launcher) Control(ctx context.Context, c models.ControlCommand) (models.ControlResult, error) {
	const op = "launch.Control"
	name, request, err := update(c)
	if err != nil {
		return models.ControlResult{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*l.o.Timeout)
	defer cancel()
	id := workflows.AutoscaleID(c.Service)
	options := client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: name, Args: []any{request}, WaitForStage: client.WorkflowUpdateStageCompleted,
	}
	if c.RequestID != "" {
		options.UpdateID = name + "/" + c.RequestID // a request ID used for another command is another command
	}
	handle, err := l.o.Client.UpdateWorkflow(ctx, options)
	var answer workflows.ControlAnswer
	if err == nil {
		err = handle.Get(ctx, &answer)
	}
	if err != nil {
		return models.ControlResult{}, refused(op, id, err)
	}
	return models.ControlResult{Service: answer.Service, Paused: answer.Paused, Text: answer.Text}, nil
}

// update is a command in the words of the contract.
func update(c models.ControlCommand) (name string, request any, err error) {
	if _, err := models.ParseServiceName("service", string(c.Service)); err != nil {
		return "", nil, err
	}
	switch c.Action {
	case models.ControlPause:
		return workflows.UpdatePause, workflows.PauseRequest{Actor: c.Actor, Reason: c.Reason, Until: c.Until}, nil
	case models.ControlResume:
		return workflows.UpdateResume, workflows.ResumeRequest{Actor: c.Actor, Reason: c.Reason}, nil
	case models.ControlOverride:
		if c.Reservation == nil {
			return "", nil, models.Invalid("reservation", "", "is required to override")
		}
		return workflows.UpdateOverride, workflows.OverrideRequest{Reservation: *c.Reservation}, nil
	default:
		return "", nil, models.Invalid("action", c.Action, "must be one of pause, resume, override")
	}
}

// refused tells a rule that the autoscaler found broken from a call that failed.
func refused(op, id string, err error) error {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return &models.Error{Kind: models.KindInvalid, Op: op, Rule: app.Message()}
	}
	if away(err) {
		return models.Unavailable(op, fmt.Errorf("%s did not answer in time and may still carry it out: %w", id, err))
	}
	return classify(op, id, err)
}
