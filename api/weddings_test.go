package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

// calendarSamples has one good call for each route of the calendar.
func calendarSamples() map[string]sample {
	return map[string]sample{
		"POST /weddings/import":        {"/weddings/import?source=crm&dryRun=true", "file", 200, "Import"},
		"POST /weddings/:id/cancel":    {"/weddings/" + wedding + "/cancel", `{"revision":1}`, 200, "UpdateWedding"},
		"GET /weddings/:id/contact":    {"/weddings/" + wedding + "/contact", "", 200, "WeddingContact"},
		"PUT /weddings/:id/contact":    {"/weddings/" + wedding + "/contact", `{"email":"anna@example.org"}`, 204, "SaveWeddingContact"},
		"DELETE /weddings/:id/contact": {"/weddings/" + wedding + "/contact", "", 204, "ForgetWeddingContact"},
		"GET /calendar":                {"/calendar", "", 200, "CalendarReadAt"},
		"GET /calendar/feeds":          {"/calendar/feeds", "", 200, "CalendarFeeds"},
		"POST /calendar/feeds":         {"/calendar/feeds", `{"url":"https://x.example/a.ics","format":"ics","source":"crm"}`, 201, "CreateCalendarFeed"},
		"PUT /calendar/feeds/:id":      {"/calendar/feeds/f1", `{"url":"https://x.example/a.ics","format":"ics","source":"crm","enabled":false}`, 200, "UpdateCalendarFeed"},
		"DELETE /calendar/feeds/:id":   {"/calendar/feeds/f1", "", 204, "DeleteCalendarFeed"},
	}
}

func TestFilesAreTakenByTheirContentType(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	for kind, format := range map[string]models.CalendarFormat{
		"text/csv": models.FormatCSV, "text/csv; charset=utf-8": models.FormatCSV, "application/x-ndjson": models.FormatJSONL, "text/calendar": models.FormatICS,
	} {
		rec := send(t, h, request{method: "POST", path: importPath + "?source=crm&whole=true&timeZone=Europe%2FLondon", body: "data", as: "admin", header: http.Header{"Content-Type": {kind}}})
		require.Equal(t, 200, rec.Code, rec.Body.String())
		assert.Equal(t, models.ImportRequest{Source: "crm", Format: format, Whole: true, TimeZone: "Europe/London", Data: []byte("data")}, p.last)
	}
	for name, c := range map[string]struct {
		path, kind string
		code       int
	}{
		"JSON":               {"?source=crm", "application/json", 415},
		"no type":            {"?source=crm", "", 415},
		"another alphabet":   {"?source=crm", "text/csv; charset=latin1", 415},
		"no source":          {"", "text/csv", 400},
		"the source of ours": {"?source=api", "text/csv", 400},
		"a source in words":  {"?source=My+CRM", "text/csv", 400},
		"an unknown option":  {"?source=crm&force=true", "text/csv", 400},
	} {
		rec := send(t, h, request{method: "POST", path: importPath + c.path, body: "data", as: "admin", header: http.Header{"Content-Type": {c.kind}}})
		assert.Equal(t, c.code, rec.Code, name+rec.Body.String())
	}
	report := get[models.ImportReport](t, h, request{method: "POST", path: importPath + "?source=crm", body: "bad", as: "admin"}, 422)
	assert.Equal(t, []models.ImportFault{{Line: 2, Field: "guests", Value: "bad", Rule: "must be a whole number"}}, report.Faults)
}

func TestChangesOfTheCalendarAreTold(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	input := `{"reference":"r","timeZone":"Europe/London","startsAt":"2027-07-01T12:00:00Z","endsAt":"2027-07-01T20:00:00Z","guests":10,"status":"confirmed","tier":"flagship","type":"outdoor"}`
	get[models.Wedding](t, h, request{method: "POST", path: base + "/weddings", body: input, as: "admin"}, 201)
	gone := get[models.Wedding](t, h, request{method: "POST", path: base + "/weddings/" + wedding + "/cancel", body: `{"revision":1}`, as: "admin"}, 200)
	assert.Equal(t, models.WeddingCancelled, gone.Status)
	require.Len(t, p.told, 2)
	assert.Equal(t, models.WeddingWasCreated, p.told[0].Kind)
	assert.Equal(t, models.TierOfFlagship, p.told[0].After.Tier)
	assert.Equal(t, models.WeddingWasCancelled, p.told[1].Kind)
	assert.Equal(t, models.WeddingConfirmed, p.told[1].Before.Status)

	p.weds[0].Status = models.WeddingCancelled
	get[models.Wedding](t, h, request{method: "POST", path: base + "/weddings/" + wedding + "/cancel", body: `{"revision":1}`, as: "admin"}, 200)
	assert.Len(t, p.told, 2, "nothing happened")
	p.fails("CalendarChanged", models.Unavailable("temporal", nil))
	get[models.Wedding](t, h, request{method: "POST", path: base + "/weddings", body: input, as: "admin"}, 201)
	quiet := p.handler(t, func(c *Config) { c.Notifier = nil })
	get[models.Wedding](t, quiet, request{method: "POST", path: base + "/weddings", body: input, as: "admin"}, 201)
}

func TestContactsAreForTheCoordinatorOfThatWeddingAlone(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	path := func(id string) string { return base + "/weddings/" + id + "/contact" }
	for name, c := range map[string]struct {
		as, id string
		code   int
	}{
		"an admin": {"admin", wedding, 200}, "its coordinator": {"coordinator", wedding, 200}, "another coordinator": {"other", wedding, 403},
		"a coordinator, another's": {"coordinator", another, 403}, "an operator": {"operator", wedding, 403}, "a wedding that is none": {"coordinator", "nothing", 403},
	} {
		rec := send(t, h, request{path: path(c.id), as: c.as})
		assert.Equal(t, c.code, rec.Code, name)
	}
	p.grants["user:coordinator"] = []models.Role{models.RoleOperator, models.RoleCoordinator}
	get[models.WeddingContact](t, h, request{path: path(wedding), as: "coordinator"}, 200)
	assert.Equal(t, models.ScopeCoordinator, p.scope("WeddingContact").Role, "storage sees why they may")
	rec := send(t, h, request{method: "PUT", path: path(wedding), body: `{"email":"anna@example.org"}`, as: "coordinator"})
	assert.Equal(t, 403, rec.Code, "to read is not to write")

	rec = send(t, h, request{method: "PUT", path: path(wedding), body: `{"email":"nobody"}`, as: "admin"})
	assert.Equal(t, 400, rec.Code)
	assert.NotContains(t, rec.Body.String(), `"nobody"`)
	staging := p.handler(t, func(c *Config) { c.KeepContacts = false })
	rec = send(t, staging, request{method: "PUT", path: path(wedding), body: `{"email":"anna@example.org"}`, as: "admin"})
	assert.Equal(t, 409, rec.Code)
	for _, e := range p.entries() {
		for _, v := range e.Context {
			assert.NotContains(t, v, "anna@")
		}
	}
}

func TestTheCalendarSaysHowOldItIs(t *testing.T) {
	p := newPlatform() // noon of a Saturday
	h := p.handler(t)
	got := get[models.CalendarStatus](t, h, request{path: base + "/calendar", as: "viewer"}, 200)
	assert.Equal(t, models.CalendarFresh, got.Alarm)
	assert.Zero(t, got.AgeSeconds)
	assert.Contains(t, got.Text, "people keep the calendar")

	seven, old := noon.Add(-7*time.Hour), noon.Add(-100*time.Hour)
	p.feeds = []models.CalendarFeed{
		{ID: "f1", URL: "https://x.example/secret-token.ics", Source: "a", Enabled: true, LastReadAt: &seven, LastError: "the feed answered 503"},
		{ID: "f2", URL: "https://y.example/", Source: "b", LastReadAt: &old},
	}
	rec := send(t, h, request{path: base + "/calendar", as: "viewer"})
	assert.NotContains(t, rec.Body.String(), "secret-token")
	got = get[models.CalendarStatus](t, h, request{path: base + "/calendar", as: "viewer"}, 200)
	assert.Equal(t, models.CalendarWarning, got.Alarm)
	assert.Equal(t, int64(7*3600), got.AgeSeconds)
	require.Len(t, got.Feeds, 2)
	assert.Equal(t, "x.example", got.Feeds[0].Host)
	assert.Equal(t, models.CalendarFresh, got.Feeds[1].Alarm, "nobody waits for a feed that is off")
	status := get[gen.Status](t, h, request{path: base + "/status", as: "viewer"}, 200)
	assert.Contains(t, status.Gaps, "The calendar is 7h0m0s old (warning): weddings may be missing; see GET /calendar.")
	list := get[gen.CalendarFeedList](t, h, request{path: base + "/calendar/feeds", as: "admin"}, 200)
	assert.Contains(t, list.Items[0].URL, "secret-token", "who manages sees it")
}

func TestFeedsAreHeldToTheirRules(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	post := func(body string) int {
		return send(t, h, request{method: "POST", path: base + "/calendar/feeds", body: body, as: "admin"}).Code
	}
	assert.Equal(t, 201, post(`{"url":"https://x.example/a.ics?token=1","format":"ics","source":"crm","timeZone":"Europe/London","everySeconds":60}`))
	f, ok := p.last.(models.CalendarFeed)
	require.True(t, ok)
	assert.True(t, f.Enabled)
	assert.Equal(t, "user:admin", f.CreatedBy)
	for name, body := range map[string]string{
		"a file":            `{"url":"file:///etc/passwd","format":"ics","source":"crm"}`,
		"a user in it":      `{"url":"https://a:b@x.example/","format":"ics","source":"crm"}`,
		"no host":           `{"url":"https:///feeds.ics","format":"ics","source":"crm"}`,
		"our own source":    `{"url":"https://x.example/","format":"ics","source":"api"}`,
		"an unknown zone":   `{"url":"https://x.example/","format":"ics","source":"crm","timeZone":"Mars"}`,
		"an unknown format": `{"url":"https://x.example/","format":"xls","source":"crm"}`,
		"every second":      `{"url":"https://x.example/","format":"ics","source":"crm","everySeconds":1}`,
	} {
		assert.Equal(t, 400, post(body), name)
		assert.Equal(t, 400, send(t, h, request{method: "PUT", path: base + "/calendar/feeds/f1", body: body, as: "admin"}).Code, name)
	}
	changed := send(t, h, request{method: "PUT", path: base + "/calendar/feeds/f1", body: `{"url":"https://x.example/b.ics","format":"ics","source":"crm","enabled":false}`, as: "admin"})
	require.Equal(t, 200, changed.Code, changed.Body.String())
	f, ok = p.last.(models.CalendarFeed)
	require.True(t, ok)
	assert.Equal(t, "f1", f.ID)
	assert.False(t, f.Enabled)
}
