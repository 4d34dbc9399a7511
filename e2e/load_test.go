//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/actuator/fleet"
	"github.com/wedsync/scalability/models"
)

// fleetClient speaks to the stack's fleet.
func (s *stack) fleetClient(t *testing.T) *fleet.Client {
	t.Helper()
	c, err := fleet.NewClient(s.Fleet, nil)
	require.NoError(t, err)
	return c
}

// quick gives a service short waits, as an operator would through the API, and replicas
// that start in seconds. What was there before is put back at the end.
func (s *stack) quick(t *testing.T, name models.ServiceName, change func(*models.ScalingPolicy)) {
	t.Helper()
	before := s.service(t, name)
	after := before
	after.Policy.SoakSeconds, after.Policy.MeasurementIntervalSeconds, after.Policy.Measurements = 1, 2, 3
	after.Policy.MinimumRequests, after.Policy.ReadyDeadlineSeconds = 50, 30
	after.Policy.HoldAfterUpSeconds, after.Policy.DownStabilisationSeconds, after.Policy.DownPeriodSeconds = 5, 5, 1
	after.Policy.PanicSeconds, after.Policy.DownStepShare = 5, 1
	after.Policy.SuspectHoldSeconds = 5 // tests end side by side: many services' load falls at once, like in an outage
	if change != nil {
		change(&after.Policy)
	}
	s.put(t, after)
	t.Cleanup(func() {
		before.Revision = s.service(t, name).Revision
		s.put(t, before)
	})
	startP50, startP95 := 2.0, 3.0
	require.NoError(t, s.fleetClient(t).Configure(t.Context(), name, fleet.ServiceChange{StartupP50Seconds: &startP50, StartupP95Seconds: &startP95}))
}

func (s *stack) service(t *testing.T, name models.ServiceName) models.Service {
	t.Helper()
	var svc models.Service
	eventually(t, 30*time.Second, "the catalogue answers", func() bool {
		status, _ := s.call(t, "admin", http.MethodGet, "/api/scalability/services/"+string(name), nil, &svc)
		return status == 200
	})
	return svc
}

func (s *stack) put(t *testing.T, svc models.Service) {
	t.Helper()
	status, body := s.call(t, "admin", http.MethodPut, "/api/scalability/services/"+string(svc.Name), svc, nil)
	require.Equal(t, 200, status, body)
}

// load is a source of requests that is offered each second until the test ends.
type load struct{ rps atomic.Int64 }

func (l *load) set(rps float64) { l.rps.Store(int64(rps)) }

// offer begins a load on one service and waits until its metrics arrive.
func (s *stack) offer(t *testing.T, name models.ServiceName, rps float64) *load {
	t.Helper()
	l := &load{}
	l.set(rps)
	client, source := s.fleetClient(t), fmt.Sprintf("e2e-%s-%d", name, time.Now().UnixNano())
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			_ = client.SetLoad(ctx, source, map[models.ServiceName]float64{name: float64(l.rps.Load())}) // the fleet may be down for a moment: the next offer counts
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	t.Cleanup(func() {
		stop()
		<-done
		_ = client.SetLoad(context.Background(), source, nil)
	})
	return l
}

// settle waits until a service has the replicas that its load needs, all ready, with no
// change under way and a full minute of metrics behind it.
func (s *stack) settle(t *testing.T, name models.ServiceName, replicas int, within time.Duration) models.ReplicaSet {
	t.Helper()
	var set models.ReplicaSet
	client := s.fleetClient(t)
	eventually(t, within, fmt.Sprintf("%s settles at %d replicas", name, replicas), func() bool {
		var err error
		set, err = client.Describe(t.Context(), name)
		return err == nil && set.Spec == replicas && set.Ready == replicas && s.operation(t, name) == ""
	})
	return set
}

// operation is the decision of a service that is being carried out, "" for none.
func (s *stack) operation(t *testing.T, name models.ServiceName) string {
	t.Helper()
	for _, d := range s.decisions(t, string(name), 5) {
		if d.Outcome == models.OutcomeOpen {
			return d.ID
		}
	}
	return ""
}

// newest waits for a decision of a service that was made after a time.
func (s *stack) newest(t *testing.T, name models.ServiceName, direction models.Direction, after time.Time, within time.Duration) models.Decision {
	t.Helper()
	var found models.Decision
	defer func() {
		if t.Failed() {
			t.Log("what was decided instead: " + s.explanation(t, name).Text)
		}
	}()
	eventually(t, within, fmt.Sprintf("a decision to move %s %s", name, direction), func() bool {
		for _, d := range s.decisions(t, string(name), 10) {
			if d.Direction == direction && d.CreatedAt.After(after) && d.Status != models.DecisionProposed {
				found = d
			}
		}
		return found.ID != ""
	})
	return found
}
