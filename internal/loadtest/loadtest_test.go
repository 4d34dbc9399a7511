package loadtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

var noon = time.Date(2027, 6, 1, 12, 0, 0, 0, time.UTC)

// bench is a service under test in a time of its own: each look is a second later.
type bench struct {
	now     time.Time
	offered []float64
	stopped int
	look    func(rps float64, after time.Duration) (models.LoadTestSample, error)
}

func (b *bench) Offer(_ context.Context, _ models.ServiceName, rps float64) error {
	b.offered = append(b.offered, rps)
	return nil
}

func (b *bench) Stop(context.Context) error { b.stopped++; return nil }

func (b *bench) Look(context.Context, models.ServiceName) (models.LoadTestSample, error) {
	return b.look(b.offered[len(b.offered)-1], b.now.Sub(noon))
}

func (b *bench) sleep(ctx context.Context, d time.Duration) error {
	b.now = b.now.Add(d)
	return ctx.Err()
}

func (b *bench) tester(t *testing.T, ceremony func(context.Context, time.Time) (bool, error)) *Tester {
	t.Helper()
	tester, err := New(Options{Target: b, Gauge: b, MaxRPS: 1000, Now: func() time.Time { return b.now }, Sleep: b.sleep, Ceremony: ceremony})
	require.NoError(t, err)
	return tester
}

func p[T any](v T) *T { return &v }

func well(float64, time.Duration) (models.LoadTestSample, error) {
	return models.LoadTestSample{P95MS: p(120.0), ErrorRate: p(0.0), Ready: 6, CapacityRPS: p(80.0)}, nil
}

var asked = models.LoadTestRequest{Service: models.ServiceAPI, RPS: 400, StepSeconds: 60, SLOMS: 500}

func TestATestClimbsInFourStepsAndShowsWhatServed(t *testing.T) {
	b := &bench{now: noon, look: well}
	beats := 0
	res, err := b.tester(t, nil).LoadTest(t.Context(), asked, func(models.LoadTestSample) { beats++ })
	require.NoError(t, err)
	assert.Empty(t, res.Aborted)
	assert.InDelta(t, 400, res.PeakRPS, 1e-9)
	assert.InDelta(t, 80, res.CapacityRPS, 1e-9)
	assert.Equal(t, 6, res.MaxReplicas)
	assert.Equal(t, 240, beats)
	steps := map[float64]int{}
	for _, rps := range b.offered {
		steps[rps]++
	}
	assert.Equal(t, map[float64]int{100: 60, 200: 60, 300: 60, 400: 60}, steps)
	assert.Equal(t, 1, b.stopped)
}

func TestATestThatDoesHarmStops(t *testing.T) {
	change := func(f func(*models.LoadTestSample, time.Duration)) func(float64, time.Duration) (models.LoadTestSample, error) {
		return func(rps float64, after time.Duration) (models.LoadTestSample, error) {
			s, err := well(rps, after)
			f(&s, after)
			return s, err
		}
	}
	late := 70 * time.Second // in the second step
	for name, c := range map[string]struct {
		look     func(float64, time.Duration) (models.LoadTestSample, error)
		ceremony func(context.Context, time.Time) (bool, error)
		says     string
		within   time.Duration
	}{
		"slow for 30 s": {change(func(s *models.LoadTestSample, at time.Duration) {
			if at >= late {
				s.P95MS = p(501.0)
			}
		}), nil, "response time", late + 31*time.Second},
		"failing for 30 s": {change(func(s *models.LoadTestSample, at time.Duration) {
			if at >= late {
				s.ErrorRate = p(0.006)
			}
		}), nil, "requests fail", late + 31*time.Second},
		"the database at once": {change(func(s *models.LoadTestSample, at time.Duration) {
			if at >= late {
				s.DatabaseShare = p(0.71)
			}
		}), nil, "connections", late + time.Second},
		"blind": {func(rps float64, at time.Duration) (models.LoadTestSample, error) {
			if at >= late {
				return models.LoadTestSample{}, errors.New("away")
			}
			return well(rps, at)
		}, nil, "cannot be measured", late + 6*time.Second},
		"guests come": {well, func(_ context.Context, at time.Time) (bool, error) { return at.Sub(noon) >= late, nil }, "ceremony", late + time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{now: noon, look: c.look}
			res, err := b.tester(t, c.ceremony).LoadTest(t.Context(), asked, nil)
			require.NoError(t, err)
			assert.Contains(t, res.Aborted, c.says)
			assert.LessOrEqual(t, b.now.Sub(noon), c.within)
			assert.InDelta(t, 100, res.PeakRPS, 1e-9, "what was held before still counts")
			assert.Equal(t, 1, b.stopped, "nothing is offered any more")
		})
	}
}

func TestAMomentOfTroubleStopsNothing(t *testing.T) {
	b := &bench{now: noon, look: func(rps float64, at time.Duration) (models.LoadTestSample, error) {
		s, err := well(rps, at)
		if int(at.Seconds())%60 < 25 {
			s.P95MS, s.ErrorRate = p(900.0), p(0.2)
		}
		return s, err
	}}
	res, err := b.tester(t, nil).LoadTest(t.Context(), asked, nil)
	require.NoError(t, err)
	assert.Empty(t, res.Aborted)
	assert.InDelta(t, 900, res.WorstP95MS, 1e-9)
}

func TestWhatIsNotMeasuredWasNotShown(t *testing.T) {
	b := &bench{now: noon, look: func(float64, time.Duration) (models.LoadTestSample, error) {
		return models.LoadTestSample{Ready: 3}, nil
	}}
	res, err := b.tester(t, nil).LoadTest(t.Context(), asked, nil)
	require.NoError(t, err)
	assert.Contains(t, res.Aborted, "never seen")
	assert.Zero(t, res.PeakRPS)
}

func TestNoTestOffersMoreThanItMay(t *testing.T) {
	b := &bench{now: noon, look: well}
	over := asked
	over.RPS = 1001
	res, err := b.tester(t, nil).LoadTest(t.Context(), over, nil)
	require.NoError(t, err)
	assert.Contains(t, res.Aborted, "SEASON_LOAD_TEST_MAX_RPS")
	assert.Empty(t, b.offered)
	for _, bad := range []models.LoadTestRequest{{RPS: 0, StepSeconds: 60}, {RPS: 10, StepSeconds: 0}, {RPS: 10, StepSeconds: 901}} {
		_, err := b.tester(t, nil).LoadTest(t.Context(), bad, nil)
		assert.Equal(t, models.KindInvalid, models.KindOf(err), "%+v", bad)
	}
	_, err = New(Options{Target: b, Gauge: b, Now: time.Now})
	require.Error(t, err, "a test without a bound")
}

func TestAnEndedTestOffersNothingMore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := &bench{now: noon}
	b.look = func(rps float64, at time.Duration) (models.LoadTestSample, error) {
		if at > 10*time.Second {
			cancel()
		}
		return well(rps, at)
	}
	_, err := b.tester(t, nil).LoadTest(ctx, asked, nil)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 1, b.stopped)
}
