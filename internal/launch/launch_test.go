package launch_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/internal/devstack"
	"github.com/wedsync/scalability/internal/devstack/devstacktest"
	"github.com/wedsync/scalability/internal/launch"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

func TestAutoscalerIsStartedOnceWithTheConfiguredInput(t *testing.T) {
	f := newFixture(t, true)
	first := f.autoscaler(models.ServiceSearch)
	assert.Equal(t, "autoscale/search", first.WorkflowID)
	assert.False(t, first.AlreadyRunning)
	assert.Equal(t, "http://127.0.0.1:8233/namespaces/default/workflows/autoscale%2Fsearch/"+first.RunID, first.URL)

	second := f.autoscaler(models.ServiceSearch)
	assert.True(t, second.AlreadyRunning)
	assert.Equal(t, first.RunID, second.RunID, "the run that is there is answered")

	d, err := f.Workflow(t.Context(), first.WorkflowID)
	require.NoError(t, err)
	assert.Equal(t, models.WorkflowAutoscale, d.Kind)
	assert.Equal(t, "running", d.Status)
	assert.Equal(t, models.ServiceSearch, d.Service)
	assert.Equal(t, "Started by user:anna.", d.Sentence)
	assert.Equal(t, first.URL, d.URL)
	assert.Equal(t, workflows.AutoscaleInput{Service: models.ServiceSearch, IntervalSeconds: 30, ContinueEvery: 7}, f.state(first.WorkflowID).Input)
}

func TestMaintenanceJobIsStartedWithTheRetention(t *testing.T) {
	f := newFixture(t, true)
	run, err := f.StartWorkflow(t.Context(), models.StartCommand{Kind: models.WorkflowMaintenance, Job: "partitions", Actor: "user:root"})
	require.NoError(t, err)
	f.endLater(run.WorkflowID)
	assert.Equal(t, "maintenance/partitions", run.WorkflowID)
	assert.Equal(t, workflows.MaintenanceInput{Job: workflows.JobPartitions, MetricsRetentionDays: 14, AuditRetentionDays: 400}, f.state(run.WorkflowID).Job)
}

func TestWhatMayNotBeStartedIsRefusedByField(t *testing.T) {
	f := newFixture(t, false)
	cases := map[string]struct {
		command models.StartCommand
		field   string
		says    string
	}{
		"an operation":       {models.StartCommand{Kind: models.WorkflowScaleUp, Service: models.ServiceAPI}, "kind", "autoscalers alone"},
		"an unknown kind":    {models.StartCommand{Kind: "cron"}, "kind", "autoscale, maintenance"},
		"an unknown service": {models.StartCommand{Kind: models.WorkflowAutoscale, Service: "nginx"}, "service", "must be one of"},
		"an unknown job":     {models.StartCommand{Kind: models.WorkflowMaintenance, Job: "cleanup"}, "job", "partitions, snapshots, reconcile, predictions, calendar_feeds, audit_verify, wedding_days, refit, forecasts, accuracy"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := f.StartWorkflow(t.Context(), c.command)
			e := requireKind(t, models.KindInvalid, err)
			assert.Equal(t, c.field, e.Field)
			assert.Contains(t, e.Rule, c.says)
		})
	}
}

func TestSignalsReachTheRunningAutoscalerAndStartNone(t *testing.T) {
	f := newFixture(t, true)
	spike := models.Spike{Service: models.ServiceMedia, RPS: 300, SeenAt: time.Now().UTC(), Reason: "three times the capacity"}
	requireKind(t, models.KindNotFound, f.SignalSpike(t.Context(), spike))
	requireKind(t, models.KindNotFound, f.NudgeAutoscale(t.Context(), models.ServiceMedia, "r1"))

	run := f.autoscaler(models.ServiceMedia)
	require.NoError(t, f.SignalSpike(t.Context(), spike))
	require.NoError(t, f.NudgeAutoscale(t.Context(), models.ServiceMedia, "r1"))
	require.NoError(t, f.SignalWorkflow(t.Context(), models.SignalCommand{
		WorkflowID: run.WorkflowID, Signal: "reservation_changed", Payload: json.RawMessage(`{"reservationId":"r2"}`),
	}))
	require.NoError(t, f.SignalWorkflow(t.Context(), models.SignalCommand{
		WorkflowID: run.WorkflowID, Signal: "spike", Payload: json.RawMessage(`{"service":"media","rps":5,"seenAt":"2026-06-06T12:00:00Z"}`),
	}))
	s := f.state(run.WorkflowID)
	require.Len(t, s.Spikes, 2)
	assert.Equal(t, spike, s.Spikes[0])
	assert.InDelta(t, 5, s.Spikes[1].RPS, 0)
	assert.Equal(t, []workflows.ReservationChanged{{ReservationID: "r1"}, {ReservationID: "r2"}}, s.Changes)
}

func TestUnknownSignalsAndPayloadsAreRefusedByField(t *testing.T) {
	f := newFixture(t, false)
	cases := map[string]struct {
		id, signal, payload string
		kind                models.Kind
		field, says         string
	}{
		"unknown signal":       {"autoscale/api", "reboot", `{}`, models.KindInvalid, "signal", "spike, reservation_changed"},
		"internal signal":      {"autoscale/api", workflows.SignalOperationFinished, `{}`, models.KindInvalid, "signal", "spike, reservation_changed"},
		"an operation":         {"scale/api/d1", "supersede", `{}`, models.KindInvalid, "workflowId", "takes no signals"},
		"not ours":             {"temporal-sys-scheduler:x", "spike", `{}`, models.KindNotFound, "workflowId", "does not exist"},
		"no JSON":              {"autoscale/api", "spike", `{`, models.KindInvalid, "payload", "JSON"},
		"nothing":              {"autoscale/api", "spike", ``, models.KindInvalid, "payload", "JSON"},
		"unknown field":        {"autoscale/api", "reservation_changed", `{"reservationId":"r","force":true}`, models.KindInvalid, "payload", "JSON"},
		"two values":           {"autoscale/api", "reservation_changed", `{"reservationId":"r"} {}`, models.KindInvalid, "payload", "JSON"},
		"no reservation":       {"autoscale/api", "reservation_changed", `{}`, models.KindInvalid, "payload.reservationId", "1 to 100"},
		"another service":      {"autoscale/api", "spike", `{"service":"media","rps":5,"seenAt":"2026-06-06T12:00:00Z"}`, models.KindInvalid, "payload.service", "must be api"},
		"no load":              {"autoscale/api", "spike", `{"service":"api","rps":0,"seenAt":"2026-06-06T12:00:00Z"}`, models.KindInvalid, "payload.rps", "above 0"},
		"load beyond measure":  {"autoscale/api", "spike", `{"service":"api","rps":1e300,"seenAt":"2026-06-06T12:00:00Z"}`, models.KindInvalid, "payload.rps", "above 0"},
		"never seen":           {"autoscale/api", "spike", `{"service":"api","rps":5}`, models.KindInvalid, "payload.seenAt", "required"},
		"seen before it began": {"autoscale/api", "spike", `{"service":"api","rps":5,"seenAt":"2026-06-06T12:00:00Z","firstSampleAt":"2026-06-06T12:00:01Z"}`, models.KindInvalid, "payload.firstSampleAt", "not be after"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := f.SignalWorkflow(t.Context(), models.SignalCommand{WorkflowID: c.id, Signal: c.signal, Payload: json.RawMessage(c.payload)})
			e := requireKind(t, c.kind, err)
			assert.Equal(t, c.field, e.Field)
			assert.Contains(t, e.Rule, c.says)
		})
	}
}

func TestControlAnswersInTheAutoscalersWordsAndOncePerRequest(t *testing.T) {
	f := newFixture(t, true)
	pause := models.ControlCommand{Action: models.ControlPause, Service: models.ServiceAuth, Actor: "user:anna", Reason: "release", RequestID: "req-1"}
	_, err := f.Control(t.Context(), pause)
	requireKind(t, models.KindNotFound, err)

	run := f.autoscaler(models.ServiceAuth)
	for range 2 {
		answer, err := f.Control(t.Context(), pause)
		require.NoError(t, err)
		assert.Equal(t, models.ControlResult{Service: models.ServiceAuth, Paused: true, Text: "paused, in my words"}, answer)
	}
	_, err = f.Control(t.Context(), models.ControlCommand{Action: models.ControlOverride, Service: models.ServiceAuth, Reservation: &models.Reservation{ID: "r9"}})
	require.NoError(t, err)
	answer, err := f.Control(t.Context(), models.ControlCommand{Action: models.ControlResume, Service: models.ServiceAuth, Actor: "user:ben", RequestID: "req-1"})
	require.NoError(t, err)
	assert.Equal(t, "resumed", answer.Text, "a request ID that is used again for another command is another command")
	assert.Equal(t, []string{"pause by user:anna: release", "override with r9", "resume by user:ben"}, f.state(run.WorkflowID).Commands)

	_, err = f.Control(t.Context(), models.ControlCommand{Action: models.ControlPause, Service: models.ServiceAuth, RequestID: "req-2"})
	e := requireKind(t, models.KindInvalid, err)
	assert.Contains(t, e.Rule, "reason: must have 3 to 500 characters", "what the autoscaler refuses comes with its reason")
}

func TestBadCommandsAreRefusedByField(t *testing.T) {
	f := newFixture(t, false)
	for field, c := range map[string]models.ControlCommand{
		"service":     {Action: models.ControlPause, Service: "nginx"},
		"action":      {Action: "reboot", Service: models.ServiceAPI},
		"reservation": {Action: models.ControlOverride, Service: models.ServiceAPI},
	} {
		_, err := f.Control(t.Context(), c)
		assert.Equal(t, field, requireKind(t, models.KindInvalid, err).Field)
	}
}

func TestOperationIsFoundInspectedAndCancelled(t *testing.T) {
	f := newFixture(t, true)
	decision := "d-" + unique()
	id := workflows.OperationID(models.ServiceStorage, decision)
	state, err := f.FindOperation(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, activities.OperationMissing, state)
	_, err = f.Workflow(t.Context(), id)
	requireKind(t, models.KindNotFound, err)
	requireKind(t, models.KindNotFound, f.CancelWorkflow(t.Context(), id, "user:anna", "not needed"))

	f.operation(models.ServiceStorage, decision)
	state, err = f.FindOperation(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, activities.OperationOpen, state)
	var d models.WorkflowDetail
	require.Eventually(t, func() bool {
		d, err = f.Workflow(t.Context(), id)
		return err == nil && len(d.Pending) > 0
	}, 20*time.Second, 50*time.Millisecond)
	assert.Equal(t, []string{"AwaitReady"}, d.Pending)
	assert.Equal(t, "open", d.Outcome)
	assert.Equal(t, "search grows to 5", d.Sentence)
	assert.NotEmpty(t, d.StateError, "the stub has no state query, and that is said")
	assert.Nil(t, d.ClosedAt)

	require.NoError(t, f.CancelWorkflow(t.Context(), id, "user:anna", "not needed"))
	require.Eventually(t, func() bool {
		state, err = f.FindOperation(t.Context(), id)
		return err == nil && state == activities.OperationClosed
	}, 20*time.Second, 50*time.Millisecond)
	d, err = f.Workflow(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, "cancelled", d.Status)
	assert.NotNil(t, d.ClosedAt)
	assert.Equal(t, []string{"user:anna", "not needed"}, whoCancelled(t, f.client, id))
	requireKind(t, models.KindNotFound, f.CancelWorkflow(t.Context(), id, "user:anna", "again"))
}

func TestAnAnswerReachesTheChangeThatWaitsForIt(t *testing.T) {
	f := newFixture(t, true)
	decision := "d-" + unique()
	f.operation(models.ServiceStorage, decision)
	yes := models.ApprovalCommand{Service: models.ServiceStorage, DecisionID: decision, Actor: "user:anna", Reason: "all guests left", RequestID: "r1"}
	for range 2 {
		verdict, err := f.Approve(t.Context(), yes)
		require.NoError(t, err, "repeated, it is the same answer")
		assert.Equal(t, models.ApprovalApproved, verdict)
	}
	verdict, err := f.Reject(t.Context(), models.ApprovalCommand{Service: models.ServiceStorage, DecisionID: decision, Actor: "user:anna", Reason: "no"})
	require.NoError(t, err)
	assert.Equal(t, models.ApprovalRejected, verdict)
	_, err = f.Approve(t.Context(), models.ApprovalCommand{Service: models.ServiceStorage, DecisionID: decision, Actor: "user:anna"})
	assert.Contains(t, requireKind(t, models.KindInvalid, err).Rule, "reason")
	_, err = f.Approve(t.Context(), models.ApprovalCommand{Service: models.ServiceStorage, DecisionID: decision, Actor: "user:anna", Reason: "too late"})
	assert.Contains(t, requireKind(t, models.KindNotFound, err).Rule, "does not wait")
	_, err = f.Approve(t.Context(), models.ApprovalCommand{Service: models.ServiceStorage, DecisionID: "d-nobody", Actor: "user:anna", Reason: "what for"})
	requireKind(t, models.KindNotFound, err)
	_, err = f.Reject(t.Context(), models.ApprovalCommand{Service: models.ServiceStorage, DecisionID: "../x", Actor: "user:anna", Reason: "what for"})
	requireKind(t, models.KindNotFound, err)
	_, err = f.Reject(t.Context(), models.ApprovalCommand{Service: "nginx", DecisionID: decision, Actor: "user:anna", Reason: "what for"})
	assert.Equal(t, "service", requireKind(t, models.KindInvalid, err).Field)
}

// whoCancelled reads identity and reason from the run's history.
func whoCancelled(t *testing.T, c client.Client, id string) []string {
	t.Helper()
	history := c.GetWorkflowHistory(t.Context(), id, "", false, 0)
	for history.HasNext() {
		event, err := history.Next()
		require.NoError(t, err)
		if a := event.GetWorkflowExecutionCancelRequestedEventAttributes(); a != nil {
			return []string{a.GetIdentity(), a.GetCause()}
		}
	}
	return nil
}

func TestAutoscalersAndStrangersAreNotCancelled(t *testing.T) {
	f := newFixture(t, true)
	run := f.autoscaler(models.ServiceRealtime)
	e := requireKind(t, models.KindInvalid, f.CancelWorkflow(t.Context(), run.WorkflowID, "user:anna", "x"))
	assert.Contains(t, e.Rule, "pause")
	for _, id := range []string{"", "payments/1", "autoscale/nginx", "autoscale/api/x", "scale/api", "scale/api/", "scale/api/../x", "scale/nginx/d", "maintenance/cleanup", "maintenance/partitionsx", "schedule/maintenance/partitions"} {
		requireKind(t, models.KindNotFound, f.CancelWorkflow(t.Context(), id, "user:anna", "x"))
		_, err := f.Workflow(t.Context(), id)
		requireKind(t, models.KindNotFound, err)
	}
	assert.Equal(t, models.ServiceRealtime, f.state(run.WorkflowID).Input.Service, "it runs on")
}

func TestRunsAreListedByKindServiceAndStatus(t *testing.T) {
	f := newFixture(t, true)
	autoscaler := f.autoscaler(models.ServiceDatabase)
	running := f.operation(models.ServiceDatabase, "d-"+unique())
	ended := f.operation(models.ServiceDatabase, "d-"+unique())
	require.NoError(t, f.client.TerminateWorkflow(t.Context(), ended.WorkflowID, "", "test"))
	ours := []string{autoscaler.RunID, running.RunID, ended.RunID}
	open, closed := true, false
	list := func(filter models.WorkflowFilter) []string {
		filter.Service = models.ServiceDatabase
		page, err := f.Workflows(t.Context(), filter)
		require.NoError(t, err)
		runs := []string{}
		for _, item := range page.Items {
			assert.Equal(t, models.ServiceDatabase, item.Service)
			if slices.Contains(ours, item.RunID) {
				runs = append(runs, item.RunID)
			}
		}
		return runs
	}
	require.Eventually(t, func() bool {
		return len(list(models.WorkflowFilter{})) == 3 && len(list(models.WorkflowFilter{Open: &closed})) == 1
	},
		20*time.Second, 100*time.Millisecond, "lists lag behind")
	assert.ElementsMatch(t, []string{autoscaler.RunID, running.RunID}, list(models.WorkflowFilter{Open: &open}))
	assert.Equal(t, []string{autoscaler.RunID}, list(models.WorkflowFilter{Kind: models.WorkflowAutoscale}))
	assert.Equal(t, []string{ended.RunID}, list(models.WorkflowFilter{Kind: models.WorkflowScaleUp, Open: &closed}))
	assert.Empty(t, list(models.WorkflowFilter{Kind: models.WorkflowScaleDown}))

	first, err := f.Workflows(t.Context(), models.WorkflowFilter{Service: models.ServiceDatabase, Open: &open, Limit: 1})
	require.NoError(t, err)
	require.Len(t, first.Items, 1)
	second, err := f.Workflows(t.Context(), models.WorkflowFilter{Service: models.ServiceDatabase, Open: &open, Limit: 1, PageToken: first.NextPageToken})
	require.NoError(t, err)
	require.Len(t, second.Items, 1)
	assert.NotEqual(t, first.Items[0].RunID, second.Items[0].RunID)
	_, err = f.Workflows(t.Context(), models.WorkflowFilter{Service: models.ServiceDatabase, PageToken: first.NextPageToken})
	requireKind(t, models.KindInvalid, err)
}

func TestBadFiltersAreRefusedByField(t *testing.T) {
	f := newFixture(t, true)
	for name, c := range map[string]struct {
		filter models.WorkflowFilter
		field  string
	}{
		"kind":                   {models.WorkflowFilter{Kind: "cron"}, "kind"},
		"an injection":           {models.WorkflowFilter{Service: "api' OR WorkflowId != '"}, "service"},
		"a token of nobody":      {models.WorkflowFilter{PageToken: "!!"}, "pageToken"},
		"a token of another one": {models.WorkflowFilter{PageToken: "aGVsbG8"}, "pageToken"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.Workflows(t.Context(), c.filter)
			assert.Equal(t, c.field, requireKind(t, models.KindInvalid, err).Field)
		})
	}
}

func TestWithoutAWorkerStateIsMissingAndCommandsAreUnavailable(t *testing.T) {
	f := newFixture(t, false)
	run := f.autoscaler(models.ServiceNotifications)
	d, err := f.Workflow(t.Context(), run.WorkflowID)
	require.NoError(t, err)
	assert.Equal(t, "running", d.Status)
	assert.Nil(t, d.State)
	assert.Contains(t, d.StateError, "no worker answered")
	_, err = f.Control(t.Context(), models.ControlCommand{Action: models.ControlResume, Service: models.ServiceNotifications, RequestID: "r"})
	e := requireKind(t, models.KindUnavailable, err)
	assert.Contains(t, e.Error(), "may still carry it out")
	err = f.Check(t.Context())
	requireKind(t, models.KindUnavailable, err)
	assert.Contains(t, err.Error(), "no worker asks for work")
}

func TestEngineIsHealthyWhenEveryAutoscalerRunsAndAWorkerAsks(t *testing.T) {
	f := newFixture(t, true)
	for _, service := range models.ServiceNames()[1:] {
		f.autoscaler(service)
	}
	sick := func() error { // an own launcher, since answers are remembered for a moment
		return launch.New(launch.Options{Client: f.client, TaskQueue: f.queue, Namespace: "default", Timeout: 10 * time.Second}).Check(t.Context())
	}
	require.Eventually(t, func() bool { return !strings.Contains(sick().Error(), "no worker") }, 20*time.Second, 100*time.Millisecond)
	err := sick()
	requireKind(t, models.KindUnavailable, err)
	assert.Contains(t, err.Error(), "autoscale/"+string(models.ServiceNames()[0]))

	f.autoscaler(models.ServiceNames()[0])
	require.NoError(t, f.Check(t.Context()))
	require.NoError(t, f.client.TerminateWorkflow(t.Context(), "autoscale/media", "", "test"))
	require.NoError(t, f.Check(t.Context()), "the answer of a moment ago")
	require.ErrorContains(t, sick(), "autoscale/media does not run: it is terminated")
}

func TestEveryCallSaysWhenTemporalIsAway(t *testing.T) {
	port, err := devstack.FreePort()
	require.NoError(t, err)
	address := "127.0.0.1:" + itoa(port)
	c, err := launch.Dial(launch.DialOptions{Address: address, Namespace: "default", Tracing: true})
	require.NoError(t, err, "a client is made without Temporal")
	defer c.Close()
	l := launch.New(launch.Options{Client: c, TaskQueue: "q", Namespace: "default", Timeout: 200 * time.Millisecond})
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"nudge": func() error { return l.NudgeAutoscale(ctx, models.ServiceAPI, "r") },
		"spike": func() error { return l.SignalSpike(ctx, models.Spike{Service: models.ServiceAPI}) },
		"control": func() error {
			_, err := l.Control(ctx, models.ControlCommand{Action: models.ControlResume, Service: models.ServiceAPI})
			return err
		},
		"start": func() error {
			_, err := l.StartWorkflow(ctx, models.StartCommand{Kind: models.WorkflowAutoscale, Service: models.ServiceAPI})
			return err
		},
		"list":   func() error { _, err := l.Workflows(ctx, models.WorkflowFilter{}); return err },
		"detail": func() error { _, err := l.Workflow(ctx, "autoscale/api"); return err },
		"signal": func() error {
			return l.SignalWorkflow(ctx, models.SignalCommand{WorkflowID: "autoscale/api", Signal: "reservation_changed", Payload: json.RawMessage(`{"reservationId":"r"}`)})
		},
		"cancel": func() error { return l.CancelWorkflow(ctx, "scale/api/d", "user:anna", "x") },
		"find":   func() error { _, err := l.FindOperation(ctx, "scale/api/d"); return err },
		"check":  func() error { return l.Check(ctx) },
	} {
		t.Run(name, func(t *testing.T) { requireKind(t, models.KindUnavailable, call()) })
	}

	temporal, err := devstack.StartTemporal(ctx, devstack.TemporalOptions{Dir: devstacktest.Dir(t), Port: port, Volatile: true})
	require.NoError(t, err)
	t.Cleanup(temporal.Kill)
	require.Eventually(t, func() bool {
		state, err := l.FindOperation(ctx, "scale/api/d")
		return err == nil && state == activities.OperationMissing
	}, 30*time.Second, 100*time.Millisecond, "the same client goes on when Temporal is there")
}
