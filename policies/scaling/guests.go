package scaling

import (
	"math"
	"time"

	"github.com/wedsync/scalability/models"
)

// course is the load of one guest by the time since the ceremony: what is expected, and
// how much more nine of ten weddings stay below when the ceremony may be late.
type course struct {
	expected, chance [kernelMost]float64
	n                int
	from             time.Duration
	step             time.Duration
	peak             float64
}

// courseOf reads a kernel; ok is false where it is none. Without a median nothing is known
// to be chance, and the 90th percentile is what is expected.
func courseOf(k *models.GuestKernel) (c course, ok bool) {
	if k == nil || k.StepMinutes <= 0 || k.StepMinutes > 24*60 || len(k.P90) == 0 {
		return course{}, false
	}
	p90 := k.P90[:min(len(k.P90), kernelMost)]
	p50 := k.P50
	if len(p50) < len(p90) {
		p50 = nil
	}
	for i, v := range p90 {
		if !finite(v) || p50 != nil && !finite(p50[i]) {
			return course{}, false
		}
		c.peak = math.Max(c.peak, v)
	}
	c.step, c.from = time.Duration(k.StepMinutes)*time.Minute, time.Duration(k.FromMinutes)*time.Minute
	slack := int((lateness + c.step - 1) / c.step)
	c.from -= time.Duration(slack) * c.step
	c.n = min(len(p90)+2*slack, kernelMost)
	for i := range c.n {
		most := 0.0
		for j := max(0, i-2*slack); j <= min(i, len(p90)-1); j++ {
			most = math.Max(most, p90[j])
		}
		c.expected[i] = most
		if p50 != nil {
			c.expected[i] = 0
			if j := i - slack; j >= 0 && j < len(p90) {
				c.expected[i] = math.Min(p50[j], most)
			}
		}
		c.chance[i] = most - c.expected[i]
	}
	return c, true
}

// planned is the load that the calendar asks capacity for. Guests whose ceremony was a
// while ago are told apart: whether they came is known.
type planned struct {
	young, old [planSteps]expectation // by time from now on
	steps      int                    // of them until an order of now serves
	sure       float64                // share of what chance adds at the 90th percentile that is held
	guests     int
	windows    int
	static     float64                // all that are here at the busiest moment of each
	largest    *models.CalendarWindow // with the most guests
	ceremony   *models.CalendarWindow // with the most guests of those that begin about now
	coming     *models.CalendarWindow // the next for which nodes are wanted
}

// expectation is a load in requests per second, and the square of what chance may add.
type expectation struct{ load, chance2 float64 }

// addAll adds the guests of a wedding to each step from the first on; since is the time
// from the ceremony to now. What they bring adds up; what chance adds evens out, as the
// square root of the sum of squares does.
func addAll(to *[planSteps]expectation, first int, guests int, c *course, since time.Duration) {
	off := since + time.Duration(first)*planStep - c.from
	i, rest := int(off/c.step), off%c.step
	if rest < 0 {
		i, rest = i-1, rest+c.step
	}
	g := float64(guests)
	for j := first; j < planSteps; j++ {
		if i >= 0 && i < c.n {
			chance := g * c.chance[i]
			to[j].load += g * c.expected[i]
			to[j].chance2 += chance * chance
		}
		for rest += planStep; rest >= c.step; rest -= c.step {
			i++
		}
	}
}

// planSteps covers the hour before which a floor may not be let down, in steps of planStep.
const (
	planSteps = 13
	planStep  = 5 * time.Minute
)

// most is the largest load over the first steps, the guests of before counted by a share.
func (p *planned) most(steps int, share float64) float64 {
	load := 0.0
	for i := range min(steps, planSteps) {
		y, o := p.young[i], p.old[i]
		load = math.Max(load, y.load+share*o.load+p.sure*math.Sqrt(y.chance2+share*share*o.chance2))
	}
	return load
}

// prewarm is how long before a ceremony its capacity is ordered: half an hour, or the
// time of the waves in which a floor is ordered and verified, after two starts.
func (d *decision) prewarm() time.Duration {
	p := d.policy
	wave := d.start95 + float64(p.SoakSeconds+p.Measurements*p.MeasurementIntervalSeconds)
	if !finite(wave) || wave > 3600 {
		wave = 3600
	}
	start := math.Min(math.Max(d.start95, 0), 3600)
	return max(floorAhead, time.Duration((2*start+plannedWaves*wave)*float64(time.Second)))
}

const plannedWaves = 3

// plan adds up what the windows' guests bring.
func (d *decision) plan(p *planned, k *course, ok bool) {
	now, ahead := d.in.Now, d.prewarm()
	p.sure = sureOrdinary
	if d.weddingDay() {
		p.sure = 1
	}
	p.steps = 1 + int((max(0, d.leadTime()+calendarLead-lateness)+planStep-1)/planStep)
	for i := range d.obs.Calendar.Windows {
		w := &d.obs.Calendar.Windows[i]
		since := now.Sub(w.Start)
		if !concerns(w, now) {
			continue
		}
		sum := &p.young
		switch {
		case since < -ahead:
			if p.coming == nil || w.Start.Before(p.coming.Start) {
				p.coming = w
			}
			if later := max(p.steps, int((-ahead-since+planStep-1)/planStep)); ok {
				addAll(&p.young, later, w.Guests, k, since) // from when its capacity will be ordered
			}
			continue
		case since < decayAfter:
			if p.ceremony == nil || w.Guests > p.ceremony.Guests {
				p.ceremony = w
			}
		default:
			sum = &p.old
		}
		if ok {
			addAll(sum, 0, w.Guests, k, since)
		}
		p.windows++
		p.guests += w.Guests
		p.static += float64(w.Guests) * k.peak
		if p.largest == nil || w.Guests > p.largest.Guests {
			p.largest = w
		}
	}
}

// concerns says whether a window's guests may ask for capacity now or before long.
func concerns(w *models.CalendarWindow, now time.Time) bool {
	return !w.Cancelled && w.Guests > 0 && now.Sub(w.Start) >= -nodesAhead && now.Before(w.End.Add(floorAfter))
}
