package simulate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Run plays a scenario under a policy. The phase of the policy's clock against the load
// comes from the seed.
func Run(s Scenario, a Autoscaler) Result {
	s = s.withDefaults()
	if b, ok := a.(beginner); ok {
		b.begin(s)
	}
	r := &run{
		s: &s, a: a, plant: newPlant(&s), metrics: newMetrics(s.History, len(s.Load)),
		rng: rand.New(rand.NewPCG(s.Seed, 0x0de12)), //nolint:gosec // a model needs a repeatable draw, not a secret one
	}
	byStart := func(a, b Window) int { return a.Start.Compare(b.Start) }
	r.view = View{Service: s.Service, DatabaseConnections: s.DatabaseConnections, Calendar: slices.SortedStableFunc(slices.Values(s.Faults.Calendar.Apply(s.Calendar, s.Start)), byStart), Metrics: r.metrics, Starts: &r.plant.starts}
	r.score = newScore(&s, a)
	r.play()
	return r.score.result(r.plant)
}

type run struct {
	s       *Scenario
	a       Autoscaler
	plant   *plant
	metrics *Metrics
	score   *score
	rng     *rand.Rand
	view    View
}

func (r *run) play() {
	interval := max(1, int(math.Round(r.a.Interval().Seconds())))
	phase := int(scramble(r.s.Seed) % uint64(interval)) //nolint:gosec // below an int
	for t, wanted := range r.s.Load {
		if t == 0 || (t+phase)%interval == 0 {
			r.tick(t)
		}
		load, errors := r.s.Faults.reach(r.s.Load, t)
		f := r.plant.step(load, errors)
		r.metrics.record(r.plant.sample(f), !r.lost(t))
		r.score.observe(t, wanted, r.plant)
	}
}

// tick asks the policy and orders what it says.
func (r *run) tick(t int) {
	p := r.plant
	v := &r.view
	v.Second, v.Spec, v.Ready, v.Pending, v.Crashing = t, p.spec, p.ready, p.pending(), p.crashing
	v.Now = r.s.Start.Add(time.Duration(t) * time.Second)
	n := max(0, min(r.a.Desired(*v), max(r.s.Service.AbsoluteMaxReplicas, r.s.Service.MaxReplicas)))
	r.score.out.Evaluations++
	if n == p.spec {
		return
	}
	if refused := r.s.Faults.OrderErrors; refused > 0 && r.rng.Float64() < refused {
		return
	}
	r.score.ordered(t, p.spec, n)
	p.order(n)
}

// lost says whether the sample of a second is lost. It depends on the seed and the
// second alone, so that all policies lose the same ones.
func (r *run) lost(t int) bool {
	for _, l := range r.s.Faults.MetricLoss {
		if t >= l.From && t < l.Until && float64(scramble(r.s.Seed^uint64(t)*0x9e3779b97f4a7c15)>>11)/(1<<53) < l.Share { //nolint:gosec // not negative
			return true
		}
	}
	return false
}

// reach is the load that arrives at the service in a second, and the share of it that
// fails for the outage's reason.
func (f Faults) reach(load []float64, t int) (arriving, errors float64) {
	arriving = load[t]
	for _, o := range f.Outages {
		switch {
		case t >= o.From && t < o.Until:
			arriving *= 1 - o.Share
			errors = math.Max(errors, o.ErrorShare)
		case t >= o.Until && t < o.Until+o.ReturnSeconds:
			arriving *= o.ReturnFactor
		}
	}
	return arriving, errors
}

// sample is what monitoring sees of a second.
func (p *plant) sample(f *flow) (v [signals]float64) {
	v[Throughput], v[QueueDepth] = f.arrived, p.waiting
	if p.ready > 0 {
		v[CPU] = math.Min(1, f.served/(float64(p.ready)*p.s.Service.CapacityRPS))
	}
	if done := f.served + f.failed; done > 0 {
		v[ErrorRate] = f.failed / done
	}
	return v
}

// scramble spreads a number over 64 bits (splitmix64).
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// static never changes: provisioning for the peak.
type static struct{ n int }

// NewStatic keeps n replicas.
func NewStatic(n int) Autoscaler { return static{n} }

func (s static) Name() string            { return fmt.Sprintf("static %d", s.n) }
func (s static) Interval() time.Duration { return time.Hour }
func (s static) Desired(View) int        { return s.n }
