package health_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wedsync/scalability/internal/health"
	"github.com/wedsync/scalability/models"
)

func ok(context.Context) error { return nil }

func bad(context.Context) error { return errors.New("down") }

func deaf(context.Context) error { time.Sleep(time.Minute); return nil }

func checker(p health.Probes, maxAge time.Duration) *health.Checker {
	return health.New(health.Options{
		Probes: p, Timeout: 50 * time.Millisecond, MaxAge: maxAge, Logger: slog.New(slog.DiscardHandler),
	})
}

func TestOverallCountsTheFiveComponents(t *testing.T) {
	now := time.Date(2027, 6, 12, 14, 0, 0, 0, time.UTC)
	cases := []struct {
		name   string
		probes health.Probes
		want   models.Overall
	}{
		{"five", health.Probes{ScalingEngine: ok, LoadPredictor: ok, PerformanceMonitor: ok, RBACManager: ok, Database: ok}, models.OverallHealthy},
		{"four", health.Probes{ScalingEngine: ok, LoadPredictor: ok, PerformanceMonitor: bad, RBACManager: ok, Database: ok}, models.OverallDegraded},
		{"three, one without a probe", health.Probes{ScalingEngine: ok, LoadPredictor: ok, PerformanceMonitor: bad, RBACManager: ok}, models.OverallDegraded},
		{"three, one deaf", health.Probes{ScalingEngine: deaf, LoadPredictor: ok, PerformanceMonitor: bad, RBACManager: ok, Database: ok}, models.OverallDegraded},
		{"two", health.Probes{ScalingEngine: bad, LoadPredictor: bad, PerformanceMonitor: bad, RBACManager: ok, Database: ok}, models.OverallUnhealthy},
		{"none", health.Probes{}, models.OverallUnhealthy},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := checker(c.probes, 0).Health(t.Context(), now)
			assert.Equal(t, c.want, h.OverallHealth)
			assert.Equal(t, now, h.CheckedAt)
		})
	}
}

func TestAnswersAreSharedAndGrowOld(t *testing.T) {
	var calls atomic.Int64
	counted := func(context.Context) error { calls.Add(1); time.Sleep(10 * time.Millisecond); return nil }
	c := checker(health.Probes{ScalingEngine: counted, LoadPredictor: ok, PerformanceMonitor: ok, RBACManager: ok, Database: ok}, 5*time.Second)
	now := time.Date(2027, 6, 12, 14, 0, 0, 0, time.UTC)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { c.Health(t.Context(), now) })
	}
	wg.Wait()
	assert.EqualValues(t, 1, calls.Load(), "fifty callers share one round")
	c.Health(t.Context(), now.Add(4*time.Second))
	assert.EqualValues(t, 1, calls.Load(), "young answers are given again")
	c.Health(t.Context(), now.Add(6*time.Second))
	assert.EqualValues(t, 2, calls.Load(), "old answers are not")
}
