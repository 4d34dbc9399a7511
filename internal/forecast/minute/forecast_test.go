package minute

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func noon() time.Time { return time.Date(2026, 9, 5, 12, 0, 0, 0, time.UTC) }

func TestAForecastThatIsWrongIsNotTrusted(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	minutes := make([]float64, 20*dayMinutes)
	level := 100.0
	for i := range minutes {
		if i%37 == 0 {
			level = math.Exp(4 + 2*rng.NormFloat64())
		}
		minutes[i] = level
	}
	p := New(nil).Next(minutes, 150*time.Second, noon())
	assert.Greater(t, *p.WAPE7Days, 0.35, "the decision does not trust it")
}

func TestASurgeIsExpectedInItsTimeAndNotWaitedFor(t *testing.T) {
	// On two days of three the load is four times as high for ten minutes from noon on.
	minutes := make([]float64, 21*dayMinutes)
	surge := func(i int) bool { return i%dayMinutes >= 720 && i%dayMinutes < 730 }
	for i := range minutes {
		minutes[i] = 100
		if surge(i) && i/dayMinutes%3 != 2 {
			minutes[i] = 400
		}
	}
	last := 20 * dayMinutes // a day without
	f := New(nil)
	ahead := func(now int) float64 { return f.Next(minutes[:now], 2*time.Minute, noon()).P50 }
	assert.InDelta(t, 100, ahead(last+700), 1e-6)
	assert.InDelta(t, 100, ahead(last+717), 1e-6)
	assert.InDelta(t, 400, ahead(last+718), 1e-6, "within the lead time")
	assert.InDelta(t, 400, ahead(last+720), 1e-6)
	assert.InDelta(t, 100, ahead(last+722), 1e-6, "it did not come")
}

func TestWhatComesOnEveryThirdDayIsPlannedForAndNotTheMedian(t *testing.T) {
	minutes := make([]float64, 21*dayMinutes)
	for i := range minutes {
		minutes[i] = 100
		if m := i % dayMinutes; m >= 720 && m < 730 && i/dayMinutes%3 == 0 {
			minutes[i] = 400
		}
	}
	now := 20*dayMinutes + 715
	p := New(nil).Next(minutes[:now], 2*time.Minute, noon())
	assert.InDelta(t, 100, p.P50, 1e-6)
	assert.InDelta(t, 100, p.P70, 1e-6, "not within the lead time yet")
	assert.InDelta(t, 400, p.VerifiedP70, 1e-6, "but before an order of now is verified")
	p = New(nil).Next(minutes[:now+4], 2*time.Minute, noon())
	assert.InDelta(t, 400, p.P70, 1e-6)
}

func TestQuantilesCoverWhatTheySay(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var r record
	over95, n := 0, 0
	for i := range 3 * weekMinutes {
		had := math.Exp(0.1 * rng.NormFloat64())
		if q := r.quantiles(); i > weekMinutes {
			n++
			if had > q.p95 {
				over95++
			}
			assert.True(t, q.p90 <= q.p95 && q.p95 <= q.p99)
		}
		r.add(outcome{i, had, 1, true})
	}
	assert.InDelta(t, 0.05, float64(over95)/float64(n), 0.01)
	assert.LessOrEqual(t, r.count(), weekMinutes)
	wape, covered := together(&r, &record{})
	require.InDelta(t, 0.08, wape, 0.01)
	assert.InDelta(t, 1, covered, 1e-9)
}
