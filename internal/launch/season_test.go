package launch_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/internal/launch"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

// stubbedSeason is what a stub of a preparation answers: all that reached it.
type stubbedSeason struct {
	Input workflows.SeasonInput `json:"input"`
	Got   []string              `json:"got"`
}

// stubSeason stands for a preparation: it notes what it gets until it is cancelled.
func stubSeason(ctx workflow.Context, in workflows.SeasonInput) error {
	s := stubbedSeason{Input: in, Got: []string{}}
	note := func(text string) (models.SeasonAnswer, error) {
		s.Got = append(s.Got, text)
		return models.SeasonAnswer{SeasonID: in.Season.ID, Text: text}, nil
	}
	if err := workflow.SetQueryHandler(ctx, workflows.QueryState, func() (stubbedSeason, error) { return s, nil }); err != nil {
		return err
	}
	for name, handler := range map[string]any{
		workflows.UpdateApprove: func(_ workflow.Context, r workflows.PlanAnswerRequest) (models.SeasonAnswer, error) {
			if r.Version == 7 {
				return models.SeasonAnswer{}, temporal.NewNonRetryableApplicationError("version \"7\" is not the plan that waits: that is 2", string(models.KindConflict), nil)
			}
			return note("approve by " + r.Actor + ": " + r.Reason)
		},
		workflows.UpdateReject: func(_ workflow.Context, r workflows.PlanAnswerRequest) (models.SeasonAnswer, error) {
			return note("reject by " + r.Actor)
		},
		workflows.UpdateAmendPlan: func(_ workflow.Context, r workflows.PlanAmendRequest) (models.SeasonAnswer, error) {
			return note("amend " + string(r.Edits[0].Service))
		},
		workflows.UpdateSkipGate: func(_ workflow.Context, r workflows.GateSkipRequest) (models.SeasonAnswer, error) {
			if r.Gate == "" {
				return models.SeasonAnswer{}, temporal.NewNonRetryableApplicationError("gate: must be one of quota, load_test", string(models.KindInvalid), nil)
			}
			return note("skip " + string(r.Gate))
		},
	} {
		if err := workflow.SetUpdateHandler(ctx, name, handler); err != nil {
			return err
		}
	}
	sel, over := workflow.NewSelector(ctx), false
	sel.AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) { over = true })
	sel.AddReceive(workflow.GetSignalChannel(ctx, workflows.SignalCalendarChanged), func(c workflow.ReceiveChannel, _ bool) {
		var m workflows.CalendarChanged
		c.Receive(ctx, &m)
		_, _ = note(m.Reason)
	})
	for !over {
		sel.Select(ctx)
	}
	return ctx.Err()
}

func TestASeasonIsStartedOnceCommandedToldAndCancelled(t *testing.T) {
	f := newFixture(t, false)
	w := worker.New(f.client, f.queue, worker.Options{})
	w.RegisterWorkflowWithOptions(stubSeason, workflow.RegisterOptions{Name: workflows.SeasonPreparationType})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	f = f.patient(t)
	season, err := models.SeasonOf("summer-"+unique(), "2031-03-20", "2031-10-31", "Europe/London", time.LoadLocation)
	require.NoError(t, err)
	season.RequestedBy = "user:anna"

	run, err := f.StartSeason(t.Context(), season)
	require.NoError(t, err)
	f.endLater(run.WorkflowID)
	assert.Equal(t, "season/"+season.ID, run.WorkflowID)
	assert.False(t, run.AlreadyRunning)
	again, err := f.StartSeason(t.Context(), season)
	require.NoError(t, err)
	assert.True(t, again.AlreadyRunning)
	assert.Equal(t, run.RunID, again.RunID)
	d, err := f.Workflow(t.Context(), run.WorkflowID)
	require.NoError(t, err)
	assert.Equal(t, models.WorkflowSeason, d.Kind)
	assert.Equal(t, "Started by user:anna.", d.Sentence)

	week := season.From.Add(time.Hour)
	command := models.SeasonCommand{SeasonID: season.ID, Actor: "user:bea", Reason: "as discussed", RequestID: "r1", Gate: models.GateQuota, Edits: []models.SeasonEdit{{Service: models.ServiceAPI, Week: &week, Peak: 40}}}
	for _, action := range []models.SeasonAction{models.SeasonApprove, models.SeasonApprove, models.SeasonReject, models.SeasonAmend, models.SeasonSkipGate} {
		command.Action = action
		answer, err := f.CommandSeason(t.Context(), command)
		require.NoError(t, err, action)
		assert.NotEmpty(t, answer.Text, action)
	}
	require.NoError(t, f.CalendarChanged(t.Context(), season.ID, "weddings that changed: 3"))
	state := func() stubbedSeason {
		d, err := f.Workflow(t.Context(), run.WorkflowID)
		require.NoError(t, err)
		var s stubbedSeason
		require.NoError(t, json.Unmarshal(d.State, &s))
		return s
	}
	require.Eventually(t, func() bool { return len(state().Got) == 5 }, 10*time.Second, 50*time.Millisecond)
	assert.Equal(t, []string{"approve by user:bea: as discussed", "reject by user:bea", "amend api", "skip quota", "weddings that changed: 3"}, state().Got, "once per request")
	assert.Equal(t, season.Bounds, state().Input.Season.Bounds)

	command.Action, command.Version, command.RequestID = models.SeasonApprove, 7, "r2"
	_, err = f.CommandSeason(t.Context(), command)
	assert.Contains(t, requireKind(t, models.KindConflict, err).Rule, "that is 2", "in the season's words")
	command.Action, command.Gate = models.SeasonSkipGate, ""
	_, err = f.CommandSeason(t.Context(), command)
	requireKind(t, models.KindInvalid, err)
	command.Action = "improve"
	_, err = f.CommandSeason(t.Context(), command)
	assert.Equal(t, "action", requireKind(t, models.KindInvalid, err).Field)

	require.NoError(t, f.CancelSeason(t.Context(), season.ID, "user:root", "the platform moves"))
	require.Eventually(t, func() bool {
		d, err := f.Workflow(t.Context(), run.WorkflowID)
		return err == nil && d.Status == "cancelled"
	}, 10*time.Second, 50*time.Millisecond)
	next, err := f.StartSeason(t.Context(), season)
	require.NoError(t, err)
	assert.NotEqual(t, run.RunID, next.RunID, "what has ended may be prepared again")
}

func TestASeasonThatDoesNotRunIsNotFoundAndNeedsNoTelling(t *testing.T) {
	f := newFixture(t, false).patient(t)
	command := models.SeasonCommand{SeasonID: "nobodys-" + unique(), Action: models.SeasonApprove, Actor: "user:bea", Reason: "as discussed"}
	_, err := f.CommandSeason(t.Context(), command)
	requireKind(t, models.KindNotFound, err)
	requireKind(t, models.KindNotFound, f.CancelSeason(t.Context(), command.SeasonID, "user:bea", "as discussed"))
	require.NoError(t, f.CalendarChanged(t.Context(), command.SeasonID, "a wedding moved"))
	command.SeasonID = "../etc"
	_, err = f.CommandSeason(t.Context(), command)
	requireKind(t, models.KindNotFound, err)
	_, err = f.StartSeason(t.Context(), models.Season{ID: "Bad Name"})
	assert.Equal(t, "id", requireKind(t, models.KindInvalid, err).Field)
}

// patient is the same launcher with time for a worker to answer.
func (f fixture) patient(t *testing.T) fixture {
	t.Helper()
	f.t = t
	f.Launcher = launch.New(launch.Options{Client: f.client, TaskQueue: f.queue, Namespace: "default", UIURL: uiURL, Timeout: 10 * time.Second})
	return f
}
