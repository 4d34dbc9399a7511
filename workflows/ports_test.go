package workflows_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/worker"
)

// plant is a service behind every port that the activities need, in memory.
type plant struct {
	mu        sync.Mutex
	service   models.Service
	set       models.ReplicaSet
	made      int
	keys      map[string]int
	load      float64
	crash     bool
	never     map[int]bool // replicas that never start, by the number they are made with
	sick      bool         // the service fails requests when it has fewer replicas than it began with
	began     int
	quiet     bool // no requests arrive
	decisions map[string]models.Decision
	claims    []models.Reservation
	orders    int
	states    int
	days      *daybook
}

// newPlant has a policy that is through in seconds.
func newPlant(spec int, load float64) *plant {
	svc := apiService()
	p := &svc.Policy
	p.SoakSeconds, p.MeasurementIntervalSeconds, p.Measurements, p.ReadyDeadlineSeconds, p.OperationDeadlineSeconds = 0, 1, 2, 3, 60
	p.PanicSeconds, p.MinimumRequests = 2, 20
	svc.StartupP50Seconds, svc.StartupP95Seconds = 1, 1
	pl := &plant{service: svc, keys: map[string]int{}, load: load, decisions: map[string]models.Decision{}, began: spec, days: newDaybook(time.Now)}
	pl.set.Service = svc.Name
	pl.resize(spec, nil)
	return pl
}

func (p *plant) activities() worker.Activities {
	observer := &activities.Observer{Catalogue: p, Signals: p, Claims: p, Actuator: p, Measurer: p, Decisions: p, Now: time.Now}
	return worker.Activities{
		Observer:   observer,
		Operator:   &activities.Operator{Actuator: p, Measurer: p, Observer: observer, Now: time.Now, Poll: 50 * time.Millisecond},
		Recorder:   &activities.Recorder{Decisions: p, States: p, Audit: p},
		WeddingDay: p.days.keeper(),
		Maintainer: &activities.Maintainer{
			Partitions: p, Health: p, Snapshots: p, Decisions: p, Writer: p, Operations: p, Weddings: p, Forecasts: p, Feeds: p, Now: time.Now,
		},
	}
}

func (p *plant) resize(n int, victims []string) {
	for len(p.set.Replicas) < n {
		p.made++
		now := time.Now()
		r := models.Replica{ID: fmt.Sprintf("replica-%d", p.made), Phase: models.ReplicaReady, OrderedAt: now, ReadyAt: &now}
		if p.crash {
			r.Phase, r.ReadyAt = models.ReplicaCrashing, nil
		}
		if p.never[p.made] {
			r.Phase, r.ReadyAt = models.ReplicaPending, nil
		}
		p.set.Replicas = append(p.set.Replicas, r)
	}
	for _, v := range victims {
		for i, r := range p.set.Replicas {
			if r.ID == v && len(p.set.Replicas) > n {
				p.set.Replicas = append(p.set.Replicas[:i], p.set.Replicas[i+1:]...)
				break
			}
		}
	}
	p.set.Replicas = p.set.Replicas[:min(n, len(p.set.Replicas))]
	p.set.Spec, p.set.Ready = n, 0
	for _, r := range p.set.Replicas {
		if r.Phase == models.ReplicaReady {
			p.set.Ready++
		}
	}
}

func (p *plant) Describe(context.Context, models.ServiceName) (models.ReplicaSet, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	set := p.set
	set.ObservedAt = time.Now()
	set.Replicas = append([]models.Replica{}, p.set.Replicas...)
	return set, nil
}

func (p *plant) Apply(ctx context.Context, req models.ApplyRequest) (models.ApplyResult, error) {
	p.mu.Lock()
	_, used := p.keys[req.Key]
	switch {
	case used:
	case p.set.Spec != req.ExpectedSpec && p.set.Spec != req.Desired:
		p.mu.Unlock()
		return models.ApplyResult{}, &models.Error{Kind: models.KindConflict, Field: "expectedSpec", Rule: "the spec has moved"}
	default:
		p.keys[req.Key] = req.Desired
		p.orders++
		p.resize(req.Desired, req.Victims)
	}
	p.mu.Unlock()
	set, err := p.Describe(ctx, req.Service)
	return models.ApplyResult{Outcome: models.ApplyApplied, Reason: fmt.Sprintf("spec is %d", set.Spec), Observed: set}, err
}

func (p *plant) Measure(_ context.Context, req models.MeasureRequest) (models.Measurement, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := models.Measurement{At: time.Now(), WindowSeconds: req.WindowSeconds, Spec: p.set.Spec, Ready: p.set.Ready}
	old := map[string]bool{}
	for _, id := range req.Baseline {
		old[id] = true
	}
	good, p95 := 0.001, 60.0
	if p.sick && p.set.Spec < p.began {
		good = 0.2
	}
	for _, r := range p.set.Replicas {
		if r.Phase == models.ReplicaCrashing {
			m.Crashing++
			m.Unhealthy = append(m.Unhealthy, r.ID)
			continue
		}
		if r.Phase != models.ReplicaReady {
			continue
		}
		c := &m.New
		if old[r.ID] {
			c = &m.Old
		}
		c.Replicas++
		if !p.quiet {
			c.Requests += 50
			c.ErrorRate, c.P95MS = &good, &p95
		}
	}
	m.Service = models.CohortStats{Replicas: m.New.Replicas + m.Old.Replicas, Requests: m.New.Requests + m.Old.Requests}
	if m.Service.Requests > 0 {
		m.Service.ErrorRate, m.Service.P95MS = &good, &p95
	}
	return m, nil
}

func (p *plant) PollFeeds(context.Context) ([]string, error) { return []string{"crm: as it was"}, nil }

func (p *plant) Limits(context.Context, models.Service) (models.Limits, error) {
	return models.Limits{}, nil
}

func (p *plant) Service(context.Context, models.ServiceName) (models.Service, error) {
	return p.service, nil
}

func (p *plant) Services(context.Context) ([]models.Service, error) {
	return []models.Service{p.service}, nil
}

func (p *plant) Signals(context.Context, models.ServiceName, time.Time) ([]models.Signal, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cpu := min(1, p.load/(p.service.CapacityRPS*float64(max(1, p.set.Ready))))
	return []models.Signal{signal(models.MetricThroughput, p.load), signal(models.MetricCPU, cpu)}, nil
}

func (p *plant) ActiveReservations(_ context.Context, _ models.ServiceName, at time.Time) ([]models.Reservation, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []models.Reservation
	for _, r := range p.claims {
		if r.ActiveAt(at) {
			out = append(out, r)
		}
	}
	return out, nil
}

func (p *plant) OpenRequests(context.Context, models.ServiceName) ([]models.DecisionRequest, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []models.DecisionRequest
	for _, d := range p.decisions {
		if d.Status == models.DecisionProposed {
			out = append(out, models.DecisionRequest{DecisionID: d.ID, ReservationID: d.ReservationID, Actor: d.RequestedBy, CreatedAt: d.CreatedAt})
		}
	}
	return out, nil
}

func (p *plant) RecordDecision(_ context.Context, d models.Decision) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if old, ok := p.decisions[d.ID]; ok && old.Status == models.DecisionClosed {
		return &models.Error{Kind: models.KindConflict, Field: "id", Rule: "is closed"}
	}
	p.decisions[d.ID] = d
	return nil
}

func (p *plant) CloseDecision(_ context.Context, r models.OutcomeReport) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.decisions[r.DecisionID]
	if d.Status == models.DecisionClosed {
		return nil
	}
	d.ID, d.Status, d.Outcome, d.OutcomeReason, d.FinalReplicas = r.DecisionID, models.DecisionClosed, r.Outcome, r.Reason, r.FinalReplicas
	p.decisions[r.DecisionID] = d
	return nil
}

func (p *plant) Decision(_ context.Context, id string) (models.Decision, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d, ok := p.decisions[id]
	if !ok {
		return d, models.NotFound("id", id)
	}
	return d, nil
}

func (p *plant) OpenDecisions(context.Context, time.Time) ([]models.Decision, error) {
	return []models.Decision{{ID: "forgotten", Status: models.DecisionProposed, ExpiresAt: time.Now().Add(-time.Hour)}}, nil
}

func (p *plant) SaveScalingState(context.Context, models.ScalingState) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.states++
	return nil
}

func (p *plant) Record(context.Context, models.AuditEntry) error { return nil }

func (p *plant) EnsurePartitions(context.Context, time.Time, int) ([]string, error) {
	return []string{"metrics_today"}, nil
}

func (p *plant) DropPartitions(context.Context, time.Time, int, int) ([]string, error) {
	return []string{"metrics_last_year"}, nil
}

func (p *plant) Health(_ context.Context, now time.Time) models.Health {
	return models.Health{Database: true, CheckedAt: now}.WithOverall()
}

func (p *plant) SaveHealthSnapshot(context.Context, models.HealthSnapshot) error { return nil }

func (p *plant) FindOperation(context.Context, string) (activities.OperationState, error) {
	return activities.OperationMissing, nil
}

func (p *plant) RefreshWeddings(context.Context, time.Time) (int, error) { return 3, nil }

func (p *plant) Refit(context.Context, time.Time) ([]models.ServiceName, error) {
	return []models.ServiceName{models.ServiceAPI}, nil
}

func (p *plant) Update(context.Context, time.Time) (int, error) { return 14, nil }

func (p *plant) Score(context.Context, time.Time) (int, error) { return 13, nil }

// outcome reads how a decision ended.
func (p *plant) outcome(id string) models.Outcome {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.decisions[id].Outcome
}
