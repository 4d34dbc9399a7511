package predictor_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func TestForecastsAreTrustedOnlyForTheirRecord(t *testing.T) {
	for _, c := range []struct {
		name    string
		load    func(time.Time) (float64, bool)
		trusted bool
		reason  string
	}{
		{"a month that repeats itself", since(30*days, noisy(0.1, platformDay)), true, "trusted: an error of"},
		{"13 days", since(13*days, platformDay), false, "under 14 days of history"},
		{"three days", since(3*days, platformDay), false, "under a week of history"},
		{"a month without pattern", since(30*days, noisy(0.95, platformDay)), false, "35 % is allowed"},
		{"a month with most of last week missing", func(h time.Time) (float64, bool) {
			return platformDay(h), !h.Before(now.Add(-30*days)) && (h.Before(now.Add(-7*days)) || h.Hour()%4 == 0)
		}, false, "under a week of history"},
		{"three weeks, the first half scored by nothing", func(h time.Time) (float64, bool) {
			return platformDay(h), h.After(now.Add(-7*days)) || (h.After(now.Add(-20*days)) && h.Before(now.Add(-19*days)))
		}, false, "too few hours of the last 7 days could be scored"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			w.load = c.load
			f, err := w.predictor().Forecast(t.Context(), w.service, now, 80*time.Second)
			require.NoError(t, err)
			require.NotNil(t, f)
			assert.Equal(t, c.trusted, f.Trusted, f.Reason)
			assert.Contains(t, f.Reason, c.reason)
			assert.Equal(t, now, f.IssuedAt)
			assert.LessOrEqual(t, f.P50, f.P95)
			assert.LessOrEqual(t, f.P95, f.P99)
			if c.trusted {
				assert.Greater(t, f.P95, f.P50, "a trusted forecast has quantiles of its own")
			}
		})
	}
}

func TestAForecastHasNothingToSayWhereNothingIsKnown(t *testing.T) {
	w := newWorld()
	w.weddings = []models.Wedding{wedding("w1", now.Add(5*time.Hour), 100)}
	f, err := w.predictor().Forecast(t.Context(), w.service, now, time.Minute)
	require.NoError(t, err)
	assert.Nil(t, f, "the wedding is beyond the lead time")

	f, err = w.predictor().Forecast(t.Context(), w.service, now, 5*time.Hour)
	require.NoError(t, err)
	require.NotNil(t, f)
	assert.Equal(t, string(models.MethodCalendarOnly), f.Model)
	assert.False(t, f.Trusted)
	assert.InDelta(t, 2*65+260, f.P50, 1, "the least replicas' load and the guests at the ceremony")
}

func TestAForecastTakesTheHighestMomentOfItsLeadTime(t *testing.T) {
	w := newWorld()
	w.load = since(3*days, func(time.Time) float64 { return 100 })
	w.weddings = []models.Wedding{wedding("w1", now.Add(10*time.Minute), 100)}
	at := func(within time.Duration) float64 {
		f, err := w.predictor().Forecast(t.Context(), w.service, now, within)
		require.NoError(t, err)
		require.NotNil(t, f)
		return f.P50
	}
	assert.Less(t, at(-time.Hour), at(5*time.Minute))
	assert.Less(t, at(5*time.Minute), at(10*time.Minute))
	assert.InDelta(t, 360, at(10*time.Minute), 1e-9)
	assert.InDelta(t, 360, at(time.Hour), 1e-9, "afterwards it is less, but the highest counts")
}

func TestAFailingHistoryIsAnErrorOfTheForecast(t *testing.T) {
	w := newWorld()
	w.away["history"] = true
	_, err := w.predictor().Forecast(t.Context(), w.service, now, time.Minute)
	assert.ErrorIs(t, err, errAway)
}

func TestEachComingWeddingIsStoredOnce(t *testing.T) {
	w := newWorld()
	cancelled := wedding("cancelled", now.Add(days), 100)
	cancelled.Status = models.WeddingCancelled
	w.weddings = []models.Wedding{
		wedding("over", now.Add(-2*days), 100), wedding("now", now.Add(-time.Hour), 10), wedding("soon", now.Add(13*days), 200),
		wedding("far", now.Add(15*days), 100), cancelled,
	}
	p := w.predictor()
	n, err := p.RefreshWeddings(t.Context(), now)
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	require.Len(t, w.rows, 2)
	assert.Equal(t, w.rows, w.cached)
	soon := w.rows[1]
	assert.Equal(t, "soon", soon.WeddingID)
	assert.Equal(t, "2027-06-25", soon.WeddingDate)
	assert.Equal(t, models.ServiceAPI, soon.Service)
	assert.Equal(t, now.Add(13*days), soon.PeakAt)
	assert.InDelta(t, 520, soon.PeakRPS, 1e-9)
	assert.Equal(t, 8, soon.PeakReplicas, "520 requests/s at 65 a replica")
	assert.Equal(t, models.MethodCalendarOnly, soon.Method)

	assert.Equal(t, 1, w.rows[0].PeakReplicas, "its own need, not the least that the service has")

	first := w.rows
	w.rows = nil
	_, err = p.RefreshWeddings(t.Context(), now)
	require.NoError(t, err)
	assert.Equal(t, first, w.rows, "a repetition gives the same rows, with the same IDs")
}

func TestStoredForecastsNeedTheArchiveButNotTheCache(t *testing.T) {
	w := newWorld()
	w.weddings = []models.Wedding{wedding("w1", now.Add(days), 100), wedding("w2", now.Add(days), 100)}
	w.away["cache"] = true
	n, err := w.predictor().RefreshWeddings(t.Context(), now)
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	w.away["archive"] = true
	_, err = w.predictor().RefreshWeddings(t.Context(), now)
	assert.ErrorIs(t, err, errAway)
}
