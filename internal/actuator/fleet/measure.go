package fleet

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
)

// latencyPoints is how many points stand for the response times of one replica in one
// second.
const latencyPoints = 40

// latency gathers response times of replicas as weighted points.
//
// A request's time is the wait in the replica's backlog, the service time (log-normal
// about the base, sigma 0.5) and the wait for a free worker. The last is exponential
// with Sakasegawa's mean for M/M/m: S·ρ^(√(2(m+1))−1) ÷ (m·(1−ρ)), m = κ·S workers, so
// it grows as 1/(1−ρ).
type latency struct {
	set    ServiceSettings
	points []point
	weight float64
}

type point struct{ ms, weight float64 }

func (l *latency) add(r *replica, s second) {
	if n := s.answered(); n > 0 {
		base := l.set.BaseLatencyMS * r.LatencyFactor
		wait := workerWait(base, l.set.CapacityRPS*r.CapacityFactor, s.rho)
		l.spread(n, s.waitMS/n, base, wait)
	}
}

func (l *latency) spread(n, backlogMS, base, wait float64) {
	const sigma = 0.5
	for i := range latencyPoints {
		u := (float64(i) + 0.5) / latencyPoints
		z := math.Sqrt2 * math.Erfinv(2*u-1)
		ms := backlogMS + base*math.Exp(sigma*z-sigma*sigma/2) - wait*math.Log(1-u)
		l.points = append(l.points, point{ms, n / latencyPoints})
	}
	l.weight += n
}

// workerWait is the mean wait in milliseconds for a worker of a replica; past 98 % the
// backlog says the rest.
func workerWait(baseMS, capacity, rho float64) float64 {
	rho = math.Min(math.Max(rho, 0), 0.98)
	workers := math.Max(1, capacity*baseMS/1000)
	return baseMS * math.Pow(rho, math.Sqrt(2*(workers+1))-1) / (workers * (1 - rho))
}

// dropped counts refused requests: their callers waited for the time-out.
func (l *latency) dropped(n float64) {
	if n > 0 {
		l.points = append(l.points, point{l.set.TimeoutSeconds * 1000, n})
		l.weight += n
	}
}

// p95 is nil where no request was seen.
func (l *latency) p95() *float64 {
	if l.weight <= 0 {
		return nil
	}
	slices.SortFunc(l.points, func(a, b point) int { return cmp.Compare(a.ms, b.ms) })
	seen := 0.0
	for _, p := range l.points {
		seen += p.weight
		if seen >= (0.95-1e-9)*l.weight { // the sum of shares may round below
			return &p.ms
		}
	}
	return &l.points[len(l.points)-1].ms
}

// Measure compares the replicas of the baseline with all others over the last seconds.
func (p *Plant) Measure(req models.MeasureRequest) (models.Measurement, error) {
	svc, err := p.find(req.Service)
	if err != nil {
		return models.Measurement{}, err
	}
	if req.WindowSeconds < 1 || req.WindowSeconds > keptSeconds {
		return models.Measurement{}, models.Invalid("windowSeconds", req.WindowSeconds, "must be from 1 to 120")
	}
	since := p.now.Truncate(time.Second).Add(-time.Duration(req.WindowSeconds) * time.Second)
	var old, fresh []*replica
	for _, r := range svc.replicas {
		if slices.Contains(req.Baseline, r.ID) {
			old = append(old, r)
		} else {
			fresh = append(fresh, r)
		}
	}
	m := models.Measurement{
		At: p.now, WindowSeconds: req.WindowSeconds,
		New: svc.cohort(fresh, since), Old: svc.cohort(old, since), Service: svc.whole(since),
		Spec: svc.spec, Ready: len(svc.ready()),
		Unhealthy: svc.unhealthy(fresh, since, p.now), OfferedRPS: svc.meanOffered(since),
	}
	for _, r := range svc.replicas {
		if r.Phase == models.ReplicaCrashing {
			m.Crashing++
		}
	}
	used, limit := p.connections(), p.settings.DatabaseConnections
	m.DatabaseConnections, m.DatabaseMaxConnections = &used, &limit
	return m, nil
}

// cohort sums up a group of replicas.
func (s *service) cohort(rs []*replica, since time.Time) models.CohortStats {
	l := latency{set: s.set}
	var sum second
	for _, r := range rs {
		for _, sec := range r.since(since) {
			l.add(r, sec)
			sum.add(sec)
		}
	}
	l.dropped(sum.dropped)
	c := stats(len(rs), sum, l.p95())
	if n := sum.answered(); n >= 1 && sum.work > 0 {
		kappa := n / sum.work
		c.CapacityRPS = &kappa
	}
	c.SamplesMS = s.samples(rs, since)
	if slices.ContainsFunc(rs, func(r *replica) bool { return r.Phase == models.ReplicaReady && !r.Connected }) {
		c.Downstreams = []string{"database"}
	}
	return c
}

// mostSamples bounds the samples of a group in one measurement.
const mostSamples = 60

// samples are the response times at p95 of single replicas and seconds, spread evenly
// over all there are.
func (s *service) samples(rs []*replica, since time.Time) []float64 {
	var all []float64
	for _, r := range rs {
		for _, sec := range r.since(since) {
			l := latency{set: s.set}
			l.add(r, sec)
			if p95 := l.p95(); p95 != nil {
				all = append(all, math.Round(*p95*10)/10)
			}
		}
	}
	if len(all) <= mostSamples {
		return all
	}
	out := make([]float64, mostSamples)
	for i := range out {
		out[i] = all[i*len(all)/mostSamples]
	}
	return out
}

// whole sums up the service with what replicas that are gone did, and what found no
// replica at all.
func (s *service) whole(since time.Time) models.CohortStats {
	l := latency{set: s.set}
	for _, r := range slices.Concat(s.replicas, s.retired) {
		for _, sec := range r.since(since) {
			l.add(r, sec)
		}
	}
	var sum second
	for _, sec := range s.seconds {
		if !sec.start.Before(since) {
			sum.add(sec)
		}
	}
	l.dropped(sum.dropped)
	return stats(len(s.replicas), sum, l.p95())
}

func stats(replicas int, sum second, p95 *float64) models.CohortStats {
	c := models.CohortStats{Replicas: replicas, P95MS: p95}
	if all := sum.answered() + sum.dropped; all > 0 {
		rate := math.Min(1, (sum.failed+sum.dropped)/all)
		c.Requests, c.ErrorRate = int64(math.Round(all)), &rate
	}
	return c
}

func (r *replica) since(t time.Time) []second {
	i, _ := slices.BinarySearchFunc(r.seconds, t, func(s second, t time.Time) int { return s.start.Compare(t) })
	return r.seconds[i:]
}

// unhealthy names the new replicas that crash, are overdue by three times the 95th
// percentile of the start-up time, fail more than 5 % of at least 20 requests, or serve
// them with less than 80 % of the usual capacity.
func (s *service) unhealthy(fresh []*replica, since, now time.Time) []string {
	overdue := time.Duration(3 * s.set.StartupP95Seconds * float64(time.Second))
	var bad []string
	for _, r := range fresh {
		var sum second
		for _, sec := range r.since(since) {
			sum.add(sec)
		}
		all := sum.answered() + sum.dropped
		late := r.Phase == models.ReplicaPending && now.Sub(r.OrderedAt) > overdue
		failing := all >= 20 && (sum.failed+sum.dropped)/all > 0.05
		weak := all >= 20 && sum.work > 0 && sum.answered()/sum.work < 0.8*s.set.CapacityRPS
		if r.Restarts > 0 || late || failing || weak {
			bad = append(bad, r.ID)
		}
	}
	return bad
}

// meanOffered is nil where no second was closed.
func (s *service) meanOffered(since time.Time) *float64 {
	sum, n := 0.0, 0
	for _, sec := range s.seconds {
		if !sec.start.Before(since) {
			sum += sec.offered
			n++
		}
	}
	if n == 0 {
		return nil
	}
	mean := sum / float64(n)
	return &mean
}
