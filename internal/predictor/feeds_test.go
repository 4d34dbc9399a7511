package predictor_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/predictor"
	"github.com/wedsync/scalability/models"
)

// feeds were read at a time, or cannot be asked.
type feeds struct {
	at  time.Time
	err error
}

func (f feeds) CalendarReadAt(context.Context) (time.Time, error) { return f.at, f.err }

func TestACalendarIsAsOldAsItsFeeds(t *testing.T) {
	for name, c := range map[string]struct {
		feeds predictor.Feeds
		want  time.Time
	}{
		"no feed, the table alone":  {nil, now},
		"a feed that was down":      {feeds{at: now.Add(-30 * time.Hour)}, now.Add(-30 * time.Hour)},
		"feeds that are newer":      {feeds{at: now.Add(time.Minute)}, now},
		"feeds that cannot be read": {feeds{err: errors.New("away")}, now},
	} {
		w := newWorld()
		p := predictor.New(predictor.Options{
			History: w, Calendar: w, Catalogue: w, Archive: w, Cache: w, Weddings: true, Feeds: c.feeds, Now: func() time.Time { return now },
		})
		got, err := p.Calendar(t.Context(), w.service, now)
		require.NoError(t, err)
		assert.Equal(t, c.want.UTC(), got.ReadAt, name)
	}
}

// A service whose load doubles on the fifteenth of each month is told of it by the holidays
// alone.
func TestAHolidayHasItsShare(t *testing.T) {
	holiday := func(day time.Time) bool { return day.Day() == 15 }
	w := newWorld()
	w.load = since(365*days, func(h time.Time) float64 {
		rps := noisy(0.05, platformDay)(h)
		if holiday(h) {
			rps *= 2
		}
		return rps
	})
	p := predictor.New(predictor.Options{
		History: w, Calendar: w, Catalogue: w, Archive: w, Cache: w, Holiday: holiday, Now: func() time.Time { return now },
	})
	got, err := p.Predict(t.Context(), models.PredictionRequest{TimeHorizonHours: 168}, now)
	require.NoError(t, err)
	on, other := 0.0, 0.0
	for _, point := range got.Points {
		if share := point.Holiday / point.P50; holiday(point.At) {
			on += share / 24
		} else {
			other = max(other, math.Abs(share))
		}
	}
	// Twelve such days in a year are few: the models among the ensemble that know them find a part.
	assert.Greater(t, on, 0.1, "the day's mean share")
	assert.Less(t, other, on, "of any other hour")
}
