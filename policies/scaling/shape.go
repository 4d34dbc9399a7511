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
	switch {
	case d.in.Paused:
		d.hold("paused", "the autoscaler is paused by a person")
	case d.mode() == "freeze":
		r := d.reserved(models.ReservationFreeze)
		d.hold("freeze", fmt.Sprintf("%s froze the service until %s (%s)", r.Holder, r.Until.UTC().Format("2 Jan 15:04 MST"), r.Reason))
	case d.raw > cur:
		d.up(cur)
	case d.raw < cur:
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

// up goes to the raw need. Only measured demand in calm has a dead-band and a step
// limit: floors, forecasts and panic pass at once.
func (d *decision) up(cur int) {
	d.out.Desired = d.raw
	if d.driver != models.ClassReactive {
		return
	}
	if cur > 0 && float64(d.raw-cur)/float64(cur) <= d.policy.DeadBandUp+epsilon {
		d.hold("dead_band", fmt.Sprintf("%d is within %.0f %% of %d", d.raw, d.policy.DeadBandUp*100, cur))
		return
	}
	limit := max(int(math.Floor(float64(cur)*d.policy.UpFactor)), cur+d.policy.UpStep)
	if d.raw > limit {
		d.note("up_step", fmt.Sprintf("at most %d in one step", limit))
		d.out.Desired = limit
	}
}

// down removes capacity only when nothing speaks against it, and slowly.
func (d *decision) down(cur int) {
	if rule, why := d.downVeto(); rule != "" {
		d.hold(rule, why)
		return
	}
	need := d.stabilised()
	if need >= cur {
		d.hold("stabilisation", fmt.Sprintf("%d were needed within the last %d s", need, d.policy.DownStabilisationSeconds))
		return
	}
	if d.floor < cur && float64(cur-need)/float64(cur) <= d.policy.DeadBandDown+epsilon {
		d.hold("dead_band", fmt.Sprintf("%d is within %.0f %% of %d", need, d.policy.DeadBandDown*100, cur))
		return
	}
	step := max(1, int(math.Floor(float64(cur)*d.policy.DownStepShare+epsilon)))
	d.out.Desired = max(need, cur-step, min(minRemaining, cur))
	if d.out.Desired > need {
		d.note("down_step", fmt.Sprintf("at most %d replicas in one step", step))
	}
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
		return "no_in", r.Holder + " forbids scale-in (" + r.Reason + ")"
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
	need := d.raw
	for _, r := range d.next.Ring {
		if !r.At.Before(since) {
			need = max(need, r.N)
		}
	}
	return need
}

func remaining(now time.Time, last *time.Time, hold int) time.Duration {
	if last == nil {
		return 0
	}
	return time.Duration(hold)*time.Second - now.Sub(*last)
}

func seconds(n int) string { return fmt.Sprintf("%d s", n) }

// remember keeps a need for the stabilisation window, bounded in time and number.
func (s *State) remember(now time.Time, n int) {
	const most = 512
	s.Ring = slices.DeleteFunc(s.Ring, func(r Recommendation) bool { return now.Sub(r.At) > ringSpan })
	s.Ring = append(s.Ring, Recommendation{At: now, N: n})
	if len(s.Ring) > most {
		s.Ring = slices.Delete(s.Ring, 0, len(s.Ring)-most)
	}
}

// clone keeps Decide from writing into its caller's state.
func (s State) clone() State {
	s.Ring = slices.Clone(s.Ring)
	return s
}
