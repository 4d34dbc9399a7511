package suite

import (
	"time"

	"github.com/wedsync/scalability/internal/simulate"
)

// The step: fifteen replicas at their target, and three times the load from one second
// to the next, at sixty phases of the policies' clocks.
const (
	stepReplicas = 15
	stepFactor   = 3
	stepPhases   = 60
	stepFrom     = 900 // seconds
	stepWatched  = 900 // seconds after it
	stepCapacity = 50
)

// Step is how fast a policy orders enough for the step.
type Step struct {
	Policy            string  `json:"policy"`
	OrderedMaxSeconds float64 `json:"orderedMaxSeconds"` // from the first sample that shows it; the time watched where a phase never had enough
	OrderedMean       float64 `json:"orderedMeanSeconds"`
	Phases            int     `json:"phases"`
	Missed            int     `json:"missed"` // phases in which enough was never ordered
}

// steps makes a scenario for each phase.
func steps(seed uint64) []*simulate.Scenario {
	s := service(stepCapacity)
	level := stepReplicas * stepCapacity * s.Policy.TargetUtilisation
	out := make([]*simulate.Scenario, stepPhases)
	for phase := range out {
		at := stepFrom + phase
		rate := make([]float32, at+stepWatched)
		for t := range rate {
			rate[t] = float32(level)
			if t >= at {
				rate[t] = float32(stepFactor * level)
			}
		}
		out[phase] = &simulate.Scenario{
			Name: "step", Start: time.Date(2026, time.September, 8, 12, 0, 0, 0, time.UTC), Load: drawn(rate, 1, seed+uint64(phase)),
			Service: s, Replicas: stepReplicas, StepAt: at, Seed: seed, // one seed: the phase alone differs
		}
	}
	return out
}

func stepJobs(policies []string, scenarios []*simulate.Scenario) []job {
	var jobs []job
	for _, p := range policies {
		for _, s := range scenarios {
			jobs = append(jobs, job{part: PartReport, policy: p, target: s.Service.Policy.TargetUtilisation, scenario: s})
		}
	}
	return jobs
}

// stepResult sums up the phases of one policy.
func stepResult(policy string, rows []Row) Step {
	out := Step{Policy: policy}
	for _, r := range rows {
		if r.Policy != policy {
			continue
		}
		after := float64(stepWatched)
		if r.OrderedAfterSeconds == nil {
			out.Missed++
		} else {
			after = *r.OrderedAfterSeconds
		}
		out.Phases++
		out.OrderedMean += (after - out.OrderedMean) / float64(out.Phases)
		out.OrderedMaxSeconds = max(out.OrderedMaxSeconds, after)
	}
	return out
}
