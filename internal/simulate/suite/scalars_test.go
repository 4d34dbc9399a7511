package suite

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/simulate"
)

func TestPoliciesAreComparedAtEqualTerms(t *testing.T) {
	row := func(seed uint64, policy string, target, cost, violations float64) Row {
		return Row{Load: Twitter, Part: PartReport, Seed: seed, Policy: policy, Target: target, Result: simulate.Result{ReplicaHours: cost, ViolationMinutes: violations, Days: 2}}
	}
	s := &run{}
	for seed := range uint64(2) {
		more := float64(20 * seed)
		s.scalars(Twitter, seed, []Row{
			row(seed, HPA, 0.60, 120, 10), row(seed, HPA, 0.70, 100, 40), row(seed, HPA, 0.80, 80, 90),
			row(seed, Engine, 0.60, 110+more, 2), row(seed, Engine, 0.70, 100+more, 20),
		})
	}
	require.Len(t, s.report.Scalars, 2)
	ours, hpa := s.report.Scalars[0], s.report.Scalars[1]
	assert.Equal(t, Scalar{Load: Twitter, Policy: Engine, CostPerDay: 60, CostReached: true, ViolationsPerDay: 10, Seeds: 2}, ours,
		"two violation minutes in two days cost 110 and 130; the dearer seed has nothing as cheap as HPA")
	assert.InDelta(t, 20, hpa.ViolationsPerDay, 1e-9)
	hpa.ViolationsPerDay = 20
	assert.Equal(t, Scalar{Load: Twitter, Policy: HPA, CostPerDay: 60, ViolationsPerDay: 20, ViolationsReached: true, Seeds: 2}, hpa, "its dearest target has ten")

	s = &run{}
	s.scalars(Twitter, 1, []Row{row(1, Engine, 0.6, 1, 1), row(1, Engine, 0.7, 2, 0)})
	assert.Empty(t, s.report.Scalars, "without a sweep of HPA there is no common cost")
}

func TestDecisionsAreTimed(t *testing.T) {
	src, err := recorded(short(), sizing{capacity: 20, factor: 10, smooth: 20})
	require.NoError(t, err)
	h, err := src.make(1)
	require.NoError(t, err)
	got := timed(h.report)
	assert.Greater(t, got.Count, 100)
	assert.Positive(t, got.PerSecond)
	assert.LessOrEqual(t, got.P50Micros, got.P99Micros)
}

func TestForecastsAreJudgedOverTheReportedPart(t *testing.T) {
	load := make([]float64, 3*86400)
	for i := range load {
		load[i] = 400
	}
	s := simulate.Scenario{Load: load, Service: service(50), ReportFrom: 2 * 86400, Seed: 1}
	got := simulate.Run(s, simulate.NewEngine(simulate.EngineOptions{})).Forecast
	require.NotNil(t, got)
	assert.InDelta(t, 1440, got.Judged, 10, "each minute of the last day, and none before")
	assert.InDelta(t, 0, got.WAPE, 0.01, "what never changes is foreseen")
	assert.InDelta(t, 0, got.Bias, 0.01)
	assert.InDelta(t, 1, got.Coverage95, 1e-9)
	assert.Nil(t, simulate.Run(s, simulate.NewEngine(simulate.EngineOptions{NoForecast: true})).Forecast)
}
