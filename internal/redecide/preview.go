package redecide

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

// Evaluations reads the last evaluation of a service at a time or before it, with its
// inputs; the zero time is now.
type Evaluations interface {
	EvaluationAt(ctx context.Context, service models.ServiceName, at time.Time) (models.Evaluation, error)
}

// Claims reads the reservations that count at a time.
type Claims interface {
	ActiveReservations(ctx context.Context, service models.ServiceName, at time.Time) ([]models.Reservation, error)
}

// Previewer answers what would be decided if some of the last inputs were others.
type Previewer struct {
	Evaluations Evaluations
	// Claims are read on the platform's behalf, whoever asks: the answer is wrong without
	// the floors that the asker may not list.
	Claims Claims
}

// Preview decides on the last inputs of a service with the changes made. Without changes
// it is the last decision again.
func (p *Previewer) Preview(ctx context.Context, req models.PreviewRequest) (models.Explanation, error) {
	const op = "redecide.Preview"
	e, err := p.Evaluations.EvaluationAt(ctx, req.Service, time.Time{})
	if models.KindOf(err) == models.KindNotFound {
		return models.Explanation{}, &models.Error{Kind: models.KindNotFound, Op: op, Field: "service", Value: string(req.Service), Rule: "was not evaluated yet", Err: err}
	}
	if err != nil {
		return models.Explanation{}, fmt.Errorf("%s: %w", op, err)
	}
	var in scaling.Inputs
	if err := json.Unmarshal(e.Inputs, &in); err != nil {
		return models.Explanation{}, fmt.Errorf("%s: the inputs of %s at %s: %w", op, e.Service, e.At.Format(time.RFC3339Nano), err)
	}
	if err := p.change(ctx, &in, req.Changes); err != nil {
		return models.Explanation{}, err
	}
	made, _ := scaling.Decide(in)
	return made, nil
}

// change makes the changes, time first: what was read stays as fresh as it was.
func (p *Previewer) change(ctx context.Context, in *scaling.Inputs, c models.PreviewChanges) error {
	if c.Now != nil {
		shift(in, c.Now.UTC())
		if c.Reservations == nil {
			claims, err := p.Claims.ActiveReservations(models.WithScope(ctx, models.Scope{Role: models.ScopeSystem, Subject: "preview"}), in.Observation.Service.Name, in.Now)
			if err != nil {
				return fmt.Errorf("redecide.Preview: %w", err)
			}
			in.Observation.Reservations = claims
		}
	}
	if c.Reservations != nil {
		in.Observation.Reservations = c.Reservations
		in.Observation.Mode = scaling.Declared(c.Reservations, in.Observation.Mode, in.Now)
	}
	if c.Mode != nil {
		in.Observation.Mode = *c.Mode
	}
	if c.RPS != nil {
		in.Spike = nil // it was of another load
	}
	for _, m := range []struct {
		metric models.MetricName
		value  *float64
	}{
		{models.MetricThroughput, c.RPS}, {models.MetricCPU, c.CPU}, {models.MetricMemory, c.Memory},
		{models.MetricResponseP95, c.ResponseTimeMS}, {models.MetricErrorRate, c.ErrorRate}, {models.MetricQueueDepth, c.QueueDepth},
	} {
		if m.value != nil {
			hold(&in.Observation, m.metric, *m.value)
		}
	}
	if c.Replicas != nil {
		resize(&in.Observation, *c.Replicas)
	}
	return bound(&in.Observation.Service, c)
}

// shift moves the decision to another time, with the age of all that was read.
func shift(in *scaling.Inputs, now time.Time) {
	by := now.Sub(in.Now)
	in.Now = now
	obs := &in.Observation
	obs.At = obs.At.Add(by)
	if obs.Replicas != nil {
		obs.Replicas.ObservedAt = obs.Replicas.ObservedAt.Add(by)
	}
	if obs.Calendar != nil {
		obs.Calendar.ReadAt = obs.Calendar.ReadAt.Add(by)
	}
	if obs.Forecast != nil {
		obs.Forecast.IssuedAt = obs.Forecast.IssuedAt.Add(by)
	}
	in.Spike = nil // it was of another time
}

// hold makes a metric have had one value for minutes, whole and fresh.
func hold(obs *models.Observation, metric models.MetricName, v float64) {
	s := models.Signal{Metric: metric, Avg2: &v, Avg6: &v, Avg60: &v, Avg300: &v, Max60: &v, Completeness: 1, Recent: []float64{v, v, v, v, v}}
	order := models.MetricNames()
	for i, old := range obs.Signals {
		if old.Metric == metric {
			s.IntervalSeconds, s.Max7Days = old.IntervalSeconds, old.Max7Days
			obs.Signals[i] = s
			return
		}
		if slices.Index(order, old.Metric) > slices.Index(order, metric) {
			obs.Signals = slices.Insert(obs.Signals, i, s)
			return
		}
	}
	obs.Signals = append(obs.Signals, s)
}

// resize makes n replicas be ordered and ready, and none on its way.
func resize(obs *models.Observation, n int) {
	set := models.ReplicaSet{Service: obs.Service.Name, ObservedAt: obs.At}
	if obs.Replicas != nil {
		set = *obs.Replicas
	}
	set.Spec, set.Ready = n, n
	since := obs.At.Add(-time.Hour) // they serve as those before them
	set.Replicas = make([]models.Replica, n)
	for i := range set.Replicas {
		set.Replicas[i] = models.Replica{ID: fmt.Sprintf("preview-%d", i+1), Phase: models.ReplicaReady, OrderedAt: since, ReadyAt: &since}
	}
	obs.Replicas = &set
}

// bound changes the bounds of the catalogue. Those that contradict each other are refused:
// nothing could be decided within them.
func bound(svc *models.Service, c models.PreviewChanges) error {
	if c.MinReplicas != nil {
		svc.MinReplicas = *c.MinReplicas
	}
	if c.MaxReplicas != nil {
		svc.MaxReplicas = *c.MaxReplicas
	}
	var errs []error
	if svc.MaxReplicas > svc.AbsoluteMaxReplicas && c.MaxReplicas != nil {
		errs = append(errs, models.Invalid("changes.maxReplicas", svc.MaxReplicas, fmt.Sprintf("must be at most %d, the service's safety cap", svc.AbsoluteMaxReplicas)))
	}
	if svc.MinReplicas > svc.MaxReplicas && c.MinReplicas != nil {
		errs = append(errs, models.Invalid("changes.minReplicas", svc.MinReplicas, fmt.Sprintf("must be at most %d, the maximum", svc.MaxReplicas)))
	} else if svc.MinReplicas > svc.MaxReplicas && c.MaxReplicas != nil {
		errs = append(errs, models.Invalid("changes.maxReplicas", svc.MaxReplicas, fmt.Sprintf("must be at least %d, the minimum", svc.MinReplicas)))
	}
	return errors.Join(errs...)
}
