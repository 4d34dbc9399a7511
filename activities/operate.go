package activities

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/wedsync/scalability/models"
)

// Operator carries out and measures a change of capacity.
type Operator struct {
	Actuator Actuator
	Measurer Measurer
	Observer *Observer
	Now      func() time.Time
	Poll     time.Duration // between two looks while replicas start
	// Killed says whether the kill switch is on: nothing is changed then. Nil: never.
	Killed func() bool
}

// Order applies a change and answers what the actuator saw.
func (o *Operator) Order(ctx context.Context, req models.ApplyRequest) (models.ApplyResult, error) {
	res, err := o.Actuator.Apply(ctx, req)
	return res, fail(err)
}

// AwaitInput waits until a spec is ready.
type AwaitInput struct {
	Service  models.ServiceName `json:"service"`
	Spec     int                `json:"spec"`
	Deadline time.Time          `json:"deadline"`
	// Baseline are the replicas from before: a crash among the others ends the wait.
	Baseline []string `json:"baseline"`
	// Enough ready replicas end the wait; 0: all of Spec.
	Enough int `json:"enough,omitempty"`
}

// AwaitResult is what stood there when the wait ended.
type AwaitResult struct {
	Replicas models.ReplicaSet `json:"replicas"`
	Ready    bool              `json:"ready"`
	Crashing int               `json:"crashing"` // new replicas that crash
}

// AwaitReady polls until enough replicas are ready, a new one crashes again and again, or
// the deadline passes. It heartbeats, so that a worker's death is noticed; a repetition
// keeps the deadline.
func (o *Operator) AwaitReady(ctx context.Context, in AwaitInput) (AwaitResult, error) {
	var last AwaitResult
	for {
		set, err := o.Actuator.Describe(ctx, in.Service)
		if err == nil {
			last = AwaitResult{Replicas: set, Ready: in.met(set), Crashing: crashing(set, in.Baseline)}
			if last.Ready || last.Crashing > 0 {
				return last, nil
			}
		}
		if !o.Now().Before(in.Deadline) {
			return last, fail(err)
		}
		activity.RecordHeartbeat(ctx, last.Replicas.Ready)
		select {
		case <-ctx.Done():
			return last, ctx.Err()
		case <-activity.GetWorkerStopChannel(ctx):
			// Another worker goes on with the same deadline, at once.
			return last, fail(models.Unavailable("activities.AwaitReady", errors.New("this worker stops")))
		case <-time.After(o.Poll):
		}
	}
}

func (in AwaitInput) met(set models.ReplicaSet) bool {
	enough := in.Spec
	if in.Enough > 0 {
		enough = in.Enough
	}
	return set.Spec == in.Spec && set.Ready >= enough && len(set.Replicas) == in.Spec
}

// crashing counts the new replicas that crash, or that did so more than once.
func crashing(set models.ReplicaSet, baseline []string) int {
	n := 0
	for _, r := range set.Replicas {
		if (r.Phase == models.ReplicaCrashing || r.Restarts > 1) && !slices.Contains(baseline, r.ID) {
			n++
		}
	}
	return n
}

// Measure compares new capacity with old.
func (o *Operator) Measure(ctx context.Context, req models.MeasureRequest) (models.Measurement, error) {
	m, err := o.Measurer.Measure(ctx, req)
	return m, fail(err)
}

// ProbeResult says whether synthetic requests are on their way.
type ProbeResult struct {
	Sent bool `json:"sent"` // false: nothing here can send any
}

// Probe sends synthetic requests to new replicas that too few people use, where an
// adapter can.
func (o *Operator) Probe(ctx context.Context, req models.ProbeRequest) (ProbeResult, error) {
	p, ok := o.Measurer.(Prober)
	if !ok {
		return ProbeResult{}, nil
	}
	if err := p.Probe(ctx, req); err != nil {
		return ProbeResult{}, fail(err)
	}
	return ProbeResult{Sent: true}, nil
}
