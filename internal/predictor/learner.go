package predictor

import (
	"math"
	"sync"
	"time"

	"github.com/wedsync/scalability/internal/forecast"
	"github.com/wedsync/scalability/models"
)

const (
	learnHours    = 365 * 24             // of history that is learned from
	learnedAfter  = 14 * 24              // hours of history from which on models learn; under it services alike stand in
	learnedLeast  = learnedAfter * 3 / 4 // of them that were measured
	recordHours   = 7 * 24               // that are kept of the next hour's forecasts
	fewestLearned = 8                    // weddings, before what they bring counts as known
	weddingPower  = 1                    // of the guests
	lookAheadDays = 7                    // that each night forecasts, for their intervals
	doubtHours    = recordHours + 24     // before now from which on each hour is forecast before it is learned
)

// clock numbers hours by the clock on the spot, which days and weeks follow. The hour
// that a clock repeats has one number, the one that it leaves out has a number and no load.
type clock struct {
	start time.Time // midnight of the first day, written as UTC
	zone  *time.Location
}

func (c clock) index(hour int64) int {
	local := timeOf(hour).In(c.zone)
	return int(c.day(local).Sub(c.start)/time.Hour) + local.Hour()
}

func (clock) day(local time.Time) time.Time {
	return time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC)
}

// offset is how far the clock of a zone is ahead of UTC at a time.
func offset(zone *time.Location, at time.Time) time.Duration {
	_, seconds := at.In(zone).Zone()
	return time.Duration(seconds) * time.Second
}

// sameHour is the hour that was on the same place of the zone's clock so many hours before.
func sameHour(zone *time.Location, hour, back int64) int64 {
	then := hour - back
	return then + int64((offset(zone, timeOf(hour))-offset(zone, timeOf(then)))/time.Hour)
}

// at is a moment in hours since the start.
func (c clock) at(t time.Time) float64 {
	hour := hourOf(t)
	return float64(c.index(hour)) + t.Sub(timeOf(hour)).Hours()
}

// learner is what was learned of one service. Its fields are used under its lock.
type learner struct {
	mu     sync.Mutex
	core   *forecast.Model
	clock  clock
	next   int64 // the first hour that was not taken
	sum    float64
	n      int              // hours in sum, which have the same number on the clock
	booked []models.Wedding // in the calendar of core
	record record
	guess  *forecast.Point // of the hour that comes next, as it was made before it
	doubt  int64           // hour from which on forecasts are kept beside what came
	fitted time.Time
	cohort bool // it stands in for too little history
}

// lesson is what a learner is made from.
type lesson struct {
	running  int64
	load     map[int64]float64
	weddings []models.Wedding
	events   bool // the calendar counts
	zone     *time.Location
	holiday  func(time.Time) bool
	cohort   *forecast.Cohort
}

// learn makes a learner of all hours that are over.
func (s lesson) learn(now time.Time) *learner {
	first := s.first()
	l := &learner{clock: clock{zone: s.zone}, next: first, doubt: s.running - doubtHours, fitted: now, cohort: s.cohort != nil}
	l.clock.start = l.clock.day(timeOf(first).In(s.zone))
	l.core = forecast.New(forecast.Options{
		Start: l.clock.start, Holiday: s.holiday, Events: s.events, Power: weddingPower, Cohort: s.cohort, Days: lookAheadDays,
	})
	if s.events {
		l.book(s.weddings)
	}
	l.take(s.load, s.running)
	return l
}

// first is the first hour to learn from: a midnight, where that costs little.
func (s lesson) first() int64 {
	first := s.running
	for h := range s.load {
		first = min(first, h)
	}
	first = max(first, s.running-learnHours)
	for range 24 {
		if s.running-first < learnedAfter || timeOf(first).In(s.zone).Hour() == 0 {
			break
		}
		first++
	}
	return first
}

// book replaces the calendar.
func (l *learner) book(weddings []models.Wedding) {
	events := make([]forecast.Event, 0, len(weddings))
	for _, w := range weddings {
		if counts(w) {
			events = append(events, forecast.Event{ID: w.ID, Start: l.clock.at(w.StartsAt), Size: float64(w.Guests), Tags: tagsOf(w)})
		}
	}
	l.core.SetCalendar(events)
	l.booked = weddings
}

// tagsOf are what tells weddings apart, beside their guests.
func tagsOf(w models.Wedding) []string {
	var out []string
	if w.Type != "" {
		out = append(out, "type "+string(w.Type))
	}
	if w.Tier != "" {
		out = append(out, "tier "+string(w.Tier))
	}
	if w.Region != "" {
		out = append(out, "region "+w.Region)
	}
	return out
}

// take learns from the hours before running that are new; one that was not measured is
// missing.
func (l *learner) take(load map[int64]float64, running int64) {
	for ; l.next < running; l.next++ {
		for l.core.Hours() < l.clock.index(l.next) { // left out by the clock
			l.close(l.next)
		}
		if v, ok := load[l.next]; ok {
			l.sum += v
			l.n++
		}
		if l.clock.index(l.next+1) > l.clock.index(l.next) {
			l.close(l.next)
		}
	}
}

// close ends an hour of the clock.
func (l *learner) close(hour int64) {
	v := math.NaN()
	if l.n > 0 {
		v = l.sum / float64(l.n)
	}
	l.sum, l.n = 0, 0
	if hour >= l.doubt && !math.IsNaN(v) {
		if l.guess == nil || l.guess.Hour != l.core.Hours() {
			l.guess = &l.core.Forecast(1)[0]
		}
		l.record.add(hour, v, *l.guess)
	}
	l.guess = nil
	l.core.Observe(v)
}

// record is how the forecasts of the next hour did, oldest first.
type record []scored

type scored struct {
	hour           int64
	actual, p50    float64
	low, p95, high float64 // 95 % are to lie between low and high, and below p95
	ranged         bool
}

func (r *record) add(hour int64, actual float64, p forecast.Point) {
	s := scored{hour: hour, actual: actual, p50: p.Expected}
	s.low, s.ranged = p.Quantile(0.025)
	s.high, _ = p.Quantile(0.975)
	s.p95, _ = p.Quantile(0.95)
	for len(*r) > 0 && (len(*r) >= recordHours || (*r)[0].hour <= hour-recordHours) {
		*r = (*r)[1:]
	}
	*r = append(*r, s)
}

// since is what is left of a record from an hour on.
func (r record) since(hour int64) record {
	for i, s := range r {
		if s.hour >= hour {
			return r[i:]
		}
	}
	return nil
}

// wape is Σ|load − forecast| ÷ Σ load; NaN where nothing was served.
func (r record) wape() float64 {
	missed, served := 0.0, 0.0
	for _, s := range r {
		missed += math.Abs(s.actual - s.p50)
		served += s.actual
	}
	return missed / served
}

// coverage is the share of hours that did not pass their 95th percentile; NaN without one.
func (r record) coverage() float64 {
	below, n := 0.0, 0.0
	for _, s := range r {
		if !s.ranged {
			continue
		}
		n++
		if s.actual <= s.p95 {
			below++
		}
	}
	return below / n
}
