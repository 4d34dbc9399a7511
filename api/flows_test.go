package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

// get decodes a good answer.
func get[T any](t *testing.T, h http.Handler, r request, want int) T {
	t.Helper()
	rec := send(t, h, r)
	require.Equal(t, want, rec.Code, rec.Body.String())
	require.Contains(t, rec.Header().Get("Content-Type"), "application/json")
	var v T
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &v))
	return v
}

func TestHealthIsPublicShortLivedAndTruthful(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	for name, tc := range map[string]struct {
		broken int
		code   int
		state  models.Overall
	}{"all work": {0, 200, models.OverallHealthy}, "one is away": {1, 200, models.OverallDegraded}, "three are away": {3, 503, models.OverallUnhealthy}} {
		t.Run(name, func(t *testing.T) {
			p.health = models.Health{ScalingEngine: true, LoadPredictor: true, PerformanceMonitor: tc.broken < 3, RBACManager: tc.broken < 3,
				Database: tc.broken < 1, CheckedAt: noon}.WithOverall()
			got := get[models.Health](t, h, request{path: base + "/health"}, tc.code)
			assert.Equal(t, tc.state, got.OverallHealth)
		})
	}
	rec := send(t, h, request{path: base + "/health"})
	assert.Equal(t, "public, max-age=5", rec.Header().Get("Cache-Control"))
	assert.Empty(t, p.entries())
	assert.NotContains(t, p.calls, "Take", "health is for load balancers")
}

func TestDecisionsAreReadPageByPageToTheEnd(t *testing.T) {
	p := newPlatform()
	p.decided = nil
	for i := range 25 {
		p.decided = append(p.decided, models.Decision{ID: fmt.Sprintf("d%02d", i), CreatedAt: noon.Add(-time.Duration(i/3) * time.Second)})
	}
	h := p.handler(t)
	var seen []string
	path := base + "/decisions?service=api"
	for pages := 0; ; pages++ {
		require.Less(t, pages, 5)
		page := get[gen.DecisionPage](t, h, request{path: path, as: "viewer"}, 200)
		for _, d := range page.Items {
			seen = append(seen, d.ID)
		}
		if page.NextCursor == nil {
			assert.Len(t, page.Items, 5, "the last page has the rest")
			break
		}
		assert.Len(t, page.Items, 10, "a page has 10 by default")
		path = base + "/decisions?service=api&cursor=" + *page.NextCursor
	}
	require.Len(t, seen, 25)
	assert.Equal(t, "d00", seen[0])
	assert.Equal(t, "d24", seen[24])

	p.decided = p.decided[:10]
	page := get[gen.DecisionPage](t, h, request{path: base + "/decisions", as: "viewer"}, 200)
	assert.Nil(t, page.NextCursor, "a full last page is the last one")
	p.decided = nil
	assert.JSONEq(t, `{"items":[]}`, send(t, h, request{path: base + "/decisions", as: "viewer"}).Body.String())
}

func TestFiltersOfDecisionsReachTheStore(t *testing.T) {
	p := newPlatform()
	open := models.OutcomeOpen
	send(t, p.handler(t), request{path: base + "/decisions?limit=3&outcome=open&service=media&since=2027-06-12T13:00:00%2B01:00&until=2027-06-13T00:00:00Z", as: "viewer"})
	got, ok := p.last.(models.DecisionFilter)
	require.True(t, ok)
	assert.True(t, got.Since.Equal(noon))
	got.Since = time.Time{}
	assert.Equal(t, models.DecisionFilter{Service: models.ServiceMedia, Outcome: &open, Until: noon.Add(12 * time.Hour), Limit: 4}, got)
}

func TestStatusSaysWhatCouldNotBeRead(t *testing.T) {
	path := base + "/status?includeDatabase=true&includeScaling=true"
	p := newPlatform()
	h := p.handler(t)
	st := get[gen.Status](t, h, request{path: path, as: "viewer"}, 200)
	assert.Empty(t, st.Gaps)
	require.Len(t, st.Services, 1)
	svc := st.Services[0]
	assert.InDelta(t, 120, svc.Metrics[models.MetricThroughput], 0)
	assert.Equal(t, 3, svc.Scaling.Ready)
	assert.Equal(t, "http://127.0.0.1:8233/namespaces/default/workflows/autoscale%2Fapi", svc.TemporalURL)
	assert.Equal(t, 3, st.Scaling.Desired)
	assert.True(t, st.Database.Reachable)

	down := errors.New("down")
	for method, gap := range map[string]string{"Services": "catalogue", "ScalingStates": "evaluations", "Latest": "metrics", "DatabaseStatus": "database"} {
		p.fails(method, down)
		st := get[gen.Status](t, h, request{path: path, as: "viewer"}, 200)
		require.Len(t, st.Gaps, 1, method)
		assert.Contains(t, st.Gaps[0], gap)
		assert.Len(t, st.Services, 1, "what was known is shown")
		if method == "Latest" {
			assert.Nil(t, st.Services[0].MetricAt, "a metric that was not read is missing")
		}
		p.fails(method, nil)
	}
	for _, m := range []string{"Services", "ScalingStates", "Latest"} {
		p.fails(m, down)
	}
	assert.Equal(t, 503, send(t, h, request{path: path, as: "viewer"}).Code)
	bare := get[gen.Status](t, newPlatform().handler(t), request{path: base + "/status", as: "viewer"}, 200)
	assert.Nil(t, bare.Database)
	assert.Nil(t, bare.Scaling)
}

func TestAskingForCapacityCommitsAFloorAndADecisionThenWakesTheAutoscaler(t *testing.T) {
	p := newPlatform()
	body := `{"replicas":5,"reason":"a rehearsal","holdMinutes":10}`
	ans := get[gen.ScaleAnswer](t, p.handler(t), request{method: "POST", path: base + "/services/api/scale", body: body, as: "operator"}, 202)
	r, d := ans.Reservation, ans.Decision
	assert.Equal(t, models.Reservation{ID: r.ID, Service: "api", Kind: models.ReservationFloor, Replicas: 5, From: noon, Until: noon.Add(10 * time.Minute),
		Holder: "user:operator", Reason: "a rehearsal", CreatedAt: noon, CreatedBy: "user:operator"}, r)
	assert.Equal(t, r.ID, d.ReservationID)
	assert.Equal(t, []any{models.DecisionProposed, models.OutcomeOpen, models.DirectionUp, 3, 5, "user:operator"},
		[]any{d.Status, d.Outcome, d.Direction, d.FromReplicas, d.ToReplicas, d.RequestedBy})
	assert.Greater(t, d.ExpiresAt.Sub(noon), 60*time.Second, "a loop of 30 s sees it for certain")
	assert.Equal(t, "Keep api at 5 replicas or more until 12 Jun 12:10 UTC, as user:operator asked: a rehearsal", d.Sentence)
	assert.Nil(t, ans.Note)
	assert.Equal(t, [2]any{r, d}, p.last, "what is answered is what was committed")
	assert.Equal(t, "NudgeAutoscale", p.calls[len(p.calls)-1], "after the commit")
}

func TestARequestThatWasCommittedIsAnsweredAlthoughNobodyCouldBeWoken(t *testing.T) {
	p := newPlatform()
	p.fails("NudgeAutoscale", errors.New("temporal is down"))
	h := p.handler(t)
	ans := get[gen.ScaleAnswer](t, h, request{method: "POST", path: base + "/services/api/scale", body: `{"replicas":5,"reason":"abc"}`, as: "operator"}, 202)
	require.NotNil(t, ans.Note)
	assert.Contains(t, *ans.Note, "next tick")
	assert.Equal(t, 60*time.Minute, ans.Reservation.Until.Sub(noon), "an hour by default")
	assert.Equal(t, 201, send(t, h, request{method: "POST", path: base + "/reservations", body: samples(t)["POST /reservations"].body, as: "operator"}).Code)
}

func TestARequestThatWasNotCommittedWakesNobody(t *testing.T) {
	p := newPlatform()
	p.fails("RequestScale", models.Unavailable("store", errors.New("down")))
	rec := send(t, p.handler(t), request{method: "POST", path: base + "/services/api/scale", body: `{"replicas":5,"reason":"abc"}`, as: "operator"})
	assert.Equal(t, 503, rec.Code)
	assert.False(t, p.called("NudgeAutoscale"))
}

func TestAnOverrideStandsUnlessItIsRefused(t *testing.T) {
	call := request{method: "POST", path: base + "/services/api/override", as: "operator", body: `{"kind":"cap","replicas":8,"until":"` + later + `","reason":"trouble"}`}
	for name, tc := range map[string]struct {
		err       error
		code      int
		withdrawn bool
		note      bool
	}{
		"it is heard":      {nil, 200, false, false},
		"it is refused":    {models.Invalid("replicas", 8, "must be under the minimum"), 400, true, false},
		"nobody answers":   {models.Unavailable("launch", errors.New("timeout")), 200, false, true},
		"nothing runs":     {models.NotFound("workflow", "autoscale/api"), 200, false, true},
		"something is odd": {errors.New("odd"), 200, false, true},
		"it conflicts":     {&models.Error{Kind: models.KindConflict, Rule: "is paused"}, 409, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform()
			p.fails("Control", tc.err)
			rec := send(t, p.handler(t), call)
			require.Equal(t, tc.code, rec.Code, rec.Body.String())
			assert.True(t, p.called("CreateReservation"))
			assert.Equal(t, tc.withdrawn, p.called("EndReservation"))
			assert.Equal(t, tc.note, strings.Contains(rec.Body.String(), "next tick"))
			cmd, ok := p.last.(models.ControlCommand)
			require.True(t, ok)
			assert.Equal(t, models.ReservationCap, cmd.Reservation.Kind)
		})
	}
}

func TestCommandsSayWhoWhyAndUntilWhen(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	id := http.Header{"X-Request-Id": {"r-1"}}
	send(t, h, request{method: "POST", path: base + "/services/api/pause", body: `{"reason":"a move","until":"2027-06-12T17:00:00+01:00"}`, as: "operator", header: id})
	assert.Equal(t, models.ControlCommand{Action: models.ControlPause, Service: "api", Actor: "user:operator", Reason: "a move",
		Until: noon.Add(4 * time.Hour), RequestID: "pause/user:operator/r-1"}, p.last)
	send(t, h, request{method: "POST", path: base + "/services/api/resume", body: `{"reason":"moved"}`, as: "operator", header: id})
	assert.Equal(t, models.ControlCommand{Action: models.ControlResume, Service: "api", Actor: "user:operator", Reason: "moved", RequestID: "resume/user:operator/r-1"}, p.last)
}

func TestAnAnswerToAChangeThatWaitsReachesItWithWhoAndWhy(t *testing.T) {
	for name, want := range map[string]models.ApprovalVerdict{"approve": models.ApprovalApproved, "reject": models.ApprovalRejected} {
		p := newPlatform()
		call := request{method: "POST", path: base + "/decisions/" + decision + "/" + name, body: `{"reason":"all guests left"}`, as: "operator", header: http.Header{"X-Request-Id": {"r-1"}}}
		assert.Equal(t, gen.ApprovalAnswer{DecisionId: decision, Verdict: want}, get[gen.ApprovalAnswer](t, p.handler(t), call, 200))
		assert.Equal(t, models.ApprovalCommand{Service: models.ServiceAPI, DecisionID: decision, Actor: "user:operator", Reason: "all guests left",
			RequestID: name + "/" + decision + "/user:operator/r-1"}, p.last)
	}
}

func TestAnAnswerThatNobodyWaitsForIsRefusedAndMissesNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		id   string
		err  error
		code int
	}{
		"an unknown decision":       {another, nil, 404},
		"one that does not wait":    {decision, &models.Error{Kind: models.KindNotFound, Field: "id", Rule: "does not wait for approval"}, 404},
		"of who asked for it":       {decision, models.Invalid("actor", "user:operator", "must be somebody else"), 400},
		"answered otherwise before": {decision, &models.Error{Kind: models.KindConflict, Rule: "was answered"}, 409},
		"nobody hears it":           {decision, models.Unavailable("launch", errors.New("timeout")), 503},
	} {
		for verb, port := range map[string]string{"approve": "Approve", "reject": "Reject"} {
			t.Run(name+" "+verb, func(t *testing.T) {
				p := newPlatform()
				p.fails(port, tc.err)
				rec := send(t, p.handler(t), request{method: "POST", path: base + "/decisions/" + tc.id + "/" + verb, body: `{"reason":"all guests left"}`, as: "operator"})
				require.Equal(t, tc.code, rec.Code, rec.Body.String())
				problemOf(t, rec)
				assert.Equal(t, tc.id == decision, p.called(port))
			})
		}
	}
}

func TestWorkflowsAreNamedByEscapedIDs(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	assert.Equal(t, "autoscale/api", get[models.WorkflowDetail](t, h, request{path: base + "/workflows/autoscale%2Fapi", as: "viewer"}, 200).WorkflowID)
	assert.Equal(t, "maintenance/snapshots-2027-06-12T12:00:00Z",
		get[models.WorkflowDetail](t, h, request{path: base + "/workflows/maintenance%2fsnapshots-2027-06-12T12%3A00%3A00Z", as: "viewer"}, 200).WorkflowID)
	assert.Equal(t, 404, send(t, h, request{path: base + "/workflows/autoscale/api", as: "viewer"}).Code, "two segments are no ID")
	assert.Equal(t, 404, send(t, h, request{path: base + "/workflows/autoscale%252Fapi", as: "viewer"}).Code, "an ID is unescaped once")

	send(t, h, request{method: "POST", path: base + "/workflows/scale%2Fapi%2Fd1/cancel", body: `{"reason":"a mistake"}`, as: "operator"})
	assert.Equal(t, []string{"scale/api/d1", "user:operator", "a mistake"}, p.last)
	send(t, h, request{method: "POST", path: base + "/workflows/autoscale%2Fapi/signal", body: `{"signal":"spike","payload":{"service":"api","rps":900,"reason":"announced"}}`, as: "operator"})
	cmd, ok := p.last.(models.SignalCommand)
	require.True(t, ok)
	assert.Equal(t, []string{"autoscale/api", "spike", "user:operator"}, []string{cmd.WorkflowID, cmd.Signal, cmd.Actor})
	assert.JSONEq(t, `{"service":"api","seenAt":"2027-06-12T12:00:00Z","firstSampleAt":"2027-06-12T12:00:00Z","rps":900,"reason":"announced"}`, string(cmd.Payload))
	send(t, h, request{method: "POST", path: base + "/workflows/autoscale%2Fapi/signal", body: `{"signal":"reservation_changed","payload":{"reservationId":"r1"}}`, as: "operator"})
	cmd, ok = p.last.(models.SignalCommand)
	require.True(t, ok)
	assert.JSONEq(t, `{"reservationId":"r1"}`, string(cmd.Payload))
	send(t, h, request{path: base + "/workflows?open=false&pageToken=abc", as: "viewer"})
	no := false
	assert.Equal(t, models.WorkflowFilter{Open: &no, Limit: 20, PageToken: "abc"}, p.last)
}

func TestAnEntryOfTheCatalogueIsChangedOnlyWhereItWasNotMeanwhile(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	svc := get[models.Service](t, h, request{path: base + "/services/api", as: "admin"}, 200)
	svc.Policy.UpStep = 9
	put := request{method: "PUT", path: base + "/services/api", as: "admin", body: mustJSON(t, svc)}
	stored := get[models.Service](t, h, put, 200)
	assert.Equal(t, 9, stored.Policy.UpStep)
	assert.Equal(t, svc.Revision+1, stored.Revision)
	p.service.Revision = 7
	rec := send(t, h, put)
	require.Equal(t, 409, rec.Code)
	assert.Equal(t, "revision", (*problemOf(t, rec).Errors)[0].Field)
}

func TestAWeddingIsBookedInItsVenuesZone(t *testing.T) {
	p := newPlatform()
	rec := send(t, p.handler(t), request{method: "POST", path: base + "/weddings", as: "admin", body: `{"reference":"r1","timeZone":"Pacific/Auckland",
		"startsAt":"2027-07-01T22:00:00Z","endsAt":"2027-07-02T08:00:00Z","guests":90,"status":"confirmed","coordinator":"user:anna"}`})
	require.Equal(t, 201, rec.Code, rec.Body.String())
	var w models.Wedding
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &w))
	assert.Equal(t, "2027-07-02", w.WeddingDate)
	assert.Equal(t, base+"/weddings/"+w.ID, rec.Header().Get("Location"))
	assert.Len(t, w.ID, 36)

	send(t, p.handler(t), request{path: base + "/weddings?from=2027-06-12T00:00:00.000Z&until=2027-06-26T00:00:00.000Z&limit=50", as: "viewer"})
	f, ok := p.last.(models.WeddingFilter)
	require.True(t, ok)
	assert.Equal(t, 51, f.Limit)
	assert.True(t, f.From.Equal(noon.Add(-12*time.Hour)))
	page := get[gen.WeddingPage](t, p.handler(t), request{path: base + "/weddings?limit=1", as: "viewer"}, 200)
	assert.Len(t, page.Items, 1)
	require.NotNil(t, page.NextCursor)
}

func TestPriorityEndsWithTheWeddingAndStaysUnderThePolicyCap(t *testing.T) {
	p := newPlatform()
	p.weds[0].StartsAt, p.weds[0].EndsAt = noon.Add(-10*time.Hour), noon.Add(-5*time.Hour)
	path := base + "/weddings/" + wedding + "/priority"
	r := get[models.Reservation](t, p.handler(t), request{method: "POST", path: path, as: "coordinator", body: `{"service":"media","replicas":30,"reason":"photographs","holdMinutes":600}`}, 201)
	assert.Equal(t, noon.Add(time.Hour), r.Until, "six hours after its end")
	assert.Equal(t, []any{wedding, 180, models.ServiceMedia, "user:coordinator"}, []any{r.WeddingID, r.Guests, r.Service, r.Holder})
	assert.Equal(t, models.ScopeCoordinator, p.scope("CreateReservation").Role)
	rec := send(t, p.handler(t), request{method: "POST", path: path, as: "coordinator", body: `{"replicas":31,"reason":"photographs"}`})
	require.Equal(t, 400, rec.Code)
	assert.Contains(t, rec.Body.String(), "policy cap")
	p.weds[0].EndsAt = noon.Add(-7 * time.Hour)
	assert.Equal(t, 409, send(t, p.handler(t), request{method: "POST", path: path, as: "admin", body: `{"replicas":3,"reason":"photographs"}`}).Code)
}

func TestAClaimForLaterWakesNobodyNow(t *testing.T) {
	p := newPlatform()
	body := `{"service":"api","kind":"floor","replicas":4,"from":"2027-06-12T15:00:00Z","until":"2027-06-12T16:00:00Z","reason":"a rehearsal"}`
	rec := send(t, p.handler(t), request{method: "POST", path: base + "/reservations", body: body, as: "operator"})
	require.Equal(t, 201, rec.Code, rec.Body.String())
	assert.False(t, p.called("NudgeAutoscale"))
	send(t, p.handler(t), request{path: base + "/reservations", as: "viewer"})
	assert.Nil(t, p.last)
	assert.JSONEq(t, `{"items":[]}`, send(t, p.handler(t), request{path: base + "/reservations", as: "viewer"}).Body.String())
}

func TestPredictionsHaveDefaults(t *testing.T) {
	p := newPlatform()
	send(t, p.handler(t), request{method: "POST", path: base + "/predictions", body: `{}`, as: "viewer"})
	assert.Equal(t, models.PredictionRequest{Service: models.ServiceAPI, TimeHorizonHours: 24, IncludeWeddingContext: true}, p.last)
	send(t, p.handler(t), request{method: "POST", path: base + "/predictions", body: `{"service":"media","timeHorizonHours":3,"includeWeddingContext":false}`, as: "viewer"})
	assert.Equal(t, models.PredictionRequest{Service: models.ServiceMedia, TimeHorizonHours: 3}, p.last)
}

func TestEachKindOfErrorHasItsStatusAndKeepsItsCauseToItself(t *testing.T) {
	for kind, want := range map[models.Kind]int{
		models.KindInvalid: 400, models.KindNotFound: 404, models.KindConflict: 409, models.KindForbidden: 403, models.KindTooLarge: 413,
		models.KindRateLimited: 429, models.KindUnavailable: 503, models.KindExpired: 410, models.KindInternal: 500, models.KindUnauthorised: 401,
	} {
		p := newPlatform()
		p.fails("Services", fmt.Errorf("reading: %w", &models.Error{Kind: kind, Op: "store.Services", Field: "name", Value: "v", Rule: "a rule", Err: errors.New("SQLSTATE 42P01 at 10.0.0.7")}))
		rec := send(t, p.handler(t), request{path: base + "/services", as: "viewer"})
		require.Equal(t, want, rec.Code, kind)
		pr := problemOf(t, rec)
		assert.True(t, strings.HasPrefix(pr.Type, "urn:wedsync:problem:"), pr.Type)
		assert.Equal(t, base+"/services", pr.Instance)
		assert.NotContains(t, rec.Body.String(), "SQLSTATE")
		assert.NotContains(t, rec.Body.String(), "store.Services")
	}
}

func TestAnExplanationIsThereOnceTheServiceWasEvaluated(t *testing.T) {
	h := newPlatform().handler(t)
	assert.Equal(t, "Enough.", get[models.Explanation](t, h, request{path: base + "/services/api/explanation", as: "viewer"}, 200).Text)
	assert.Equal(t, 404, send(t, h, request{path: base + "/services/media/explanation", as: "viewer"}).Code)
}

func TestPagesAreServedWithoutATokenAndLoadNothingFromElsewhere(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	for path, want := range map[string]string{
		"/dashboard/scalability":                      "text/html; charset=utf-8",
		"/dashboard/scalability/":                     "text/html; charset=utf-8",
		"/dashboard/scalability/assets/index-abc1.js": "text/javascript; charset=utf-8",
		"/api/docs":                      "text/html; charset=utf-8",
		"/api/docs/":                     "text/html; charset=utf-8",
		"/api/docs/swagger-ui.css":       "text/css; charset=utf-8",
		"/api/docs/swagger-ui-bundle.js": "text/javascript; charset=utf-8",
		"/api/docs/start.js":             "text/javascript; charset=utf-8",
		"/api/openapi.yaml":              "application/yaml; charset=utf-8",
	} {
		rec := send(t, h, request{path: path})
		require.Equal(t, 200, rec.Code, path)
		assert.Equal(t, want, rec.Header().Get("Content-Type"), path)
		if strings.HasPrefix(want, "text/html") {
			assert.NotContains(t, rec.Body.String(), "http", "%s loads nothing from elsewhere", path)
			for _, rule := range []string{"default-src 'none';", "script-src 'self';", "style-src 'self';", "base-uri 'none';", "form-action 'self';", "frame-ancestors 'none'"} {
				assert.Contains(t, rec.Header().Get("Content-Security-Policy"), rule, path)
			}
		}
	}
	assert.Contains(t, send(t, h, request{path: "/dashboard/scalability/assets/index-abc1.js"}).Header().Get("Cache-Control"), "immutable")
	assert.Equal(t, "no-cache", send(t, h, request{path: "/dashboard/scalability"}).Header().Get("Cache-Control"))
	for _, path := range []string{"/", "/scalability"} {
		rec := send(t, h, request{path: path})
		assert.Equal(t, 302, rec.Code)
		assert.Equal(t, "/dashboard/scalability", rec.Header().Get("Location"))
	}
	for _, path := range []string{"/dashboard/scalability/../../etc/passwd", "/dashboard/scalability/%2e%2e/x", "/dashboard/scalability/assets/", "/api/docs/swagger-ui.js"} {
		assert.Equal(t, 404, send(t, h, request{path: path}).Code, path)
	}
	assert.Empty(t, p.entries())
}
