package predictor_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/forecast/minute"
	"github.com/wedsync/scalability/internal/predictor"
	"github.com/wedsync/scalability/models"
)

// minutes is a platform whose load is known by the minute, behind the predictor's ports.
type minutes struct {
	*world
	mu    sync.Mutex
	at    time.Time // the clock
	load  func(time.Time) (rps float64, ok bool)
	held  chan struct{} // while it is open, who reads waits
	away  bool
	spans [][2]time.Time // that were read
}

// newMinutes has a load of three weeks; its hours are those of a month of it.
func newMinutes(load func(time.Time) float64) *minutes {
	m := &minutes{world: newWorld(), at: now, load: since(21*days, load)}
	m.world.load = since(30*days, func(h time.Time) float64 {
		sum := 0.0
		for i := range 60 {
			sum += load(h.Add(time.Duration(i) * time.Minute))
		}
		return sum / 60
	})
	return m
}

func (m *minutes) MinuteLoad(_ context.Context, _ models.ServiceName, from, until time.Time) ([]models.MinuteLoad, error) {
	if m.held != nil {
		<-m.held
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.spans = append(m.spans, [2]time.Time{from, until})
	if m.away {
		return nil, errAway
	}
	var out []models.MinuteLoad
	for at := from; at.Before(until); at = at.Add(time.Minute) {
		if rps, ok := m.load(at); ok {
			out = append(out, models.MinuteLoad{Minute: at, MeanRPS: rps})
		}
	}
	return out, nil
}

// set moves the clock.
func (m *minutes) set(at time.Time) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at, m.clock = at, at
	return at
}

func (m *minutes) read() [][2]time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.spans
}

func (m *minutes) predictor() *predictor.Predictor {
	return predictor.New(predictor.Options{
		History: m, Minutes: m, Calendar: m, Catalogue: m, Archive: m, Cache: m, Weddings: true,
		Now: func() time.Time {
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.at
		},
	})
}

const lead = 3 * time.Minute

func (m *minutes) forecast(t *testing.T, p *predictor.Predictor, at time.Time) models.ForecastPoint {
	t.Helper()
	f, err := p.Forecast(t.Context(), m.service, at, lead)
	require.NoError(t, err)
	require.NotNil(t, f)
	return *f
}

// warm waits until the minutes were read.
func (m *minutes) warm(t *testing.T, p *predictor.Predictor, at time.Time) models.ForecastPoint {
	t.Helper()
	var f models.ForecastPoint
	require.Eventually(t, func() bool {
		f = m.forecast(t, p, at)
		return !strings.Contains(f.Reason, "by the hour until")
	}, time.Minute, 5*time.Millisecond)
	return f
}

// hourly is a load that is four times as high for five minutes from half past each hour on.
func hourly(at time.Time) float64 {
	if at.Minute() >= 30 && at.Minute() < 35 {
		return 400
	}
	return 100
}

func TestMinutesServeWhereTheyCarryAForecastAndTheReasonSaysSo(t *testing.T) {
	but := func(load func(time.Time) float64, known func(time.Time) bool) func(time.Time) (float64, bool) {
		return func(at time.Time) (float64, bool) { return load(at), known(at) && !at.Before(now.Add(-21*days)) }
	}
	for _, c := range []struct {
		name   string
		load   func(time.Time) (float64, bool)
		serves bool
		reason string
	}{
		{"three weeks", since(21*days, hourly), true, "; by the minute: the same minutes of 21 days, off by"},
		{"four days", since(4*days, hourly), true, "; by the minute: the same minutes of 4 days"},
		{"two days", since(2*days, hourly), false, "; by the hour: the minutes of 2.0 days were measured, those of 3 are needed"},
		{"none", but(hourly, func(time.Time) bool { return false }), false, "; by the hour: the minutes of 0.0 days were measured"},
		{"nothing of the last quarter of an hour", but(hourly, now.Add(-15*time.Minute).After), false, "most minutes of the last quarter of an hour are missing"},
		{"every second minute", but(hourly, func(at time.Time) bool { return at.Minute()%2 == 0 || at.After(now.Add(-time.Hour)) }), true, "; by the minute"},
		{"surges at any minute", since(21*days, func(at time.Time) float64 {
			if noisy(1, func(time.Time) float64 { return 1 })(at.Truncate(10*time.Minute)) < 0.5 {
				return 2000
			}
			return 20
		}), false, "; by the hour: by the minute it was off by"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMinutes(hourly)
			m.load = c.load
			f := m.warm(t, m.predictor(), now)
			assert.Contains(t, f.Reason, c.reason)
			assert.Equal(t, c.serves, f.Model == "profile", f.Reason)
			assert.True(t, f.Trusted, "the record of the hours tells that")
			assert.Greater(t, f.P50, 50.0)
		})
	}
}

func TestWithoutMinutesTheHoursServe(t *testing.T) {
	m := newMinutes(hourly)
	f := m.forecast(t, m.world.predictor(), now)
	assert.Contains(t, f.Reason, "; by the hour: minutes are not kept")
	assert.NotEqual(t, "profile", f.Model)
}

func TestWhileTheMinutesAreReadDecisionsHaveTheHours(t *testing.T) {
	m := newMinutes(hourly)
	m.held = make(chan struct{})
	p := m.predictor()
	for range 3 {
		f := m.forecast(t, p, now)
		assert.Contains(t, f.Reason, "; by the hour until the minutes of the last weeks are read")
		assert.NotEqual(t, "profile", f.Model)
	}
	close(m.held)
	assert.Equal(t, "profile", m.warm(t, p, now).Model)
	assert.Len(t, m.read(), 1, "who asks meanwhile does not have them read again")
}

func TestASurgeAtTheSameMinuteOfEachHourIsForeseen(t *testing.T) {
	m := newMinutes(hourly)
	p := m.predictor()
	half := now.Truncate(time.Hour).Add(30 * time.Minute)
	calm := m.warm(t, p, m.set(half.Add(-9*time.Minute)))
	require.Equal(t, "profile", calm.Model, calm.Reason)
	assert.InDelta(t, 100, calm.P70, 1)
	assert.InDelta(t, 100, calm.VerifiedP70, 1)
	assert.InDelta(t, 400, calm.LookAheadP90, 120, "but within half an hour")

	verified := m.forecast(t, p, m.set(half.Add(-6*time.Minute)))
	assert.InDelta(t, 100, verified.P70, 1)
	assert.InDelta(t, 400, verified.VerifiedP70, 1, "before an order of now is verified")

	before := m.forecast(t, p, m.set(half.Add(-2*time.Minute)))
	assert.InDelta(t, 400, before.P50, 1, "two minutes before it comes")
	assert.InDelta(t, 400, before.P70, 1)
	assert.True(t, before.Trusted, before.Reason)
	hours := m.forecast(t, m.world.predictor(), half.Add(-2*time.Minute))
	assert.Less(t, hours.P50, 200.0, "the hours do not see it coming")

	after := m.forecast(t, p, m.set(half.Add(7*time.Minute)))
	assert.InDelta(t, 100, after.P50, 1)
}

// record is what the predictor has of a load at a time, and the minute it begins with.
func (m *minutes) record(at time.Time) (out []float64, origin time.Time) {
	origin = at.Truncate(time.Hour).Add(-21 * days)
	for x := origin; x.Add(time.Minute).Before(at.Add(-4 * time.Second)); x = x.Add(time.Minute) {
		rps, ok := m.load(x)
		if !ok {
			rps = math.NaN()
		}
		out = append(out, rps)
	}
	return out, origin
}

func TestForecastsAreThoseOfTheSimulatorsEngine(t *testing.T) {
	m := newMinutes(noisy(0.2, func(at time.Time) float64 { return platformDay(at) * hourly(at) / 100 }))
	m.load = func(at time.Time) (float64, bool) { // with a gap of five hours each Thursday
		gap := at.Weekday() == time.Thursday && at.Hour() < 5
		return noisy(0.2, platformDay)(at), !gap && !at.Before(now.Add(-20*days))
	}
	p := m.predictor()
	got := m.warm(t, p, now)
	require.Equal(t, "profile", got.Model, got.Reason)
	for _, after := range []time.Duration{30 * time.Second, 90 * time.Second, 10 * time.Minute} {
		at := m.set(now.Add(after))
		got = m.forecast(t, p, at)
		minutes, _ := m.record(at)
		want := minute.New(func(int) float64 { return 0 }).Next(minutes, lead, at)
		assert.InDelta(t, want.P50, got.P50, 1e-9)
		assert.InDelta(t, want.P70, got.P70, 1e-9)
		assert.InDelta(t, want.VerifiedP70, got.VerifiedP70, 1e-9)
		assert.InDelta(t, want.P95, got.P95, 1e-9)
		assert.InDelta(t, want.P99, got.P99, 1e-9)
		assert.InDelta(t, want.LookAheadP90, got.LookAheadP90, 1e-9)
	}
}

func TestOnlyWhatIsNewIsRead(t *testing.T) {
	m := newMinutes(hourly)
	p := m.predictor()
	m.warm(t, p, now) // 12:20:00: the last minute is over, but not stored yet
	for _, after := range []time.Duration{3 * time.Second, 30 * time.Second, time.Minute, 64 * time.Second, 65 * time.Second, 290 * time.Second} {
		m.forecast(t, p, m.set(now.Add(after)))
	}
	at := func(minutes int) time.Time { return now.Add(time.Duration(minutes) * time.Minute) }
	assert.Equal(t, [][2]time.Time{
		{now.Truncate(time.Hour).Add(-21 * days), at(-1)}, {at(-1), at(0)}, {at(0), at(1)}, {at(1), at(4)},
	}, m.read())
}

func TestAllIsReadAnewAfterADayAndTheOldServesMeanwhile(t *testing.T) {
	m := newMinutes(hourly)
	p := m.predictor()
	m.warm(t, p, now)
	next := m.set(now.Add(25 * time.Hour))
	f := m.forecast(t, p, next)
	assert.Equal(t, "profile", f.Model, f.Reason)
	require.Eventually(t, func() bool {
		spans := m.read()
		return spans[len(spans)-1][1].Sub(spans[len(spans)-1][0]) > 20*days || spans[len(spans)-2][1].Sub(spans[len(spans)-2][0]) > 20*days
	}, time.Minute, 5*time.Millisecond)
	far := m.set(now.Add(80 * time.Hour))
	assert.Contains(t, m.forecast(t, p, far).Reason, "by the hour until", "too far behind to be caught up with in passing")
	assert.Equal(t, "profile", m.warm(t, p, far).Model)
}

func TestMinutesThatCannotBeReadLeaveTheHours(t *testing.T) {
	m := newMinutes(hourly)
	p := m.predictor()
	m.warm(t, p, now)
	m.away = true
	f := m.forecast(t, p, m.set(now.Add(2*time.Minute)))
	assert.Contains(t, f.Reason, "; by the hour: the newest minutes cannot be read")
	m.away = false
	f = m.forecast(t, p, m.set(now.Add(3*time.Minute)))
	assert.Equal(t, "profile", f.Model, "what was missed is caught up with")
}

func TestNoMinuteAfterTheClockIsTaken(t *testing.T) {
	m := newMinutes(hourly)
	p := m.predictor()
	m.warm(t, p, now)
	f := m.forecast(t, p, now.Add(20*time.Minute))
	assert.Contains(t, f.Reason, "; by the hour: minutes are known until 12:19")
	assert.Equal(t, "profile", m.forecast(t, p, m.set(now.Add(time.Minute))).Model, "nothing was spoilt")
}

func TestMissingMinutesAreNotZero(t *testing.T) {
	m := newMinutes(func(time.Time) float64 { return 100 })
	whole := m.load
	m.load = func(at time.Time) (float64, bool) { // the same hour of each day is missing, and the newest minutes
		v, ok := whole(at)
		return v, ok && at.Hour() != 13 && !at.After(now.Add(-4*time.Minute))
	}
	f := m.warm(t, m.predictor(), now)
	require.Equal(t, "profile", f.Model, f.Reason)
	assert.InDelta(t, 100, f.P50, 1e-6)
	assert.InDelta(t, 100, f.LookAheadP90, 1)
}

func TestTheBaseOfTheCalendarIsTheUsualLoadAndNotThatOfNow(t *testing.T) {
	day := noisy(0.2, func(time.Time) float64 { return 1 })
	m := newMinutes(func(at time.Time) float64 { // days differ, and today is twice as busy for some hours
		if at.After(now.Add(-4 * time.Hour)) {
			return 2 * platformDay(at)
		}
		return platformDay(at) * day(at.Truncate(days))
	})
	p := m.predictor()
	f := m.forecast(t, p, now)
	require.Greater(t, f.P50, 1.8*platformDay(now), "the forecast by the hour follows the load")
	c, err := p.Calendar(t.Context(), m.service, now)
	require.NoError(t, err)
	assert.InDelta(t, 1.1*platformDay(now), c.BaseRPS, 0.25*platformDay(now), "by the hour, within which the load grows by a tenth")

	f = m.warm(t, p, now)
	require.Equal(t, "profile", f.Model, f.Reason)
	require.Greater(t, f.P50, 1.2*platformDay(now)/1.5, "that by the minute as far as it may from the week's usual day")
	c, err = p.Calendar(t.Context(), m.service, now)
	require.NoError(t, err)
	assert.InDelta(t, platformDay(now), c.BaseRPS, 0.25*platformDay(now), "by the minute")
	assert.Len(t, c.Kernel.P50, len(c.Kernel.P90))
}

// weekMean is the mean level of the days of platformDay's week.
const weekMean = (5 + 2*1.5) / 7

func TestTheBaseHasTheLevelOfItsWeekday(t *testing.T) {
	m := newMinutes(platformDay) // half as much again on Saturdays and Sundays
	p := m.predictor()
	f := m.warm(t, p, now)
	require.Equal(t, "profile", f.Model, f.Reason)
	c, err := p.Calendar(t.Context(), m.service, now)
	require.NoError(t, err)
	assert.InDelta(t, platformDay(now)/weekMean, c.BaseRPS, 0.05*platformDay(now), "the same minute of the week's days, at a Saturday's level")
}

func TestGuestsOfTheCalendarAreForeseenByTheMinute(t *testing.T) {
	m := newMinutes(func(time.Time) float64 { return 100 })
	m.weddings = []models.Wedding{wedding("w1", now.Add(2*time.Minute), 200)}
	p := m.predictor()
	with := m.warm(t, p, now)
	require.Equal(t, "profile", with.Model, with.Reason)
	assert.True(t, with.Calendar)
	c, err := p.Calendar(t.Context(), m.service, now)
	require.NoError(t, err)
	brings := c.Kernel.P50[-c.Kernel.FromMinutes/c.Kernel.StepMinutes] // at the ceremony
	assert.Greater(t, with.P50, 200*brings, "the guests as the calendar of decisions has them, and who is there anyhow")
	assert.False(t, newMinutes(hourly).calendar(t), "nobody comes")
}

func (m *minutes) calendar(t *testing.T) bool { return m.warm(t, m.predictor(), now).Calendar }

func TestWhatIsUsualAtAnHourComesFromItsMinutes(t *testing.T) {
	m := newMinutes(hourly)
	p := m.predictor()
	before, err := p.Usual(t.Context(), models.ServiceAPI, now)
	require.NoError(t, err)
	require.NotNil(t, before)
	assert.InDelta(t, 125, *before, 1, "the mean of the hour")
	m.warm(t, p, now)
	got, err := p.Usual(t.Context(), models.ServiceAPI, now)
	require.NoError(t, err)
	require.NotNil(t, got)
	assert.InDelta(t, 400, *got, 1, "five minutes of sixty are more than one of twenty")
	other, err := p.Usual(t.Context(), models.ServiceAPI, now.Add(-time.Hour))
	require.NoError(t, err)
	assert.InDelta(t, 125, *other, 1, "of another hour its minutes are not summed up")
}

func TestForecastsMayBeAskedForAtOnce(t *testing.T) {
	m := newMinutes(hourly)
	p := m.predictor()
	m.warm(t, p, now)
	m.set(now.Add(10 * time.Minute))
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for k := range 10 {
				at := now.Add(time.Duration(i+k*30) * time.Second)
				_, forecast := p.Forecast(t.Context(), m.service, at, lead)
				_, calendar := p.Calendar(t.Context(), m.service, at)
				assert.NoError(t, errors.Join(forecast, calendar))
			}
		})
	}
	all.Wait()
	assert.Equal(t, "profile", m.forecast(t, p, m.at).Model)
}
