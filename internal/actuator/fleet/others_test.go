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
