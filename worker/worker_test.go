package worker_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	tlog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/grpc"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/internal/devstack"
	"github.com/wedsync/scalability/internal/devstack/devstacktest"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/worker"
	"github.com/wedsync/scalability/workflows"
)

func TestMain(m *testing.M) { os.Exit(devstacktest.Main(m)) }

// lazyClient does not ask whether the server is there.
func lazyClient(t *testing.T, address string) client.Client {
	t.Helper()
	c, err := client.NewLazyClient(client.Options{
		HostPort: address, Logger: tlog.NewStructuredLogger(slog.New(slog.NewTextHandler(io.Discard, nil))),
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func options(c client.Client) worker.Options {
	return worker.Options{
		Client: c, TaskQueue: "scalability", Activities: still(), Services: []models.ServiceName{models.ServiceAPI, models.ServiceMedia},
		AutoScaling: true, Interval: time.Second, ContinueEvery: 50, MetricsRetentionDays: 30, AuditRetentionDays: 365,
	}
}

func running(t *testing.T, c client.Client, s models.ServiceName) (runID string, ok bool) {
	t.Helper()
	d, err := c.DescribeWorkflowExecution(t.Context(), workflows.AutoscaleID(s), "")
	if err != nil {
		var missing *serviceerror.NotFound
		if !assert.ErrorAs(t, err, &missing) {
			t.Log(err)
		}
		return "", false
	}
	i := d.GetWorkflowExecutionInfo()
	return i.GetExecution().GetRunId(), i.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
}

func TestRegisterKnowsEveryNameOfTheContract(t *testing.T) {
	suite := testsuite.WorkflowTestSuite{}
	env := suite.NewTestWorkflowEnvironment()
	worker.Register(env, worker.Activities{})
	for _, name := range []string{"Observe", "Decide", "Preflight", "Order", "AwaitReady", "Measure", "PlanRollback", "RecordDecision", "CloseDecision", "SaveState", "KeepPartitions", "SnapshotHealth", "Reconcile", "RefreshPredictions", "RefitForecasts", "UpdateForecasts", "ScoreForecasts"} {
		assert.NotPanics(t, func() { env.OnActivity(name, nil, nil) }, name)
	}
	assert.Panics(t, func() { worker.Register(env, worker.Activities{}) }, "a name is registered once")
}

func TestStandingRunsAreEnsuredAndEnsuredAgain(t *testing.T) {
	c := lazyClient(t, devstacktest.Temporal(t))
	o := options(c)
	require.NoError(t, worker.EnsureAutoscalers(t.Context(), o))
	first, ok := running(t, c, models.ServiceAPI)
	require.True(t, ok)
	require.NoError(t, worker.EnsureAutoscalers(t.Context(), o))
	again, ok := running(t, c, models.ServiceAPI)
	require.True(t, ok)
	assert.Equal(t, first, again, "the one that runs is kept")

	// A busy server may answer a schedule too late: Run asks again, and so does this test.
	ensure := func() {
		t.Helper()
		var err error
		require.Eventually(t, func() bool {
			err = worker.EnsureSchedules(t.Context(), o)
			return err == nil
		}, time.Minute, 200*time.Millisecond, "%v", err)
	}
	ensure()
	ensure()
	handle := c.ScheduleClient().GetHandle(t.Context(), workflows.ScheduleID(workflows.JobPartitions))
	require.NoError(t, handle.Pause(t.Context(), client.SchedulePauseOptions{Note: "a migration"}))
	o.MetricsRetentionDays = 7
	ensure()
	for _, job := range workflows.MaintenanceJobs() {
		d, err := c.ScheduleClient().GetHandle(t.Context(), workflows.ScheduleID(job)).Describe(t.Context())
		require.NoError(t, err)
		assert.Equal(t, enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, d.Schedule.Policy.Overlap)
		assert.Equal(t, time.Minute, d.Schedule.Policy.CatchupWindow)
		require.Len(t, d.Schedule.Spec.Intervals, 1)
		assert.Equal(t, job == workflows.JobPartitions, d.Schedule.State.Paused, "a person's pause is kept")
		a, ok := d.Schedule.Action.(*client.ScheduleWorkflowAction)
		require.True(t, ok)
		assert.Equal(t, workflows.MaintenanceID(job), a.ID)
		assert.Contains(t, payload(t, a.Args[0]), `"metricsRetentionDays":7`, "the settings are brought up to date")
	}

	require.NoError(t, worker.CancelAutoscalers(t.Context(), o))
	require.NoError(t, worker.CancelAutoscalers(t.Context(), o), "also when none is left")
}

func payload(t *testing.T, arg any) string {
	t.Helper()
	p, ok := arg.(interface{ GetData() []byte })
	require.True(t, ok, "%T", arg)
	return string(p.GetData())
}

// run starts Run and gives a function that stops it and checks how it ended.
func run(t *testing.T, o worker.Options) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(ctx, o) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-ended:
			require.NoError(t, err)
		case <-time.After(30 * time.Second):
			assert.Fail(t, "the worker does not stop")
		}
	}
	t.Cleanup(stop)
	return stop
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	start := time.Now()
	require.Eventually(t, f, 60*time.Second, 100*time.Millisecond, what)
	t.Log(what, time.Since(start).Round(time.Millisecond))
}

// iteration is how often a service was evaluated.
func iteration(t *testing.T, c client.Client, s models.ServiceName) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	v, err := c.QueryWorkflow(ctx, workflows.AutoscaleID(s), "", workflows.QueryState)
	var st workflows.AutoscaleState
	if err != nil || v.Get(&st) != nil {
		return -1
	}
	return st.Iteration
}

func TestTheSwitchStopsAutoscalersForReal(t *testing.T) {
	c := lazyClient(t, devstacktest.Temporal(t))
	o := options(c)
	o.Services = []models.ServiceName{models.ServiceSearch, models.ServiceAuth}
	stop := run(t, o)
	eventually(t, "each service is evaluated", func() bool {
		return iteration(t, c, models.ServiceSearch) > 0 && iteration(t, c, models.ServiceAuth) > 0
	})
	stop()
	o.AutoScaling = false
	run(t, o)
	for _, s := range o.Services {
		eventually(t, "no autoscaler runs", func() bool { _, ok := running(t, c, s); return !ok })
	}
}

func TestAWorkerOutlivesAnOutageOfTemporal(t *testing.T) {
	server, err := devstack.StartTemporal(t.Context(), devstack.TemporalOptions{Dir: devstacktest.Dir(t)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	c := lazyClient(t, server.Addr())
	require.NoError(t, server.Stop(t.Context()))
	run(t, options(c)) // while Temporal is away
	time.Sleep(2 * time.Second)
	require.NoError(t, server.Start(t.Context()))
	eventually(t, "it begins when Temporal is there", func() bool { return iteration(t, c, models.ServiceAPI) > 0 })
	before := iteration(t, c, models.ServiceAPI)
	require.NoError(t, server.Stop(t.Context()))
	time.Sleep(3 * time.Second)
	require.NoError(t, server.Start(t.Context()))
	eventually(t, "and goes on after an outage", func() bool { return iteration(t, c, models.ServiceAPI) > before+1 })
}

func TestAWorkerWithoutAQueueIsRefused(t *testing.T) {
	err := worker.Run(t.Context(), worker.Options{})
	require.ErrorContains(t, err, "task queue")
}

func TestMissingSearchAttributesAreRegistered(t *testing.T) {
	server, err := devstack.StartTemporal(t.Context(), devstack.TemporalOptions{Dir: devstacktest.Dir(t), Volatile: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	c := lazyClient(t, server.Addr())
	o := options(c)
	known := func() map[string]enumspb.IndexedValueType {
		res, err := c.OperatorService().ListSearchAttributes(t.Context(), &operatorservice.ListSearchAttributesRequest{Namespace: "default"})
		require.NoError(t, err)
		return res.GetCustomAttributes()
	}
	_, err = c.OperatorService().RemoveSearchAttributes(t.Context(), &operatorservice.RemoveSearchAttributesRequest{
		Namespace: "default", SearchAttributes: []string{"WedsyncOutcome", "WedsyncSeverity"},
	})
	require.NoError(t, err)
	require.NotContains(t, known(), "WedsyncOutcome")
	require.NoError(t, worker.EnsureSearchAttributes(t.Context(), o))
	require.NoError(t, worker.EnsureSearchAttributes(t.Context(), o), "again, where all are there")
	for _, name := range []string{"WedsyncService", "WedsyncOutcome", "WedsyncWeddingDate", "WedsyncSeverity"} {
		assert.Contains(t, known(), name)
	}
	o.Namespace = "nobodys"
	require.Error(t, worker.EnsureSearchAttributes(t.Context(), o), "a namespace that does not exist may come")
}

// guarded is a Temporal whose operator's doors are shut.
type guarded struct {
	client.Client
	operatorservice.OperatorServiceClient
	asked int
}

func (g *guarded) OperatorService() operatorservice.OperatorServiceClient { return g }

func (g *guarded) ListSearchAttributes(context.Context, *operatorservice.ListSearchAttributesRequest, ...grpc.CallOption) (*operatorservice.ListSearchAttributesResponse, error) {
	g.asked++
	return nil, serviceerror.NewPermissionDenied("not for workers", "")
}

func TestAWorkerThatMayNotRegisterSearchAttributesSaysHowOnceAndGoesOn(t *testing.T) {
	var log strings.Builder
	g := &guarded{}
	o := worker.Options{Client: g, Namespace: "weddings", Log: slog.New(slog.NewTextHandler(&log, nil))}
	require.NoError(t, worker.EnsureSearchAttributes(t.Context(), o))
	assert.Equal(t, 1, g.asked)
	assert.Contains(t, log.String(), "temporal operator search-attribute create --namespace weddings --type Keyword --name WedsyncService --name WedsyncOutcome")
}

// TestASeasonsYearlyScheduleBeginsItsPreparationOnce: it is due 35 days ahead, by the
// season's own clock, and a worker that starts again within that time starts no second one.
func TestASeasonsYearlyScheduleBeginsItsPreparationOnce(t *testing.T) {
	c := lazyClient(t, devstacktest.Temporal(t))
	o := options(c)
	o.TaskQueue = t.Name()
	now := time.Now().UTC()
	name := "summer" + strconv.FormatInt(now.UnixNano(), 36)
	o.Seasons = []activities.SeasonDefinition{{
		Name: name, First: now.AddDate(0, 0, 10).Format("01-02"), Last: now.AddDate(0, 0, 60).Format("01-02"), TimeZone: "Europe/London",
	}}
	w := sdkworker.New(c, o.TaskQueue, sdkworker.Options{})
	w.RegisterWorkflowWithOptions(workflows.SeasonDue, workflow.RegisterOptions{Name: workflows.SeasonDueType})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context, _ workflows.SeasonInput) error { return workflow.Sleep(ctx, time.Hour) },
		workflow.RegisterOptions{Name: workflows.SeasonPreparationType})
	w.RegisterActivity(&activities.Seasons{})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)

	ensure := func() {
		var err error
		require.Eventually(t, func() bool { err = worker.EnsureSchedules(t.Context(), o); return err == nil }, time.Minute, 200*time.Millisecond, "%v", err)
	}
	ensure()
	begins := now.AddDate(0, 0, 10)
	id := workflows.SeasonID(fmt.Sprintf("%s-%d", name, begins.Year()))
	var runID string
	eventually(t, "the preparation runs", func() bool {
		d, err := c.DescribeWorkflowExecution(t.Context(), id, "")
		if err != nil {
			return false
		}
		runID = d.GetWorkflowExecutionInfo().GetExecution().GetRunId()
		return true
	})
	t.Cleanup(func() { _ = c.TerminateWorkflow(context.Background(), id, "", "the test is over") })

	handle := c.ScheduleClient().GetHandle(t.Context(), workflows.SeasonScheduleID(name))
	t.Cleanup(func() { _ = handle.Delete(context.Background()) })
	looks := func() int {
		d, err := handle.Describe(t.Context())
		require.NoError(t, err)
		return d.Info.NumActions
	}
	eventually(t, "it looked once", func() bool { return looks() >= 1 })
	d, err := handle.Describe(t.Context())
	require.NoError(t, err)
	assert.Equal(t, enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, d.Schedule.Policy.Overlap)
	assert.Equal(t, 7*24*time.Hour, d.Schedule.Policy.CatchupWindow, "also when Temporal was away on the day")
	require.NotEmpty(t, d.Info.NextActionTimes)
	london, err := time.LoadLocation("Europe/London")
	require.NoError(t, err)
	due := d.Info.NextActionTimes[0].In(london)
	first, err := time.Parse("2006-01-02", "2001-"+o.Seasons[0].First)
	require.NoError(t, err)
	assert.Equal(t, first.AddDate(0, 0, -35).Format("01-02")+" 01", due.Format("01-02 15"))

	ensure() // a worker starts again
	eventually(t, "it looks again", func() bool { return looks() >= 2 })
	time.Sleep(time.Second) // a second preparation would be there
	again, err := c.DescribeWorkflowExecution(t.Context(), id, "")
	require.NoError(t, err)
	assert.Equal(t, runID, again.GetWorkflowExecutionInfo().GetExecution().GetRunId(), "this year's was begun before")

	o.Seasons[0].First = "02-31"
	require.ErrorContains(t, worker.EnsureSchedules(t.Context(), o), "must begin at a day")
}
