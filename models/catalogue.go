package models

// DefaultServices is the catalogue that a new installation begins with: nine services
// with cautious bounds, all moved by one actuator. An operator changes each entry
// through the API when its capacity has been measured.
func DefaultServices(actuator string) []Service {
	out := make([]Service, 0, 9)
	for _, d := range []struct {
		name        ServiceName
		tier        Tier
		rps         float64
		minimum     int
		maximum     int
		connections int
		cost        float64
	}{
		{ServiceAPI, TierCritical, 100, 2, 30, 4, 0.12},
		{ServiceDatabase, TierCritical, 250, 2, 12, 0, 0.60},
		{ServiceAuth, TierCritical, 150, 2, 16, 2, 0.08},
		{ServiceStorage, TierStandard, 120, 2, 16, 1, 0.10},
		{ServiceRealtime, TierStandard, 200, 2, 20, 1, 0.10},
		{ServiceMedia, TierStandard, 60, 2, 24, 1, 0.20},
		{ServiceNotifications, TierStandard, 150, 2, 16, 1, 0.06},
		{ServiceSearch, TierStandard, 90, 2, 16, 2, 0.14},
		{ServiceAnalytics, TierBackground, 80, 2, 12, 2, 0.14},
	} {
		out = append(out, Service{
			Name: d.name, Tier: d.tier, Actuator: actuator, CapacityRPS: d.rps,
			MinReplicas: d.minimum, MaxReplicas: d.maximum, AbsoluteMaxReplicas: 2 * d.maximum,
			StartupP50Seconds: 8, StartupP95Seconds: 20, Zones: 1, CostPerReplicaHour: d.cost,
			ConnectionsPerReplica: d.connections, SLOResponseTimeMS: 1000,
			Policy: DefaultScalingPolicy(d.tier), Revision: 1,
		})
	}
	return out
}
