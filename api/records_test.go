package api

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

func TestEvaluationsAreReadPageByPageToTheEnd(t *testing.T) {
	p := newPlatform()
	for i := range 25 {
		p.ticks = append(p.ticks, models.Evaluation{
			Service: models.ServiceAPI, At: noon.Add(-time.Duration(i) * 30 * time.Second), Desired: i,
			Explanation: json.RawMessage(`{"text":"Enough."}`), Inputs: json.RawMessage(`{"now":"secret"}`),
		})
	}
	h := p.handler(t)
	var seen []int
	path := base + "/services/api/evaluations"
	for {
		rec := send(t, h, request{path: path, as: "viewer"})
		require.Equal(t, 200, rec.Code, rec.Body.String())
		assert.NotContains(t, rec.Body.String(), "secret", "inputs hold what not everybody may read")
		var page gen.EvaluationPage
		require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &page))
		for _, e := range page.Items {
			assert.JSONEq(t, `{"text":"Enough."}`, string(e.Explanation))
			seen = append(seen, e.Desired)
		}
		if page.NextCursor == nil {
			break
		}
		path = base + "/services/api/evaluations?cursor=" + *page.NextCursor
	}
	require.Len(t, seen, 25)
	assert.Equal(t, 24, seen[24])

	rec := send(t, h, request{path: base + "/services/media/evaluations?cursor=" + formatCursor(models.Cursor{At: noon, ID: "api"}), as: "viewer"})
	assert.Equal(t, 400, rec.Code, "a cursor is of one service")
	send(t, h, request{path: base + "/services/media/evaluations?limit=3&since=2027-06-12T13:00:00%2B01:00&until=2027-06-13T00:00:00Z", as: "viewer"})
	f, ok := p.last.(models.EvaluationFilter)
	require.True(t, ok)
	assert.True(t, f.Since.Equal(noon))
	f.Since = time.Time{}
	assert.Equal(t, models.EvaluationFilter{Service: models.ServiceMedia, Until: noon.Add(12 * time.Hour), Limit: 4}, f)
	p.ticks = nil
	assert.JSONEq(t, `{"items":[]}`, send(t, h, request{path: base + "/services/api/evaluations", as: "viewer"}).Body.String())
}

func TestSavingsAreOfAPeriodThatIsOver(t *testing.T) {
	h := newPlatform().handler(t)
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		query        string
		since, until time.Time
	}{
		"the last day":       {"", noon.Add(-day), noon},
		"the day before":     {"?until=2027-06-11T12:00:00Z", noon.Add(-2 * day), noon.Add(-day)},
		"what is not yet":    {"?since=2027-06-12T11:00:00Z&until=2028-01-01T00:00:00Z", noon.Add(-time.Hour), noon},
		"in another zone":    {"?since=2027-06-12T12:00:00%2B01:00", noon.Add(-time.Hour), noon},
		"a year and no more": {"?since=2026-06-11T12:00:00Z", noon.Add(-366 * day), noon},
	} {
		t.Run(name, func(t *testing.T) {
			got := get[models.Savings](t, h, request{path: base + "/savings" + c.query, as: "viewer"}, 200)
			assert.Equal(t, []time.Time{c.since, c.until}, []time.Time{got.Since, got.Until})
		})
	}
	for name, query := range map[string]string{
		"more than a year": "?since=2026-06-11T11:59:59Z", "the future": "?since=2027-06-12T12:00:00Z",
		"backwards": "?since=2027-06-10T00:00:00Z&until=2027-06-09T00:00:00Z",
	} {
		t.Run(name, func(t *testing.T) {
			rec := send(t, h, request{path: base + "/savings" + query, as: "viewer"})
			require.Equal(t, 400, rec.Code)
			assert.Equal(t, "since", (*problemOf(t, rec).Errors)[0].Field)
		})
	}
}

func TestAPreviewPassesOnWhatIsChangedAndNothingElse(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	ask := func(body string, want int) models.PreviewRequest {
		rec := send(t, h, request{method: "POST", path: base + "/decisions/preview", body: body, as: "viewer"})
		require.Equal(t, want, rec.Code, rec.Body.String())
		req, _ := p.last.(models.PreviewRequest)
		return req
	}
	assert.Equal(t, models.PreviewRequest{Service: models.ServiceAPI}, ask(`{"service":"api"}`, 200))
	rps, cpu, n, mode := 900.25, 0.7, 4, models.ModeNormal
	later := noon.Add(3 * time.Hour)
	got := ask(`{"service":"media","changes":{"rps":900.25,"cpu":0.7,"replicas":4,"mode":"normal","now":"2027-06-12T15:00:00Z",
		"reservations":[{"kind":"floor","replicas":8,"guests":180},{"kind":"freeze","from":"2027-06-12T14:00:00Z","until":"2027-06-12T16:00:00Z","reason":"a move"}]}}`, 200)
	assert.Equal(t, models.PreviewRequest{Service: models.ServiceMedia, Changes: models.PreviewChanges{
		RPS: &rps, CPU: &cpu, Replicas: &n, Mode: &mode, Now: &later, Reservations: []models.Reservation{
			{ID: "preview-1", Service: models.ServiceMedia, Kind: models.ReservationFloor, Replicas: 8, Guests: 180, From: later.Add(-24 * time.Hour),
				Until: later.Add(24 * time.Hour), Holder: "user:viewer", Reason: "a preview", CreatedAt: noon, CreatedBy: "user:viewer"},
			{ID: "preview-2", Service: models.ServiceMedia, Kind: models.ReservationFreeze, From: noon.Add(2 * time.Hour),
				Until: noon.Add(4 * time.Hour), Holder: "user:viewer", Reason: "a move", CreatedAt: noon, CreatedBy: "user:viewer"},
		},
	}}, got)
	none := ask(`{"service":"api","changes":{"reservations":[]}}`, 200)
	assert.NotNil(t, none.Changes.Reservations, "none is not the same as those that count")
	assert.Empty(t, none.Changes.Reservations)
	for _, called := range []string{"RequestScale", "CreateReservation", "NudgeAutoscale", "Control", "StartWorkflow", "SignalWorkflow"} {
		assert.False(t, p.called(called), "%s changes something", called)
	}
}

func TestAPreviewOfNonsenseIsRefusedByField(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	for field, body := range map[string]string{
		"service":                          `{"changes":{}}`,
		"changes.rps":                      `{"service":"api","changes":{"rps":-1}}`,
		"changes.mode":                     `{"service":"api","changes":{"mode":"panic"}}`,
		"changes.speed":                    `{"service":"api","changes":{"speed":1}}`,
		"changes.replicas":                 `{"service":"api","changes":{"replicas":100001}}`,
		"changes.reservations[1].replicas": `{"service":"api","changes":{"reservations":[{"kind":"no_in"},{"kind":"floor"}]}}`,
		"changes.reservations[0].until":    `{"service":"api","changes":{"reservations":[{"kind":"no_in","until":"2020-01-01T00:00:00Z"}]}}`,
	} {
		t.Run(field, func(t *testing.T) {
			rec := send(t, h, request{method: "POST", path: base + "/decisions/preview", body: body, as: "viewer"})
			require.Equal(t, 400, rec.Code, rec.Body.String())
			assert.Equal(t, field, (*problemOf(t, rec).Errors)[0].Field)
		})
	}
	assert.False(t, p.called("Preview"))
	p.fails("Preview", &models.Error{Kind: models.KindNotFound, Field: "service", Value: "api", Rule: "was not evaluated yet"})
	assert.Equal(t, 404, send(t, h, request{method: "POST", path: base + "/decisions/preview", body: `{"service":"api"}`, as: "viewer"}).Code)
}

func TestACatalogueEntryTellsWhatWasLearnedAndCanBeWrittenBack(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	rec := send(t, h, request{path: base + "/services/api", as: "admin"})
	require.Equal(t, 200, rec.Code)
	assert.Contains(t, rec.Body.String(), `"learned":{"startupP95Seconds":21.5}`)
	assert.Equal(t, 200, send(t, h, request{method: "PUT", path: base + "/services/api", body: rec.Body.String(), as: "admin"}).Code)
	p.fails("Learned", errors.New("down"))
	rec = send(t, h, request{path: base + "/services/api", as: "admin"})
	assert.Equal(t, 200, rec.Code)
	assert.NotContains(t, rec.Body.String(), "learned", "what was not read is missing")
	assert.NotContains(t, send(t, h, request{path: base + "/services", as: "admin"}).Body.String(), "learned")
}
