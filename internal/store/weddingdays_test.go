package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func aDay(date string) models.WeddingDay {
	from, until := noon.Add(-time.Hour), noon.Add(2*time.Hour)
	return models.WeddingDay{
		Date: date, Phase: models.WeddingDayOpen, Text: "open", Weddings: 2, Guests: 300, Thresholds: models.WeddingDayThresholds(),
		Windows:    []models.TimeSpan{{From: from, Until: noon}, {From: noon.Add(time.Hour), Until: until}},
		Floors:     []models.DayFloor{{Service: models.ServiceAPI, From: from, Until: until, Replicas: 12, Guests: 300}},
		Checks:     []models.DayCheck{{Name: "quota", Verdict: models.CheckOK, Text: "fine"}},
		Notes:      []models.DayNote{{At: noon, Text: "open"}},
		StrictFrom: &from, StrictTo: &until, UpdatedAt: noon,
	}
}

func TestAWeddingDayIsKeptAsItStands(t *testing.T) {
	s := fresh(t)
	ctx := t.Context()
	day := aDay("2027-06-12")
	require.NoError(t, s.SaveWeddingDay(ctx, day))
	day.Phase, day.Report = models.WeddingDayDone, &models.DayReport{Outcome: "completed", Services: []models.DayUse{}}
	require.NoError(t, s.SaveWeddingDay(ctx, day))
	require.NoError(t, s.SaveWeddingDay(ctx, aDay("2027-06-13")))
	got, err := s.WeddingDay(ctx, "2027-06-12", "")
	require.NoError(t, err)
	assert.Equal(t, "completed", got.Report.Outcome)
	assert.Equal(t, day.Floors, got.Floors)
	assert.Equal(t, day.Windows, got.Windows)
	_, err = s.WeddingDay(ctx, "2027-06-12", "london")
	assert.Equal(t, models.KindNotFound, models.KindOf(err))
	list, err := s.WeddingDays(ctx, models.WeddingDayQuery{From: "2027-06-13", Until: "2027-06-14"})
	require.NoError(t, err)
	require.Len(t, list, 1)
	assert.Equal(t, "2027-06-13", list[0].Date)
}

func TestStrictThresholdsHoldWhileAWindowIsOpen(t *testing.T) {
	s := fresh(t)
	require.NoError(t, s.SaveWeddingDay(t.Context(), aDay("2027-06-12")))
	for after, want := range map[time.Duration]int{-2 * time.Hour: 0, -time.Minute: 1, 30 * time.Minute: 0, 90 * time.Minute: 1, 3 * time.Hour: 0} {
		open, err := s.StrictDays(t.Context(), noon.Add(after))
		require.NoError(t, err)
		assert.Len(t, open, want, "%s", after)
	}
}

func TestADayMeasuresItsLoadAndItsViolations(t *testing.T) {
	s := fresh(t)
	ctx := t.Context()
	none, err := s.PeakLoad(ctx, models.ServiceAPI, noon, noon.Add(time.Hour), 0.95)
	require.NoError(t, err)
	assert.Nil(t, none, "what was not measured is missing, not zero")
	var rows []models.MetricRollup
	for i := range 12 {
		at := noon.Truncate(time.Minute).Add(time.Duration(i) * 10 * time.Second)
		load, slow := rollup(at, float64(100+i), 1), rollup(at, 300, 1)
		load.Metric, slow.Metric = models.MetricThroughput, models.MetricResponseP95
		if i > 8 {
			slow.Sum = 700
		}
		rows = append(rows, load, slow)
	}
	require.NoError(t, s.SaveRollups(ctx, rows))
	peak, err := s.PeakLoad(ctx, models.ServiceAPI, noon.Add(-time.Minute), noon.Add(time.Hour), 1)
	require.NoError(t, err)
	assert.InDelta(t, 111, *peak, 1e-9)
	n, err := s.ViolationMinutes(ctx, models.ServiceAPI, noon.Add(-time.Minute), noon.Add(time.Hour), models.WeddingDayThresholds())
	require.NoError(t, err)
	assert.Equal(t, 1, n)
}
