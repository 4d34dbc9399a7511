package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func TestMinuteLoadIsTheMeanOfTheSamplesAndMissingMinutesAreAbsent(t *testing.T) {
	s := fresh(t)
	start := time.Date(2027, 6, 12, 23, 59, 0, 0, time.UTC) // two days' partitions
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	cpu, media, nothing := rollup(start, 0.5, 1), rollup(start, 7, 1), rollup(at(60), 0, 0)
	cpu.Metric, media.Service = models.MetricCPU, models.ServiceMedia
	other := rollup(at(50), 300, 5) // another process saw the same window
	other.Source = "api-2"
	require.NoError(t, s.SaveRollups(t.Context(), []models.MetricRollup{
		rollup(at(-10), 1e6, 1), rollup(start, 100, 10), rollup(at(50), 400, 10), other, cpu, media, nothing,
		rollup(at(120), 60, 10), rollup(at(180), 70, 10),
	}))
	got, err := s.MinuteLoad(t.Context(), models.ServiceAPI, start, at(180))
	require.NoError(t, err)
	assert.Equal(t, []models.MinuteLoad{{Minute: start, MeanRPS: 32}, {Minute: at(120), MeanRPS: 6}}, got, "the minute between has no sample")
	none, err := s.MinuteLoad(t.Context(), models.ServiceSearch, start, at(180))
	require.NoError(t, err)
	assert.Equal(t, []models.MinuteLoad{}, none)
	again, err := s.MinuteLoad(t.Context(), models.ServiceAPI, at(180), at(240))
	require.NoError(t, err)
	assert.Equal(t, []models.MinuteLoad{{Minute: at(180), MeanRPS: 7}}, again, "what is new since then")
}

func TestTheMinutesThatAreReadAtOnceAreBounded(t *testing.T) {
	s := fresh(t)
	_, err := s.MinuteLoad(t.Context(), models.ServiceAPI, noon.AddDate(0, 0, -29), noon)
	assertError(t, err, models.KindInvalid, "until")
	_, err = s.MinuteLoad(t.Context(), models.ServiceAPI, noon.AddDate(0, 0, -22), noon)
	require.NoError(t, err)
}
