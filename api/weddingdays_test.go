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

func TestWeddingDaysAreReadStartedCommandedAndCancelled(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	day := base + "/wedding-days/2027-06-12"
	list := get[gen.WeddingDayList](t, h, request{path: base + "/wedding-days?from=2027-06-01&limit=7", as: "viewer"}, 200)
	require.Len(t, list.Items, 1)
	assert.Equal(t, models.WeddingDayQuery{From: "2027-06-01", Limit: 7}, p.last)
	assert.Equal(t, models.WeddingDayOpen, get[models.WeddingDay](t, h, request{path: day, as: "viewer"}, 200).Phase)
	assert.Equal(t, 404, send(t, h, request{path: base + "/wedding-days/2027-06-13", as: "viewer"}).Code)
	assert.Equal(t, 400, send(t, h, request{path: base + "/wedding-days/2027-13-13", as: "viewer"}).Code, "not a date")

	run := get[models.WorkflowRun](t, h, request{method: http.MethodPost, path: base + "/wedding-days", as: "operator", body: `{"date":"2027-06-12","region":"tuscany"}`}, 202)
	assert.Equal(t, "wedding-day/2027-06-12", run.WorkflowID)
	assert.Equal(t, []string{"2027-06-12", "tuscany", "user:operator"}, p.last)

	until := noon.Add(10 * time.Hour)
	for path, c := range map[string]struct {
		body string
		want models.WeddingDayCommand
	}{
		"/extend":      {`{"weddingId":"w1","until":"2027-06-12T22:00:00Z","reason":"the band plays on"}`, models.WeddingDayCommand{Action: models.WeddingDayExtend, WeddingID: "w1", Until: until, Reason: "the band plays on"}},
		"/end":         {`{"reason":"a storm is coming"}`, models.WeddingDayCommand{Action: models.WeddingDayEnd, Reason: "a storm is coming"}},
		"/raise-floor": {`{"service":"media","replicas":40,"until":"2027-06-12T22:00:00Z","reason":"twice the cars"}`, models.WeddingDayCommand{Action: models.WeddingDayRaise, Service: models.ServiceMedia, Replicas: 40, Until: until, Reason: "twice the cars"}},
	} {
		answer := get[models.WeddingDayAnswer](t, h, request{method: http.MethodPost, path: day + path, as: "operator", body: c.body}, 200)
		assert.Equal(t, "in the day's words", answer.Text)
		c.want.Date, c.want.Actor = "2027-06-12", "user:operator"
		assert.Equal(t, c.want, p.last)
		assert.Equal(t, 403, send(t, h, request{method: http.MethodPost, path: day + path, as: "coordinator", body: c.body}).Code, "a coordinator commands own weddings alone")
	}
	cancel := request{method: http.MethodPost, path: day + "/cancel", as: "admin", body: `{"reason":"the platform moves"}`}
	get[gen.WorkflowReceipt](t, h, cancel, 202)
	assert.Equal(t, []string{"2027-06-12", "", "user:admin", "the platform moves"}, p.last)
	cancel.as = "operator"
	assert.Equal(t, 403, send(t, h, cancel).Code)
}

func TestACoordinatorExtendsAndRaisesForTheOwnWeddingOnItsDay(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	raise := request{method: http.MethodPost, path: base + "/weddings/" + wedding + "/raise-floor", as: "coordinator", body: `{"replicas":12,"until":"2027-06-12T20:00:00Z","reason":"twice the cars"}`}
	get[models.WeddingDayAnswer](t, h, raise, 200)
	assert.Equal(t, models.WeddingDayCommand{
		Action: models.WeddingDayRaise, Date: "2027-06-12", WeddingID: wedding, Service: models.ServiceAPI, Replicas: 12, Until: noon.Add(8 * time.Hour),
		Bounded: true, Actor: "user:coordinator", Reason: "twice the cars",
	}, p.last, "bounded, whatever was asked for")
	extend := request{method: http.MethodPost, path: base + "/weddings/" + wedding + "/extend", as: "coordinator", body: `{"until":"2027-06-12T23:00:00Z","reason":"the band plays on"}`}
	get[models.WeddingDayAnswer](t, h, extend, 200)
	for _, r := range []request{raise, extend} {
		r.as = "other"
		assert.Equal(t, 403, send(t, h, r).Code, "another coordinator's wedding")
		r.as = "operator"
		assert.Equal(t, 403, send(t, h, r).Code, "operators raise by date")
	}
}

func weddingDaySamples() map[string]sample {
	reason := `{"reason":"a rehearsal"}`
	raise := `{"replicas":5,"until":"` + later + `","reason":"a rehearsal"}`
	return map[string]sample{
		"POST /weddings/:id/extend":            {"/weddings/" + wedding + "/extend", `{"until":"` + later + `","reason":"a rehearsal"}`, 200, "CommandWeddingDay"},
		"POST /weddings/:id/raise-floor":       {"/weddings/" + wedding + "/raise-floor", raise, 200, "CommandWeddingDay"},
		"GET /wedding-days":                    {"/wedding-days?from=2027-06-01&until=2027-06-30", "", 200, "WeddingDays"},
		"POST /wedding-days":                   {"/wedding-days", `{"date":"2027-06-12"}`, 202, "StartWeddingDay"},
		"GET /wedding-days/:date":              {"/wedding-days/2027-06-12", "", 200, "WeddingDay"},
		"POST /wedding-days/:date/extend":      {"/wedding-days/2027-06-12/extend", `{"weddingId":"w","until":"` + later + `","reason":"a rehearsal"}`, 200, "CommandWeddingDay"},
		"POST /wedding-days/:date/end":         {"/wedding-days/2027-06-12/end", reason, 200, "CommandWeddingDay"},
		"POST /wedding-days/:date/raise-floor": {"/wedding-days/2027-06-12/raise-floor", raise, 200, "CommandWeddingDay"},
		"POST /wedding-days/:date/cancel":      {"/wedding-days/2027-06-12/cancel", reason, 202, "CancelWeddingDay"},
	}
}
