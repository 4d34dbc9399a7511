package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func TestRolledHoursOutliveTheirSeconds(t *testing.T) {
	s := fresh(t)
	ctx := t.Context()
	hour := noon.Truncate(time.Hour)
	require.NoError(t, s.SaveRollups(ctx, []models.MetricRollup{
		rollup(hour.Add(-2*time.Hour), 10, 1), rollup(hour.Add(-time.Hour), 20, 1), rollup(hour.Add(time.Minute), 30, 1),
	}))
	before, err := s.HourlyLoad(ctx, models.ServiceAPI, hour.Add(-10*time.Hour), hour.Add(time.Hour))
	require.NoError(t, err)
	require.Len(t, before, 3)

	n, err := s.RollHours(ctx, hour.Add(30*time.Minute))
	require.NoError(t, err)
	assert.Equal(t, 2, n, "the running hour is not over")
	n, err = s.RollHours(ctx, hour.Add(30*time.Minute))
	require.NoError(t, err)
	assert.Zero(t, n, "again, nothing changes")
	after, err := s.HourlyLoad(ctx, models.ServiceAPI, hour.Add(-10*time.Hour), hour.Add(time.Hour))
	require.NoError(t, err)
	assert.Equal(t, before, after, "each hour once, wherever it stands")

	require.NoError(t, s.SaveRollups(ctx, []models.MetricRollup{rollup(hour.Add(-2*time.Hour+time.Minute), 30, 1)}))
	n, err = s.RollHours(ctx, hour.Add(40*time.Minute))
	require.NoError(t, err)
	assert.Equal(t, 1, n, "what came late counts")
	after, err = s.HourlyLoad(ctx, models.ServiceAPI, hour.Add(-2*time.Hour), hour.Add(-time.Hour))
	require.NoError(t, err)
	require.Len(t, after, 1)
	assert.EqualValues(t, 2, after[0].Samples)
}

func TestLoadedHoursNeverReplaceMeasuredOnes(t *testing.T) {
	s := fresh(t)
	ctx := t.Context()
	hour := noon.Truncate(time.Hour)
	require.NoError(t, s.SaveRollups(ctx, []models.MetricRollup{rollup(hour.Add(-2*time.Hour), 10, 1)}))
	_, err := s.RollHours(ctx, noon)
	require.NoError(t, err)
	loaded := []models.HourlyLoad{{Hour: hour.Add(-2 * time.Hour), MeanRPS: 99}, {Hour: hour.Add(-400 * 24 * time.Hour), MeanRPS: 7, Samples: 60}}
	for _, want := range []int{1, 0} {
		n, err := s.LoadHours(ctx, models.ServiceAPI, "csv", loaded)
		require.NoError(t, err)
		assert.Equal(t, want, n)
	}
	got, err := s.HourlyLoad(ctx, models.ServiceAPI, hour.Add(-500*24*time.Hour), hour)
	require.NoError(t, err)
	require.Len(t, got, 2)
	assert.InDelta(t, 7, got[0].MeanRPS, 1e-9)
	assert.InDelta(t, 10, got[1].MeanRPS, 1e-9)
	_, err = s.LoadHours(ctx, models.ServiceAPI, "metrics", loaded)
	assert.Equal(t, models.KindInvalid, models.KindOf(err))
}

func TestForecastsAreKeptOnceAndScoredWhenTheirHourHasPassed(t *testing.T) {
	s := fresh(t)
	ctx := t.Context()
	hour := time.Now().UTC().Truncate(time.Hour)
	p95 := 12.0
	rows := []models.LoadForecast{
		{Service: models.ServiceAPI, TargetAt: hour.Add(-time.Hour), LeadHours: 1, IssuedAt: hour.Add(-2 * time.Hour), Method: models.MethodEnsemble, Expected: 9, P95: &p95, WeddingDay: true},
		{Service: models.ServiceAPI, TargetAt: hour.Add(-time.Hour), LeadHours: 24, IssuedAt: hour.Add(-25 * time.Hour), Expected: 8},
		{Service: models.ServiceAPI, TargetAt: hour, LeadHours: 1, IssuedAt: hour.Add(-time.Hour), Expected: 9},
		{Service: models.ServiceAPI, TargetAt: hour.Add(-2 * time.Hour), LeadHours: 1, IssuedAt: hour.Add(-3 * time.Hour), Expected: 9},
	}
	for _, want := range []int{4, 0} {
		n, err := s.SaveForecasts(ctx, rows)
		require.NoError(t, err)
		assert.Equal(t, want, n)
		rows[0].Expected = 100 // the first word counts
	}
	_, err := s.LoadHours(ctx, models.ServiceAPI, "csv", []models.HourlyLoad{{Hour: hour.Add(-time.Hour), MeanRPS: 10}, {Hour: hour, MeanRPS: 10}})
	require.NoError(t, err)
	for _, want := range []int{2, 0} {
		n, err := s.ScoreForecasts(ctx, hour.Add(time.Minute))
		require.NoError(t, err)
		assert.Equal(t, want, n, "not the running hour, nor one that was not measured")
	}
	got, err := s.Forecasts(ctx, models.ServiceAPI, 1, hour.Add(-24*time.Hour), hour)
	require.NoError(t, err)
	require.Len(t, got, 1)
	assert.InDelta(t, 9, got[0].Expected, 1e-9)
	assert.InDelta(t, 10, *got[0].Actual, 1e-9)
	assert.InDelta(t, 12, *got[0].P95, 1e-9)
	assert.True(t, got[0].WeddingDay)
	assert.Nil(t, got[0].P10)
	got, err = s.Forecasts(ctx, models.ServiceAPI, 0, hour.Add(-24*time.Hour), hour)
	require.NoError(t, err)
	assert.Len(t, got, 2)

	old := models.LoadForecast{Service: models.ServiceAPI, TargetAt: hour.Add(-121 * 24 * time.Hour), LeadHours: 1, IssuedAt: hour}
	_, err = s.SaveForecasts(ctx, []models.LoadForecast{old})
	require.NoError(t, err)
	_, err = s.ScoreForecasts(ctx, hour)
	require.NoError(t, err)
	got, err = s.Forecasts(ctx, models.ServiceAPI, 0, hour.Add(-200*24*time.Hour), hour)
	require.NoError(t, err)
	assert.Len(t, got, 2, "what is past retention is deleted")
}
