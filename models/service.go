package models

import (
	"fmt"
	"strings"
	"time"
)

// ServiceName is one of the nine services of the wedding platform.
type ServiceName string

// The nine services.
const (
	ServiceAPI           ServiceName = "api"
	ServiceDatabase      ServiceName = "database"
	ServiceAuth          ServiceName = "auth"
	ServiceStorage       ServiceName = "storage"
	ServiceRealtime      ServiceName = "realtime"
	ServiceMedia         ServiceName = "media"
	ServiceNotifications ServiceName = "notifications"
	ServiceSearch        ServiceName = "search"
	ServiceAnalytics     ServiceName = "analytics"
)

// ServiceNames lists the nine services in their fixed order.
func ServiceNames() []ServiceName {
	return []ServiceName{
		ServiceAPI, ServiceDatabase, ServiceAuth, ServiceStorage, ServiceRealtime,
		ServiceMedia, ServiceNotifications, ServiceSearch, ServiceAnalytics,
	}
}

// ParseServiceName accepts one of the nine names; field is the name of the input
// that an error is to blame.
func ParseServiceName(field, s string) (ServiceName, error) {
	names := make([]string, 0, 9)
	for _, n := range ServiceNames() {
		if s == string(n) {
			return n, nil
		}
		names = append(names, string(n))
	}
	return "", Invalid(field, s, "must be one of "+strings.Join(names, ", "))
}

// Tier says how much a service matters; it chooses the target utilisation.
type Tier string

// The tiers.
const (
	TierCritical   Tier = "critical"
	TierStandard   Tier = "standard"
	TierBackground Tier = "background"
)

// Service is the catalogue entry of one service: what it can do, what it costs and
// how it may be scaled. Row of table services.
type Service struct {
	Name                  ServiceName   `json:"name" gorm:"primaryKey"`
	Tier                  Tier          `json:"tier"`
	Actuator              string        `json:"actuator"`    // adapter that moves its capacity, e.g. "fleet"
	CapacityRPS           float64       `json:"capacityRps"` // requests per second of one replica at 100 %
	MinReplicas           int           `json:"minReplicas"`
	MaxReplicas           int           `json:"maxReplicas"`         // policy cap, may be overridden
	AbsoluteMaxReplicas   int           `json:"absoluteMaxReplicas"` // safety cap, never passed
	StartupP50Seconds     float64       `json:"startupP50Seconds"`   // order to ready
	StartupP95Seconds     float64       `json:"startupP95Seconds"`
	Zones                 int           `json:"zones"`
	CostPerReplicaHour    float64       `json:"costPerReplicaHour"`    // currency units of the operator
	ConnectionsPerReplica int           `json:"connectionsPerReplica"` // database connections one replica may hold, 0 = none
	SLOResponseTimeMS     float64       `json:"sloResponseTimeMs" gorm:"column:slo_response_time_ms"`
	Policy                ScalingPolicy `json:"policy" gorm:"serializer:json;type:jsonb"`
	Revision              int64         `json:"revision"` // grows with each change, for optimistic locking
	CreatedAt             time.Time     `json:"createdAt"`
	UpdatedAt             time.Time     `json:"updatedAt"`
}

// TableName is the SQL table.
func (Service) TableName() string { return "services" }

// CatalogueEntry is a catalogue entry with what the service's own record says of it.
type CatalogueEntry struct {
	Service
	Learned *Learned `json:"learned,omitempty"` // nil: not asked for
}

// ScalingPolicy holds the constants of the decision and of the verified change for
// one service. Durations are seconds, shares are 0 to 1. Source of the defaults:
// docs/adr/0006-scaling-constants.md.
type ScalingPolicy struct {
	Version                    string  `json:"version"`
	TargetUtilisation          float64 `json:"targetUtilisation"`            // share of CapacityRPS to run at
	DeadBandUp                 float64 `json:"deadBandUp"`                   // relative change ignored upwards
	DeadBandDown               float64 `json:"deadBandDown"`                 // relative change ignored downwards
	UpFactor                   float64 `json:"upFactor"`                     // at most this factor per decision when calm
	UpStep                     int     `json:"upStep"`                       // … or this many replicas, the larger
	HoldAfterUpSeconds         int     `json:"holdAfterUpSeconds"`           // no scale-in this long after a scale-up
	DownStabilisationSeconds   int     `json:"downStabilisationSeconds"`     // scale-in follows the maximum over this window
	DownStepShare              float64 `json:"downStepShare"`                // at most this share per scale-in
	DownPeriodSeconds          int     `json:"downPeriodSeconds"`            // at most one scale-in per period
	PanicSeconds               int     `json:"panicSeconds"`                 // panic lasts this long after the last trigger
	PanicUtilisation           float64 `json:"panicUtilisation"`             // avg6 above this share of ready capacity is a spike
	SuspectHoldSeconds         int     `json:"suspectHoldSeconds,omitempty"` // a fall that looks like an outage holds the need of so long before; 0: DefaultSuspectHoldSeconds
	ReadyDeadlineSeconds       int     `json:"readyDeadlineSeconds"`         // hard limit for a wave to become ready
	SoakSeconds                int     `json:"soakSeconds"`                  // wait between ready and the first measurement
	MeasurementIntervalSeconds int     `json:"measurementIntervalSeconds"`   // length of one measurement
	Measurements               int     `json:"measurements"`                 // how many measurements make a verdict
	MinimumRequests            int64   `json:"minimumRequests"`              // on the new replicas, below it a verdict is inconclusive
	OperationDeadlineSeconds   int     `json:"operationDeadlineSeconds"`     // a whole scale-up or scale-in ends by then
}

// DefaultSuspectHoldSeconds is for policies that do not say it.
const DefaultSuspectHoldSeconds = 900

// DefaultScalingPolicy gives the constants for a tier.
func DefaultScalingPolicy(t Tier) ScalingPolicy {
	p := ScalingPolicy{
		Version: "v1", TargetUtilisation: 0.70, DeadBandUp: 0.05, DeadBandDown: 0.10,
		UpFactor: 2, UpStep: 4, HoldAfterUpSeconds: 600, DownStabilisationSeconds: 300,
		DownStepShare: 0.10, DownPeriodSeconds: 60, PanicSeconds: 60, PanicUtilisation: 0.95,
		ReadyDeadlineSeconds: 600, SoakSeconds: 60, MeasurementIntervalSeconds: 15,
		Measurements: 5, MinimumRequests: 200, OperationDeadlineSeconds: 900,
	}
	switch t {
	case TierCritical:
		p.TargetUtilisation = 0.65
	case TierBackground:
		p.TargetUtilisation = 0.80
	case TierStandard:
	}
	return p
}

// Validate checks the bounds of a catalogue entry and returns the first breach as an
// *Error that names the field.
func (s Service) Validate() error {
	if _, err := ParseServiceName("name", string(s.Name)); err != nil {
		return err
	}
	switch s.Tier {
	case TierCritical, TierStandard, TierBackground:
	default:
		return Invalid("tier", s.Tier, "must be one of critical, standard, background")
	}
	return firstBreach([]bound{
		{"capacityRps", s.CapacityRPS, 0.001, 1e9},
		{"minReplicas", float64(s.MinReplicas), 1, 100000},
		{"maxReplicas", float64(s.MaxReplicas), float64(s.MinReplicas), 100000},
		{"absoluteMaxReplicas", float64(s.AbsoluteMaxReplicas), float64(s.MaxReplicas), 100000},
		{"startupP50Seconds", s.StartupP50Seconds, 0, 3600},
		{"startupP95Seconds", s.StartupP95Seconds, s.StartupP50Seconds, 3600},
		{"zones", float64(s.Zones), 1, 100},
		{"costPerReplicaHour", s.CostPerReplicaHour, 0, 1e6},
		{"connectionsPerReplica", float64(s.ConnectionsPerReplica), 0, 10000},
		{"sloResponseTimeMs", s.SLOResponseTimeMS, 1, 600000},
		{"policy.targetUtilisation", s.Policy.TargetUtilisation, 0.1, 0.95},
		{"policy.deadBandUp", s.Policy.DeadBandUp, 0, 0.5},
		{"policy.deadBandDown", s.Policy.DeadBandDown, 0, 0.5},
		{"policy.upFactor", s.Policy.UpFactor, 1, 100},
		{"policy.upStep", float64(s.Policy.UpStep), 1, 10000},
		{"policy.holdAfterUpSeconds", float64(s.Policy.HoldAfterUpSeconds), 0, 86400},
		{"policy.downStabilisationSeconds", float64(s.Policy.DownStabilisationSeconds), 0, 900},
		{"policy.downStepShare", s.Policy.DownStepShare, 0.01, 1},
		{"policy.downPeriodSeconds", float64(s.Policy.DownPeriodSeconds), 1, 86400},
		{"policy.panicSeconds", float64(s.Policy.PanicSeconds), 1, 3600},
		{"policy.panicUtilisation", s.Policy.PanicUtilisation, s.Policy.TargetUtilisation, 2},
		{"policy.suspectHoldSeconds", float64(s.Policy.SuspectHoldSeconds), 0, 900},
		{"policy.readyDeadlineSeconds", float64(s.Policy.ReadyDeadlineSeconds), 1, 3600},
		{"policy.soakSeconds", float64(s.Policy.SoakSeconds), 0, 3600},
		{"policy.measurementIntervalSeconds", float64(s.Policy.MeasurementIntervalSeconds), 1, 600},
		{"policy.measurements", float64(s.Policy.Measurements), 1, 100},
		{"policy.minimumRequests", float64(s.Policy.MinimumRequests), 1, 1e9},
		{"policy.operationDeadlineSeconds", float64(s.Policy.OperationDeadlineSeconds), 1, 86400},
	})
}

type bound struct {
	field    string
	value    float64
	min, max float64
}

// firstBreach reports the first value outside its bounds; the negated form also
// refuses NaN.
func firstBreach(bounds []bound) error {
	for _, b := range bounds {
		if !(b.value >= b.min && b.value <= b.max) {
			return Invalid(b.field, b.value, fmt.Sprintf("must be from %g to %g", b.min, b.max))
		}
	}
	return nil
}
