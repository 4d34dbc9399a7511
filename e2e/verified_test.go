//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/wedsync/scalability/internal/actuator/fleet"
	"github.com/wedsync/scalability/internal/launch"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

// Each verdict and each way back, with the failure that leads there. The services do not
// share anything but the database, so they are tried side by side; what fills the database
// has it alone.
func TestVerifiedChange(t *testing.T) {
	// Other tests leave services scaled, and what is large is not removed without a
	// person's yes: these begin on a stack at rest.
	before := shared
	shared = freshStack(t)
	t.Cleanup(func() { shared = before })
	t.Run("side by side", func(t *testing.T) {
		for name, f := range map[string]func(*testing.T){
			"crash and quarantine": crashAndQuarantine,
			"errors": func(t *testing.T) {
				harmful(t, models.ServiceAuth, 90, fleet.Fault{Kind: fleet.FaultErrors, ErrorShare: 0.6}, "errors")
			},
			"slow, capacity":                   slowThenWeak,
			"in part":                          inPart,
			"actuator away":                    actuatorAway,
			"a rollback that fails":            rollbackFails,
			"cancelled at each phase":          cancelledAtEachPhase,
			"approval":                         approval,
			"rollout, writer, undone scale-in": rolloutWriterAndUndo,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f(t)
			})
		}
	})
	t.Run("a database that others fill", databaseIsFilled)
}

// verified prepares a service: short waits, starts within seconds, nothing left behind by
// tests before, and the replicas that its load needs; 0: as many as there are.
func (s *stack) verified(t *testing.T, name models.ServiceName, rps float64, replicas int, change func(*models.ScalingPolicy)) *fleet.Client {
	t.Helper()
	c := s.fleetClient(t)
	require.NoError(t, c.SetFaults(t.Context(), name))
	s.quick(t, name, change)
	svc := s.service(t, name)
	before := svc
	svc.StartupP50Seconds, svc.StartupP95Seconds = 2, 4
	s.put(t, svc)
	start50, start95, base := 1.5, 2.0, before // the fleet's; a PUT tells it the catalogue's
	require.NoError(t, c.Configure(t.Context(), name, fleet.ServiceChange{StartupP50Seconds: &start50, StartupP95Seconds: &start95}))
	t.Cleanup(func() {
		_ = c.SetFaults(context.Background(), name)
		now := s.service(t, name)
		now.StartupP50Seconds, now.StartupP95Seconds = base.StartupP50Seconds, base.StartupP95Seconds
		s.put(t, now)
		s.resume(t, name)
	})
	s.resume(t, name)
	s.offer(t, name, rps)
	if replicas > 0 {
		s.settle(t, name, replicas, 2*time.Minute)
	}
	eventually(t, 2*time.Minute, "nothing moves", func() bool {
		set, err := c.Describe(t.Context(), name)
		return err == nil && set.Spec == set.Ready && s.operation(t, name) == ""
	})
	time.Sleep(17 * time.Second) // the time before that a change is compared with is 15 s
	return c
}

func (s *stack) resume(t *testing.T, name models.ServiceName) {
	t.Helper()
	status, body := s.call(t, "operator", http.MethodPost, "/api/scalability/services/"+string(name)+"/resume", map[string]any{"reason": "the test goes on"}, nil)
	require.Equal(t, 200, status, body)
}

// grown asks for replicas, waits until they are ordered and ends the reservation, so that
// only measured demand holds them.
func (s *stack) grown(t *testing.T, c *fleet.Client, name models.ServiceName, replicas int, reason string) models.Decision {
	t.Helper()
	var answer struct {
		Decision    models.Decision    `json:"decision"`
		Reservation models.Reservation `json:"reservation"`
	}
	status, body := s.call(t, "operator", http.MethodPost, "/api/scalability/services/"+string(name)+"/scale",
		map[string]any{"replicas": replicas, "reason": reason, "holdMinutes": 10}, &answer)
	require.Equal(t, 202, status, body)
	end := func() {
		s.call(t, "operator", http.MethodDelete, "/api/scalability/reservations/"+answer.Reservation.ID, nil, nil)
	}
	t.Cleanup(end)
	eventually(t, 45*time.Second, fmt.Sprintf("%d replicas of %s are ordered", replicas, name), func() bool {
		set, err := c.Describe(t.Context(), name)
		return err == nil && set.Spec >= replicas
	})
	end()
	return answer.Decision
}

func (s *stack) spec(t *testing.T, c *fleet.Client, name models.ServiceName) models.ReplicaSet {
	t.Helper()
	set, err := c.Describe(t.Context(), name)
	require.NoError(t, err)
	return set
}

// evidenced checks what each closed change that was ordered has on record.
func evidenced(t *testing.T, d models.Decision) {
	t.Helper()
	require.NotNil(t, d.Evidence)
	e := d.Evidence
	assert.NotEmpty(t, e.Sentence, "a sentence for a person")
	assert.Contains(t, e.Sentence, string(d.Service))
	require.NotNil(t, e.Before)
	require.NotNil(t, e.After)
	assert.Positive(t, e.Before.CostPerHour)
	assert.Positive(t, e.After.CostPerHour)
	assert.NotEmpty(t, e.Steps)
	t.Log(e.Sentence)
}

// steps joins what a change did.
func steps(d models.Decision) string {
	var b strings.Builder
	for _, st := range d.Evidence.Steps {
		fmt.Fprintf(&b, "%s: %s\n", st.Name, st.Text)
	}
	return b.String()
}

// harmful grows a service of two replicas under a fault of the new ones: they are taken
// back, and the service is measured to be as before.
func harmful(t *testing.T, name models.ServiceName, rps float64, f fleet.Fault, cause string) {
	s := shared
	c := s.verified(t, name, rps, 2, nil)
	require.NoError(t, c.SetFaults(t.Context(), name, f))
	d := s.settled(t, s.grown(t, c, name, 4, "new replicas do harm: "+cause).ID, 2*time.Minute)
	assert.Equal(t, models.OutcomeRolledBack, d.Outcome, d.OutcomeReason)
	evidenced(t, d)
	assert.Equal(t, cause, d.Evidence.Cause, d.OutcomeReason)
	assert.Equal(t, models.VerdictRollback, d.Evidence.Verdict)
	assert.Contains(t, steps(d), "the service is as before", "the rollback is verified")
	assert.Equal(t, 2, *d.FinalReplicas)
	require.NoError(t, c.SetFaults(t.Context(), name))
	s.settle(t, name, 2, time.Minute)
}

func slowThenWeak(t *testing.T) {
	const name = models.ServiceNotifications
	t.Run("slow", func(t *testing.T) {
		harmful(t, name, 100, fleet.Fault{Kind: fleet.FaultSlow, LatencyFactor: 8}, "response")
	})
	t.Run("weak", func(t *testing.T) {
		harmful(t, name, 100, fleet.Fault{Kind: fleet.FaultSlow, CapacityFactor: 0.45}, "capacity")
	})
}

func crashAndQuarantine(t *testing.T) {
	s := shared
	const name = models.ServiceSearch
	c := s.verified(t, name, 100, 2, nil)
	require.NoError(t, c.SetFaults(t.Context(), name, fleet.Fault{Kind: fleet.FaultCrash}))
	d := s.settled(t, s.grown(t, c, name, 5, "new replicas will crash").ID, 2*time.Minute)
	assert.Equal(t, models.OutcomeRolledBack, d.Outcome, d.OutcomeReason)
	evidenced(t, d)
	assert.Equal(t, "crash", d.Evidence.Cause)
	assert.Equal(t, 2, s.spec(t, c, name).Spec)

	applied := s.orders(t, c, name)
	again := s.settled(t, s.scale(t, "operator", name, 4, "the same again").ID, time.Minute)
	assert.Equal(t, models.OutcomeRefused, again.Outcome, again.OutcomeReason)
	assert.Contains(t, again.OutcomeReason, "quarantine", "what crashed waits, and says so")
	assert.Contains(t, again.OutcomeReason, d.ID)
	assert.Equal(t, applied, s.orders(t, c, name))
	st := s.autoscaler(t, name)
	if assert.NotNil(t, st.Quarantine) {
		assert.Equal(t, 5*time.Minute, st.Quarantine.Until.Sub(st.Quarantine.Since).Round(time.Second))
	}

	// A floor that stands and crashing replicas that are needed: nothing is taken back.
	require.NoError(t, c.SetFaults(t.Context(), name))
	s.resume(t, name)
	healed := s.settled(t, s.newest(t, name, models.DirectionUp, again.CreatedAt, time.Minute).ID, 2*time.Minute)
	assert.Equal(t, models.OutcomeVerified, healed.Outcome, healed.OutcomeReason)
	require.NoError(t, c.SetFaults(t.Context(), name, fleet.Fault{Kind: fleet.FaultCrash}))
	kept := s.settled(t, s.scale(t, "operator", name, 6, "a floor holds what crashes").ID, 2*time.Minute)
	assert.Equal(t, models.OutcomeRolledBack, kept.Outcome, kept.OutcomeReason)
	assert.Equal(t, 6, *kept.FinalReplicas, "never below the need, which is the floor: %s", kept.OutcomeReason)
	evidenced(t, kept)
}

func inPart(t *testing.T) {
	s := shared
	const name = models.ServiceRealtime
	c := s.verified(t, name, 200, 2, nil)
	require.NoError(t, c.SetFaults(t.Context(), name, fleet.Fault{Kind: fleet.FaultNever, Count: 1}))
	d := s.settled(t, s.grown(t, c, name, 7, "one of five does not start at first").ID, 2*time.Minute)
	assert.Equal(t, models.OutcomeVerified, d.Outcome, d.OutcomeReason)
	assert.Contains(t, steps(d), "ordered again")
	evidenced(t, d)
	s.settle(t, name, 2, 2*time.Minute)

	require.NoError(t, c.SetFaults(t.Context(), name, fleet.Fault{Kind: fleet.FaultNever, Count: 1}))
	p := s.grown(t, c, name, 7, "one of five never starts")
	require.NoError(t, c.SetFaults(t.Context(), name, fleet.Fault{Kind: fleet.FaultNever}))
	d = s.settled(t, p.ID, 2*time.Minute)
	assert.Equal(t, models.OutcomePartial, d.Outcome, d.OutcomeReason)
	assert.Equal(t, models.VerdictPartial, d.Evidence.Verdict)
	assert.Contains(t, steps(d), "(2 of 2)", "it was tried twice")
	assert.Equal(t, 6, *d.FinalReplicas, "the healthy four stay, what never came is given up")
	require.NotEmpty(t, d.Evidence.Flags)
	assert.Equal(t, models.FlagWarning, d.Evidence.Flags[0].Level)
	evidenced(t, d)
}

func actuatorAway(t *testing.T) {
	s := shared
	const name = models.ServiceAnalytics
	c := s.verified(t, name, 60, 2, nil)
	before := s.orders(t, c, name)
	require.NoError(t, c.SetFaults(t.Context(), name,
		fleet.Fault{Kind: fleet.FaultApplyError, Count: 3}, fleet.Fault{Kind: fleet.FaultDescribeError, Share: 0.3, TTLSeconds: 15}))
	d := s.settled(t, s.grown(t, c, name, 4, "the actuator fails for a moment").ID, 2*time.Minute)
	assert.Equal(t, models.OutcomeVerified, d.Outcome, d.OutcomeReason)
	evidenced(t, d)
	require.NoError(t, c.SetFaults(t.Context(), name))
	s.settle(t, name, 2, 2*time.Minute)
	assert.LessOrEqual(t, before+2, s.orders(t, c, name), "one up and one down, none twice")

	before = s.orders(t, c, name)
	require.NoError(t, c.SetFaults(t.Context(), name, fleet.Fault{Kind: fleet.FaultApplyError, TTLSeconds: 100}))
	asked := s.scale(t, "operator", name, 4, "the actuator takes no order")
	d = s.settled(t, asked.ID, 2*time.Minute)
	assert.Equal(t, models.OutcomeExpired, d.Outcome, d.OutcomeReason)
	assert.Equal(t, before, s.orders(t, c, name))
	assert.Equal(t, 2, s.spec(t, c, name).Spec, "everything is as it was")
}

func rollbackFails(t *testing.T) {
	s := shared
	const name = models.ServiceMedia
	c := s.verified(t, name, 40, 2, nil)
	require.NoError(t, c.SetFaults(t.Context(), name, fleet.Fault{Kind: fleet.FaultErrors}))
	p := s.grown(t, c, name, 4, "it fails, and so does the way back")
	require.NoError(t, c.SetFaults(t.Context(), name, fleet.Fault{Kind: fleet.FaultApplyError}))
	d := s.settled(t, p.ID, 4*time.Minute)
	assert.Equal(t, models.OutcomeFailed, d.Outcome, d.OutcomeReason)
	assert.Contains(t, d.OutcomeReason, "could not be taken back")
	evidenced(t, d)
	require.NotEmpty(t, d.Evidence.Flags)
	assert.Equal(t, models.FlagPage, d.Evidence.Flags[0].Level)
	assert.Equal(t, 4, s.spec(t, c, name).Spec, "what stands is left alone")
	require.NoError(t, c.SetFaults(t.Context(), name))
	eventually(t, 20*time.Second, "the service is frozen", func() bool { return s.autoscaler(t, name).Frozen != nil })
	refused := s.settled(t, s.scale(t, "operator", name, 6, "a frozen service").ID, time.Minute)
	assert.Equal(t, models.OutcomeRefused, refused.Outcome, refused.OutcomeReason)
	assert.Contains(t, refused.OutcomeReason, d.ID, "it says what froze it")
	s.resume(t, name)
	up := s.settled(t, s.newest(t, name, models.DirectionUp, refused.CreatedAt, time.Minute).ID, 2*time.Minute)
	assert.NotEqual(t, models.OutcomeRefused, up.Outcome, "a person's word lifts it: %s", up.OutcomeReason)
}

func cancelledAtEachPhase(t *testing.T) {
	s := shared
	const name = models.ServiceStorage
	c := s.verified(t, name, 70, 2, func(p *models.ScalingPolicy) { p.SoakSeconds, p.MeasurementIntervalSeconds = 5, 3 })
	for _, phase := range []string{"ready", "soak", "measure"} {
		d := s.grown(t, c, name, 4, "stopped in phase "+phase)
		id := workflows.OperationID(name, d.ID)
		eventually(t, 30*time.Second, "it is in phase "+phase, func() bool {
			var p workflows.OperationProgress
			s.state(t, id, &p)
			return p.Phase == phase
		})
		status, body := s.call(t, "operator", http.MethodPost, "/api/scalability/workflows/"+url.PathEscape(id)+"/cancel", map[string]any{"reason": "a drill"}, nil)
		require.Equal(t, 202, status, body)
		d = s.settled(t, d.ID, time.Minute)
		assert.Equal(t, models.OutcomeCancelled, d.Outcome, "%s: %s", phase, d.OutcomeReason)
		assert.Equal(t, 2, *d.FinalReplicas, "%s: what was ordered is taken back", phase)
		evidenced(t, d)
		s.settle(t, name, 2, time.Minute)
	}
}

func approval(t *testing.T) {
	s := shared
	const name = models.ServiceAPI
	c := s.verified(t, name, 230, 4, func(p *models.ScalingPolicy) { p.DeadBandDown = 0.5 }) // all at once
	up := s.settled(t, s.grown(t, c, name, 26, "a large event").ID, 3*time.Minute)
	assert.Contains(t, []models.Outcome{models.OutcomeVerified, models.OutcomeHeld}, up.Outcome, up.OutcomeReason)
	assert.Contains(t, steps(up), "next wave", "planned capacity comes in waves")
	began, orders := up.CreatedAt, s.orders(t, c, name)
	l := s.launcher(t)
	waiting := func(after time.Time) models.Decision {
		d := s.newest(t, name, models.DirectionDown, after, 2*time.Minute)
		eventually(t, 30*time.Second, "it waits for a person", func() bool {
			var p workflows.OperationProgress
			s.state(t, workflows.OperationID(name, d.ID), &p)
			return p.Phase == "approval"
		})
		assert.Equal(t, orders, s.orders(t, c, name))
		return d
	}
	answer := func(d models.Decision, yes bool, actor, reason string) error {
		command := models.ApprovalCommand{Service: name, DecisionID: d.ID, Actor: actor, Reason: reason}
		var err error
		if yes {
			_, err = l.Approve(t.Context(), command)
		} else {
			_, err = l.Reject(t.Context(), command)
		}
		return err
	}

	d := waiting(began)
	expired := s.settled(t, d.ID, time.Minute)
	assert.Equal(t, models.OutcomeExpired, expired.Outcome, expired.OutcomeReason)
	assert.Contains(t, steps(expired), "reminder 2", "somebody was reminded")
	asItWas(t, s, c, name, orders, expired)

	s.resume(t, name)
	d = waiting(d.CreatedAt)
	assert.Equal(t, models.KindInvalid, models.KindOf(answer(d, true, "user:anna", "")), "an answer needs a reason")
	require.NoError(t, answer(d, false, "user:anna", "the party goes on"))
	refused := s.settled(t, d.ID, time.Minute)
	assert.Equal(t, models.OutcomeRefused, refused.Outcome, refused.OutcomeReason)
	assert.Contains(t, refused.OutcomeReason, "user:anna said no: the party goes on")
	asItWas(t, s, c, name, orders, refused)
	require.Error(t, answer(d, true, "user:anna", "on second thought"), "it has ended")
	time.Sleep(8 * time.Second)
	assert.Equal(t, d.ID, s.decisions(t, string(name), 1)[0].ID, "a no counts for a while")

	s.resume(t, name)
	d = waiting(d.CreatedAt)
	require.NoError(t, answer(d, true, "user:bob", "all guests have left"))
	approved := s.settled(t, d.ID, time.Minute)
	assert.Equal(t, models.OutcomeVerified, approved.Outcome, approved.OutcomeReason)
	evidenced(t, approved)
	require.NotNil(t, approved.Evidence.Approval)
	assert.Equal(t, "user:bob", approved.Evidence.Approval.Actor)
	assert.Equal(t, approved.ToReplicas, *approved.FinalReplicas)
}

// asItWas says that a change that was not agreed to left nothing behind.
func asItWas(t *testing.T, s *stack, c *fleet.Client, name models.ServiceName, orders int, d models.Decision) {
	t.Helper()
	set := s.spec(t, c, name)
	assert.Equal(t, 26, set.Spec)
	assert.Equal(t, 26, set.Ready)
	assert.Equal(t, orders, s.orders(t, c, name), "nothing was ordered")
	assert.Nil(t, d.OrderedAt)
	require.NotNil(t, d.Evidence)
	assert.Contains(t, d.OutcomeReason, "everything is as it was")
}

func rolloutWriterAndUndo(t *testing.T) {
	s := shared
	const name = models.ServiceDatabase
	c := s.verified(t, name, 200, 2, nil)
	require.NoError(t, c.SetFaults(t.Context(), name, fleet.Fault{Kind: fleet.FaultWriter, TTLSeconds: 60}))
	d := s.settled(t, s.scale(t, "operator", name, 3, "somebody else sets the spec").ID, time.Minute)
	assert.Equal(t, models.OutcomeRefused, d.Outcome, d.OutcomeReason)
	assert.Contains(t, d.OutcomeReason, "others set the spec too")
	assert.Equal(t, 2, s.spec(t, c, name).Spec)

	require.NoError(t, c.SetFaults(t.Context(), name, fleet.Fault{Kind: fleet.FaultRollout, TTLSeconds: 15}))
	d = s.settled(t, s.grown(t, c, name, 5, "a rollout is under way").ID, 2*time.Minute)
	assert.Equal(t, models.OutcomeVerified, d.Outcome, d.OutcomeReason)
	assert.Contains(t, steps(d), "it is waited for")

	// Without the load that held them they go; while that is measured, the service gets slow.
	down := s.newest(t, name, models.DirectionDown, d.CreatedAt, time.Minute)
	eventually(t, 30*time.Second, "it is ordered", func() bool { return s.spec(t, c, name).Spec == down.ToReplicas })
	slow, usual := 3000.0, 12.0
	require.NoError(t, c.Configure(t.Context(), name, fleet.ServiceChange{BaseLatencyMS: &slow}))
	t.Cleanup(func() {
		_ = c.Configure(context.Background(), name, fleet.ServiceChange{BaseLatencyMS: &usual})
	})
	down = s.settled(t, down.ID, 2*time.Minute)
	assert.Equal(t, models.OutcomeRolledBack, down.Outcome, down.OutcomeReason)
	assert.Equal(t, down.FromReplicas, s.spec(t, c, name).Spec, "what was removed is ordered again")
	evidenced(t, down)
	eventually(t, 20*time.Second, "a scale-in waits twice as long", func() bool { return s.autoscaler(t, name).WaryUntil != nil })
}

func databaseIsFilled(t *testing.T) {
	s := shared
	const name = models.ServiceAuth // two connections a replica
	c := s.verified(t, name, 90, 0, nil)
	before := s.spec(t, c, name).Spec
	// The others take what is left just when the new replicas are on their way.
	few, others := 2, models.ServiceAnalytics
	held := s.spec(t, c, others).Ready
	require.Positive(t, held)
	view, err := c.Measure(t.Context(), models.MeasureRequest{Service: name, WindowSeconds: 2})
	require.NoError(t, err)
	require.NotNil(t, view.DatabaseConnections)
	many := (180-*view.DatabaseConnections)/held + few
	p := s.grown(t, c, name, before+4, "the database is full before they are ready")
	require.NoError(t, c.Configure(t.Context(), others, fleet.ServiceChange{ConnectionsPerReplica: &many}))
	t.Cleanup(func() {
		_ = c.Configure(context.Background(), others, fleet.ServiceChange{ConnectionsPerReplica: &few})
	})
	d := s.settled(t, p.ID, 2*time.Minute)
	assert.Equal(t, models.OutcomeRolledBack, d.Outcome, d.OutcomeReason)
	assert.Equal(t, "database", d.Evidence.Cause, d.OutcomeReason)
	assert.Contains(t, steps(d), "connections per replica", "what was tried first")
	assert.GreaterOrEqual(t, *d.FinalReplicas, before)
	assert.Less(t, *d.FinalReplicas, before+4)
	evidenced(t, d)
}

// orders counts what the fleet carried out for a service.
func (s *stack) orders(t *testing.T, c *fleet.Client, name models.ServiceName) int {
	t.Helper()
	v, err := c.View(t.Context(), name)
	require.NoError(t, err)
	return v.Orders.Applied
}

// autoscaler is the state of a service's autoscaler, as the API shows it.
func (s *stack) autoscaler(t *testing.T, name models.ServiceName) workflows.AutoscaleState {
	t.Helper()
	var st workflows.AutoscaleState
	s.state(t, workflows.AutoscaleID(name), &st)
	return st
}

// state reads the state of a run, when a worker answers.
func (s *stack) state(t *testing.T, id string, into any) {
	t.Helper()
	var d models.WorkflowDetail
	status, body, err := s.try(context.WithoutCancel(t.Context()), "admin", http.MethodGet, "/api/scalability/workflows/"+url.PathEscape(id), nil)
	if err == nil && status == 200 && json.Unmarshal([]byte(body), &d) == nil && len(d.State) > 0 {
		_ = json.Unmarshal(d.State, into)
	}
}

// launcher speaks to the stack's Temporal as the API does.
func (s *stack) launcher(t *testing.T) *launch.Launcher {
	t.Helper()
	c, err := client.Dial(client.Options{HostPort: s.Temporal})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return launch.New(launch.Options{Client: c, Namespace: "default"})
}
