package scaling

import (
	"fmt"
	"math"
	"strings"
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

// updatePanic enters panic on a spike and stays until PanicSeconds after the last one
// was seen. A spike that was told late counts from when it was seen; a clock that is
// ahead does not prolong it.
func (d *decision) updatePanic() {
	now := d.in.Now
	if s := d.in.Spike; s != nil {
		seen := s.SeenAt
		if seen.IsZero() || seen.After(now) {
			seen = now
		}
		until := seen.Add(time.Duration(d.policy.PanicSeconds) * time.Second)
		if d.next.PanicUntil == nil || until.After(*d.next.PanicUntil) {
			d.next.PanicUntil = &until
		}
	}
	d.panicked = d.next.PanicUntil != nil && now.Before(*d.next.PanicUntil)
	if !d.panicked {
		d.next.PanicUntil, d.next.PanicMax = nil, 0
	}
}

// measurable says whether demand can be turned into replicas at all.
func (d *decision) measurable() bool {
	return d.policy.TargetUtilisation > 0 && finite(d.policy.TargetUtilisation) && d.svc.CapacityRPS > 0 && finite(d.svc.CapacityRPS)
}

// demandCandidates turns measured demand into replicas:
//
//	throughput   ⌈load ÷ (κ · u)⌉, load = avg60, or the newest seconds when they are higher in panic
//	utilisation  ⌈ready · cpu ÷ u⌉, at least half as much again when cpu is saturated
//	queue        ⌈(queue ÷ 60 s + load) ÷ κ⌉
//
// Response time and errors are no measure of need: they are judged after the change.
func (d *decision) demandCandidates() {
	u, kappa := d.policy.TargetUtilisation, d.svc.CapacityRPS
	if !d.measurable() {
		d.unused(models.Candidate{By: "throughput", Why: "the catalogue has no capacity per replica"})
		return
	}
	load, loadKnown := d.load()
	if loadKnown {
		n := ceil(load / (kappa * u))
		why := fmt.Sprintf("%s requests/s at %.0f %% of %s per replica", number(load), u*100, number(kappa))
		d.demandCandidate(models.Candidate{By: "throughput", Value: &load, Target: ptr(kappa * u), Quality: d.quality.ofThroughput(), N: n, Why: why})
	} else {
		d.unused(models.Candidate{By: "throughput", Why: "missing"})
	}
	d.utilisationCandidate(u, load, loadKnown)
	if waiting, ok := d.quality.queue.newest(); ok && loadKnown && waiting > 0 {
		n := ceil((waiting/queueDrainSeconds + load) / kappa)
		d.demandCandidate(models.Candidate{By: "queue", Value: &waiting, Quality: d.quality.queue.quality, N: n, Why: fmt.Sprintf("%s waiting requests, to be served within %.0f s", number(waiting), queueDrainSeconds)})
	}
	if d.panicked {
		d.next.PanicMax = max(d.next.PanicMax, d.demand)
		if d.next.PanicMax > d.demand {
			d.demandCandidate(models.Candidate{By: "panic", N: d.next.PanicMax, Why: "the largest need of this spike"})
		}
	}
}

// load is the demand in requests per second; in panic the newest seconds and what the
// probe saw count when they are higher.
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
	if s := d.in.Spike; s != nil && d.panicked && finite(s.RPS) {
		raise(&s.RPS)
	}
	return load, known
}

// utilisationCandidate counts ready replicas only: the others do no work yet. A
// saturated cpu hides how much more is wanted. Then half as many again as serve now
// are asked for, not half as many as are ordered: while those start, each evaluation
// would ask for half as many again.
func (d *decision) utilisationCandidate(u, load float64, loadKnown bool) {
	c := d.quality.cpu
	ready := d.obs.Replicas.Ready
	switch {
	case !c.usable() || c.Avg60 == nil:
		d.unused(models.Candidate{By: "utilisation", Quality: c.quality, Why: "missing"})
		return
	case ready == 0:
		d.unused(models.Candidate{By: "utilisation", Quality: c.quality, Why: "no replica is ready"})
		return
	}
	cpu := d.utilisation(*c.Avg60, c.Avg6)
	cand := models.Candidate{By: "utilisation", Value: &cpu, Target: &u, Quality: c.quality, N: ceil(float64(ready) * math.Min(cpu, 1) / u)}
	cand.Why = fmt.Sprintf("%.0f %% of %d ready replicas in use", cpu*100, ready)
	if cpu >= censoredUtilisation {
		cand.Why = fmt.Sprintf("%.0f %% in use: saturated, the true demand is hidden", cpu*100)
		covered := loadKnown && ceil(load/(d.svc.CapacityRPS*u)) <= d.cur()
		if !covered {
			cand.N = max(cand.N, ceil(float64(ready)*censoredGrowth))
		}
	}
	d.demandCandidate(cand)
}

// utilisation is the share in use that goes with the replicas that are ready now. A mean
// over a minute in which replicas were added tells of fewer replicas: multiplied by
// today's count it would ask for more with each one that starts. So the newest seconds
// count where they are lower, and in panic where they are higher too.
func (d *decision) utilisation(avg60 float64, avg6 *float64) float64 {
	if avg6 == nil || *avg6 > avg60 && !d.panicked {
		return avg60
	}
	return *avg6
}

// demandCandidate records a used demand candidate.
func (d *decision) demandCandidate(c models.Candidate) {
	d.known = true
	d.demand = max(d.demand, c.N)
	class := models.ClassReactive
	if d.panicked {
		class = models.ClassPanic
	}
	d.candidate(c, class)
}

// unused records a candidate that could not be used, with why.
func (d *decision) unused(c models.Candidate) { d.out.Candidates = append(d.out.Candidates, c) }

// forecastCandidate uses a forecast only when its record has earned trust, and only to
// raise.
func (d *decision) forecastCandidate() {
	f := d.obs.Forecast
	if f == nil {
		return
	}
	c := models.Candidate{By: "forecast", Why: f.Reason}
	if finite(f.P95) {
		c.Value = &f.P95
	}
	u := math.Min(d.policy.TargetUtilisation+forecastHeadroom, maxForecastTarget)
	switch {
	case !f.Trusted:
	case d.in.Now.Sub(f.IssuedAt) > forecastMaxAge:
		c.Why = "the forecast is older than 15 min"
	case !finite(f.P95) || !d.measurable():
		c.Why = "the forecast cannot be turned into replicas"
	default:
		c.N = ceil(f.P95 / (d.svc.CapacityRPS * u))
		c.Why = fmt.Sprintf("%s requests/s expected within the lead time", number(f.P95))
		d.candidate(c, models.ClassForecast)
		return
	}
	d.unused(c)
}

// floorCandidates adds the active reservations. Floors for the guests of different
// weddings add up, since their guests come at once; all other floors, also several for
// one wedding, are claims on the same capacity, of which the largest counts.
func (d *decision) floorCandidates() {
	weddings := map[string]int{}
	sum, holders := 0, 0
	for _, r := range d.obs.Reservations {
		if r.Kind != models.ReservationFloor || !r.ActiveAt(d.in.Now) {
			continue
		}
		n := min(max(r.Replicas, 0), mostReplicas)
		d.floorCandidate(models.Candidate{By: "reservation:" + r.ID, N: n, Why: floorReason(r)})
		if r.Guests <= 0 {
			continue
		}
		wedding := r.WeddingID
		if wedding == "" {
			wedding = "reservation:" + r.ID
		}
		if weddings[wedding] == 0 {
			holders++
		}
		sum += max(0, n-weddings[wedding])
		weddings[wedding] = max(n, weddings[wedding])
	}
	if holders > 1 {
		n := min(sum, mostReplicas)
		d.floorCandidate(models.Candidate{By: "reservations:guests", N: n, Why: fmt.Sprintf("the reservations for guests of %d weddings add up to %d replicas", holders, n)})
	}
}

func (d *decision) floorCandidate(c models.Candidate) {
	d.floor = max(d.floor, c.N)
	d.candidate(c, models.ClassFloor)
}

func floorReason(r models.Reservation) string {
	return fmt.Sprintf("%s reserved at least %d until %s (%s)", r.Holder, r.Replicas, moment(r.Until), phrase(r.Reason))
}

func moment(t time.Time) string { return t.UTC().Format("2 Jan 15:04 MST") }

// phrase puts what a person wrote into a sentence: on one line, without a full stop.
func phrase(s string) string { return strings.TrimRight(strings.Join(strings.Fields(s), " "), ". ") }

// Lead is how long before it is needed capacity has to be ordered.
func Lead(s models.Service) time.Duration {
	return time.Duration((s.StartupP95Seconds + 60) * float64(time.Second))
}

// NeedNow is how many replicas measured demand and active floors ask for at this
// moment: a rollback never goes below it. The newest seconds count, without shaping.
// Where something could not be read, a floor perhaps, what serves is needed.
func NeedNow(obs models.Observation) int {
	low := max(obs.Service.MinReplicas, 1)
	if obs.Replicas == nil {
		return low
	}
	d := &decision{
		in:  Inputs{Now: obs.At, Observation: obs},
		obs: obs, svc: obs.Service, policy: obs.Service.Policy, panicked: true,
	}
	d.judgeSignals()
	d.demandCandidates()
	d.floorCandidates()
	n := max(d.demand, d.floor)
	if !d.known || len(obs.Gaps) > 0 {
		n = max(n, obs.Replicas.Ready)
	}
	if most := obs.Service.AbsoluteMaxReplicas; most > 0 {
		n = min(n, most)
	}
	return max(n, low)
}

func ptr[T any](v T) *T { return &v }
