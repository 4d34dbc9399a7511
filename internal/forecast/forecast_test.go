package forecast_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/internal/forecast"
)

func TestACourseThatRepeatsIsForecast(t *testing.T) {
	load := platform(24*70, 0)
	assert.Greater(t, accuracy(forecast.New(forecast.Options{Start: monday}), load, 24*40), 99.0)
	noisy := platform(24*90, 0.1)
	assert.Greater(t, accuracy(forecast.New(forecast.Options{Start: monday}), noisy, 24*60), 90.0, "noise of 10 % costs 8 points, and little more")
}

func TestTheCalendarExplainsWhatHistoryCannot(t *testing.T) {
	const days = 90
	events := scattered(days)
	load := brings(platform(24*days, 0.03), events)
	with := forecast.New(forecast.Options{Start: monday, Events: true})
	with.Book(events...)
	without := forecast.New(forecast.Options{Start: monday})
	a, b := accuracy(with, load, 24*60), accuracy(without, load, 24*60)
	assert.Greater(t, a, 93.0)
	assert.Greater(t, a, b+12)
}

func TestEventsThatMultiplyTheBaseAreLearnedToo(t *testing.T) {
	const days = 60
	var events []forecast.Event
	load := platform(24*days, 0.03)
	for d := 20; d < days; d += 2 {
		for _, hour := range []int{13 + d%5, 20} {
			events = append(events, forecast.Event{ID: "match", Start: float64(24*d + hour), Size: 1})
			for t := 24*d + hour; t < 24*d+hour+2; t++ {
				load[t] *= 3
			}
		}
	}
	with := forecast.New(forecast.Options{Start: monday, Events: true})
	with.Book(events...)
	assert.Greater(t, accuracy(with, load, 24*45), 85.0)
}

func TestAChangeOfTheCalendarCountsAtOnce(t *testing.T) {
	events := scattered(60)
	m := observed(forecast.Options{Events: true}, brings(platform(24*50+6, 0.02), events), events...)
	hour := 24*50 + 15
	at := func() forecast.Point { return m.Forecast(24)[hour-m.Hours()] }
	before := at()
	m.Book(forecast.Event{ID: "new", Start: float64(hour), Size: 300})
	with := at()
	assert.Greater(t, with.Expected, before.Expected+150)
	assert.Len(t, with.Events, len(before.Events)+1)
	m.SetCalendar(nil)
	assert.Empty(t, at().Events)
	assert.Less(t, at().Expected, with.Expected-150)
}

func TestTagsTellEventsApart(t *testing.T) {
	const days = 80
	events := scattered(days)
	load := platform(24*days, 0.02)
	for i := range events {
		events[i].Tags = []string{"quiet"}
		if i%2 == 0 {
			events[i].Tags = []string{"loud"}
		}
		loud := events[i]
		loud.Size *= map[bool]float64{true: 1.5, false: 0.5}[i%2 == 0]
		load = brings(load, []forecast.Event{loud})
	}
	blank := append([]forecast.Event{}, events...)
	for i := range blank {
		blank[i].Tags = nil
	}
	told := forecast.New(forecast.Options{Start: monday, Events: true})
	told.Book(events...)
	untold := forecast.New(forecast.Options{Start: monday, Events: true})
	untold.Book(blank...)
	assert.Greater(t, accuracy(told, load, 24*50), accuracy(untold, load, 24*50)+2)
}

func TestPartsAddUpAndQuantilesAreInOrder(t *testing.T) {
	events := scattered(60)
	holiday := func(d time.Time) bool { return d.Day() == 1 }
	m := observed(forecast.Options{Events: true, Holiday: holiday, Days: 3}, brings(platform(24*50+7, 0.05), events), events...)
	points := m.Forecast(168)
	require.Len(t, points, 168)
	shares := 0
	for i, p := range points {
		assert.Equal(t, forecast.PathEnsemble, p.Path)
		assert.Equal(t, 24*50+7+i, p.Hour)
		assert.Equal(t, i+1, p.Lead)
		sum := p.Base + p.Season + p.Holiday
		for _, s := range p.Events {
			assert.Positive(t, s.Load)
			sum += s.Load
			shares++
		}
		assert.InDelta(t, p.Expected, sum, 1e-9)
		last := 0.0
		for _, q := range []float64{0.01, 0.05, 0.3, 0.5, 0.6, 0.9, 0.95, 0.97, 0.99, 0.999} {
			v, ok := p.Quantile(q)
			require.True(t, ok)
			assert.GreaterOrEqual(t, v, last-1e-9, "hour %d, quantile %g", i, q)
			last = v
		}
	}
	assert.Greater(t, shares, 20)
}

func TestTheMethodsBehindAForecastAreNamed(t *testing.T) {
	assert.Empty(t, observed(forecast.Options{}, nil).Weights())
	weights := observed(forecast.Options{}, platform(24*60, 0.05)).Weights()
	total := 0.0
	for _, w := range weights {
		total += w
	}
	assert.InDelta(t, 1, total, 1e-9)
	assert.Contains(t, weights, "ridge by hour")
	assert.Greater(t, weights["profile of four weeks"], weights["yesterday"], "which knows no weekend")
}

func TestAHolidayHasAShareOfItsOwn(t *testing.T) {
	holiday := func(d time.Time) bool { return d.Day() == 10 }
	load := platform(24*365, 0.01)
	for h := range load {
		if holiday(monday.Add(time.Duration(h) * time.Hour)) {
			load[h] *= 0.5
		}
	}
	from := int(time.Date(2026, 12, 10, 0, 0, 0, 0, time.UTC).Sub(monday) / time.Hour)
	m := observed(forecast.Options{Holiday: holiday}, load[:from])
	for _, p := range m.Forecast(24) {
		assert.Less(t, p.Holiday, -0.1*p.Expected, "half of the load stays away")
		assert.InDelta(t, 1, p.Expected/load[p.Hour], 0.2)
	}
}

func TestTheNewestHourCorrectsTheNext(t *testing.T) {
	load := platform(24*60, 0.02)
	m := observed(forecast.Options{}, load[:24*59+8])
	before := m.Forecast(4)
	for h := 24*59 + 8; h < 24*59+11; h++ {
		m.Observe(2 * load[h])
	}
	after := m.Forecast(1)
	assert.Greater(t, after[0].Expected, 1.3*before[3].Expected)
	assert.Equal(t, 24*59+11, after[0].Hour)
}

func TestIntervalsKeepWhatTheyPromise(t *testing.T) {
	load := platform(24*200, 0.15)
	m := forecast.New(forecast.Options{Start: monday})
	in, n := 0.0, 0.0
	for h, v := range load {
		if h >= 24*60 && h%24 == 0 {
			for _, p := range m.Forecast(24) {
				low, ok := p.Quantile(0.025)
				high, _ := p.Quantile(0.975)
				require.True(t, ok)
				n++
				if load[p.Hour] >= low && load[p.Hour] <= high {
					in++
				}
			}
		}
		m.Observe(v)
	}
	assert.InDelta(t, 0.95, in/n, 0.02)
}

func TestEachPathSaysItsName(t *testing.T) {
	cohort, ok := forecast.CohortOf(platform(168*4, 0.05), platform(168*2, 0.05), []float64{1, 2})
	require.True(t, ok)
	nan := math.NaN()
	for _, c := range []struct {
		name   string
		opts   forecast.Options
		load   []float64
		path   forecast.Path
		ranged bool
	}{
		{"nothing at all", forecast.Options{}, nil, forecast.PathNone, false},
		{"nothing but gaps", forecast.Options{}, []float64{nan, nan, nan}, forecast.PathNone, false},
		{"a cohort alone", forecast.Options{Cohort: &cohort}, platform(10, 0), forecast.PathCohort, true},
		{"a cohort at the own level", forecast.Options{Cohort: &cohort}, platform(24*5, 0), forecast.PathCohortLevel, true},
		{"a few hours without a cohort", forecast.Options{}, platform(10, 0), forecast.PathNaive, false},
		{"two days without a cohort", forecast.Options{}, platform(24*2, 0), forecast.PathEnsemble, false},
		{"months", forecast.Options{}, platform(24*60, 0.05), forecast.PathEnsemble, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			points := observed(c.opts, c.load).Forecast(30)
			require.Len(t, points, 30)
			for _, p := range points {
				assert.Equal(t, c.path, p.Path)
				assert.False(t, math.IsNaN(p.Expected) || p.Expected < 0)
				_, ranged := p.Quantile(0.95)
				assert.Equal(t, c.ranged, ranged)
			}
		})
	}
}

func TestACohortTeachesItsCourse(t *testing.T) {
	cohort, ok := forecast.CohortOf(platform(168*4, 0.02))
	require.True(t, ok)
	tenfold := make([]float64, 24*3)
	for h, v := range platform(24*3, 0) {
		tenfold[h] = 10 * v
	}
	next := platform(24*9, 0)[24*3:]
	m := observed(forecast.Options{Cohort: &cohort}, tenfold)
	for i, p := range m.Forecast(24 * 4) { // into a weekend that was never seen
		assert.InDelta(t, 1, p.Expected/(10*next[i]), 0.1)
	}
	alone := observed(forecast.Options{Cohort: &cohort}, nil).Forecast(1)[0]
	atLevel := m.Forecast(1)[0]
	width := func(p forecast.Point) float64 {
		high, _ := p.Quantile(0.975)
		return math.Log(high / p.Expected)
	}
	assert.InDelta(t, 2, width(alone)/width(atLevel), 1e-6, "under a day the interval is twice as wide")
	_, ok = forecast.CohortOf([]float64{1}, nil)
	assert.False(t, ok)
}

func TestWhereSkillIsLostLastWeekStands(t *testing.T) {
	load := platform(24*56, 0.02)
	m := observed(forecast.Options{}, load)
	assert.Equal(t, forecast.PathEnsemble, m.Forecast(1)[0].Path)
	// Then last week repeats to the digit: nothing can beat it.
	for range 24 * 21 {
		load = append(load, load[len(load)-168])
		m.Observe(load[len(load)-1])
	}
	p := m.Forecast(2)
	assert.Equal(t, forecast.PathNaive, p[0].Path)
	lastWeek := load[len(load)-168]
	assert.InDelta(t, 1, p[0].Expected/lastWeek, 1e-9)
}

func TestGapsAreFilledAndNotLearned(t *testing.T) {
	load := platform(24*60, 0.02)
	for h := 24 * 50; h < 24*52; h++ {
		load[h] = math.NaN()
	}
	load[24*55] = -5 // not a load
	m := observed(forecast.Options{}, load)
	whole := platform(24*61, 0.02)
	for _, p := range m.Forecast(24) {
		assert.InDelta(t, 1, p.Expected/whole[p.Hour], 0.15)
	}
}

func TestForecastProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		hours := rapid.IntRange(0, 24*36).Draw(rt, "hours")
		o := forecast.Options{Start: monday, Events: rapid.Bool().Draw(rt, "events")}
		m, again := forecast.New(o), forecast.New(o)
		events := scattered(45)
		m.Book(events...)
		again.Book(events...)
		kind := rapid.IntRange(0, 3).Draw(rt, "kind")
		base := platform(hours, 0.3)
		for h, v := range base {
			switch {
			case kind == 1:
				v = 0
			case kind == 2 && h%5 == 0:
				v = math.NaN()
			case kind == 3:
				v = math.Mod(v*1e6, 7) * 1e9
			}
			m.Observe(v)
			again.Observe(v)
		}
		n := rapid.IntRange(1, 200).Draw(rt, "ahead")
		points, same := m.Forecast(n), again.Forecast(n)
		assert.Len(rt, points, min(n, forecast.Furthest))
		for i, p := range points {
			assert.False(rt, math.IsNaN(p.Expected) || math.IsInf(p.Expected, 0) || p.Expected < 0, "hour %d: %g by %s", i, p.Expected, p.Path)
			assert.Equal(rt, p.Expected, same[i].Expected) //nolint:testifylint // to the bit
			sum := p.Base + p.Season + p.Holiday
			for _, s := range p.Events {
				sum += s.Load
			}
			assert.InEpsilon(rt, 1+p.Expected, 1+sum, 1e-9)
		}
	})
}

func BenchmarkHour(b *testing.B) {
	load := platform(24*120, 0.05)
	events := scattered(130)
	m := observed(forecast.Options{Events: true, Days: 7}, load, events...)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		if m.Hours()%24 == 23 {
			m.Observe(200)
		}
		b.StartTimer()
		m.Observe(200)
	}
}

func BenchmarkNight(b *testing.B) {
	load := platform(24*120, 0.05)
	events := scattered(2000)
	m := observed(forecast.Options{Events: true, Days: 7}, load, events...)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for range 23 {
			m.Observe(200)
		}
		b.StartTimer()
		m.Observe(200)
	}
}

func BenchmarkForecastWeek(b *testing.B) {
	m := observed(forecast.Options{Events: true}, platform(24*120+9, 0.05), scattered(130)...)
	b.ReportAllocs()
	for b.Loop() {
		m.Forecast(168)
	}
}
