package scaling

import (
	"math"
	"time"

	"github.com/wedsync/scalability/models"
)

const (
	certificateDoubt = 0.8 // of a capacity that no load test of the last 30 days has shown
	certificateLife  = 30 * 24 * time.Hour

	nodesAhead = 90 * time.Minute // nodes and quota are asked for
	floorAhead = 30 * time.Minute // replicas are ordered, at least
	floorAfter = time.Hour        // they stay after the last guest

	decayAfter = 45 * time.Minute // after the ceremony a floor whose guests stay away …
	decayBelow = 0.5              // of the plan, over 20 min …
	decayStep  = 0.10             // is let down by this share of the plan
	decayEvery = 5 * time.Minute
	decayAhead = time.Hour // unless more is planned within this
	decayLeast = 1.3       // times what is needed stays

	ceremonyShare = 0.25 // of the plan: a ceremony that brings less holds no scale-in back

	calendarOld  = 24 * time.Hour
	calendarWarn = 6 * time.Hour // from Friday to Sunday

	soon = 1 + int(30*time.Minute/planStep) // steps in which no scale-in is to be regretted

	kernelMost = 136 // steps; what is behind them is not planned for
)

// floorCandidates adds the active reservations and the calendar's windows. Floors for the
// guests of different weddings add up, since their guests come at once; all other floors,
// also several for one wedding, are claims on the same capacity, of which the largest
// counts.
func (d *decision) floorCandidates() {
	var weddings [8]claim
	claims := weddings[:0]
	sum := 0
	for i := range d.obs.Reservations {
		r := &d.obs.Reservations[i]
		if r.Kind != models.ReservationFloor || !r.ActiveAt(d.in.Now) {
			continue
		}
		n := min(max(r.Replicas, 0), mostReplicas)
		d.floorCandidate(models.Candidate{By: "reservation:" + r.ID, N: n, Guests: r.Guests, Why: d.floorReason(r)})
		if r.Guests <= 0 {
			continue
		}
		var added int
		claims, added = claimFor(claims, r, n)
		sum += added
	}
	if len(claims) > 1 {
		n := min(sum, mostReplicas)
		why := d.line().s("the reservations for guests of ").n(len(claims)).s(" weddings add up to ").n(n).s(" replicas").text()
		d.floorCandidate(models.Candidate{By: "reservations:guests", N: n, Why: why})
	}
	d.judgeCalendar()
	d.calendarFloor()
}

// claim is the largest floor for one wedding's guests. A reservation without a wedding
// is one of its own.
type claim struct {
	wedding, reservation string
	n                    int
}

// claimFor enters a floor and says by how much the sum over all weddings grows.
func claimFor(claims []claim, r *models.Reservation, n int) ([]claim, int) {
	for i := range claims {
		if c := &claims[i]; r.WeddingID != "" && c.wedding == r.WeddingID {
			added := max(0, n-c.n)
			c.n += added
			return claims, added
		}
	}
	return append(claims, claim{r.WeddingID, r.ID, n}), n
}

func (d *decision) floorCandidate(c models.Candidate) {
	d.floor = max(d.floor, c.N)
	d.candidate(c, models.ClassFloor)
}

func (d *decision) floorReason(r *models.Reservation) string {
	return d.line().s(r.Holder).s(" reserved at least ").n(r.Replicas).s(" until ").at(r.Until).s(" (").phrase(r.Reason).s(")").text()
}

// calendarFloor turns the guests of the windows around now into a floor:
//
//	⌈(base + Σ guests · kernel) ÷ (κ certified · u)⌉, on the critical tier enough for a zone to fail
//
// as the load of now lets expect them.
//
// Guests of weddings that overlap add up before the rounding. A cancelled window counts
// for nothing.
func (d *decision) calendarFloor() {
	c := d.obs.Calendar
	if c == nil || len(c.Windows) == 0 {
		d.next.Decay = nil
		d.remember(0)
		return
	}
	k, ok := courseOf(c.Kernel)
	ok = ok && d.measurable() && d.certified > 0 && finite(c.BaseRPS)
	var p planned
	d.plan(&p, &k, ok)
	d.ceremony = p.ceremony
	if !ok {
		d.remember(0)
		d.unused(models.Candidate{By: "calendar", Guests: p.guests, Why: "guests cannot be turned into replicas: the load of a guest or the capacity of a replica is not known"})
		return
	}
	if w := p.coming; w != nil {
		d.flag("prewarm_nodes", models.FlagNotice, d.line().n(w.Guests).s(" guests come at ").at(w.Start).s(": nodes and quota are wanted now").text())
	}
	room := d.certified * d.u
	if p.windows == 0 {
		d.next.Decay = nil
		d.remember(0)
		return
	}
	d.static = ceil((c.BaseRPS + p.static) / room)
	d.compare(&p.now, c.BaseRPS)
	plan := c.BaseRPS + p.most(p.steps, 1)
	whole := d.withZone(ceil(plan / room))
	expected := ceil(plan / (d.kappa * d.u))
	if w := p.ceremony; w != nil && float64(w.Guests)*k.peak < ceremonyShare*plan {
		d.ceremony = nil // one of many: the floor of all holds what is needed
	}
	d.remember(expected)
	share := d.decay(&p, expected)
	n := d.withZone(ceil((c.BaseRPS + p.likely(p.steps, share)) / room))
	if share < 1 {
		n = min(whole, max(n, ceil(float64(d.measured)*decayLeast)))
	}
	d.floorSoon = max(n, d.withZone(ceil((c.BaseRPS+p.likely(soon, share))/room)))
	by := "calendar"
	if p.windows == 1 {
		by = "window:" + p.largest.ID
	}
	d.floorCandidate(models.Candidate{By: by, N: n, Guests: p.guests, Why: d.windowReason(&p, n, whole)})
	d.riseCandidate(&p, c.BaseRPS)
}

func (d *decision) windowReason(p *planned, n, whole int) string {
	l := d.line().n(p.guests).s(" guests of ")
	if p.windows == 1 {
		l = l.s("a wedding at ").at(p.largest.Start)
	} else {
		l = l.n(p.windows).s(" weddings, the largest at ").at(p.largest.Start).s(",")
	}
	l = l.s(" need at least ").n(n)
	switch {
	case n < whole:
		l = l.s(" (").n(whole).s(" were planned, but fewer have come)")
	case n > whole:
		l = l.s(" (").n(whole).s(" were planned, but more have come)")
	}
	return l.text()
}

// judgeCalendar says when the copy of the calendar that counts is old.
func (d *decision) judgeCalendar() {
	c := d.obs.Calendar
	if c == nil || c.ReadAt.IsZero() {
		return
	}
	age := d.in.Now.Sub(c.ReadAt)
	soon := age > calendarWarn && (somewhere(d.in.Now, time.Friday) || somewhere(d.in.Now, time.Saturday) || somewhere(d.in.Now, time.Sunday))
	if d.calendarOld = age > calendarOld; d.calendarOld || soon {
		d.flag("calendar_old", models.FlagWarning, d.line().s("the calendar was last read ").whole(age.Hours()).s(" h ago: its last copy counts").text())
	}
}

// somewhere says whether it is a day of the week in any inhabited time zone.
func somewhere(now time.Time, day time.Weekday) bool {
	now = now.UTC()
	return now.Add(-12*time.Hour).Weekday() == day || now.Weekday() == day || now.Add(14*time.Hour).Weekday() == day
}

// calendarBlocks says why the calendar forbids a scale-in, "" when it does not.
func (d *decision) calendarBlocks() string {
	if d.calendarOld && somewhere(d.in.Now, time.Saturday) {
		return "the calendar is over a day old and it is Saturday: nobody knows who is coming"
	}
	if w := d.ceremony; w != nil {
		return d.line().s("the ceremony of ").n(w.Guests).s(" guests is at ").at(w.Start).text()
	}
	return ""
}

// withZone adds what has to stand when one zone of a critical service fails.
func (d *decision) withZone(n int) int {
	z := d.svc.Zones
	if z < 2 || d.svc.Tier != models.TierCritical {
		return n
	}
	return ceil(float64(n) * float64(z) / float64(z-1))
}

// remember keeps what was measured, to see whether the guests have come. A first look
// takes the plan for measured.
func (d *decision) remember(plan int) {
	n := d.measured
	if d.quality.blind {
		n = max(n, plan)
	}
	d.next.Demand = remember(d.in.State.Demand, Recommendation{d.in.Now, n}, demandSpan, max(plan, d.cur()))
}

// decay says which share of the plan for guests of before is still held. It falls while
// less than half of the plan was needed for 20 min, no more is planned within an hour and
// the signals can be trusted; guests who come late after all restore it.
func (d *decision) decay(p *planned, expected int) float64 {
	now, last := d.in.Now, d.in.State.Decay
	came := float64(largest(d.next.Demand, now.Add(-demandSpan))) >= decayBelow*float64(expected)
	if came || p.most(planSteps, 0) == p.most(planSteps, 1) {
		d.next.Decay = nil
		return 1
	}
	share := 1.0
	if last != nil && last.Share >= 0 && last.Share <= 1 {
		share = last.Share
	}
	rising := p.most(planSteps, 1) > p.most(p.steps, 1)
	if rising || d.quality.blind || d.quality.suspect || last != nil && now.Sub(last.At) < decayEvery {
		return share
	}
	share = math.Max(0, share-decayStep)
	d.next.Decay = &Decay{At: now, Share: share}
	return share
}
