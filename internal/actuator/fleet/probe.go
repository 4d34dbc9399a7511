package fleet

import (
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
)

// Bounds of synthetic requests: they are to show that replicas serve, not to load them.
const (
	maxProbeRPS     = 1000
	maxProbeSeconds = 600
)

// probe is a stream of synthetic requests to the replicas outside a baseline. It is not
// part of what the service reports as its load: nobody is waiting for the answers.
type probe struct {
	baseline []string
	rps      float64
	until    time.Time
}

// Probe sends synthetic requests to all replicas but those of the baseline, evenly over
// the ready ones. A second call replaces the first. It ends with the process.
func (p *Plant) Probe(req models.ProbeRequest) error {
	svc, err := p.find(req.Service)
	if err != nil {
		return err
	}
	switch {
	case !(req.RPS > 0 && req.RPS <= maxProbeRPS):
		return models.Invalid("rps", req.RPS, "must be more than 0 and at most 1000")
	case req.Seconds < 1 || req.Seconds > maxProbeSeconds:
		return models.Invalid("seconds", req.Seconds, "must be from 1 to 600")
	}
	svc.probe = &probe{baseline: req.Baseline, rps: req.RPS, until: p.now.Add(time.Duration(req.Seconds) * time.Second)}
	return nil
}

// sounds gives how many synthetic requests arrive at each of the replicas in one tick.
func (s *service) sounds(ready []*replica, now time.Time, dt float64) map[*replica]float64 {
	b := s.probe
	if b == nil {
		return nil
	}
	if !now.Before(b.until) {
		s.probe = nil
		return nil
	}
	fresh := slices.DeleteFunc(slices.Clone(ready), func(r *replica) bool { return slices.Contains(b.baseline, r.ID) })
	out := make(map[*replica]float64, len(fresh))
	for _, r := range fresh {
		out[r] = b.rps * dt / float64(len(fresh))
		s.totals.Offered += out[r]
	}
	return out
}

// Disturbance says what was done to a service, and which of the replicas behind the load
// balancer answer it: those that fail more than half of their requests, crash or find no
// database do not.
func (p *Plant) Disturbance(name models.ServiceName) (models.Disturbance, error) {
	svc, err := p.find(name)
	if err != nil {
		return models.Disturbance{}, err
	}
	d := models.Disturbance{DeployedAt: svc.deployedAt}
	hosts, well := 0, 0
	for _, r := range svc.replicas {
		if r.Phase == models.ReplicaPending {
			continue
		}
		hosts++
		if r.Phase == models.ReplicaReady && r.Connected && r.ErrorShare <= 0.5 {
			well++
		}
	}
	if hosts > 0 {
		share := float64(well) / float64(hosts)
		d.HealthyShare = &share
	}
	return d, nil
}
