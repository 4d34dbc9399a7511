package simulate_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wedsync/scalability/internal/simulate"
	"github.com/wedsync/scalability/models"
)

var start = time.Date(2027, 6, 12, 0, 0, 0, 0, time.UTC)

// api is the critical service of the catalogue: 100 requests/s per replica.
func api() models.Service { return models.DefaultServices("fleet")[0] }

// flat is a load that does not move.
func flat(rps float64, seconds int) []float64 {
	load := make([]float64, seconds)
	for i := range load {
		load[i] = rps
	}
	return load
}

// stepped is a load that is multiplied from one second on.
func stepped(rps, factor float64, at, seconds int) []float64 {
	load := flat(rps, seconds)
	for i := at; i < seconds; i++ {
		load[i] *= factor
	}
	return load
}

func scenario(load []float64) simulate.Scenario {
	return simulate.Scenario{Name: "test", Start: start, Load: load, Service: api(), Seed: 1}
}

func TestEnoughReplicasServeEverything(t *testing.T) {
	r := simulate.Run(scenario(flat(500, 3600)), simulate.NewStatic(6))
	assert.InDelta(t, 500*3600, r.Served, 1e-3)
	assert.Zero(t, r.Failed)
	assert.Zero(t, r.ViolationMinutes)
	assert.InDelta(t, 6, r.ReplicaHours, 0.2)
	assert.Len(t, r.Minutes, 60)
}
