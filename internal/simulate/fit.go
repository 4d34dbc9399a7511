package simulate

import (
	"math"
	"slices"
)

// fit is the state of the descent.
type fit struct {
	load   []float64
	past   []arrival
	rest   []float64 // load − base − guests' share; NaN unknown
	hour   []int     // of the week, for each slot
	base   [hoursOfWeek]float64
	prior  [24]float64
	kernel [kernelSteps]float64
}

func newFit(load []float64, past []arrival, offset int) *fit {
	f := &fit{load: load, past: past, rest: slices.Clone(load), hour: make([]int, len(load))}
	busy := f.busy()
	var quiet [24]average
	lowest := math.Inf(1)
	for s, v := range load {
		f.hour[s] = (offset + s) / perSlotHour % hoursOfWeek
		if math.IsNaN(v) {
			continue
		}
		lowest = math.Min(lowest, v)
		if !busy[s] {
			quiet[f.hour[s]%24].add(v)
		}
	}
	for h := range f.prior {
		f.prior[h] = lowest
		if quiet[h].n > 0 {
			f.prior[h] = quiet[h].mean()
		}
	}
	return f
}

// sweepBase improves the base of each hour, given the kernel.
func (f *fit) sweepBase() {
	var sums [hoursOfWeek]average
	for s, r := range f.rest {
		if !math.IsNaN(r) {
			sums[f.hour[s]].add(r)
		}
	}
	var change [hoursOfWeek]float64
	for h, x := range sums {
		n := float64(x.n)
		next := math.Max(0, (x.sum+n*f.base[h]+fitPrior*f.prior[h%24])/(n+fitPrior))
		change[h], f.base[h] = next-f.base[h], next
	}
	for s := range f.rest {
		f.rest[s] -= change[f.hour[s]]
	}
}

// sweepKernel improves each step of the kernel, given the rest.
func (f *fit) sweepKernel() {
	for i := range f.kernel {
		num, den := 0.0, 0.0
		for _, a := range f.past {
			if r := f.rest[a.slot+i]; !math.IsNaN(r) {
				num += a.guests * (r + f.kernel[i]*a.guests)
				den += a.guests * a.guests
			}
		}
		if den == 0 {
			continue
		}
		next := math.Max(0, num/den)
		for _, a := range f.past {
			f.rest[a.slot+i] -= (next - f.kernel[i]) * a.guests
		}
		f.kernel[i] = next
	}
}

// days is the level of each weekday by the mean of all.
func (f *fit) days() (level [7]float64) {
	all := 0.0
	for h, b := range f.base {
		level[h/24] += b
		all += b / 7
	}
	for d := range level {
		if level[d] /= all; !(all > 0) {
			level[d] = 1
		}
	}
	return level
}

const (
	spreadPrior = 10.0 // weddings' worth of trust that all steps differ as one
	spreadLeast = 0.3  // of the common variance
	spreadNoise = 400  // variance that does not come from guests, in squares of requests per second
)

// spread is the standard deviation of each step of the course from one wedding to the
// next: weddings differ independently of each other, so that their own variances add up
// to the rest's. It is learned as the course is, on squares, and drawn towards one share
// of the course for all steps. A step at which load jumps differs more than the calm
// between, since not all are in time.
func (f *fit) spread() (out [kernelSteps]float64) {
	common := f.commonVariance()
	rest := f.squares()
	var own [kernelSteps]float64
	for i, k := range f.kernel {
		own[i] = common * k * k
		f.take(rest, i, own[i])
	}
	for range fitSweeps {
		for i, k := range f.kernel {
			next := math.Max(spreadLeast*common*k*k, f.variance(rest, i, own[i], common*k*k))
			f.take(rest, i, next-own[i])
			own[i] = next
		}
	}
	for i := range own {
		near := own[max(0, i-1):min(kernelSteps, i+2)]
		out[i] = math.Sqrt(mean(near))
	}
	return out
}

// take takes a step's variance off the squares of the rest.
func (f *fit) take(rest []float64, step int, variance float64) {
	for _, a := range f.past {
		rest[a.slot+step] -= variance * a.guests * a.guests
	}
}

// variance improves that of one step. Large weddings are weighed down, since the square
// of a square is noise.
func (f *fit) variance(rest []float64, step int, own, prior float64) float64 {
	num, den := 0.0, 0.0
	for _, a := range f.past {
		r := rest[a.slot+step]
		if math.IsNaN(r) {
			continue
		}
		g := a.guests * a.guests
		weight := 1 / square(g*own+spreadNoise)
		num += weight * g * (r + g*own)
		den += weight * g * g
	}
	if !(den > 0) {
		return prior
	}
	n := float64(len(f.past))
	return (n*num/den + spreadPrior*prior) / (n + spreadPrior)
}

// squares is what is left in each slot, squared, less what is left at that time of day
// where no guests are.
func (f *fit) squares() []float64 {
	busy := f.busy()
	var quiet [24]average
	out := make([]float64, len(f.rest))
	for s, r := range f.rest {
		out[s] = r * r
		if !busy[s] && !math.IsNaN(r) {
			quiet[f.hour[s]%24].add(r * r)
		}
	}
	for s := range out {
		if q := quiet[f.hour[s]%24]; q.n > 0 {
			out[s] -= q.mean()
		}
	}
	return out
}

// commonVariance is the variance of all steps as one share of the course, squared.
func (f *fit) commonVariance() float64 {
	own := make([]float64, len(f.load)) // sum of the squares of what each wedding is expected to bring
	for _, a := range f.past {
		for i, k := range f.kernel {
			own[a.slot+i] += a.guests * k * a.guests * k
		}
	}
	num, den := 0.0, 0.0
	for s, e := range own {
		if r := f.rest[s]; e > 0 && !math.IsNaN(r) {
			num, den = num+r*r, den+e
		}
	}
	if !(den > 0) {
		return 0
	}
	return math.Min(1, num/den)
}

// busy says of each slot whether guests are there.
func (f *fit) busy() []bool {
	out := make([]bool, len(f.load))
	for _, a := range f.past {
		for i := range kernelSteps {
			out[a.slot+i] = true
		}
	}
	return out
}
