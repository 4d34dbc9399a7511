package season

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func TestACalendarHasTheSharesOfASeasonAndBothClockChanges(t *testing.T) {
	o := BookingOptions{Count: 3000, From: time.Date(2027, 3, 20, 0, 0, 0, 0, time.UTC), Until: time.Date(2027, 10, 31, 0, 0, 0, 0, time.UTC), Seed: 1}
	all, err := Bookings(o)
	require.NoError(t, err)
	require.Len(t, all, 3000)
	again, err := Bookings(o)
	require.NoError(t, err)
	assert.Equal(t, all, again, "the same seed gives the same calendar")

	saturdays, midnight := 0, 0
	changes := map[string]int{}
	for _, w := range all {
		loc, err := time.LoadLocation(w.Zone)
		require.NoError(t, err)
		start, end := w.Start.In(loc), w.End.In(loc)
		date := start.Format(time.DateOnly)
		require.True(t, date >= "2027-03-20" && date <= "2027-10-31", date)
		if start.Weekday() == time.Saturday {
			saturdays++
		}
		if end.Day() != start.Day() {
			midnight++
		}
		_, before := start.Zone()
		if _, after := end.Zone(); before != after {
			changes[date]++
		}
	}
	assert.InDelta(t, 0.64, float64(saturdays)/3000, 0.03)
	assert.Greater(t, midnight, 300)
	for _, night := range []string{"2027-03-27", "2027-10-30", "2027-04-03", "2027-10-02"} {
		assert.Positive(t, changes[night], "Europe's and Sydney's nights, %s", night)
	}
	for name, bad := range map[string]BookingOptions{
		"none": {From: o.From, Until: o.Until}, "backwards": {Count: 1, From: o.Until, Until: o.From},
		"too long": {Count: 1, From: o.From, Until: o.From.AddDate(2, 0, 0)},
	} {
		_, err := Bookings(bad)
		assert.Equal(t, models.KindInvalid, models.KindOf(err), name)
	}
}
