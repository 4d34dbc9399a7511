package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	Learned    LearnedReader // nil: the catalogue's figures count
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
	read(g, "the catalogue", func(ctx context.Context) (models.Service, error) { return o.Catalogue.Service(ctx, in.Service) },
		func(svc models.Service) { obs.Service = svc })
	read(g, "the replicas", func(ctx context.Context) (models.ReplicaSet, error) { return o.Actuator.Describe(ctx, in.Service) },
		func(set models.ReplicaSet) { obs.Replicas = &set })
	read(g, "the metrics", func(ctx context.Context) ([]models.Signal, error) { return o.Signals.Signals(ctx, in.Service, now) },
		func(s []models.Signal) { obs.Signals = append(obs.Signals, s...) })
	read(g, "the reservations", func(ctx context.Context) ([]models.Reservation, error) {
		return o.Claims.ActiveReservations(ctx, in.Service, now)
	}, func(rs []models.Reservation) { obs.Reservations = append(obs.Reservations, rs...) })
	read(g, "the requests", func(ctx context.Context) ([]models.DecisionRequest, error) {
		return o.Claims.OpenRequests(ctx, in.Service)
	},
		func(rs []models.DecisionRequest) { obs.Requests = append(obs.Requests, rs...) })
	if in.InFlight != "" {
		read(g, "the decision in flight", func(ctx context.Context) (models.Decision, error) { return o.Decisions.Decision(ctx, in.InFlight) },
			func(d models.Decision) { obs.Operation = &models.OperationRef{DecisionID: d.ID, Outcome: d.Outcome} })
	}
	obs.Gaps = g.wait()
	obs.Requests = slices.DeleteFunc(obs.Requests, func(r models.DecisionRequest) bool { return torn(obs, r) })
	o.derive(ctx, &obs)
	return obs, nil
}

// tornFor is how long after it was made a request may be seen without its reservation.
const tornFor = 10 * time.Second

// torn says whether a request that was made a moment ago is seen without its reservation:
// they are committed together, but the two reads may fall on either side of that. Answered
// now, it would be told that its reservation is not active; the next observation has both.
func torn(obs models.Observation, r models.DecisionRequest) bool {
	return obs.At.Sub(r.CreatedAt) < tornFor &&
		!slices.ContainsFunc(obs.Reservations, func(c models.Reservation) bool { return c.ID == r.ReservationID })
}

// derive reads what depends on the catalogue entry.
func (o *Observer) derive(ctx context.Context, obs *models.Observation) {
	if obs.Service.Name == "" {
		return
	}
	svc, at := obs.Service, obs.At
	g := &gatherer{ctx: ctx}
	read(g, "the limits", func(ctx context.Context) (models.Limits, error) { return o.Measurer.Limits(ctx, svc) },
		func(l models.Limits) { obs.Limits = l })
	if o.Learned != nil {
		// Without it the catalogue's figures count, so its absence is no gap.
		read(g, "", func(ctx context.Context) (models.Learned, error) { return o.Learned.Learned(ctx, svc.Name, at) },
			func(l models.Learned) {
				if l != (models.Learned{}) {
					obs.Learned = &l
				}
			})
	}
	if o.Forecaster != nil {
		// A forecast only ever raises: without one nothing is unsafe, so its absence is
		// no gap.
		read(g, "", func(ctx context.Context) (*models.ForecastPoint, error) {
			return o.Forecaster.Forecast(ctx, svc, at, scaling.Lead(svc))
		}, func(f *models.ForecastPoint) { obs.Forecast = f })
	}
	obs.Gaps = append(obs.Gaps, g.wait()...)
}

// gatherer runs reads side by side; what they found is stored one after the other, in
// the order they were asked for, so that an observation does not depend on timing.
type gatherer struct {
	ctx   context.Context //nolint:containedctx // lives for one call
	parts []part
}

// part is a read under way, named for its gap; without a name its failure is none.
type part struct {
	name   string
	ctx    context.Context //nolint:containedctx // of this read alone
	answer <-chan found
}

// found is what a read gave: store puts it into the observation.
type found struct {
	store func()
	err   error
}

// read starts a read.
func read[T any](g *gatherer, name string, f func(ctx context.Context) (T, error), store func(T)) {
	ctx, cancel := context.WithTimeout(g.ctx, partTimeout)
	answer := make(chan found, 1)
	g.parts = append(g.parts, part{name: name, ctx: ctx, answer: answer})
	go func() {
		defer cancel() // after the answer, so that an end without one is a time-out
		v, err := f(ctx)
		if err == nil {
			err = carriable(v)
		}
		answer <- found{store: func() { store(v) }, err: err}
	}()
}

// await gives what a read found. It is waited for no longer than partTimeout, also when
// it ignores its context: what it finds later is dropped.
func (p part) await() found {
	select {
	case f := <-p.answer:
		return f
	case <-p.ctx.Done():
	}
	select {
	case f := <-p.answer:
		return f
	default:
		return found{err: p.ctx.Err()}
	}
}

// carriable refuses what cannot travel to the workflow, such as a NaN: one bad number
// must not cost the whole observation.
func carriable(v any) error {
	if _, err := json.Marshal(v); err != nil {
		return &models.Error{Kind: models.KindInvalid, Op: "activities.Observe", Err: err}
	}
	return nil
}

// wait stores what was found and gives the gaps.
func (g *gatherer) wait() (gaps []string) {
	for _, p := range g.parts {
		f := p.await()
		switch {
		case f.err == nil:
			f.store()
		case p.name != "":
			gaps = append(gaps, fmt.Sprintf("%s could not be read (%s)", p.name, cause(f.err)))
		}
	}
	return gaps
}

// cause is one word for why a read failed: details belong into logs, not into the
// record of a decision.
func cause(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	default:
		return typeName(models.KindOf(err))
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
