package simulate

import (
	"math"
	"time"
)

const (
	violationShare = 0.01 // of a minute's requests
	hpaTarget      = 0.70 // of the formula that removals are held against
	hpaTolerance   = 0.10 // the published one
	hpaStabilises  = 300  // seconds over which HPA takes its largest recommendation
	hpaSync        = 15   // seconds between two of them
)

// score judges a run.
type score struct {
	s       *Scenario
	a       Autoscaler
	goal    float64 // share of κ at which the policy runs replicas
	out     Result
	last    int     // direction of the last order
	seconds float64 // ordered replicas, in replica-seconds
	waits   []float64
	begun   totals // at ReportFrom
	minute  minuteSum
	wanted  [60]float64 // load that people wanted to send
	sum     float64     // of wanted
	asked   [hpaStabilises/hpaSync + 1]int
	enough  int // replicas that run the step within HPA's tolerance
}

// minuteSum is what the running minute brought.
type minuteSum struct{ arrived, done, bad, capacity, busiest float64 }

func newScore(s *Scenario, a Autoscaler) *score {
	c := &score{s: s, a: a, goal: hpaTarget, waits: make([]float64, s.TimeoutSeconds+1)}
	if t, ok := a.(targeted); ok {
		c.goal = t.target()
	}
	c.out = Result{Policy: a.Name(), Scenario: s.Name, Minutes: make([]Minute, 0, len(s.Load)/60+1)}
	if s.StepAt > 0 && s.StepAt < len(s.Load) {
		after := s.Load[s.StepAt:min(len(s.Load), s.StepAt+60)]
		c.enough = ceil(mean(after) / (s.Service.CapacityRPS * c.goal * (1 + hpaTolerance)))
	}
	return c
}

// observe takes a second into the score, after it was served.
func (c *score) observe(t int, wanted float64, p *plant) {
	c.sum += wanted - c.wanted[t%60]
	c.wanted[t%60] = wanted
	if t%hpaSync == 0 {
		c.asked[t/hpaSync%len(c.asked)] = ceil(c.wish(t) / (c.s.Service.CapacityRPS * c.strict()))
	}
	if t == c.s.StepAt && c.enough > 0 && p.spec >= c.enough {
		c.stepCovered(0)
	}
	if t < c.s.ReportFrom {
		c.begun = p.totals
		return
	}
	f := &p.last
	c.seconds += float64(p.spec)
	if f.queued {
		for age, n := range f.waits {
			c.waits[age] += n
		}
	} else {
		c.waits[0] += f.served
	}
	c.waits[len(c.waits)-1] += f.failed
	m := &c.minute
	m.arrived += f.arrived
	m.done += f.served + f.failed
	m.bad += f.failed + f.late
	m.capacity += f.capacity
	m.busiest = math.Max(m.busiest, f.arrived)
	if (t+1-c.s.ReportFrom)%60 == 0 {
		c.closeMinute(t, p)
	}
}

func (c *score) closeMinute(t int, p *plant) {
	m := c.minute
	c.minute = minuteSum{}
	bad := m.done > 0 && m.bad > violationShare*m.done
	if bad {
		c.out.ViolationMinutes++
	}
	busy := max(c.s.Service.MinReplicas, ceil(m.busiest/c.s.Service.CapacityRPS))
	c.out.MaxOverprovision = math.Max(c.out.MaxOverprovision, float64(p.spec)/float64(busy))
	c.out.Minutes = append(c.out.Minutes, Minute{
		At: c.s.Start.Add(time.Duration(t-59) * time.Second), Load: m.arrived / 60, Capacity: m.capacity / 60,
		Spec: p.spec, Ready: p.ready, Violation: bad,
	})
}

// ordered takes an order into the score.
func (c *score) ordered(t, from, to int) {
	if c.enough > 0 && t > c.s.StepAt && to >= c.enough {
		c.stepCovered(float64(t - c.s.StepAt - 1))
	}
	direction := 1
	if to < from {
		direction = -1
	}
	flip := c.last != 0 && direction != c.last
	c.last = direction
	if t < c.s.ReportFrom {
		return
	}
	c.out.Orders++
	if flip {
		c.out.Flips++
	}
	if direction < 0 && (c.s.Faults.Any() || c.s.DatabaseConnections > 0) {
		c.out.HarmfulRemovals += max(0, min(from, c.wouldKeep(t, from))-to)
	}
}

// wouldKeep is what HPA's formula has at the end of a minute of the load that people
// wanted to send: the largest of its recommendations over its stabilisation window, and
// what stands where that is within its tolerance. Its target is the policy's own where
// that is higher, so that a policy is not blamed for the target that it was given.
func (c *score) wouldKeep(t, from int) int {
	ratio := c.wish(t-1) / (float64(from) * c.s.Service.CapacityRPS * c.strict())
	if math.Abs(ratio-1) <= hpaTolerance {
		return from
	}
	n := ceil(ratio * float64(from))
	for _, asked := range c.asked {
		n = max(n, asked)
	}
	return n
}

func (c *score) strict() float64 { return math.Max(hpaTarget, c.goal) }

// wish is the mean of the wanted load over the minute that ends with second t.
func (c *score) wish(t int) float64 { return math.Max(0, c.sum) / float64(min(60, max(1, t+1))) }

func (c *score) stepCovered(after float64) {
	if c.out.OrderedAfterSeconds == nil {
		c.out.OrderedAfterSeconds = &after
	}
}

// result closes the score.
func (c *score) result(p *plant) Result {
	out := c.out
	counted := max(0, len(c.s.Load)-c.s.ReportFrom)
	out.Days = float64(counted) / 86400
	out.ReplicaHours = c.seconds / 3600
	if out.Days > 0 {
		out.FlipsPerDay = float64(out.Flips) / out.Days
	}
	out.Offered = p.totals.offered - c.begun.offered
	out.Served = p.totals.served - c.begun.served
	out.Failed = p.totals.failed - c.begun.failed
	out.Late = p.totals.late - c.begun.late
	out.Retried = p.totals.retried - c.begun.retried
	out.Waiting = p.waiting
	out.P999WaitSeconds = percentile(c.waits, 0.999)
	if f, ok := c.a.(foreseeing); ok {
		out.Forecast = f.foresight()
	}
	if d, ok := c.a.(accountable); ok {
		out.Deficits, out.Evaluations = d.deficits(), d.decisions()
	}
	return out
}

// percentile is the index of a histogram's quantile.
func percentile(counts []float64, q float64) float64 {
	total := 0.0
	for _, n := range counts {
		total += n
	}
	left := (1 - q) * total
	for i := len(counts) - 1; i > 0; i-- {
		if left -= counts[i]; left < 0 {
			return float64(i)
		}
	}
	return 0
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(max(1, len(values)))
}
