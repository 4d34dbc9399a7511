package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/models"
)

// chooseRequest gives the request that a decision to grow takes up: the one whose
// reservation asks for the most, and of equals the oldest. Nil: nobody asked.
func chooseRequest(obs models.Observation, e models.Explanation) *models.DecisionRequest {
	if e.Direction != models.DirectionUp {
		return nil
	}
	var best *models.DecisionRequest
	most := 0
	for i, r := range obs.Requests {
		if c := claim(obs, r); c != nil && c.Kind == models.ReservationFloor && c.Replicas > max(most, e.Current) {
			best, most = &obs.Requests[i], c.Replicas
		}
	}
	return best
}

// claim is the reservation behind a request, when it is active.
func claim(obs models.Observation, r models.DecisionRequest) *models.Reservation {
	for i, c := range obs.Reservations {
		if c.ID == r.ReservationID {
			return &obs.Reservations[i]
		}
	}
	return nil
}

// answerRequests closes the requests that this evaluation answers. The others stay open
// for the next one.
func (a *autoscale) answerRequests(ctx workflow.Context, ev *evaluation) {
	for _, r := range ev.obs.Requests {
		if ev.launched != nil && r.DecisionID == ev.launched.ID {
			continue
		}
		if outcome, reason := a.answer(ev, r); outcome != models.OutcomeOpen {
			a.closeRow(ctx, r.DecisionID, r.CreatedAt, ending{outcome: outcome, reason: reason})
		}
	}
}

// answer says how a request ends that was not taken up:
//
//	paused, or shadow                        → refused
//	not everything could be read             → stays open
//	its reservation is not active            → no_op
//	a decision was launched now              → superseded by it
//	the capacity is there, or on its way     → no_op
//	the decision is to hold below the floor  → refused, with what holds it
//	else (not recorded, not yet replaced)    → stays open
func (a *autoscale) answer(ev *evaluation, r models.DecisionRequest) (models.Outcome, string) {
	e, op := ev.explanation, a.state.Operation
	switch {
	case a.state.Paused:
		return models.OutcomeRefused, fmt.Sprintf("%s paused the autoscaler (%s); the reservation stands and counts when it is resumed", a.state.PausedBy, a.state.PauseReason)
	case a.in.Shadow:
		return models.OutcomeRefused, "the autoscaler runs in shadow mode: it decides and changes nothing"
	case ev.obs.Replicas == nil:
		return models.OutcomeOpen, ""
	}
	c := claim(ev.obs, r)
	switch {
	case c == nil && len(ev.obs.Gaps) > 0:
		return models.OutcomeOpen, ""
	case c == nil:
		return models.OutcomeNoOp, "its reservation is not active now"
	case c.Kind != models.ReservationFloor:
		return models.OutcomeNoOp, "its reservation counts from now; nothing had to be changed for it"
	case ev.launched != nil:
		return models.OutcomeSuperseded, fmt.Sprintf("decision %s brings %d replicas", ev.launched.ID, ev.launched.ToReplicas)
	case op != nil && c.Replicas <= op.Target:
		return models.OutcomeNoOp, fmt.Sprintf("decision %s is bringing %d replicas already", op.DecisionID, op.Target)
	case op == nil && c.Replicas <= e.Current:
		return models.OutcomeNoOp, fmt.Sprintf("%s has %d replicas already", a.in.Service, e.Current)
	case op == nil && e.Direction == models.DirectionHold:
		return models.OutcomeRefused, e.BindingReason
	default:
		return models.OutcomeOpen, ""
	}
}
