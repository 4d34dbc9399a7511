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
	if !a.state.Paused {
		return a.control(fmt.Sprintf("%s was not paused.", a.in.Service)), nil
	}
	a.unpause()
	a.wake = true
	return a.control(fmt.Sprintf("%s is resumed.", a.in.Service)), nil
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
