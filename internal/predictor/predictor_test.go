package predictor_test

import (
	"context"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/internal/predictor"
	"github.com/wedsync/scalability/models"
)

func TestEachForecastSaysHowItWasMade(t *testing.T) {
	tomorrow := now.Truncate(time.Hour).Add(22 * time.Hour)
	for _, c := range []struct {
		name    string
		history time.Duration
		wedding bool
		method  models.PredictionMethod
		reason  string
		points  int
	}{
		{"nothing known", 0, false, models.MethodNone, "no load was measured in the last week, and no wedding is in the calendar", 0},
		{"a wedding alone", 0, true, models.MethodCalendarOnly, "on the load that the least replicas are held for; the load of a guest is assumed to be 2.6 requests/s", 24},
		{"an hour of history", time.Hour, false, models.MethodRecentLevel, "under a week of history: the mean of the last hour", 24},
		{"three days of history", 3 * days, false, models.MethodRecentLevel, "the mean of the last 24 hours", 24},
		{"eight days of history", 8*days + time.Hour, false, models.MethodSeasonalNaive, "the same hours of last week", 24},
		{"a month of history", 30 * days, false, models.MethodSeasonalNaive, "which did better than the models over the last days, off by 0 %", 24},
		{"a month of history with chance in it", -30 * days, false, models.MethodEnsemble, "models of 30 days of history, off by", 24},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			if c.history > 0 {
				w.load = since(c.history, platformDay)
			} else if c.history < 0 {
				w.load = since(-c.history, noisy(0.2, platformDay))
			}
			if c.wedding {
				w.weddings = []models.Wedding{wedding("w1", tomorrow, 100)}
			}
			got := w.predict(t, 24)
			assert.Equal(t, c.method, got.Method)
			assert.Contains(t, got.Reason, c.reason)
			assert.Len(t, got.Points, c.points)
			assert.NotNil(t, got.Points)
			assert.Equal(t, c.points > 0, got.Peak != nil)
			assert.Equal(t, models.ServiceAPI, got.Service, "the front door unless another is named")
			assert.Equal(t, now, got.IssuedAt)
		})
	}
}

func TestAWeekIsRepeatedHourForHour(t *testing.T) {
	w := newWorld()
	w.load = since(30*days, platformDay)
	got := w.predict(t, 168)
	assert.Equal(t, 30*24, got.HistoryHours)
	for i, p := range got.Points {
		assert.Equal(t, time.Date(2027, 6, 12, 13+i, 0, 0, 0, time.UTC), p.At)
		assert.InDelta(t, platformDay(p.At), p.P50, 1e-9)
		assert.Equal(t, int(math.Ceil(p.P50/65-1e-9)), p.Replicas, "100 requests/s at 65 %")
	}
	require.NotNil(t, got.Peak)
	assert.InDelta(t, 450, got.Peak.P50, 1e-9)
}

func TestMissingHoursAreMissingNotZero(t *testing.T) {
	w := newWorld()
	full := since(14*days-2*time.Hour, platformDay)
	gone := now.Truncate(time.Hour).Add(5*time.Hour - 7*days)
	w.load = func(h time.Time) (float64, bool) {
		v, ok := full(h)
		return v, ok && !h.Equal(gone)
	}
	got := w.predict(t, 24)
	assert.InDelta(t, platformDay(gone), got.Points[4].P50, 1e-9, "the week before stands for it")
	assert.Contains(t, got.Reason, "1 hours that are missing there come from earlier weeks or other days")

	// Missing in each of the weeks: the same hour of the other days stands for it.
	w.load = func(h time.Time) (float64, bool) {
		v, ok := full(h)
		return v, ok && (h.Hour() != gone.Hour() || h.Weekday() != gone.Weekday())
	}
	got = w.predict(t, 24)
	assert.Greater(t, got.Points[4].P50, 150.0)

	// A silent week leaves nothing to repeat, and nothing is made up.
	w.load = func(h time.Time) (float64, bool) {
		v, ok := full(h)
		return v, ok && h.Before(now.Add(-8*days))
	}
	got = w.predict(t, 24)
	assert.Equal(t, models.MethodNone, got.Method)
	assert.Empty(t, got.Points)
}

// TestIntervalsAreWideUntilErrorsWereSeen: each point has one from the first hour on, it
// holds what comes, and decisions do not look at it.
func TestIntervalsAreWideUntilErrorsWereSeen(t *testing.T) {
	for name, past := range map[string]time.Duration{"five hours": 5 * time.Hour, "three days": 3 * days, "thirteen days": 13 * days} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.load = since(past, noisy(0.2, platformDay))
			got, inside := w.predict(t, 168), 0
			assert.Contains(t, got.Reason, "is assumed until two weeks were measured")
			for _, p := range got.Points {
				assert.True(t, p.Assumed)
				require.NotNil(t, p.P95)
				assert.LessOrEqual(t, p.P50, *p.P90)
				assert.LessOrEqual(t, *p.P90, *p.P95)
				assert.LessOrEqual(t, *p.P95, *p.P99)
				assert.Greater(t, *p.P95, 1.99*p.P50)
				if noisy(0.2, platformDay)(p.At) <= *p.P95 {
					inside++
				}
			}
			assert.GreaterOrEqual(t, inside, 95*len(got.Points)/100)
			f, err := w.predictor().Forecast(t.Context(), w.service, now, time.Minute)
			require.NoError(t, err)
			assert.False(t, f.Trusted)
			assert.Zero(t, f.P70)
			later, err := w.predictor().Days(t.Context(), w.service.Name, now, now.Add(20*days))
			require.NoError(t, err)
			for _, d := range later {
				assert.Less(t, d.PeakP95, 1.5*d.PeakP50, "a day's highest hour keeps its usual tail")
			}
		})
	}
}

func TestIntervalsComeFromFortyDaysOfErrors(t *testing.T) {
	w := newWorld()
	w.load = since(40*days, noisy(0.2, platformDay))
	inside, points := 0, w.predict(t, 168).Points
	for _, p := range points {
		require.NotNil(t, p.P90)
		assert.LessOrEqual(t, p.P50, *p.P90)
		assert.LessOrEqual(t, *p.P90, *p.P95)
		assert.LessOrEqual(t, *p.P95, *p.P99)
		if noisy(0.2, platformDay)(p.At) <= *p.P90 {
			inside++
		}
	}
	assert.InDelta(t, 0.90, float64(inside)/float64(len(points)), 0.06, "nine of ten hours stay below the P90")
}

// TestTheLoadOfAGuestIsLearned gives the guests 60 % of the load that is assumed. The
// predictor must find that out, take last week's weddings out of the base, and be
// closer than last week's load is.
func TestTheLoadOfAGuestIsLearned(t *testing.T) {
	w := newWorld()
	for d := range 150 {
		at := now.Truncate(days).Add(time.Duration(d-140) * days)
		for i := range d*7%5 + 1 {
			w.weddings = append(w.weddings, wedding(at.Format("060102-")+string(rune('a'+i)), at.Add(time.Duration(12+i)*time.Hour), 40+(d*31+i*17)%160))
		}
	}
	truth := func(h time.Time) float64 {
		v := platformDay(h)
		for _, x := range w.weddings {
			if x.StartsAt.Sub(h).Abs() < days {
				v += 0.6 * meanGuests(x, h)
			}
		}
		return v
	}
	w.load = since(140*days, noisy(0.02, truth))
	got := w.predict(t, 72)
	assert.Contains(t, got.Reason, "what guests bring is learned from 388 weddings")
	ours, naive, off, own := 0.0, 0.0, 0.0, 0.0
	for _, p := range got.Points {
		ours += math.Abs(p.P50 - truth(p.At))
		naive += math.Abs(truth(p.At.Add(-7*days)) - truth(p.At))
		off += math.Abs(p.Base + p.Season - platformDay(p.At))
		own += platformDay(p.At)
	}
	assert.Less(t, off, 0.1*own, "the base is free of guests")
	assert.Less(t, ours, 0.25*naive)
}

// meanGuests is the assumed course of guests, summed by the minute; written apart from
// the code under test, for weddings of six hours.
func meanGuests(w models.Wedding, hour time.Time) float64 {
	sum := 0.0
	for i := range 60 {
		h := hour.Add(time.Duration(i)*time.Minute + 30*time.Second).Sub(w.StartsAt).Hours()
		switch {
		case h >= -2 && h < 0:
			sum += (1 + h/2) * (1 + h/2)
		case h >= 0 && h < 2:
			sum += 1 - 0.15*h
		case h >= 2 && h < 6:
			sum += 0.7 * (1 - (h-2)/4) * (1 - (h-2)/4)
		}
	}
	return 2.6 * float64(w.Guests) * sum / 60
}

func TestTheSharesOfAWeddingFollowItsCourse(t *testing.T) {
	w := newWorld()
	w.load = since(3*days, func(time.Time) float64 { return 100 })
	x := wedding("w1", now.Truncate(time.Hour).Add(5*time.Hour+15*time.Minute), 100)
	w.weddings = []models.Wedding{x}
	for _, p := range w.predict(t, 24).Points {
		want := meanGuests(x, p.At)
		if want == 0 {
			assert.Empty(t, p.Weddings)
			continue
		}
		require.Len(t, p.Weddings, 1)
		assert.Equal(t, "w1", p.Weddings[0].WeddingID)
		assert.InDelta(t, want, p.Weddings[0].RPS, 0.1)
		assert.InDelta(t, 100, p.Base, 1e-9)
	}
}

func TestForecastProperties(t *testing.T) {
	calendar := func(rt *rapid.T) []models.Wedding {
		var out []models.Wedding
		for i := range rapid.IntRange(0, 5).Draw(rt, "weddings") {
			x := wedding(string(rune('a'+i)), now.Add(time.Duration(rapid.IntRange(-400, 200*60).Draw(rt, "starts"))*time.Minute), rapid.IntRange(1, 500).Draw(rt, "guests"))
			x.EndsAt = x.StartsAt.Add(time.Duration(rapid.IntRange(1, 96*60).Draw(rt, "minutes")) * time.Minute)
			x.Status = rapid.SampledFrom([]models.WeddingStatus{models.WeddingConfirmed, models.WeddingTentative, models.WeddingCancelled}).Draw(rt, "status")
			out = append(out, x)
		}
		return out
	}
	draw := func(rt *rapid.T) *world {
		w := newWorld()
		if age := rapid.SampledFrom([]int{0, 1, 3, 8, 13, 16, 23}).Draw(rt, "days of history"); age > 0 {
			w.load = since(time.Duration(age)*days, noisy(0.3, platformDay))
		}
		w.weddings = calendar(rt)
		return w
	}
	t.Run("base and shares add up, and hours are whole", rapid.MakeCheck(func(rt *rapid.T) {
		got := draw(rt).predict(rt, rapid.IntRange(1, 168).Draw(rt, "hours"))
		for i, p := range got.Points {
			sum := p.Base + p.Season + p.Holiday
			for _, s := range p.Weddings {
				assert.Positive(rt, s.RPS)
				sum += s.RPS
			}
			assert.InDelta(rt, p.P50, sum, 1e-9*math.Max(1, sum))
			assert.Equal(rt, p.At.Truncate(time.Hour), p.At)
			assert.Equal(rt, now.Truncate(time.Hour).Add(time.Duration(i+1)*time.Hour), p.At)
			assert.False(rt, math.IsNaN(p.P50) || math.IsInf(p.P50, 0) || p.P50 < 0)
			assert.GreaterOrEqual(rt, p.Replicas, 2)
			assert.LessOrEqual(rt, p.P50, got.Peak.P50)
		}
	}))
	t.Run("more guests never bring less load", rapid.MakeCheck(func(rt *rapid.T) {
		w := draw(rt)
		x := wedding("more", now.Add(time.Duration(rapid.IntRange(180, 160*60).Draw(rt, "starts"))*time.Minute), rapid.IntRange(1, 300).Draw(rt, "guests"))
		w.weddings = append(w.weddings, x)
		before := w.predict(rt, 168)
		w.weddings[len(w.weddings)-1].Guests += rapid.IntRange(1, 300).Draw(rt, "more")
		after := w.predict(rt, 168)
		require.Len(rt, after.Points, len(before.Points))
		for i := range before.Points {
			assert.GreaterOrEqual(rt, after.Points[i].P50, before.Points[i].P50-1e-6)
		}
	}))
	t.Run("cancelled weddings add nothing", rapid.MakeCheck(func(rt *rapid.T) {
		w := draw(rt)
		w.careless = true
		with := w.predict(rt, 168)
		w.weddings = slices.DeleteFunc(w.weddings, func(x models.Wedding) bool { return x.Status == models.WeddingCancelled })
		assert.Equal(rt, w.predict(rt, 168), with)
	}))
}

func TestRequestsOutsideTheBoundsAreRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		req   models.PredictionRequest
		field string
		value string
	}{
		{"no horizon", models.PredictionRequest{}, "timeHorizonHours", "0"},
		{"a negative horizon", models.PredictionRequest{TimeHorizonHours: -1}, "timeHorizonHours", "-1"},
		{"more than a week", models.PredictionRequest{TimeHorizonHours: 169}, "timeHorizonHours", "169"},
		{"an unknown service", models.PredictionRequest{TimeHorizonHours: 1, Service: "cake"}, "service", "cake"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := newWorld().predictor().Predict(t.Context(), c.req, now)
			var refusal *models.Error
			require.ErrorAs(t, err, &refusal)
			assert.Equal(t, models.KindInvalid, refusal.Kind)
			assert.Equal(t, c.field, refusal.Field)
			assert.Equal(t, c.value, refusal.Value)
		})
	}
}

func TestWithoutWeddingContextLastWeekStandsAsItWas(t *testing.T) {
	w := newWorld()
	w.load = since(30*days, platformDay)
	w.weddings = []models.Wedding{wedding("w1", now.Add(3*time.Hour), 100)}
	got, err := w.predictor().Predict(t.Context(), models.PredictionRequest{TimeHorizonHours: 24}, now)
	require.NoError(t, err)
	for _, p := range got.Points {
		assert.Empty(t, p.Weddings)
		assert.InDelta(t, platformDay(p.At), p.P50, 1e-9)
	}

	off := predictor.New(predictor.Options{History: w, Calendar: w, Catalogue: w})
	got, err = off.Predict(t.Context(), models.PredictionRequest{TimeHorizonHours: 24, IncludeWeddingContext: true}, now)
	require.NoError(t, err)
	assert.Contains(t, got.Reason, "wedding intelligence is switched off")
	assert.Empty(t, got.Points[3].Weddings)
	f, err := off.Forecast(t.Context(), w.service, now, time.Minute)
	require.NoError(t, err)
	assert.Nil(t, f, "forecasts do not count in decisions")
	n, err := off.RefreshWeddings(t.Context(), now)
	require.NoError(t, err)
	assert.Zero(t, n)
}

func TestSeasonMultipliersMoveTheBaseOnlyWhereSwitchedOn(t *testing.T) {
	w := newWorld()
	w.load = since(3*days, func(time.Time) float64 { return 100 })
	plain := w.predict(t, 48)
	p := predictor.New(predictor.Options{History: w, Calendar: w, Catalogue: w, Weddings: true, SeasonMultipliers: true})
	got, err := p.Predict(t.Context(), models.PredictionRequest{TimeHorizonHours: 48}, now)
	require.NoError(t, err)
	assert.Contains(t, got.Reason, "multipliers of month and weekday")
	assert.InDelta(t, 100, plain.Points[47].P50, 1e-9)
	saturday, monday := got.Points[0].P50, got.Points[47].P50
	assert.InDelta(t, 0.92/1.22, monday/saturday, 0.01)

	w.load = since(30*days, func(time.Time) float64 { return 100 })
	p = predictor.New(predictor.Options{History: w, Calendar: w, Catalogue: w, Weddings: true, SeasonMultipliers: true})
	got, err = p.Predict(t.Context(), models.PredictionRequest{TimeHorizonHours: 48}, now)
	require.NoError(t, err)
	for _, x := range got.Points {
		assert.InDelta(t, 100, x.P50, 5, "last week's hour has its weekday in it already")
	}
}

func TestTheRunningHourIsNotRepeated(t *testing.T) {
	w := newWorld()
	full := since(30*days, platformDay)
	w.load = func(h time.Time) (float64, bool) {
		v, ok := full(h)
		if h.Equal(now.Truncate(time.Hour)) {
			v = 99_999 // of the few minutes that it has
		}
		return v, ok
	}
	last := w.predict(t, 168).Points[167]
	assert.InDelta(t, platformDay(last.At), last.P50, 1e-9)
}

func TestAFallingLoadHasNoQuantileBelowWhatIsExpected(t *testing.T) {
	w := newWorld()
	w.load = since(40*days, func(h time.Time) float64 { return 1000 * math.Exp2(-h.Sub(now.Add(-40*days)).Hours()/168) })
	for _, p := range w.predict(t, 24).Points {
		require.NotNil(t, p.P99)
		assert.InDelta(t, p.P50, *p.P99, 0.02*p.P50)
		assert.GreaterOrEqual(t, *p.P99, p.P50)
	}
}

func TestANewHourMovesThePoints(t *testing.T) {
	w := newWorld()
	w.load = since(30*days, platformDay)
	p := w.predictor()
	for _, c := range []struct {
		at    time.Duration
		first int
	}{{-20*time.Minute - time.Second, 12}, {-20 * time.Minute, 13}} {
		got, err := p.Predict(t.Context(), models.PredictionRequest{TimeHorizonHours: 1}, now.Add(c.at))
		require.NoError(t, err)
		assert.Equal(t, c.first, got.Points[0].At.Hour())
	}
}

func TestACalendarThatIgnoresCursorsIsReadOnce(t *testing.T) {
	w := newWorld()
	w.careless = true
	w.weddings = []models.Wedding{wedding("a", now.Add(5*time.Hour), 100), wedding("b", now.Add(6*time.Hour), 100), wedding("c", now.Add(7*time.Hour), 100)}
	seen := map[string]bool{}
	for _, p := range w.predict(t, 24).Points {
		for _, s := range p.Weddings {
			seen[s.WeddingID] = true
		}
		assert.LessOrEqual(t, len(p.Weddings), 3)
	}
	assert.Len(t, seen, 3)
}

func TestOneReadingOfHistoryServesAMinuteAndWeeksOfItAnHour(t *testing.T) {
	w := newWorld()
	w.load = since(30*days, platformDay)
	p := w.predictor()
	ask := func(at time.Time) {
		t.Helper()
		_, err := p.Predict(t.Context(), models.PredictionRequest{TimeHorizonHours: 24, IncludeWeddingContext: true}, at)
		require.NoError(t, err)
	}
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() { ask(now) })
	}
	callers.Wait()
	assert.Equal(t, 1, w.reads)
	ask(now.Add(30 * time.Minute))
	assert.Equal(t, 1, w.reads, "closed hours do not change")
	ask(now.Add(time.Hour))
	assert.Equal(t, 2, w.reads)

	w = newWorld()
	w.load = since(time.Hour, platformDay)
	p = w.predictor()
	ask(now)
	ask(now.Add(59 * time.Second))
	assert.Equal(t, 1, w.reads)
	ask(now.Add(61 * time.Second))
	assert.Equal(t, 2, w.reads, "under a week the running hour counts, so it is read again")
}

func TestAChangeOfTheCalendarCountsWithinAMinute(t *testing.T) {
	w := newWorld()
	w.load = since(30*days, platformDay)
	p := w.predictor()
	ask := func(at time.Time) int {
		got, err := p.Predict(t.Context(), models.PredictionRequest{TimeHorizonHours: 24, IncludeWeddingContext: true}, at)
		require.NoError(t, err)
		n := 0
		for _, x := range got.Points {
			n += len(x.Weddings)
		}
		return n
	}
	require.Zero(t, ask(now))
	w.weddings = []models.Wedding{wedding("w1", now.Add(5*time.Hour), 100)}
	assert.Zero(t, ask(now.Add(59*time.Second)), "the model is kept for a minute")
	assert.Positive(t, ask(now.Add(time.Minute)))
}

func TestAllServicesShareOneReadingOfTheCalendar(t *testing.T) {
	w := newWorld()
	p := w.predictor()
	ask := func(s models.ServiceName, at time.Time) []models.PredictionPoint {
		got, err := p.Predict(t.Context(), models.PredictionRequest{Service: s, TimeHorizonHours: 24, IncludeWeddingContext: true}, at)
		require.NoError(t, err)
		return got.Points
	}
	ask(models.ServiceAPI, now)
	w.weddings = []models.Wedding{wedding("w1", now.Add(5*time.Hour), 100)}
	assert.Empty(t, ask(models.ServiceMedia, now.Add(40*time.Second)))
	assert.NotEmpty(t, ask(models.ServiceMedia, now.Add(time.Minute)), "what is shared is not kept twice as long")
}

// TestACoordinatorIsNotShownTheWeddingsOfOthers also asks in an order that a cache
// which depends on the first caller would answer wrongly.
func TestACoordinatorIsNotShownTheWeddingsOfOthers(t *testing.T) {
	w := newWorld()
	w.load = since(3*days, platformDay)
	for i, owner := range []string{"user:anna", "user:ben", "user:ben"} {
		x := wedding(string(rune('a'+i)), now.Truncate(time.Hour).Add(5*time.Hour), 100+i)
		x.Coordinator = owner
		w.weddings = append(w.weddings, x)
	}
	p := w.predictor()
	ask := func(s models.Scope) models.PredictionPoint {
		got, err := p.Predict(models.WithScope(context.Background(), s), models.PredictionRequest{TimeHorizonHours: 24, IncludeWeddingContext: true}, now)
		require.NoError(t, err)
		require.NotNil(t, got.Peak)
		return *got.Peak
	}
	names := func(x models.PredictionPoint) (out []string) {
		sum := x.Base
		for _, s := range x.Weddings {
			out = append(out, s.WeddingID)
			sum += s.RPS
		}
		assert.InDelta(t, x.P50, sum, 1e-9, "concealed shares still add up")
		return out
	}
	anna := ask(models.Scope{Role: models.ScopeCoordinator, Subject: "user:anna"})
	admin := ask(models.Scope{Role: models.ScopeAdmin, Subject: "user:ada"})
	stranger := ask(models.Scope{Role: models.ScopeCoordinator, Subject: "user:eve"})
	assert.ElementsMatch(t, []string{"a", predictor.Others}, names(anna))
	assert.ElementsMatch(t, []string{"a", "b", "c"}, names(admin))
	assert.ElementsMatch(t, []string{predictor.Others}, names(stranger))
	assert.InDelta(t, admin.P50, anna.P50, 1e-9, "the load is the same for all")
	assert.Equal(t, map[models.ScopeRole]bool{models.ScopeSystem: true}, w.scopes, "history is read as the platform")
}

func TestWhatIsAwayIsSaid(t *testing.T) {
	for _, part := range []string{"history", "calendar", "catalogue"} {
		t.Run(part, func(t *testing.T) {
			w := newWorld()
			w.load = since(3*days, platformDay)
			w.away[part] = true
			p := w.predictor()
			_, err := p.Predict(t.Context(), models.PredictionRequest{TimeHorizonHours: 24, IncludeWeddingContext: true}, now)
			require.ErrorIs(t, err, errAway)
			check := p.Check(t.Context())
			if part == "catalogue" {
				require.NoError(t, check)
			} else {
				require.ErrorIs(t, check, errAway)
				assert.Equal(t, models.KindUnavailable, models.KindOf(check))
			}
			w.away[part] = false
			_, err = p.Predict(t.Context(), models.PredictionRequest{TimeHorizonHours: 24, IncludeWeddingContext: true}, now)
			require.NoError(t, err, "a failure is not kept")
			require.NoError(t, p.Check(t.Context()))
		})
	}
}
