package simulate

import (
	"time"

	"github.com/wedsync/scalability/models"
)

// Scenario is one service under one load.
type Scenario struct {
	Name  string
	Start time.Time
	// Load is the requests offered in each second from Start on.
	Load []float64
	// Calendar is what a policy that reads a calendar knows; faults may delay or distort
	// it. Windows before Start, together with History, are what guests are learned from.
	Calendar []Window
	// History is the load before Start, in requests per second, one mean a minute, oldest
	// first and without a gap up to Start: for policies that learn.
	History []float64
	// Service gives κ, start-up times, bounds, objective and connections per replica.
	Service models.Service
	// DatabaseConnections is how many connections the database gives to this service's
	// replicas; 0 is no ceiling.
	DatabaseConnections int
	// Replicas is how many run, ready, at Start; 0 takes what the first minute's load
	// needs at the service's target.
	Replicas int
	// ReplicasPerNode is how many replicas fit on a node. An order beyond the free places
	// waits for new nodes, 60 to 180 s each; 0 always has a place.
	ReplicasPerNode int
	// TimeoutSeconds is how long a request waits before it fails; 0 takes 10.
	TimeoutSeconds int
	// StepAt is the second at which the load steps up, for OrderedAfterSeconds; 0 is none.
	StepAt int
	// ReportFrom is the second from which the result counts; before it the policy warms
	// up. Plant and policy run from 0.
	ReportFrom int
	Faults     Faults
	Seed       uint64
}

// Window is a time in the calendar at which guests are expected, a day long at most.
type Window struct {
	Start, End time.Time
	Guests     int
	Confirmed  bool
}

// Faults is what goes wrong in a scenario. Times are seconds from Start.
type Faults struct {
	MetricLoss []MetricLoss
	Calendar   CalendarFault
	// StartFailures is the share of starts that crash instead of becoming ready; they are
	// tried again, as an orchestrator does.
	StartFailures float64
	Outages       []Outage
	// OrderErrors is the share of orders that the actuator refuses.
	OrderErrors float64
}

// Any says whether anything goes wrong.
func (f Faults) Any() bool {
	return len(f.MetricLoss) > 0 || len(f.Outages) > 0 || f.StartFailures > 0 || f.OrderErrors > 0 || f.Calendar != CalendarFault{}
}

// MetricLoss loses a share of the seconds' samples, 1 being all of them: the newest gets
// older and the window less complete.
type MetricLoss struct {
	From, Until int
	Share       float64
}

// CalendarFault is how the calendar that a policy sees differs from the weddings that
// take place.
type CalendarFault struct {
	Missing bool          // nothing is known
	Shift   time.Duration // windows are seen this much later than they take place
	Guests  float64       // factor on the guests; 0 changes nothing
}

// Outage keeps load from reaching the service, which looks like a lull, and then brings
// it back stronger.
type Outage struct {
	From, Until int
	Share       float64 // of the load that does not arrive; 0 takes 0.8
	ErrorShare  float64 // of what arrives that fails; 0 takes 0.1
	// ReturnSeconds is how long the load is ReturnFactor times what it would have been
	// afterwards; zero takes 300 s and 2.
	ReturnSeconds int
	ReturnFactor  float64
}

// Apply gives the calendar as a policy sees it. Windows that ended before the start are
// known as they were.
func (f CalendarFault) Apply(calendar []Window, start time.Time) []Window {
	if f == (CalendarFault{}) {
		return calendar
	}
	seen := make([]Window, 0, len(calendar))
	for _, w := range calendar {
		if w.End.After(start) {
			if f.Missing {
				continue
			}
			w.Start, w.End = w.Start.Add(f.Shift), w.End.Add(f.Shift)
			if f.Guests > 0 {
				w.Guests = int(float64(w.Guests)*f.Guests + 0.5)
			}
		}
		seen = append(seen, w)
	}
	return seen
}

// withDefaults fills what a scenario leaves open.
func (s Scenario) withDefaults() Scenario {
	if s.TimeoutSeconds <= 0 {
		s.TimeoutSeconds = 10
	}
	if s.Service.MinReplicas < 1 {
		s.Service.MinReplicas = 1
	}
	if s.Replicas <= 0 {
		first := mean(s.Load[:min(60, len(s.Load))])
		u := s.Service.Policy.TargetUtilisation
		if !(u > 0) {
			u = 0.7
		}
		s.Replicas = bounded(s.Service, ceil(first/(s.Service.CapacityRPS*u)))
	}
	outages := make([]Outage, len(s.Faults.Outages))
	for i, o := range s.Faults.Outages {
		outages[i] = o.withDefaults()
	}
	s.Faults.Outages = outages
	return s
}

func (o Outage) withDefaults() Outage {
	if o.Share <= 0 {
		o.Share = 0.8
	}
	if o.ErrorShare <= 0 {
		o.ErrorShare = 0.1
	}
	if o.ReturnSeconds <= 0 {
		o.ReturnSeconds = 300
	}
	if o.ReturnFactor <= 0 {
		o.ReturnFactor = 2
	}
	return o
}
