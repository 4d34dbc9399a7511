package scaling

import (
	"math"
	"time"

	"github.com/wedsync/scalability/models"
)

const (
	censoredUtilisation = 0.95 // above it the true demand cannot be seen
	censoredGrowth      = 1.5
	queueDrainSeconds   = 60.0
	memoryTarget        = 0.80 // of the memory of a replica
	memoryGrowth        = 1.5  // at most this much of what load asks for: memory that leaks has no end
	latencyGrowth       = 1.25
	latencySlow         = 3    // of the last five windows of ten seconds over the objective
	replacedShare       = 0.25 // of the need: more failed starts than this are no bad luck
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
		d.panicUntil(seen)
	}
	d.panicked = d.next.PanicUntil != nil && now.Before(*d.next.PanicUntil)
	if !d.panicked {
		d.next.PanicUntil, d.next.PanicMax, d.next.PanicRPS = nil, 0, 0
	}
}

func (d *decision) panicUntil(seen time.Time) {
	until := seen.Add(time.Duration(d.policy.PanicSeconds) * time.Second)
	if d.next.PanicUntil == nil || until.After(*d.next.PanicUntil) {
		d.next.PanicUntil = &until
	}
	d.panicked = d.panicked || d.in.Now.Before(until)
}

// Surge says whether load has outrun the replicas that are ready, with the reason:
//
//	load > PanicUtilisation · ready · κ        or
//	⌈load ÷ (κ · u)⌉ ≥ 2 · ready
//
// load is the mean of the last seconds.
func Surge(load float64, ready int, kappa float64, p models.ScalingPolicy) bool {
	room := kappa * p.TargetUtilisation
	if !(room > 0) || !(load > 0) || !(p.PanicUtilisation > 0) {
		return false
	}
	return load > p.PanicUtilisation*float64(ready)*kappa || ceil(load/room) >= 2*max(ready, 1)
}

// watch enters panic where this evaluation itself sees a surge, or a fifth of the
// replicas lost within ten seconds, whether or not the probe told.
func (d *decision) watch() {
	r := d.obs.Replicas
	if d.surges() {
		d.panicUntil(d.in.Now)
	}
	before := d.in.State.Seen
	if before == nil || r.Spec < before.Spec || d.in.Now.Sub(before.At) > lostWithin {
		return
	}
	if before.Ready > 0 && float64(r.Ready) <= lostReady*float64(before.Ready) {
		d.panicUntil(d.in.Now)
	}
}

// surges says whether the newest seconds outrun the replicas that are ready, by more than
// chance or with the whole minute.
func (d *decision) surges() bool {
	t, ready := &d.quality.throughput, d.obs.Replicas.Ready
	if !t.usable() || t.Avg6 == nil || ready == 0 || !Surge(*t.Avg6, ready, d.kappa, *d.policy) {
		return false
	}
	return d.beyondChance(t.Avg6, 6) || t.Avg60 != nil && Surge(*t.Avg60, ready, d.kappa, *d.policy)
}

const (
	lostWithin = 10 * time.Second
	lostReady  = 0.8
)

// measurable says whether demand can be turned into replicas at all.
func (d *decision) measurable() bool {
	return d.u > 0 && finite(d.u) && d.kappa > 0 && finite(d.kappa)
}

// demandCandidates turns measured demand into replicas:
//
//	throughput   ⌈load ÷ (κ · u)⌉, load = avg60, or the newest seconds when they are higher in panic
//	utilisation  ⌈ready · cpu ÷ u⌉, at least half as much again when cpu is saturated
//	queue        ⌈(queue ÷ 60 s + load) ÷ κ⌉
//	memory       ⌈ready · memory ÷ 80 %⌉, only where that is more than is ready
//	latency      a quarter more than is ready, where the cpu is busy as well
func (d *decision) demandCandidates() {
	if !d.measurable() {
		d.unused(models.Candidate{By: "throughput", Why: "the catalogue has no capacity per replica"})
		return
	}
	load, loadKnown := d.load()
	if loadKnown {
		d.rate = ceil(load / (d.kappa * d.u))
		why := d.line().num(load).s(" requests/s need ").n(d.rate).s(" at ").pct(d.u).s(" of ").num(d.kappa).s(" per replica").text()
		d.demandCandidate(models.Candidate{By: "throughput", Value: &load, Target: ptr(d.kappa * d.u), Quality: d.quality.ofThroughput(), N: d.rate, Why: why})
	} else {
		d.unused(models.Candidate{By: "throughput", Why: "missing"})
	}
	d.utilisationCandidate(loadKnown)
	if waiting, ok := d.quality.queue.newest(); ok && loadKnown && waiting > 0 {
		n := ceil((waiting/queueDrainSeconds + load) / d.kappa)
		why := d.line().num(waiting).s(" waiting requests, to be served within ").whole(queueDrainSeconds).s(" s").text()
		d.demandCandidate(models.Candidate{By: "queue", Value: &waiting, Quality: d.quality.queue.quality, N: n, Why: why})
	}
	d.latencyCandidate()
	d.memoryCandidate()
	d.replacementCandidate()
	d.measured = d.demand
	d.panicCandidate(load)
}

// panicCandidate keeps the largest need of a spike until it is over.
func (d *decision) panicCandidate(load float64) {
	if !d.panicked {
		return
	}
	d.next.PanicMax, d.next.PanicRPS = max(d.next.PanicMax, d.demand), math.Max(d.next.PanicRPS, load)
	if d.next.PanicMax <= d.demand {
		return
	}
	why := d.line().n(d.next.PanicMax).s(" were needed at its height of ").num(d.next.PanicRPS).s(" requests/s").text()
	d.demandCandidate(models.Candidate{By: "panic", Value: ptr(d.next.PanicRPS), N: d.next.PanicMax, Why: why})
}

// load is the demand in requests per second; in panic the newest seconds and what the
// probe saw count when they are higher, by more than chance.
func (d *decision) load() (float64, bool) {
	t := &d.quality.throughput
	load, known := 0.0, false
	if t.usable() {
		raise(&load, &known, t.Avg60)
		if d.panicked && d.beyondChance(t.Avg2, 2) {
			raise(&load, &known, t.Avg2)
		}
		if d.panicked && d.beyondChance(t.Avg6, 6) {
			raise(&load, &known, t.Avg6)
		}
		if !known {
			raise(&load, &known, t.Avg300)
		}
	}
	if s := d.in.Spike; s != nil && d.panicked && finite(s.RPS) && d.beyondChance(&s.RPS, 2) {
		raise(&load, &known, &s.RPS)
	}
	return load, known
}

func raise(load *float64, known *bool, v *float64) {
	if v != nil && *v >= *load {
		*load, *known = *v, true
	}
}

// chance is how many standard deviations a count may be off by itself: some seconds of a
// few requests each are often half as many again as the minute's mean.
const chance = 3.0

// beyondChance says whether a mean over some seconds shows that load has risen over the
// minute's mean λ: by more than 3 √(λ ÷ seconds), as independent requests are counted.
func (d *decision) beyondChance(v *float64, seconds float64) bool {
	mean := d.quality.throughput.Avg60
	if v == nil || mean == nil || !d.quality.throughput.usable() {
		return v != nil
	}
	return *v > *mean+chance*math.Sqrt(*mean/seconds)
}

// utilisationCandidate counts the replicas that did the work: others that have become
// ready within the last seconds, or are on their way, have not. A saturated cpu hides how
// much more is wanted. Then half as many again as worked are asked for, not half as many
// as are ordered: while those start, each evaluation would ask for half as many again.
func (d *decision) utilisationCandidate(loadKnown bool) {
	c := d.quality.cpu
	switch {
	case !c.usable() || c.Avg60 == nil:
		d.unused(models.Candidate{By: "utilisation", Quality: c.quality, Why: "missing"})
		return
	case d.worked == 0:
		d.unused(models.Candidate{By: "utilisation", Quality: c.quality, Why: "no replica is ready"})
		return
	}
	cpu := d.utilisation(*c.Avg60, c.Avg6)
	cand := models.Candidate{By: "utilisation", Value: &cpu, Target: ptr(d.u), Quality: c.quality, N: ceil(float64(d.worked) * math.Min(cpu, 1) / d.u)}
	if cpu < censoredUtilisation {
		cand.Why = d.line().pct(cpu).s(" of ").n(d.worked).s(" ready replicas in use").text()
		d.demandCandidate(cand)
		return
	}
	cand.Why = d.line().pct(cpu).s(" of ").n(d.worked).s(" ready replicas in use: saturated, the true demand is hidden").text()
	if !loadKnown {
		cand.N = max(cand.N, ceil(float64(d.worked)*censoredGrowth))
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

// latencyCandidate looks at response times over the objective. They are no measure of
// need: with a busy cpu a quarter more is tried; with a calm one something behind the
// service is slow, and more replicas would only press harder on it.
func (d *decision) latencyCandidate() {
	l := d.quality.latency
	slo := d.svc.SLOResponseTimeMS
	if !l.usable() || !(slo > 0) || !slow(l, slo) {
		return
	}
	p95, _ := l.newest()
	busy, known := d.quality.cpu.newest()
	ready := d.obs.Replicas.Ready
	switch {
	case !known || ready == 0:
		return
	case busy >= d.u:
		why := d.line().s("answers take ").num(p95).s(" ms, over ").num(slo).s(" ms, with ").pct(busy).s(" of the cpu in use: a quarter more").text()
		d.demandCandidate(models.Candidate{By: "latency", Value: &p95, Target: &slo, Quality: l.quality, N: ceil(float64(ready) * latencyGrowth), Why: why})
	default:
		why := d.line().s("answers take ").num(p95).s(" ms, over ").num(slo).s(" ms, with only ").pct(busy).s(" of the cpu in use: something behind the service is slow, and more replicas would press harder on it").text()
		d.unused(models.Candidate{By: "latency", Value: &p95, Target: &slo, Quality: l.quality, Why: why})
		d.flag("downstream_bottleneck", models.FlagWarning, why)
	}
}

// slow says whether three of the last five windows of ten seconds were over the
// objective; where they are not known, whether minute and newest seconds are.
func slow(l judged, slo float64) bool {
	if len(l.Recent) == 0 {
		newest, ok := l.newest()
		return ok && newest > slo && (l.Avg60 == nil || *l.Avg60 > slo)
	}
	over := 0
	for _, v := range l.Recent[max(0, len(l.Recent)-5):] {
		if v > slo {
			over++
		}
	}
	return over >= latencySlow
}

// memoryCandidate raises only. Memory does not fall as surely as load spreads, so it may
// ask for no more than half as much again as load does.
func (d *decision) memoryCandidate() {
	m, ready := d.quality.memory, d.obs.Replicas.Ready
	if !m.usable() || m.Avg60 == nil || ready == 0 {
		return
	}
	n := d.memoryNeed()
	if n <= ready {
		return
	}
	c := models.Candidate{By: "memory", Value: m.Avg60, Target: ptr(memoryTarget), Quality: m.quality, N: n}
	c.Why = d.line().pct(*m.Avg60).s(" of the memory of ").n(ready).s(" replicas in use").text()
	if most := ceil(float64(d.demand) * memoryGrowth); d.known && n > most {
		c.N = most
		c.Why += "; no more than half as much again as load asks for"
	}
	d.demandCandidate(c)
}

// memoryNeed is how many replicas hold what is in memory now.
func (d *decision) memoryNeed() int {
	m := d.quality.memory
	if !m.usable() || m.Avg60 == nil {
		return 0
	}
	return ceil(float64(d.obs.Replicas.Ready) * math.Min(*m.Avg60, 1) / memoryTarget)
}

// replacementCandidate orders for replicas that are neither ready nor on their way, up to
// a quarter of the need: where more fail to start, the next ones would as well.
func (d *decision) replacementCandidate() {
	failed := d.crashing
	if failed == 0 || d.in.InFlight || !d.known {
		return
	}
	n := d.demand + min(failed, ceil(float64(d.demand)*replacedShare))
	why := d.line().n(d.demand).s(" are needed, and ").n(failed).s(" of ").n(d.cur()).s(" do not start").text()
	d.demandCandidate(models.Candidate{By: "replacement", N: n, Why: why})
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

// NeedNow is how many replicas measured demand and active floors ask for at this
// moment: a rollback never goes below it. The newest seconds count, without shaping.
// Where something could not be read, a floor perhaps, what serves is needed.
func NeedNow(obs models.Observation) int {
	low := max(obs.Service.MinReplicas, 1)
	if obs.Replicas == nil {
		return low
	}
	in := Inputs{Now: obs.At, InFlight: true}
	d := &decision{in: &in, obs: &obs, svc: &obs.Service, policy: &obs.Service.Policy, panicked: true}
	d.countReplicas()
	d.calibrate()
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
