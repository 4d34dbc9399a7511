package scaling

import (
	"math"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
)

const (
	// minRemaining is kept whatever the load: one replica is none when it fails.
	minRemaining = 2
	// flipSpan is how long after a scale-in growth in calm has to be worth it, and
	// flipBand how far it has to go then: a need that only wavers is no reason to turn.
	flipSpan = 600 * time.Second
	flipBand = 0.15
	// glance is how many standard deviations a minute's mean may have been higher between
	// two looks.
	glance = 2.0
	// What is above this share of what stands, and was not needed for a minute, is passed
	// where a forecast can be trusted: the lower one to begin a scale-in after growth, the
	// higher one to go on with it.
	transientTurn = 0.6
	transient     = 0.7
	// passedKeeps is the share of what stands that a passed surge leaves in one step. It is
	// above the share that makes it passed: the needs of minutes ago were a little larger
	// than that of the last one, and those who look back further would still hold them.
	passedKeeps = 0.75
	// turnSpan is how far the first scale-in after growth looks back: load that comes and
	// goes within a quarter of an hour turned capacity about each time. A service whose own
	// window is short looks back three times as far as that.
	turnSpan  = 900 * time.Second
	turnTimes = 3
)

// shape turns the raw need into the spec to order.
func (d *decision) shape() {
	cur := d.cur()
	frozen := d.frozen()
	switch {
	case d.in.KillSwitch:
		d.hold("kill_switch", "the kill switch is on: nothing is changed anywhere")
	case d.in.Paused:
		d.hold("paused", "the autoscaler is paused by a person")
	case frozen != nil:
		d.hold("freeze", d.line().s(frozen.Holder).s(" froze the service until ").at(frozen.Until).s(" (").phrase(frozen.Reason).s(")").text())
	case d.obs.Mode == models.ModeFreeze:
		d.hold("freeze", "the platform is frozen")
	case d.raw.n > cur:
		d.up(cur)
	case d.raw.n < cur:
		d.down(cur)
	default:
		d.out.Desired = cur
	}
	if !d.known && d.out.Desired == cur {
		d.out.Class = models.ClassFailsafe
	}
}

// hold keeps the current spec and names the rule that did it.
func (d *decision) hold(rule, why string) {
	d.out.Desired = d.cur()
	d.note(rule, why)
	d.out.BindingReason = why
}

// up goes to the raw need. Measured demand in calm and forecasts have a dead-band and a
// step limit; neither holds the firm need off, which passes at once.
func (d *decision) up(cur int) {
	calm, limit := d.raw.n, d.upLimit(cur)
	rule, effect := "", ""
	band := d.policy.DeadBandUp
	turning := band < flipBand && remaining(d.in.Now, d.in.State.LastDownAt, flipSpan) > 0
	if turning {
		band = flipBand
	}
	switch {
	case d.firm.n >= d.raw.n: // nothing is left to shape
		calm = cur
	case cur > 0 && float64(d.raw.n-cur)/float64(cur) <= band+epsilon:
		calm, rule = cur, "dead_band"
		l := d.line().n(d.raw.n).s(" is within ").pct(band).s(" of ").n(cur)
		if turning {
			rule, l = "turning", l.s(", less than ").whole(flipSpan.Minutes()).s(" min after a scale-in")
		}
		effect = l.text()
	case d.raw.n > limit:
		calm, rule = limit, "up_step"
		effect = d.line().s("at most ").n(limit).s(" until those on their way are ready").text()
	}
	d.out.Desired = max(calm, d.firm.n)
	if rule != "" {
		d.note(rule, effect)
	}
	switch {
	case d.out.Desired == cur:
		d.out.BindingReason = effect
	case d.firm.n > calm:
		d.driver = d.firm
	}
}

// upLimit is the step limit: max(UpFactor · n, n + UpStep), n = replicas that are not
// on their way. Counting from those makes one step last as long as its replicas take to
// start, however often it is decided meanwhile. A trusted forecast passes it, since what
// it asks for is bounded by what is usual, and a wedding day has none.
func (d *decision) upLimit(cur int) int {
	if d.weddingDay() {
		return mostReplicas
	}
	n := max(0, cur-d.pending)
	return max(cur, d.stepless, whole(float64(n)*d.policy.UpFactor), n+min(max(d.policy.UpStep, 0), mostReplicas))
}

// down removes capacity only when nothing speaks against it, and slowly.
func (d *decision) down(cur int) {
	if rule, why := d.downVeto(); rule != "" {
		d.hold(rule, why)
		return
	}
	newest, ahead := d.newestNeed(), d.lookAhead()
	if d.passed() {
		ahead = 0 // the next surge is ordered for in its time
	}
	need := max(d.stabilised(), newest)
	step := d.downStep(cur)
	least, band := d.least(cur, step), d.policy.DeadBandDown
	switch {
	case newest >= cur:
		d.hold("rising", d.line().s("the newest seconds need ").n(newest).s(": the minute's mean has not followed yet").text())
	case need >= cur:
		d.hold("stabilisation", d.line().n(need).s(" were needed within the last ").whole(d.window().Seconds()).s(" s").text())
	case float64(ahead) >= forecastVeto*float64(cur):
		d.hold("look_ahead", d.line().s("the forecast wants ").n(ahead).s(" within half an hour").text())
	case d.memoryNeed() >= cur:
		d.hold("memory", d.line().n(d.memoryNeed()).s(" are needed to hold what is in memory").text())
	case cur <= least:
		d.hold("min_remaining", d.line().n(cur).s(" are kept whatever the load: one is none when it fails").text())
	case float64(cur-need)/float64(cur) <= band+epsilon:
		d.hold("dead_band", d.line().n(need).s(" is within ").pct(band).s(" of ").n(cur).text())
	case float64(cur-d.floorSoon)/float64(cur) <= band+epsilon:
		d.hold("floor_soon", d.line().s("the calendar wants ").n(d.floorSoon).s(" within half an hour").text())
	default:
		d.out.Desired = max(need, cur-step, least, d.memoryNeed(), ahead, d.floorSoon)
		switch {
		case d.passed():
			d.note("passed", d.line().s("a surge has passed, and at most ").n(step).s(" go in one step").text())
		case d.out.Desired > need:
			d.note("down_step", d.line().s("at most ").n(step).s(" fewer in one step").text())
		}
	}
}

// downStep is how many may go at once: a tenth; of a surge that has passed a quarter, which
// no person has to agree to.
func (d *decision) downStep(cur int) int {
	share := d.downShare
	if d.passed() {
		share = math.Max(share, 1-passedKeeps)
	}
	return max(1, whole(float64(cur)*share+epsilon))
}

// least is what a scale-in keeps: two, one in each zone, and the same number in each
// where the step is large enough to choose.
func (d *decision) least(cur, step int) int {
	zones := min(max(d.svc.Zones, 1), mostReplicas)
	least := min(max(minRemaining, zones), max(cur, minRemaining))
	if below := cur - step; zones > 1 && step >= zones && below > least {
		least = (below + zones - 1) / zones * zones
	}
	return least
}

// newestNeed is what the newest seconds ask for. Load that has just come, or come back,
// is not in the minute's mean yet: going by the mean would remove what is in use.
func (d *decision) newestNeed() int {
	need := 0
	if !(d.u > 0) {
		return need
	}
	if t := &d.quality.throughput; t.usable() && t.Avg6 != nil && d.kappa > 0 {
		need = ceil(*t.Avg6 / (d.kappa * d.u))
	}
	if c := &d.quality.cpu; c.usable() && c.Avg6 != nil {
		need = max(need, ceil(float64(d.worked)*min(*c.Avg6, 1)/d.u))
	}
	return need
}

// downVeto gives the first rule that forbids a scale-in.
func (d *decision) downVeto() (rule, why string) {
	now := d.in.Now
	if blocked := d.removalBlocked(); blocked != "" {
		return "signal_quality", blocked
	}
	if len(d.obs.Gaps) > 0 {
		return "gaps", "not everything could be read: " + strings.Join(d.obs.Gaps, "; ")
	}
	if d.panicked {
		return "panic", d.line().s("a spike was seen less than ").n(d.policy.PanicSeconds).s(" s ago").text()
	}
	if d.emergency() {
		return "emergency", "in an emergency nothing is removed"
	}
	if d.in.InFlight {
		return "in_flight", "a change of capacity is being verified"
	}
	if r := d.reserved(models.ReservationNoIn); r != nil {
		return "no_in", d.line().s(r.Holder).s(" forbids scale-in (").phrase(r.Reason).s(")").text()
	}
	if why := d.calendarBlocks(); why != "" {
		return "calendar", why
	}
	if wait := remaining(now, d.in.State.LastUpAt, seconds(d.holdAfterUp)); wait > 0 && !d.passed() {
		d.waits(wait)
		return "hold_after_up", d.line().s("scale-in waits ").n(d.holdAfterUp).s(" s after a scale-up, ").whole(wait.Seconds()).s(" s left").text()
	}
	if wait := remaining(now, d.in.State.LastDownAt, seconds(d.policy.DownPeriodSeconds)); wait > 0 {
		d.waits(wait)
		return "down_period", d.line().s("one scale-in per ").n(d.policy.DownPeriodSeconds).s(" s, ").whole(wait.Seconds()).s(" s left").text()
	}
	return "", ""
}

// waits says when a scale-in that is held may go.
func (d *decision) waits(wait time.Duration) {
	at := d.in.Now.Add(wait)
	d.out.NotBefore = &at
}

// stabilised is the largest need of the stabilisation window. The window guards against a
// need that comes back, and a trusted forecast knows whether it does: with one, what far
// exceeds the needs of the last minute is not kept for the whole window.
func (d *decision) stabilised() int {
	if d.passed() {
		return max(d.raw.n, d.unseen(), whole(math.Ceil(passedKeeps*float64(d.cur()))))
	}
	return max(d.raw.n, largest(d.next.Ring, d.in.Now.Add(-d.window())))
}

// window is how far a scale-in looks back.
func (d *decision) window() time.Duration {
	span := seconds(d.stabilisation)
	if d.turns() {
		return max(span, min(turnSpan, turnTimes*span))
	}
	return span
}

// turns says whether a scale-in now would follow growth.
func (d *decision) turns() bool {
	up, down := d.in.State.LastUpAt, d.in.State.LastDownAt
	return up != nil && (down == nil || up.After(*down))
}

// unseen is what load may have asked for between two looks: the minute's mean, and what
// chance adds to it. It is remembered, so that a scale-in is not decided on the lower of
// two glances; nothing is ordered for it.
func (d *decision) unseen() int {
	t := &d.quality.throughput
	if !t.usable() || t.Avg60 == nil || !d.measurable() {
		return 0
	}
	return ceil((*t.Avg60 + glance*math.Sqrt(*t.Avg60/60)) / (d.kappa * d.u))
}

// passed says whether far more stands than was needed over the last minute, and a trusted
// forecast expects no more: a surge that has passed, or did not come. The minute's mean
// tells, and not what was remembered of it, since that has the forecast of a surge that
// stayed away in it.
func (d *decision) passed() bool {
	share := transient
	if d.turns() {
		share = transientTurn
	}
	return d.trusted && !d.weddingDay() && float64(max(d.raw.n, d.unseen(), d.foreseen)) < share*float64(d.cur())
}

func remaining(now time.Time, last *time.Time, hold time.Duration) time.Duration {
	if last == nil {
		return 0
	}
	return hold - now.Sub(*last)
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
