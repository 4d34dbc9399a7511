//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func TestTheStackIsReadyAsTheReadmeSays(t *testing.T) {
	s := shared
	eventually(t, 30*time.Second, "all five components are healthy", func() bool {
		var h models.Health
		status, body := s.call(t, "", http.MethodGet, "/api/scalability/health", nil, nil)
		return status == 200 && json.Unmarshal([]byte(body), &h) == nil && h.OverallHealth == models.OverallHealthy &&
			h.ScalingEngine && h.LoadPredictor && h.PerformanceMonitor && h.RBACManager && h.Database
	})
	status, _ := s.call(t, "", http.MethodGet, "/api/scalability/metrics/realtime", nil, nil)
	assert.Equal(t, 401, status)
	status, body := s.call(t, "viewer", http.MethodGet, "/api/scalability/metrics/realtime", nil, nil)
	assert.Equal(t, 200, status, body)
	status, _ = s.call(t, "", http.MethodGet, "/scalability", nil, nil)
	assert.Equal(t, 302, status)
	status, body = s.call(t, "", http.MethodGet, "/dashboard/scalability", nil, nil)
	assert.Equal(t, 200, status)
	assert.Contains(t, body, "<div id=\"root\">")
	for _, page := range []string{"/api/docs", "/api/openapi.yaml"} {
		status, _, err := s.follow(t, page)
		require.NoError(t, err)
		assert.Equal(t, 200, status, page)
	}
}

// follow gets a page through its redirects.
func (s *stack) follow(t *testing.T, path string) (int, http.Header, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.API+path, nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	return res.StatusCode, res.Header, res.Body.Close()
}

func TestTemporalListsNineRunningAutoscalers(t *testing.T) {
	s := shared
	eventually(t, 30*time.Second, "nine autoscalers are running", func() bool {
		return len(s.searchUI(t, `WorkflowType = "Autoscale" AND ExecutionStatus = "Running"`)) == 9
	})
	var page models.WorkflowPage
	status, body := s.call(t, "viewer", http.MethodGet, "/api/scalability/workflows?kind=autoscale&open=true&limit=50", nil, &page)
	require.Equal(t, 200, status, body)
	assert.Len(t, page.Items, 9)
	for _, w := range page.Items {
		assert.True(t, strings.HasPrefix(w.WorkflowID, "autoscale/"), w.WorkflowID)
	}
}

func TestAPausedServiceIsNotScaledUntilItIsResumed(t *testing.T) {
	s := shared
	const name = models.ServiceNotifications
	s.quick(t, name, nil)
	status, body := s.call(t, "operator", http.MethodPost, "/api/scalability/services/notifications/pause", map[string]any{"reason": "trying the pause"}, nil)
	require.Equal(t, 200, status, body)
	before := time.Now()
	status, body = s.call(t, "operator", http.MethodPost, "/api/scalability/services/notifications/scale",
		map[string]any{"replicas": 4, "reason": "while it is paused", "holdMinutes": 2}, nil)
	require.Equal(t, 202, status, body)
	eventually(t, 30*time.Second, "the request is refused while paused", func() bool {
		ds := s.decisions(t, string(name), 1)
		return len(ds) == 1 && ds[0].CreatedAt.After(before.Add(-time.Second)) && ds[0].Outcome == models.OutcomeRefused
	})
	set, err := s.fleetClient(t).Describe(t.Context(), name)
	require.NoError(t, err)
	assert.Equal(t, 2, set.Spec)
	status, body = s.call(t, "operator", http.MethodPost, "/api/scalability/services/notifications/resume", map[string]any{"reason": "enough"}, nil)
	require.Equal(t, 200, status, body)
	eventually(t, time.Minute, "the reservation counts again", func() bool {
		set, err := s.fleetClient(t).Describe(t.Context(), name)
		return err == nil && set.Spec == 4
	})
}
