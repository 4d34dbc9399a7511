package workflows_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	tworker "go.temporal.io/sdk/worker"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/worker"
	"github.com/wedsync/scalability/workflows"
)

// TestRecordASeason runs a season that has begun on a real server: it is planned, agreed
// to late, continues as new, loses its worker, has a gate skipped, and is cancelled. With
// -record its histories are kept.
func TestRecordASeason(t *testing.T) {
	s := newScenario(t, newPlant(2, 100))
	world := newSeasonWorld(time.Now)
	world.ceremony = true // so that the gates do not load anything
	queue := "season-" + uuid.NewString()
	start := func() tworker.Worker {
		w := tworker.New(s.c, queue, tworker.Options{Identity: "recorder", DeadlockDetectionTimeout: 5 * time.Second})
		worker.Register(w, worker.Activities{Seasons: world.activities()})
		require.NoError(t, w.Start())
		return w
	}
	w := start()
	now := time.Now().UTC()
	season := models.Season{
		ID: "recorded-" + uuid.NewString()[:8], TimeZone: "Europe/London", From: now.Add(30 * time.Hour), Until: now.Add(240 * time.Hour),
		Bounds: models.DefaultSeasonBounds(), RequestedBy: "user:anna", CreatedAt: now,
	}
	id := workflows.SeasonID(season.ID)
	first, err := s.c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: queue}, workflows.SeasonPreparationType,
		workflows.SeasonInput{Season: season, ContinueEvery: 2}) // how many steps there are before it is cancelled depends on who is faster
	require.NoError(t, err)
	state := func() (st workflows.SeasonState) {
		v, err := s.c.QueryWorkflow(t.Context(), id, "", workflows.QueryState)
		if err == nil {
			err = v.Get(&st)
		}
		if err != nil {
			return workflows.SeasonState{}
		}
		return st
	}
	say := func(update string, arg any) error {
		h, err := s.c.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{WorkflowID: id, UpdateName: update, Args: []any{arg}, WaitForStage: client.WorkflowUpdateStageCompleted})
		if err != nil {
			return err
		}
		var a models.SeasonAnswer
		return h.Get(t.Context(), &a)
	}
	eventually(t, "a plan waits", func() bool { return state().Ask != nil })
	w.Stop() // and another one goes on
	w = start()
	require.ErrorContains(t, say(workflows.UpdateApprove, workflows.PlanAnswerRequest{Actor: "user:anna", Reason: "mine"}), "somebody else")
	require.NoError(t, say(workflows.UpdateSkipGate, workflows.GateSkipRequest{Actor: "user:anna", Reason: "there is no time for it", Gate: models.GateLoadTest}))
	require.NoError(t, say(workflows.UpdateApprove, workflows.PlanAnswerRequest{Actor: "user:bob", Reason: "it is right"}))
	t.Cleanup(func() { w.Stop() })
	// What the worker that was stopped had in hand is given out again when its attempt ends: 30 s for a row.
	require.Eventually(t, func() bool { st := state(); return st.Standing > 0 && st.Sentence != "" }, 2*time.Minute, 50*time.Millisecond, "its reservations stand")
	require.NoError(t, s.c.SignalWorkflow(t.Context(), id, "", workflows.SignalCalendarChanged, workflows.CalendarChanged{Reason: "a booking"}))
	eventually(t, "it heard of the calendar", func() bool { return state().Recalendar != nil })
	eventually(t, "it continued as new", func() bool {
		d, err := s.c.DescribeWorkflowExecution(t.Context(), id, "")
		return err == nil && d.GetWorkflowExecutionInfo().GetExecution().GetRunId() != first.GetRunID()
	})
	require.NoError(t, s.c.CancelWorkflow(t.Context(), id, ""))
	require.True(t, temporal.IsCanceledError(s.c.GetWorkflow(t.Context(), id, "").Get(t.Context(), nil)))
	assert.Equal(t, models.SeasonCancelled, world.season.Outcome)
	for _, r := range world.claims {
		assert.NotNil(t, r.EndedAt, "%s is released", r.Reason)
	}
	assert.Greater(t, s.keepChain("season", id, first.GetRunID()), 1, "it continued as new")
}
