package workflows_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	tlog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	tworker "go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/wedsync/scalability/internal/devstack/devstacktest"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/worker"
	"github.com/wedsync/scalability/workflows"
)

var record = flag.Bool("record", false, "write the histories of the scenarios into testdata/histories")

const histories = "testdata/histories"

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(devstacktest.Main(m))
}

// scenario runs workflows of one kind on a real server, with a plant of its own.
type scenario struct {
	t     *testing.T
	c     client.Client
	queue string
	plant *plant
	work  tworker.Worker

	approval int // seconds that a change waits for a person
}

func newScenario(t *testing.T, p *plant) *scenario {
	t.Helper()
	c, err := client.Dial(client.Options{
		HostPort: devstacktest.Temporal(t), Identity: "recorder",
		Logger: tlog.NewStructuredLogger(slog.New(slog.NewTextHandler(io.Discard, nil))),
	})
	require.NoError(t, err)
	s := &scenario{t: t, c: c, queue: "histories-" + uuid.NewString(), plant: p}
	s.employ()
	t.Cleanup(func() { s.work.Stop(); c.Close() })
	return s
}

// employ starts a worker.
func (s *scenario) employ() {
	s.t.Helper()
	s.work = tworker.New(s.c, s.queue, tworker.Options{Identity: "recorder", StickyScheduleToStartTimeout: time.Second, WorkerStopTimeout: 2 * time.Second, DeadlockDetectionTimeout: 5 * time.Second})
	worker.Register(s.work, s.plant.activities())
	require.NoError(s.t, s.work.Start())
}

// operation starts a change directly. Its autoscaler does not exist, which an operation
// has to bear.
func (s *scenario) operation(to int, class models.Class) client.WorkflowRun {
	s.t.Helper()
	id := uuid.NewString()
	typ, dir := workflows.ScaleUpType, models.DirectionUp
	spec := s.plant.set.Spec
	if to < spec {
		typ, dir = workflows.ScaleDownType, models.DirectionDown
	}
	now := time.Now()
	d := models.Decision{
		ID: id, Service: models.ServiceAPI, CreatedAt: now, ExpiresAt: now.Add(time.Minute), RequestedBy: "user:anna", Class: class, Direction: dir,
		FromReplicas: spec, ToReplicas: to, Sentence: fmt.Sprintf("Scale api %d→%d.", spec, to), Status: models.DecisionExecuting,
	}
	require.NoError(s.t, s.plant.RecordDecision(s.t.Context(), d))
	run, err := s.c.ExecuteWorkflow(s.t.Context(), client.StartWorkflowOptions{
		ID: "scale/recorded/" + id, TaskQueue: s.queue, Memo: map[string]any{workflows.MemoSentence: d.Sentence},
		TypedSearchAttributes: temporal.NewSearchAttributes(
			workflows.SearchAttributeService().ValueSet("api"), workflows.SearchAttributeOutcome().ValueSet(workflows.OutcomeAttributeOpen)),
	}, typ, workflows.OperationInput{Decision: d, Service: s.plant.service, Baseline: spec, ApprovalSeconds: s.approval})
	require.NoError(s.t, err)
	return run
}

// ends waits for an operation and gives its outcome; cancelled runs have no result, but
// answer the query.
func (s *scenario) ends(run client.WorkflowRun) workflows.OperationProgress {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	err := run.Get(ctx, nil)
	require.NoError(s.t, ctx.Err(), "it ends")
	v, qerr := s.c.QueryWorkflow(ctx, run.GetID(), run.GetRunID(), workflows.QueryState)
	require.NoError(s.t, qerr)
	var p workflows.OperationProgress
	require.NoError(s.t, v.Get(&p))
	if p.Outcome == models.OutcomeCancelled {
		assert.True(s.t, temporal.IsCanceledError(err))
	} else {
		require.NoError(s.t, err)
	}
	assert.Equal(s.t, p.Outcome, s.plant.outcome(p.DecisionID), "it is recorded")
	return p
}

// keep writes a run's history when histories are recorded.
func (s *scenario) keep(name, id, runID string) {
	s.t.Helper()
	iter := s.c.GetWorkflowHistory(s.t.Context(), id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	h := &historypb.History{}
	for iter.HasNext() {
		e, err := iter.Next()
		require.NoError(s.t, err)
		h.Events = append(h.Events, e)
	}
	require.NotEmpty(s.t, h.Events)
	if !*record {
		return
	}
	raw, err := protojson.Marshal(h)
	require.NoError(s.t, err)
	require.NoError(s.t, os.MkdirAll(histories, 0o755))
	require.NoError(s.t, os.WriteFile(filepath.Join(histories, name+".json"), append(raw, '\n'), 0o644))
}

// eventually waits for something on the server's side.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	require.Eventually(t, f, 30*time.Second, 50*time.Millisecond, what)
}

// TestRecordHistories runs each kind of workflow to each of its ends on a real server.
// With -record it also keeps their histories: make histories.
func TestRecordHistories(t *testing.T) {
	for name, f := range map[string]func(*testing.T){
		"scaleup-verified": func(t *testing.T) {
			s := newScenario(t, newPlant(2, 100))
			run := s.operation(14, models.ClassFloor)
			p := s.ends(run)
			require.Equal(t, models.OutcomeVerified, p.Outcome, p.Reason)
			assert.Equal(t, 3, s.plant.orders, "in waves")
			s.keep("scaleup-verified", run.GetID(), run.GetRunID())
		},
		"scaleup-rolledback": func(t *testing.T) {
			pl := newPlant(2, 100)
			pl.crash = true
			s := newScenario(t, pl)
			run := s.operation(5, models.ClassPanic)
			p := s.ends(run)
			require.Equal(t, models.OutcomeRolledBack, p.Outcome, p.Reason)
			assert.Equal(t, 2, pl.set.Spec)
			assert.Equal(t, 2, pl.set.Ready, "the old replicas stayed")
			s.keep("scaleup-rolledback", run.GetID(), run.GetRunID())
		},
		"scaleup-held": func(t *testing.T) {
			pl := newPlant(2, 100)
			pl.quiet = true
			s := newScenario(t, pl)
			run := s.operation(4, models.ClassReactive)
			p := s.ends(run)
			require.Equal(t, models.OutcomeHeld, p.Outcome, p.Reason)
			assert.Equal(t, 4, pl.set.Spec)
			s.keep("scaleup-held", run.GetID(), run.GetRunID())
		},
		"scaleup-cancelled": func(t *testing.T) {
			pl := newPlant(2, 100)
			pl.service.Policy.SoakSeconds = 60
			s := newScenario(t, pl)
			run := s.operation(6, models.ClassReactive)
			s.reaches(run, "soak")
			require.NoError(t, s.c.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))
			p := s.ends(run)
			require.Equal(t, models.OutcomeCancelled, p.Outcome, p.Reason)
			assert.Equal(t, 2, pl.set.Spec)
			s.keep("scaleup-cancelled", run.GetID(), run.GetRunID())
		},
		"scaleup-superseded": func(t *testing.T) {
			pl := newPlant(2, 100)
			pl.service.Policy.SoakSeconds = 60
			s := newScenario(t, pl)
			run := s.operation(6, models.ClassReactive)
			s.reaches(run, "soak")
			require.NoError(t, s.c.SignalWorkflow(t.Context(), run.GetID(), run.GetRunID(), workflows.SignalSupersede, workflows.Supersede{ByDecisionID: "later"}))
			p := s.ends(run)
			require.Equal(t, models.OutcomeSuperseded, p.Outcome, p.Reason)
			assert.Equal(t, 6, pl.set.Spec)
			s.keep("scaleup-superseded", run.GetID(), run.GetRunID())
		},
		"scaledown-verified": func(t *testing.T) {
			s := newScenario(t, newPlant(6, 100))
			run := s.operation(5, models.ClassSteady)
			p := s.ends(run)
			require.Equal(t, models.OutcomeVerified, p.Outcome, p.Reason)
			assert.Equal(t, 5, s.plant.set.Spec)
			s.keep("scaledown-verified", run.GetID(), run.GetRunID())
		},
		"scaledown-undone": func(t *testing.T) {
			pl := newPlant(6, 100)
			pl.sick = true
			s := newScenario(t, pl)
			run := s.operation(5, models.ClassSteady)
			p := s.ends(run)
			require.Equal(t, models.OutcomeRolledBack, p.Outcome, p.Reason)
			assert.Equal(t, 6, pl.set.Spec)
			s.keep("scaledown-undone", run.GetID(), run.GetRunID())
		},
		"scaleup-partial": func(t *testing.T) {
			pl := newPlant(2, 100)
			pl.never = map[int]bool{8: true, 9: true, 10: true} // one of the wave, and both that take its place
			s := newScenario(t, pl)
			run := s.operation(8, models.ClassReactive)
			p := s.ends(run)
			require.Equal(t, models.OutcomePartial, p.Outcome, p.Reason)
			assert.Equal(t, 7, pl.set.Spec, "what never came is given up")
			assert.Equal(t, 7, pl.set.Ready)
			s.keep("scaleup-partial", run.GetID(), run.GetRunID())
		},
		"scaleup-again": func(t *testing.T) {
			pl := newPlant(2, 100)
			pl.never = map[int]bool{5: true}
			s := newScenario(t, pl)
			run := s.operation(8, models.ClassReactive)
			p := s.ends(run)
			require.Equal(t, models.OutcomeVerified, p.Outcome, p.Reason)
			assert.Equal(t, 8, pl.set.Ready, "another one came in its place")
			s.keep("scaleup-again", run.GetID(), run.GetRunID())
		},
		"scaledown-approved": func(t *testing.T) {
			s := newScenario(t, newPlant(16, 100))
			run := s.operation(4, models.ClassSteady)
			s.reaches(run, "approval")
			s.answers(run, workflows.UpdateApprove, "user:anna", "must be somebody else")
			s.answers(run, workflows.UpdateApprove, "user:bob", "")
			p := s.ends(run)
			require.Equal(t, models.OutcomeVerified, p.Outcome, p.Reason)
			assert.Equal(t, 4, s.plant.set.Spec)
			assert.Equal(t, "user:bob", p.Evidence.Approval.Actor)
			s.keep("scaledown-approved", run.GetID(), run.GetRunID())
		},
		"scaledown-rejected": func(t *testing.T) {
			s := newScenario(t, newPlant(16, 100))
			run := s.operation(4, models.ClassSteady)
			s.reaches(run, "approval")
			s.answers(run, workflows.UpdateReject, "user:bob", "")
			p := s.ends(run)
			require.Equal(t, models.OutcomeRefused, p.Outcome, p.Reason)
			assert.Equal(t, 16, s.plant.set.Spec)
			assert.Zero(t, s.plant.orders, "everything is as it was")
			s.keep("scaledown-rejected", run.GetID(), run.GetRunID())
		},
		"scaledown-unanswered": func(t *testing.T) {
			s := newScenario(t, newPlant(16, 100))
			s.approval = 1
			run := s.operation(4, models.ClassSteady)
			p := s.ends(run)
			require.Equal(t, models.OutcomeExpired, p.Outcome, p.Reason)
			assert.Zero(t, s.plant.orders, "everything is as it was")
			s.keep("scaledown-unanswered", run.GetID(), run.GetRunID())
		},
		"maintenance": recordMaintenance,
		"autoscale":   recordAutoscale,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t)
		})
	}
}

func (s *scenario) reaches(run client.WorkflowRun, phase string) {
	s.t.Helper()
	eventually(s.t, "it reaches "+phase, func() bool {
		v, err := s.c.QueryWorkflow(s.t.Context(), run.GetID(), run.GetRunID(), workflows.QueryState)
		var p workflows.OperationProgress
		return err == nil && v.Get(&p) == nil && p.Phase == phase
	})
}

// answers gives a person's answer; refused is part of why it does not count, "" when it does.
func (s *scenario) answers(run client.WorkflowRun, update, actor, refused string) {
	s.t.Helper()
	h, err := s.c.UpdateWorkflow(s.t.Context(), client.UpdateWorkflowOptions{
		WorkflowID: run.GetID(), RunID: run.GetRunID(), UpdateName: update, WaitForStage: client.WorkflowUpdateStageCompleted,
		Args: []any{workflows.ApprovalRequest{Actor: actor, Reason: "I looked at it"}},
	})
	var a workflows.ApprovalAnswer
	if err == nil {
		err = h.Get(s.t.Context(), &a)
	}
	if refused != "" {
		require.ErrorContains(s.t, err, refused)
		return
	}
	require.NoError(s.t, err)
	assert.Contains(s.t, a.Text, actor)
}

func recordMaintenance(t *testing.T) {
	s := newScenario(t, newPlant(2, 100))
	tomorrow := time.Now().UTC().Add(24 * time.Hour)
	s.plant.days.book(t, "a", "UTC", tomorrow.Format("2006-01-02 15:04"), 100)
	want := map[workflows.MaintenanceJob]string{
		workflows.JobPartitions: "dropped metrics_last_year", workflows.JobSnapshots: "unhealthy",
		workflows.JobReconcile: "forgotten expired", workflows.JobPredictions: "3 predictions", workflows.JobCalendarFeeds: "crm: as it was", workflows.JobAuditVerify: "the audit log is off",
		workflows.JobWeddingDays: tomorrow.Format(time.DateOnly),
		workflows.JobRefit:       "api", workflows.JobForecasts: "14 forecasts", workflows.JobAccuracy: "13 scores",
	}
	for _, job := range workflows.MaintenanceJobs() {
		run, err := s.c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "recorded/" + string(job) + uuid.NewString(), TaskQueue: s.queue},
			workflows.MaintenanceType, workflows.MaintenanceInput{Job: job, MetricsRetentionDays: 30, AuditRetentionDays: 365})
		require.NoError(t, err)
		var res workflows.MaintenanceResult
		require.NoError(t, run.Get(t.Context(), &res))
		assert.Contains(t, res.Changed, want[job])
		assert.Equal(t, job, res.Job)
		s.keep("maintenance-"+string(job), run.GetID(), run.GetRunID())
	}
	run, err := s.c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "recorded/" + uuid.NewString(), TaskQueue: s.queue},
		workflows.MaintenanceType, workflows.MaintenanceInput{Job: "tidy"})
	require.NoError(t, err)
	require.ErrorContains(t, run.Get(t.Context(), nil), "must be one of")
}

// recordAutoscale runs a whole service: a spike, a spike that supersedes it, a request of
// a person, a pause and a resume, across several runs.
func recordAutoscale(t *testing.T) {
	pl := newPlant(4, 200)
	pl.service.Policy.SoakSeconds = 2
	s := newScenario(t, pl)
	id := workflows.AutoscaleID(models.ServiceAPI)
	first, err := s.c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: s.queue}, workflows.AutoscaleType,
		workflows.AutoscaleInput{Service: models.ServiceAPI, IntervalSeconds: 1, ContinueEvery: 6})
	require.NoError(t, err)
	ctx := t.Context()
	spike := func(rps float64) {
		pl.mu.Lock()
		pl.load = rps
		pl.mu.Unlock()
		require.NoError(t, s.c.SignalWorkflow(ctx, id, "", workflows.SignalSpike, models.Spike{
			Service: models.ServiceAPI, SeenAt: time.Now(), FirstSampleAt: time.Now().Add(-time.Second), RPS: rps, Reason: "load outran capacity",
		}))
	}
	spike(600)
	eventually(t, "capacity for the spike", func() bool { return s.spec() >= 10 })
	spike(1200)
	eventually(t, "capacity for the larger spike", func() bool { return s.spec() >= 19 })
	eventually(t, "the last one verified, one before superseded", func() bool {
		got := s.outcomes()
		return slices.Contains(got, models.OutcomeSuperseded) && slices.Contains(got, models.OutcomeVerified) && !slices.Contains(got, models.OutcomeOpen)
	})
	s.command(id, workflows.UpdatePause, workflows.PauseRequest{Actor: "user:anna", Reason: "a drill"})
	now := time.Now()
	res := models.Reservation{ID: "res", Service: models.ServiceAPI, Kind: models.ReservationFloor, Replicas: 22, From: now.Add(-time.Second), Until: now.Add(time.Hour), Holder: "user:anna", Reason: "a big day"}
	pl.mu.Lock()
	pl.claims = append(pl.claims, res)
	pl.mu.Unlock()
	s.command(id, workflows.UpdateOverride, workflows.OverrideRequest{Reservation: res})
	assert.Never(t, func() bool { return s.spec() > 19 }, 2*time.Second, 100*time.Millisecond, "it is paused")
	require.NoError(t, pl.RecordDecision(ctx, models.Decision{ID: "asked", Service: models.ServiceAPI, CreatedAt: now, Status: models.DecisionProposed, ReservationID: "res", RequestedBy: "user:anna"}))
	eventually(t, "the request is refused", func() bool { return pl.outcome("asked") == models.OutcomeRefused })
	s.command(id, workflows.UpdateResume, workflows.ResumeRequest{Actor: "user:anna", Reason: "the drill is over"})
	require.NoError(t, pl.RecordDecision(ctx, models.Decision{ID: "asked-again", Service: models.ServiceAPI, CreatedAt: now, Status: models.DecisionProposed, ReservationID: "res", RequestedBy: "user:anna"}))
	eventually(t, "the floor is met", func() bool { return s.spec() == 22 })
	eventually(t, "every decision is closed", func() bool { return !slices.Contains(s.outcomes(), models.OutcomeOpen) })
	require.NoError(t, s.c.CancelWorkflow(ctx, id, ""))
	require.True(t, temporal.IsCanceledError(s.c.GetWorkflow(ctx, id, "").Get(ctx, nil)))
	n := s.keepChain("autoscale", id, first.GetRunID())
	assert.Greater(t, n, 2, "it continued as new")
}

func (s *scenario) spec() int {
	s.plant.mu.Lock()
	defer s.plant.mu.Unlock()
	return s.plant.set.Spec
}

// outcomes lists those of the decisions, sorted.
func (s *scenario) outcomes() []models.Outcome {
	s.plant.mu.Lock()
	defer s.plant.mu.Unlock()
	var out []models.Outcome
	for _, d := range s.plant.decisions {
		out = append(out, d.Outcome)
	}
	slices.Sort(out)
	return out
}

func (s *scenario) command(id, update string, arg any) {
	s.t.Helper()
	h, err := s.c.UpdateWorkflow(s.t.Context(), client.UpdateWorkflowOptions{WorkflowID: id, UpdateName: update, Args: []any{arg}, WaitForStage: client.WorkflowUpdateStageCompleted})
	require.NoError(s.t, err)
	var a workflows.ControlAnswer
	require.NoError(s.t, h.Get(s.t.Context(), &a))
	assert.NotEmpty(s.t, a.Text)
}

// keepChain keeps each run of a workflow that continued as new, and the operations that
// it started; it gives the number of runs.
func (s *scenario) keepChain(name, id, run string) int {
	s.t.Helper()
	n := 0
	for run != "" {
		n++
		s.keep(fmt.Sprintf("%s-%d", name, n), id, run)
		next := ""
		iter := s.c.GetWorkflowHistory(s.t.Context(), id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for iter.HasNext() {
			e, err := iter.Next()
			require.NoError(s.t, err)
			if c := e.GetWorkflowExecutionContinuedAsNewEventAttributes(); c != nil {
				next = c.GetNewExecutionRunId()
			}
			if c := e.GetChildWorkflowExecutionStartedEventAttributes(); c != nil {
				x := c.GetWorkflowExecution()
				assert.True(s.t, strings.HasPrefix(x.GetWorkflowId(), "scale/api/"))
			}
		}
		run = next
	}
	return n
}
