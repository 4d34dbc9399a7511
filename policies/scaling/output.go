package scaling

import (
	"math"
	"time"

	"github.com/wedsync/scalability/models"
)

const (
	// decisionLife is how long after it was made a decision may be carried out: later
	// the world it was made from is gone.
	decisionLife = 60 * time.Second

	// A removal of more than this share, and of more than this many, wants a person.
	approvalShare    = 0.30
	approvalReplicas = 10

	wavesAbove  = 10               // replicas of a planned change that are tried on a few first
	wavesBefore = 20 * time.Minute // a ceremony by which waves have to be done

	unreadAlert = 60 * time.Second
)

// close derives direction, plan, approval, cost, counterfactual and the sentence.
func (d *decision) close() (models.Explanation, State) {
	e := &d.out
	if r := d.obs.Replicas; r != nil {
		e.Current, e.Ready = r.Spec, r.Ready
		if e.Pending = d.pending; d.unread {
			e.Pending = r.Pending()
		}
	}
	if !d.unread {
		d.direct()
		d.execution()
		d.approval()
		d.blindFlags()
		d.cost()
		e.Counterfactual = d.counterfactual()
	}
	e.Text = d.sentence()
	return d.out, d.next
}

// direct sets direction and class from desired, and remembers when capacity was to
// move: a scale-in waits after an order, whatever became of it, and what only holds
// back may be remembered too often but not too seldom. A shadowed decision keeps its
// direction but is not remembered: nothing moves.
func (d *decision) direct() {
	e := &d.out
	now := d.in.Now
	switch {
	case e.Desired > e.Current:
		e.Direction, e.Class = models.DirectionUp, d.driver.class
		if !d.in.Shadow {
			d.next.LastUpAt = &now
		}
	case e.Desired < e.Current:
		e.Direction = models.DirectionDown
		if e.Class != models.ClassCap {
			e.Class = models.ClassSteady
		}
		if !d.in.Shadow {
			d.next.LastDownAt = &now
		}
	case e.Class != models.ClassFailsafe:
		e.Class = models.ClassHold
	}
	if e.BindingReason == "" {
		e.BindingReason = d.driver.why
	}
}

// execution says how soon, in which form and until when a change is carried out. What
// load asks for now goes at once, and so does what a forecast asks for: it is due when an
// order of now serves, and a first wave would use that time up. A floor is tried on a few
// first, unless a ceremony is so near that the waves would not be done in time.
func (d *decision) execution() {
	e := &d.out
	if e.Direction == models.DirectionHold {
		return
	}
	expires := d.in.Now.Add(decisionLife)
	e.ExpiresAt, e.Plan = &expires, models.PlanSingle
	if e.Direction == models.DirectionDown {
		return
	}
	switch e.Class {
	case models.ClassPanic:
		e.Urgency = models.UrgencyNow
	case models.ClassFloor:
		e.Urgency = models.UrgencySoon
		if e.Desired-e.Current > wavesAbove && !d.emergency() && !d.panicked && !d.tooLateForWaves() {
			e.Plan = models.PlanWaves
		}
	default:
		e.Urgency = models.UrgencySoon
	}
	if d.emergency() || e.Deficit != nil {
		e.Urgency = models.UrgencyNow
	}
}

// lateness is how long after its time a ceremony may still begin.
const lateness = 5 * time.Minute

// tooLateForWaves says whether a ceremony begins before waves would be done in time.
func (d *decision) tooLateForWaves() bool {
	c := d.obs.Calendar
	if c == nil {
		return false
	}
	done := d.in.Now.Add(d.prewarm())
	for i := range c.Windows {
		w := &c.Windows[i]
		if !w.Cancelled && w.Guests > 0 && d.in.Now.Before(w.Start.Add(lateness)) && done.After(w.Start.Add(-wavesBefore)) {
			return true
		}
	}
	return false
}

// approval asks for a person where much is removed at once, or a floor is passed.
// Growth never waits for one.
func (d *decision) approval() {
	e := &d.out
	if e.Direction != models.DirectionDown {
		return
	}
	removed := e.Current - e.Desired
	switch {
	case e.Desired < d.floor:
		e.Approval = &models.Approval{Permission: models.PermissionScaleStandard, Reason: d.line().s("it goes below a floor of ").n(d.floor).text()}
	case float64(removed) > math.Max(approvalShare*float64(e.Current), approvalReplicas):
		e.Approval = &models.Approval{Permission: models.PermissionScaleStandard, Reason: d.line().s("it removes ").n(removed).s(" of ").n(e.Current).s(" at once").text()}
	}
}

// blindFlags tells people when nothing has been seen for too long.
func (d *decision) blindFlags() {
	if !d.quality.blind {
		return
	}
	switch {
	case d.weddingDay() && d.quality.blindFor > blindPage:
		d.flag("blind", models.FlagPage, d.blindReason())
	case d.quality.blindFor > blindAlert:
		d.flag("blind", models.FlagWarning, d.blindReason())
	}
}

// cost follows the desired spec to the end of the day.
func (d *decision) cost() {
	e := &d.out
	each := d.svc.CostPerReplicaHour
	if !finite(each) {
		return
	}
	e.CostDeltaHour = float64(e.Desired-e.Current) * each
	b := d.obs.Limits.Budget
	hour := d.hourBudget()
	if b == nil && !(hour > 0) || !finite(hour) {
		return
	}
	c := models.Cost{Hour: cents(float64(e.Desired) * each), Budget: cents(24 * hour)}
	now := d.in.Now.UTC()
	left := 24 - float64(now.Hour()) - float64(now.Minute())/60
	c.DayForecast = cents(float64(e.Desired) * each * left)
	if b != nil && finite(b.SpentDay) && finite(b.Day) {
		c.DayForecast = cents(b.SpentDay + float64(e.Desired)*each*left)
		if b.Day > 0 {
			c.Budget = cents(b.Day)
		}
		if b.Day > 0 && c.DayForecast > b.Day {
			d.flag("day_budget", models.FlagWarning, d.line().s("today will cost ").money(c.DayForecast).s(" at this size, over the budget of ").money(b.Day).text())
		}
	}
	e.Cost = &c
}

// cents rounds an amount, also a very large one.
func cents(v float64) float64 {
	if r := math.Round(v*100) / 100; finite(r) {
		return r
	}
	return math.MaxFloat64
}

// hpaTolerance and hpaTarget are the defaults of the Kubernetes HPA; kpaTarget is
// Knative's.
const (
	hpaTolerance = 0.1
	hpaTarget    = 0.70
	kpaTarget    = 0.70
)

// counterfactual runs the published formulas on the same input: HPA's
// ⌈ready · cpu ÷ target⌉ outside its tolerance, and KPA's ⌈load ÷ (κ · target)⌉ over
// 60 s, or over 6 s when that is twice the ready capacity; and what a schedule would hold
// that knows the weddings of now.
func (d *decision) counterfactual() models.Counterfactual {
	var c models.Counterfactual
	r := d.obs.Replicas
	bounded := func(n int) *int { return ptr(clamp(n, d.svc.MinReplicas, d.svc.MaxReplicas)) }
	if cpu := signalOf(d.obs, models.MetricCPU); cpu != nil && cpu.Avg60 != nil && finite(*cpu.Avg60) && r.Ready > 0 {
		ratio := *cpu.Avg60 / hpaTarget
		n := r.Spec
		if math.Abs(ratio-1) > hpaTolerance {
			n = ceil(float64(r.Ready) * ratio)
		}
		c.HPA = bounded(n)
	}
	kappa := d.kappa * kpaTarget
	if t := signalOf(d.obs, models.MetricThroughput); t != nil && t.Avg60 != nil && finite(*t.Avg60) && kappa > 0 {
		n := ceil(*t.Avg60 / kappa)
		if t.Avg6 != nil && finite(*t.Avg6) && r.Ready > 0 && ceil(*t.Avg6/kappa) >= 2*r.Ready {
			n = max(ceil(*t.Avg6/kappa), r.Spec)
		}
		c.KPA = bounded(n)
	}
	if d.static > 0 {
		c.StaticFloor = bounded(d.static)
	}
	return c
}

func finite(v float64) bool { return v >= 0 && v <= math.MaxFloat64 }

func clamp(n, low, high int) int { return max(low, min(n, high)) }
