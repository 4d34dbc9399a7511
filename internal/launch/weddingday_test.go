package launch_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/internal/devstack/devstacktest"
	"github.com/wedsync/scalability/internal/launch"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

// stubDay is what a stub of a day answers: all that reached it.
type stubDay struct {
	Input workflows.WeddingDayInput `json:"input"`
	Got   []string                  `json:"got"`
}

// stubWeddingDay stands for a day: it notes what it gets until it is cancelled.
func stubWeddingDay(ctx workflow.Context, in workflows.WeddingDayInput) error {
	s := stubDay{Input: in, Got: []string{}}
	if err := workflow.SetQueryHandler(ctx, workflows.QueryState, func() (stubDay, error) { return s, nil }); err != nil {
		return err
	}
	err := workflow.SetUpdateHandler(ctx, workflows.UpdateRaiseFloor, func(_ workflow.Context, r workflows.RaiseRequest) (models.WeddingDayAnswer, error) {
		if r.Bounded {
			return models.WeddingDayAnswer{}, temporal.NewNonRetryableApplicationError("replicas: must be at most 9", string(models.KindInvalid), nil)
		}
		s.Got = append(s.Got, "raise by "+r.Actor)
		return models.WeddingDayAnswer{Phase: models.WeddingDayOpen, Text: "raised"}, nil
	})
	if err != nil {
		return err
	}
	sel, over := workflow.NewSelector(ctx), false
	sel.AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) { over = true })
	for _, name := range []string{workflows.SignalWeddingAdded, workflows.SignalWeddingMoved, workflows.SignalWeddingCancelled} {
		sel.AddReceive(workflow.GetSignalChannel(ctx, name), func(c workflow.ReceiveChannel, _ bool) {
			var m workflows.WeddingChanged
			c.Receive(ctx, &m)
			s.Got = append(s.Got, name+" "+m.WeddingID)
		})
	}
	for !over {
		sel.Select(ctx)
	}
	return ctx.Err()
}

func (f fixture) dayState(id string) stubDay {
	f.t.Helper()
	d, err := f.Workflow(f.t.Context(), id)
	require.NoError(f.t, err)
	require.Empty(f.t, d.StateError)
	var s stubDay
	require.NoError(f.t, json.Unmarshal(d.State, &s))
	return s
}

func TestAWeddingDayIsStartedOnceCommandedAndCancelled(t *testing.T) {
	f := newFixture(t, true)
	run, err := f.StartWeddingDay(t.Context(), "2031-06-14", "tuscany", "user:anna")
	require.NoError(t, err)
	f.endLater(run.WorkflowID)
	assert.Equal(t, "wedding-day/2031-06-14/tuscany", run.WorkflowID)
	started, err := f.EnsureWeddingDay(t.Context(), "2031-06-14", "tuscany")
	require.NoError(t, err)
	assert.False(t, started, "it runs")

	d, err := f.Workflow(t.Context(), run.WorkflowID)
	require.NoError(t, err)
	assert.Equal(t, models.WorkflowWeddingDay, d.Kind)
	assert.Equal(t, "Started by user:anna.", d.Sentence)

	raise := models.WeddingDayCommand{Action: models.WeddingDayRaise, Date: "2031-06-14", Region: "tuscany", Service: models.ServiceAPI, Replicas: 9, Until: time.Now().Add(time.Hour), Actor: "user:anna", Reason: "more cars", RequestID: "r1"}
	for range 2 {
		answer, err := f.CommandWeddingDay(t.Context(), raise)
		require.NoError(t, err)
		assert.Equal(t, "raised", answer.Text)
	}
	assert.Equal(t, []string{"raise by user:anna"}, f.dayState(run.WorkflowID).Got, "once per request")
	raise.Bounded, raise.RequestID = true, "r2"
	_, err = f.CommandWeddingDay(t.Context(), raise)
	assert.Contains(t, requireKind(t, models.KindInvalid, err).Rule, "must be at most 9", "in the day's words")
	raise.Date = "2031-06-15"
	_, err = f.CommandWeddingDay(t.Context(), raise)
	requireKind(t, models.KindNotFound, err)

	assert.Equal(t, "workflowId", requireKind(t, models.KindInvalid, f.CancelWorkflow(t.Context(), run.WorkflowID, "user:anna", "x")).Field, "not by whoever may cancel a job")
	require.NoError(t, f.CancelWeddingDay(t.Context(), "2031-06-14", "tuscany", "user:root", "the platform moves"))
	require.Eventually(t, func() bool {
		d, err := f.Workflow(t.Context(), run.WorkflowID)
		return err == nil && d.Status == "cancelled"
	}, 10*time.Second, 50*time.Millisecond)
}

func TestDatesAndRegionsThatAreNoneAreRefusedByField(t *testing.T) {
	f := newFixture(t, false)
	for field, in := range map[string][2]string{"date": {"2031-02-30", ""}, "region": {"2031-06-14", "a/b"}} {
		_, err := f.StartWeddingDay(t.Context(), in[0], in[1], "user:anna")
		assert.Equal(t, field, requireKind(t, models.KindInvalid, err).Field)
	}
}

func TestChangesOfTheCalendarReachTheDaysAndStartThoseOfTheWeekAhead(t *testing.T) {
	f := newFixture(t, true)
	c, err := launch.Dial(launch.DialOptions{Address: devstacktest.Temporal(t), Namespace: "default"})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	auto := launch.New(launch.Options{Client: c, TaskQueue: f.queue, Namespace: "default", Timeout: 10 * time.Second, WeddingDays: true})
	at := func(days int) models.Wedding {
		start := time.Now().UTC().Add(time.Duration(days) * 24 * time.Hour)
		return models.Wedding{ID: "w", StartsAt: start, EndsAt: start.Add(8 * time.Hour), WeddingDate: start.Format(time.DateOnly), Guests: 10, Region: "Lake Como", Status: models.WeddingConfirmed}
	}
	near, later, far := at(3), at(5), at(40)
	id := func(w models.Wedding) string { return workflows.WeddingDayID(w.WeddingDate, "") }
	f.endLater(id(near))
	f.endLater(id(later))

	require.NoError(t, auto.WeddingChanged(t.Context(), nil, far, "user:anna"))
	_, err = f.Workflow(t.Context(), id(far))
	requireKind(t, models.KindNotFound, err)

	require.NoError(t, auto.WeddingChanged(t.Context(), nil, near, "user:anna"))
	require.NoError(t, auto.WeddingChanged(t.Context(), &near, later, "user:anna"))
	gone := later
	gone.Status = models.WeddingCancelled
	require.NoError(t, auto.WeddingChanged(t.Context(), &later, gone, "user:anna"))
	assert.Equal(t, []string{"wedding_moved w"}, f.dayState(id(near)).Got, "the day it left is told")
	assert.Equal(t, []string{"wedding_cancelled w"}, f.dayState(id(later)).Got)
}
