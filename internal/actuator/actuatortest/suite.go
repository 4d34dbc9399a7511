package actuatortest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// Actuator is the port under test.
type Actuator interface {
	Describe(ctx context.Context, service models.ServiceName) (models.ReplicaSet, error)
	Apply(ctx context.Context, req models.ApplyRequest) (models.ApplyResult, error)
}

// Subject is an adapter over a service that nothing else moves, with a spec of at
// least two and room for ten more replicas.
type Subject struct {
	Actuator Actuator
	Service  models.ServiceName
	Unknown  models.ServiceName // a service that the target does not have
	Victims  bool               // the adapter can choose which replicas go
	Now      func() time.Time   // the target's clock; nil = the machine's
}

// What an adapter may know or do besides; the suite holds those that it has to it.
type (
	prober interface {
		Probe(ctx context.Context, req models.ProbeRequest) error
	}
	disturbanceReader interface {
		Disturbance(ctx context.Context, service models.ServiceName) (models.Disturbance, error)
	}
)

// Factory makes a fresh subject; it cleans up after itself with t.Cleanup.
type Factory func(t *testing.T) Subject

// Run holds an adapter to the port.
func Run(t *testing.T, factory Factory) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(t *testing.T, s suite)
	}{
		{"describe says spec, replicas and generation", describe},
		{"apply moves the spec up and down", upAndDown},
		{"a stale expectation is a conflict and changes nothing", staleExpectation},
		{"the same key changes the spec once", sameKey},
		{"the same key again stays a no-op after others moved the spec", sameKeyLater},
		{"an order of the present spec is a no-op with a reason", presentSpec},
		{"an order whose target was reached by another is a no-op", reachedByAnother},
		{"an expired order is refused and changes nothing", expired},
		{"an order without an expiry does not expire", noExpiry},
		{"of orders with the same expectation exactly one wins", concurrent},
		{"victims go first", victims},
		{"a cancelled context is an error and changes nothing", cancelled},
		{"an unknown service is not found", unknown},
		{"an impossible order is refused", impossible},
		{"synthetic requests change no capacity, and impossible ones are refused", probes},
		{"a disturbance is told with a share of what is well", disturbance},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := factory(t)
			if s.Now == nil {
				s.Now = time.Now
			}
			c.test(t, suite{Subject: s})
		})
	}
}

type suite struct{ Subject }

func (s suite) see(t *testing.T) models.ReplicaSet {
	t.Helper()
	set, err := s.Actuator.Describe(t.Context(), s.Service)
	require.NoError(t, err)
	return set
}

// order asks for a spec relative to what is observed.
func (s suite) order(t *testing.T, key string, by int) models.ApplyRequest {
	t.Helper()
	now := s.see(t).Spec
	return models.ApplyRequest{
		Service: s.Service, ExpectedSpec: now, Desired: now + by, Key: key, NotAfter: s.Now().Add(time.Minute),
	}
}

func (s suite) must(t *testing.T, req models.ApplyRequest) models.ApplyResult {
	t.Helper()
	res, err := s.Actuator.Apply(t.Context(), req)
	require.NoError(t, err)
	return res
}

func describe(t *testing.T, s suite) {
	set := s.see(t)
	assert.Equal(t, s.Service, set.Service)
	assert.GreaterOrEqual(t, set.Spec, 2)
	assert.Len(t, set.Replicas, set.Spec)
	assert.LessOrEqual(t, set.Ready, set.Spec)
	assert.Positive(t, set.Generation)
	assert.False(t, set.ObservedAt.IsZero())
	seen := map[string]bool{}
	for i, r := range set.Replicas {
		assert.False(t, seen[r.ID], "replica %s twice", r.ID)
		seen[r.ID] = true
		assert.Equal(t, r.Phase == models.ReplicaReady, r.ReadyAt != nil, "replica %s: phase and readyAt differ", r.ID)
		if i > 0 {
			assert.False(t, r.OrderedAt.Before(set.Replicas[i-1].OrderedAt), "replicas are ordered by age")
		}
	}
}

func upAndDown(t *testing.T, s suite) {
	before := s.see(t)
	up := s.must(t, s.order(t, "up", 3))
	assert.Equal(t, models.ApplyApplied, up.Outcome)
	assert.NotEmpty(t, up.Reason)
	assert.Equal(t, before.Spec+3, up.Observed.Spec, "the answer is what was observed after the order")
	assert.Greater(t, up.Observed.Generation, before.Generation)
	assert.Equal(t, before.Spec+3, s.see(t).Spec)
	assert.Subset(t, s.see(t).IDs(), before.IDs(), "growing keeps the old replicas")

	down := s.must(t, s.order(t, "down", -2))
	assert.Equal(t, models.ApplyApplied, down.Outcome)
	assert.Equal(t, before.Spec+1, s.see(t).Spec)
	assert.Greater(t, down.Observed.Generation, up.Observed.Generation)
}

func staleExpectation(t *testing.T, s suite) {
	stale := s.order(t, "stale", 5)
	s.must(t, s.order(t, "other", 1))
	before := s.see(t)
	_, err := s.Actuator.Apply(t.Context(), stale)
	requireKind(t, models.KindConflict, err)
	s.unchanged(t, before)
}

func sameKey(t *testing.T, s suite) {
	req := s.order(t, "twice", 2)
	first := s.must(t, req)
	second := s.must(t, req)
	assert.Equal(t, models.ApplyApplied, first.Outcome)
	assert.Equal(t, models.ApplyNoOp, second.Outcome)
	assert.NotEmpty(t, second.Reason)
	s.unchanged(t, first.Observed)
}

func sameKeyLater(t *testing.T, s suite) {
	req := s.order(t, "early", 1)
	s.must(t, req)
	back := s.must(t, s.order(t, "back", -1))
	again := s.must(t, req)
	assert.Equal(t, models.ApplyNoOp, again.Outcome, "a key changes the spec at most once")
	s.unchanged(t, back.Observed)
}

func presentSpec(t *testing.T, s suite) {
	before := s.see(t)
	res := s.must(t, s.order(t, "same", 0))
	assert.Equal(t, models.ApplyNoOp, res.Outcome)
	assert.NotEmpty(t, res.Reason)
	s.unchanged(t, before)
}

func reachedByAnother(t *testing.T, s suite) {
	late := s.order(t, "late", 2)
	done := s.must(t, s.order(t, "first", 2))
	res := s.must(t, late)
	assert.Equal(t, models.ApplyNoOp, res.Outcome)
	s.unchanged(t, done.Observed)
}

func expired(t *testing.T, s suite) {
	before := s.see(t)
	req := s.order(t, "old", 1)
	req.NotAfter = s.Now().Add(-time.Second)
	_, err := s.Actuator.Apply(t.Context(), req)
	requireKind(t, models.KindExpired, err)
	s.unchanged(t, before)
}

func noExpiry(t *testing.T, s suite) {
	req := s.order(t, "rollback", 1)
	req.NotAfter = time.Time{}
	assert.Equal(t, models.ApplyApplied, s.must(t, req).Outcome)
}

func concurrent(t *testing.T, s suite) {
	const writers = 8
	before := s.see(t)
	results := make([]models.ApplyResult, writers)
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for i := range writers {
		req := models.ApplyRequest{
			Service: s.Service, ExpectedSpec: before.Spec, Desired: before.Spec + 1 + i,
			Key: fmt.Sprintf("race-%d", i), NotAfter: s.Now().Add(time.Minute),
		}
		wg.Go(func() { results[i], errs[i] = s.Actuator.Apply(t.Context(), req) })
	}
	wg.Wait()
	winner := -1
	for i := range writers {
		if errs[i] == nil {
			require.Equal(t, -1, winner, "two orders with the same expectation were carried out")
			winner = i
			continue
		}
		requireKind(t, models.KindConflict, errs[i])
	}
	require.NotEqual(t, -1, winner, "no order was carried out")
	assert.Equal(t, models.ApplyApplied, results[winner].Outcome)
	assert.Equal(t, before.Spec+1+winner, s.see(t).Spec)
}

func victims(t *testing.T, s suite) {
	if !s.Victims {
		t.Skip("the adapter cannot choose which replicas go")
	}
	set := s.must(t, s.order(t, "grow", 3)).Observed
	oldest := set.Replicas[0].ID
	req := s.order(t, "shrink", -1)
	req.Victims = []string{oldest, "no-such-replica"}
	s.must(t, req)
	left := s.see(t).IDs()
	assert.NotContains(t, left, oldest)
	assert.Len(t, left, set.Spec-1)
}

func cancelled(t *testing.T, s suite) {
	before := s.see(t)
	req := s.order(t, "cancelled", 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Actuator.Apply(ctx, req)
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Actuator.Describe(ctx, s.Service)
	require.ErrorIs(t, err, context.Canceled)
	s.unchanged(t, before)
}

func unknown(t *testing.T, s suite) {
	_, err := s.Actuator.Describe(t.Context(), s.Unknown)
	requireKind(t, models.KindNotFound, err)
	_, err = s.Actuator.Apply(t.Context(), models.ApplyRequest{Service: s.Unknown, ExpectedSpec: 1, Desired: 2, Key: "unknown"})
	requireKind(t, models.KindNotFound, err)
}

func impossible(t *testing.T, s suite) {
	before := s.see(t)
	for name, change := range map[string]func(*models.ApplyRequest){
		"negative replicas": func(r *models.ApplyRequest) { r.Desired = -1 },
		"no key":            func(r *models.ApplyRequest) { r.Key = "" },
	} {
		req := s.order(t, "impossible", 1)
		change(&req)
		_, err := s.Actuator.Apply(t.Context(), req)
		require.Error(t, err, name)
		assert.Equal(t, models.KindInvalid, models.KindOf(err), name)
	}
	s.unchanged(t, before)
}

func probes(t *testing.T, s suite) {
	p, ok := s.Actuator.(prober)
	if !ok {
		t.Skip("the adapter sends no synthetic requests")
	}
	before := s.see(t)
	req := models.ProbeRequest{Service: s.Service, Baseline: before.IDs()[:1], RPS: 10, Seconds: 30}
	require.NoError(t, p.Probe(t.Context(), req))
	require.NoError(t, p.Probe(t.Context(), req), "a repetition is no error")
	s.unchanged(t, before)
	req.RPS = -1
	requireKind(t, models.KindInvalid, p.Probe(t.Context(), req))
	req.RPS, req.Service = 10, s.Unknown
	requireKind(t, models.KindNotFound, p.Probe(t.Context(), req))
}

func disturbance(t *testing.T, s suite) {
	d, ok := s.Actuator.(disturbanceReader)
	if !ok {
		t.Skip("the adapter does not know what was done to a service")
	}
	got, err := d.Disturbance(t.Context(), s.Service)
	require.NoError(t, err)
	assert.Zero(t, got.FallingServices, "an actuator knows of one service alone")
	if h := got.HealthyShare; h != nil {
		assert.GreaterOrEqual(t, *h, 0.0)
		assert.LessOrEqual(t, *h, 1.0)
	}
	_, err = d.Disturbance(t.Context(), s.Unknown)
	requireKind(t, models.KindNotFound, err)
}

// unchanged says that neither the order nor its replicas moved.
func (s suite) unchanged(t *testing.T, before models.ReplicaSet) {
	t.Helper()
	after := s.see(t)
	assert.Equal(t, before.Spec, after.Spec)
	assert.Equal(t, before.Generation, after.Generation)
	assert.Equal(t, before.IDs(), after.IDs())
}

func requireKind(t *testing.T, want models.Kind, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, want, models.KindOf(err), "%v", err)
}
