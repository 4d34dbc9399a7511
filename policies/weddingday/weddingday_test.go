package weddingday_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
	"github.com/wedsync/scalability/policies/weddingday"
)

// three is a Saturday's ceremony at three.
func three() time.Time { return time.Date(2027, 6, 12, 15, 0, 0, 0, time.UTC) }

func wedding(id string, start time.Time, guests int) models.DayWedding {
	return models.DayWedding{ID: id, Date: start.Format(time.DateOnly), StartsAt: start, EndsAt: start.Add(8 * time.Hour), Guests: guests}
}

// kernel brings two requests per second a guest from two hours before to six after.
func kernel() *models.GuestKernel {
	k := &models.GuestKernel{FromMinutes: -120, StepMinutes: 30}
	for range 16 {
		k.P90, k.P50 = append(k.P90, 2), append(k.P50, 1.6)
	}
	return k
}

func service() models.Service {
	return models.Service{
		Name: models.ServiceAPI, Tier: models.TierStandard, CapacityRPS: 100, MinReplicas: 1, MaxReplicas: 100, AbsoluteMaxReplicas: 200,
		StartupP50Seconds: 30, StartupP95Seconds: 60, Zones: 1, Policy: models.DefaultScalingPolicy(models.TierStandard),
	}
}

func plan(now time.Time, ws ...models.DayWedding) weddingday.Plan {
	return weddingday.Plan{Weddings: ws, Service: service(), Basis: models.DayBasis{Service: models.ServiceAPI, Kernel: kernel(), Base: []models.BaseHour{{RPS: 100}}}, Now: now}
}

func TestADayGoesThroughItsPhases(t *testing.T) {
	w := []models.DayWedding{wedding("a", three(), 100)}
	for after, want := range map[time.Duration]models.WeddingDayPhase{
		-30 * time.Hour:                models.WeddingDayAhead,
		-24 * time.Hour:                models.WeddingDayChecklist,
		-135*time.Minute - time.Second: models.WeddingDayChecklist,
		-135 * time.Minute:             models.WeddingDayPreWarm,
		-45 * time.Minute:              models.WeddingDayOpen,
		0:                              models.WeddingDayOpen,
		8*time.Hour + 44*time.Minute:   models.WeddingDayOpen,
		8*time.Hour + 45*time.Minute:   models.WeddingDayCoolDown,
		9*time.Hour - time.Second:      models.WeddingDayCoolDown,
		9 * time.Hour:                  models.WeddingDayDone,
	} {
		assert.Equal(t, want, weddingday.Look(w, three().Add(after)).Phase, "%s after the ceremony", after)
	}
	two := []models.DayWedding{wedding("a", three(), 100), wedding("b", three().Add(14*time.Hour), 50)}
	assert.Equal(t, models.WeddingDayChecklist, weddingday.Look(two, three().Add(10*time.Hour)).Phase, "between two that are far apart")
	assert.Equal(t, models.WeddingDayDone, weddingday.Look(nil, three()).Phase)
	gone := wedding("a", three(), 100)
	gone.Cancelled = true
	assert.Equal(t, models.WeddingDayDone, weddingday.Look([]models.DayWedding{gone}, three()).Phase)
}

func TestWindowsKeepTheirLengthThroughMidnightAndChangesOfClocks(t *testing.T) {
	for name, c := range map[string]struct{ zone, local string }{
		"the night clocks go forward": {"Europe/London", "2027-03-27T22:30:00"},
		"the night clocks go back":    {"Europe/London", "2027-10-30T22:30:00"},
		"in the hour that is missing": {"America/New_York", "2027-03-14T02:30:00"},
		"over midnight":               {"Asia/Kolkata", "2027-06-12T20:00:00"},
	} {
		t.Run(name, func(t *testing.T) {
			loc, err := time.LoadLocation(c.zone)
			require.NoError(t, err)
			start, err := time.ParseInLocation("2006-01-02T15:04:05", c.local, loc)
			require.NoError(t, err)
			v := weddingday.Look([]models.DayWedding{wedding("a", start, 100)}, start)
			require.Len(t, v.Windows, 1)
			assert.Equal(t, 9*time.Hour+30*time.Minute, v.Windows[0].Until.Sub(v.Windows[0].From), "45 min, 8 h, 45 min")
			fs := weddingday.Floors(plan(start.UTC(), wedding("a", start.UTC(), 100)))
			local := weddingday.Floors(plan(start, wedding("a", start, 100)))
			require.NotEmpty(t, fs)
			for i := range fs {
				assert.True(t, fs[i].From.Equal(local[i].From), "a zone moves no floor")
				assert.Equal(t, fs[i].Replicas, local[i].Replicas)
			}
		})
	}
}

func TestAFloorStandsBeforeTheFirstGuestsAndEndsAfterTheLast(t *testing.T) {
	fs := weddingday.Floors(plan(three().Add(-24*time.Hour), wedding("a", three(), 300)))
	require.NotEmpty(t, fs)
	assert.Equal(t, three().Add(-135*time.Minute), fs[0].From, "nodes are asked for 90 min before a ceremony that is 45 min early")
	assert.False(t, fs[len(fs)-1].Until.After(three().Add(9*time.Hour+5*time.Minute)), "each floor ends: %v", fs[len(fs)-1].Until)
	full := weddingday.FloorOf(fs, models.ServiceAPI, three())
	assert.Equal(t, 15, full, "⌈(100 + 300·2) ÷ (100·0.8·0.6)⌉: no load test shows the capacity, and wedding days run at 60 %%")
	for at := -120 * time.Minute; at <= 5*time.Hour; at += 5 * time.Minute {
		f := scaling.FloorAt(service(), nil, models.Calendar{Kernel: kernel(), BaseRPS: 100, Windows: []models.CalendarWindow{{ID: "a", Start: three(), End: three().Add(8 * time.Hour), Guests: 300}}}, three().Add(at))
		assert.GreaterOrEqual(t, weddingday.FloorOf(fs, models.ServiceAPI, three().Add(at)), f.Replicas, "never below the engine's own, at %s", at)
	}
	assert.Less(t, len(fs), 10, "few enough rows to read")
}

func TestGuestsOfWeddingsThatOverlapAddUpBeforeTheyBecomeAFloor(t *testing.T) {
	now := three().Add(-24 * time.Hour)
	one := weddingday.FloorOf(weddingday.Floors(plan(now, wedding("a", three(), 30))), models.ServiceAPI, three())
	both := weddingday.FloorOf(weddingday.Floors(plan(now, wedding("a", three(), 30), wedding("b", three(), 30))), models.ServiceAPI, three())
	assert.Equal(t, 4, one)
	assert.Equal(t, 5, both, "one base, sixty guests: not twice a floor of 4")

	p := plan(now, wedding("a", three(), 30))
	p.Others = []models.DayWedding{wedding("of the day before, over midnight", three().Add(-3*time.Hour), 30)}
	assert.Equal(t, both, weddingday.FloorOf(weddingday.Floors(p), models.ServiceAPI, three()), "whichever day they belong to")
}

func TestAnExtensionKeepsWindowAndFloor(t *testing.T) {
	w := wedding("a", three(), 300)
	to := w.EndsAt.Add(3 * time.Hour)
	w.ExtendedTo = &to
	fs := weddingday.Floors(plan(three(), w))
	late := three().Add(8 * time.Hour)
	assert.Greater(t, weddingday.FloorOf(fs, models.ServiceAPI, late), 10, "the guests are as late as the extension")
	assert.Equal(t, models.WeddingDayOpen, weddingday.Look([]models.DayWedding{w}, w.EndsAt.Add(2*time.Hour)).Phase)

	ended := three().Add(2 * time.Hour)
	w.EndedAt = &ended
	assert.Equal(t, models.WeddingDayCoolDown, weddingday.Look([]models.DayWedding{w}, ended).Phase)
	assert.Zero(t, weddingday.FloorOf(weddingday.Floors(plan(ended, w)), models.ServiceAPI, ended.Add(2*time.Hour)))
}

func TestFloorsFollowTheGuestsWhoCome(t *testing.T) {
	at := three().Add(2 * time.Hour)
	demand := func(v float64) *float64 { return &v }
	settled := models.DayReading{Service: models.ServiceAPI, Expected: 700, Settled: true}
	for name, c := range map[string]struct {
		last   float64
		change func(r *models.DayReading)
		want   float64
	}{
		"not measured":               {1, func(r *models.DayReading) { r.Demand = nil }, 1},
		"too early to tell":          {1, func(r *models.DayReading) { r.Demand, r.Settled = demand(10), false }, 1},
		"as planned":                 {1, func(r *models.DayReading) { r.Demand = demand(600) }, 1},
		"fewer than half":            {1, func(r *models.DayReading) { r.Demand = demand(300) }, 0.9},
		"fewer, more to come":        {1, func(r *models.DayReading) { r.Demand, r.Rising = demand(300), true }, 1},
		"fewer still":                {0.5, func(r *models.DayReading) { r.Demand = demand(300) }, 0.4},
		"nobody":                     {0.05, func(r *models.DayReading) { r.Demand = demand(1) }, 0.01},
		"they came late":             {0.5, func(r *models.DayReading) { r.Demand = demand(500) }, 1},
		"a third more":               {1, func(r *models.DayReading) { r.Demand = demand(900) }, 1.4},
		"three times as many":        {1, func(r *models.DayReading) { r.Demand = demand(1900) }, 3},
		"ten times: three are held":  {1, func(r *models.DayReading) { r.Demand = demand(9000) }, 3},
		"a crowd that has gone home": {3, func(r *models.DayReading) { r.Demand = demand(300) }, 0.9},
	} {
		t.Run(name, func(t *testing.T) {
			r := settled
			c.change(&r)
			got, why := weddingday.Follow(weddingday.Turnout{Service: models.ServiceAPI, Share: c.last, At: at.Add(-10 * time.Minute)}, r, 100, at)
			assert.InDelta(t, c.want, got.Share, 1e-9)
			assert.Equal(t, c.want != c.last && (c.last >= 1 || c.want > c.last), why != "", "a turn says why: %q", why)
		})
	}
	crowded := models.DayReading{Demand: demand(300), Expected: 100, Settled: true}
	got, _ := weddingday.Follow(weddingday.Turnout{Share: 1, At: at}, crowded, 100, at)
	assert.InDelta(t, 1, got.Share, 1e-9, "where no guests are planned, load says nothing of them")
	_, why := weddingday.Follow(weddingday.Turnout{Share: 0.9, At: at.Add(-time.Minute)}, models.DayReading{Demand: demand(1), Expected: 700, Settled: true}, 100, at)
	assert.Empty(t, why, "10 %% each 5 min, not faster")
}

func TestADecayedFloorStaysAboveWhatIsNeeded(t *testing.T) {
	p := plan(three().Add(2*time.Hour), wedding("a", three(), 300))
	p.Turnout, p.Need = 0.1, 9
	fs := weddingday.Floors(p)
	n := weddingday.FloorOf(fs, models.ServiceAPI, p.Now)
	assert.Equal(t, 12, n, "⌈1.3 · 9⌉, where the guests alone would leave 4")
	p.Turnout = 2
	assert.Equal(t, 28, weddingday.FloorOf(weddingday.Floors(p), models.ServiceAPI, p.Now), "twice the guests")
}

func TestWhoComesTooSoonForWavesIsNamed(t *testing.T) {
	w := []models.DayWedding{wedding("a", three(), 100)}
	assert.Empty(t, weddingday.Late(w, three().Add(-60*time.Minute), 15*time.Minute))
	assert.Len(t, weddingday.Late(w, three().Add(-30*time.Minute), 15*time.Minute), 1, "they would end 15 min before")
}

func TestFloorsGrowWithGuestsAndNeverStandOutsideTheDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ws, more []models.DayWedding
		for i := range rapid.IntRange(1, 4).Draw(t, "weddings") {
			w := wedding(string(rune('a'+i)), three().Add(time.Duration(rapid.IntRange(-600, 600).Draw(t, "start"))*time.Minute), rapid.IntRange(1, 500).Draw(t, "guests"))
			ws = append(ws, w)
			w.Guests += rapid.IntRange(0, 300).Draw(t, "more")
			more = append(more, w)
		}
		now := three().Add(-30 * time.Hour)
		few, many := weddingday.Floors(plan(now, ws...)), weddingday.Floors(plan(now, more...))
		v := weddingday.Look(ws, now)
		for i, f := range few {
			if f.From.Before(v.First.Add(-140*time.Minute)) || f.Until.After(v.Until.Add(5*time.Minute)) {
				t.Fatalf("a floor outside of its day: %v", f)
			}
			if i > 0 && f.From.Before(few[i-1].Until) {
				t.Fatalf("floors overlap: %v %v", few[i-1], f)
			}
			// A step that is kept a little longer may hide up to a tenth.
			at := f.From.Add(f.Until.Sub(f.From) / 2)
			if n := weddingday.FloorOf(many, models.ServiceAPI, at); float64(n) < math.Floor(0.9*float64(f.Replicas)) && at.Sub(f.From) > 15*time.Minute {
				t.Fatalf("more guests, less capacity at %v: %d of %d", at, n, f.Replicas)
			}
		}
	})
}

func BenchmarkFloorsOfASaturdayWithThreeHundredWeddings(b *testing.B) {
	var ws []models.DayWedding
	for i := range 300 {
		ws = append(ws, wedding("w", three().Add(time.Duration(i-150)*2*time.Minute), 120))
	}
	p := plan(three(), ws...)
	for b.Loop() {
		weddingday.Floors(p)
	}
}
