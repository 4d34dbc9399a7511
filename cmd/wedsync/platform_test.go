package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// heard is what a command asked of the API.
type heard struct {
	method, path string
	body         map[string]any
}

// platform is an API that answers each path with one document, and keeps what it was asked.
func platform(t *testing.T, answers map[string]any) (ask func(args ...string) (string, string, error), got *[]heard) {
	t.Helper()
	got = &[]heard{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "Bearer t0ken", r.Header.Get("Authorization"))
		h := heard{method: r.Method, path: strings.TrimPrefix(r.URL.RequestURI(), "/api/scalability")}
		if raw, err := io.ReadAll(r.Body); err == nil && len(raw) > 0 {
			assert.NoError(t, json.Unmarshal(raw, &h.body))
		}
		*got = append(*got, h)
		answer, ok := answers[h.method+" "+h.path]
		switch {
		case !ok:
			w.WriteHeader(http.StatusNotFound)
			answer = map[string]any{"title": "Not found", "detail": "id does not exist", "requestId": "r1", "errors": []map[string]any{{"field": "id", "value": "s2", "rule": "does not exist"}}}
		case answer == nil:
			w.WriteHeader(http.StatusNoContent)
			return
		case h.method == http.MethodPost && (h.path == "/weddings" || h.path == "/calendar/feeds"):
			w.WriteHeader(http.StatusCreated)
		}
		assert.NoError(t, json.NewEncoder(w).Encode(answer))
	}))
	t.Cleanup(server.Close)
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("t0ken\n"), 0o600))
	return func(args ...string) (string, string, error) {
		*got = nil
		return run(t, append(args, "--api", server.URL, "--token-file", token)...)
	}, got
}

func TestASeasonIsAmendedFromTheCommandLine(t *testing.T) {
	ask, got := platform(t, map[string]any{
		"POST /seasons/s1/amend": models.SeasonAnswer{Text: "user:anna changes the plan: two fairs."},
		"POST /seasons":          models.WorkflowRun{WorkflowID: "season/s1", AlreadyRunning: true},
	})
	out, _, err := ask("season", "amend", "s1", "--service", "api", "--week", "2027-06-12", "--peak", "60", "--reason", "two fairs")
	require.NoError(t, err)
	assert.Equal(t, "user:anna changes the plan: two fairs.\n", out)
	assert.Equal(t, map[string]any{"reason": "two fairs", "edits": []any{map[string]any{"service": "api", "week": "2027-06-12T12:00:00Z", "peak": 60.0}}}, (*got)[0].body)

	_, _, err = ask("season", "amend", "s1", "--replica-share", "0.3", "--reason", "a young service")
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"reason": "a young service", "bounds": map[string]any{"replicaShare": 0.3, "costShare": 0.1}}, (*got)[0].body)

	for want, args := range map[string][]string{
		"--service":          {"season", "amend", "s1", "--reason", "why"},
		"required with":      {"season", "amend", "s1", "--peak", "3", "--reason", "why"},
		"must be one of":     {"season", "amend", "s1", "--service", "apo", "--peak", "3", "--reason", "why"},
		`--week="June"`:      {"season", "amend", "s1", "--service", "api", "--week", "June", "--peak", "3", "--reason", "why"},
		"does not exist":     {"season", "amend", "s2", "--service", "api", "--peak", "3", "--reason", "why"},
		"is required":        {"season", "plan", "s1", "--from", "2027-03-20"},
		"prepared already":   {"season", "plan", "s1", "--from", "2027-03-20", "--until", "2027-10-31"},
		`flag(s) "reason"`:   {"season", "amend", "s1", "--service", "api"},
		`--limit="0"`:        {"weddings", "list", "--limit", "0"},
		"--time-zone":        {"weddings", "book", "--reference", "B", "--time-zone", "Mars", "--starts", "2027-06-12T14:00", "--guests", "3"},
		`--starts="noonish"`: {"weddings", "book", "--reference", "B", "--time-zone", "Europe/London", "--starts", "noonish", "--guests", "3"},
	} {
		_, _, err := ask(args...)
		require.ErrorContains(t, err, want, strings.Join(args, " "))
	}
}

func TestWeddingsAreBookedChangedAndCancelledFromTheCommandLine(t *testing.T) {
	start := time.Date(2027, 6, 12, 13, 0, 0, 0, time.UTC)
	w := models.Wedding{ID: "w1", Reference: "B-17", TimeZone: "Europe/London", StartsAt: start, EndsAt: start.Add(10 * time.Hour), Guests: 180, Status: models.WeddingConfirmed, Revision: 3}
	ask, got := platform(t, map[string]any{
		"POST /weddings": w, "GET /weddings/w1": w, "PUT /weddings/w1": w, "POST /weddings/w1/cancel": w,
		"POST /wedding-days/2027-06-12/extend?region=tuscany": models.WeddingDayAnswer{Text: "wedding w1 lasts until 13 Jun 01:00 UTC"},
		"GET /wedding-days/2027-06-12": models.WeddingDay{
			Date: "2027-06-12", Phase: models.WeddingDayOpen, Text: "180 guests", Notes: []models.DayNote{{At: start, Level: models.FlagPage, Text: "too late for waves"}},
			Floors: []models.DayFloor{{Service: models.ServiceAPI, From: start, Until: start.Add(time.Hour), Replicas: 9, Guests: 180}},
		},
	})
	_, _, err := ask("weddings", "book", "--reference", "B-17", "--time-zone", "Europe/London", "--starts", "2027-06-12T14:00", "--guests", "180")
	require.NoError(t, err)
	assert.Equal(t, map[string]any{
		"reference": "B-17", "timeZone": "Europe/London", "startsAt": "2027-06-12T14:00:00+01:00", "endsAt": "2027-06-12T22:00:00+01:00", "guests": 180.0, "status": "confirmed",
	}, (*got)[0].body)

	out, _, err := ask("weddings", "change", "w1", "--starts", "2027-06-12T15:00")
	require.NoError(t, err)
	assert.Contains(t, out, "w1, revision 3")
	assert.Equal(t, "2027-06-13T00:00:00Z", (*got)[1].body["endsAt"], "it moves as a whole")
	assert.InDelta(t, 3, (*got)[1].body["revision"], 0)
	_, _, err = ask("weddings", "change", "w1", "--guests", "180")
	require.ErrorContains(t, err, "nothing is to be changed")

	_, _, err = ask("weddings", "cancel", "w1")
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"revision": 3.0}, (*got)[1].body)

	out, _, err = ask("wedding-day", "extend", "2027-06-12", "--region", "tuscany", "--wedding", "w1", "--until", "2027-06-13T02:00:00+01:00", "--reason", "the band plays on")
	require.NoError(t, err)
	assert.Contains(t, out, "lasts until")
	assert.Equal(t, map[string]any{"weddingId": "w1", "until": "2027-06-13T02:00:00+01:00", "reason": "the band plays on"}, (*got)[0].body)
	out, _, err = ask("wedding-day", "show", "2027-06-12")
	require.NoError(t, err)
	for _, want := range []string{"2027-06-12: open", "9 replicas", "page: too late for waves"} {
		assert.Contains(t, out, want)
	}
}

func TestFeedsAreChangedFromTheCommandLineAndKeepWhatIsNotGiven(t *testing.T) {
	feed := models.CalendarFeed{ID: "f1", URL: "https://x.example/a.ics?token=s3cr3t", Format: models.FormatICS, Source: "crm", Region: "london", EverySeconds: 900, Enabled: true}
	ask, got := platform(t, map[string]any{
		"GET /calendar/feeds": map[string]any{"items": []models.CalendarFeed{feed}}, "PUT /calendar/feeds/f1": feed, "POST /calendar/feeds": feed, "DELETE /calendar/feeds/f1": nil,
	})
	out, _, err := ask("weddings", "feeds", "change", "f1", "--enabled=false")
	require.NoError(t, err)
	assert.NotContains(t, out, "s3cr3t")
	assert.Equal(t, map[string]any{
		"url": feed.URL, "format": "ics", "source": "crm", "region": "london", "timeZone": "", "everySeconds": 900.0, "enabled": false,
	}, (*got)[1].body)
	_, _, err = ask("weddings", "feeds", "change", "f2", "--every", "60")
	require.ErrorContains(t, err, "f2")
	_, _, err = ask("weddings", "feeds", "add", "--url", "https://x.example/a.ics", "--format", "ics", "--source", "crm")
	require.NoError(t, err)
	assert.Equal(t, "POST", (*got)[0].method)
	_, _, err = ask("weddings", "feeds", "remove", "f1")
	require.NoError(t, err)
}

func TestForecastsAreShownFromTheCommandLine(t *testing.T) {
	p95 := 99.0
	ask, got := platform(t, map[string]any{
		"POST /predictions": models.Prediction{Method: models.MethodRecentLevel, Reason: "the mean of the last hour", Points: []models.PredictionPoint{
			{P50: 50, P95: &p95, Method: models.MethodRecentLevel, Assumed: true, Weddings: []models.WeddingShare{{WeddingID: "w", RPS: 20}}},
		}},
		"GET /predictions/accuracy?days=7&service=api": models.ForecastAccuracy{Gate: models.ForecastGate{Reason: "not trusted: under 14 days of history"}, Rows: []models.AccuracyRow{{LeadHours: 24, Hours: 9}}},
	})
	out, _, err := ask("forecast", "show", "--hours", "1")
	require.NoError(t, err)
	assert.Contains(t, out, "interval assumed")
	assert.Contains(t, out, "99")
	assert.InDelta(t, 1, (*got)[0].body["timeHorizonHours"], 0)
	out, _, err = ask("forecast", "accuracy")
	require.NoError(t, err)
	assert.Contains(t, out, "not trusted")
	_, _, err = ask("forecast", "show", "--service", "apo")
	require.ErrorContains(t, err, "--service")
}
