package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

// baselineSeconds is the window of the measurement before a change.
const baselineSeconds = 15

// databaseWatch is the share of the database's connections from which a change is in doubt.
const databaseWatch = 0.85

// PreflightInput is a change that is about to be made.
type PreflightInput struct {
	Service models.Service `json:"service"`
	Target  int            `json:"target"`
	// Expected are the specs that the decision may start from: the one it saw, and the
	// target of an operation that it supersedes.
	Expected  []int     `json:"expected"`
	ExpiresAt time.Time `json:"expiresAt"`

	Class models.Class `json:"class,omitempty"`
	// Emergency does not wait for a rollout that is under way: it joins it.
	Emergency bool `json:"emergency,omitempty"`
	// Waited says that the decision waited for a person: the need of this moment is asked
	// again before capacity is removed.
	Waited bool `json:"waited,omitempty"`
}

// PreflightResult says whether the change may go on. Outcome is open when it may.
type PreflightResult struct {
	Outcome  models.Outcome      `json:"outcome"`
	Reason   string              `json:"reason"`
	Replicas models.ReplicaSet   `json:"replicas"`
	Baseline *models.Measurement `json:"baseline,omitempty"`
	// Before is the service as it stands, for a way back and for the record.
	Before *models.Standing `json:"before,omitempty"`
	// Busy names what is to be waited for; empty: go.
	Busy string `json:"busy,omitempty"`
	// Notes are worth a line in the record, and stop nothing.
	Notes []string `json:"notes,omitempty"`
}

// admission is one preflight.
type admission struct {
	*Operator
	in  PreflightInput
	set models.ReplicaSet
	res PreflightResult
	max models.Limits // read once, for growth
}

// check answers with why a change must not be made, "" where nothing speaks against it.
type check func(ctx context.Context) (string, error)

// Preflight looks before anything is changed: is the decision still good, has the spec
// moved, is it done already, does anybody else move it, is it frozen, and is there room?
// A dry run asks the actuator itself, where it has one.
func (o *Operator) Preflight(ctx context.Context, in PreflightInput) (PreflightResult, error) {
	a := &admission{Operator: o, in: in}
	if o.Now().After(in.ExpiresAt) {
		return PreflightResult{Outcome: models.OutcomeExpired, Reason: "the decision was not carried out by " + in.ExpiresAt.UTC().Format(time.RFC3339)}, nil
	}
	if o.Killed != nil && o.Killed() {
		return PreflightResult{Outcome: models.OutcomeRefused, Reason: "the kill switch is on: nothing is changed"}, nil
	}
	var err error
	if a.set, err = o.Actuator.Describe(ctx, in.Service.Name); err != nil {
		return PreflightResult{}, fail(err)
	}
	a.res.Replicas = a.set
	if a.set.Spec == in.Target {
		a.res.Outcome, a.res.Reason = models.OutcomeNoOp, fmt.Sprintf("%s has %d replicas already", in.Service.Name, in.Target)
		return a.res, nil
	}
	for _, c := range []check{a.moved, a.writers, a.frozen, a.limits, a.quota, a.database, a.need, a.dryRun} {
		why, err := c(ctx)
		if err != nil {
			return PreflightResult{}, fail(err)
		}
		if why != "" {
			a.res.Outcome, a.res.Reason = models.OutcomeRefused, why
			return a.res, nil
		}
	}
	if a.set.Rollout != "" && !in.Emergency {
		a.res.Busy = "rollout " + a.set.Rollout + " is under way"
		return a.res, nil
	}
	if a.set.Rollout != "" {
		a.res.Notes = append(a.res.Notes, "it joins rollout "+a.set.Rollout)
	}
	// A baseline that cannot be measured makes the verdict weaker, not the change wrong.
	if m, err := o.Measurer.Measure(ctx, models.MeasureRequest{Service: in.Service.Name, Baseline: a.set.IDs(), WindowSeconds: baselineSeconds}); err == nil {
		a.res.Baseline = &m
	}
	a.res.Before = a.standing()
	return a.res, nil
}

// standing is the service before the change.
func (a *admission) standing() *models.Standing {
	s := &models.Standing{
		At: a.Now(), Spec: a.set.Spec, Ready: a.set.Ready, CapacityRPS: float64(a.set.Ready) * a.in.Service.CapacityRPS,
		CostPerHour: float64(a.set.Spec) * a.in.Service.CostPerReplicaHour,
	}
	if m := a.res.Baseline; m != nil {
		s.P95MS, s.ErrorRate, s.DatabaseConnections = m.Service.P95MS, m.Service.ErrorRate, m.DatabaseConnections
	}
	return s
}

func (a *admission) moved(context.Context) (string, error) {
	if slices.Contains(a.in.Expected, a.set.Spec) {
		return "", nil
	}
	return fmt.Sprintf("the spec has moved: it is %d, the decision was made at %v", a.set.Spec, a.in.Expected), nil
}

// writers refuses to fight: two that set one spec undo each other's work.
func (a *admission) writers(context.Context) (string, error) {
	if len(a.set.Writers) == 0 {
		return "", nil
	}
	return "others set the spec too: " + strings.Join(a.set.Writers, ", "), nil
}

// frozen looks whether a freeze came after the decision. It yields to ceilings, and what
// cannot be read now was read when it was decided.
func (a *admission) frozen(ctx context.Context) (string, error) {
	if a.in.Class == models.ClassCap || a.Observer == nil || a.Observer.Claims == nil {
		return "", nil
	}
	now := a.Now()
	claims, err := a.Observer.Claims.ActiveReservations(ctx, a.in.Service.Name, now)
	if err != nil {
		a.res.Notes = append(a.res.Notes, "whether a freeze came since could not be read")
		return "", nil //nolint:nilerr // said in the notes
	}
	for _, r := range claims {
		if r.Kind == models.ReservationFreeze && r.ActiveAt(now) {
			return fmt.Sprintf("%s froze the service (%s)", r.Holder, r.Reason), nil
		}
	}
	return "", nil
}

// limits reads the ceilings that growth has to stay under.
func (a *admission) limits(ctx context.Context) (string, error) {
	if a.in.Target <= a.set.Spec {
		return "", nil
	}
	var err error
	a.max, err = a.Measurer.Limits(ctx, a.in.Service)
	return "", err
}

// quota refuses growth that the provider does not allow.
func (a *admission) quota(context.Context) (string, error) {
	if q := a.max.Quota; q != nil && a.in.Target > *q {
		return fmt.Sprintf("the provider allows %d replicas, not %d", *q, a.in.Target), nil
	}
	return "", nil
}

// database refuses growth that the database has no connections for, by the same
// arithmetic as the decision: others may have taken theirs since. From 85 % on, the share
// at which the verdict is in doubt, it says so.
func (a *admission) database(context.Context) (string, error) {
	db := a.max.Database
	if db == nil {
		return "", nil
	}
	ceiling, calc, ok := scaling.DatabaseCeiling(*db)
	switch {
	case !ok:
	case a.in.Target > ceiling:
		return fmt.Sprintf("the database has connections for %d replicas, not for %d: %s", ceiling, a.in.Target, calc), nil
	default:
		if used := db.OtherUsers + a.in.Target*db.PerReplica; float64(used) > databaseWatch*float64(db.MaxConnections) {
			a.res.Notes = append(a.res.Notes, fmt.Sprintf("%d of %d database connections will be in use", used, db.MaxConnections))
		}
	}
	return "", nil
}

// need asks again before capacity is removed that a person took time to agree to.
func (a *admission) need(ctx context.Context) (string, error) {
	if !a.in.Waited || a.in.Target >= a.set.Spec || a.in.Class == models.ClassCap {
		return "", nil
	}
	obs, err := a.Observer.Observe(ctx, ObserveInput{Service: a.in.Service.Name})
	if err != nil {
		return "", err
	}
	if n := scaling.NeedNow(obs); n > a.in.Target {
		return fmt.Sprintf("%d replicas are needed now, %d were to stay", n, a.in.Target), nil
	}
	return "", nil
}

// dryRun asks the actuator whether it would take the order.
func (a *admission) dryRun(ctx context.Context) (string, error) {
	d, ok := a.Actuator.(DryRunner)
	if !ok {
		return "", nil
	}
	err := d.DryRun(ctx, models.ApplyRequest{Service: a.in.Service.Name, ExpectedSpec: a.set.Spec, Desired: a.in.Target, Key: "dry-run"})
	switch models.KindOf(err) {
	case models.KindUnavailable, models.KindInternal, models.KindRateLimited:
		return "", err
	default:
		return "the actuator would refuse: " + err.Error(), nil
	}
}
