package hotstore

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/devstack"
	"github.com/wedsync/scalability/internal/devstack/devstacktest"
	"github.com/wedsync/scalability/models"
)

func TestMain(m *testing.M) { os.Exit(devstacktest.Main(m)) }

func open(t testing.TB, url string) *Store {
	t.Helper()
	s, err := Open(Options{URL: url})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

// ownRedis is a server that a test may kill.
func ownRedis(t *testing.T) *devstack.Redis {
	t.Helper()
	r, err := devstack.StartRedis(t.Context(), devstack.RedisOptions{Dir: devstacktest.Dir(t), Volatile: true})
	require.NoError(t, err)
	t.Cleanup(r.Kill)
	return r
}

// ttl is a key's lifetime, which the test wants to be that of the guide.
func assertLifetime(t *testing.T, s *Store, key string, want time.Duration) {
	t.Helper()
	got, err := s.client.TTL(t.Context(), key).Result()
	require.NoError(t, err)
	assert.LessOrEqual(t, got, want, key)
	assert.Greater(t, got, want-20*time.Second, "%s: %v", key, got)
}

func TestOpenRefusesAddressesWithoutQuotingThem(t *testing.T) {
	for name, url := range map[string]string{
		"empty": "", "another scheme": "http://:secret@localhost", "not a URL": "redis://:secret@local host:%zz", "no port": "redis://:secret@h:port/",
		"unknown option": "redis://:secret@localhost/0?colour=blue",
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(Options{URL: url})
			require.Error(t, err)
			assert.Nil(t, s)
			assert.Equal(t, models.KindInvalid, models.KindOf(err))
			assert.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestValuesAreReadBackUntilTheyExpire(t *testing.T) {
	s := open(t, devstacktest.Redis(t))
	ctx := t.Context()
	require.NoError(t, s.Check(ctx))

	_, err := s.Health(ctx)
	assert.Equal(t, models.KindNotFound, models.KindOf(err))
	health := models.Health{ScalingEngine: true, Database: true, CheckedAt: time.Now().UTC()}.WithOverall()
	require.NoError(t, s.PutHealth(ctx, health))
	gotHealth, err := s.Health(ctx)
	require.NoError(t, err)
	assert.Equal(t, health, gotHealth)
	assertLifetime(t, s, "system:health:status", 60*time.Second)

	_, err = s.Prediction(ctx, "w1")
	assert.Equal(t, models.KindNotFound, models.KindOf(err))
	prediction := models.WeddingPrediction{ID: "p1", WeddingID: "w1", Service: models.ServiceAPI, PeakRPS: 12.5, Method: models.MethodCalendarOnly}
	require.NoError(t, s.PutPrediction(ctx, prediction))
	gotPrediction, err := s.Prediction(ctx, "w1")
	require.NoError(t, err)
	assert.Equal(t, prediction, gotPrediction)
	assertLifetime(t, s, "prediction:w1", 3600*time.Second)
}

func TestLatestMergesReportersAndForgetsTheOld(t *testing.T) {
	s := open(t, devstacktest.Redis(t))
	ctx := t.Context()
	got, err := s.Latest(ctx)
	require.NoError(t, err)
	assert.Empty(t, got)

	at := time.Date(2027, 6, 12, 14, 0, 0, 123, time.UTC)
	report := func(service models.ServiceName, at time.Time, values map[models.MetricName]float64) models.LatestMetrics {
		return models.LatestMetrics{Service: service, At: at, Values: values}
	}
	require.NoError(t, s.SaveLatest(ctx, nil))
	require.NoError(t, s.SaveLatest(ctx, []models.LatestMetrics{
		report(models.ServiceSearch, at, map[models.MetricName]float64{models.MetricThroughput: 0}),
		report(models.ServiceAPI, at.Add(-31*time.Second), map[models.MetricName]float64{models.MetricMemory: 0.5, models.MetricCPU: 0.1}),
		report(models.ServiceMedia, at, nil),
	}))
	require.NoError(t, s.SaveLatest(ctx, []models.LatestMetrics{
		report(models.ServiceAPI, at.Add(-time.Second), map[models.MetricName]float64{models.MetricThroughput: 210.25}),
		report(models.ServiceAPI, at, map[models.MetricName]float64{models.MetricCPU: 0.7}),
	}))
	got, err = s.Latest(ctx)
	require.NoError(t, err)
	assert.Equal(t, []models.LatestMetrics{
		report(models.ServiceAPI, at, map[models.MetricName]float64{models.MetricThroughput: 210.25, models.MetricCPU: 0.7}),
		report(models.ServiceSearch, at, map[models.MetricName]float64{models.MetricThroughput: 0}),
	}, got, "memory is 31 s older than the newest; media reported nothing")
	assertLifetime(t, s, "metrics:api:latest", 30*time.Second)
}

// everyCall is each call that asks Redis, but for the limiter, which must not fail.
func everyCall(s *Store) map[string]func(context.Context) error {
	cell := models.Cell{Service: models.ServiceAPI, Metric: models.MetricCPU, Start: time.Now(), Count: 1, Sum: 0.5}
	latest := models.LatestMetrics{Service: models.ServiceAPI, At: time.Now(), Values: map[models.MetricName]float64{models.MetricCPU: 0.5}}
	return map[string]func(context.Context) error{
		"Check":         s.Check,
		"SaveSeconds":   func(ctx context.Context) error { return s.SaveSeconds(ctx, "a", []models.Cell{cell}) },
		"SaveLatest":    func(ctx context.Context) error { return s.SaveLatest(ctx, []models.LatestMetrics{latest}) },
		"Signals":       func(ctx context.Context) error { _, err := s.Signals(ctx, models.ServiceAPI, time.Now()); return err },
		"Latest":        func(ctx context.Context) error { _, err := s.Latest(ctx); return err },
		"PutHealth":     func(ctx context.Context) error { return s.PutHealth(ctx, models.Health{}) },
		"Health":        func(ctx context.Context) error { _, err := s.Health(ctx); return err },
		"PutPrediction": func(ctx context.Context) error { return s.PutPrediction(ctx, models.WeddingPrediction{WeddingID: "w"}) },
		"Prediction":    func(ctx context.Context) error { _, err := s.Prediction(ctx, "w"); return err },
	}
}

func TestARedisThatIsAwayIsUnavailableAndComesBackByItself(t *testing.T) {
	r := ownRedis(t)
	s := open(t, r.URL())
	calls := everyCall(s)
	for _, name := range []string{"Check", "SaveSeconds", "SaveLatest", "Signals", "Latest", "PutHealth", "Health", "PutPrediction", "Prediction"} {
		require.NoError(t, calls[name](t.Context()), name)
	}
	unavailable := func(how string) {
		for name, call := range calls {
			// Far beyond the time-out: only a call that would hang runs into it.
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			err := call(ctx)
			assert.Equal(t, models.KindUnavailable, models.KindOf(err), "%s, redis %s: %v", name, how, err)
			require.NoError(t, ctx.Err(), name)
			cancel()
		}
	}
	back := func() {
		require.Eventually(t, func() bool { return s.Check(t.Context()) == nil }, 20*time.Second, 50*time.Millisecond)
	}

	require.NoError(t, syscall.Kill(r.PID(), syscall.SIGSTOP))
	unavailable("hangs")
	require.NoError(t, syscall.Kill(r.PID(), syscall.SIGCONT))
	back()

	r.Kill()
	unavailable("is dead")
	require.NoError(t, r.Start(t.Context()))
	back()
	for _, name := range []string{"PutHealth", "Health", "SaveSeconds", "Signals"} {
		require.NoError(t, calls[name](t.Context()), name)
	}
}

func TestAStoreOpensBeforeItsRedis(t *testing.T) {
	r := ownRedis(t)
	r.Kill()
	s := open(t, r.URL())
	assert.Equal(t, models.KindUnavailable, models.KindOf(s.Check(t.Context())))
	require.NoError(t, r.Start(t.Context()))
	require.Eventually(t, func() bool { return s.Check(t.Context()) == nil }, 20*time.Second, 50*time.Millisecond)
}
