package workflows_test

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	tworker "go.temporal.io/sdk/worker"
	"golang.org/x/sync/errgroup"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

var manyDays = flag.Int("days", 0, "how many wedding days run at once in TestManyWeddingDaysOnOneWorker; 0 skips it")

// fast lets half a day pass in fifteen seconds.
const fast = 3000

// day starts a wedding day whose first look is at noon, with a ceremony three hours later.
func (s *scenario) day(every int) (client.WorkflowRun, models.TimeLens) {
	s.t.Helper()
	lens := models.TimeLens{Origin: time.Now().UTC().Truncate(time.Microsecond), Factor: fast}
	start := lens.Clock(lens.Origin.Add(3 * time.Hour))
	b := s.plant.days
	b.weddings = append(b.weddings, models.Wedding{
		ID: "a", StartsAt: start, EndsAt: start.Add(lens.Span(6 * time.Hour)), Guests: 300, Status: models.WeddingConfirmed, WeddingDate: start.Format(time.DateOnly),
	})
	date := start.Format(time.DateOnly)
	run, err := s.c.ExecuteWorkflow(s.t.Context(), client.StartWorkflowOptions{
		ID: "recorded/" + s.queue, TaskQueue: s.queue, WorkflowTaskTimeout: time.Second, TypedSearchAttributes: temporal.NewSearchAttributes(workflows.SearchAttributeWeddingDate().ValueSet(date)),
	}, workflows.WeddingDayType, workflows.WeddingDayInput{Date: date, Lens: lens, ContinueEvery: every})
	require.NoError(s.t, err)
	return run, lens
}

func (s *scenario) phase(run client.WorkflowRun, want ...models.WeddingDayPhase) {
	s.t.Helper()
	eventually(s.t, fmt.Sprint("it reaches ", want), func() bool {
		v, err := s.c.QueryWorkflow(s.t.Context(), run.GetID(), "", workflows.QueryState)
		var st workflows.WeddingDayState
		if err != nil || v.Get(&st) != nil {
			return false
		}
		for _, p := range want {
			if st.Phase == p {
				return true
			}
		}
		return false
	})
}

func (b *daybook) open() (n int) {
	defer b.locked()()
	for _, r := range b.claims {
		if r.EndedAt == nil && r.Until.After(time.Now()) {
			n++
		}
	}
	return n
}

func TestRecordWeddingDays(t *testing.T) {
	for name, f := range map[string]func(t *testing.T){
		"a worker dies before the guests come, and one while they are there": func(t *testing.T) {
			s := newScenario(t, newPlant(2, 100))
			run, lens := s.day(1000)
			eventually(t, "the floors are reserved", func() bool { return s.plant.days.open() > 0 })
			s.replaceWorker()
			s.phase(run, models.WeddingDayOpen)
			require.NoError(t, s.c.SignalWorkflow(t.Context(), run.GetID(), "", workflows.SignalWeddingMoved, workflows.WeddingChanged{WeddingID: "a", Actor: "user:anna"}))
			h, err := s.c.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
				WorkflowID: run.GetID(), UpdateName: workflows.UpdateExtend, WaitForStage: client.WorkflowUpdateStageCompleted,
				Args: []any{workflows.ExtendRequest{WeddingID: "a", Until: lens.Clock(lens.Origin.Add(10 * time.Hour)), Actor: "user:carla", Reason: "the band plays on"}},
			})
			require.NoError(t, err)
			require.NoError(t, h.Get(t.Context(), nil))
			s.replaceWorker()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var report models.DayReport
			require.NoError(t, run.Get(ctx, &report))
			assert.Equal(t, "completed", report.Outcome)
			assert.Equal(t, 15, report.Services[0].PeakFloor)
			assert.Zero(t, s.plant.days.open(), "nothing stays reserved")
			s.keep("weddingday-completed", run.GetID(), run.GetRunID())
		},
		"a day is cancelled in its second run": func(t *testing.T) {
			s := newScenario(t, newPlant(2, 100))
			run, _ := s.day(2)
			s.phase(run, models.WeddingDayOpen)
			s.keep("weddingday-continued", run.GetID(), run.GetRunID())
			last := ""
			eventually(t, "it is cancelled", func() bool {
				if s.c.CancelWorkflow(t.Context(), run.GetID(), "") != nil {
					return true
				}
				d, err := s.c.DescribeWorkflowExecution(t.Context(), run.GetID(), "")
				last = d.GetWorkflowExecutionInfo().GetExecution().GetRunId()
				return err == nil && d.GetWorkflowExecutionInfo().GetStatus().String() == "Canceled"
			})
			assert.Zero(t, s.plant.days.open(), "what was reserved is released")
			s.keep("weddingday-cancelled", run.GetID(), last)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t)
		})
	}
}

// replaceWorker ends the worker and gives its runs to one that remembers nothing.
func (s *scenario) replaceWorker() {
	s.t.Helper()
	s.work.Stop()
	tworker.PurgeStickyWorkflowCache()
	s.employ()
}

// TestManyWeddingDaysOnOneWorker is run by hand: go test ./workflows -run ManyWeddingDays
// -days 1000 -v.
func TestManyWeddingDaysOnOneWorker(t *testing.T) {
	n := *manyDays
	if n == 0 {
		t.Skip("run with -days 1000")
	}
	s := newScenario(t, newPlant(2, 100))
	start := time.Now().UTC().Add(10 * time.Hour).Truncate(time.Minute)
	date := start.Format(time.DateOnly)
	for i := range 100 { // on the one date, which all of them keep
		s.plant.days.weddings = append(s.plant.days.weddings, models.Wedding{ID: fmt.Sprint("w", i), StartsAt: start.Add(time.Duration(i) * time.Minute), EndsAt: start.Add(8 * time.Hour), Guests: 120, Status: models.WeddingConfirmed, WeddingDate: date})
	}
	began, before := time.Now(), heap()
	id := func(i int) string { return fmt.Sprintf("recorded/%s/%d", s.queue, i) }
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(32)
	for i := range n {
		g.Go(func() error {
			_, err := s.c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id(i), TaskQueue: s.queue}, workflows.WeddingDayType, workflows.WeddingDayInput{Date: date})
			return err
		})
	}
	require.NoError(t, g.Wait())
	started := time.Since(began)
	eventuallyWithin(t, 10*time.Minute, func() bool { return s.plant.days.published() >= n })
	ready := time.Since(began)
	events, bytes := int64(0), int64(0)
	for i := range n {
		d, err := s.c.DescribeWorkflowExecution(t.Context(), id(i), "")
		require.NoError(t, err)
		events, bytes = events+d.GetWorkflowExecutionInfo().GetHistoryLength(), bytes+d.GetWorkflowExecutionInfo().GetHistorySizeBytes()
	}
	t.Logf("%d days with 100 weddings each: started in %s, checked and reserved after %s; mean history %d events, %d kB; heap of worker and fakes %d MB more, %d kB a day",
		n, started.Round(time.Millisecond), ready.Round(time.Millisecond), events/int64(n), bytes/int64(n)/1024, (heap()-before)>>20, (heap()-before)/int64(n)/1024)
	for i := range n {
		_ = s.c.TerminateWorkflow(t.Context(), id(i), "", "measured")
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func (b *daybook) published() int {
	defer b.locked()()
	return len(b.rows)
}

func eventuallyWithin(t *testing.T, limit time.Duration, f func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !f(); time.Sleep(200 * time.Millisecond) {
		require.True(t, time.Now().Before(end), "in time")
	}
}
