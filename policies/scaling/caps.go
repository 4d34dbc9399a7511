package scaling

import (
	"fmt"
	"math"

	"github.com/wedsync/scalability/models"
)

// databaseShare is the part of the database's connections that a change may bring into
// use. It stays below the share at which a change is judged to do harm and is rolled
// back, so that an order is never taken back for what was known before it.
const databaseShare = 0.94

// DatabaseCeiling is how many replicas of a service the database has connections for,
// with the arithmetic:
//
//	⌊(min(max − reserved, 94 % of max) − other) ÷ per replica⌋
//
// Without connections per replica there is no ceiling, and ok is false.
func DatabaseCeiling(db models.DatabaseLimit) (n int, calc string, ok bool) {
	var b [96]byte
	n, l, ok := databaseCeiling(db, line{b[:0]})
	return n, l.text(), ok
}

func databaseCeiling(db models.DatabaseLimit, l line) (int, line, bool) {
	if db.PerReplica <= 0 {
		return 0, l, false
	}
	usable := db.MaxConnections - db.Reserved
	l = l.s("(")
	if share := whole(databaseShare * float64(db.MaxConnections)); share < usable {
		usable = share
		l = l.pct(databaseShare).s(" of ").n(db.MaxConnections)
	} else {
		l = l.n(db.MaxConnections).s(" − ").n(db.Reserved)
	}
	l = l.s(" − ").n(db.OtherUsers).s(") ÷ ").n(db.PerReplica)
	free := max(0, usable-max(0, db.OtherUsers))
	return free / db.PerReplica, l, true
}

// ceiling is one limit on the spec.
type ceiling struct {
	name       string // in the record
	words      string // in a sentence: "limited to 18 by …"
	n          int
	growthOnly bool // keeps what runs already
	calc       string
}

// cap clamps the desired spec to the ceilings, in order, and records each with its
// arithmetic. The database, what is downstream, the quota and the budget limit growth:
// they never remove what runs. A freeze yields to the safety maximum alone, and a pause
// and the kill switch to nothing.
func (d *decision) cap() {
	if d.in.Paused || d.in.KillSwitch {
		if most := d.svc.AbsoluteMaxReplicas; d.cur() > most {
			who := "a paused autoscaler"
			if d.in.KillSwitch {
				who = "the kill switch"
			}
			d.note("absolute_max", d.line().n(d.cur()).s(" is over the safety maximum of ").n(most).s(": ").s(who).s(" leaves it so").text())
		}
		return
	}
	d.limit(ceiling{name: "absolute_max", words: "the safety maximum of the catalogue", n: d.svc.AbsoluteMaxReplicas})
	if d.frozen() == nil && d.obs.Mode != models.ModeFreeze {
		d.hardCaps()
		d.softCaps()
	}
	if d.out.Desired < d.raw.n && d.lastBound() != "" {
		d.deficit()
	}
	if h := d.obs.Limits.SchedulableHeadroom; h != nil && d.out.Desired-d.cur() > max(0, *h) {
		d.flag("pending_capacity", models.FlagNotice, d.line().n(d.out.Desired-d.cur()).s(" more are ordered and there is room for ").n(max(0, *h)).s(": the rest waits for nodes").text())
	}
}

// hardCaps are what cannot be passed without harm.
func (d *decision) hardCaps() {
	if db := d.obs.Limits.Database; db != nil {
		if n, calc, ok := databaseCeiling(*db, d.line()); ok {
			d.limit(ceiling{name: "database_connections", words: "the database's connections", n: n, growthOnly: true, calc: calc.text()})
		}
	}
	for i := range d.obs.Limits.Downstream {
		l := &d.obs.Limits.Downstream[i]
		calls := l.Calls
		if !(calls > 0) {
			calls = 1
		}
		if !finite(l.RPS) || !finite(calls) || !d.measurable() {
			continue
		}
		calc := d.line().num(l.RPS).s(" requests/s ÷ ").num(calls).s(" each ÷ ").num(d.kappa).s(" per replica").text()
		d.limit(ceiling{name: "downstream:" + l.Name, words: "what " + l.Name + " can take", n: whole(l.RPS/(calls*d.kappa) + epsilon), growthOnly: true, calc: calc})
	}
	if q := d.obs.Limits.Quota; q != nil {
		d.limit(ceiling{name: "quota", words: "the provider's quota", n: max(0, *q), growthOnly: true})
	}
}

// softCaps are what people have set.
func (d *decision) softCaps() {
	d.limit(ceiling{name: "max", words: "the maximum of the catalogue", n: d.svc.MaxReplicas})
	for i := range d.obs.Reservations {
		r := &d.obs.Reservations[i]
		if r.Kind == models.ReservationCap && r.ActiveAt(d.in.Now) {
			words := d.line().s(r.Holder).s(", who allows at most ").n(r.Replicas).s(" (").phrase(r.Reason).s(")").text()
			d.limit(ceiling{name: "reservation:" + r.ID, words: words, n: max(r.Replicas, d.svc.MinReplicas)})
		}
	}
	d.budget()
}

// budget limits growth to what an hour may cost, but never below what measured demand
// and floors need now. On a wedding day and in an emergency it only says so.
func (d *decision) budget() {
	hour, cost := d.hourBudget(), d.svc.CostPerReplicaHour
	if !(hour > 0) || !finite(hour) || !(cost > 0) || !finite(cost) {
		return
	}
	allowed := whole(hour/cost + epsilon)
	if d.weddingDay() || d.emergency() {
		if d.out.Desired > allowed {
			d.flag("budget_exceeded", models.FlagWarning, d.line().n(d.out.Desired).s(" replicas cost ").money(float64(d.out.Desired)*cost).s(" an hour, over the budget of ").money(hour).s(": an administrator has to know").text())
		}
		return
	}
	calc := d.line().money(hour).s(" an hour ÷ ").money(cost).s(" per replica").text()
	n := max(allowed, d.demand, d.floor, d.svc.MinReplicas)
	if n > allowed {
		calc += ", but no less than is needed now"
	}
	d.limit(ceiling{name: "budget", words: "the budget", n: n, growthOnly: true, calc: calc})
}

func (d *decision) hourBudget() float64 {
	l := &d.obs.Limits
	if l.Budget != nil && l.Budget.Hour > 0 {
		return l.Budget.Hour
	}
	if l.HourBudget != nil {
		return *l.HourBudget
	}
	return 0
}

// limit applies one ceiling.
func (d *decision) limit(c ceiling) {
	effective := c.n
	if c.growthOnly {
		effective = max(c.n, d.cur())
	}
	bound := d.out.Desired > effective
	if c.calc == "" {
		c.calc = c.words
	}
	d.out.Caps = append(d.out.Caps, models.Cap{Cap: c.name, Limit: c.n, Bound: bound, Calc: c.calc})
	if !bound {
		return
	}
	d.out.Desired = effective
	l := d.line().s("limited to ").n(effective).s(" by ").s(c.words)
	if c.calc != c.words {
		l = l.s(", ").s(c.calc)
	}
	d.out.BindingReason = l.text()
	if effective < d.cur() {
		d.out.Class = models.ClassCap
	}
}

// deficit says what is missing of the need and what a person can do. Capacity above the
// need that a ceiling takes away is none.
func (d *decision) deficit() {
	short, name := d.raw.n-d.out.Desired, d.lastBound()
	x := &models.Deficit{Replicas: short, Cap: name, Remedies: remedies(name)}
	if d.measurable() {
		x.RPS = math.Round(float64(short) * d.kappa * d.u)
	}
	if finite(d.start95) {
		x.ETASeconds = d.start95
	}
	d.out.Deficit = x
	level := models.FlagWarning
	if d.weddingDay() || d.emergency() || d.panicked {
		level = models.FlagPage
	}
	l := d.line().n(short).s(" replicas are")
	if short == 1 {
		l = d.line().s("1 replica is")
	}
	d.flag("capacity_deficit", level, l.s(" missing for ").whole(x.RPS).s(" requests/s").text())
}

// lastBound is the tightest ceiling: each that binds is lower than the one before.
func (d *decision) lastBound() string {
	name := ""
	for _, c := range d.out.Caps {
		if c.Bound {
			name = c.Cap
		}
	}
	return name
}

func remedies(name string) []string {
	switch {
	case name == "database_connections":
		return []string{"put a connection pooler in front of the database", "lower the connections per replica", "raise the database's connection limit"}
	case name == "quota":
		return []string{"ask the provider for a higher quota", "use another zone or instance type"}
	case name == "absolute_max" || name == "max":
		return []string{"raise the maximum in the catalogue", "shed background load", "show a queue page"}
	case name == "budget":
		return []string{"raise the budget", "shed background load"}
	case len(name) > len(downstreamPrefix) && name[:len(downstreamPrefix)] == downstreamPrefix:
		return []string{fmt.Sprintf("scale %s first", name[len(downstreamPrefix):]), "cache its answers", "show a queue page"}
	default:
		return []string{"end or raise the reservation that caps the service"}
	}
}

const downstreamPrefix = "downstream:"
