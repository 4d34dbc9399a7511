package fleet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func TestADryRunAnswersLikeAnOrderAndChangesNothing(t *testing.T) {
	quota := 10
	p := newPlant(t, nil)
	require.NoError(t, p.Configure(models.ServiceAPI, ServiceChange{Quota: &quota}))
	for name, c := range map[string]struct {
		req  models.ApplyRequest
		kind models.Kind
		ok   bool
	}{
		"it would":              {models.ApplyRequest{Service: models.ServiceAPI, ExpectedSpec: 4, Desired: 6, Key: "k"}, "", true},
		"it is there":           {models.ApplyRequest{Service: models.ServiceAPI, ExpectedSpec: 2, Desired: 4, Key: "k"}, "", true},
		"the spec has moved":    {models.ApplyRequest{Service: models.ServiceAPI, ExpectedSpec: 3, Desired: 6, Key: "k"}, models.KindConflict, false},
		"over the quota":        {models.ApplyRequest{Service: models.ServiceAPI, ExpectedSpec: 4, Desired: 11, Key: "k"}, models.KindInvalid, false},
		"a service of nobody's": {models.ApplyRequest{Service: "nginx", ExpectedSpec: 4, Desired: 6, Key: "k"}, models.KindNotFound, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := p.DryRun(c.req)
			if c.ok {
				require.NoError(t, err)
			} else {
				assert.Equal(t, c.kind, models.KindOf(err))
			}
			assert.Equal(t, 4, view(t, p).Spec)
			assert.Zero(t, view(t, p).Orders)
		})
	}
}

func TestWhatOthersDoIsSeenUntilItEnds(t *testing.T) {
	p := newPlant(t, nil)
	assert.Empty(t, view(t, p).Writers)
	require.NoError(t, p.SetFaults(models.ServiceAPI, []Fault{{Kind: FaultWriter, TTLSeconds: 10}, {Kind: FaultRollout, TTLSeconds: 20}}))
	assert.Equal(t, []string{"injected"}, view(t, p).Writers)
	assert.Equal(t, "injected", view(t, p).Rollout)
	p.Step(began.Add(11 * time.Second))
	assert.Empty(t, view(t, p).Writers)
	assert.NotEmpty(t, view(t, p).Rollout)
	p.Step(began.Add(21 * time.Second))
	assert.Empty(t, view(t, p).Rollout)
}

func TestReplicasWithoutADatabaseSayWhereTheyFail(t *testing.T) {
	p := newPlant(t, func(s *Settings) { s.DatabaseConnections = s.DatabaseReserved + 4*4 + 8*2 })
	baseline := view(t, p).IDs()
	order(t, p, 8)
	for range 3 {
		run(p, 300, 30)
	}
	m := measure(t, p, baseline, 20)
	assert.Equal(t, []string{"database"}, m.New.Downstreams)
	assert.Empty(t, m.Old.Downstreams)
}

func TestSyntheticRequestsReachNewReplicasAloneAndAreNoLoad(t *testing.T) {
	p := newPlant(t, nil)
	baseline := view(t, p).IDs()
	order(t, p, 6)
	run(p, 0, 90) // all are ready, and nobody comes
	require.Zero(t, measure(t, p, baseline, 20).New.Requests)
	require.NoError(t, p.Probe(models.ProbeRequest{Service: models.ServiceAPI, Baseline: baseline, RPS: 10, Seconds: 30}))
	p.Step(p.Now().Add(20 * time.Second))
	m := measure(t, p, baseline, 20)
	assert.InDelta(t, 200, m.New.Requests, 1)
	assert.Zero(t, m.Old.Requests)
	require.NotNil(t, m.New.ErrorRate)
	assert.Zero(t, *m.New.ErrorRate)
	assert.Zero(t, view(t, p).Stats.Values[models.MetricThroughput], "nobody is waiting for the answers")
	got := view(t, p).Totals
	assert.InDelta(t, got.Offered, got.Served+got.Failed+got.Queued, 1e-6)
	p.Step(p.Now().Add(40 * time.Second))
	assert.Zero(t, measure(t, p, baseline, 20).New.Requests, "they end")
	for field, req := range map[string]models.ProbeRequest{
		"rps": {Service: models.ServiceAPI, RPS: 1001, Seconds: 1}, "seconds": {Service: models.ServiceAPI, RPS: 1},
	} {
		err := p.Probe(req)
		assert.Equal(t, models.KindInvalid, models.KindOf(err))
		assert.ErrorContains(t, err, field)
	}
}

func TestAFaultOfATemplateSparesReplicasOfAnother(t *testing.T) {
	p := newPlant(t, nil)
	require.NoError(t, p.SetFaults(models.ServiceAPI, []Fault{{Kind: FaultCrash, Template: "v2"}}))
	order(t, p, 5)
	run(p, 10, 90)
	assert.Equal(t, 5, view(t, p).Ready)
	before, err := p.Disturbance(models.ServiceAPI)
	require.NoError(t, err)
	assert.Nil(t, before.DeployedAt)
	assert.InDelta(t, 1, *before.HealthyShare, 0)

	bad := "v2"
	require.NoError(t, p.Configure(models.ServiceAPI, ServiceChange{Template: &bad}))
	deployed := p.Now()
	order(t, p, 6)
	run(p, 10, 90)
	assert.Equal(t, "v2", view(t, p).Template)
	assert.Equal(t, 5, view(t, p).Ready, "the new one crashes again and again")
	d, err := p.Disturbance(models.ServiceAPI)
	require.NoError(t, err)
	assert.Equal(t, &deployed, d.DeployedAt)
	assert.InDelta(t, 5.0/6, *d.HealthyShare, 1e-9)
	assert.Error(t, p.SetFaults(models.ServiceAPI, []Fault{{Kind: FaultWriter, Template: "v2"}}), "of replicas alone")
}

func TestReplicasBeyondTheNodesStartLaterAndTheRoomIsTold(t *testing.T) {
	p := newPlant(t, nil)
	room, later := 6, 300.0
	behind := []models.DownstreamLimit{{Name: "payments", RPS: 500, Calls: 0.5}}
	require.NoError(t, p.Configure(models.ServiceAPI, ServiceChange{Schedulable: &room, NodeSeconds: &later, Downstream: &behind}))
	l, err := p.Limits(models.ServiceAPI)
	require.NoError(t, err)
	assert.Equal(t, 2, *l.SchedulableHeadroom)
	assert.Equal(t, behind, l.Downstream)
	order(t, p, 8)
	run(p, 10, 120)
	assert.Equal(t, 6, view(t, p).Ready, "two wait for nodes")
	l, err = p.Limits(models.ServiceAPI)
	require.NoError(t, err)
	assert.Zero(t, *l.SchedulableHeadroom)
	for range 6 {
		run(p, 10, 60)
	}
	assert.Equal(t, 8, view(t, p).Ready)
	none := []models.DownstreamLimit{{RPS: 1}}
	assert.ErrorContains(t, p.Configure(models.ServiceAPI, ServiceChange{Downstream: &none}), "downstream[0].name")
}
