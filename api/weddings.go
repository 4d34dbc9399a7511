package api

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

const (
	importPath    = base + "/weddings/import"
	maxImportBody = 8 << 20
)

// calendarRoutes are the routes of files, feeds and contacts.
func calendarRoutes() []route {
	guarded := func(method, path string, p models.Permission) route {
		return route{method: method, path: base + path, permission: p}
	}
	const read, manage = models.PermissionRead, models.PermissionManage
	return []route{
		guarded(http.MethodPost, "/weddings/import", manage),
		guarded(http.MethodPost, "/weddings/:id/cancel", manage),
		{method: http.MethodGet, path: base + "/weddings/:id/contact", permission: manage, own: true},
		guarded(http.MethodPut, "/weddings/:id/contact", manage),
		guarded(http.MethodDelete, "/weddings/:id/contact", manage),
		guarded(http.MethodGet, "/calendar", read),
		guarded(http.MethodGet, "/calendar/feeds", manage),
		guarded(http.MethodPost, "/calendar/feeds", manage),
		guarded(http.MethodPut, "/calendar/feeds/:id", manage),
		guarded(http.MethodDelete, "/calendar/feeds/:id", manage),
	}
}

// calendarChanged tells those who plan by the calendar. The change stands already: that
// nobody heard of it is logged, and found out by them when they look again.
func (s *server) calendarChanged(c *gin.Context, before, after models.Wedding) {
	if s.Notifier == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), nudgeTimeout)
	defer cancel()
	if err := s.Notifier.CalendarChanged(ctx, []models.CalendarChange{models.ChangeOf(before, after)}); err != nil {
		s.Log.WarnContext(ctx, "a change of the calendar was not told", "requestId", callOf(c).requestID, "wedding", after.ID, "error", err)
	}
}

// CancelWedding cancels a wedding, unless somebody else changed it since it was read.
func (s *server) CancelWedding(c *gin.Context, id gen.IDPath) {
	req, err := decode[gen.WeddingCancellation](c)
	if err != nil {
		s.fail(c, err)
		return
	}
	w, err := s.Weddings.Wedding(c.Request.Context(), id)
	if err != nil || w.Status == models.WeddingCancelled {
		s.reply(c, http.StatusOK, w, err)
		return
	}
	w.Revision, w.Status, w.UpdatedAt = req.Revision, models.WeddingCancelled, s.now()
	s.change(c, w)
}

// ImportWeddings takes a file of weddings: all of it, or nothing.
func (s *server) ImportWeddings(c *gin.Context, p gen.ImportWeddingsParams) {
	format, err := formatOf(c.Request)
	if err != nil {
		s.fail(c, err)
		return
	}
	if p.Source == "" || p.Source == models.SourceAPI {
		s.fail(c, models.Invalid("source", p.Source, "is required and must not be api, which is for weddings that people book"))
		return
	}
	body, err := drainBody(c.Request.Body, maxImportBody)
	if err != nil {
		s.fail(c, err)
		return
	}
	report, err := s.Importer.Import(c.Request.Context(), models.ImportRequest{
		Source: p.Source, Format: format, Region: valueOr(p.Region, ""), TimeZone: valueOr(p.TimeZone, ""),
		DryRun: isTrue(p.DryRun), Whole: isTrue(p.Whole), Data: body,
	}, callOf(c).identity.Subject)
	code := http.StatusOK
	if report.Faulty > 0 {
		code = http.StatusUnprocessableEntity
	}
	s.reply(c, code, report, err)
}

// formatOf reads the format from the content type.
func formatOf(r *http.Request) (models.CalendarFormat, error) {
	const rule = "must be application/x-ndjson, text/csv or text/calendar"
	given := r.Header.Get("Content-Type")
	kind, params, err := mime.ParseMediaType(given)
	if charset, has := params["charset"]; err != nil || has && !strings.EqualFold(charset, "utf-8") {
		return "", unsupported("Content-Type", given, rule+", in UTF-8")
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return "", unsupported("Content-Encoding", e, "must be absent here")
	}
	switch kind {
	case "application/x-ndjson", "application/jsonl":
		return models.FormatJSONL, nil
	case "text/csv":
		return models.FormatCSV, nil
	case "text/calendar":
		return models.FormatICS, nil
	default:
		return "", unsupported("Content-Type", given, rule)
	}
}

// GetWeddingContact opens a contact for who may see it; the guard has looked.
func (s *server) GetWeddingContact(c *gin.Context, id gen.IDPath) {
	contact, err := s.Contacts.WeddingContact(c.Request.Context(), id)
	s.reply(c, http.StatusOK, contact, err)
}

// PutWeddingContact keeps a contact, encrypted.
func (s *server) PutWeddingContact(c *gin.Context, id gen.IDPath) {
	contact, err := decode[models.WeddingContact](c)
	if err == nil {
		err = contact.Check()
	}
	if err == nil && !s.KeepContacts {
		err = &models.Error{Kind: models.KindConflict, Field: "contact", Rule: "is kept in production alone: WEDSYNC_ENV is another one here"}
	}
	if err == nil {
		err = s.Contacts.SaveWeddingContact(c.Request.Context(), id, contact, callOf(c).identity.Subject)
	}
	s.replyEmpty(c, err)
}

// DeleteWeddingContact forgets a contact.
func (s *server) DeleteWeddingContact(c *gin.Context, id gen.IDPath) {
	s.replyEmpty(c, s.Contacts.ForgetWeddingContact(c.Request.Context(), id))
}

func (s *server) replyEmpty(c *gin.Context, err error) {
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
}

// GetCalendar says how old the calendar is.
func (s *server) GetCalendar(c *gin.Context) {
	status, err := s.calendarStatus(c.Request.Context())
	s.reply(c, http.StatusOK, status, err)
}

func (s *server) calendarStatus(ctx context.Context) (models.CalendarStatus, error) {
	now := s.now()
	feeds, err := s.Feeds.CalendarFeeds(ctx)
	if err != nil {
		return models.CalendarStatus{}, err
	}
	readAt, err := s.Feeds.CalendarReadAt(ctx)
	if err != nil {
		return models.CalendarStatus{}, err
	}
	counts, err := s.Feeds.CountWeddings(ctx, now)
	if err != nil {
		return models.CalendarStatus{}, err
	}
	age := max(0, now.Sub(readAt))
	out := models.CalendarStatus{
		ReadAt: readAt, AgeSeconds: int64(age / time.Second), Alarm: models.AlarmOf(age, now), Weddings: counts, Feeds: []models.FeedState{},
	}
	enabled := 0
	for _, f := range feeds {
		if f.Enabled {
			enabled++
		}
		out.Feeds = append(out.Feeds, stateOf(f, now))
	}
	out.Text = fmt.Sprintf("The oldest of %d feeds was read whole %s ago.", enabled, age.Round(time.Minute))
	if enabled == 0 {
		out.Text = "No feed is read: people keep the calendar, and it is as of now."
	}
	return out, nil
}

// calendarGaps says in the status where the calendar is too old to rely on.
func (s *server) calendarGaps(ctx context.Context, now time.Time) []string {
	readAt, err := s.Feeds.CalendarReadAt(ctx)
	if err != nil {
		return []string{"The age of the calendar could not be read."}
	}
	age := now.Sub(readAt)
	if alarm := models.AlarmOf(age, now); alarm != models.CalendarFresh {
		return []string{fmt.Sprintf("The calendar is %s old (%s): weddings may be missing; see GET /calendar.", age.Round(time.Minute), alarm)}
	}
	return nil
}

// stateOf shows of a feed what everybody may see: not its address.
func stateOf(f models.CalendarFeed, now time.Time) models.FeedState {
	age := max(0, f.ReadAge(now))
	state := models.FeedState{
		ID: f.ID, Source: f.Source, Host: f.Host(), Region: f.Region, Enabled: f.Enabled, EverySeconds: f.EverySeconds,
		LastAttemptAt: f.LastAttemptAt, LastReadAt: f.LastReadAt, LastError: f.LastError,
		AgeSeconds: int64(age / time.Second), Alarm: models.AlarmOf(age, now), Weddings: f.Weddings,
	}
	if !f.Enabled {
		state.Alarm = models.CalendarFresh // nobody waits for it
	}
	return state
}

// ListCalendarFeeds gives the feeds with their addresses.
func (s *server) ListCalendarFeeds(c *gin.Context) {
	feeds, err := s.Feeds.CalendarFeeds(c.Request.Context())
	s.reply(c, http.StatusOK, gen.CalendarFeedList{Items: append([]models.CalendarFeed{}, feeds...)}, err)
}

// CreateCalendarFeed adds a feed; the worker reads it within a minute.
func (s *server) CreateCalendarFeed(c *gin.Context) {
	f, err := s.feedIn(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	f.ID, f.CreatedAt, f.CreatedBy = newID(), f.UpdatedAt, callOf(c).identity.Subject
	stored, err := s.Feeds.CreateCalendarFeed(c.Request.Context(), f)
	s.reply(c, http.StatusCreated, stored, err)
}

// PutCalendarFeed changes a feed, or switches it off and on.
func (s *server) PutCalendarFeed(c *gin.Context, id gen.IDPath) {
	f, err := s.feedIn(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	f.ID = id
	stored, err := s.Feeds.UpdateCalendarFeed(c.Request.Context(), f)
	s.reply(c, http.StatusOK, stored, err)
}

// feedIn reads a feed and holds it to its rules.
func (s *server) feedIn(c *gin.Context) (models.CalendarFeed, error) {
	in, err := decode[gen.CalendarFeedInput](c)
	if err != nil {
		return models.CalendarFeed{}, err
	}
	f := models.CalendarFeed{
		URL: in.Url, Format: models.CalendarFormat(in.Format), Source: in.Source, Region: valueOr(in.Region, ""),
		TimeZone: valueOr(in.TimeZone, ""), EverySeconds: valueOr(in.EverySeconds, 900), Enabled: valueOr(in.Enabled, true), UpdatedAt: s.now(),
	}
	return f, f.Check(time.LoadLocation)
}

// DeleteCalendarFeed removes a feed; its weddings stay.
func (s *server) DeleteCalendarFeed(c *gin.Context, id gen.IDPath) {
	s.replyEmpty(c, s.Feeds.DeleteCalendarFeed(c.Request.Context(), id))
}
