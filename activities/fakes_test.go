package activities_test

import (
	"context"
	"errors"
	"time"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
)

var now = time.Date(2027, 6, 12, 14, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

func val[T any](v T) *T { return &v }

var errAway = models.Unavailable("fake", errors.New("nobody answers"))

// hang waits for its context, as a dependency that does not answer; deaf does not even
// mind the context.
func hang(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func deaf(context.Context) error { time.Sleep(time.Hour); return nil }

// platform is every port of an observation; fault is asked before a port answers.
type platform struct {
	service      models.Service
	set          models.ReplicaSet
	signals      []models.Signal
	forecast     *models.ForecastPoint
	reservations []models.Reservation
	requests     []models.DecisionRequest
	limits       models.Limits
	decision     models.Decision
	measurement  models.Measurement
	applied      []models.ApplyRequest
	measured     []models.MeasureRequest
	within       time.Duration
	calendar     *models.Calendar
	usual        *float64
	peak         *float64
	spent        models.Budget
	atRest       []models.Signal
	others       map[models.ServiceName][]models.Signal // of the other services
	faults       map[string]func(context.Context) error
}

func (p *platform) fault(ctx context.Context, port string) error {
	if f := p.faults[port]; f != nil {
		return f(ctx)
	}
	return nil
}

func (p *platform) Service(ctx context.Context, _ models.ServiceName) (models.Service, error) {
	return p.service, p.fault(ctx, "catalogue")
}

func (p *platform) Services(ctx context.Context) ([]models.Service, error) {
	return []models.Service{p.service}, p.fault(ctx, "catalogue")
}

func (p *platform) Signals(ctx context.Context, name models.ServiceName, _ time.Time) ([]models.Signal, error) {
	if name != p.service.Name {
		return p.others[name], p.fault(ctx, "others")
	}
	return p.signals, p.fault(ctx, "signals")
}

func (p *platform) Calendar(ctx context.Context, _ models.Service, _ time.Time) (*models.Calendar, error) {
	return p.calendar, p.fault(ctx, "calendar")
}

func (p *platform) Usual(ctx context.Context, _ models.ServiceName, _ time.Time) (*float64, error) {
	return p.usual, p.fault(ctx, "usual")
}

func (p *platform) SignalsAtRest(ctx context.Context, _ models.ServiceName, _ time.Time) ([]models.Signal, error) {
	return p.atRest, p.fault(ctx, "rest")
}

func (p *platform) LargestMinute(ctx context.Context, _ models.ServiceName, _ time.Time) (*float64, error) {
	return p.peak, p.fault(ctx, "peak")
}

func (p *platform) Spent(ctx context.Context, _ models.ServiceName, _ time.Time) (models.Budget, error) {
	return p.spent, p.fault(ctx, "spent")
}

func (p *platform) Forecast(ctx context.Context, _ models.Service, _ time.Time, within time.Duration) (*models.ForecastPoint, error) {
	p.within = within
	return p.forecast, p.fault(ctx, "forecast")
}

func (p *platform) ActiveReservations(ctx context.Context, _ models.ServiceName, _ time.Time) ([]models.Reservation, error) {
	return p.reservations, p.fault(ctx, "reservations")
}

func (p *platform) OpenRequests(ctx context.Context, _ models.ServiceName) ([]models.DecisionRequest, error) {
	return p.requests, p.fault(ctx, "requests")
}

func (p *platform) Describe(ctx context.Context, _ models.ServiceName) (models.ReplicaSet, error) {
	return p.set, p.fault(ctx, "describe")
}

func (p *platform) Apply(ctx context.Context, req models.ApplyRequest) (models.ApplyResult, error) {
	p.applied = append(p.applied, req)
	return models.ApplyResult{Outcome: models.ApplyApplied, Observed: p.set}, p.fault(ctx, "apply")
}

func (p *platform) Measure(ctx context.Context, req models.MeasureRequest) (models.Measurement, error) {
	p.measured = append(p.measured, req)
	return p.measurement, p.fault(ctx, "measure")
}

func (p *platform) Limits(ctx context.Context, _ models.Service) (models.Limits, error) {
	return p.limits, p.fault(ctx, "limits")
}

func (p *platform) Decision(ctx context.Context, _ string) (models.Decision, error) {
	return p.decision, p.fault(ctx, "decision")
}

func (p *platform) OpenDecisions(context.Context, time.Time) ([]models.Decision, error) {
	return nil, nil
}

// steady is an api with four ready replicas at 250 requests/s.
func steady() *platform {
	p := &platform{
		service: models.DefaultServices("fleet")[0],
		set:     models.ReplicaSet{Service: models.ServiceAPI, Spec: 4, Ready: 4, ObservedAt: now},
		signals: []models.Signal{
			{Metric: models.MetricThroughput, Avg60: val(250.0), AgeSeconds: 1, Completeness: 1},
			{Metric: models.MetricCPU, Avg60: val(0.6), AgeSeconds: 1, Completeness: 1},
		},
		forecast: &models.ForecastPoint{P95: 300},
		limits:   models.Limits{Quota: val(20)},
		calendar: &models.Calendar{ReadAt: now, Windows: []models.CalendarWindow{{ID: "w", Start: now.Add(time.Hour), End: now.Add(6 * time.Hour), Guests: 120}}},
		usual:    val(260.0),
		peak:     val(900.0),
		spent:    models.Budget{SpentDay: 40},
		decision: models.Decision{ID: "d1", Outcome: models.OutcomeVerified},
		faults:   map[string]func(context.Context) error{},
	}
	for _, id := range []string{"a", "b", "c", "d"} {
		p.set.Replicas = append(p.set.Replicas, models.Replica{ID: id, Phase: models.ReplicaReady, OrderedAt: now.Add(-time.Hour)})
	}
	return p
}

func (p *platform) observer() *activities.Observer {
	return &activities.Observer{Catalogue: p, Signals: p, Forecaster: p, Claims: p, Actuator: p, Measurer: p, Decisions: p, Now: clock}
}

// whole is an observer with every port.
func (p *platform) whole() *activities.Observer {
	o := p.observer()
	o.Calendar, o.Usual, o.Rollups, o.Spending = p, p, p, p
	o.Budget, o.WeddingDays = models.Budget{Hour: 20, Day: 300}, true
	return o
}

func (p *platform) operator() *activities.Operator {
	return &activities.Operator{Actuator: p, Measurer: p, Observer: p.observer(), Now: clock, Poll: time.Millisecond}
}

// order adds replicas to the set, the spec with them.
func (p *platform) order(rs ...models.Replica) {
	for _, r := range rs {
		p.set.Replicas = append(p.set.Replicas, r)
		p.set.Spec++
		if r.Phase == models.ReplicaReady {
			p.set.Ready++
		}
	}
}
