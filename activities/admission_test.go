package activities_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/verification"
)

// doubting is a platform that can be asked before, and that can send requests of its own.
type doubting struct {
	*platform
	doubt  error
	asked  []models.ApplyRequest
	probed []models.ProbeRequest
}

func (d *doubting) DryRun(_ context.Context, req models.ApplyRequest) error {
	d.asked = append(d.asked, req)
	return d.doubt
}

func (d *doubting) Probe(ctx context.Context, req models.ProbeRequest) error {
	d.probed = append(d.probed, req)
	return d.fault(ctx, "probe")
}

func TestPreflightLooksForWhatElseMovesTheService(t *testing.T) {
	freeze := models.Reservation{Kind: models.ReservationFreeze, Holder: "user:anna", Reason: "migration", From: now.Add(-time.Minute), Until: now.Add(time.Hour)}
	cases := map[string]struct {
		change  func(*platform, *activities.PreflightInput, *activities.Operator)
		outcome models.Outcome
		reason  string
		busy    string
		note    string
	}{
		"the kill switch": {func(_ *platform, _ *activities.PreflightInput, o *activities.Operator) {
			o.Killed = func() bool { return true }
		}, models.OutcomeRefused, "the kill switch is on: nothing is changed", "", ""},
		"another writer": {func(p *platform, _ *activities.PreflightInput, _ *activities.Operator) {
			p.set.Writers = []string{"hpa/api", "keda/api"}
		}, models.OutcomeRefused, "others set the spec too: hpa/api, keda/api", "", ""},
		"a rollout is waited for": {func(p *platform, _ *activities.PreflightInput, _ *activities.Operator) { p.set.Rollout = "v2" }, models.OutcomeOpen, "", "rollout v2 is under way", ""},
		"an emergency joins it": {func(p *platform, in *activities.PreflightInput, _ *activities.Operator) {
			p.set.Rollout, in.Emergency = "v2", true
		}, models.OutcomeOpen, "", "", "it joins rollout v2"},
		"a freeze that came since": {func(p *platform, _ *activities.PreflightInput, _ *activities.Operator) {
			p.reservations = []models.Reservation{freeze}
		}, models.OutcomeRefused, "user:anna froze the service (migration)", "", ""},
		"yields to a ceiling": {func(p *platform, in *activities.PreflightInput, _ *activities.Operator) {
			p.reservations, in.Class = []models.Reservation{freeze}, models.ClassCap
		}, models.OutcomeOpen, "", "", ""},
		"a freeze that nobody can see": {func(p *platform, _ *activities.PreflightInput, _ *activities.Operator) {
			p.faults["reservations"] = func(context.Context) error { return errAway }
		}, models.OutcomeOpen, "", "", "whether a freeze came since could not be read"},
		"more than the provider has": {func(p *platform, _ *activities.PreflightInput, _ *activities.Operator) { p.limits.Quota = val(5) }, models.OutcomeRefused, "the provider allows 5 replicas, not 6", "", ""},
		"a database that fills up": {func(p *platform, _ *activities.PreflightInput, _ *activities.Operator) {
			p.limits.Database = &models.DatabaseLimit{MaxConnections: 100, OtherUsers: 64, PerReplica: 4}
		}, models.OutcomeOpen, "", "", "88 of 100 database connections will be in use"},
		"less than is needed by now": {func(p *platform, in *activities.PreflightInput, _ *activities.Operator) {
			in.Target, in.Waited, p.signals[0].Avg60 = 2, true, val(250.0)
		}, models.OutcomeRefused, "4 replicas are needed now, 2 were to stay", "", ""},
		"as little as is needed": {func(p *platform, in *activities.PreflightInput, _ *activities.Operator) {
			in.Target, in.Waited, p.signals[0].Avg60, p.signals[1].Avg60 = 2, true, val(50.0), val(0.12)
		}, models.OutcomeOpen, "", "", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := steady()
			o, in := p.operator(), preflight(6, 4)
			c.change(p, &in, o)
			res, err := o.Preflight(t.Context(), in)
			require.NoError(t, err)
			assert.Equal(t, c.outcome, res.Outcome)
			assert.Equal(t, c.reason, res.Reason)
			assert.Equal(t, c.busy, res.Busy)
			if c.note != "" {
				assert.Contains(t, res.Notes, c.note)
			} else {
				assert.Empty(t, res.Notes)
			}
		})
	}
}

func TestPreflightKeepsTheServiceAsItStood(t *testing.T) {
	p := steady()
	p.measurement = models.Measurement{Service: models.CohortStats{P95MS: val(80.0), ErrorRate: val(0.01)}, DatabaseConnections: val(16)}
	res, err := p.operator().Preflight(t.Context(), preflight(6, 4))
	require.NoError(t, err)
	require.NotNil(t, res.Before)
	assert.Equal(t, models.Standing{
		At: now, Spec: 4, Ready: 4, CapacityRPS: 400, P95MS: val(80.0), ErrorRate: val(0.01), DatabaseConnections: val(16), CostPerHour: 0.48,
	}, *res.Before)
}

func TestADryRunAsksTheActuatorItself(t *testing.T) {
	d := &doubting{platform: steady()}
	o := d.operator()
	o.Actuator = d
	res, err := o.Preflight(t.Context(), preflight(6, 4))
	require.NoError(t, err)
	assert.Equal(t, models.OutcomeOpen, res.Outcome)
	assert.Equal(t, []models.ApplyRequest{{Service: models.ServiceAPI, ExpectedSpec: 4, Desired: 6, Key: "dry-run"}}, d.asked)
	d.doubt = &models.Error{Kind: models.KindInvalid, Field: "desired", Rule: "is over the quota"}
	res, err = o.Preflight(t.Context(), preflight(6, 4))
	require.NoError(t, err)
	assert.Equal(t, models.OutcomeRefused, res.Outcome)
	assert.Contains(t, res.Reason, "is over the quota")
	d.doubt = errAway
	_, err = o.Preflight(t.Context(), preflight(6, 4))
	assert.Equal(t, models.KindUnavailable, activities.KindOf(err), "one that does not answer is asked again")
}

func TestSyntheticRequestsAreSentWhereSomethingCan(t *testing.T) {
	req := models.ProbeRequest{Service: models.ServiceAPI, RPS: 10, Seconds: 120}
	p := steady()
	res, err := p.operator().Probe(t.Context(), req)
	require.NoError(t, err)
	assert.False(t, res.Sent)
	d := &doubting{platform: p}
	o := d.operator()
	o.Measurer = d
	res, err = o.Probe(t.Context(), req)
	require.NoError(t, err)
	assert.True(t, res.Sent)
	assert.Equal(t, []models.ProbeRequest{req}, d.probed)
	p.faults["probe"] = func(context.Context) error { return errAway }
	_, err = o.Probe(t.Context(), req)
	assert.Equal(t, models.KindUnavailable, activities.KindOf(err))
}

func TestARollbackRemovesOnlyWhatDoesHarm(t *testing.T) {
	fresh := func(id string, phase models.ReplicaPhase, restarts int) models.Replica {
		return models.Replica{ID: id, Phase: phase, Restarts: restarts, OrderedAt: now.Add(-time.Minute)}
	}
	cases := map[string]struct {
		cause     verification.Cause
		unhealthy []string
		database  *models.DatabaseLimit
		target    int
	}{
		"of what crashes":                      {verification.CauseCrash, nil, nil, 5},
		"of what never started":                {verification.CauseStart, nil, nil, 5},
		"of what fails, by name":               {verification.CauseErrors, []string{"n1"}, nil, 4},
		"of what fails, nobody knows which":    {verification.CauseErrors, nil, nil, 4},
		"what is slow as a whole":              {verification.CauseResponse, nil, nil, 4},
		"all, when somebody stopped it":        {verification.CauseNone, nil, nil, 4},
		"what the database has no room for":    {verification.CauseDatabase, nil, &models.DatabaseLimit{MaxConnections: 30, PerReplica: 4}, 7},
		"all, when its room is not known":      {verification.CauseDatabase, nil, nil, 4},
		"what there was stays, however little": {verification.CauseDatabase, nil, &models.DatabaseLimit{MaxConnections: 10, PerReplica: 4}, 4},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := steady()
			p.signals[0].Avg60, p.signals[1].Avg60 = val(100.0), val(0.1)
			p.limits = models.Limits{Database: c.database}
			p.order(fresh("n1", models.ReplicaReady, 0), fresh("n2", models.ReplicaCrashing, 2), fresh("n3", models.ReplicaPending, 0), fresh("n4", models.ReplicaReady, 3))
			plan, err := p.operator().PlanRollback(t.Context(), activities.RollbackInput{
				Service: p.service, BaselineSpec: 4, Baseline: []string{"a", "b", "c", "d"}, Unhealthy: c.unhealthy, Cause: c.cause,
			})
			require.NoError(t, err)
			assert.Equal(t, c.target, plan.Target, plan.Reason)
		})
	}
}
