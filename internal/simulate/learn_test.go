package simulate

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wedsync/scalability/internal/forecast/minute"
	"github.com/wedsync/scalability/policies/scaling"
)

// hump is what one guest brings in the tests: from an hour before to three after.
func hump(minute float64) float64 {
	switch {
	case minute < -60 || minute > 180:
		return 0
	case minute < 0:
		return 2 * (1 + minute/60)
	default:
		return 2 * (1 - minute/180)
	}
}

// seasonOf is weeks of minutes with a daily rhythm and weddings on each Saturday.
func seasonOf(weeks int, begin time.Time) (minutes []float64, calendar []Window) {
	rng := rand.New(rand.NewPCG(3, 4))
	minutes = make([]float64, weeks*7*1440)
	for i := range minutes {
		minutes[i] = 300 + 100*math.Sin(2*math.Pi*float64(i%1440)/1440)
	}
	for d := range weeks * 7 {
		day := begin.Add(time.Duration(d) * 24 * time.Hour)
		if day.Weekday() != time.Saturday {
			continue
		}
		for range 5 + rng.IntN(5) {
			at := day.Add(time.Duration(12+rng.IntN(6)) * time.Hour)
			w := Window{Start: at, End: at.Add(8 * time.Hour), Guests: 50 + rng.IntN(200), Confirmed: true}
			calendar = append(calendar, w)
			first := int(at.Sub(begin).Minutes())
			for m := -120; m < 480 && first+m < len(minutes); m++ {
				minutes[first+m] += float64(w.Guests) * hump(float64(m))
			}
		}
	}
	return minutes, calendar
}

func monday() time.Time { return time.Date(2027, 4, 5, 0, 0, 0, 0, time.UTC) }

func TestTheLoadOfAGuestIsLearned(t *testing.T) {
	minutes, calendar := seasonOf(8, monday())
	now := monday().Add(8 * 7 * 24 * time.Hour)
	calendar = append(calendar, Window{Start: now.Add(15 * time.Hour), End: now.Add(23 * time.Hour), Guests: 100})
	g := newGuests(now)
	g.learn(View{Now: now, Calendar: calendar, Metrics: newMetrics(minutes, 0)})
	for i, k := range g.steps {
		m := float64(kernelFrom+i*slotMinutes) + slotMinutes/2
		assert.InDelta(t, hump(m), k, 0.1, "%v min", m)
	}
	assert.Less(t, g.spread[24], 0.1, "all of them are alike")
	coming := len(minutes) + 15*60
	assert.InDelta(t, 200, g.at(coming+1), 12, "a hundred guests at the ceremony to come")
	assert.Zero(t, g.at(coming+600))
	assert.Zero(t, g.at(-5))
	k := g.kernel()
	assert.Equal(t, 120, len(k.P90)) //nolint:testifylint // the number is what matters
	assert.InDelta(t, 2, k.P90[24], 0.2)
	assert.Len(t, k.P50, len(k.P90))
	assert.LessOrEqual(t, k.P50[24], k.P90[24])
}

func TestWithoutAPastACourseIsAssumed(t *testing.T) {
	g := newGuests(noon)
	g.learn(View{Now: noon, Metrics: newMetrics(nil, 0), Calendar: []Window{{Start: noon.Add(time.Hour), End: noon.Add(9 * time.Hour), Guests: 10}}})
	assert.InDelta(t, 26, g.at(60), 0.1)
	assert.Positive(t, g.at(0))
	assert.Zero(t, g.at(600))
}

func TestAForecastEarnsItsTrust(t *testing.T) {
	minutes, calendar := seasonOf(8, monday())
	now := monday().Add(8 * 7 * 24 * time.Hour)
	v := View{Now: now, Calendar: calendar, Metrics: newMetrics(minutes, 0)}
	g := newGuests(now)
	g.learn(v)
	f := minute.New(g.at)
	p := f.Next(minutes, scaling.Lead(testService()), now)
	assert.True(t, p.Trusted, p.Reason)
	assert.InDelta(t, 300, p.P50, 20)
	assert.True(t, p.P50 <= p.P95 && p.P95 <= p.P99)
	assert.Less(t, *p.WAPE7Days, 0.1)
	assert.InDelta(t, 56, *p.HistoryDays, 0.01)
	usual, ok := f.Usual()
	assert.True(t, ok)
	assert.InDelta(t, 325, usual, 5)

	p = minute.New(nil).Next(minutes[:720], scaling.Lead(testService()), now)
	assert.False(t, p.Trusted)
	assert.Contains(t, p.Reason, "a day of history")
}
