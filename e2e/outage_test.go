//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// outage is how long a server stays away: half a minute by default, longer to report of it
// (WEDSYNC_E2E_OUTAGE=60s make e2e).
func outage(t *testing.T) time.Duration {
	text := os.Getenv("WEDSYNC_E2E_OUTAGE")
	if text == "" {
		return 30 * time.Second
	}
	d, err := time.ParseDuration(text)
	require.NoError(t, err, "WEDSYNC_E2E_OUTAGE must be a duration such as 60s")
	return d
}

func TestAnOutageIsToldSurvivedAndRemovesNothing(t *testing.T) {
	s := shared
	const name = models.ServiceRealtime // 200 requests/s a replica at 70 %
	s.quick(t, name, nil)
	s.offer(t, name, 500)
	for _, server := range []string{"redis", "postgres", "temporal"} {
		t.Run(server, func(t *testing.T) {
			before := s.settle(t, name, 4, 3*time.Minute)
			pids := s.pids(t)
			release := s.hold(t, server)
			t.Cleanup(release)
			s.endures(t, name, before.Spec, outage(t))
			release()
			s.recovers(t, pids)
			before = s.settle(t, name, 4, 3*time.Minute)
			assert.Equal(t, 4, before.Ready)
		})
	}
}

// endures watches the stack while a server is away: health tells, nothing is removed.
func (s *stack) endures(t *testing.T, name models.ServiceName, spec int, d time.Duration) {
	t.Helper()
	client := s.fleetClient(t)
	told := false
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
		status, h := s.health(t)
		if h.OverallHealth != models.OverallHealthy && h.OverallHealth != "" {
			told = true
			assert.Equal(t, h.OverallHealth == models.OverallUnhealthy, status == 503)
		}
		set, err := client.Describe(t.Context(), name)
		if assert.NoError(t, err) {
			assert.GreaterOrEqual(t, set.Spec, spec, "an outage of a server removes no capacity")
		}
	}
	assert.True(t, told, "health said degraded or unhealthy at some time")
	_, h := s.health(t)
	assert.NotEqual(t, models.OverallHealthy, h.OverallHealth, "at the end of the outage it is still told")
}

// recovers waits for full health without any process of ours having been restarted.
func (s *stack) recovers(t *testing.T, pids map[string]int) {
	t.Helper()
	eventually(t, 2*time.Minute, "all is healthy again", func() bool {
		status, h := s.health(t)
		return status == 200 && h.OverallHealth == models.OverallHealthy
	})
	now := s.pids(t)
	for _, process := range []string{"api", "worker", "fleet"} {
		assert.Equal(t, pids[process], now[process], "%s did not crash", process)
	}
}

func (s *stack) pids(t *testing.T) map[string]int {
	t.Helper()
	s.Children = nil
	require.NoError(t, s.read())
	return s.Children
}

func (s *stack) health(t *testing.T) (int, models.Health) {
	t.Helper()
	var h models.Health
	status, body, err := s.try(t.Context(), "", http.MethodGet, "/api/scalability/health", nil)
	if err != nil {
		return 0, h
	}
	require.NoError(t, json.Unmarshal([]byte(body), &h), body)
	return status, h
}
