package hotstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/devstack/devstacktest"
	"github.com/wedsync/scalability/models"
)

// bindings is the database of these tests.
type bindings struct {
	mu       sync.Mutex
	roles    map[string][]models.Role
	revision int64
	err      error
	reads    atomic.Int64
	hold     chan struct{} // a read waits for it
}

func (b *bindings) Grants(ctx context.Context, subject string, _ time.Time) (models.Grants, error) {
	b.reads.Add(1)
	if b.hold != nil {
		select {
		case <-b.hold:
		case <-ctx.Done():
			return models.Grants{}, models.Unavailable("bindings", ctx.Err())
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return models.Grants{Subject: subject, Roles: b.roles[subject], Revision: b.revision}, b.err
}

func (b *bindings) set(change func(*bindings)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b)
}

func someBindings() *bindings {
	return &bindings{roles: map[string][]models.Role{"user:anna": {models.RoleOperator}}, revision: 7}
}

func TestGrantsAreReadOncePerSecond(t *testing.T) {
	b := someBindings()
	g := open(t, devstacktest.Redis(t)).CachedGrants(b)
	want := models.Grants{Subject: "user:anna", Roles: []models.Role{models.RoleOperator}, Revision: 7}
	for _, after := range []time.Duration{0, 500 * time.Millisecond, 999 * time.Millisecond} {
		got, err := g.Grants(t.Context(), "user:anna", noon.Add(after))
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	assert.EqualValues(t, 1, b.reads.Load())
	_, err := g.Grants(t.Context(), "user:anna", noon.Add(-time.Second))
	require.NoError(t, err)
	assert.EqualValues(t, 2, b.reads.Load(), "a clock that went back trusts nothing it remembers")
}

func TestARevocationHoldsWithinTwoSecondsWhateverRedisHas(t *testing.T) {
	b := someBindings()
	store := open(t, devstacktest.Redis(t))
	g := store.CachedGrants(b)
	_, err := g.Grants(t.Context(), "user:anna", noon)
	require.NoError(t, err)
	assertLifetime(t, store, "rbac:permissions:user:anna", 900*time.Second)
	var published models.Grants
	require.NoError(t, store.getJSON(t.Context(), "test", "rbac:permissions:user:anna", &published))
	assert.Equal(t, models.Grants{Subject: "user:anna", Roles: []models.Role{models.RoleOperator}, Revision: 7}, published)

	b.set(func(b *bindings) { delete(b.roles, "user:anna"); b.revision++ })
	got, err := g.Grants(t.Context(), "user:anna", noon.Add(time.Second))
	require.NoError(t, err)
	assert.Empty(t, got.Roles)
	require.NoError(t, store.getJSON(t.Context(), "test", "rbac:permissions:user:anna", &published))
	assert.Equal(t, int64(8), published.Revision)

	require.NoError(t, store.setJSON(t.Context(), "test", "rbac:permissions:user:anna",
		models.Grants{Subject: "user:anna", Roles: []models.Role{models.RoleAdmin}, Revision: 99}, time.Minute))
	for _, reader := range []*Grants{g, store.CachedGrants(b)} {
		got, err = reader.Grants(t.Context(), "user:anna", noon.Add(3*time.Second))
		require.NoError(t, err)
		assert.Empty(t, got.Roles, "what stands in redis allows nothing")
	}
}

func TestWithoutTheDatabaseNobodyHasARole(t *testing.T) {
	b := someBindings()
	g := open(t, devstacktest.Redis(t)).CachedGrants(b)
	_, err := g.Grants(t.Context(), "user:anna", noon)
	require.NoError(t, err)
	b.set(func(b *bindings) { b.err = models.Unavailable("bindings", errors.New("gone")) })
	got, err := g.Grants(t.Context(), "user:anna", noon.Add(2*time.Second))
	assert.Equal(t, models.KindUnavailable, models.KindOf(err))
	assert.Empty(t, got.Roles)
	b.set(func(b *bindings) { b.err = nil })
	got, err = g.Grants(t.Context(), "user:anna", noon.Add(2*time.Second))
	require.NoError(t, err, "a failure is not remembered")
	assert.NotEmpty(t, got.Roles)
}

func TestWithoutRedisGrantsAreReadAllTheSame(t *testing.T) {
	r := ownRedis(t)
	g := open(t, r.URL()).CachedGrants(someBindings())
	r.Kill()
	for i := range 3 {
		got, err := g.Grants(t.Context(), "user:anna", noon.Add(time.Duration(i)*time.Minute))
		require.NoError(t, err)
		assert.NotEmpty(t, got.Roles)
	}
}

func TestConcurrentCallersShareARead(t *testing.T) {
	b := someBindings()
	b.hold = make(chan struct{})
	g := open(t, devstacktest.Redis(t)).CachedGrants(b)
	impatient, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := g.Grants(impatient, "user:anna", noon)
		assert.Equal(t, models.KindUnavailable, models.KindOf(err))
	})
	require.Eventually(t, func() bool { return b.reads.Load() == 1 }, 10*time.Second, time.Millisecond)
	for range 32 {
		wg.Go(func() {
			got, err := g.Grants(t.Context(), "user:anna", noon)
			if err != nil {
				t.Error(err)
			}
			assert.NotEmpty(t, got.Roles)
		})
	}
	cancel() // who started the read leaves; the others get it
	time.Sleep(20 * time.Millisecond)
	close(b.hold)
	wg.Wait()
	assert.EqualValues(t, 1, b.reads.Load())
}

func TestAReadThatBeganTooLongAgoCountsNoMore(t *testing.T) {
	h := heldGrants{at: noon}
	assert.True(t, h.fresh(noon.Add(999*time.Millisecond)))
	assert.False(t, h.fresh(noon.Add(time.Second)))
	assert.False(t, h.stalled(noon.Add(1999*time.Millisecond)), "callers may share it")
	assert.True(t, h.stalled(noon.Add(2*time.Second)))
}

func TestTheMemoryOfGrantsIsBounded(t *testing.T) {
	r := ownRedis(t)
	g := open(t, r.URL()).CachedGrants(someBindings())
	r.Kill()
	for i := range grantsMax + 10 {
		g.remember(fmt.Sprint("user:", i), heldGrants{at: noon})
	}
	assert.Len(t, g.held, grantsMax)
	g.remember("user:late", heldGrants{at: noon.Add(2 * time.Second)})
	assert.Len(t, g.held, 1, "the old ones make room")
}
