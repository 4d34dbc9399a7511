package forecast

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Course is what an event of size one brings, in units of load, by the hours since its
// start: what half of the events stay below, and nine of ten.
type Course struct {
	Events   int // that it was learned from
	p50, p90 [knotCount]float64
}

// Bounds of how much more than the half nine of ten events bring.
const leastTail, mostTail = 1.0, 3.0

// Course is what was learned of events, as people of their own; ok is false where
// none was seen yet.
func (m *Model) Course() (c Course, ok bool) {
	s := m.stacks[0]
	if s.kernel == nil || s.kernel.w == nil || s.sizes.seen == 0 {
		return Course{}, false
	}
	multiples := slices.Clone(s.sizes.recent)
	slices.Sort(multiples)
	half := math.Max(0, stat.Quantile(0.5, stat.LinInterp, multiples, nil))
	tail := stat.Quantile(0.9, stat.LinInterp, multiples, nil) / math.Max(half, 1e-9)
	tail = math.Min(math.Max(tail, leastTail), mostTail)
	c.Events = s.sizes.seen
	for i, w := range s.kernel.w {
		c.p50[i], c.p90[i] = half*w, half*w*tail
	}
	return c, true
}

// At is the load of an event of size one so many hours after its start.
func (c *Course) At(hours float64) (p50, p90 float64) {
	if !(hours > firstKnot && hours < lastKnot) {
		return 0, 0
	}
	k := knots()
	i := 0
	for hours >= k[i+1] {
		i++
	}
	share := (hours - k[i]) / (k[i+1] - k[i])
	return (1-share)*c.p50[i] + share*c.p50[i+1], (1-share)*c.p90[i] + share*c.p90[i+1]
}

// Base is the load of each hour that was observed, without its events; NaN where it was
// not measured.
func (m *Model) Base() []float64 {
	best := m.best()
	out := make([]float64, len(m.load))
	for t, v := range m.measured {
		out[t] = v
		if !math.IsNaN(v) && t < len(best.clean) {
			out[t] = best.clean[t]
		}
	}
	return out
}

// best is the stack that did better so far.
func (m *Model) best() *stack {
	if m.planned < 0 {
		return m.stacks[0]
	}
	weights := m.record.weights(m.totals, 0)
	best := 0
	for k, w := range weights {
		if w > weights[best] {
			best = k
		}
	}
	return m.stacks[best]
}
