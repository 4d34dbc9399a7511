package activities_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
)

// duties is every port of maintenance but the ledger's.
type duties struct {
	open      []models.Decision
	before    time.Time
	states    map[string]activities.OperationState
	fails     map[string]error
	asked     []string
	snapshots []models.HealthSnapshot
	days      [3]int
}

func (d *duties) EnsurePartitions(_ context.Context, _ time.Time, ahead int) ([]string, error) {
	d.days[0] = ahead
	return []string{"metrics_2027_06_26"}, d.fails["ensure"]
}

func (d *duties) DropPartitions(_ context.Context, _ time.Time, metrics, audit int) ([]string, error) {
	d.days[1], d.days[2] = metrics, audit
	return []string{"metrics_2027_03_01"}, d.fails["drop"]
}

func (d *duties) Health(_ context.Context, at time.Time) models.Health {
	return models.Health{Database: true, CheckedAt: at}.WithOverall()
}

func (d *duties) SaveHealthSnapshot(_ context.Context, s models.HealthSnapshot) error {
	d.snapshots = append(d.snapshots, s)
	return d.fails["snapshot"]
}

func (d *duties) Decision(context.Context, string) (models.Decision, error) {
	return models.Decision{}, nil
}

func (d *duties) OpenDecisions(_ context.Context, before time.Time) ([]models.Decision, error) {
	d.before = before
	return d.open, d.fails["open"]
}

func (d *duties) FindOperation(_ context.Context, id string) (activities.OperationState, error) {
	d.asked = append(d.asked, id)
	return d.states[id], d.fails[id]
}

func (d *duties) RefreshWeddings(context.Context, time.Time) (int, error) {
	return 3, d.fails["weddings"]
}

func (d *duties) Refit(context.Context, time.Time) ([]models.ServiceName, error) {
	return []models.ServiceName{models.ServiceAPI, models.ServiceMedia}, d.fails["forecasts"]
}

func (d *duties) Update(context.Context, time.Time) (int, error) { return 14, d.fails["forecasts"] }

func (d *duties) Score(context.Context, time.Time) (int, error) { return 13, d.fails["forecasts"] }

func maintainer(d *duties, l *ledger) *activities.Maintainer {
	return &activities.Maintainer{Partitions: d, Health: d, Snapshots: d, Decisions: d, Writer: l, Operations: d, Weddings: d, Forecasts: d, Now: clock}
}

func decision(id string, status models.DecisionStatus, expired time.Duration) models.Decision {
	return models.Decision{ID: id, Status: status, ExpiresAt: now.Add(-expired), WorkflowID: "scale/api/" + id}
}

func TestReconcileClosesWhatNobodyWorksOn(t *testing.T) {
	const proposed, executing = models.DecisionProposed, models.DecisionExecuting
	cases := map[string]struct {
		d     models.Decision
		state activities.OperationState
		want  models.Outcome
	}{
		"proposed, still good":                        {decision("d1", proposed, -time.Minute), "", models.OutcomeOpen},
		"proposed, expired within the grace":          {decision("d1", proposed, 30*time.Second), "", models.OutcomeOpen},
		"proposed, expired":                           {decision("d1", proposed, 31*time.Second), "", models.OutcomeExpired},
		"executing, its workflow runs":                {decision("d1", executing, time.Hour), activities.OperationOpen, models.OutcomeOpen},
		"executing, its workflow ended without word":  {decision("d1", executing, -time.Minute), activities.OperationClosed, models.OutcomeLost},
		"executing, about to be started":              {decision("d1", executing, -time.Minute), activities.OperationMissing, models.OutcomeOpen},
		"executing, never started":                    {decision("d1", executing, 31*time.Second), activities.OperationMissing, models.OutcomeExpired},
		"executing, and nobody knows of its workflow": {decision("d1", executing, time.Hour), activities.OperationUnknown, models.OutcomeOpen},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := &duties{open: []models.Decision{c.d}, states: map[string]activities.OperationState{"scale/api/d1": c.state}}
			l := &ledger{}
			rep, err := maintainer(d, l).Reconcile(t.Context())
			require.NoError(t, err)
			assert.Equal(t, now.Add(-30*time.Second), d.before, "what was made just now is left alone")
			assert.Equal(t, c.d.Status == executing, len(d.asked) == 1, "only what was started is looked up")
			if c.want == models.OutcomeOpen {
				assert.Empty(t, rep.Changed)
				assert.Empty(t, l.reports)
				return
			}
			assert.Equal(t, []string{"d1 " + string(c.want)}, rep.Changed)
			require.Len(t, l.reports, 1)
			assert.Equal(t, c.want, l.reports[0].Outcome)
			assert.Equal(t, now, l.reports[0].FinishedAt)
			assert.NotEmpty(t, l.reports[0].Reason)
		})
	}
}

func TestOneDecisionThatCannotBeReconciledDoesNotKeepTheOthersOpen(t *testing.T) {
	d := &duties{
		open: []models.Decision{
			decision("d1", models.DecisionExecuting, time.Hour), decision("d2", models.DecisionProposed, time.Hour), decision("d3", models.DecisionProposed, time.Hour),
		},
		fails: map[string]error{"scale/api/d1": errAway},
	}
	l := &ledger{fails: map[string]error{"d2": errAway}}
	rep, err := maintainer(d, l).Reconcile(t.Context())
	assert.Equal(t, models.KindUnavailable, activities.KindOf(err), "and is tried again")
	require.ErrorContains(t, err, "decision d1")
	require.ErrorContains(t, err, "decision d2")
	assert.Equal(t, []string{"d3 expired"}, rep.Changed)
	d.fails = map[string]error{"open": errAway}
	_, err = maintainer(d, l).Reconcile(t.Context())
	assert.Equal(t, models.KindUnavailable, activities.KindOf(err))
}

func TestPartitionsAreMadeAheadAndDroppedBehind(t *testing.T) {
	d := &duties{}
	rep, err := maintainer(d, nil).KeepPartitions(t.Context(), activities.RetentionInput{MetricsDays: 90, AuditDays: 2555})
	require.NoError(t, err)
	assert.Equal(t, [3]int{14, 90, 2555}, d.days)
	assert.Equal(t, []string{"metrics_2027_06_26", "dropped metrics_2027_03_01"}, rep.Changed)
	for _, step := range []string{"ensure", "drop"} {
		_, err := maintainer(&duties{fails: map[string]error{step: errAway}}, nil).KeepPartitions(t.Context(), activities.RetentionInput{})
		assert.Equal(t, models.KindUnavailable, activities.KindOf(err), step)
	}
}

func TestHealthIsKeptAsItIsSeen(t *testing.T) {
	d := &duties{}
	rep, err := maintainer(d, nil).SnapshotHealth(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"unhealthy"}, rep.Changed)
	require.Len(t, d.snapshots, 1)
	assert.NotEmpty(t, d.snapshots[0].ID)
	assert.Equal(t, now, d.snapshots[0].At)
	assert.Equal(t, models.OverallUnhealthy, d.snapshots[0].Overall)
	assert.True(t, d.snapshots[0].Health.Database)
	m := maintainer(d, nil)
	m.Now = func() time.Time { return now.Add(59 * time.Second) }
	_, err = m.SnapshotHealth(t.Context())
	require.NoError(t, err)
	assert.Equal(t, d.snapshots[0].ID, d.snapshots[1].ID, "a repetition within the minute is the same snapshot")
	m.Now = func() time.Time { return now.Add(time.Minute) }
	_, err = m.SnapshotHealth(t.Context())
	require.NoError(t, err)
	assert.NotEqual(t, d.snapshots[0].ID, d.snapshots[2].ID)
	d.fails = map[string]error{"snapshot": errAway}
	_, err = maintainer(d, nil).SnapshotHealth(t.Context())
	assert.Equal(t, models.KindUnavailable, activities.KindOf(err))
}

func TestForecastsAreLearnedStoredAndScored(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*activities.Maintainer) (activities.Report, error)
		want []string
	}{
		"refit":  {func(m *activities.Maintainer) (activities.Report, error) { return m.RefitForecasts(t.Context()) }, []string{"api", "media"}},
		"update": {func(m *activities.Maintainer) (activities.Report, error) { return m.UpdateForecasts(t.Context()) }, []string{"14 forecasts"}},
		"score":  {func(m *activities.Maintainer) (activities.Report, error) { return m.ScoreForecasts(t.Context()) }, []string{"13 scores"}},
	} {
		t.Run(name, func(t *testing.T) {
			rep, err := c.do(maintainer(&duties{}, nil))
			require.NoError(t, err)
			assert.Equal(t, c.want, rep.Changed)
			_, err = c.do(maintainer(&duties{fails: map[string]error{"forecasts": errAway}}, nil))
			assert.Equal(t, models.KindUnavailable, activities.KindOf(err))
		})
	}
}

func TestPredictionsAreCounted(t *testing.T) {
	d := &duties{}
	rep, err := maintainer(d, nil).RefreshPredictions(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"3 predictions"}, rep.Changed)
	d.fails = map[string]error{"weddings": errAway}
	_, err = maintainer(d, nil).RefreshPredictions(t.Context())
	assert.Equal(t, models.KindUnavailable, activities.KindOf(err))
}
