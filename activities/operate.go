package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
	"github.com/wedsync/scalability/policies/verification"
)

// Operator carries out and measures a change of capacity.
type Operator struct {
	Actuator Actuator
	Measurer Measurer
	Observer *Observer
	Now      func() time.Time
	Poll     time.Duration // between two looks while replicas start
}

// baselineSeconds is the window of the measurement before a change.
const baselineSeconds = 15

// PreflightInput is a change that is about to be made.
type PreflightInput struct {
	Service models.Service `json:"service"`
	Target  int            `json:"target"`
	// Expected are the specs that the decision may start from: the one it saw, and the
	// target of an operation that it supersedes.
	Expected  []int     `json:"expected"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// PreflightResult says whether the change may go on. Outcome is open when it may.
type PreflightResult struct {
	Outcome  models.Outcome      `json:"outcome"`
	Reason   string              `json:"reason"`
	Replicas models.ReplicaSet   `json:"replicas"`
	Baseline *models.Measurement `json:"baseline,omitempty"`
}

// Preflight looks before anything is changed: is the decision still good, has the spec
// moved, is it done already, and does the database have room?
func (o *Operator) Preflight(ctx context.Context, in PreflightInput) (PreflightResult, error) {
	if o.Now().After(in.ExpiresAt) {
		return PreflightResult{Outcome: models.OutcomeExpired, Reason: "the decision was not carried out by " + in.ExpiresAt.UTC().Format(time.RFC3339)}, nil
	}
	set, err := o.Actuator.Describe(ctx, in.Service.Name)
	if err != nil {
		return PreflightResult{}, fail(err)
	}
	res := PreflightResult{Replicas: set}
	switch {
	case set.Spec == in.Target:
		res.Outcome, res.Reason = models.OutcomeNoOp, fmt.Sprintf("%s has %d replicas already", in.Service.Name, in.Target)
		return res, nil
	case !slices.Contains(in.Expected, set.Spec):
		res.Outcome, res.Reason = models.OutcomeRefused, fmt.Sprintf("the spec has moved: it is %d, the decision was made at %v", set.Spec, in.Expected)
		return res, nil
	}
	why, err := o.databaseRoom(ctx, in, set)
	if err != nil {
		return PreflightResult{}, fail(err)
	}
	if why != "" {
		res.Outcome, res.Reason = models.OutcomeRefused, why
		return res, nil
	}
	// A baseline that cannot be measured makes the verdict weaker, not the change wrong.
	if m, err := o.Measurer.Measure(ctx, models.MeasureRequest{Service: in.Service.Name, Baseline: set.IDs(), WindowSeconds: baselineSeconds}); err == nil {
		res.Baseline = &m
	}
	return res, nil
}

// databaseRoom refuses growth that the database has no connections for, by the same
// arithmetic as the decision: others may have taken theirs since.
func (o *Operator) databaseRoom(ctx context.Context, in PreflightInput, set models.ReplicaSet) (string, error) {
	if in.Target <= set.Spec {
		return "", nil
	}
	limits, err := o.Measurer.Limits(ctx, in.Service)
	if err != nil || limits.Database == nil {
		return "", err
	}
	ceiling, calc, ok := scaling.DatabaseCeiling(*limits.Database)
	if !ok || in.Target <= ceiling {
		return "", nil
	}
	return fmt.Sprintf("the database has connections for %d replicas, not for %d: %s", ceiling, in.Target, calc), nil
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
}

// AwaitResult is what stood there when the wait ended.
type AwaitResult struct {
	Replicas models.ReplicaSet `json:"replicas"`
	Ready    bool              `json:"ready"`
	Crashing int               `json:"crashing"` // new replicas that crash
}

// AwaitReady polls until all replicas are ready, a new one crashes again and again, or
// the deadline passes. It heartbeats, so that a worker's death is noticed; a repetition
// keeps the deadline.
func (o *Operator) AwaitReady(ctx context.Context, in AwaitInput) (AwaitResult, error) {
	var last AwaitResult
	for {
		set, err := o.Actuator.Describe(ctx, in.Service)
		if err == nil {
			last = AwaitResult{Replicas: set, Ready: set.Spec == in.Spec && set.Ready >= in.Spec && len(set.Replicas) == in.Spec, Crashing: crashing(set, in.Baseline)}
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

func crashing(set models.ReplicaSet, baseline []string) int {
	n := 0
	for _, r := range set.Replicas {
		if r.Phase == models.ReplicaCrashing && !slices.Contains(baseline, r.ID) {
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

// RollbackInput plans how far a change is taken back.
type RollbackInput struct {
	Service      models.Service `json:"service"`
	BaselineSpec int            `json:"baselineSpec"`
	Baseline     []string       `json:"baseline"` // replicas from before the change
	Unhealthy    []string       `json:"unhealthy"`
}

// RollbackPlan is a spec to go back to, and which replicas go first.
type RollbackPlan struct {
	From    int      `json:"from"`
	Target  int      `json:"target"`
	Need    int      `json:"need"`
	Reason  string   `json:"reason"`
	Victims []string `json:"victims"`
}

// PlanRollback reads the need of this very moment, below which nothing is taken back.
// When the replicas cannot be read there is no plan.
func (o *Operator) PlanRollback(ctx context.Context, in RollbackInput) (RollbackPlan, error) {
	obs, err := o.Observer.Observe(ctx, ObserveInput{Service: in.Service.Name})
	if err != nil {
		return RollbackPlan{}, fail(err)
	}
	if obs.Replicas == nil {
		return RollbackPlan{}, fail(models.Unavailable("activities.PlanRollback", fmt.Errorf("the replicas of %s could not be read", in.Service.Name)))
	}
	if obs.Service.Name == "" {
		obs.Service = in.Service
	}
	need := scaling.NeedNow(obs)
	target, reason := verification.RollbackTarget(verification.Situation{BaselineSpec: in.BaselineSpec, CurrentSpec: obs.Replicas.Spec, NeedNow: need})
	return RollbackPlan{From: obs.Replicas.Spec, Target: target, Need: need, Reason: reason, Victims: victims(*obs.Replicas, in)}, nil
}

// victims orders the new replicas for removal: unhealthy and crashing first, then those
// that are not ready, then the newest.
func victims(set models.ReplicaSet, in RollbackInput) []string {
	rank := func(r models.Replica) int {
		switch {
		case slices.Contains(in.Unhealthy, r.ID) || r.Phase == models.ReplicaCrashing:
			return 0
		case r.Phase != models.ReplicaReady:
			return 1
		default:
			return 2
		}
	}
	var fresh []models.Replica
	for _, r := range set.Replicas {
		if !slices.Contains(in.Baseline, r.ID) {
			fresh = append(fresh, r)
		}
	}
	slices.SortStableFunc(fresh, func(a, b models.Replica) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return b.OrderedAt.Compare(a.OrderedAt)
	})
	ids := make([]string, len(fresh))
	for i, r := range fresh {
		ids[i] = r.ID
	}
	return ids
}
