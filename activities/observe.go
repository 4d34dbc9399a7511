package activities

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

// partTimeout bounds each part of an observation, so that one dependency that hangs
// costs a gap and not the observation.
const partTimeout = 2 * time.Second

// Observer reads everything that a decision about one service is made from.
type Observer struct {
	Catalogue  Catalogue
	Signals    SignalReader
	Forecaster Forecaster // nil: no forecast
	Claims     Claims
	Actuator   Actuator
	Measurer   Measurer
	Decisions  DecisionReader
	Now        func() time.Time
}

// ObserveInput names the service, and the decision in flight whose outcome is asked for.
type ObserveInput struct {
	Service  models.ServiceName `json:"service"`
	InFlight string             `json:"inFlight,omitempty"`
}

// Observe reads all parts side by side. A part that fails becomes a gap; the catalogue
// entry of a service that could not be read is the zero Service.
func (o *Observer) Observe(ctx context.Context, in ObserveInput) (models.Observation, error) {
	now := o.Now()
	obs := models.Observation{At: now, Signals: []models.Signal{}, Reservations: []models.Reservation{}, Requests: []models.DecisionRequest{}}
	g := &gatherer{ctx: ctx}
	g.read("the catalogue", func(ctx context.Context) (func(), error) {
		svc, err := o.Catalogue.Service(ctx, in.Service)
		return func() { obs.Service = svc }, err
	})
	g.read("the replicas", func(ctx context.Context) (func(), error) {
		set, err := o.Actuator.Describe(ctx, in.Service)
		return func() { obs.Replicas = &set }, err
	})
	g.read("the metrics", func(ctx context.Context) (func(), error) {
		signals, err := o.Signals.Signals(ctx, in.Service, now)
		return func() { obs.Signals = append(obs.Signals, signals...) }, err
	})
	g.read("the reservations", func(ctx context.Context) (func(), error) {
		rs, err := o.Claims.ActiveReservations(ctx, in.Service, now)
		return func() { obs.Reservations = append(obs.Reservations, rs...) }, err
	})
	g.read("the requests", func(ctx context.Context) (func(), error) {
		rs, err := o.Claims.OpenRequests(ctx, in.Service)
		return func() { obs.Requests = append(obs.Requests, rs...) }, err
	})
	if in.InFlight != "" {
		g.read("the decision in flight", func(ctx context.Context) (func(), error) {
			d, err := o.Decisions.Decision(ctx, in.InFlight)
			return func() { obs.Operation = &models.OperationRef{DecisionID: d.ID, Outcome: d.Outcome} }, err
		})
	}
	g.wait()
	obs.Gaps = g.gaps
	o.derive(ctx, &obs)
	return obs, nil
}

// derive reads what depends on the catalogue entry.
func (o *Observer) derive(ctx context.Context, obs *models.Observation) {
	if obs.Service.Name == "" {
		return
	}
	g := &gatherer{ctx: ctx}
	g.read("the limits", func(ctx context.Context) (func(), error) {
		l, err := o.Measurer.Limits(ctx, obs.Service)
		return func() { obs.Limits = l }, err
	})
	if o.Forecaster != nil {
		// A forecast only ever raises: without one nothing is unsafe, so its absence is
		// no gap.
		g.readQuietly(func(ctx context.Context) (func(), error) {
			f, err := o.Forecaster.Forecast(ctx, obs.Service, obs.At, scaling.Lead(obs.Service))
			return func() { obs.Forecast = f }, err
		})
	}
	g.wait()
	obs.Gaps = append(obs.Gaps, g.gaps...)
}

// gatherer runs reads side by side; what they found is stored one after the other, in
// the order they were asked for, so that an observation does not depend on timing.
type gatherer struct {
	ctx   context.Context //nolint:containedctx // lives for one call
	wg    sync.WaitGroup
	parts []*part
	gaps  []string
}

type part struct {
	name  string
	store func()
	err   error
}

func (g *gatherer) read(name string, f func(ctx context.Context) (func(), error)) {
	p := &part{name: name}
	g.parts = append(g.parts, p)
	g.wg.Go(func() {
		ctx, cancel := context.WithTimeout(g.ctx, partTimeout)
		defer cancel()
		p.store, p.err = f(ctx)
	})
}

func (g *gatherer) readQuietly(f func(ctx context.Context) (func(), error)) { g.read("", f) }

func (g *gatherer) wait() {
	g.wg.Wait()
	for _, p := range g.parts {
		switch {
		case p.err == nil:
			p.store()
		case p.name != "":
			g.gaps = append(g.gaps, fmt.Sprintf("%s could not be read (%s)", p.name, typeName(models.KindOf(p.err))))
		}
	}
}

// Decider runs the decision as a local activity, so that the recorded value replays.
type Decider struct{}

// DecideResult is a decision and what the next one needs to remember.
type DecideResult struct {
	Explanation models.Explanation `json:"explanation"`
	State       scaling.State      `json:"state"`
}

// Decide calls the policy.
func (Decider) Decide(_ context.Context, in scaling.Inputs) (DecideResult, error) {
	e, s := scaling.Decide(in)
	return DecideResult{Explanation: e, State: s}, nil
}
