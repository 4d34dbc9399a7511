//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// A verified change of this test takes about twelve seconds from the request: the kills
// fall into its taking up, preflight, order, wait, soak, measurements and closing.
func TestAWorkerKilledAtTenPointsOfAScaleUpFinishesIt(t *testing.T) {
	s := shared
	const name = models.ServiceMedia // 60 requests/s a replica at 70 %
	s.quick(t, name, nil)
	s.offer(t, name, 205)
	spec := s.settle(t, name, 5, 2*time.Minute).Spec
	// What queued up while there were two replicas still makes answers slow, and slow answers
	// ask for more.
	eventually(t, time.Minute, "the rush of the start is over", func() bool {
		var st struct{ Services []models.ServiceStatus }
		s.call(t, "viewer", http.MethodGet, "/api/scalability/status", nil, &st)
		for _, service := range st.Services {
			if p95, measured := service.Metrics[models.MetricResponseP95]; service.Service == name && measured {
				return p95 < 500
			}
		}
		return false
	})
	client := s.fleetClient(t)
	for i := range 10 {
		after := time.Duration(i) * 1200 * time.Millisecond
		view, err := client.View(t.Context(), name)
		require.NoError(t, err)
		d := s.scale(t, "operator", name, spec+1, fmt.Sprintf("the worker dies after %s", after))
		time.Sleep(after)
		s.kill(t, "worker")
		d = s.carried(t, s.settled(t, d.ID, 2*time.Minute))
		now, err := client.View(t.Context(), name)
		require.NoError(t, err)
		orders := now.Orders.Applied - view.Orders.Applied
		switch d.Outcome {
		case models.OutcomeVerified:
			assert.Equal(t, spec+1, now.Spec, "killed after %s", after)
			assert.Equal(t, 1, orders, "killed after %s: one change is one order", after)
		case models.OutcomeRolledBack:
			assert.GreaterOrEqual(t, now.Spec, spec, "killed after %s", after)
			assert.Equal(t, 2, orders, "killed after %s: an order and its way back", after)
		default:
			assert.Fail(t, "neither verified nor rolled back", "killed after %s: %s: %s", after, d.Outcome, d.OutcomeReason)
		}
		t.Logf("killed after %s: %s with %d order(s)", after, d.Outcome, orders)
		spec = now.Spec
	}
}

// carrier finds the decision that brings what a request asked for: an evaluation may see
// the reservation a moment before the request, and then answers the request with it.
var carrier = regexp.MustCompile(`^decision (\S+) (is bringing|brings) `)

// carried is the decision that carried a request out: itself, or the one it names.
func (s *stack) carried(t *testing.T, d models.Decision) models.Decision {
	t.Helper()
	if m := carrier.FindStringSubmatch(d.OutcomeReason); m != nil {
		return s.settled(t, m[1], 2*time.Minute)
	}
	return d
}

func TestTheAPIKilledWhileItStartsAChangeLeavesNoDecisionOpen(t *testing.T) {
	s := shared
	const name = models.ServiceStorage
	s.quick(t, name, nil)
	s.offer(t, name, 60)
	began := time.Now().Add(-time.Second)
	for i := range 6 {
		go func() { // the answer may never come: the API dies
			_, _, _ = s.try(t.Context(), "operator", http.MethodPost, "/api/scalability/services/storage/scale",
				map[string]any{"replicas": 3 + i%2, "reason": "the API dies meanwhile", "holdMinutes": 3})
		}()
		time.Sleep(time.Duration(2+4*i) * time.Millisecond)
		s.kill(t, "api")
		eventually(t, time.Minute, "the API is back", func() bool {
			status, _, err := s.try(t.Context(), "", http.MethodGet, "/api/scalability/health", nil)
			return err == nil && status == 200
		})
	}
	made := 0
	eventually(t, 5*time.Minute, "every decision has an outcome", func() bool {
		made = 0
		for _, d := range s.decisions(t, string(name), 50) {
			if d.CreatedAt.Before(began) {
				continue
			}
			if made++; d.Outcome == models.OutcomeOpen {
				return false
			}
		}
		return true
	})
	t.Logf("%d decisions were committed before or after the API died, none is open", made)
}
