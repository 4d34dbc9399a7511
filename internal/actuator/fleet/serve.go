package fleet

import (
	"math"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
)

// second is what one replica, or a whole service, did in one second.
type second struct {
	start   time.Time
	offered float64 // requests that arrived
	served  float64 // answered well
	failed  float64 // answered with an error
	dropped float64 // refused by a full queue or timed out
	work    float64 // share of the capacity that was in use
	rho     float64 // arrivals over capacity
	waitMS  float64 // sum over answered requests of the time in the queue
}

func (s second) answered() float64 { return s.served + s.failed }

// serve lets one tick of load arrive: the ready replicas share it equally, whatever
// each can do. Synthetic requests come on top and are no load of the service.
func (s *service) serve(rps float64, now time.Time, dt float64) {
	arriving := rps * dt
	s.totals.Offered += arriving
	s.current.offered += arriving
	ready := s.ready()
	if len(ready) == 0 {
		s.holdAtFront(arriving, dt)
		return
	}
	share := (arriving + s.front) / float64(len(ready))
	s.front = 0
	sounds := s.sounds(ready, now, dt)
	for _, r := range ready {
		got := r.serve(share+sounds[r], dt, s.set)
		s.totals.Served += got.served
		s.current.served += got.served
		s.current.failed += got.failed
		s.totals.Failed += got.failed
		s.drop(got.dropped)
	}
}

// holdAtFront keeps requests while nothing serves: one replica's queue long, and each
// for the time-out on average.
func (s *service) holdAtFront(arriving, dt float64) {
	s.front += arriving
	lost := s.front * math.Min(1, dt/s.set.TimeoutSeconds)
	lost = math.Max(lost, s.front-s.set.QueuePerReplica)
	s.front -= lost
	s.drop(lost)
}

func (s *service) drop(requests float64) {
	s.totals.Failed += requests
	s.current.dropped += requests
}

func (s *service) fail(requests float64) {
	s.totals.Failed += requests
	s.current.failed += requests
}

// serve works off one tick. The queue is first in, first out, so a request waits queue
// ÷ capacity; who would wait longer than the time-out is dropped.
func (r *replica) serve(arriving, dt float64, set ServiceSettings) second {
	capacity := set.CapacityRPS * r.CapacityFactor
	before := r.queue
	done := math.Min(before+arriving, capacity*dt)
	r.queue = before + arriving - done
	limit := math.Min(set.QueuePerReplica, capacity*set.TimeoutSeconds)
	dropped := math.Max(0, r.queue-limit)
	r.queue -= dropped
	failing := r.ErrorShare
	if !r.Connected {
		failing = 1
	}
	got := second{
		offered: arriving, served: done * (1 - failing), failed: done * failing, dropped: dropped,
		work: done / capacity, rho: arriving / capacity,
		waitMS: done * (before + r.queue) / 2 / capacity * 1000,
	}
	r.current.add(got)
	return got
}

func (s *second) add(o second) {
	s.offered += o.offered
	s.served += o.served
	s.failed += o.failed
	s.dropped += o.dropped
	s.work += o.work
	s.rho += o.rho
	s.waitMS += o.waitMS
}

// closeSecond ends the second before now and derives the service's metrics from it.
func (s *service) closeSecond(now time.Time) {
	start := now.Add(-time.Second)
	cohort := latency{set: s.set}
	for _, r := range s.replicas {
		r.seconds = closed(r.seconds, r.current, start)
		cohort.add(r, r.current)
		r.current = second{}
	}
	cohort.dropped(s.current.dropped)
	s.seconds = closed(s.seconds, s.current, start)
	s.stats = s.metrics(now, s.current, cohort.p95())
	s.current = second{}
}

// closed appends a second and keeps the newest.
func closed(all []second, s second, start time.Time) []second {
	s.start = start
	all = append(all, s)
	if len(all) > keptSeconds {
		all = slices.Delete(all, 0, len(all)-keptSeconds)
	}
	return all
}

// Stats is what a service reported for its last closed second. A metric that cannot
// be known, such as the response time of no request, is absent.
type Stats struct {
	At     time.Time                     `json:"at"` // end of the second; zero = none closed yet
	Values map[models.MetricName]float64 `json:"values"`
}

func (s *service) metrics(now time.Time, sec second, p95 *float64) Stats {
	v := map[models.MetricName]float64{
		models.MetricThroughput:  sec.offered,
		models.MetricQueueDepth:  s.queued(),
		models.MetricConnections: float64(s.connections()),
	}
	if ready := s.ready(); len(ready) > 0 {
		work := 0.0
		for _, r := range ready {
			work += r.lastWork()
		}
		cpu := work / float64(len(ready))
		v[models.MetricCPU] = cpu
		v[models.MetricMemory] = math.Min(0.35+0.35*cpu+0.25*math.Min(1, s.queued()/(1+s.set.QueuePerReplica*float64(len(ready)))), 0.98)
	}
	if all := sec.answered() + sec.dropped; all > 0 {
		v[models.MetricErrorRate] = math.Min(1, (sec.failed+sec.dropped)/all)
	}
	if p95 != nil {
		v[models.MetricResponseP95] = *p95
	}
	return Stats{At: now, Values: v}
}

func (r *replica) lastWork() float64 {
	if len(r.seconds) == 0 {
		return 0
	}
	return math.Min(1, r.seconds[len(r.seconds)-1].work)
}

// queued counts the requests that wait.
func (s *service) queued() float64 {
	n := s.front
	for _, r := range s.replicas {
		n += r.queue
	}
	return n
}
