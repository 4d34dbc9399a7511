package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

const (
	// requestLife is how long a request for capacity waits for its autoscaler, whose
	// slowest loop takes 30 s by default.
	requestLife  = 120 * time.Second
	nudgeTimeout = 3 * time.Second
	takenUpLater = "The autoscaler could not be reached; it takes this up at its next tick."
)

// ListServices gives the catalogue.
func (s *server) ListServices(c *gin.Context) {
	services, err := s.Catalogue.Services(c.Request.Context())
	list := gen.ServiceList{Items: make([]models.CatalogueEntry, len(services))}
	for i, svc := range services {
		list.Items[i].Service = svc
	}
	s.reply(c, http.StatusOK, list, err)
}

// GetService gives one entry with what its record says of it. The entry is answered also
// where the record cannot be read.
func (s *server) GetService(c *gin.Context, service gen.ServicePath) {
	ctx := c.Request.Context()
	svc, err := s.Catalogue.Service(ctx, service)
	if err != nil {
		s.fail(c, err)
		return
	}
	entry := models.CatalogueEntry{Service: svc}
	if learned, err := s.Evaluations.Learned(ctx, service, s.now()); err != nil {
		s.Log.WarnContext(ctx, "what was learned could not be read", "requestId", callOf(c).requestID, "service", service, "error", err)
	} else {
		entry.Learned = &learned
	}
	c.JSON(http.StatusOK, entry)
}

// PutService changes one entry, unless somebody else did since it was read.
func (s *server) PutService(c *gin.Context, service gen.ServicePath) {
	svc, err := decode[models.Service](c)
	if err == nil && svc.Name != "" && svc.Name != service {
		err = models.Invalid("name", svc.Name, "must be the service of the path, or absent")
	}
	svc.Name = service
	if err == nil {
		err = svc.Validate()
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	svc.UpdatedAt = s.now()
	stored, err := s.Catalogue.UpdateService(c.Request.Context(), svc)
	s.reply(c, http.StatusOK, stored, err)
}

// GetExplanation gives the record of the last evaluation.
func (s *server) GetExplanation(c *gin.Context, service gen.ServicePath) {
	st, err := s.state(c.Request.Context(), service)
	if err == nil && (st == nil || st.Explanation == nil) {
		err = &models.Error{Kind: models.KindNotFound, Field: "service", Value: string(service), Rule: "was not evaluated yet"}
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, st.Explanation)
}

// state is the last evaluation of a service; nil where there is none.
func (s *server) state(ctx context.Context, service models.ServiceName) (*models.ScalingState, error) {
	states, err := s.States.ScalingStates(ctx)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(states, func(x models.ScalingState) bool { return x.Service == service }); i >= 0 {
		return &states[i], nil
	}
	return nil, nil //nolint:nilnil // never evaluated is an answer
}

// ScaleService commits a floor and a proposed decision, then wakes the autoscaler. Where
// it cannot be woken the call has succeeded all the same: the rows are found at the
// next tick.
func (s *server) ScaleService(c *gin.Context, service gen.ServicePath) {
	ctx := c.Request.Context()
	req, err := decode[gen.ScaleRequest](c)
	if err != nil {
		s.fail(c, err)
		return
	}
	now := s.now()
	claim := s.claim(c, service, req.Reason)
	claim.Kind, claim.Replicas = models.ReservationFloor, req.Replicas
	claim.Until = now.Add(time.Duration(valueOr(req.HoldMinutes, 60)) * time.Minute)
	if err := s.checkClaim(ctx, claim, absoluteMax); err != nil {
		s.fail(c, err)
		return
	}
	d := models.Decision{
		ID: newID(), Service: service, CreatedAt: now, ExpiresAt: now.Add(requestLife), RequestedBy: claim.Holder,
		Class: models.ClassFloor, Direction: models.DirectionUp, ToReplicas: req.Replicas, Status: models.DecisionProposed,
		ReservationID: claim.ID,
		Sentence: fmt.Sprintf("Keep %s at %d replicas or more until %s, as %s asked: %s",
			service, req.Replicas, claim.Until.Format("2 Jan 15:04 MST"), claim.Holder, req.Reason),
	}
	if st, err := s.state(ctx, service); err == nil && st != nil {
		d.FromReplicas = st.Spec
		if st.Spec >= req.Replicas {
			d.Direction = models.DirectionHold
		}
	}
	if err := s.Decisions.RequestScale(ctx, claim, d); err != nil {
		s.fail(c, err)
		return
	}
	out := gen.ScaleAnswer{Decision: d, Reservation: claim}
	if !s.nudge(c, claim) {
		note := takenUpLater
		out.Note = &note
	}
	c.JSON(http.StatusAccepted, out)
}

// claim begins a reservation that the caller makes now.
func (s *server) claim(c *gin.Context, service models.ServiceName, reason string) models.Reservation {
	who, now := callOf(c).identity.Subject, s.now()
	return models.Reservation{ID: newID(), Service: service, From: now, Holder: who, Reason: reason, CreatedAt: now, CreatedBy: who}
}

// ceiling is the bound of the catalogue that a floor must respect.
type ceiling func(models.Service) (limit int, rule string)

func absoluteMax(s models.Service) (int, string) {
	return s.AbsoluteMaxReplicas, "the service's safety cap"
}
func policyMax(s models.Service) (int, string) { return s.MaxReplicas, "the service's policy cap" }

// checkClaim holds a reservation to its own bounds and to those of its service.
func (s *server) checkClaim(ctx context.Context, r models.Reservation, most ceiling) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if !r.Until.After(s.now()) {
		return models.Invalid("until", r.Until.Format(time.RFC3339), "must be in the future")
	}
	svc, err := s.Catalogue.Service(ctx, r.Service)
	if err != nil {
		return err
	}
	if limit, what := most(svc); r.Kind == models.ReservationFloor && r.Replicas > limit {
		return models.Invalid("replicas", r.Replicas, fmt.Sprintf("must be from 1 to %d, %s", limit, what))
	}
	return nil
}

// nudge wakes the autoscaler because a claim changed. It says whether it was heard; a
// claim that counts later needs no hearing now.
func (s *server) nudge(c *gin.Context, r models.Reservation) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), nudgeTimeout)
	defer cancel()
	if err := s.Launcher.NudgeAutoscale(ctx, r.Service, r.ID); err != nil {
		s.Log.WarnContext(ctx, "the autoscaler was not woken", "requestId", callOf(c).requestID, "service", r.Service, "error", err)
		return false
	}
	return true
}

// command begins a command to a service's autoscaler. The action is part of the request
// id, so that one id for two commands does not make them one.
func (s *server) command(c *gin.Context, service models.ServiceName, a models.ControlAction, reason string) models.ControlCommand {
	k := callOf(c)
	return models.ControlCommand{
		Action: a, Service: service, Actor: k.identity.Subject, Reason: reason, RequestID: string(a) + "/" + k.identity.Subject + "/" + k.requestID,
	}
}

// PauseService stops changes of a service.
func (s *server) PauseService(c *gin.Context, service gen.ServicePath) {
	req, err := decode[gen.PauseRequest](c)
	if err == nil && req.Until != nil && !req.Until.After(s.now()) {
		err = models.Invalid("until", req.Until.Format(time.RFC3339), "must be in the future, or absent")
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	cmd := s.command(c, service, models.ControlPause, req.Reason)
	cmd.Until = valueOr(req.Until, time.Time{}).UTC()
	res, err := s.Launcher.Control(c.Request.Context(), cmd)
	s.reply(c, http.StatusOK, res, err)
}

// ResumeService lifts a pause.
func (s *server) ResumeService(c *gin.Context, service gen.ServicePath) {
	req, err := decode[gen.ResumeRequest](c)
	if err != nil {
		s.fail(c, err)
		return
	}
	res, err := s.Launcher.Control(c.Request.Context(), s.command(c, service, models.ControlResume, req.Reason))
	s.reply(c, http.StatusOK, res, err)
}

// OverrideService commits a reservation and has the autoscaler act on it. What the
// autoscaler refuses is taken back; what it did not hear of stands.
func (s *server) OverrideService(c *gin.Context, service gen.ServicePath) {
	ctx := c.Request.Context()
	req, err := decode[gen.OverrideRequest](c)
	if err != nil {
		s.fail(c, err)
		return
	}
	claim := s.claim(c, service, req.Reason)
	claim.Kind, claim.Replicas, claim.Until = req.Kind, valueOr(req.Replicas, 0), req.Until.UTC()
	err = s.checkClaim(ctx, claim, absoluteMax)
	if err == nil && claim.Kind == models.ReservationCap {
		err = s.mayScaleIn(c, service)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	if err := s.Reservations.CreateReservation(ctx, claim); err != nil {
		s.fail(c, err)
		return
	}
	cmd := s.command(c, service, models.ControlOverride, req.Reason)
	cmd.Until, cmd.Reservation = claim.Until, &claim
	res, err := s.Launcher.Control(ctx, cmd)
	out := gen.OverrideAnswer{Reservation: claim, Control: &res}
	switch models.KindOf(err) {
	case models.KindInvalid, models.KindConflict:
		s.withdraw(c, claim)
		s.fail(c, err)
		return
	default:
		if err != nil {
			note := takenUpLater
			out.Control, out.Note = nil, &note
			s.Log.WarnContext(ctx, "the autoscaler did not answer", "requestId", callOf(c).requestID, "service", service, "error", err)
		}
	}
	c.JSON(http.StatusOK, out)
}

// withdraw ends a reservation that was refused.
func (s *server) withdraw(c *gin.Context, r models.Reservation) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), auditTimeout)
	defer cancel()
	if _, err := s.Reservations.EndReservation(ctx, r.ID, r.Holder, s.now()); err != nil {
		s.Log.ErrorContext(ctx, "a refused reservation stands", "requestId", callOf(c).requestID, "reservation", r.ID, "error", err)
	}
}
