package season

import (
	"math"
	"slices"
	"testing"
	"time"
	_ "time/tzdata" // the tests need the zones, whatever the machine has

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/models"
)

func june() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) } // a Monday

func generate(t *testing.T, o Options) Season {
	t.Helper()
	s, err := Generate(o)
	require.NoError(t, err)
	return s
}

func TestTheSameSeedGivesTheSameSeason(t *testing.T) {
	a, b := generate(t, Options{Start: june(), Days: 7, Seed: 5}), generate(t, Options{Start: june(), Days: 7, Seed: 5})
	assert.Equal(t, a.Weddings, b.Weddings)
	assert.Equal(t, a.Load(0, a.Seconds()), b.Load(0, b.Seconds()))
	c := generate(t, Options{Start: june(), Days: 7, Seed: 6})
	assert.NotEqual(t, a.Weddings, c.Weddings)
}

func TestAPartIsDrawnAsTheWholeIs(t *testing.T) {
	s := generate(t, Options{Start: june(), Days: 2, Seed: 5})
	whole := s.Load(0, s.Seconds())
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.IntRange(0, s.Seconds()-1).Draw(t, "from")
		to := rapid.IntRange(from, min(from+4000, s.Seconds())).Draw(t, "to")
		assert.True(t, slices.Equal(whole[from:to], s.Load(from, to)))
	})
	assert.Empty(t, s.Load(10, 10))
	assert.Len(t, s.Load(-5, 1<<40), s.Seconds())
}

func TestWeddingsFollowTheYear(t *testing.T) {
	weddings := 0.0
	saturdays, summer, guests, confirmed := 0.0, 0.0, 0.0, 0.0
	for seed := range uint64(6) {
		for half := range 2 {
			begin := time.Date(2026, time.Month(1+6*half), 1, 0, 0, 0, 0, time.UTC)
			all, err := draw(Options{Start: begin, Days: 181 + 3*half, Seed: seed, WeddingsPerYear: 1200})
			require.NoError(t, err)
			for _, w := range all {
				zone, err := time.LoadLocation(w.Zone)
				require.NoError(t, err)
				local := w.Start.In(zone)
				if local.Before(time.Date(2026, begin.Month(), 1, 0, 0, 0, 0, zone)) || !local.Before(time.Date(2026, begin.Month()+6, 1, 0, 0, 0, 0, zone)) {
					continue // the days more at each end
				}
				weddings++
				guests += float64(w.Guests)
				saturdays += indicator(local.Weekday() == time.Saturday)
				summer += indicator(local.Month() >= time.May && local.Month() <= time.October)
				confirmed += indicator(w.Confirmed)
				assert.True(t, local.Hour() >= 11 && local.Hour() <= 18, "%s", local)
				assert.Equal(t, 8*time.Hour, w.End.Sub(w.Start))
				assert.True(t, w.Guests >= 20 && w.Guests <= 400)
			}
		}
	}
	assert.InDelta(t, 1200, weddings/6, 60, "a year has the weddings it is to have")
	assert.InDelta(t, 0.64, saturdays/weddings, 0.03)
	assert.InDelta(t, 0.74, summer/weddings, 0.03)
	assert.InDelta(t, 121, guests/weddings, 4)
	assert.InDelta(t, 0.94, confirmed/weddings, 0.02)
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func TestTheCalendarInformsAndDoesNotGiveAway(t *testing.T) {
	s := generate(t, Options{Start: june(), Days: 28, Seed: 9})
	quiet := generate(t, Options{Start: june(), Days: 28, Seed: 9, RPSPerGuest: 1e-9})
	// What somebody with the kernel and the booked times and guests would expect.
	planned := quiet
	planned.rate = slices.Clone(quiet.rate)
	for _, w := range s.Weddings {
		w.late, w.active = 0, float64(w.Guests)*turnOutMean
		planned.opts.RPSPerGuest = 2.6
		planned.celebrate(w, perSecond())
	}
	var real, plan []float64
	for t := 0; t < s.Seconds(); t += 60 {
		if p := planned.Expected(t) - quiet.Expected(t); p > 50 {
			plan, real = append(plan, p), append(real, s.Expected(t)-quiet.Expected(t))
		}
	}
	require.Greater(t, len(plan), 1000)
	r := correlation(plan, real)
	assert.Greater(t, r, 0.85, "a calendar says much about the load")
	assert.Less(t, r, 0.995, "and not all of it")
}

func correlation(x, y []float64) float64 {
	mean := func(v []float64) float64 {
		sum := 0.0
		for _, a := range v {
			sum += a
		}
		return sum / float64(len(v))
	}
	mx, my, xy, xx, yy := mean(x), mean(y), 0.0, 0.0, 0.0
	for i := range x {
		xy += (x[i] - mx) * (y[i] - my)
		xx += (x[i] - mx) * (x[i] - mx)
		yy += (y[i] - my) * (y[i] - my)
	}
	return xy / math.Sqrt(xx*yy)
}

func TestCountsAreDrawnAroundTheExpectation(t *testing.T) {
	s := generate(t, Options{Start: june(), Days: 6, Seed: 2})
	load, chi := s.Load(0, s.Seconds()), 0.0
	for i, n := range load {
		e := s.Expected(i)
		require.Positive(t, e)
		chi += (n - e) * (n - e) / e
	}
	assert.InDelta(t, 1, chi/float64(len(load)), 0.02, "the variance of a Poisson draw is its mean")
	minutes := s.Minutes(0, 600)
	require.Len(t, minutes, 10)
	assert.InDelta(t, s.Expected(30), minutes[0], 20)
}

func TestTheKernelIsBoundedAndEnds(t *testing.T) {
	top := 0.0
	for m := -200.0; m < 600; m += 0.25 {
		k := Kernel(m)
		assert.True(t, k >= 0 && k <= 1)
		if m <= -120 || m >= 480 {
			assert.Zero(t, k)
		}
		top = max(top, k)
	}
	assert.InDelta(t, 1, top, 0.01)
	assert.Zero(t, Kernel(math.NaN()))
}

func TestTheBusiestSaturdayIsBusierThanItsMonday(t *testing.T) {
	s := generate(t, Options{Start: june(), Days: 7, Seed: 3})
	peak := func(day int) float64 {
		top := 0.0
		for i := day * 86400; i < (day+1)*86400; i += 60 {
			top = max(top, s.Expected(i))
		}
		return top
	}
	assert.Greater(t, peak(5), 1.3*peak(0))
}

func TestGenerateRefusesWhatCannotBe(t *testing.T) {
	for name, o := range map[string]Options{
		"no start":        {Days: 1},
		"no days":         {Start: june()},
		"too many days":   {Start: june(), Days: 1000},
		"negative load":   {Start: june(), Days: 1, BaseRPS: -1},
		"no number":       {Start: june(), Days: 1, RPSPerGuest: math.NaN()},
		"a flood of them": {Start: june(), Days: 1, WeddingsPerYear: 1e9},
	} {
		_, err := Generate(o)
		assert.Equal(t, models.KindInvalid, models.KindOf(err), name)
	}
}
