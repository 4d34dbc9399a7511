package suite

import (
	"slices"
	"strings"
	"time"

	"github.com/wedsync/scalability/internal/simulate"
	"github.com/wedsync/scalability/models"
)

// The policies that are held against each other.
const (
	Engine           = "engine"
	EngineNoCalendar = "engine-no-calendar"
	HPA              = "hpa-cpu"
	KEDA             = "keda-rate"
	KEDACron         = "keda-cron"
	KPA              = "kpa"
	AWS              = "aws-predictive"
	Static           = "static-peak"
)

// Policies lists all of them.
func Policies() []string {
	return []string{Engine, EngineNoCalendar, HPA, KEDA, KEDACron, KPA, AWS, Static}
}

// reactive are the peers that only follow what they measure.
func reactive() []string { return []string{HPA, KEDA, KPA} }

// targets are the utilisations that are swept, the same ones for every policy.
func targets() []float64 {
	return []float64{0.30, 0.40, 0.50, 0.55, 0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90, 0.95}
}

// kpaDelay is KPA's scale-down delay; without one it takes back within a minute what the
// next wedding needs.
const kpaDelay = 5 * time.Minute

// contender makes a policy at a target for a scenario.
func contender(policy string, target float64, s simulate.Scenario) (simulate.Autoscaler, error) {
	switch policy {
	case Engine:
		return simulate.NewEngine(simulate.EngineOptions{Calendar: true, Target: target}), nil
	case EngineNoCalendar:
		return simulate.NewEngine(simulate.EngineOptions{Target: target}), nil
	case HPA:
		return simulate.NewHPA(target), nil
	case KEDA:
		return simulate.NewKEDA(target * s.Service.CapacityRPS), nil
	case KEDACron:
		return simulate.NewKEDACron(target*s.Service.CapacityRPS, saturdays(s, target)), nil
	case KPA:
		return simulate.NewKPAWithDelay(target, kpaDelay), nil
	case AWS:
		return simulate.NewAWSPredictive(target), nil
	case Static:
		return simulate.NewStatic(peak(s, target)), nil
	}
	return nil, models.Invalid("policies", policy, "must be of "+strings.Join(Policies(), ", "))
}

// saturdays is the cron trigger of an operator who knows that weddings are on Saturdays:
// from ten to midnight, what nine of ten minutes of the past ones needed. Loads without
// a calendar have none.
func saturdays(s simulate.Scenario, target float64) []simulate.Cron {
	const from, until = 10 * time.Hour, 24 * time.Hour
	if len(s.Calendar) == 0 {
		return nil
	}
	var past []float64
	first := s.Start.Add(-time.Duration(len(s.History)) * time.Minute)
	for i, rps := range s.History {
		at := first.Add(time.Duration(i) * time.Minute)
		if at.Weekday() == time.Saturday && at.Hour() >= int(from.Hours()) {
			past = append(past, rps)
		}
	}
	if len(past) == 0 {
		return nil
	}
	slices.Sort(past)
	n := int(past[len(past)*9/10]/(s.Service.CapacityRPS*target)) + 1
	return []simulate.Cron{{Days: []time.Weekday{time.Saturday}, From: from, Until: until, Replicas: n}}
}

// peak is what somebody provisions who knows the busiest minute of the past; without a
// past, of the load itself, which no one could know.
func peak(s simulate.Scenario, target float64) int {
	known := s.History
	if len(known) == 0 {
		known = perMinute(s.Load)
	}
	if len(known) == 0 {
		return s.Service.MinReplicas
	}
	n := int(slices.Max(known)/(s.Service.CapacityRPS*target)) + 1
	return min(max(n, s.Service.MinReplicas), s.Service.MaxReplicas)
}
