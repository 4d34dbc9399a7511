package predictor_test

import (
	"math"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests need the zones, whatever the machine has

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/predictor"
	"github.com/wedsync/scalability/models"
)

func londonZone(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/London")
	require.NoError(t, err)
	return zone
}

// office is a load that follows the clock of a place: five times as high from nine to five.
func office(zone *time.Location) func(time.Time) float64 {
	return func(at time.Time) float64 {
		if h := at.In(zone).Hour(); h >= 9 && h < 17 {
			return 500
		}
		return 100
	}
}

// TestDaysFollowTheClockOfTheZoneOverBothOfItsChanges: on the days after a change the hours
// are forecast where they are by the clock, and not where they were.
func TestDaysFollowTheClockOfTheZoneOverBothOfItsChanges(t *testing.T) {
	zone := londonZone(t)
	for name, sunday := range map[string]time.Time{
		"forward": time.Date(2027, 3, 28, 6, 20, 0, 0, time.UTC), "back": time.Date(2027, 10, 31, 6, 20, 0, 0, time.UTC),
	} {
		t.Run(name, func(t *testing.T) {
			off := func(z *time.Location) (near, far float64) {
				w := newWorld()
				w.clock = sunday
				load := office(zone)
				w.load = func(h time.Time) (float64, bool) { return load(h), h.After(sunday.Add(-90 * days)) }
				p := predictor.New(predictor.Options{History: w, Calendar: w, Catalogue: w, Archive: w, Cache: w, Zone: z, Now: func() time.Time { return sunday }})
				miss := func(from time.Time) float64 {
					points, err := p.Hours(t.Context(), models.ServiceAPI, from, from.Add(2*days))
					require.NoError(t, err)
					missed, served := 0.0, 0.0
					for _, pt := range points {
						missed, served = missed+math.Abs(pt.P50-load(pt.At)), served+load(pt.At)
					}
					return missed / served
				}
				return miss(sunday.Truncate(time.Hour).Add(time.Hour)), miss(sunday.Truncate(time.Hour).Add(10 * days))
			}
			near, far := off(zone)
			assert.Less(t, near, 0.05, "of the coming days")
			assert.Less(t, far, 0.05, "of days in ten days")
			nearUTC, farUTC := off(time.UTC)
			assert.Greater(t, nearUTC, 2*near)
			assert.Greater(t, farUTC, 2*far)
		})
	}
}

func TestMinutesFollowTheClockOfTheZoneOverBothOfItsChanges(t *testing.T) {
	zone := londonZone(t)
	for name, c := range map[string]struct {
		before time.Time // when the minutes are read first
		at     time.Time // five to nine on the Monday after the change
	}{
		"forward": {time.Date(2027, 3, 27, 22, 0, 0, 0, time.UTC), time.Date(2027, 3, 29, 7, 55, 0, 0, time.UTC)},
		"back":    {time.Date(2027, 10, 30, 22, 0, 0, 0, time.UTC), time.Date(2027, 11, 1, 8, 55, 0, 0, time.UTC)},
	} {
		t.Run(name, func(t *testing.T) {
			load := office(zone)
			m := newMinutes(load)
			m.load = func(at time.Time) (float64, bool) { return load(at), at.After(c.before.Add(-25 * days)) }
			m.world.load = func(at time.Time) (float64, bool) { return load(at), at.After(c.before.Add(-60 * days)) }
			p := predictor.New(predictor.Options{
				History: m, Minutes: m, Calendar: m, Catalogue: m, Archive: m, Cache: m, Weddings: true, Zone: zone,
				Now: func() time.Time { m.mu.Lock(); defer m.mu.Unlock(); return m.at },
			})
			m.warm(t, p, m.set(c.before))
			ask := func(at time.Time) models.ForecastPoint {
				m.set(at)
				f, err := p.Forecast(t.Context(), m.service, at, 10*time.Minute)
				require.NoError(t, err)
				return *f
			}
			hourEarly := c.at.Add(-time.Hour)
			require.Eventually(t, func() bool { return ask(hourEarly).P50 < 200 }, 30*time.Second, 20*time.Millisecond, "an hour before nothing is due")
			require.Eventually(t, func() bool {
				f := ask(c.at)
				return f.P50 > 400 && strings.Contains(f.Reason, "by the minute:")
			}, 30*time.Second, 20*time.Millisecond, "the office opens in five minutes, by its own clock")
			usual, err := p.Usual(t.Context(), models.ServiceAPI, c.at.Add(10*time.Minute))
			require.NoError(t, err)
			require.NotNil(t, usual)
			assert.InDelta(t, 500, *usual, 1)
		})
	}
}
