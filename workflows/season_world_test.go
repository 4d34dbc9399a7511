package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
)

// seasonWorld is all that the effects of a season's preparation touch, in memory. Its
// clock is the test's.
type seasonWorld struct {
	mu  sync.Mutex
	now func() time.Time

	services []models.Service
	weddings []models.Wedding
	base     float64 // requests/s of a service without weddings
	perGuest float64
	quota    *int
	spec     map[models.ServiceName]int
	tester   func(models.LoadTestRequest) models.LoadTestResult
	ceremony bool
	faults   map[string]int // calls of an effect that fail, by name

	season      models.Season
	plans       map[int]models.SeasonPlan
	gates       map[models.GateName]models.SeasonGate
	proofs      []models.CapacityProof
	claims      map[string]models.Reservation
	trail       map[string]models.AuditEntry
	escalations map[string]models.SeasonEscalation
	effects     []string // in order
}

func newSeasonWorld(now func() time.Time) *seasonWorld {
	w := &seasonWorld{
		now: now, base: 120, perGuest: 0.25, spec: map[models.ServiceName]int{}, faults: map[string]int{}, plans: map[int]models.SeasonPlan{},
		gates: map[models.GateName]models.SeasonGate{}, claims: map[string]models.Reservation{}, trail: map[string]models.AuditEntry{},
		escalations: map[string]models.SeasonEscalation{},
	}
	for _, s := range models.DefaultServices("fleet") {
		if s.Name == models.ServiceAPI || s.Name == models.ServiceMedia {
			s.MaxReplicas, s.AbsoluteMaxReplicas, s.UpdatedAt = 400, 500, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
			w.services = append(w.services, s)
			w.spec[s.Name] = s.MinReplicas
		}
	}
	w.tester = func(r models.LoadTestRequest) models.LoadTestResult {
		return models.LoadTestResult{PeakRPS: r.RPS, CapacityRPS: 90, MaxReplicas: 300, Samples: 20}
	}
	return w
}

func (w *seasonWorld) activities() *activities.Seasons {
	return &activities.Seasons{
		Catalogue: w, Measurer: w, Learned: w, Days: w, Keeper: w, Plans: w, Proofs: w, Claims: w, Nudger: w, Actuator: w, Tester: w,
		Ceremony: w, Usage: w, Audit: w, Escalator: w, Zone: time.LoadLocation, Now: w.now, Poll: time.Millisecond, PreScale: true,
		Observer: &activities.Observer{Catalogue: w, Signals: w, Claims: w, Actuator: w, Measurer: w, Learned: w, Now: w.now},
	}
}

var errSeasonFault = errors.New("away")

// enter counts a call and says whether it fails.
func (w *seasonWorld) enter(name string) error {
	if w.faults[name] > 0 {
		w.faults[name]--
		return models.Unavailable(name, errSeasonFault)
	}
	return nil
}

func (w *seasonWorld) note(format string, args ...any) {
	w.effects = append(w.effects, fmt.Sprintf(format, args...))
}

func (w *seasonWorld) did() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.effects)
}

func (w *seasonWorld) Services(context.Context) ([]models.Service, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.services), w.enter("services")
}

func (w *seasonWorld) Service(_ context.Context, name models.ServiceName) (models.Service, error) {
	for _, s := range w.services {
		if s.Name == name {
			return s, nil
		}
	}
	return models.Service{}, models.NotFound("name", name)
}

// Days adds the guests of a day's weddings to a base that is the same each day.
func (w *seasonWorld) Days(_ context.Context, _ models.ServiceName, from, until time.Time) ([]models.DayLoad, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.enter("days"); err != nil {
		return nil, err
	}
	guests, count := map[string]int{}, map[string]int{}
	for _, x := range w.weddings {
		if x.Status != models.WeddingCancelled {
			d := x.StartsAt.UTC().Format(time.DateOnly)
			guests[d] += x.Guests
			count[d]++
		}
	}
	var out []models.DayLoad
	for d := from.UTC().Truncate(24 * time.Hour); d.Before(until); d = d.AddDate(0, 0, 1) {
		date := d.Format(time.DateOnly)
		peak := w.base + w.perGuest*float64(guests[date])
		out = append(out, models.DayLoad{
			Date: date, PeakAt: d.Add(15 * time.Hour), PeakP50: peak, PeakP90: 1.15 * peak, PeakP95: 1.2 * peak,
			Weddings: count[date], Guests: guests[date], Method: models.MethodSeasonalNaive,
		})
	}
	return out, nil
}

func (w *seasonWorld) Limits(context.Context, models.Service) (models.Limits, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return models.Limits{Quota: w.quota}, nil
}

func (w *seasonWorld) Measure(context.Context, models.MeasureRequest) (models.Measurement, error) {
	p95, errs := 120.0, 0.001
	return models.Measurement{Service: models.CohortStats{P95MS: &p95, ErrorRate: &errs}}, nil
}

func (w *seasonWorld) Learned(_ context.Context, name models.ServiceName, _ time.Time) (models.Learned, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var l models.Learned
	for _, p := range w.proofs {
		if p.Service == name {
			l.CapacityP10RPS, l.CertifiedAt = p.CapacityRPS, &p.IssuedAt
		}
	}
	return l, nil
}

func (w *seasonWorld) KeepSeason(_ context.Context, s models.Season, settled []models.SeasonPlan, gates []models.SeasonGate) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.enter("keep"); err != nil {
		return err
	}
	w.season = s
	for _, p := range settled {
		got := w.plans[p.Version]
		got.Status, got.DecidedBy, got.Reason, got.DecidedAt = p.Status, p.DecidedBy, p.Reason, p.DecidedAt
		w.plans[p.Version] = got
		w.note("plan %d %s by %s", p.Version, p.Status, p.DecidedBy)
	}
	for _, g := range gates {
		w.gates[g.Gate] = g
		w.note("gate %s %s", g.Gate, g.Status)
	}
	return nil
}

func (w *seasonWorld) SavePlan(_ context.Context, p models.SeasonPlan, superseded ...int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.enter("plan"); err != nil {
		return err
	}
	if _, again := w.plans[p.Version]; !again {
		w.note("plan %d %s", p.Version, p.Status)
	}
	if w.plans[p.Version].DecidedBy == "" {
		w.plans[p.Version] = p
	}
	for _, v := range superseded {
		old := w.plans[v]
		old.Status = models.PlanSuperseded
		w.plans[v] = old
	}
	return nil
}

func (w *seasonWorld) SeasonPlan(_ context.Context, _ string, version int) (models.SeasonPlan, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, ok := w.plans[version]
	if !ok {
		return p, models.NotFound("version", version)
	}
	return p, nil
}

func (w *seasonWorld) SaveCapacityProofs(_ context.Context, proofs []models.CapacityProof) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.proofs = append(w.proofs, proofs...)
	return nil
}

func (w *seasonWorld) CapacityProofs(context.Context, string) ([]models.CapacityProof, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.proofs), nil
}

func (w *seasonWorld) CreateReservation(_ context.Context, r models.Reservation) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := r.Validate(); err != nil {
		return err
	}
	if _, there := w.claims[r.ID]; there {
		return &models.Error{Kind: models.KindConflict, Field: "id"}
	}
	w.claims[r.ID] = r
	if r.ActiveAt(w.now()) {
		w.spec[r.Service] = max(w.spec[r.Service], r.Replicas) // as its autoscaler would
	}
	w.note("reserve %s %d from %s until %s", r.Service, r.Replicas, r.From.Format("01-02T15"), r.Until.Format("01-02T15"))
	return nil
}

func (w *seasonWorld) ReservationsOf(_ context.Context, holder string, at time.Time) ([]models.Reservation, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []models.Reservation
	for _, r := range w.claims {
		if r.Holder == holder && r.EndedAt == nil && r.Until.After(at) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b models.Reservation) int { return slices.Compare([]byte(a.ID), []byte(b.ID)) })
	return out, nil
}

func (w *seasonWorld) EndReservations(_ context.Context, ids []string, actor string, at time.Time) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.enter("end"); err != nil {
		return 0, err
	}
	n := 0
	for _, id := range ids {
		r, ok := w.claims[id]
		if !ok || r.EndedAt != nil || !r.Until.After(at) {
			continue
		}
		r.EndedAt, r.EndedBy = &at, actor
		w.claims[id] = r
		n++
	}
	return n, nil
}

func (w *seasonWorld) NudgeAutoscale(context.Context, models.ServiceName, string) error { return nil }

func (w *seasonWorld) Describe(_ context.Context, name models.ServiceName) (models.ReplicaSet, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	set := models.ReplicaSet{Service: name, Spec: w.spec[name], Ready: w.spec[name], ObservedAt: w.now()}
	for i := range set.Spec {
		at := w.now().Add(-time.Hour)
		ready := at.Add(9 * time.Second)
		set.Replicas = append(set.Replicas, models.Replica{ID: fmt.Sprintf("%s-%d", name, i), Phase: models.ReplicaReady, OrderedAt: at, ReadyAt: &ready})
	}
	return set, nil
}

func (w *seasonWorld) Apply(context.Context, models.ApplyRequest) (models.ApplyResult, error) {
	return models.ApplyResult{}, errors.New("only autoscalers order replicas")
}

func (w *seasonWorld) LoadTest(_ context.Context, r models.LoadTestRequest, beat func(models.LoadTestSample)) (models.LoadTestResult, error) {
	beat(models.LoadTestSample{})
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.enter("loadtest"); err != nil {
		return models.LoadTestResult{}, err
	}
	w.note("load test %s", r.Service)
	return w.tester(r), nil
}

func (w *seasonWorld) CeremonyAt(context.Context, time.Time) (bool, error) { return w.ceremony, nil }

func (w *seasonWorld) MostReplicas(_ context.Context, name models.ServiceName, _, _ time.Time) (*int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.spec[name]
	return &n, nil
}

func (w *seasonWorld) Record(_ context.Context, e models.AuditEntry) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.enter("audit"); err != nil {
		return err
	}
	w.trail[e.ID] = e
	return nil
}

func (w *seasonWorld) EscalateSeason(_ context.Context, e models.SeasonEscalation) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, again := w.escalations[e.ID]; !again {
		w.note("escalate %s %s", e.Severity, e.What)
	}
	w.escalations[e.ID] = e
	return nil
}

func (w *seasonWorld) Signals(context.Context, models.ServiceName, time.Time) ([]models.Signal, error) {
	v := math.Round(w.base)
	return []models.Signal{{Metric: models.MetricThroughput, Avg2: &v, Avg6: &v, Avg60: &v, Avg300: &v, Max60: &v, Completeness: 1}}, nil
}

func (w *seasonWorld) ActiveReservations(_ context.Context, name models.ServiceName, at time.Time) ([]models.Reservation, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []models.Reservation
	for _, r := range w.claims {
		if r.Service == name && r.ActiveAt(at) {
			out = append(out, r)
		}
	}
	return out, nil
}

func (w *seasonWorld) OpenRequests(context.Context, models.ServiceName) ([]models.DecisionRequest, error) {
	return nil, nil
}
