package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/models"
)

// handleQueries answers with the state, and with the last explanation.
func (a *autoscale) handleQueries(ctx workflow.Context) error {
	if err := workflow.SetQueryHandler(ctx, QueryState, func() (AutoscaleState, error) { return a.state, nil }); err != nil {
		return err
	}
	return workflow.SetQueryHandler(ctx, QueryExplanation, func() (models.Explanation, error) {
		if a.state.Last == nil {
			return models.Explanation{Service: a.in.Service, Class: models.ClassHold, Text: fmt.Sprintf("%s was not evaluated yet.", a.in.Service)}, nil
		}
		return *a.state.Last, nil
	})
}

// handleUpdates takes commands of people. A command that breaks a rule is rejected
// before it enters the history.
func (a *autoscale) handleUpdates(ctx workflow.Context) error {
	err := workflow.SetUpdateHandlerWithOptions(ctx, UpdatePause, a.pause, workflow.UpdateHandlerOptions{
		Validator: func(ctx workflow.Context, r PauseRequest) error { return rejected(validPause(r, workflow.Now(ctx))) },
	})
	if err != nil {
		return err
	}
	err = workflow.SetUpdateHandlerWithOptions(ctx, UpdateResume, a.resume, workflow.UpdateHandlerOptions{
		Validator: func(_ workflow.Context, r ResumeRequest) error { return rejected(validCommand(r.Actor, r.Reason)) },
	})
	if err != nil {
		return err
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, UpdateOverride, a.override, workflow.UpdateHandlerOptions{
		Validator: func(ctx workflow.Context, r OverrideRequest) error {
			return rejected(validOverride(r, a.in.Service, workflow.Now(ctx)))
		},
	})
}

func (a *autoscale) pause(_ workflow.Context, r PauseRequest) (ControlAnswer, error) {
	a.state.Paused, a.state.PausedBy, a.state.PauseReason, a.state.PausedUntil = true, r.Actor, r.Reason, nil
	text := fmt.Sprintf("%s is paused until it is resumed.", a.in.Service)
	if !r.Until.IsZero() {
		until := r.Until
		a.state.PausedUntil = &until
		text = fmt.Sprintf("%s is paused until %s.", a.in.Service, until.UTC().Format("2 Jan 15:04:05 MST"))
	}
	if op := a.state.Operation; op != nil {
		text += fmt.Sprintf(" The change in flight (%s) goes on; cancel it to stop it.", op.DecisionID)
	}
	a.wake = true
	return a.control(text), nil
}

func (a *autoscale) resume(_ workflow.Context, _ ResumeRequest) (ControlAnswer, error) {
	lifted := a.lift()
	if !a.state.Paused && lifted == "" {
		return a.control(fmt.Sprintf("%s was not paused.", a.in.Service)), nil
	}
	a.unpause()
	a.wake = true
	return a.control(fmt.Sprintf("%s is resumed.%s", a.in.Service, lifted)), nil
}

func (a *autoscale) override(_ workflow.Context, r OverrideRequest) (ControlAnswer, error) {
	a.wake = true
	text := fmt.Sprintf("%s is evaluated now with %s.", a.in.Service, claimed(r.Reservation))
	if a.state.Paused {
		text = fmt.Sprintf("%s is paused by %s: %s counts when it is resumed.", a.in.Service, a.state.PausedBy, claimed(r.Reservation))
	}
	return a.control(text), nil
}

func (a *autoscale) control(text string) ControlAnswer {
	return ControlAnswer{Service: a.in.Service, Paused: a.state.Paused, Text: text}
}

// claimed names a reservation in a sentence.
func claimed(r models.Reservation) string {
	until := r.Until.UTC().Format("2 Jan 15:04 MST")
	switch r.Kind {
	case models.ReservationFloor:
		return fmt.Sprintf("at least %d replicas until %s", r.Replicas, until)
	case models.ReservationCap:
		return fmt.Sprintf("at most %d replicas until %s", r.Replicas, until)
	case models.ReservationFreeze:
		return "no change until " + until
	case models.ReservationEmergency:
		return "an emergency until " + until
	default:
		return "no scale-in until " + until
	}
}

func (a *autoscale) unpause() {
	a.state.Paused, a.state.PausedBy, a.state.PauseReason, a.state.PausedUntil = false, "", "", nil
}

// liftPause ends a pause whose time is over.
func (a *autoscale) liftPause(now time.Time) {
	if u := a.state.PausedUntil; a.state.Paused && u != nil && !now.Before(*u) {
		a.unpause()
	}
}

// maxPause bounds a pause with an end, so that a slip in a date is not a pause for years.
const maxPause = 31 * 24 * time.Hour

func validPause(r PauseRequest, now time.Time) error {
	if err := validCommand(r.Actor, r.Reason); err != nil {
		return err
	}
	if !r.Until.IsZero() && (!r.Until.After(now) || r.Until.Sub(now) > maxPause) {
		return models.Invalid("until", r.Until.Format(time.RFC3339), "must be absent, or in the next 31 days")
	}
	return nil
}

func validCommand(actor, reason string) error {
	if strings.TrimSpace(actor) == "" || len(actor) > 200 {
		return models.Invalid("actor", actor, "must have 1 to 200 characters")
	}
	if n := len(strings.TrimSpace(reason)); n < 3 || n > 500 {
		return models.Invalid("reason", reason, "must have 3 to 500 characters")
	}
	return nil
}

func validOverride(r OverrideRequest, service models.ServiceName, now time.Time) error {
	c := r.Reservation
	switch {
	case c.Service != service:
		return models.Invalid("reservation.service", c.Service, "must be "+string(service)+", the service of this autoscaler")
	case c.ID == "":
		return models.Invalid("reservation.id", "", "is required: the reservation must be stored before")
	case c.EndedAt != nil || !c.Until.After(now):
		return models.Invalid("reservation.until", c.Until.Format(time.RFC3339), "must be in the future, and the reservation not ended")
	}
	return c.Validate()
}

// rejected gives a broken rule its Temporal form: the type is the kind.
func rejected(err error) error {
	if err == nil {
		return nil
	}
	return temporal.NewNonRetryableApplicationError(err.Error(), string(models.KindOf(err)), nil)
}

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
