package scaling

import (
	"math"
	"time"

	"github.com/wedsync/scalability/models"
)

// course is the load of one guest by the time since the ceremony: what is expected, and
// how much more nine of ten weddings stay below.
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
	c.n = min(len(k.P90), kernelMost)
	c.step, c.from = time.Duration(k.StepMinutes)*time.Minute, time.Duration(k.FromMinutes)*time.Minute
	known := len(k.P50) >= c.n
	for i, v := range k.P90[:c.n] {
		if !finite(v) || known && !finite(k.P50[i]) {
			return course{}, false
		}
		c.peak = math.Max(c.peak, v)
		c.expected[i] = v
		if known {
			c.expected[i] = math.Min(k.P50[i], v)
		}
		c.chance[i] = v - c.expected[i]
	}
	return c, true
}

// planned is the load that the calendar asks capacity for. Guests whose ceremony was a
// while ago are told apart: whether they came is known.
type planned struct {
	young, old [planSteps]expectation // by time from now on
	steps      int                    // of them until an order of now serves
	sure       float64                // times of what chance adds at the 90th percentile that are held
	now        evidence
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
		e := p.step(i, share)
		load = math.Max(load, e.load+p.sure*math.Sqrt(e.chance2))
	}
	return load
}

// likely is the same in the light of the load of now.
func (p *planned) likely(steps int, share float64) float64 {
	load := 0.0
	for i := range min(steps, planSteps) {
		e := p.step(i, share)
		likely := p.now.update(e, i)
		x := likely.load + p.sure*math.Sqrt(likely.chance2)
		if p.now.raisesOnly {
			x = math.Max(x, e.load+p.sure*math.Sqrt(e.chance2))
		}
		load = math.Max(load, x)
	}
	return load
}

func (p *planned) step(i int, share float64) expectation {
	y, o := p.young[i], p.old[i]
	return expectation{y.load + share*o.load, y.chance2 + share*share*o.chance2}
}

// evidence is what the load of now says of the guests. That they are livelier than others,
// or fewer, goes with all of their course; the load without guests may be off as well.
// Both are normal, so that what is expected of a step, given a surprise x now, is
//
//	mean      m + (shared + base) ÷ variance · x
//	variance  v + base − (shared + base)² ÷ variance
//
// A raise is believed of any usable signal. That less comes than was planned is believed
// only where nothing speaks against it: people who cannot get in have not stayed away.
type evidence struct {
	usable     bool
	raisesOnly bool
	expected   float64            // load of guests now
	surprise   float64            // how much more there is
	variance   float64            // of it, in squares of chance
	base       float64            // of it by the load without guests
	shared     [planSteps]float64 // covariance of the guests' load now with that of each step
}

const (
	// liveliness is how much the guests of one wedding differ from those of another in the
	// load that they bring all along, as a standard deviation.
	liveliness = 0.3
	// baseDoubt is how far the load without guests is off.
	baseDoubt = 0.08
)

// expect adds the guests of a wedding to what is expected now.
func (v *evidence) expect(guests int, c *course, since time.Duration) {
	off := since - c.from
	i := int(off / c.step)
	if off < 0 || i >= c.n {
		return
	}
	g := float64(guests)
	load, chance := g*c.expected[i], g*c.chance[i]
	v.expected += load
	v.variance += chance * chance
	alike := normal90 * normal90 * liveliness * liveliness * load * g
	rest := off % c.step
	for j := range v.shared {
		if i >= c.n {
			return
		}
		v.shared[j] += min(alike*c.expected[i], chance*g*c.chance[i])
		for rest += planStep; rest >= c.step; rest -= c.step {
			i++
		}
	}
}

// compare holds the load of now against what is expected.
func (d *decision) compare(v *evidence, base float64) {
	t := &d.quality.throughput
	if !t.usable() || t.Avg60 == nil || !(v.variance > 0) {
		return
	}
	v.usable = true
	v.raisesOnly = t.quality != models.QualityOK || d.quality.suspect || d.ill()
	v.surprise = *t.Avg60 - base - v.expected
	off := normal90 * baseDoubt * base
	v.base = off * off
	v.variance += v.base
}

// update gives what is expected of a step in the light of the load of now.
func (v *evidence) update(e expectation, step int) expectation {
	if !v.usable {
		return e
	}
	known := v.shared[step] + v.base
	e.load += known / v.variance * v.surprise
	e.chance2 = math.Max(0, e.chance2+v.base-known*known/v.variance)
	return e
}

const (
	newestGap = 27.0 // seconds from the middle of the last minute to that of the last 6 s
	riseSlack = 30.0 // seconds beyond the lead time for which a rise is taken to go on: until the next look
	sureRise  = 3.0  // times what chance adds at the 90th percentile: hardly ever do guests bring more
)

// riseCandidate is for the minutes in which a ceremony ends and all its guests share their
// photographs: load may double in four of them, and to order what is needed now is to be
// late in each. So while guests are here a rise that is no chance is taken to go on until
// an order of now serves, up to what hardly any guests exceed.
func (d *decision) riseCandidate(p *planned, base float64) {
	t := &d.quality.throughput
	if !t.usable() || t.Avg60 == nil || t.Avg6 == nil || !d.beyondChance(t.Avg6, 6) {
		return
	}
	p.sure = sureRise
	bound := (1+baseDoubt)*base + p.most(planSteps, 1)
	rise := (*t.Avg6 - *t.Avg60) / newestGap
	load := math.Min(*t.Avg6+rise*(d.leadTime().Seconds()+riseSlack), bound)
	if load <= *t.Avg6 {
		return
	}
	why := d.line().s("load rises by ").num(rise * 60).s(" requests/s a minute while ").n(p.guests).s(" guests are here: up to ").num(load).s(" are to be served").text()
	d.floorCandidate(models.Candidate{By: "calendar_rise", Value: ptr(load), N: d.withZone(ceil(load / (d.certified * d.u))), Guests: p.guests, Why: why})
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
	p.sure = 1
	p.steps = 1 + int((d.leadTime()+calendarLead+planStep-1)/planStep)
	for i := range d.obs.Calendar.Windows {
		w := &d.obs.Calendar.Windows[i]
		if !concerns(w, now) {
			continue
		}
		since := now.Sub(w.Start)
		if ok {
			p.bring(w.Guests, k, since, ahead)
		}
		switch {
		case since < -ahead:
			if p.coming == nil || w.Start.Before(p.coming.Start) {
				p.coming = w
			}
			continue
		case since < decayAfter:
			if p.ceremony == nil || w.Guests > p.ceremony.Guests {
				p.ceremony = w
			}
		}
		p.windows++
		p.guests += w.Guests
		p.static += float64(w.Guests) * k.peak
		if p.largest == nil || w.Guests > p.largest.Guests {
			p.largest = w
		}
	}
}

// bring adds the guests of a wedding: to what is expected now, and to the steps from which
// on its capacity is ordered.
func (p *planned) bring(guests int, k *course, since, ahead time.Duration) {
	p.now.expect(guests, k, since)
	switch {
	case since < -ahead:
		addAll(&p.young, max(p.steps, int((-ahead-since+planStep-1)/planStep)), guests, k, since)
	case since < decayAfter:
		addAll(&p.young, 0, guests, k, since)
	default:
		addAll(&p.old, 0, guests, k, since)
	}
}

// concerns says whether a window's guests may ask for capacity now or before long.
func concerns(w *models.CalendarWindow, now time.Time) bool {
	return !w.Cancelled && w.Guests > 0 && now.Sub(w.Start) >= -nodesAhead && now.Before(w.End.Add(floorAfter))
}
