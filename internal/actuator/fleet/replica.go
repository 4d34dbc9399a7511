package fleet

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
)

// replica is one unit of capacity. The exported fields are what a restart keeps.
type replica struct {
	models.Replica
	Due            time.Time  `json:"due"` // ready then, if nothing is wrong with it
	Never          bool       `json:"never,omitempty"`
	Crash          bool       `json:"crash,omitempty"`
	CrashAfter     float64    `json:"crashAfter,omitempty"` // seconds of serving before each crash
	NextChange     *time.Time `json:"nextChange,omitempty"` // next crash or restart
	LatencyFactor  float64    `json:"latencyFactor"`        // 1 = healthy
	CapacityFactor float64    `json:"capacityFactor"`       // 1 = healthy
	ErrorShare     float64    `json:"errorShare,omitempty"` // 0 = healthy
	Connected      bool       `json:"connected,omitempty"`  // holds its database connections

	queue   float64
	current second
	seconds []second
	gone    time.Time // when it was removed
}

// newReplica orders one healthy replica without a start-up time.
func (s *service) newReplica(now time.Time) *replica {
	s.nextID++
	r := &replica{
		Replica: models.Replica{
			ID:    fmt.Sprintf("%s-%06d", s.set.Service, s.nextID),
			Phase: models.ReplicaPending, OrderedAt: now,
		},
		LatencyFactor: 1, CapacityFactor: 1,
	}
	s.replicas = append(s.replicas, r)
	return r
}

// order creates a replica with a drawn start-up time and the faults that are on.
func (p *Plant) order(s *service) {
	r := s.newReplica(p.now)
	startup := p.startup(s.set)
	if s.set.Schedulable > 0 && len(s.replicas) > s.set.Schedulable {
		startup += s.set.NodeSeconds
	}
	marks := func(f Fault) bool { return f.onReplicas() && (f.Template == "" || f.Template == s.set.Template) }
	for _, f := range s.faults.take(p.now, marks, p.rng.Float64) {
		startup *= r.mark(f)
	}
	r.Due = p.now.Add(time.Duration(startup * float64(time.Second)))
}

// mark applies a fault to a new replica and gives the factor on its start-up time.
func (r *replica) mark(f Fault) float64 {
	switch f.Kind {
	case FaultCrash:
		r.Crash, r.CrashAfter = true, f.AfterSeconds
	case FaultNever:
		r.Never = true
	case FaultErrors:
		r.ErrorShare = cmp.Or(f.ErrorShare, 1)
	case FaultSlow:
		r.LatencyFactor = cmp.Or(f.LatencyFactor, 1)
		r.CapacityFactor = cmp.Or(f.CapacityFactor, 1)
		return cmp.Or(f.StartupFactor, 1)
	default: // faults of calls
	}
	return 1
}

// startup draws seconds from order to ready: log-normal with median S50 and 95th
// percentile S95, so mu = ln S50 and sigma = ln(S95/S50)/1.6449.
func (p *Plant) startup(s ServiceSettings) float64 {
	if s.StartupP50Seconds <= 0 {
		return 0
	}
	sigma := math.Log(s.StartupP95Seconds/s.StartupP50Seconds) / 1.6449
	return s.StartupP50Seconds * math.Exp(sigma*p.rng.NormFloat64())
}

// live moves every replica through its life up to now, and forgets removed ones.
func (s *service) live(now time.Time) {
	for _, r := range s.replicas {
		s.fail(r.live(now))
	}
	s.retired = slices.DeleteFunc(s.retired, func(r *replica) bool { return now.Sub(r.gone) > keptSeconds*time.Second })
}

// live gives the requests that were lost in a crash.
func (r *replica) live(now time.Time) (lost float64) {
	switch r.Phase {
	case models.ReplicaPending:
		if r.Never || now.Before(r.Due) {
			return 0
		}
		if r.Crash && r.CrashAfter == 0 {
			return r.crash(now)
		}
		r.becomeReady(now)
	case models.ReplicaReady:
		if r.NextChange != nil && !now.Before(*r.NextChange) {
			return r.crash(now)
		}
	case models.ReplicaCrashing:
		if r.NextChange == nil || now.Before(*r.NextChange) {
			return 0
		}
		if r.CrashAfter == 0 {
			return r.crash(now)
		}
		r.becomeReady(now)
	}
	return 0
}

func (r *replica) becomeReady(now time.Time) {
	r.Phase, r.ReadyAt, r.NextChange = models.ReplicaReady, &now, nil
	if r.Crash {
		at := now.Add(time.Duration(r.CrashAfter * float64(time.Second)))
		r.NextChange = &at
	}
}

// crash drops what the replica held; it starts again after 10 s, 20 s, … 5 min.
func (r *replica) crash(now time.Time) (lost float64) {
	backoff := min(10*math.Pow(2, float64(r.Restarts)), 300)
	at := now.Add(time.Duration(backoff * float64(time.Second)))
	r.Phase, r.ReadyAt, r.NextChange, r.Connected = models.ReplicaCrashing, nil, &at, false
	r.Restarts++
	lost, r.queue = r.queue, 0
	return lost
}

// remove takes n replicas away: the victims first, then those that do not serve, then
// the newest. What waited at them is handed to the others.
func (s *service) remove(n int, victims []string, now time.Time) {
	order := slices.Clone(s.replicas)
	slices.SortStableFunc(order, func(a, b *replica) int {
		return cmp.Or(
			cmp.Compare(rank(a, victims), rank(b, victims)),
			b.OrderedAt.Compare(a.OrderedAt),
			cmp.Compare(b.ID, a.ID),
		)
	})
	for _, r := range order[:min(n, len(order))] {
		s.front += r.queue
		r.queue, r.gone, r.Connected = 0, now, false
		s.retired = append(s.retired, r)
		s.replicas = slices.DeleteFunc(s.replicas, func(x *replica) bool { return x == r })
	}
}

// rank is the order in which replicas are given up.
func rank(r *replica, victims []string) int {
	switch {
	case slices.Contains(victims, r.ID):
		return 0
	case r.Phase != models.ReplicaReady:
		return 1
	default:
		return 2
	}
}

// ready lists the replicas that take traffic.
func (s *service) ready() []*replica {
	var out []*replica
	for _, r := range s.replicas {
		if r.Phase == models.ReplicaReady {
			out = append(out, r)
		}
	}
	return out
}
