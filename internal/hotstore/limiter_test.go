package hotstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/internal/devstack/devstacktest"
	"github.com/wedsync/scalability/models"
)

// call is a request that was let through at some time from start to end.
type call struct{ start, end time.Time }

// hammer asks from 64 goroutines, half of them through each limiter, until enough says so.
func hammer(t *testing.T, limiters []*Limiter, limit int, window time.Duration, enough func(n int) bool) []call {
	var mu sync.Mutex
	var passed []call
	var wg sync.WaitGroup
	for g := range 64 {
		wg.Go(func() {
			for n := 0; !enough(n); n++ {
				start := time.Now()
				q, err := limiters[g%len(limiters)].Take(t.Context(), "user:anna", limit, window)
				if err != nil {
					t.Error(err)
					return
				}
				if q.Allowed {
					mu.Lock()
					passed = append(passed, call{start, time.Now()})
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return passed
}

// twoReplicas share a Redis as two API processes do. The long time-out keeps a busy
// machine from sending them to their local windows.
func twoReplicas(t *testing.T) []*Limiter {
	url := devstacktest.Redis(t)
	var out []*Limiter
	for range 2 {
		s, err := Open(Options{URL: url, Timeout: 30 * time.Second})
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, s.Close()) })
		out = append(out, s.Limiter(LimiterOptions{Replicas: 2}))
	}
	return out
}

func TestExactlyTheLimitOfABurstPasses(t *testing.T) {
	passed := hammer(t, twoReplicas(t), 100, time.Minute, func(n int) bool { return n == 20 })
	assert.Len(t, passed, 100)
}

func TestNoWindowLetsMoreThanTheLimitThrough(t *testing.T) {
	const limit, window = 100, 400 * time.Millisecond
	end := time.Now().Add(4 * window)
	passed := hammer(t, twoReplicas(t), limit, window, func(int) bool { return time.Now().After(end) })
	assert.Greater(t, len(passed), limit, "the window moves on")
	slices.SortFunc(passed, func(a, b call) int { return cmp.Compare(a.start.UnixNano(), b.start.UnixNano()) })
	for i := 0; i+limit < len(passed); i++ {
		last := slices.MaxFunc(passed[i:i+limit+1], func(a, b call) int { return cmp.Compare(a.end.UnixNano(), b.end.UnixNano()) })
		require.GreaterOrEqual(t, last.end.Sub(passed[i].start), window, "%d requests within one window", limit+1)
	}
}

func TestQuotasCountDownAndSayWhenToComeBack(t *testing.T) {
	s := open(t, devstacktest.Redis(t))
	l := s.Limiter(LimiterOptions{})
	for _, remaining := range []int{2, 1, 0} {
		q, err := l.Take(t.Context(), "user:anna", 3, time.Minute)
		require.NoError(t, err)
		assert.Equal(t, models.Quota{Allowed: true, Limit: 3, Remaining: remaining, WindowSeconds: 60, ResetSeconds: q.ResetSeconds}, q)
		assert.InDelta(t, 60, q.ResetSeconds, 30)
	}
	q, err := l.Take(t.Context(), "user:anna", 3, time.Minute)
	require.NoError(t, err)
	assert.False(t, q.Allowed)
	assert.Zero(t, q.Remaining)
	assert.InDelta(t, 60, q.ResetSeconds, 30)
	assertLifetime(t, s, "ratelimit:60000:user:anna", time.Minute)

	q, err = l.Take(t.Context(), "user:ben", 3, time.Minute)
	require.NoError(t, err)
	assert.True(t, q.Allowed, "each key has its own window")
	q, err = l.Take(t.Context(), "user:anna", 5, time.Minute)
	require.NoError(t, err)
	assert.True(t, q.Allowed, "a higher limit counts at once")
	q, err = l.Take(t.Context(), "user:anna", 2, time.Minute)
	require.NoError(t, err)
	assert.False(t, q.Allowed)
	assert.Zero(t, q.Remaining)
}

func TestLimitsThatAreNoneAreRefused(t *testing.T) {
	l := open(t, devstacktest.Redis(t)).Limiter(LimiterOptions{})
	_, err := l.Take(t.Context(), "k", 0, time.Minute)
	assert.Equal(t, models.KindInvalid, models.KindOf(err))
	_, err = l.Take(t.Context(), "k", 1, 0)
	assert.Equal(t, models.KindInvalid, models.KindOf(err))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	q, err := l.Take(ended, "k", 1, time.Minute)
	assert.Equal(t, models.KindUnavailable, models.KindOf(err))
	assert.False(t, q.Allowed)
	q, err = l.Take(t.Context(), "k", 1, time.Minute)
	require.NoError(t, err)
	assert.True(t, q.Allowed, "a caller that left did not send the limiter away from redis")
	n, err := l.store.client.Exists(t.Context(), "ratelimit:60000:k").Result()
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)
}

func TestWithoutRedisEachReplicaCountsItsShareAndReturns(t *testing.T) {
	r := ownRedis(t)
	s := open(t, r.URL())
	l := s.Limiter(LimiterOptions{Replicas: 4})
	q, err := l.Take(t.Context(), "user:anna", 100, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, 100, q.Limit)

	r.Kill()
	passed := hammer(t, []*Limiter{l}, 100, time.Minute, func(n int) bool { return n == 5 })
	assert.Len(t, passed, 25)
	q, err = l.Take(t.Context(), "user:ben", 3, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, models.Quota{Allowed: true, Limit: 1, WindowSeconds: 60, ResetSeconds: 60}, q, "a share is at least 1")

	require.NoError(t, r.Start(t.Context()))
	require.Eventually(t, func() bool {
		_, err := l.Take(t.Context(), "user:carl", 100, time.Minute)
		require.NoError(t, err)
		n, err := s.client.Exists(t.Context(), "ratelimit:60000:user:carl").Result()
		return err == nil && n == 1
	}, 20*time.Second, 50*time.Millisecond, "the limiter returns to redis")
}

func TestTheLocalWindowIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 5).Draw(t, "limit")
		const window = time.Second
		l := newLocalLimiter(10)
		now := noon
		var passed []time.Time
		for range rapid.IntRange(1, 60).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 100, 250, 500, 999, 1000}).Draw(t, "wait")) * time.Millisecond)
			counted := 0
			for _, p := range passed {
				if p.After(now.Add(-window)) {
					counted++
				}
			}
			q := l.take("k", limit, window, now)
			assert.Equal(t, counted < limit, q.Allowed)
			if q.Allowed {
				passed = append(passed, now)
				counted++
			}
			assert.Equal(t, limit-counted, q.Remaining)
			oldest := passed[len(passed)-counted]
			assert.Equal(t, wholeSeconds(oldest.Add(window).Sub(now)), q.ResetSeconds)
		}
	})
}

func TestAFloodOfKeysNeitherGrowsNorOpensTheLocalWindow(t *testing.T) {
	l := newLocalLimiter(100)
	passed := 0
	for i := range 1000 {
		if l.take(fmt.Sprint("ratelimit:", i), 1, time.Minute, noon).Allowed {
			passed++
		}
	}
	assert.Equal(t, 101, passed, "one of each counted key, one of all others together")
	assert.Len(t, l.logs, 101)
	assert.False(t, l.take("ratelimit:5", 1, time.Minute, noon).Allowed, "no counted key was forgotten")
	assert.True(t, l.take("ratelimit:new", 1, time.Minute, noon.Add(61*time.Second)).Allowed)
	assert.LessOrEqual(t, len(l.logs), 2, "idle keys make room")
}

func BenchmarkTake(b *testing.B) {
	l := open(b, devstacktest.Redis(b)).Limiter(LimiterOptions{})
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := l.Take(b.Context(), "user:anna", 100, time.Minute); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
