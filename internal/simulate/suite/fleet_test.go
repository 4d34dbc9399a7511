package suite

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func TestAFleetOfManyUsersIsPlayedOverItsServices(t *testing.T) {
	assert.Equal(t, time.Saturday, fleetMonday().AddDate(0, 0, fleetRemembered).Weekday())
	got, err := RunFleet(t.Context(), FleetOptions{Users: 20_000, Seed: 3, Shares: map[models.ServiceName]float64{models.ServiceAPI: 1, models.ServiceMedia: 0.1}})
	require.NoError(t, err)
	assert.InEpsilon(t, 20_000, got.Users, 0.15)
	assert.Positive(t, got.Weddings)
	require.Len(t, got.Services, 2)
	api := got.Services[0]
	assert.Equal(t, models.ServiceAPI, api.Service)
	assert.InEpsilon(t, got.Users*requestsPerUser, api.PeakRPS, 0.1)
	assert.Greater(t, float64(api.PeakReplicas)*100, api.PeakRPS)
	assert.Less(t, api.ReplicaHours, api.StaticReplicaHours)
	assert.Positive(t, api.DecisionsPerSecond)
	for _, users := range []float64{0, 1e9, math.NaN()} {
		_, err = RunFleet(t.Context(), FleetOptions{Users: users})
		assert.Equal(t, models.KindInvalid, models.KindOf(err))
	}
}
