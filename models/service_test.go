package models_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func TestTheDefaultCatalogueIsValidAndCoversTheNineServices(t *testing.T) {
	var names []models.ServiceName
	for _, s := range models.DefaultServices("fleet") {
		require.NoError(t, s.Validate(), s.Name)
		assert.Equal(t, "fleet", s.Actuator)
		names = append(names, s.Name)
	}
	assert.Equal(t, models.ServiceNames(), names)
}

func TestTheTierChoosesTheTarget(t *testing.T) {
	for tier, want := range map[models.Tier]float64{models.TierCritical: 0.65, models.TierStandard: 0.70, models.TierBackground: 0.80} {
		assert.InDelta(t, want, models.DefaultScalingPolicy(tier).TargetUtilisation, 1e-9, tier)
	}
}

func TestServicesAreRefused(t *testing.T) {
	cases := map[string]struct {
		change func(*models.Service)
		field  string
		rule   string
	}{
		"no name":                           {func(s *models.Service) { s.Name = "" }, "name", "must be one of api, database, auth, storage, realtime, media, notifications, search, analytics"},
		"an unknown tier":                   {func(s *models.Service) { s.Tier = "gold" }, "tier", "must be one of critical, standard, background"},
		"no capacity":                       {func(s *models.Service) { s.CapacityRPS = 0 }, "capacityRps", "must be from 0.001 to 1e+09"},
		"a capacity that is no number":      {func(s *models.Service) { s.CapacityRPS = math.NaN() }, "capacityRps", "must be from 0.001 to 1e+09"},
		"an endless capacity":               {func(s *models.Service) { s.CapacityRPS = math.Inf(1) }, "capacityRps", "must be from 0.001 to 1e+09"},
		"no minimum":                        {func(s *models.Service) { s.MinReplicas = 0 }, "minReplicas", "must be from 1 to 100000"},
		"a maximum under the minimum":       {func(s *models.Service) { s.MaxReplicas = 1 }, "maxReplicas", "must be from 2 to 100000"},
		"a safety maximum under it":         {func(s *models.Service) { s.AbsoluteMaxReplicas = 29 }, "absoluteMaxReplicas", "must be from 30 to 100000"},
		"a negative start":                  {func(s *models.Service) { s.StartupP50Seconds = -1 }, "startupP50Seconds", "must be from 0 to 3600"},
		"a 95th percentile under the 50th":  {func(s *models.Service) { s.StartupP95Seconds = 7 }, "startupP95Seconds", "must be from 8 to 3600"},
		"no zone":                           {func(s *models.Service) { s.Zones = 0 }, "zones", "must be from 1 to 100"},
		"a negative price":                  {func(s *models.Service) { s.CostPerReplicaHour = -1 }, "costPerReplicaHour", "must be from 0 to 1e+06"},
		"negative connections":              {func(s *models.Service) { s.ConnectionsPerReplica = -1 }, "connectionsPerReplica", "must be from 0 to 10000"},
		"no objective":                      {func(s *models.Service) { s.SLOResponseTimeMS = 0 }, "sloResponseTimeMs", "must be from 1 to 600000"},
		"a target of everything":            {func(s *models.Service) { s.Policy.TargetUtilisation = 1 }, "policy.targetUtilisation", "must be from 0.1 to 0.95"},
		"a dead-band that hides everything": {func(s *models.Service) { s.Policy.DeadBandUp = 1 }, "policy.deadBandUp", "must be from 0 to 0.5"},
		"and downwards":                     {func(s *models.Service) { s.Policy.DeadBandDown = -0.1 }, "policy.deadBandDown", "must be from 0 to 0.5"},
		"a step that shrinks":               {func(s *models.Service) { s.Policy.UpFactor = 0.5 }, "policy.upFactor", "must be from 1 to 100"},
		"no step":                           {func(s *models.Service) { s.Policy.UpStep = 0 }, "policy.upStep", "must be from 1 to 10000"},
		"a negative hold":                   {func(s *models.Service) { s.Policy.HoldAfterUpSeconds = -1 }, "policy.holdAfterUpSeconds", "must be from 0 to 86400"},
		"a window beyond the memory":        {func(s *models.Service) { s.Policy.DownStabilisationSeconds = 901 }, "policy.downStabilisationSeconds", "must be from 0 to 900"},
		"no share":                          {func(s *models.Service) { s.Policy.DownStepShare = 0 }, "policy.downStepShare", "must be from 0.01 to 1"},
		"no period":                         {func(s *models.Service) { s.Policy.DownPeriodSeconds = 0 }, "policy.downPeriodSeconds", "must be from 1 to 86400"},
		"no panic":                          {func(s *models.Service) { s.Policy.PanicSeconds = 0 }, "policy.panicSeconds", "must be from 1 to 3600"},
		"panic below the target":            {func(s *models.Service) { s.Policy.PanicUtilisation = 0.6 }, "policy.panicUtilisation", "must be from 0.65 to 2"},
		"a need beyond the memory":          {func(s *models.Service) { s.Policy.SuspectHoldSeconds = 901 }, "policy.suspectHoldSeconds", "must be from 0 to 900"},
		"no time to become ready":           {func(s *models.Service) { s.Policy.ReadyDeadlineSeconds = 0 }, "policy.readyDeadlineSeconds", "must be from 1 to 3600"},
		"a negative soak":                   {func(s *models.Service) { s.Policy.SoakSeconds = -1 }, "policy.soakSeconds", "must be from 0 to 3600"},
		"no interval":                       {func(s *models.Service) { s.Policy.MeasurementIntervalSeconds = 0 }, "policy.measurementIntervalSeconds", "must be from 1 to 600"},
		"no measurement":                    {func(s *models.Service) { s.Policy.Measurements = 0 }, "policy.measurements", "must be from 1 to 100"},
		"success without requests":          {func(s *models.Service) { s.Policy.MinimumRequests = 0 }, "policy.minimumRequests", "must be from 1 to 1e+09"},
		"no time at all":                    {func(s *models.Service) { s.Policy.OperationDeadlineSeconds = 0 }, "policy.operationDeadlineSeconds", "must be from 1 to 86400"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := models.DefaultServices("fleet")[0]
			c.change(&s)
			assert.Equal(t, c.rule, breach(t, s.Validate(), c.field).Rule)
		})
	}
	assert.Error(t, models.Service{}.Validate())
}

func TestHealthCountsItsComponents(t *testing.T) {
	for bits := range 32 {
		on := func(i int) bool { return bits&(1<<i) != 0 }
		n := 0
		for i := range 5 {
			if on(i) {
				n++
			}
		}
		want := models.OverallUnhealthy
		switch n {
		case 5:
			want = models.OverallHealthy
		case 3, 4:
			want = models.OverallDegraded
		}
		h := models.Health{ScalingEngine: on(0), LoadPredictor: on(1), PerformanceMonitor: on(2), RBACManager: on(3), Database: on(4), OverallHealth: "bogus", CheckedAt: time.Unix(1, 0)}
		got := h.WithOverall()
		assert.Equal(t, want, got.OverallHealth, "%05b", bits)
		got.OverallHealth = h.OverallHealth
		assert.Equal(t, h, got, "nothing else changes")
	}
}

func TestReplicaSetsCountWhatIsOnItsWay(t *testing.T) {
	set := models.ReplicaSet{Replicas: []models.Replica{
		{ID: "a", Phase: models.ReplicaReady}, {ID: "b", Phase: models.ReplicaPending}, {ID: "c", Phase: models.ReplicaCrashing}, {ID: "d", Phase: models.ReplicaPending},
	}}
	assert.Equal(t, 2, set.Pending(), "a crashing one is not coming")
	assert.Equal(t, []string{"a", "b", "c", "d"}, set.IDs())
	assert.Zero(t, models.ReplicaSet{}.Pending())
}

func TestAnObservationFindsItsSignals(t *testing.T) {
	o := models.Observation{Signals: []models.Signal{{Metric: models.MetricCPU, AgeSeconds: 3}}}
	s, ok := o.Signal(models.MetricCPU)
	assert.True(t, ok)
	assert.InDelta(t, 3, s.AgeSeconds, 0)
	_, ok = o.Signal(models.MetricThroughput)
	assert.False(t, ok)
}

func TestAScopeIsCarriedAndItsAbsenceSeesNothing(t *testing.T) {
	assert.Equal(t, models.Scope{}, models.ScopeFrom(t.Context()))
	want := models.Scope{Role: models.ScopeViewer, Subject: "user:ada"}
	assert.Equal(t, want, models.ScopeFrom(models.WithScope(t.Context(), want)))
}
