package predictor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/models"
)

func TestTheCourseOfAWedding(t *testing.T) {
	k := kernelOf(models.Wedding{EndsAt: time.Time{}.Add(6 * time.Hour)})
	for _, c := range []struct {
		name string
		h    float64
		want float64
	}{
		{"before anybody comes", -2.01, 0},
		{"an hour before", -1, 0.25},
		{"the ceremony", 0, 1},
		{"dinner", 1, 0.85},
		{"the end of dinner", 2, 0.7},
		{"half of the way home", 4, 0.175},
		{"the last guest left", 6, 0},
	} {
		t.Run(c.name, func(t *testing.T) { assert.InDelta(t, c.want, k.at(c.h), 1e-9) })
	}
}

func TestCourseProperties(t *testing.T) {
	draw := func(rt *rapid.T) kernel {
		return kernelOf(models.Wedding{EndsAt: time.Time{}.Add(time.Duration(rapid.IntRange(1, 96*60).Draw(rt, "minutes")) * time.Minute)})
	}
	t.Run("it is highest at the ceremony", rapid.MakeCheck(func(rt *rapid.T) {
		k, h := draw(rt), rapid.Float64Range(-100, 100).Draw(rt, "h")
		assert.GreaterOrEqual(rt, k.at(h), 0.0)
		assert.LessOrEqual(rt, k.at(h), k.at(0))
	}))
	t.Run("the mean of an hour is that of its moments", rapid.MakeCheck(func(rt *rapid.T) {
		k, from := draw(rt), rapid.Float64Range(-4, 97).Draw(rt, "from")
		const steps = 20_000
		sum := 0.0
		for i := range steps {
			sum += k.at(from + (float64(i)+0.5)/steps)
		}
		assert.InDelta(rt, sum/steps, k.mean(from), 1e-4)
	}))
	t.Run("the hours hold all of it", rapid.MakeCheck(func(rt *rapid.T) {
		w := models.Wedding{ID: "w", Guests: 100, StartsAt: time.Unix(rapid.Int64Range(-1e9, 2e9).Draw(rt, "start"), 0)}
		w.EndsAt = w.StartsAt.Add(time.Duration(rapid.IntRange(1, 96*60).Draw(rt, "minutes")) * time.Minute)
		sum := 0.0
		for _, list := range guestHours([]models.Wedding{w}, models.ServiceAPI) {
			sum += total(list)
		}
		k := kernelOf(w)
		assert.InDelta(rt, peak(w, models.ServiceAPI)*k.until(k.end), sum, 1e-6)
	}))
}

func TestSeasonsAreEvenAndAverageToOne(t *testing.T) {
	sum, n := 0.0, 0
	last := 0.0
	for at := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() == 2027; at = at.Add(24 * time.Hour) {
		sum += season(at)
		n++
		month := season(at) / season(at.Add(7*24*time.Hour)) // the same weekday a week later
		assert.InDelta(t, 1, month, 0.06, "no jump at %s", at)
		last = season(at)
	}
	assert.InDelta(t, 1, sum/float64(n), 0.01)
	assert.InDelta(t, last, season(time.Date(2027, 12, 31, 23, 0, 0, 0, time.UTC)), 0.01, "an hour late in a day is like its midnight")
	assert.InDelta(t, 1.22*1.22, season(time.Date(2029, 6, 16, 0, 0, 0, 0, time.UTC)), 1e-9, "a Saturday in the middle of June")
}

func BenchmarkBuild(b *testing.B) {
	running := hourOf(time.Date(2027, 6, 12, 12, 0, 0, 0, time.UTC))
	actual := map[int64]float64{}
	for h := running - lookback; h < running; h++ {
		actual[h] = float64(200 + h%24)
	}
	var weddings []models.Wedding
	for i := range 50 * 49 { // 50 a day
		at := timeOf(running - lookback + int64(i/50)*24 + int64(i%12))
		weddings = append(weddings, models.Wedding{ID: "w", Status: models.WeddingConfirmed, Guests: 100, StartsAt: at, EndsAt: at.Add(6 * time.Hour)})
	}
	b.ReportAllocs()
	for b.Loop() {
		build(models.ServiceAPI, running, actual, weddings, true)
	}
}
