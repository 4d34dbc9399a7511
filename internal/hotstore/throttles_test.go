package hotstore

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/devstack/devstacktest"
	"github.com/wedsync/scalability/models"
)

func TestThrottlesReachEveryProcessAndEndByThemselves(t *testing.T) {
	s := open(t, devstacktest.Redis(t))
	now := time.Now().UTC().Truncate(time.Second)
	until := now.Add(10 * time.Minute)
	require.NoError(t, s.PutThrottles(t.Context(), []models.Throttle{
		{Account: "user:anna", Until: until}, {Network: "203.0.113.0/24", Until: until},
	}))
	assertLifetime(t, s, throttlesKey, throttlesLifetime)
	one, two := s.Throttles(), s.Throttles()
	for _, p := range []*Throttles{one, two} {
		assert.Equal(t, until, p.AccountThrottle(t.Context(), "user:anna", now))
		assert.Equal(t, until, p.NetworkThrottle(t.Context(), "203.0.113.0/24", now))
		assert.Zero(t, p.AccountThrottle(t.Context(), "user:olga", now))
		assert.Zero(t, p.NetworkThrottle(t.Context(), "user:anna", now), "an account is no network")
	}
	require.NoError(t, s.PutThrottles(t.Context(), nil))
	assert.Equal(t, until, one.AccountThrottle(t.Context(), "user:anna", now.Add(900*time.Millisecond)), "an answer of less than a second is given again")
	assert.Zero(t, one.AccountThrottle(t.Context(), "user:anna", now.Add(time.Second)))

	require.NoError(t, s.PutThrottles(t.Context(), []models.Throttle{{Account: "user:anna", Until: now.Add(5 * time.Second)}}))
	assert.NotZero(t, one.AccountThrottle(t.Context(), "user:anna", now.Add(4*time.Second)))
	assert.Zero(t, one.AccountThrottle(t.Context(), "user:anna", now.Add(5*time.Second)))
}

func TestWithoutRedisWhatIsKnownHoldsUntilItEnds(t *testing.T) {
	r := ownRedis(t)
	s := open(t, r.URL())
	now := time.Now()
	until := now.Add(time.Minute).UTC()
	require.NoError(t, s.PutThrottles(t.Context(), []models.Throttle{{Account: "user:anna", Until: until}}))
	p := s.Throttles()
	require.NotZero(t, p.AccountThrottle(t.Context(), "user:anna", now))
	require.NoError(t, r.Stop(t.Context()))
	assert.NotZero(t, p.AccountThrottle(t.Context(), "user:anna", now.Add(30*time.Second)))
	assert.Zero(t, p.AccountThrottle(t.Context(), "user:anna", now.Add(time.Minute)))
	assert.Zero(t, p.AccountThrottle(t.Context(), "user:olga", now.Add(30*time.Second)))
	require.Error(t, s.PutThrottles(t.Context(), nil), "and whoever writes is told")
}
