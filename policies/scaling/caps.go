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
	if db.PerReplica <= 0 {
		return 0, "", false
	}
	usable, name := db.MaxConnections-db.Reserved, fmt.Sprintf("%d − %d", db.MaxConnections, db.Reserved)
	if share := whole(databaseShare * float64(db.MaxConnections)); share < usable {
		usable, name = share, fmt.Sprintf("%.0f %% of %d", databaseShare*100, db.MaxConnections)
	}
	free := max(0, usable-max(0, db.OtherUsers))
	return free / db.PerReplica, fmt.Sprintf("(%s − %d) ÷ %d", name, db.OtherUsers, db.PerReplica), true
}

// cap clamps the desired spec to the ceilings, in order, and records each with its
// arithmetic. The database and the quota limit growth: they never remove what runs. A
// freeze yields to the safety maximum alone, and a pause to nothing.
func (d *decision) cap() {
	if d.in.Paused {
		if most := d.svc.AbsoluteMaxReplicas; d.cur() > most {
			d.note("absolute_max", fmt.Sprintf("%d is over the safety maximum of %d: a paused autoscaler leaves it so", d.cur(), most))
		}
		return
	}
	d.limit("absolute_max", d.svc.AbsoluteMaxReplicas, false, "safety maximum of the catalogue")
	if d.frozen() == nil {
		d.softer()
	}
	if d.out.Desired < d.raw.n && d.lastBound() != "" {
		d.deficit()
	}
}

// softer applies the ceilings behind the safety maximum.
func (d *decision) softer() {
	if db := d.obs.Limits.Database; db != nil {
		if n, calc, ok := DatabaseCeiling(*db); ok {
			d.limit("database_connections", n, true, calc)
		}
	}
	if q := d.obs.Limits.Quota; q != nil {
		d.limit("quota", max(0, *q), true, "replicas the provider allows")
	}
	d.limit("max", d.svc.MaxReplicas, false, "maximum of the catalogue")
	for _, r := range d.obs.Reservations {
		if r.Kind == models.ReservationCap && r.ActiveAt(d.in.Now) {
			d.limit("reservation:"+r.ID, max(r.Replicas, d.svc.MinReplicas), false, fmt.Sprintf("%s allows at most %d (%s)", r.Holder, r.Replicas, phrase(r.Reason)))
		}
	}
}

// limit applies one ceiling; growthOnly keeps what runs already.
func (d *decision) limit(name string, ceiling int, growthOnly bool, calc string) {
	effective := ceiling
	if growthOnly {
		effective = max(ceiling, d.cur())
	}
	bound := d.out.Desired > effective
	d.out.Caps = append(d.out.Caps, models.Cap{Cap: name, Limit: ceiling, Bound: bound, Calc: calc})
	if !bound {
		return
	}
	d.out.Desired = effective
	d.out.BindingReason = fmt.Sprintf("limited to %d by %s: %s", effective, name, calc)
	if effective < d.cur() {
		d.out.Class = models.ClassCap
	}
}

// deficit says what is missing of the need and what a person can do. Capacity above the
// need that a ceiling takes away is none.
func (d *decision) deficit() {
	short := d.raw.n - d.out.Desired
	d.out.Deficit = &models.Deficit{Replicas: short, Cap: d.lastBound(), Remedies: remedies(d.lastBound())}
	if d.measurable() {
		d.out.Deficit.RPS = math.Round(float64(short) * d.svc.CapacityRPS * d.policy.TargetUtilisation)
	}
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
	switch name {
	case "database_connections":
		return []string{"put a connection pooler in front of the database", "lower the connections per replica", "raise the database's connection limit"}
	case "quota":
		return []string{"ask the provider for a higher quota", "use another zone or instance type"}
	case "absolute_max", "max":
		return []string{"raise the maximum in the catalogue", "shed background load"}
	default:
		return []string{"end or raise the reservation that caps the service"}
	}
}
