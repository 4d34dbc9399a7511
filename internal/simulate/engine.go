package simulate

import (
	"fmt"
	"time"
)

// EngineOptions chooses how our engine is run.
type EngineOptions struct {
	// Calendar lets it know the windows of the scenario.
	Calendar bool
	// Target is the share of κ to run at; 0 takes the service's own.
	Target float64
}

// engine runs policies/scaling as the product does.
type engine struct {
	o    EngineOptions
	name string
	goal float64
}

// NewEngine is our own engine.
func NewEngine(o EngineOptions) Autoscaler {
	e := &engine{o: o, name: "engine", goal: o.Target}
	if !o.Calendar {
		e.name = "engine without calendar"
	}
	if o.Target > 0 {
		e.name += fmt.Sprintf(" %.2f", o.Target)
	}
	return e
}

func (e *engine) Name() string            { return e.name }
func (e *engine) Interval() time.Duration { return 2 * time.Second }
func (e *engine) target() float64         { return e.goal }

func (e *engine) begin(s Scenario) {
	if e.o.Target <= 0 {
		e.goal = s.Service.Policy.TargetUtilisation
	}
}

// Desired is a placeholder for the real decision.
func (e *engine) Desired(v View) int {
	rate, _ := v.Metrics.Mean(Throughput, 60, 1)
	return bounded(v.Service, ceil(rate/(v.Service.CapacityRPS*e.goal)))
}
