package workflows_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

const saturday = "2027-06-12"

// ceremony is three o'clock in London.
func ceremony() time.Time { return time.Date(2027, 6, 12, 14, 0, 0, 0, time.UTC) }

func rps(v float64) *float64 { return &v }

func TestAWeddingDayFromItsCheckListToItsReport(t *testing.T) {
	d := newDay(t, saturday, ceremony().Add(-60*time.Hour))
	d.book(t, "a", "Europe/London", saturday+" 15:00", 300)
	d.play()
	assert.Equal(t, []models.WeddingDayPhase{
		models.WeddingDayAhead, models.WeddingDayChecklist, models.WeddingDayPreWarm, models.WeddingDayOpen, models.WeddingDayCoolDown, models.WeddingDayDone,
	}, d.phases())
	assert.Equal(t, []string{"12 11:45 to 12 20:45: 15", "12 20:45 to 12 23:00: 3"}, d.effects(), "reserved at the check-list, once")
	assert.Equal(t, "completed", d.report.Outcome)
	assert.Equal(t, 15, d.report.Services[0].PeakFloor)
	assert.Equal(t, 12, d.report.Services[0].PeakReplicas)
	assert.InDelta(t, 15*9.0+3*2.25, d.report.Services[0].PromisedHours, 0.1, "promised until the last guest")
	last := d.rows[len(d.rows)-1]
	assert.NotNil(t, last.Report)
	assert.Empty(t, last.Windows, "no strict threshold outlives the day")
	checks := map[string]models.CheckVerdict{}
	for _, c := range last.Checks {
		checks[c.Name] = c.Verdict
	}
	assert.Equal(t, map[string]models.CheckVerdict{
		"floors": models.CheckOK, "capacity_certificate": models.CheckWarning, "quota": models.CheckOK, "database": models.CheckOK,
		"calendar": models.CheckOK, "alert_routes": models.CheckOK, "freeze": models.CheckOK,
	}, checks)
	assert.True(t, d.rows[1].StrictAt(ceremony()), "the monitor reads when strict thresholds hold")
	assert.False(t, d.rows[1].StrictAt(ceremony().Add(-2*time.Hour)))
}

func TestFloorsAreThereBeforeAnyGuestWhenADayIsStartedLate(t *testing.T) {
	d := newDay(t, saturday, ceremony().Add(-30*time.Minute))
	d.book(t, "a", "Europe/London", saturday+" 15:00", 300)
	d.play()
	assert.Equal(t, []string{"12 13:30 to 12 20:45: 15", "12 20:45 to 12 23:00: 3"}, d.effects(), "at once")
	assert.Contains(t, fmt.Sprint(d.notes()), "waves would not be done 20 min before")
	last := d.rows[len(d.rows)-1]
	assert.NotEmpty(t, last.Checks, "what is booked late is checked, too, as long as guests are to come")
}

func TestACancelledWeddingGivesItsFloorBackAtOnce(t *testing.T) {
	d := newDay(t, saturday, ceremony().Add(-30*time.Hour))
	d.book(t, "a", "Europe/London", saturday+" 15:00", 300)
	d.book(t, "b", "Europe/London", saturday+" 15:00", 30)
	d.at(ceremony().Add(-time.Hour), func() {
		d.change("a", func(w *models.Wedding) { w.Status = models.WeddingCancelled })
		d.signal(workflows.SignalWeddingCancelled, "a")
	})
	d.play()
	assert.Equal(t, []string{
		"12 11:45 to 12 20:45: 16, ended 12 13:00", "12 20:45 to 12 23:00: 3", "12 13:00 to 12 20:45: 4",
	}, d.effects())
	assert.Contains(t, fmt.Sprint(d.notes()), "the wedding of 300 guests at 12 Jun 14:00 UTC is cancelled")
}

func TestADayWithoutWeddingsEnds(t *testing.T) {
	d := newDay(t, saturday, ceremony().Add(-30*time.Hour))
	d.book(t, "a", "Europe/London", saturday+" 15:00", 300)
	d.at(ceremony().Add(-2*time.Hour), func() {
		d.change("a", func(w *models.Wedding) { w.Status = models.WeddingCancelled })
		d.signal(workflows.SignalWeddingCancelled, "a")
	})
	d.play()
	assert.Equal(t, "empty", d.report.Outcome)
	assert.Equal(t, []string{"12 11:45 to 12 20:45: 15, ended 12 12:00", "12 20:45 to 12 23:00: 3, ended 12 12:00"}, d.effects())
}

func TestAWeddingMovedAnHourBeforeItBegins(t *testing.T) {
	d := newDay(t, saturday, ceremony().Add(-30*time.Hour))
	d.book(t, "a", "Europe/London", saturday+" 15:00", 300)
	d.at(ceremony().Add(-time.Hour), func() {
		d.change("a", func(w *models.Wedding) { w.StartsAt, w.EndsAt = w.StartsAt.Add(3*time.Hour), w.EndsAt.Add(3*time.Hour) })
		d.signal(workflows.SignalWeddingMoved, "a")
	})
	d.play()
	assert.Equal(t, []string{
		"12 11:45 to 12 20:45: 15, ended 12 13:00", "12 20:45 to 12 23:00: 3, ended 12 13:00",
		"12 14:45 to 12 23:45: 15", "12 23:45 to 13 02:00: 3",
	}, d.effects(), "the floor follows, over midnight, in the workflow of the day it belongs to")
	assert.Contains(t, fmt.Sprint(d.notes()), "moves from 12 Jun 14:00 UTC to 12 Jun 17:00 UTC")
}

func TestAWeddingMovedToAnotherDayLeavesThisOne(t *testing.T) {
	d := newDay(t, saturday, ceremony().Add(-30*time.Hour))
	d.book(t, "a", "Europe/London", saturday+" 15:00", 300)
	d.at(ceremony().Add(-time.Hour), func() {
		d.change("a", func(w *models.Wedding) {
			w.StartsAt, w.EndsAt = w.StartsAt.Add(24*time.Hour), w.EndsAt.Add(24*time.Hour)
		})
		d.signal(workflows.SignalWeddingMoved, "a")
	})
	d.play()
	assert.Equal(t, "empty", d.report.Outcome)
	assert.Contains(t, fmt.Sprint(d.notes()), "is on another day now")
}

func TestFewerGuestsThanPlannedLetTheFloorDown(t *testing.T) {
	d := newDay(t, saturday, ceremony().Add(-30*time.Hour))
	d.book(t, "a", "Europe/London", saturday+" 15:00", 300)
	d.demand = func(time.Time) *float64 { return rps(230) } // a third of 700
	d.play()
	assert.Contains(t, d.phases(), models.WeddingDayDecay)
	_, _, first := d.change2(15)
	assert.WithinDuration(t, ceremony().Add(45*time.Minute), first, time.Second, "not before 45 min after the ceremony")
	for _, r := range d.claims {
		assert.GreaterOrEqual(t, r.Replicas, 3, "⌈1.3 · what 230 requests/s need⌉ at the least while the guests are there")
	}
	assert.Contains(t, fmt.Sprint(d.notes()), "guests stay away")
}

// change2 gives the first claim of a size, and when it ended.
func (d *dayRun) change2(replicas int) (from, until, ended time.Time) {
	for _, id := range d.order {
		if r := d.claims[id]; r.Replicas == replicas && r.EndedAt != nil {
			return r.From, r.Until, *r.EndedAt
		}
	}
	return from, until, ended
}

func TestThreeTimesAsManyGuestsRaiseTheFloorForTheRestOfTheDay(t *testing.T) {
	d := newDay(t, saturday, ceremony().Add(-30*time.Hour))
	d.book(t, "a", "Europe/London", saturday+" 15:00", 300)
	d.demand = func(at time.Time) *float64 {
		if at.Before(ceremony().Add(-2*time.Hour)) || at.After(ceremony().Add(6*time.Hour)) {
			return rps(100)
		}
		return rps(100 + 900*2)
	}
	d.play()
	most := 0
	for _, r := range d.claims {
		most = max(most, r.Replicas)
	}
	assert.Equal(t, 40, most, "⌈(100 + 900·2) ÷ 48⌉")
	assert.Contains(t, fmt.Sprint(d.notes()), "more have come")
}

func TestALateCeremonyHasItsFloor(t *testing.T) {
	d := newDay(t, saturday, ceremony().Add(-30*time.Hour))
	d.book(t, "a", "Europe/London", saturday+" 15:00", 300)
	late := ceremony().Add(45 * time.Minute)
	d.demand = func(at time.Time) *float64 {
		if at.Before(late) {
			return rps(120)
		}
		return rps(690)
	}
	floors := map[time.Duration]int{}
	for _, after := range []time.Duration{-40 * time.Minute, 0, 40 * time.Minute, 50 * time.Minute, 2 * time.Hour, 6*time.Hour + 30*time.Minute} {
		d.at(ceremony().Add(after+time.Second), func() { floors[after] = d.floor(d.env.Now()) })
	}
	d.play()
	for after, n := range floors {
		assert.Equal(t, 15, n, "%s after the time on the invitation", after)
	}
}

func TestAPersonExtendsEndsAndRaises(t *testing.T) {
	d := newDay(t, saturday, ceremony().Add(-30*time.Hour))
	d.book(t, "a", "Europe/London", saturday+" 15:00", 300)
	d.book(t, "b", "Europe/London", saturday+" 15:00", 150)
	var raised, long, unknown, far *error
	var extended *models.WeddingDayAnswer
	d.at(ceremony(), func() {
		base := workflows.RaiseRequest{Service: models.ServiceAPI, Replicas: 30, Until: ceremony().Add(2 * time.Hour), WeddingID: "a", Bounded: true, Actor: "user:carla", Reason: "more cars than invited"}
		_, raised = d.update(workflows.UpdateRaiseFloor, base)
		much, lasting := base, base
		much.Replicas, lasting.Until = 31, ceremony().Add(13*time.Hour)
		_, far = d.update(workflows.UpdateRaiseFloor, much)
		_, long = d.update(workflows.UpdateRaiseFloor, lasting)
		_, unknown = d.update(workflows.UpdateExtend, workflows.ExtendRequest{WeddingID: "z", Until: ceremony().Add(9 * time.Hour), Actor: "user:carla", Reason: "the band plays on"})
	})
	d.at(ceremony().Add(7*time.Hour), func() {
		extended, _ = d.update(workflows.UpdateExtend, workflows.ExtendRequest{WeddingID: "a", Until: ceremony().Add(11 * time.Hour), Actor: "user:carla", Reason: "the band plays on"})
		d.update(workflows.UpdateEnd, workflows.EndRequest{WeddingID: "b", Actor: "user:carla", Reason: "a storm"})
	})
	d.play()
	require.NoError(t, *raised)
	require.ErrorContains(t, *far, "at most 30, half more than the floor of 20")
	require.ErrorContains(t, *long, "next 12 hours")
	require.ErrorContains(t, *unknown, "must be a wedding of this day")
	assert.Contains(t, extended.Text, "lasts until 13 Jun 01:00 UTC")
	got := d.effects()
	assert.Contains(t, got, "12 14:00 to 12 16:00: 30", "placed at once, with an end")
	assert.Contains(t, fmt.Sprint(d.notes()), "wedding b ended, says user:carla: a storm")
	assert.False(t, d.report.Until.Before(ceremony().Add(12*time.Hour)), "the day goes on with the extension")
}

func TestTheCalendarMayBeAwayForADay(t *testing.T) {
	d := newDay(t, saturday, ceremony().Add(-30*time.Hour))
	d.book(t, "a", "Europe/London", saturday+" 15:00", 300)
	d.at(ceremony().Add(-20*time.Hour), func() { d.mu.Lock(); d.away = true; d.mu.Unlock() })
	d.at(ceremony().Add(4*time.Hour), func() { d.mu.Lock(); d.away = false; d.mu.Unlock() })
	d.play()
	assert.Equal(t, []string{"12 11:45 to 12 20:45: 15", "12 20:45 to 12 23:00: 3"}, d.effects(), "the last copy counts")
	assert.Contains(t, fmt.Sprint(d.notes()), "the calendar cannot be read since")
	assert.Equal(t, "completed", d.report.Outcome)
}

func TestFloorsThatCannotBeKeptAreTriedAgain(t *testing.T) {
	d := newDay(t, saturday, ceremony().Add(-4*time.Hour))
	d.book(t, "a", "Europe/London", saturday+" 15:00", 300)
	d.broken = true
	d.at(ceremony().Add(-3*time.Hour), func() { d.mu.Lock(); d.broken = false; d.mu.Unlock() })
	d.play()
	assert.Equal(t, []string{"12 11:45 to 12 20:45: 15", "12 20:45 to 12 23:00: 3"}, d.effects())
	assert.Contains(t, fmt.Sprint(d.notes()), "could not be reserved")
}

func TestTheNightsOfBothClockChangesAndAllZonesOfADate(t *testing.T) {
	for name, c := range map[string]struct{ date, zone, local string }{
		"clocks go forward": {"2027-03-27", "Europe/London", "2027-03-27 20:00"},
		"clocks go back":    {"2027-10-30", "Europe/London", "2027-10-30 20:00"},
		"far east":          {saturday, "Pacific/Kiritimati", saturday + " 09:00"},
		"far west":          {saturday, "Pacific/Honolulu", saturday + " 22:00"},
	} {
		t.Run(name, func(t *testing.T) {
			loc, err := time.LoadLocation(c.zone)
			require.NoError(t, err)
			start, err := time.ParseInLocation("2006-01-02 15:04", c.local, loc)
			require.NoError(t, err)
			d := newDay(t, c.date, start.UTC().Add(-25*time.Hour))
			d.book(t, "a", c.zone, c.local, 300)
			d.book(t, "of another date", c.zone, start.Add(26*time.Hour).In(loc).Format("2006-01-02 15:04"), 300)
			d.play()
			require.Len(t, d.claims, 2)
			first := d.claims[d.order[0]]
			assert.Equal(t, 9*time.Hour, first.Until.Sub(first.From), "clocks move no window")
			assert.True(t, first.From.Equal(start.Add(-135*time.Minute)))
			assert.Equal(t, 1, d.report.Weddings)
		})
	}
}

func TestWeddingsOfTwoDatesAtOnceAddUpInBothWorkflows(t *testing.T) {
	d := newDay(t, saturday, ceremony().Add(-30*time.Hour))
	d.book(t, "a", "Europe/London", saturday+" 22:00", 150)
	d.book(t, "b", "Asia/Tokyo", "2027-06-13 07:00", 150) // an hour later
	d.play()
	most := 0
	for _, r := range d.claims {
		most = max(most, r.Replicas)
		assert.Zero(t, r.Guests, "the guests are in the floor: the engine is not to add them up again")
	}
	assert.Equal(t, 14, most, "⌈(100 + 300·1.6 + √2·150·0.4) ÷ 48⌉: whichever day the guests belong to")
}

func TestADayThatIsCancelledLeavesNothingReserved(t *testing.T) {
	d := newDay(t, saturday, ceremony().Add(-30*time.Hour))
	d.book(t, "a", "Europe/London", saturday+" 15:00", 300)
	d.at(ceremony().Add(time.Hour), func() { d.env.CancelWorkflow() })
	d.play()
	require.Error(t, d.err)
	assert.Equal(t, "12 11:45 to 12 20:45: 15, ended 12 15:00", d.effects()[0])
	assert.Equal(t, "cancelled", d.rows[len(d.rows)-1].Report.Outcome)
}

func TestWhatIsNotReadyTwentyMinutesBeforeIsPaged(t *testing.T) {
	d := newDay(t, saturday, ceremony().Add(-30*time.Hour))
	d.book(t, "a", "Europe/London", saturday+" 15:00", 300)
	d.ready = func(time.Time) int { return 11 }
	d.freeze = true
	d.play()
	assert.Contains(t, fmt.Sprint(d.notes()), "11 of 15 replicas of api are ready less than 20 min before 300 guests come")
	assert.Contains(t, fmt.Sprint(d.notes()), "freeze: api is frozen by user:anna")
	var pages, warnings []string
	for _, n := range d.heard {
		if n.Level == models.FlagPage {
			pages = append(pages, n.Text)
		} else {
			warnings = append(warnings, n.Text)
		}
	}
	require.Len(t, pages, 1, "people are called once")
	assert.Contains(t, pages[0], "11 of 15 replicas")
	require.Len(t, warnings, 1)
	assert.Contains(t, warnings[0], "freeze")
}

func TestADayThatContinuesAsNewHasTheSameEffects(t *testing.T) {
	play := func(every int) *dayRun {
		d := newDay(t, saturday, ceremony().Add(-30*time.Hour))
		d.every = every
		d.book(t, "a", "Europe/London", saturday+" 15:00", 300)
		d.book(t, "b", "Europe/London", saturday+" 18:00", 200)
		d.demand = func(at time.Time) *float64 {
			if at.After(ceremony().Add(4 * time.Hour)) {
				return rps(210)
			}
			return rps(500)
		}
		for i := range 10 {
			d.at(ceremony().Add(time.Duration(i-5)*17*time.Minute+13*time.Second), func() {
				d.change("b", func(w *models.Wedding) { w.Guests += 10 })
				d.signal(workflows.SignalWeddingMoved, "b")
			})
		}
		d.at(ceremony().Add(3*time.Hour+7*time.Minute), func() {
			d.update(workflows.UpdateExtend, workflows.ExtendRequest{WeddingID: "b", Until: ceremony().Add(11 * time.Hour), Actor: "user:carla", Reason: "the band plays on"})
		})
		return d.play()
	}
	whole := play(1000)
	assert.Equal(t, 1, whole.runs)
	for _, every := range []int{1, 2, 3, 5, 7} {
		cut := play(every)
		assert.Greater(t, cut.runs, 10)
		assert.Equal(t, whole.effects(), cut.effects(), "every %d", every)
		assert.Equal(t, whole.report, cut.report, "every %d", every)
		assert.Equal(t, whole.notes(), cut.notes(), "every %d", every)
	}
}

func TestTheDailyLookStartsEachDateOnce(t *testing.T) {
	b := newDaybook(func() time.Time { return ceremony().Add(-3 * 24 * time.Hour) })
	b.book(t, "a", "Europe/London", saturday+" 15:00", 300)
	b.book(t, "b", "Europe/London", saturday+" 16:00", 300)
	b.book(t, "c", "Europe/London", "2027-06-14 16:00", 300)
	b.book(t, "far", "Europe/London", "2027-08-14 16:00", 300)
	rep, err := b.keeper().StartWeddingDays(t.Context())
	require.NoError(t, err)
	assert.Equal(t, activities.Report{Changed: []string{saturday, "2027-06-14"}}, rep)
	rep, err = b.keeper().StartWeddingDays(t.Context())
	require.NoError(t, err)
	assert.Empty(t, rep.Changed)
}
