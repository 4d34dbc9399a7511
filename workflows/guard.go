package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
	"github.com/wedsync/scalability/policies/verification"
)

const (
	// quarantineFirst is how long growth waits when what is started does not run; it
	// doubles with each time, to quarantineMost.
	quarantineFirst = 5 * time.Minute
	quarantineMost  = 20 * time.Minute
	// quarantineMemory is how long after its end a quarantine makes the next one longer.
	quarantineMemory = time.Hour
	// probeEvery is how often a service that needs more may try one replica meanwhile.
	probeEvery = time.Minute
	// waryFor is how long scale-in waits twice as long after one did harm.
	waryFor = time.Hour
	// declinedFor is how long a person's no to a scale-in counts.
	declinedFor = time.Hour
	// frozenAhead is the end that a freeze without one is given in each decision.
	frozenAhead = 24 * time.Hour
)

// Quarantine holds growth back because what is started now does not run.
type Quarantine struct {
	Cause      verification.Cause `json:"cause"`
	DecisionID string             `json:"decisionId"` // of the last change that failed
	Failures   int                `json:"failures"`
	Since      time.Time          `json:"since"`
	Until      time.Time          `json:"until"`
	Template   string             `json:"template,omitempty"` // that failed; another one lifts it
	ProbedAt   *time.Time         `json:"probedAt,omitempty"` // last change of one replica meanwhile
}

// Frozen stops every change because one is neither done nor undone.
type Frozen struct {
	DecisionID string    `json:"decisionId"`
	At         time.Time `json:"at"`
	Reason     string    `json:"reason"`
}

// Declined is a person's no to a scale-in.
type Declined struct {
	By    string    `json:"by"`
	Until time.Time `json:"until"`
}

// guarded is the observation with what failed changes ask of it: claims of the
// autoscaler itself, so that the decision sees, explains and records them like those of
// anybody else.
//
//	frozen      a freeze, until a person resumes the service
//	quarantine  a cap at what stands; one more, once a minute, while fewer are ready than
//	            measured demand needs: what is tried then shows whether the rest may follow
//	declined    no scale-in
//	wary        a scale-in waits twice as long after growth
func (a *autoscale) guarded(now time.Time, obs models.Observation) models.Observation {
	obs.Reservations = slices.Clone(obs.Reservations)
	claim := func(kind models.ReservationKind, replicas int, until time.Time, holder, reason string) {
		obs.Reservations = append(obs.Reservations, models.Reservation{
			ID: holder, Service: a.in.Service, Kind: kind, Replicas: replicas, From: now, Until: until, Holder: holder, Reason: reason,
		})
	}
	if f := a.state.Frozen; f != nil {
		claim(models.ReservationFreeze, 0, now.Add(frozenAhead), "rollback", f.Reason+"; it is renewed until a person resumes the service")
	}
	if q := a.state.Quarantine; q != nil && now.Before(q.Until) && obs.Replicas != nil {
		most, why := obs.Replicas.Spec, fmt.Sprintf("decision %s failed by %s, growth waits until %s", q.DecisionID, q.Cause, q.Until.UTC().Format("15:04:05"))
		if q.mayProbe(now, obs) {
			most, why = most+1, why+"; one is tried, since fewer are ready than needed"
		}
		claim(models.ReservationCap, most, q.Until, "quarantine", why)
	}
	if d := a.state.Declined; d != nil && now.Before(d.Until) {
		claim(models.ReservationNoIn, 0, d.Until, d.By, "the last scale-in was not approved")
	}
	if w := a.state.WaryUntil; w != nil && now.Before(*w) {
		obs.Service.Policy.HoldAfterUpSeconds *= 2
	}
	return obs
}

// mayProbe says whether measured demand alone needs more than is ready, and the last
// trial is a while ago.
func (q *Quarantine) mayProbe(now time.Time, obs models.Observation) bool {
	if q.ProbedAt != nil && now.Sub(*q.ProbedAt) < probeEvery {
		return false
	}
	obs.Reservations, obs.Calendar = nil, nil
	return scaling.NeedNow(obs) > obs.Replicas.Ready
}

// learn takes what an operation's end means for the next ones.
func (a *autoscale) learn(ctx workflow.Context, op Operation, f OperationFinished) {
	now := workflow.Now(ctx)
	switch {
	case f.Stuck != "" && op.Direction == models.DirectionUp:
		a.state.Frozen = &Frozen{DecisionID: f.DecisionID, At: now, Reason: f.Stuck}
		workflow.GetLogger(ctx).Error("the service is frozen until a person resumes it", "service", a.in.Service, "decision", f.DecisionID, "reason", f.Stuck)
	case f.DeclinedBy != "":
		a.state.Declined = &Declined{By: f.DeclinedBy, Until: now.Add(declinedFor)}
	case op.Direction == models.DirectionDown && f.Outcome == models.OutcomeRolledBack:
		// What was removed was ordered again: scale-in waits as after any growth, and
		// twice as long for an hour.
		until := now.Add(waryFor)
		a.state.Policy.LastUpAt, a.state.WaryUntil = &now, &until
	}
	if op.Direction != models.DirectionUp {
		return
	}
	switch {
	case f.Outcome == models.OutcomeVerified:
		a.state.Quarantine = nil
	case f.Outcome == models.OutcomeRolledBack && (f.Cause == verification.CauseCrash || f.Cause == verification.CauseStart):
		a.quarantine(now, f)
	}
}

// quarantine begins or prolongs the back-off: 5, 10, then 20 minutes.
func (a *autoscale) quarantine(now time.Time, f OperationFinished) {
	q := Quarantine{Since: now}
	if old := a.state.Quarantine; old != nil {
		q = *old
	}
	q.Cause, q.DecisionID, q.Template = f.Cause, f.DecisionID, a.state.Template
	q.Failures++
	wait := quarantineFirst
	for range min(q.Failures-1, 8) {
		wait = min(2*wait, quarantineMost)
	}
	q.Until = now.Add(wait)
	a.state.Quarantine = &q
}

// forget drops what has had its time, and a quarantine of what is not started any more.
func (a *autoscale) forget(now time.Time, set *models.ReplicaSet) {
	if d := a.state.Declined; d != nil && !now.Before(d.Until) {
		a.state.Declined = nil
	}
	if w := a.state.WaryUntil; w != nil && !now.Before(*w) {
		a.state.WaryUntil = nil
	}
	q := a.state.Quarantine
	if set != nil && set.Template != "" {
		a.state.Template = set.Template
	}
	if q != nil && (now.Sub(q.Until) > quarantineMemory || (q.Template != "" && a.state.Template != q.Template)) {
		a.state.Quarantine = nil
	}
}

// lift gives a person's word effect on what failed changes left behind; "" when there was
// nothing.
func (a *autoscale) lift() string {
	text := ""
	if a.state.Frozen != nil {
		text += fmt.Sprintf(" The freeze after decision %s is lifted.", a.state.Frozen.DecisionID)
	}
	if a.state.Quarantine != nil {
		text += fmt.Sprintf(" The quarantine after decision %s is lifted.", a.state.Quarantine.DecisionID)
	}
	if a.state.Declined != nil {
		text += " Scale-in may be proposed again."
	}
	a.state.Frozen, a.state.Quarantine, a.state.Declined = nil, nil, nil
	return text
}
