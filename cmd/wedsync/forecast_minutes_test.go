package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/devstack"
	"github.com/wedsync/scalability/internal/devstack/devstacktest"
	"github.com/wedsync/scalability/internal/predictor"
	"github.com/wedsync/scalability/internal/store"
	"github.com/wedsync/scalability/models"
)

// TestASurgeOfEachHourIsForeseenFromTheRollups goes the whole way from ten-second rollups in
// Postgres to the forecast of a decision, and once more after a restart.
func TestASurgeOfEachHourIsForeseenFromTheRollups(t *testing.T) {
	ownerURL, appURL := devstacktest.Postgres(t)
	require.NoError(t, store.Migrate(t.Context(), ownerURL, devstack.AppRole, nil))
	st, err := store.Open(t.Context(), store.Options{URL: appURL})
	require.NoError(t, err)
	t.Cleanup(func() { _ = st.Close() })
	st = st.As(models.Scope{Role: models.ScopeSystem, Subject: "test"})

	now := time.Now().UTC().Truncate(time.Hour).Add(-32*time.Minute + 10*time.Second) // 28 minutes past
	var rows []models.MetricRollup
	for at := now.Truncate(time.Minute).Add(-16 * 24 * time.Hour); at.Before(now.Add(-10 * time.Second)); at = at.Add(time.Minute) {
		rps := 100.0
		if at.Minute() >= 30 && at.Minute() < 35 {
			rps = 400
		}
		for _, second := range []time.Duration{0, 30} {
			rows = append(rows, models.MetricRollup{
				Timestamp: at.Add(second * time.Second), Service: models.ServiceAPI, Metric: models.MetricThroughput,
				WindowSecs: 10, SampleCount: 10, Sum: 10 * rps, Min: rps, Max: rps, Last: rps, Source: "test",
			})
		}
	}
	for len(rows) > 0 {
		n := min(len(rows), 10_000)
		require.NoError(t, st.SaveRollups(t.Context(), rows[:n]))
		rows = rows[n:]
	}
	service := models.DefaultServices("fleet")[0]
	require.Equal(t, models.ServiceAPI, service.Name)
	for range 2 {
		p := predictor.New(predictor.Options{
			History: st, Minutes: st, Calendar: st, Catalogue: st, Weddings: true, Now: func() time.Time { return now },
		})
		var f *models.ForecastPoint
		require.Eventually(t, func() bool {
			f, err = p.Forecast(t.Context(), service, now, 150*time.Second)
			require.NoError(t, err)
			require.NotNil(t, f)
			return !strings.Contains(f.Reason, "by the hour until")
		}, time.Minute, 10*time.Millisecond)
		assert.Contains(t, f.Reason, "; by the minute: the same minutes of 16 days")
		assert.InDelta(t, 400, f.P50, 1, "two minutes before it comes")
		assert.InDelta(t, 400, f.P70, 1)
		assert.True(t, f.Trusted, f.Reason)
	}
}
