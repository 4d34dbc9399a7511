package predictor_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/predictor"
	"github.com/wedsync/scalability/models"
)

// booked is a world with a history of days in which guests brought 1.56 requests/s at the
// ceremony, and a calendar that goes on.
// TestAssumedGuestsAreNotKnownAsWellAsTheBase: the base has an interval of a few per cent, what
// guests bring is a guess.
func TestAssumedGuestsAreNotKnownAsWellAsTheBase(t *testing.T) {
	w := newWorld()
	w.load = since(60*days, noisy(0.05, platformDay))
	w.weddings = []models.Wedding{wedding("one", now.Add(5*time.Hour), 200)}
	seen := 0
	for _, p := range w.predict(t, 24).Points {
		require.NotNil(t, p.P90)
		guests := 0.0
		for _, s := range p.Weddings {
			guests += s.RPS
		}
		if guests == 0 {
			assert.Less(t, *p.P90, 1.2*p.P50)
			continue
		}
		seen++
		assert.GreaterOrEqual(t, *p.P90+0.1, p.P50+0.49*guests)
		assert.GreaterOrEqual(t, *p.P99, *p.P95)
	}
	assert.Greater(t, seen, 5)
}

// TestAPastThatIsLoadedIsSeenInEachProcess without a fit by schedule, which runs in one.
func TestAPastThatIsLoadedIsSeenInEachProcess(t *testing.T) {
	w := newWorld()
	w.load = since(3*time.Hour, platformDay)
	p := w.predictor()
	ask := func(at time.Time) models.Prediction {
		got, err := p.Predict(t.Context(), models.PredictionRequest{TimeHorizonHours: 24}, at)
		require.NoError(t, err)
		return got
	}
	assert.Equal(t, models.MethodRecentLevel, ask(now).Method)
	w.load = since(60*days, noisy(0.2, platformDay))
	got := ask(now.Add(2 * time.Minute))
	assert.NotEqual(t, models.MethodRecentLevel, got.Method)
	assert.Greater(t, got.HistoryHours, 50*24)
}

func booked(history int) *world {
	w := newWorld()
	for d := range history + 30 {
		at := now.Truncate(days).Add(time.Duration(d-history) * days)
		for i := range d*7%5 + 1 {
			w.weddings = append(w.weddings, wedding(at.Format("060102-")+string(rune('a'+i)), at.Add(time.Duration(12+i)*time.Hour), 40+(d*31+i*17)%160))
		}
	}
	w.load = since(time.Duration(history)*days, noisy(0.1, w.truth))
	return w
}

func (w *world) truth(h time.Time) float64 {
	v := platformDay(h)
	for _, x := range w.weddings {
		if x.StartsAt.Sub(h).Abs() < days {
			v += 0.6 * meanGuests(x, h)
		}
	}
	return v
}

func TestTheCalendarOfDecisionsHasWhatAGuestBrings(t *testing.T) {
	w := booked(90)
	w.weddings = append(w.weddings, wedding("tentative", now.Add(3*time.Hour), 70), wedding("far", now.Add(5*days), 70))
	w.weddings[len(w.weddings)-2].Status = models.WeddingTentative
	c, err := w.predictor().Calendar(t.Context(), w.service, now)
	require.NoError(t, err)
	require.NotNil(t, c.Kernel)
	assert.Equal(t, now, c.ReadAt)
	found := false
	for i, x := range c.Windows {
		assert.NotEqual(t, "far", x.ID)
		assert.Equal(t, x.ID != "tentative", x.Confirmed)
		found = found || x.ID == "tentative"
		if i > 0 {
			assert.False(t, x.Start.Before(c.Windows[i-1].Start))
		}
	}
	assert.True(t, found, "who may come counts")
	at := func(k []float64, minutes int) float64 { return k[(minutes-c.Kernel.FromMinutes)/c.Kernel.StepMinutes] }
	assert.InDelta(t, 1.56, at(c.Kernel.P50, 0), 0.3)
	assert.InDelta(t, 1.56*0.7, at(c.Kernel.P50, 120), 0.3)
	assert.InDelta(t, 0, at(c.Kernel.P50, 9*60), 0.1)
	for i := range c.Kernel.P50 {
		assert.GreaterOrEqual(t, c.Kernel.P90[i], c.Kernel.P50[i])
	}
	assert.InDelta(t, platformDay(now), c.BaseRPS, 0.35*platformDay(now))
}

func TestWhileTheCalendarIsAwayItsLastCopyCounts(t *testing.T) {
	w := newWorld()
	w.weddings = []models.Wedding{wedding("w1", now.Add(5*time.Hour), 100)}
	p := w.predictor()
	_, err := p.Calendar(t.Context(), w.service, now)
	require.NoError(t, err)
	w.away["calendar"] = true
	c, err := p.Calendar(t.Context(), w.service, now.Add(3*time.Hour))
	require.NoError(t, err)
	assert.Equal(t, now, c.ReadAt, "its age is told")
	require.Len(t, c.Windows, 1)
	require.NotNil(t, c.Kernel)
	assert.InDelta(t, 2.6, c.Kernel.P50[36], 0.2, "what a guest brings is assumed")

	_, err = w.predictor().Calendar(t.Context(), w.service, now)
	require.ErrorIs(t, err, errAway, "there is no copy yet")
	off := predictor.New(predictor.Options{History: w, Calendar: w, Catalogue: w})
	c, err = off.Calendar(t.Context(), w.service, now)
	require.NoError(t, err)
	assert.Nil(t, c)
}

func TestAForecastForDecisionsHasItsRecord(t *testing.T) {
	w := booked(60)
	f, err := w.predictor().Forecast(t.Context(), w.service, now, 90*time.Second)
	require.NoError(t, err)
	require.NotNil(t, f)
	assert.True(t, f.Trusted, f.Reason)
	assert.True(t, f.Calendar, "guests are part of it")
	assert.Equal(t, string(models.MethodEnsemble), f.Model)
	require.NotNil(t, f.WAPE7Days)
	require.NotNil(t, f.HistoryDays)
	require.NotNil(t, f.Coverage95)
	assert.Less(t, *f.WAPE7Days, 0.2)
	assert.InDelta(t, 60, *f.HistoryDays, 1)
	assert.InDelta(t, 0.95, *f.Coverage95, 0.06)
	assert.Less(t, f.P50, f.P70)
	assert.Less(t, f.P70, f.P95)
	assert.Less(t, f.P95, f.P99)
	assert.GreaterOrEqual(t, f.VerifiedP70, f.P70)
	assert.Greater(t, f.LookAheadP90, f.P70)
}

func TestTheGateClosesWithItsReason(t *testing.T) {
	for _, c := range []struct {
		name, reason string
		load         func(h time.Time) float64
	}{
		{"a load without pattern", "35 % is allowed", noisy(0.99, func(time.Time) float64 { return 100 })},
		{"a load that drifted today", "the load has drifted", func(h time.Time) float64 {
			v := noisy(0.1, platformDay)(h)
			if h.After(now.Add(-20*time.Hour)) && h.Hour()%2 == 0 {
				v *= 4
			}
			return v
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			w.load = since(40*days, c.load)
			f, err := w.predictor().Forecast(t.Context(), w.service, now, time.Minute)
			require.NoError(t, err)
			assert.False(t, f.Trusted)
			assert.Contains(t, f.Reason, c.reason)
		})
	}
}

func TestServicesAlikeStandInForAShortHistory(t *testing.T) {
	w := newWorld()
	w.loads = map[models.ServiceName]func(time.Time) (float64, bool){
		models.ServiceSearch: since(40*days, func(h time.Time) float64 { return 0.12 * platformDay(h) }),
		models.ServiceMedia:  since(40*days, func(h time.Time) float64 { return 0.1 * platformDay(h) }),
	}
	w.load = since(2*days, func(h time.Time) float64 { return 2 * platformDay(h) })
	ask := func() models.Prediction {
		got, err := w.predictor().Predict(t.Context(), models.PredictionRequest{TimeHorizonHours: 96}, now)
		require.NoError(t, err)
		return got
	}
	got := ask()
	assert.Equal(t, models.MethodCohort, got.Method)
	assert.Contains(t, got.Reason, "services like it stand in")
	for _, p := range got.Points {
		assert.InDelta(t, 2*platformDay(p.At), p.P50, 0.1*p.P50, "the course of the others at the own level")
		require.NotNil(t, p.P95)
	}
	w.load = nil
	got = ask()
	assert.Equal(t, models.MethodCohort, got.Method)
	assert.InDelta(t, platformDay(got.Points[3].At), got.Points[3].P50, 0.1*got.Points[3].P50, "as much as they do, by what the front door gets")
}

func TestAnHourIsLearnedWithoutReadingThePastAgain(t *testing.T) {
	w := booked(40)
	p := w.predictor()
	later := now.Add(30 * time.Hour)
	w.load = func(h time.Time) (float64, bool) { return noisy(0.1, w.truth)(h), !h.Before(now.Add(-40 * days)) }
	w.clock = later
	_, err := p.Predict(t.Context(), models.PredictionRequest{TimeHorizonHours: 24, IncludeWeddingContext: true}, now)
	require.NoError(t, err)
	for h := now; !h.After(later); h = h.Add(time.Hour) {
		_, err := p.Predict(t.Context(), models.PredictionRequest{TimeHorizonHours: 24, IncludeWeddingContext: true}, h)
		require.NoError(t, err)
	}
	online, err := p.Predict(t.Context(), models.PredictionRequest{TimeHorizonHours: 24, IncludeWeddingContext: true}, later)
	require.NoError(t, err)
	anew, err := w.predictor().Predict(t.Context(), models.PredictionRequest{TimeHorizonHours: 24, IncludeWeddingContext: true}, later)
	require.NoError(t, err)
	for i := range anew.Points {
		assert.InDelta(t, anew.Points[i].P50, online.Points[i].P50, 0.02*anew.Points[i].P50, "a restart changes next to nothing")
	}
}

func TestDaysAreForecastAYearAhead(t *testing.T) {
	w := booked(60)
	p := w.predictor()
	got, err := p.Days(t.Context(), models.ServiceAPI, now, now.Add(400*days))
	require.NoError(t, err)
	require.Len(t, got, 401)
	for i, d := range got {
		assert.Equal(t, now.Truncate(days).Add(time.Duration(i)*days).Format(time.DateOnly), d.Date)
		assert.LessOrEqual(t, d.PeakP50, d.PeakP90)
		assert.LessOrEqual(t, d.PeakP90, d.PeakP95)
		assert.Equal(t, d.Date, d.PeakAt.Format(time.DateOnly))
		most := 0.0
		for h := range 24 {
			most = math.Max(most, w.truth(now.Truncate(days).Add(time.Duration(24*i+h)*time.Hour)))
		}
		if i > 0 {
			assert.InDelta(t, most, d.PeakP50, 0.25*most, d.Date)
		}
		if i > 8 {
			assert.Equal(t, models.MethodLongRange, d.Method)
		}
		if i == 20 {
			assert.Positive(t, d.Weddings)
			assert.Positive(t, d.Guests)
		}
	}
	assert.Equal(t, models.MethodEnsemble, got[2].Method)
	for _, c := range []struct{ from, until time.Duration }{{0, -days}, {0, 402 * days}, {-300 * days, 200 * days}} {
		_, err = p.Days(t.Context(), models.ServiceAPI, now.Add(c.from), now.Add(c.until))
		assert.Equal(t, models.KindInvalid, models.KindOf(err), fmt.Sprint(c))
	}
}

func TestTheUsualLoadIsThatOfTheHourOfTheWeek(t *testing.T) {
	w := newWorld()
	w.load = since(40*days, noisy(0.05, platformDay))
	got, err := w.predictor().Usual(t.Context(), models.ServiceAPI, now)
	require.NoError(t, err)
	require.NotNil(t, got)
	assert.InDelta(t, platformDay(now), *got, 0.06*platformDay(now))
	w.load = since(8*days, platformDay)
	got, err = w.predictor().Usual(t.Context(), models.ServiceAPI, now)
	require.NoError(t, err)
	assert.Nil(t, got, "one week says nothing of what is usual")
}

func TestQuantilesAreGivenAsAsked(t *testing.T) {
	w := newWorld()
	w.load = since(30*days, noisy(0.2, platformDay))
	ask := func(q ...float64) (models.Prediction, error) {
		return w.predictor().Predict(t.Context(), models.PredictionRequest{TimeHorizonHours: 24, Quantiles: q}, now)
	}
	got, err := ask(0.1, 0.5, 0.9)
	require.NoError(t, err)
	for _, p := range got.Points {
		require.Len(t, p.Quantiles, 3)
		assert.Less(t, p.Quantiles[0].RPS, p.Quantiles[1].RPS)
		assert.Less(t, p.Quantiles[1].RPS, p.Quantiles[2].RPS)
		assert.InDelta(t, *p.P90, p.Quantiles[2].RPS, 1e-6)
		assert.Equal(t, models.MethodEnsemble, p.Method)
	}
	for _, bad := range [][]float64{{0}, {0.5, 0.999}, {math.NaN()}, make([]float64, 21)} {
		_, err := ask(bad...)
		assert.Equal(t, models.KindInvalid, models.KindOf(err))
	}
}
