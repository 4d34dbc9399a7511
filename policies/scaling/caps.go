package scaling

import (
	"fmt"
	"math"

	"github.com/wedsync/scalability/models"
)

// cap clamps the desired spec to the ceilings, in order, and records each with its
// arithmetic. The database and the quota limit growth: they never remove what runs.
func (d *decision) cap() {
	if d.mode() == "freeze" || d.in.Paused {
		return
	}
	want := d.out.Desired
	d.limit("absolute_max", d.svc.AbsoluteMaxReplicas, false, "safety maximum of the catalogue")
	if db := d.obs.Limits.Database; db != nil && db.PerReplica > 0 {
		free := db.MaxConnections - db.Reserved - db.OtherUsers
		calc := fmt.Sprintf("(%d − %d − %d) ÷ %d", db.MaxConnections, db.Reserved, db.OtherUsers, db.PerReplica)
		d.limit("database_connections", max(0, free/db.PerReplica), true, calc)
	}
	if q := d.obs.Limits.Quota; q != nil {
		d.limit("quota", *q, true, "replicas the provider allows")
	}
	d.limit("max", d.svc.MaxReplicas, false, "maximum of the catalogue")
	for _, r := range d.obs.Reservations {
		if r.Kind == models.ReservationCap && r.ActiveAt(d.in.Now) {
			d.limit("reservation:"+r.ID, max(r.Replicas, d.svc.MinReplicas), false, fmt.Sprintf("%s allows at most %d (%s)", r.Holder, r.Replicas, r.Reason))
		}
	}
	if d.out.Desired < want {
		d.deficit(want)
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

// deficit says what is missing and what a person can do.
func (d *decision) deficit(want int) {
	short := want - d.out.Desired
	d.out.Deficit = &models.Deficit{
		Replicas: short,
		RPS:      math.Round(float64(short) * d.svc.CapacityRPS * d.policy.TargetUtilisation),
		Cap:      d.lastBound(),
		Remedies: remedies(d.lastBound()),
	}
}

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
