//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/actuator/fleet"
	"github.com/wedsync/scalability/models"
)

func TestCrashingReplicasAreTakenBackToNoLessThanTheNeed(t *testing.T) {
	s := shared
	const name = models.ServiceSearch // 90 requests/s a replica at 70 %
	s.quick(t, name, nil)
	s.offer(t, name, 120)
	s.settle(t, name, 2, 2*time.Minute)
	client := s.fleetClient(t)
	require.NoError(t, client.SetFaults(t.Context(), name, fleet.Fault{Kind: fleet.FaultCrash, TTLSeconds: 120}))
	t.Cleanup(func() { _ = client.SetFaults(context.Background(), name) })

	d := s.scale(t, "operator", name, 5, "new replicas will crash")
	d = s.settled(t, d.ID, 2*time.Minute)
	assert.Equal(t, models.OutcomeRolledBack, d.Outcome, d.OutcomeReason)
	require.NotNil(t, d.Evidence)
	assert.Equal(t, models.VerdictRollback, d.Evidence.Verdict)
	assert.NotEmpty(t, d.Evidence.Measurements, "a rollback is recorded with its measurements")
	assert.NotEmpty(t, d.Evidence.Checks)
	require.NotNil(t, d.FinalReplicas)
	assert.GreaterOrEqual(t, *d.FinalReplicas, 2, "120 requests/s need two replicas")
	set, err := client.Describe(t.Context(), name)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, set.Ready, 2, "what served before still serves")
}

func TestTooLittleTrafficIsHeldAndNotCalledASuccess(t *testing.T) {
	s := shared
	const name = models.ServiceAnalytics
	s.quick(t, name, func(p *models.ScalingPolicy) { p.MinimumRequests = 1_000_000 })
	s.offer(t, name, 5)
	s.settle(t, name, 2, 2*time.Minute)
	d := s.scale(t, "operator", name, 3, "nobody comes")
	d = s.settled(t, d.ID, 2*time.Minute)
	assert.Equal(t, models.OutcomeHeld, d.Outcome, d.OutcomeReason)
	assert.Contains(t, d.OutcomeReason, "a verdict needs")
	require.NotNil(t, d.FinalReplicas)
	assert.Equal(t, 3, *d.FinalReplicas, "held capacity is kept")
}

func TestReplicasThatNeverStartAreTakenBack(t *testing.T) {
	s := shared
	const name = models.ServiceAuth
	s.quick(t, name, func(p *models.ScalingPolicy) { p.ReadyDeadlineSeconds = 8 })
	s.offer(t, name, 60)
	s.settle(t, name, 2, 2*time.Minute)
	client := s.fleetClient(t)
	require.NoError(t, client.SetFaults(t.Context(), name, fleet.Fault{Kind: fleet.FaultNever, TTLSeconds: 120}))
	t.Cleanup(func() { _ = client.SetFaults(context.Background(), name) })
	d := s.settled(t, s.scale(t, "operator", name, 4, "new replicas never start").ID, 2*time.Minute)
	assert.Equal(t, models.OutcomeRolledBack, d.Outcome, d.OutcomeReason)
	require.NotNil(t, d.FinalReplicas)
	assert.GreaterOrEqual(t, *d.FinalReplicas, 2)
}

// scale asks for capacity and returns the decision that was proposed. The reservation is
// ended with the test.
func (s *stack) scale(t *testing.T, role string, name models.ServiceName, replicas int, reason string) models.Decision {
	t.Helper()
	var answer struct {
		Decision    models.Decision    `json:"decision"`
		Reservation models.Reservation `json:"reservation"`
	}
	status, body := s.call(t, role, http.MethodPost, "/api/scalability/services/"+string(name)+"/scale",
		map[string]any{"replicas": replicas, "reason": reason, "holdMinutes": 10}, &answer)
	require.Equal(t, 202, status, body)
	require.NotEmpty(t, answer.Decision.ID)
	t.Cleanup(func() {
		s.call(t, "operator", http.MethodDelete, "/api/scalability/reservations/"+answer.Reservation.ID, nil, nil)
	})
	return answer.Decision
}
