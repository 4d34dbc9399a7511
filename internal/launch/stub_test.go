package launch_test

import (
	"context"
	"encoding/json"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/internal/devstack/devstacktest"
	"github.com/wedsync/scalability/internal/launch"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

func TestMain(m *testing.M) { os.Exit(devstacktest.Main(m)) }

const uiURL = "http://127.0.0.1:8233/"

// stubState is what a stub answers to the state query: all that reached it.
type stubState struct {
	Input    workflows.AutoscaleInput       `json:"input"`
	Job      workflows.MaintenanceInput     `json:"job"`
	Spikes   []models.Spike                 `json:"spikes"`
	Changes  []workflows.ReservationChanged `json:"changes"`
	Commands []string                       `json:"commands"`
}

// stubAutoscale stands for the autoscaler: it notes what it gets until it is cancelled.
func stubAutoscale(ctx workflow.Context, in workflows.AutoscaleInput) error {
	state := stubState{Input: in}
	err := workflow.SetQueryHandler(ctx, workflows.QueryState, func() (stubState, error) { return state, nil })
	if err != nil {
		return err
	}
	err = workflow.SetUpdateHandlerWithOptions(ctx, workflows.UpdatePause, func(_ workflow.Context, r workflows.PauseRequest) (workflows.ControlAnswer, error) {
		state.Commands = append(state.Commands, "pause by "+r.Actor+": "+r.Reason)
		return workflows.ControlAnswer{Service: in.Service, Paused: true, Text: "paused, in my words"}, nil
	}, workflow.UpdateHandlerOptions{Validator: func(r workflows.PauseRequest) error {
		if r.Reason == "" {
			return temporal.NewNonRetryableApplicationError("reason: must have 3 to 500 characters", string(models.KindInvalid), nil)
		}
		return nil
	}})
	if err != nil {
		return err
	}
	err = workflow.SetUpdateHandler(ctx, workflows.UpdateResume, func(_ workflow.Context, r workflows.ResumeRequest) (workflows.ControlAnswer, error) {
		state.Commands = append(state.Commands, "resume by "+r.Actor)
		return workflows.ControlAnswer{Service: in.Service, Text: "resumed"}, nil
	})
	if err != nil {
		return err
	}
	err = workflow.SetUpdateHandler(ctx, workflows.UpdateOverride, func(_ workflow.Context, r workflows.OverrideRequest) (workflows.ControlAnswer, error) {
		state.Commands = append(state.Commands, "override with "+r.Reservation.ID)
		return workflows.ControlAnswer{Service: in.Service, Text: "overridden"}, nil
	})
	if err != nil {
		return err
	}
	s := workflow.NewSelector(ctx)
	over := false
	s.AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) { over = true })
	s.AddReceive(workflow.GetSignalChannel(ctx, workflows.SignalSpike), func(c workflow.ReceiveChannel, _ bool) {
		var spike models.Spike
		c.Receive(ctx, &spike)
		state.Spikes = append(state.Spikes, spike)
	})
	s.AddReceive(workflow.GetSignalChannel(ctx, workflows.SignalReservationChanged), func(c workflow.ReceiveChannel, _ bool) {
		var change workflows.ReservationChanged
		c.Receive(ctx, &change)
		state.Changes = append(state.Changes, change)
	})
	for !over {
		s.Select(ctx)
	}
	return nil
}

// stubOperation stands for ScaleUp: it waits, for an activity that nobody offers.
func stubOperation(ctx workflow.Context, _ workflows.OperationInput) error {
	answer := func(verdict models.ApprovalVerdict) func(workflow.Context, workflows.ApprovalRequest) (workflows.ApprovalAnswer, error) {
		return func(_ workflow.Context, r workflows.ApprovalRequest) (workflows.ApprovalAnswer, error) {
			return workflows.ApprovalAnswer{Verdict: verdict, Text: r.Actor}, nil
		}
	}
	options := workflow.UpdateHandlerOptions{Validator: func(r workflows.ApprovalRequest) error {
		if r.Reason == "too late" {
			return temporal.NewNonRetryableApplicationError("decisionId: does not wait for approval", string(models.KindConflict), nil)
		}
		if r.Reason == "" {
			return temporal.NewNonRetryableApplicationError("reason: must have 3 to 500 characters", string(models.KindInvalid), nil)
		}
		return nil
	}}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, workflows.UpdateApprove, answer(models.ApprovalApproved), options); err != nil {
		return err
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, workflows.UpdateReject, answer(models.ApprovalRejected), options); err != nil {
		return err
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute, TaskQueue: "nobody"})
	return workflow.ExecuteActivity(ctx, "AwaitReady").Get(ctx, nil)
}

func stubMaintenance(ctx workflow.Context, in workflows.MaintenanceInput) error {
	state := stubState{Job: in}
	if err := workflow.SetQueryHandler(ctx, workflows.QueryState, func() (stubState, error) { return state, nil }); err != nil {
		return err
	}
	return workflow.Sleep(ctx, time.Hour)
}

// fixture is a launcher on the real Temporal with a worker that runs the stubs.
type fixture struct {
	*launch.Launcher
	t      *testing.T
	client client.Client
	queue  string
}

// newFixture terminates what it started when the test ends, since IDs are fixed.
func newFixture(t *testing.T, withWorker bool) fixture {
	t.Helper()
	return newCodedFixture(t, withWorker, nil)
}

func newCodedFixture(t *testing.T, withWorker bool, codec converter.PayloadCodec) fixture {
	t.Helper()
	c, err := launch.Dial(launch.DialOptions{Address: devstacktest.Temporal(t), Namespace: "default", Codec: codec})
	require.NoError(t, err)
	f := fixture{t: t, client: c, queue: t.Name()}
	f.Launcher = launch.New(launch.Options{
		Client: c, TaskQueue: f.queue, Namespace: "default", UIURL: uiURL, Interval: 30 * time.Second, ContinueEvery: 7,
		MetricsRetentionDays: 14, AuditRetentionDays: 400, Codec: codec, Timeout: map[bool]time.Duration{true: 10 * time.Second, false: 500 * time.Millisecond}[withWorker],
	})
	if withWorker {
		w := worker.New(c, f.queue, worker.Options{})
		for name, stub := range map[string]any{
			workflows.AutoscaleType: stubAutoscale, workflows.ScaleUpType: stubOperation, workflows.MaintenanceType: stubMaintenance,
			workflows.WeddingDayType: stubWeddingDay,
		} {
			w.RegisterWorkflowWithOptions(stub, workflow.RegisterOptions{Name: name})
		}
		require.NoError(t, w.Start())
		t.Cleanup(w.Stop)
	}
	return f
}

func (f fixture) endLater(id string) {
	f.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = f.client.TerminateWorkflow(ctx, id, "", "the test is over")
	})
}

// autoscaler starts a service's stub through the launcher.
func (f fixture) autoscaler(service models.ServiceName) models.WorkflowRun {
	f.t.Helper()
	run, err := f.StartWorkflow(f.t.Context(), models.StartCommand{Kind: models.WorkflowAutoscale, Service: service, Actor: "user:anna"})
	require.NoError(f.t, err)
	f.endLater(run.WorkflowID)
	return run
}

// operation starts a ScaleUp as an autoscaler would.
func (f fixture) operation(service models.ServiceName, decision string) models.WorkflowRun {
	f.t.Helper()
	id := workflows.OperationID(service, decision)
	run, err := f.client.ExecuteWorkflow(f.t.Context(), client.StartWorkflowOptions{
		ID: id, TaskQueue: f.queue, Memo: map[string]any{workflows.MemoSentence: "search grows to 5"},
		TypedSearchAttributes: temporal.NewSearchAttributes(
			workflows.SearchAttributeService().ValueSet(string(service)), workflows.SearchAttributeOutcome().ValueSet("open")),
	}, workflows.ScaleUpType, workflows.OperationInput{})
	require.NoError(f.t, err)
	f.endLater(id)
	return models.WorkflowRun{WorkflowID: id, RunID: run.GetRunID()}
}

func (f fixture) state(id string) stubState {
	f.t.Helper()
	d, err := f.Workflow(f.t.Context(), id)
	require.NoError(f.t, err)
	require.Empty(f.t, d.StateError)
	var s stubState
	require.NoError(f.t, json.Unmarshal(d.State, &s))
	return s
}

func requireKind(t *testing.T, want models.Kind, err error) *models.Error {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, want, models.KindOf(err), "%v", err)
	var e *models.Error
	require.ErrorAs(t, err, &e)
	return e
}

// unique is part of an ID that no other run of a test has.
func unique() string { return strconv.FormatInt(time.Now().UnixNano(), 36) }

func itoa(n int) string { return strconv.Itoa(n) }
