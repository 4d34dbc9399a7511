package suite

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// point is one policy at one target under one load: what it cost and what it failed.
type point struct {
	cost       float64 // replica-hours
	violations float64 // minutes
}

// front keeps the points that no other beats in both, from the cheapest to the dearest.
func front(points []point) []point {
	sorted := slices.Clone(points)
	slices.SortFunc(sorted, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.cost, b.cost), cmp.Compare(a.violations, b.violations))
	})
	var out []point
	for _, p := range sorted {
		if len(out) == 0 || p.violations < out[len(out)-1].violations {
			out = append(out, p)
		}
	}
	return out
}

// between says how an interpolated value came about.
type between string

// The ways of an interpolation.
const (
	within between = ""      // between two points of the sweep
	below  between = "below" // the sweep does not reach as low: its end stands for it
	above  between = "above" // the sweep does not reach as high: its end stands for it
)

// costAt is what a sweep costs where it has that many violations, between the
// neighbours on its front. Violations fall about tenfold with each equal step of cost,
// so the line is drawn through their logarithms; a straight one would lie above the
// curve and against the swept policy. Where even the dearest point has more, that point's cost is
// the answer, which is less than the truth and so favours the swept policy.
func costAt(sweep []point, violations float64) (float64, between) {
	f := front(sweep)
	if len(f) == 0 {
		return math.NaN(), above
	}
	last := f[len(f)-1]
	if violations < last.violations {
		return last.cost, below
	}
	if violations >= f[0].violations {
		return f[0].cost, within // nobody needs more money to fail more
	}
	for i := 1; ; i++ {
		a, b := f[i-1], f[i]
		if violations >= b.violations {
			top, low := scale(a.violations), scale(b.violations)
			return a.cost + (b.cost-a.cost)*(top-scale(violations))/(top-low), within
		}
	}
}

// violationsAt is how many violations a sweep has where it costs that much, between the
// neighbours on its front as costAt draws it. What costs more than the dearest point is held
// against that point; what costs less than the cheapest, against the cheapest, which
// favours the swept policy.
func violationsAt(sweep []point, cost float64) (float64, between) {
	f := front(sweep)
	switch {
	case len(f) == 0:
		return math.NaN(), above
	case cost < f[0].cost:
		return f[0].violations, below
	case cost >= f[len(f)-1].cost:
		return f[len(f)-1].violations, within
	}
	for i := 1; ; i++ {
		a, b := f[i-1], f[i]
		if cost < b.cost {
			top, low := scale(a.violations), scale(b.violations)
			return math.Exp(top+(low-top)*(cost-a.cost)/(b.cost-a.cost)) - floorMinutes, within
		}
	}
}

// scale is the logarithm in which violations are interpolated; it takes zero.
func scale(violations float64) float64 { return math.Log(violations + floorMinutes) }

// Interval is a figure with a 95 % bootstrap interval over seeds.
type Interval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Seeds int     `json:"seeds"`
}

// resamples of a bootstrap: enough for the third digit of an interval's ends.
const resamples = 2000

// bootstrap gives the ratio of two sums over seeds with its interval: seeds are drawn
// with replacement, numerator and denominator of a seed together. Sums, and not the
// mean of ratios, so that a seed in which nothing happened does not divide by zero.
func bootstrap(over, under []float64, seed uint64) Interval {
	n := min(len(over), len(under))
	if n == 0 {
		return Interval{Value: math.NaN(), Low: math.NaN(), High: math.NaN()}
	}
	sum := func(v []float64) (s float64) {
		for _, x := range v[:n] {
			s += x
		}
		return s
	}
	out := Interval{Value: ratio(sum(over), sum(under)), Seeds: n}
	rng := rand.New(rand.NewPCG(seed, 0xb007)) //nolint:gosec // an interval has to be repeatable
	all := make([]float64, resamples)
	for i := range all {
		a, b := 0.0, 0.0
		for range n {
			j := rng.IntN(n)
			a, b = a+over[j], b+under[j]
		}
		all[i] = ratio(a, b)
	}
	slices.Sort(all)
	out.Low, out.High = all[resamples*25/1000], all[resamples*975/1000-1]
	return out
}

// floorMinutes stands for a peer that never failed: half a minute, below what can be
// counted.
const floorMinutes = 0.5

// ratio divides and stays a number: nothing over nothing is 0, something over nothing
// is over half a unit.
func ratio(over, under float64) float64 {
	if over == 0 {
		return 0
	}
	return over / max(under, floorMinutes)
}
