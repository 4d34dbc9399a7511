package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

// afterWedding is how long a wedding's priority may outlast it.
const afterWedding = 6 * time.Hour

// ListWeddings gives a page of weddings by their start.
func (s *server) ListWeddings(c *gin.Context, p gen.ListWeddingsParams) {
	limit := valueOr(p.Limit, 50)
	f := models.WeddingFilter{
		From: valueOr(p.From, time.Time{}), Until: valueOr(p.Until, time.Time{}),
		IncludeCancelled: isTrue(p.IncludeCancelled), Status: valueOr(p.Status, ""), Region: valueOr(p.Region, ""),
		Coordinator: valueOr(p.Coordinator, ""), Source: valueOr(p.Source, ""),
		Limit: limit + 1, // one more says whether there is a next page
	}
	var err error
	if f.After, err = parseCursor(p.Cursor); err != nil {
		s.fail(c, err)
		return
	}
	items, err := s.Weddings.Weddings(c.Request.Context(), f)
	if err != nil {
		s.fail(c, err)
		return
	}
	page := gen.WeddingPage{}
	page.Items, page.NextCursor = paged(items, limit, func(w models.Wedding) models.Cursor { return models.Cursor{At: w.StartsAt, ID: w.ID} })
	c.JSON(http.StatusOK, page)
}

// GetWedding gives one wedding.
func (s *server) GetWedding(c *gin.Context, id gen.IDPath) {
	w, err := s.Weddings.Wedding(c.Request.Context(), id)
	s.reply(c, http.StatusOK, w, err)
}

// CreateWedding books a wedding.
func (s *server) CreateWedding(c *gin.Context) {
	in, err := decode[gen.WeddingInput](c)
	if err != nil {
		s.fail(c, err)
		return
	}
	now := s.now()
	w, err := models.Wedding{
		ID: newID(), Reference: in.Reference, TimeZone: in.TimeZone, StartsAt: in.StartsAt, EndsAt: in.EndsAt,
		Guests: in.Guests, Type: valueOr(in.Type, ""), Tier: valueOr(in.Tier, ""), Region: valueOr(in.Region, ""), Status: in.Status, Coordinator: valueOr(in.Coordinator, ""),
		Revision: 1, CreatedAt: now, UpdatedAt: now,
	}.Normalise(time.LoadLocation)
	if err != nil {
		s.fail(c, err)
		return
	}
	stored, err := s.Weddings.CreateWedding(c.Request.Context(), w)
	if err == nil {
		c.Header("Location", base+"/weddings/"+stored.ID)
		s.calendarChanged(c, models.Wedding{}, stored)
	}
	s.reply(c, http.StatusCreated, stored, err)
}

// PutWedding changes a wedding, unless somebody else did since it was read.
func (s *server) PutWedding(c *gin.Context, id gen.IDPath) {
	w, err := decode[models.Wedding](c)
	if err == nil && w.ID != "" && w.ID != id {
		err = models.Invalid("id", w.ID, "must be the wedding of the path, or absent")
	}
	if err == nil {
		w.ID, w.UpdatedAt = id, s.now()
		w, err = w.Normalise(time.LoadLocation)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	s.change(c, w)
}

// change stores a wedding that was read at a revision, and tells who plans by it.
func (s *server) change(c *gin.Context, w models.Wedding) {
	before, err := s.Weddings.Wedding(c.Request.Context(), w.ID)
	var stored models.Wedding
	if err == nil {
		stored, err = s.Weddings.UpdateWedding(c.Request.Context(), w)
	}
	if err == nil {
		s.calendarChanged(c, before, stored)
	}
	s.reply(c, http.StatusOK, stored, err)
}

// PrioritiseWedding places a floor for a wedding on its day. The guard has seen that it
// is the caller's wedding and its day; an admin is not bound to either.
func (s *server) PrioritiseWedding(c *gin.Context, id gen.IDPath) {
	ctx := c.Request.Context()
	req, err := decode[gen.PriorityRequest](c)
	if err != nil {
		s.fail(c, err)
		return
	}
	w, err := s.Weddings.Wedding(ctx, id)
	if err != nil {
		s.fail(c, err)
		return
	}
	claim := s.claim(c, valueOr(req.Service, models.ServiceAPI), req.Reason)
	claim.Kind, claim.Replicas, claim.Guests, claim.WeddingID = models.ReservationFloor, req.Replicas, w.Guests, w.ID
	claim.Until = claim.From.Add(time.Duration(valueOr(req.HoldMinutes, 60)) * time.Minute)
	if last := w.EndsAt.Add(afterWedding); claim.Until.After(last) {
		claim.Until = last.UTC()
	}
	if !claim.Until.After(claim.From) {
		s.fail(c, &models.Error{Kind: models.KindConflict, Rule: "The wedding is over by more than six hours."})
		return
	}
	s.place(c, claim, policyMax)
}

// ListReservations gives the claims on capacity.
func (s *server) ListReservations(c *gin.Context, p gen.ListReservationsParams) {
	var activeAt *time.Time
	if isTrue(p.Active) {
		now := s.now()
		activeAt = &now
	}
	items, err := s.Reservations.Reservations(c.Request.Context(), valueOr(p.Service, ""), activeAt)
	s.reply(c, http.StatusOK, gen.ReservationList{Items: append([]models.Reservation{}, items...)}, err)
}

// GetReservation gives one claim.
func (s *server) GetReservation(c *gin.Context, id gen.IDPath) {
	r, err := s.Reservations.Reservation(c.Request.Context(), id)
	s.reply(c, http.StatusOK, r, err)
}

// CreateReservation places a claim.
func (s *server) CreateReservation(c *gin.Context) {
	in, err := decode[gen.ReservationInput](c)
	if err != nil {
		s.fail(c, err)
		return
	}
	claim := s.claim(c, in.Service, in.Reason)
	claim.Kind, claim.Replicas, claim.Guests = in.Kind, valueOr(in.Replicas, 0), valueOr(in.Guests, 0)
	claim.From, claim.Until = valueOr(in.From, claim.From).UTC(), in.Until.UTC()
	claim.WeddingID = valueOr(in.WeddingId, "")
	s.place(c, claim, absoluteMax)
}

// place commits a claim and wakes the autoscaler when it counts already.
func (s *server) place(c *gin.Context, claim models.Reservation, most ceiling) {
	ctx := c.Request.Context()
	err := s.checkClaim(ctx, claim, most)
	if err == nil && claim.Kind == models.ReservationCap {
		err = s.mayScaleIn(c, claim.Service)
	}
	if err == nil {
		err = s.Reservations.CreateReservation(ctx, claim)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	if claim.ActiveAt(s.now()) {
		s.nudge(c, claim)
	}
	c.Header("Location", base+"/reservations/"+claim.ID)
	c.JSON(http.StatusCreated, claim)
}

// EndReservation ends a claim now.
func (s *server) EndReservation(c *gin.Context, id gen.IDPath) {
	r, err := s.Reservations.EndReservation(c.Request.Context(), id, callOf(c).identity.Subject, s.now())
	if err != nil {
		s.fail(c, err)
		return
	}
	s.nudge(c, r)
	c.JSON(http.StatusOK, r)
}
