package scaling

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
)

// ringSpan is how long recommendations are remembered.
const ringSpan = 15 * time.Minute

// minRemaining is kept whatever the load: one replica is none when it fails.
const minRemaining = 2

// shape turns the raw need into the spec to order.
func (d *decision) shape() {
	cur := d.cur()
	frozen := d.frozen()
	switch {
	case d.in.Paused:
		d.hold("paused", "the autoscaler is paused by a person")
	case frozen != nil:
		d.hold("freeze", fmt.Sprintf("%s froze the service until %s (%s)", frozen.Holder, moment(frozen.Until), phrase(frozen.Reason)))
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
	switch {
	case d.firm.n >= d.raw.n: // nothing is left to shape
		calm = cur
	case cur > 0 && float64(d.raw.n-cur)/float64(cur) <= d.policy.DeadBandUp+epsilon:
		calm = cur
		rule, effect = "dead_band", fmt.Sprintf("%d is within %.0f %% of %d", d.raw.n, d.policy.DeadBandUp*100, cur)
	case d.raw.n > limit:
		calm = limit
		rule, effect = "up_step", fmt.Sprintf("at most %d until those on their way are ready", limit)
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
// start, however often it is decided meanwhile.
func (d *decision) upLimit(cur int) int {
	n := max(0, cur-d.obs.Replicas.Pending())
	return max(cur, whole(float64(n)*d.policy.UpFactor), n+min(max(d.policy.UpStep, 0), mostReplicas))
}

// down removes capacity only when nothing speaks against it, and slowly.
func (d *decision) down(cur int) {
	if rule, why := d.downVeto(); rule != "" {
		d.hold(rule, why)
		return
	}
	newest := d.newestNeed()
	need := max(d.stabilised(), newest)
	switch step := max(1, whole(float64(cur)*d.policy.DownStepShare+epsilon)); {
	case newest >= cur:
		d.hold("rising", fmt.Sprintf("the newest seconds need %d: the minute's mean has not followed yet", newest))
	case need >= cur:
		d.hold("stabilisation", fmt.Sprintf("%d were needed within the last %d s", need, d.policy.DownStabilisationSeconds))
	case cur <= minRemaining:
		d.hold("min_remaining", fmt.Sprintf("%d are kept whatever the load: one is none when it fails", cur))
	case float64(cur-need)/float64(cur) <= d.policy.DeadBandDown+epsilon:
		d.hold("dead_band", fmt.Sprintf("%d is within %.0f %% of %d", need, d.policy.DeadBandDown*100, cur))
	default:
		d.out.Desired = max(need, cur-step, minRemaining)
		if d.out.Desired > need {
			d.note("down_step", fmt.Sprintf("at most %d fewer in one step", step))
		}
	}
}

// newestNeed is what the newest seconds ask for. Load that has just come, or come back,
// is not in the minute's mean yet: going by the mean would remove what is in use.
func (d *decision) newestNeed() int {
	need, u := 0, d.policy.TargetUtilisation
	if !(u > 0) {
		return need
	}
	if t := d.quality.throughput; t.usable() && t.Avg6 != nil && d.svc.CapacityRPS > 0 {
		need = ceil(*t.Avg6 / (d.svc.CapacityRPS * u))
	}
	if c := d.quality.cpu; c.usable() && c.Avg6 != nil {
		need = max(need, ceil(float64(d.obs.Replicas.Ready)*math.Min(*c.Avg6, 1)/u))
	}
	return need
}

// downVeto gives the first rule that forbids a scale-in.
func (d *decision) downVeto() (rule, why string) {
	now := d.in.Now
	if blocked := d.quality.removalBlocked(); blocked != "" {
		return "signal_quality", blocked
	}
	if len(d.obs.Gaps) > 0 {
		return "gaps", "not everything could be read: " + strings.Join(d.obs.Gaps, "; ")
	}
	if d.panicked {
		return "panic", "a spike was seen less than " + seconds(d.policy.PanicSeconds) + " ago"
	}
	if d.in.InFlight {
		return "in_flight", "a change of capacity is being verified"
	}
	if r := d.reserved(models.ReservationNoIn); r != nil {
		return "no_in", r.Holder + " forbids scale-in (" + phrase(r.Reason) + ")"
	}
	if wait := remaining(now, d.in.State.LastUpAt, d.policy.HoldAfterUpSeconds); wait > 0 {
		return "hold_after_up", fmt.Sprintf("scale-in waits %s after a scale-up, %.0f s left", seconds(d.policy.HoldAfterUpSeconds), wait.Seconds())
	}
	if wait := remaining(now, d.in.State.LastDownAt, d.policy.DownPeriodSeconds); wait > 0 {
		return "down_period", fmt.Sprintf("one scale-in per %s, %.0f s left", seconds(d.policy.DownPeriodSeconds), wait.Seconds())
	}
	return "", ""
}

// stabilised is the largest need of the stabilisation window.
func (d *decision) stabilised() int {
	since := d.in.Now.Add(-time.Duration(d.policy.DownStabilisationSeconds) * time.Second)
	return max(d.raw.n, d.next.largest(since))
}

func remaining(now time.Time, last *time.Time, hold int) time.Duration {
	if last == nil {
		return 0
	}
	return time.Duration(hold)*time.Second - now.Sub(*last)
}

func seconds(n int) string { return fmt.Sprintf("%d s", n) }

// remember keeps a need for the stabilisation window, bounded in time and number. With
// nothing remembered, at the beginning or after a long silence, what stands there counts
// as needed now: whoever has not looked yet removes nothing.
func (s *State) remember(now time.Time, n, standing int) {
	const most = 512
	s.Ring = slices.DeleteFunc(s.Ring, func(r Recommendation) bool { return now.Sub(r.At) > ringSpan })
	if len(s.Ring) == 0 {
		n = max(n, standing)
	}
	s.Ring = append(s.Ring, Recommendation{At: now, N: n})
	if len(s.Ring) > most {
		s.Ring = slices.Delete(s.Ring, 0, len(s.Ring)-most)
	}
}

// largest is the largest need remembered since a time.
func (s *State) largest(since time.Time) int {
	most := 0
	for _, r := range s.Ring {
		if !r.At.Before(since) {
			most = max(most, r.N)
		}
	}
	return most
}

// clone keeps Decide from writing into its caller's state.
func (s State) clone() State {
	s.Ring = slices.Clone(s.Ring)
	return s
}
