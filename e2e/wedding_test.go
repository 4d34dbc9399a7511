//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// A wedding that is booked for now raises the service by itself; while Redis is away and
// while it is cancelled meanwhile nothing is removed; afterwards it lets go.
func TestAWeddingRaisesTheFloorAndLetsItGoButNotBlindly(t *testing.T) {
	s := freshStack(t)             // what a guest brings is learned from what tests before have offered
	const name = models.ServiceAPI // 100 requests/s a replica
	// Booked first: the calendar is read once a minute.
	w := s.book(t, models.Wedding{
		Reference: "e2e-now", TimeZone: "Europe/London", Guests: 80, Status: models.WeddingConfirmed,
		StartsAt: time.Now().UTC().Add(-5 * time.Minute).Truncate(time.Second), EndsAt: time.Now().UTC().Add(5 * time.Hour).Truncate(time.Second),
	})
	// Its day has begun and reserves for it; here the calendar alone is to decide.
	status, body := s.call(t, "admin", http.MethodPost, "/api/scalability/wedding-days/"+w.WeddingDate+"/cancel", map[string]any{"reason": "the calendar alone"}, nil)
	require.Less(t, status, 300, body)
	s.quick(t, name, nil)
	s.offer(t, name, 60)

	var e models.Explanation
	eventually(t, 100*time.Second, "the wedding is what decides", func() bool {
		e = s.explanation(t, name)
		return e.Mode == string(models.ModeWeddingDay) && strings.Contains(e.Text, "80 guests of a wedding at")
	})
	c, ok := candidate(e, "window:"+w.ID)
	require.True(t, ok, "the explanation names the window: %+v", e.Candidates)
	assert.True(t, c.Used)
	assert.Equal(t, 80, c.Guests)
	assert.Equal(t, c.N, e.Desired, "and it binds: %s", e.Text)
	assert.Greater(t, c.N, 2, "60 requests/s need two")
	raised := s.settle(t, name, c.N, time.Minute)

	release := s.hold(t, "redis")
	t.Cleanup(release)
	w.Status = models.WeddingCancelled
	s.change(t, w)
	copied := false
	client := s.fleetClient(t)
	for end := time.Now().Add(outage(t)); time.Now().Before(end); time.Sleep(time.Second) {
		set, err := client.Describe(t.Context(), name)
		if assert.NoError(t, err) {
			assert.GreaterOrEqual(t, set.Spec, raised.Spec, "without the hot store nothing is removed")
		}
		e := s.explanation(t, name)
		load, ok := candidate(e, "throughput")
		copied = copied || ok && load.Used && load.Quality == models.QualityStale && strings.Contains(strings.Join(e.Gaps, ";"), "the metrics could not be read")
	}
	assert.True(t, copied, "the rollups at rest stood in for the hot store")
	release()

	eventually(t, 2*time.Minute, "the cancelled wedding lets go", func() bool {
		e = s.explanation(t, name)
		_, there := candidate(e, "window:"+w.ID)
		return e.Mode == "normal" && !there
	})
	assert.LessOrEqual(t, e.Raw, 2, "what is left is what load needs: %s", e.Text)
	if os.Getenv("WEDSYNC_E2E_OUTAGE") != "" { // a longer run also waits for whole minutes of metrics, and for the scale-in
		s.settle(t, name, 2, 3*time.Minute)
	}
}

func (s *stack) book(t *testing.T, w models.Wedding) models.Wedding {
	t.Helper()
	var made models.Wedding
	status, body := s.call(t, "admin", http.MethodPost, "/api/scalability/weddings", weddingBody(w, 0), &made)
	require.Equal(t, 201, status, body)
	t.Cleanup(func() { // a test that failed half way leaves no guests behind
		var now models.Wedding
		if status, _ := s.call(t, "admin", http.MethodGet, "/api/scalability/weddings/"+made.ID, nil, &now); status == 200 && now.Status != models.WeddingCancelled {
			now.Status = models.WeddingCancelled
			s.change(t, now)
		}
	})
	return made
}

func (s *stack) change(t *testing.T, w models.Wedding) {
	t.Helper()
	status, body := s.call(t, "admin", http.MethodPut, "/api/scalability/weddings/"+w.ID, weddingBody(w, w.Revision), nil)
	require.Equal(t, 200, status, body)
}

func weddingBody(w models.Wedding, revision int64) map[string]any {
	body := map[string]any{
		"reference": w.Reference, "timeZone": w.TimeZone, "startsAt": w.StartsAt, "endsAt": w.EndsAt, "guests": w.Guests, "status": w.Status,
	}
	if revision > 0 {
		body["revision"] = revision
	}
	return body
}

// explanation is why a service has what it has; the zero one while it cannot be asked.
func (s *stack) explanation(t *testing.T, name models.ServiceName) models.Explanation {
	t.Helper()
	var e models.Explanation
	status, body, err := s.try(t.Context(), "admin", http.MethodGet, "/api/scalability/services/"+string(name)+"/explanation", nil)
	if err == nil && status == 200 {
		require.NoError(t, json.Unmarshal([]byte(body), &e))
	}
	return e
}

func candidate(e models.Explanation, by string) (models.Candidate, bool) {
	for _, c := range e.Candidates {
		if c.By == by {
			return c, true
		}
	}
	return models.Candidate{}, false
}
