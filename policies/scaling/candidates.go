package scaling

import (
	"fmt"
	"math"
	"time"

	"github.com/wedsync/scalability/models"
)

const (
	censoredUtilisation = 0.95 // above it the true demand cannot be seen
	censoredGrowth      = 1.5
	queueDrainSeconds   = 60.0
	forecastHeadroom    = 0.10 // a forecast may run capacity this much hotter …
	maxForecastTarget   = 0.90 // … but not hotter than this
	forecastMaxAge      = 15 * time.Minute
)

// updatePanic enters panic on a spike and stays until PanicSeconds after the last one.
func (d *decision) updatePanic() {
	now := d.in.Now
	if d.in.Spike != nil {
		until := now.Add(time.Duration(d.policy.PanicSeconds) * time.Second)
		d.next.PanicUntil = &until
	}
	d.panicked = d.next.PanicUntil != nil && now.Before(*d.next.PanicUntil)
	if !d.panicked {
		d.next.PanicUntil, d.next.PanicMax = nil, 0
	}
}

// demandCandidates turns measured demand into replicas:
//
//	throughput   ⌈load ÷ (κ · u)⌉, load = avg60, or the newest seconds when they are higher in panic
//	utilisation  ⌈ready · cpu ÷ u⌉, or half as much again when cpu is saturated
//	queue        ⌈(queue ÷ 60 s + load) ÷ κ⌉
//
// Response time and errors are no measure of need: they are judged after the change.
func (d *decision) demandCandidates() {
	u, kappa := d.policy.TargetUtilisation, d.svc.CapacityRPS
	if !(u > 0) || !(kappa > 0) {
		d.out.Candidates = append(d.out.Candidates, models.Candidate{By: "throughput", Why: "the catalogue has no capacity per replica"})
		return
	}
	load, loadKnown := d.load()
	if loadKnown {
		n := ceil(load / (kappa * u))
		why := fmt.Sprintf("%s requests/s at %.0f %% of %s per replica", number(load), u*100, number(kappa))
		d.demandCandidate(models.Candidate{By: "throughput", Value: &load, Target: ptr(kappa * u), Quality: d.quality.throughput.quality, N: n, Why: why})
	} else {
		d.out.Candidates = append(d.out.Candidates, models.Candidate{By: "throughput", Why: "missing"})
	}
	d.utilisationCandidate(u, load, loadKnown)
	if q := d.quality.queue; q.usable() && q.Avg6 != nil && loadKnown && *q.Avg6 > 0 {
		n := ceil((*q.Avg6/queueDrainSeconds + load) / kappa)
		d.demandCandidate(models.Candidate{By: "queue", Value: q.Avg6, Quality: q.quality, N: n, Why: fmt.Sprintf("%s waiting requests, to be served within %.0f s", number(*q.Avg6), queueDrainSeconds)})
	}
	if d.panicked {
		d.next.PanicMax = max(d.next.PanicMax, d.demand)
		if d.next.PanicMax > d.demand {
			d.demandCandidate(models.Candidate{By: "panic", N: d.next.PanicMax, Why: "the largest need of this spike"})
		}
	}
}

// load is the demand in requests per second; in panic the newest seconds count when
// they are higher.
func (d *decision) load() (float64, bool) {
	t := d.quality.throughput
	load, known := 0.0, false
	raise := func(v *float64) {
		if v != nil && *v >= load {
			load, known = *v, true
		}
	}
	if t.usable() {
		raise(t.Avg60)
		if d.panicked {
			raise(t.Avg2)
			raise(t.Avg6)
		}
		if !known {
			raise(t.Avg300)
		}
	}
	if s := d.in.Spike; s != nil && s.RPS >= 0 && !math.IsInf(s.RPS, 0) && !math.IsNaN(s.RPS) {
		raise(&s.RPS)
	}
	return load, known
}

// utilisationCandidate counts ready replicas only: the others do no work yet.
func (d *decision) utilisationCandidate(u, load float64, loadKnown bool) {
	c := d.quality.cpu
	ready := d.obs.Replicas.Ready
	if !c.usable() || c.Avg60 == nil || ready == 0 {
		d.out.Candidates = append(d.out.Candidates, models.Candidate{By: "utilisation", Quality: c.quality, Why: "missing"})
		return
	}
	cpu := *c.Avg60
	cand := models.Candidate{By: "utilisation", Value: &cpu, Target: &u, Quality: c.quality, N: ceil(float64(ready) * math.Min(cpu, 1) / u)}
	cand.Why = fmt.Sprintf("%.0f %% of %d ready replicas in use", cpu*100, ready)
	if cpu >= censoredUtilisation {
		cand.Why = fmt.Sprintf("%.0f %% in use: saturated, the true demand is hidden", cpu*100)
		covered := loadKnown && ceil(load/(d.svc.CapacityRPS*u)) <= d.cur()
		if !covered {
			cand.N = ceil(float64(ready+d.obs.Replicas.Pending()) * censoredGrowth)
		}
	}
	d.demandCandidate(cand)
}

// demandCandidate records a used demand candidate.
func (d *decision) demandCandidate(c models.Candidate) {
	c.Used = true
	d.out.Candidates = append(d.out.Candidates, c)
	d.known = true
	d.demand = max(d.demand, c.N)
	class := models.ClassReactive
	if d.panicked {
		class = models.ClassPanic
	}
	d.take(c.N, class, c.Why)
}

// forecastCandidate uses a forecast only when its record has earned trust, and only to
// raise.
func (d *decision) forecastCandidate() {
	f := d.obs.Forecast
	if f == nil {
		return
	}
	c := models.Candidate{By: "forecast", Value: &f.P95, Why: f.Reason}
	u := math.Min(d.policy.TargetUtilisation+forecastHeadroom, maxForecastTarget)
	switch {
	case !f.Trusted:
	case d.in.Now.Sub(f.IssuedAt) > forecastMaxAge:
		c.Why = "the forecast is older than 15 min"
	case math.IsNaN(f.P95) || math.IsInf(f.P95, 0) || f.P95 < 0 || !(d.svc.CapacityRPS > 0):
		c.Why = "the forecast is not a number"
	default:
		c.N, c.Used = ceil(f.P95/(d.svc.CapacityRPS*u)), true
		d.take(c.N, models.ClassForecast, fmt.Sprintf("%s requests/s expected within the lead time", number(f.P95)))
	}
	d.out.Candidates = append(d.out.Candidates, c)
}

// floorCandidates adds the active reservations. Floors for guests of different
// weddings add up, since their guests come at once; all other floors are claims on the
// same capacity, of which the largest counts.
func (d *decision) floorCandidates() {
	sum := 0
	for _, r := range d.obs.Reservations {
		if r.Kind != models.ReservationFloor || !r.ActiveAt(d.in.Now) {
			continue
		}
		d.out.Candidates = append(d.out.Candidates, models.Candidate{By: "reservation:" + r.ID, N: r.Replicas, Used: true, Why: floorReason(r)})
		d.raiseFloor(r.Replicas, floorReason(r))
		if r.Guests > 0 {
			sum += r.Replicas
			d.raiseFloor(sum, fmt.Sprintf("reservations for guests add up to %d replicas", sum))
		}
	}
}

func (d *decision) raiseFloor(n int, why string) {
	d.floor = max(d.floor, n)
	d.take(n, models.ClassFloor, why)
}

func floorReason(r models.Reservation) string {
	return fmt.Sprintf("%s reserved at least %d until %s (%s)", r.Holder, r.Replicas, r.Until.UTC().Format("2 Jan 15:04 MST"), r.Reason)
}

// Lead is how long before it is needed capacity has to be ordered.
func Lead(s models.Service) time.Duration {
	return time.Duration((s.StartupP95Seconds + 60) * float64(time.Second))
}

// NeedNow is how many replicas measured demand and active floors ask for at this
// moment: a rollback never goes below it. The newest seconds count, without shaping.
func NeedNow(obs models.Observation) int {
	need := max(obs.Service.MinReplicas, 1)
	now := obs.At
	if obs.Replicas == nil {
		return need
	}
	d := &decision{
		in:  Inputs{Now: now, Observation: obs},
		obs: obs, svc: obs.Service, policy: obs.Service.Policy, panicked: true,
	}
	d.judgeSignals()
	d.demandCandidates()
	d.floorCandidates()
	if !d.known {
		need = max(need, obs.Replicas.Ready) // blind: what serves is needed
	}
	need = max(need, d.demand, d.floor)
	if abs := obs.Service.AbsoluteMaxReplicas; abs > 0 {
		need = min(need, abs)
	}
	return need
}

func ptr[T any](v T) *T { return &v }
