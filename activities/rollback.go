package activities

import (
	"context"
	"fmt"
	"slices"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
	"github.com/wedsync/scalability/policies/verification"
)

// RollbackInput plans how far a change is taken back.
type RollbackInput struct {
	Service      models.Service `json:"service"`
	BaselineSpec int            `json:"baselineSpec"`
	Baseline     []string       `json:"baseline"` // replicas from before the change
	Unhealthy    []string       `json:"unhealthy"`
	// Cause of the verdict, which says what has to go; none: all that is new.
	Cause verification.Cause `json:"cause,omitempty"`
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
	now := verification.Situation{BaselineSpec: in.BaselineSpec, CurrentSpec: obs.Replicas.Spec, NeedNow: need, Harmful: harmful(*obs.Replicas, in)}
	if in.Cause == verification.CauseDatabase {
		now.DatabaseCap = databaseCap(obs.Limits)
	}
	target, reason := verification.RollbackTarget(now)
	return RollbackPlan{From: obs.Replicas.Spec, Target: target, Need: need, Reason: reason, Victims: victims(*obs.Replicas, in)}, nil
}

// databaseCap is how many replicas the database has connections for; nil: not known.
func databaseCap(l models.Limits) *int {
	if l.Database == nil {
		return nil
	}
	n, _, ok := scaling.DatabaseCeiling(*l.Database)
	if !ok {
		return nil
	}
	return &n
}

// harmful counts the new replicas that have to go. Where what runs badly is known by name,
// or does not run at all, the others stay; else all that is new goes.
func harmful(set models.ReplicaSet, in RollbackInput) int {
	fresh, ill, named := 0, 0, 0
	for _, r := range set.Replicas {
		if slices.Contains(in.Baseline, r.ID) {
			continue
		}
		fresh++
		listed := slices.Contains(in.Unhealthy, r.ID)
		if listed {
			named++
		}
		if listed || r.Phase != models.ReplicaReady || r.Restarts > 1 {
			ill++
		}
	}
	switch in.Cause {
	case verification.CauseCrash, verification.CauseStart:
		return ill
	case verification.CauseErrors, verification.CauseResponse, verification.CauseCapacity:
		if named > 0 {
			return ill
		}
		return fresh
	default:
		return fresh
	}
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
