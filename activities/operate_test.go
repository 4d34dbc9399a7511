package activities_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
)

func preflight(target int, expected ...int) activities.PreflightInput {
	return activities.PreflightInput{Service: models.DefaultServices("fleet")[0], Target: target, Expected: expected, ExpiresAt: now.Add(time.Minute)}
}

func TestPreflight(t *testing.T) {
	full := models.Limits{Database: &models.DatabaseLimit{MaxConnections: 100, Reserved: 10, OtherUsers: 60, PerReplica: 4}}
	expired := preflight(6, 4)
	expired.ExpiresAt = now.Add(-time.Nanosecond)
	cases := map[string]struct {
		in      activities.PreflightInput
		limits  models.Limits
		outcome models.Outcome
		reason  string
	}{
		"may go on":                              {preflight(6, 4), models.Limits{}, models.OutcomeOpen, ""},
		"from the spec of what it supersedes":    {preflight(6, 2, 4), models.Limits{}, models.OutcomeOpen, ""},
		"came too late":                          {expired, models.Limits{}, models.OutcomeExpired, "the decision was not carried out by 2027-06-12T13:59:59Z"},
		"is done already":                        {preflight(4, 2), models.Limits{}, models.OutcomeNoOp, "api has 4 replicas already"},
		"was made at another spec":               {preflight(6, 2, 3), models.Limits{}, models.OutcomeRefused, "the spec has moved: it is 4, the decision was made at [2 3]"},
		"was made at none":                       {preflight(6), models.Limits{}, models.OutcomeRefused, "the spec has moved: it is 4, the decision was made at []"},
		"fits into the database":                 {preflight(7, 4), full, models.OutcomeOpen, ""},
		"is more than the database takes":        {preflight(8, 4), full, models.OutcomeRefused, "the database has connections for 7 replicas, not for 8: (100 − 10 − 60) ÷ 4"},
		"takes from a database that is full":     {preflight(3, 4), models.Limits{Database: &models.DatabaseLimit{MaxConnections: 1, PerReplica: 4}}, models.OutcomeOpen, ""},
		"needs no connections":                   {preflight(20, 4), models.Limits{Database: &models.DatabaseLimit{MaxConnections: 1}}, models.OutcomeOpen, ""},
		"has the database's ceiling of the plan": {preflight(22, 4), models.Limits{Database: &models.DatabaseLimit{MaxConnections: 100, Reserved: 3, OtherUsers: 4, PerReplica: 4}}, models.OutcomeOpen, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := steady()
			p.limits = c.limits
			p.measurement = models.Measurement{Spec: 4, Ready: 4}
			res, err := p.operator().Preflight(t.Context(), c.in)
			require.NoError(t, err)
			assert.Equal(t, c.outcome, res.Outcome)
			assert.Equal(t, c.reason, res.Reason)
			if c.outcome != models.OutcomeOpen {
				assert.Nil(t, res.Baseline)
				return
			}
			require.NotNil(t, res.Baseline, "the time before is measured")
			assert.Equal(t, p.measurement, *res.Baseline)
			assert.Equal(t, p.set, res.Replicas)
			assert.Equal(t, []models.MeasureRequest{{Service: models.ServiceAPI, Baseline: []string{"a", "b", "c", "d"}, WindowSeconds: 15}}, p.measured)
		})
	}
}

func TestPreflightNeedsTheReplicasAndTheLimitsButNoBaseline(t *testing.T) {
	away := func(context.Context) error { return errAway }
	for _, port := range []string{"describe", "limits"} {
		p := steady()
		p.faults[port] = away
		res, err := p.operator().Preflight(t.Context(), preflight(6, 4))
		assert.Equal(t, models.KindUnavailable, activities.KindOf(err), port)
		assert.Equal(t, activities.PreflightResult{}, res, "nothing is claimed of what could not be read")
	}
	p := steady()
	p.faults["measure"] = away
	res, err := p.operator().Preflight(t.Context(), preflight(6, 4))
	require.NoError(t, err)
	assert.Equal(t, models.OutcomeOpen, res.Outcome)
	assert.Nil(t, res.Baseline)
	p = steady()
	p.faults["limits"] = away
	res, err = p.operator().Preflight(t.Context(), preflight(3, 4))
	require.NoError(t, err, "a scale-in needs no room")
	assert.Equal(t, models.OutcomeOpen, res.Outcome)
}

func TestOrdersAndMeasurementsPassThrough(t *testing.T) {
	p := steady()
	req := models.ApplyRequest{Service: models.ServiceAPI, ExpectedSpec: 4, Desired: 6, Key: "d1/order"}
	res, err := p.operator().Order(t.Context(), req)
	require.NoError(t, err)
	assert.Equal(t, models.ApplyApplied, res.Outcome)
	assert.Equal(t, []models.ApplyRequest{req}, p.applied)
	p.faults["apply"] = func(context.Context) error { return &models.Error{Kind: models.KindConflict} }
	_, err = p.operator().Order(t.Context(), req)
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	assert.True(t, app.NonRetryable(), "a spec that moved does not move back")

	p.measurement = models.Measurement{Ready: 4}
	m, err := p.operator().Measure(t.Context(), models.MeasureRequest{Service: models.ServiceAPI, WindowSeconds: 7})
	require.NoError(t, err)
	assert.Equal(t, p.measurement, m)
	p.faults["measure"] = func(context.Context) error { return errAway }
	_, err = p.operator().Measure(t.Context(), models.MeasureRequest{})
	require.ErrorAs(t, err, &app)
	assert.False(t, app.NonRetryable())
}

func TestARollbackPlanKeepsTheNeedOfTheMoment(t *testing.T) {
	in := activities.RollbackInput{Service: models.DefaultServices("fleet")[0], BaselineSpec: 4, Baseline: []string{"a", "b", "c", "d"}}
	fresh := func(id string, phase models.ReplicaPhase, age time.Duration) models.Replica {
		return models.Replica{ID: id, Phase: phase, OrderedAt: now.Add(-age)}
	}
	cases := map[string]struct {
		rps    float64
		change func(*platform)
		target int
		need   int
	}{
		"back to before":               {100, nil, 4, 2},
		"load has come meanwhile":      {380, nil, 6, 6},
		"more than there is is needed": {2000, nil, 8, 31},
		"a floor is active": {100, func(p *platform) {
			p.reservations = []models.Reservation{{Kind: models.ReservationFloor, Replicas: 7, From: now, Until: now.Add(1)}}
		}, 7, 7},
		"floors cannot be read: what serves":    {100, func(p *platform) { p.faults["reservations"] = func(context.Context) error { return errAway } }, 6, 6},
		"the catalogue cannot be read":          {100, func(p *platform) { p.faults["catalogue"] = func(context.Context) error { return errAway } }, 6, 6},
		"metrics cannot be read: what serves":   {100, func(p *platform) { p.faults["signals"] = func(context.Context) error { return errAway } }, 6, 6},
		"nobody reports metrics: what serves":   {100, func(p *platform) { p.signals = nil }, 6, 6},
		"no more than may ever be is needed":    {9000, func(p *platform) { p.service.AbsoluteMaxReplicas = 30 }, 8, 30},
		"somebody removed replicas in the time": {100, func(p *platform) { p.set.Spec, p.set.Ready = 3, 3 }, 3, 2},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := steady()
			p.signals[0].Avg60, p.signals[1].Avg60 = val(c.rps), val(0.1)
			p.order(fresh("n1", models.ReplicaReady, 9*time.Minute), fresh("n2", models.ReplicaReady, 8*time.Minute),
				fresh("n3", models.ReplicaCrashing, 7*time.Minute), fresh("n4", models.ReplicaPending, 6*time.Minute))
			if c.change != nil {
				c.change(p)
			}
			plan, err := p.operator().PlanRollback(t.Context(), in)
			require.NoError(t, err)
			assert.Equal(t, c.target, plan.Target, plan.Reason)
			assert.Equal(t, c.need, plan.Need)
			assert.Equal(t, p.set.Spec, plan.From)
			assert.NotEmpty(t, plan.Reason)
			assert.Equal(t, []string{"n3", "n4", "n2", "n1"}, plan.Victims)
		})
	}
}

func TestVictimsAreTheUnhealthyThenThoseThatDoNotServeThenTheNewest(t *testing.T) {
	p := steady()
	at := func(id string, phase models.ReplicaPhase, seconds int) models.Replica {
		return models.Replica{ID: id, Phase: phase, OrderedAt: now.Add(time.Duration(seconds) * time.Second)}
	}
	p.order(at("old-ready", models.ReplicaReady, 0), at("slow", models.ReplicaReady, 1), at("pending", models.ReplicaPending, 2),
		at("crashing", models.ReplicaCrashing, 3), at("new-1", models.ReplicaReady, 4), at("new-2", models.ReplicaReady, 4))
	plan, err := p.operator().PlanRollback(t.Context(), activities.RollbackInput{
		Service: p.service, BaselineSpec: 4, Baseline: []string{"a", "b", "c", "d"}, Unhealthy: []string{"slow", "gone", "a"},
	})
	require.NoError(t, err)
	assert.Equal(t, []string{"crashing", "slow", "pending", "new-1", "new-2", "old-ready"}, plan.Victims, "none from before, not even an unhealthy one")
}

func TestWithoutTheReplicasThereIsNoPlan(t *testing.T) {
	p := steady()
	p.faults["describe"] = func(context.Context) error { return errAway }
	_, err := p.operator().PlanRollback(t.Context(), activities.RollbackInput{Service: p.service})
	assert.Equal(t, models.KindUnavailable, activities.KindOf(err))
}
