package health

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/wedsync/scalability/models"
)

// Probe checks one component; nil means healthy.
type Probe func(ctx context.Context) error

// Probes are the five components. A nil probe is unhealthy.
type Probes struct {
	ScalingEngine      Probe
	LoadPredictor      Probe
	PerformanceMonitor Probe
	RBACManager        Probe
	Database           Probe
}

// Options configure a Checker.
type Options struct {
	Probes  Probes
	Timeout time.Duration                              // of one round of probes, which run side by side
	MaxAge  time.Duration                              // an answer younger than this is given again
	Publish func(ctx context.Context, h models.Health) // may be nil; told of each fresh answer
	Logger  *slog.Logger
}

// Checker probes the components and remembers the answer for a short time, so that a
// public endpoint cannot be used to load the dependencies.
type Checker struct {
	opts  Options
	group singleflight.Group

	mu   sync.Mutex
	last models.Health
}

// New makes a checker.
func New(opts Options) *Checker { return &Checker{opts: opts} }

// Health answers from the last round when it is younger than MaxAge at now, else from
// a fresh one. Concurrent callers share one round.
func (c *Checker) Health(ctx context.Context, now time.Time) models.Health {
	if h, ok := c.remembered(now); ok {
		return h
	}
	v, _, _ := c.group.Do("health", func() (any, error) {
		// The round outlives the caller that started it: others wait for it too.
		round, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.opts.Timeout)
		defer cancel()
		return c.probe(round, now), nil
	})
	h, _ := v.(models.Health)
	return h
}

func (c *Checker) remembered(now time.Time) (models.Health, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	age := now.Sub(c.last.CheckedAt)
	return c.last, !c.last.CheckedAt.IsZero() && age >= 0 && age < c.opts.MaxAge
}

func (c *Checker) probe(ctx context.Context, now time.Time) models.Health {
	h := models.Health{CheckedAt: now}
	p := c.opts.Probes
	named := []struct {
		name  string
		probe Probe
		ok    *bool
	}{
		{"scalingEngine", p.ScalingEngine, &h.ScalingEngine},
		{"loadPredictor", p.LoadPredictor, &h.LoadPredictor},
		{"performanceMonitor", p.PerformanceMonitor, &h.PerformanceMonitor},
		{"rbacManager", p.RBACManager, &h.RBACManager},
		{"database", p.Database, &h.Database},
	}
	errs := make([]error, len(named))
	var wg sync.WaitGroup
	for i, n := range named {
		wg.Go(func() { errs[i] = run(ctx, n.probe) })
	}
	wg.Wait()
	for i, n := range named {
		*n.ok = errs[i] == nil
	}
	h = h.WithOverall()
	c.remember(ctx, h, func(previous models.Health) {
		if previous.OverallHealth != h.OverallHealth {
			c.opts.Logger.InfoContext(ctx, "health changed", "from", previous.OverallHealth, "to", h.OverallHealth, "cause", errors.Join(errs...))
		}
	})
	return h
}

func (c *Checker) remember(ctx context.Context, h models.Health, changed func(previous models.Health)) {
	c.mu.Lock()
	previous := c.last
	c.last = h
	c.mu.Unlock()
	changed(previous)
	if c.opts.Publish != nil {
		c.opts.Publish(ctx, h)
	}
}

// run waits for a probe no longer than the context: a probe that ignores its context
// must not hang the answer.
func run(ctx context.Context, p Probe) error {
	if p == nil {
		return errors.New("no probe")
	}
	done := make(chan error, 1)
	go func() { done <- p(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
