package scaling_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

// Capacity per replica is 100 requests/s at 65 %, the base is 200 requests/s, and a guest
// brings 1 request/s in the half hour from the ceremony on and 0.1 around it.
func TestGuestsBecomeAFloor(t *testing.T) {
	decideAll(t, map[string]ruled{
		"300 guests, the ceremony is now":             {in: with(serving(4, 250), windows(at(0, 300))), want: 8, class: models.ClassFloor},
		"in half an hour":                             {in: with(serving(4, 250), windows(at(30*time.Minute, 300))), want: 4, class: models.ClassHold},
		"in a quarter of an hour":                     {in: with(serving(4, 250), windows(at(15*time.Minute, 300))), want: 8, class: models.ClassFloor},
		"two hours ago":                               {in: with(serving(4, 250), windows(at(-2*time.Hour, 300))), want: 4, class: models.ClassHold},
		"two weddings at once add up before rounding": {in: with(serving(4, 250), windows(at(0, 150), at(0, 151))), want: 8, class: models.ClassFloor},
		"a tentative one counts in full":              {in: with(serving(4, 250), windows(tentative(at(0, 300)))), want: 8, class: models.ClassFloor},
		"a cancelled one not at all":                  {in: with(serving(4, 250), windows(cancelled(at(0, 300)))), want: 4, class: models.ClassHold},
		"nor one whose guests have left an hour ago":  {in: with(serving(4, 250), windows(at(-9*time.Hour, 3000))), want: 4, class: models.ClassHold},
		"one that is over an hour and a half away":    {in: with(serving(4, 250), windows(at(91*time.Minute, 9000))), want: 4, class: models.ClassHold},
		"without a window there is no floor":          {in: with(serving(4, 250), windows()), want: 4, class: models.ClassHold},
		"a person's floor that is higher":             {in: with(serving(4, 250), windows(at(0, 300)), reserve(floor(12))), want: 12, class: models.ClassFloor},
		"a person's floor that is lower":              {in: with(serving(4, 250), windows(at(0, 300)), reserve(floor(6))), want: 8, class: models.ClassFloor},
		"a floor passes the dead-band":                {in: with(serving(29, 1500), windows(at(0, 1745))), want: 30, class: models.ClassFloor},
		"of 31 from 28 it is reached":                 {in: with(serving(28, 1500), windows(at(0, 1810)), wide), want: 31, class: models.ClassFloor},
		"guests who cannot be turned into load ask for nothing, but hold their ceremony": {in: with(serving(20, 400), windows(at(0, 300)), func(in *scaling.Inputs) { in.Observation.Calendar.Kernel = nil }), want: 20, class: models.ClassHold, rule: "calendar"},
	})
	e, _ := scaling.Decide(with(serving(4, 250), windows(at(0, 300))))
	assert.Equal(t, 300, candidate(e, "window:w300").Guests)
	assert.Equal(t, "Scale api 4→8: 300 guests of a wedding at 12 Jun 14:00 UTC need at least 8.", e.Text)
	e, _ = scaling.Decide(with(serving(4, 250), windows(at(0, 200), at(10*time.Minute, 250))))
	assert.Equal(t, "Scale api 4→10: 450 guests of 2 weddings, the largest at 12 Jun 14:10 UTC, need at least 10.", e.Text)
	assert.Equal(t, 10, *e.Counterfactual.StaticFloor)
}

func wide(in *scaling.Inputs) {
	in.Observation.Service.MaxReplicas, in.Observation.Service.AbsoluteMaxReplicas = 100, 200
}

func tentative(w models.CalendarWindow) models.CalendarWindow { w.Confirmed = false; return w }
func cancelled(w models.CalendarWindow) models.CalendarWindow { w.Cancelled = true; return w }

func TestChanceEvensOutOverWeddings(t *testing.T) {
	floorOf := func(weddings int) int {
		var ws []models.CalendarWindow
		for range weddings {
			ws = append(ws, at(0, 1600/weddings))
		}
		// Without errors counted the load of now may be an outage's: the plan stands.
		in := with(serving(4, 250), windows(ws...), doubted, wide, change(models.MetricErrorRate, nil))
		in.Observation.Service.Policy.TargetUtilisation = 0.5
		e, _ := scaling.Decide(in)
		for _, c := range e.Candidates {
			if c.Guests > 0 {
				return c.N
			}
		}
		return 0
	}
	// 200 + 800 are expected; chance adds 800 to one wedding, 200 to sixteen of them.
	assert.Equal(t, 36, floorOf(1), "(200 + 800 + 800) ÷ 50")
	assert.Equal(t, 24, floorOf(16), "(200 + 800 + 200) ÷ 50")
}

// A thousand guests are expected to bring 500 requests/s on a base of 200, and 500 more
// at the 90th percentile.
func TestTheLoadOfNowTellsOfTheGuests(t *testing.T) {
	floorAt := func(rps float64, changes ...func(*scaling.Inputs)) models.Candidate {
		in := with(serving(12, rps), windows(at(-10*time.Minute, 1000)), doubted, wide)
		e, _ := scaling.Decide(with(in, changes...))
		return candidate(e, "window:w1000")
	}
	plan := "1000 guests of a wedding at 12 Jun 13:50 UTC need at least 19"
	assert.Equal(t, plan, floorAt(700, change(models.MetricErrorRate, nil)).Why, "who cannot tell an outage goes by the plan")
	assert.Equal(t, "1000 guests of a wedding at 12 Jun 13:50 UTC need at least 21 (19 were planned, but more have come)", floorAt(1500).Why)
	assert.Equal(t, "1000 guests of a wedding at 12 Jun 13:50 UTC need at least 18 (19 were planned, but fewer have come)", floorAt(300).Why)
	assert.Equal(t, 19, floorAt(300, change(models.MetricErrorRate, nil)).N)
	assert.Equal(t, 19, floorAt(300, change(models.MetricThroughput, stale)).N, "what is stale lowers nothing")
	assert.Equal(t, 21, floorAt(1500, change(models.MetricThroughput, stale)).N, "and may raise")
	assert.Equal(t, 19, floorAt(300, change(models.MetricThroughput, nil)).N)
}

func TestARiseAmongGuestsIsTakenToGoOn(t *testing.T) {
	rising := func(s *models.Signal) { s.Avg6 = val(*s.Avg60 + 135) } // 5 requests/s each second
	in := with(serving(14, 700), windows(at(-10*time.Minute, 1000)), wide, change(models.MetricThroughput, rising))
	in.Observation.Learned.StartupP95Seconds = 60
	e, _ := scaling.Decide(in)
	rise := candidate(e, "calendar_rise")
	assert.Equal(t, "load rises by 300 requests/s a minute while 1000 guests are here: up to 1216 are to be served", rise.Why)
	assert.Equal(t, 19, rise.N, "1216 ÷ 65: no more than guests ever bring")

	none := map[string]scaling.Inputs{
		"by chance":      with(in, change(models.MetricThroughput, func(s *models.Signal) { s.Avg6 = val(*s.Avg60 + 20) })),
		"without guests": with(in, windows()),
		"unseen":         with(in, change(models.MetricThroughput, nil)),
	}
	for name, in := range none {
		e, _ := scaling.Decide(in)
		assert.Empty(t, candidate(e, "calendar_rise"), name)
	}
}

// A floor that comes within half an hour is not to be ordered anew.
func TestAFloorThatIsSoonDueHoldsAScaleInBack(t *testing.T) {
	// Photographs are shared from two hours after the ceremony on.
	later := func(since time.Duration, guests int) func(*scaling.Inputs) {
		return func(in *scaling.Inputs) {
			windows(at(-since, guests))(in)
			k := in.Observation.Calendar.Kernel
			k.P90[12], k.P90[13], k.P90[14] = 0.1, 0.1, 0.1
			k.P90[24], k.P90[25], k.P90[26] = 1, 1, 1
		}
	}
	decideAll(t, map[string]ruled{
		"within half an hour": {in: with(serving(8, 300), needed(5), later(95*time.Minute, 280)), want: 8, class: models.ClassHold, rule: "floor_soon"},
		"not a smaller one":   {in: with(serving(8, 300), needed(5), later(95*time.Minute, 100)), want: 7, class: models.ClassSteady},
		"nor a later one":     {in: with(serving(8, 300), needed(5), later(80*time.Minute, 280)), want: 7, class: models.ClassSteady},
	})
}

func TestCertificateAndZones(t *testing.T) {
	learned := func(l *models.Learned, zones int, tier models.Tier) int {
		in := with(serving(4, 250), windows(at(0, 450)), wide)
		in.Observation.Learned, in.Observation.Service.Zones, in.Observation.Service.Tier = l, zones, tier
		e, _ := scaling.Decide(in)
		return candidate(e, "window:w450").N
	}
	certified := func(rps float64, age time.Duration) *models.Learned {
		return &models.Learned{CapacityP10RPS: rps, CertifiedAt: ago(age)}
	}
	assert.Equal(t, 10, learned(certified(100, time.Hour), 1, models.TierCritical))
	assert.Equal(t, 13, learned(certified(80, time.Hour), 1, models.TierCritical), "nine of ten replicas serve 80")
	assert.Equal(t, 13, learned(certified(100, 31*24*time.Hour), 1, models.TierCritical), "a certificate of last month is worth four fifths")
	assert.Equal(t, 13, learned(nil, 1, models.TierCritical), "and so is none")
	assert.Equal(t, 15, learned(certified(100, time.Hour), 3, models.TierCritical), "one of three zones may fail")
	assert.Equal(t, 20, learned(certified(100, time.Hour), 2, models.TierCritical))
	assert.Equal(t, 10, learned(certified(100, time.Hour), 3, models.TierStandard))
}

func TestNodesAreAskedForBeforeReplicas(t *testing.T) {
	e, _ := scaling.Decide(with(serving(4, 250), windows(at(80*time.Minute, 300), at(85*time.Minute, 200))))
	assert.Equal(t, "300 guests come at 12 Jun 15:20 UTC: nodes and quota are wanted now", flag(e, "prewarm_nodes").Text)
	e, _ = scaling.Decide(with(serving(4, 250), windows(at(95*time.Minute, 300))))
	assert.Empty(t, flag(e, "prewarm_nodes"))
}

func TestACeremonyHoldsScaleInBack(t *testing.T) {
	few := func(weddings, guests int) func(*scaling.Inputs) {
		var ws []models.CalendarWindow
		for range weddings {
			ws = append(ws, at(-10*time.Minute, guests))
		}
		return windows(ws...)
	}
	decideAll(t, map[string]ruled{
		"a large one":          {in: with(serving(20, 400), needed(6), few(1, 200)), want: 20, class: models.ClassHold, rule: "calendar"},
		"not one of many":      {in: with(serving(20, 400), needed(6), few(10, 20)), want: 18, class: models.ClassSteady},
		"not for ever":         {in: with(serving(20, 400), needed(6), windows(at(-46*time.Minute, 200))), want: 18, class: models.ClassSteady},
		"nor long before":      {in: with(serving(20, 400), needed(6), windows(at(40*time.Minute, 200))), want: 18, class: models.ClassSteady},
		"nor one that is off":  {in: with(serving(20, 400), needed(6), windows(cancelled(at(0, 200)))), want: 18, class: models.ClassSteady},
		"growth is free to go": {in: with(serving(10, 780), few(1, 200)), want: 12, class: models.ClassReactive},
	})
}

func TestAnOldCalendarCountsAndIsTold(t *testing.T) {
	read := func(age time.Duration, day int) scaling.Inputs {
		in := with(serving(20, 400), needed(6), windows())
		in.Now = now.AddDate(0, 0, day)
		in.Observation.Calendar.ReadAt = in.Now.Add(-age)
		in.State.Ring[0].At = in.Now.Add(-10 * time.Minute)
		return in
	}
	const saturday, monday, friday = 0, 2, 6
	flagged := func(in scaling.Inputs) models.Flag { e, _ := scaling.Decide(in); return flag(e, "calendar_old") }
	assert.Empty(t, flagged(read(6*time.Hour, friday)))
	assert.Equal(t, "the calendar was last read 7 h ago: its last copy counts", flagged(read(7*time.Hour, friday)).Text)
	assert.Empty(t, flagged(read(7*time.Hour, 4)), "on a Wednesday it may be a day old")
	assert.NotEmpty(t, flagged(read(25*time.Hour, 4)))
	decideAll(t, map[string]ruled{
		"on a Saturday nothing goes": {in: read(25*time.Hour, saturday), want: 20, class: models.ClassHold, rule: "calendar"},
		"on a Tuesday it may":        {in: read(25*time.Hour, monday+1), want: 18, class: models.ClassSteady},
		"nor with a newer one":       {in: read(23*time.Hour, saturday), want: 18, class: models.ClassSteady},
	})
}

// Guests who stay away let a floor down by a tenth of the plan each five minutes, from
// three quarters of an hour after the ceremony on; guests who come restore it.
func TestAFloorWhoseGuestsStayAwayIsLetDown(t *testing.T) {
	in := with(serving(4, 250), windows(at(0, 1000)))
	k := in.Observation.Calendar.Kernel
	for i := range k.P90 {
		k.P90[i] = 1
	}
	start := in.Now
	floorAt := func(after time.Duration) int {
		var e models.Explanation
		for ; !in.Now.After(start.Add(after)); in.Now = in.Now.Add(30 * time.Second) {
			in.Observation.Calendar.ReadAt = in.Now
			e, in.State = scaling.Decide(in)
		}
		return candidate(e, "window:w1000").N
	}
	assert.Equal(t, 19, floorAt(44*time.Minute), "(200 + 1000) ÷ 65")
	assert.Equal(t, 17, floorAt(46*time.Minute))
	assert.Equal(t, 14, floorAt(56*time.Minute))
	assert.Equal(t, 6, floorAt(2*time.Hour), "never below 1.3 times what is needed")
	e, _ := scaling.Decide(in)
	assert.Contains(t, candidate(e, "window:w1000").Why, "(19 were planned, but fewer have come)")

	late := with(in, change(models.MetricThroughput, func(s *models.Signal) { *s = signal(s.Metric, 700) }))
	e, state := scaling.Decide(late)
	assert.Equal(t, 19, candidate(e, "window:w1000").N, "they have come after all")
	assert.Nil(t, state.Decay)

	blind := with(in, func(in *scaling.Inputs) { in.State.Decay = nil; in.Observation.Signals = nil })
	e, _ = scaling.Decide(blind)
	assert.Equal(t, 19, candidate(e, "window:w1000").N, "who sees nothing lets nothing down")
}

func TestAFloorIsNotLetDownBeforeMoreIsPlanned(t *testing.T) {
	in := with(serving(4, 250), windows(at(-2*time.Hour, 1000), at(50*time.Minute, 900)), func(in *scaling.Inputs) {
		in.State.Demand = []scaling.Recommendation{{At: now.Add(-10 * time.Minute), N: 2}}
		k := in.Observation.Calendar.Kernel
		for i := range k.P90 {
			k.P90[i] = 1
		}
	})
	e, state := scaling.Decide(in)
	assert.Nil(t, state.Decay, e.Text)
}

// The clocks of the venue change; instants do not.
func TestAChangeOfTheClocksMovesNoWindow(t *testing.T) {
	for name, zone := range map[string]string{"spring": "Europe/London", "autumn": "America/New_York", "half an hour": "Australia/Lord_Howe"} {
		t.Run(name, func(t *testing.T) {
			loc, err := time.LoadLocation(zone)
			require.NoError(t, err)
			// The night of each change in 2027, and the days around it.
			for _, month := range []time.Month{time.March, time.April, time.October, time.November} {
				for day := 1; day <= 30; day++ {
					start := time.Date(2027, month, day, 1, 30, 0, 0, loc)
					for _, before := range []time.Duration{-2 * time.Hour, -20 * time.Minute, 0, time.Hour} {
						in := with(serving(4, 250), windows())
						in.Now = start.Add(before)
						w := models.CalendarWindow{ID: "w", Start: start, End: start.Add(8 * time.Hour), Guests: 300, TimeZone: zone}
						in.Observation.Calendar.Windows = []models.CalendarWindow{w}
						in.Observation.Calendar.ReadAt, in.Observation.Learned.CertifiedAt = in.Now, &in.Now
						local, _ := scaling.Decide(in)
						in.Now = in.Now.UTC()
						in.Observation.Calendar.Windows[0].Start, in.Observation.Calendar.Windows[0].End = w.Start.UTC(), w.End.UTC()
						utc, _ := scaling.Decide(in)
						require.Equal(t, utc.Desired, local.Desired)
						require.Equal(t, utc.InputsHash, local.InputsHash)
						if before == 0 {
							require.Equal(t, 8, local.Desired, "%s", start)
						}
					}
				}
			}
		})
	}
}

func TestTheModeOfACalendar(t *testing.T) {
	day := models.Calendar{Windows: []models.CalendarWindow{at(0, 100), cancelled(at(48*time.Hour, 100)), at(72*time.Hour, 0)}}
	for after, want := range map[time.Duration]models.Mode{
		-91 * time.Minute: models.ModeNormal, -90 * time.Minute: models.ModeWeddingDay, 8 * time.Hour: models.ModeWeddingDay,
		9 * time.Hour: models.ModeNormal, 48 * time.Hour: models.ModeNormal, 72 * time.Hour: models.ModeNormal,
	} {
		assert.Equal(t, want, scaling.ModeAt(day, now.Add(after)), "%s", after)
	}
}

func ExampleDecide_calendar() {
	in := serving(8, 450)
	in.Observation.Calendar = &models.Calendar{
		ReadAt: now, BaseRPS: 300, Kernel: &models.GuestKernel{FromMinutes: -60, StepMinutes: 60, P90: []float64{0.3, 1, 0.6}},
		Windows: []models.CalendarWindow{{ID: "8f3", Start: now.Add(12 * time.Minute), End: now.Add(8 * time.Hour), Guests: 420, Confirmed: true}},
	}
	e, _ := scaling.Decide(in)
	fmt.Println(e.Text)
	// Output:
	// Scale api 8→14: 420 guests of a wedding at 12 Jun 14:12 UTC need at least 14.
}
