package minute

import (
	"math"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
)

const (
	dayMinutes    = 1440
	weekMinutes   = 7 * dayMinutes
	lookAhead     = 30 // minutes in which no scale-in is to be regretted
	levelSpan     = 15 // minutes that correct the level
	levelLow      = 0.7
	levelHigh     = 1.3
	surgeFrom     = 1.3 // times the level now: more is a surge
	cameShare     = 0.6 // of a surge that the profile has: with less it stays away,
	awayFor       = 5   // for so many minutes more
	newestMinutes = 1   // that are the load now
	verifyMinutes = 4   // from the time an order serves until it is verified
	usualWeeks    = 4
	trustDays     = 1
)

// Events is what the events of a calendar bring in a minute, counted from the first of
// the record.
type Events func(minute int) float64

// Forecaster forecasts from what the same minute had on other days, at the level of now,
// with the events of a calendar on top. Its median and the 70th percentile come from the
// days; how far the median was off within a week, in logarithms, gives the higher
// quantiles (conformal), clamped to −0.2 and 0.7. It judges itself on the same week;
// whether that is good enough is for the decision to say.
type Forecaster struct {
	lead    int       // minutes until what is ordered now serves
	events  Events    // nil without a calendar
	rest    prefix    // load without events
	profile []float64 // median of each minute
	planned []float64 // 70th percentile
	jumps   surges
	open    []guess // whose minutes are not over yet
	calm    record  // of guesses near the level of their time
	surge   record  // of guesses of a rise
	counted int     // minute from which a run is reported
	tally   tally   // of the guesses since then
	point   models.ForecastPoint
	floor   float64 // load without events within the lead time
	weekly  struct {
		hour int
		p95  float64
		ok   bool
	}
}

// guess is a forecast that waits for its judge.
type guess struct {
	minute   int
	lead     int
	p50, p95 float64
	surge    bool
}

// New makes a Forecaster; without events it knows of none.
func New(events Events) *Forecaster {
	f := &Forecaster{events: events}
	f.weekly.hour = -1
	return f
}

// JudgeFrom has Foresight count the forecasts from a minute of the record on.
func (f *Forecaster) JudgeFrom(minute int) { f.counted = minute }

// Foresight is how the forecasts did since then; nil before one was judged.
func (f *Forecaster) Foresight() *Foresight { return f.tally.foresight() }

// Next forecasts the largest load within the lead time. The record is the mean load of
// each minute, oldest first, NaN where nothing is known, and grows from call to call. Each
// of its minutes is gone through once, also those of the past: the forecaster has judged
// itself before it is asked.
func (f *Forecaster) Next(record []float64, lead time.Duration, now time.Time) models.ForecastPoint {
	f.lead = int(lead.Minutes())
	done := len(f.rest.sums)
	for i := done; i < len(record); i++ {
		f.rest.add(record[i] - f.ofEvents(i))
		f.judge(record, i+1)
		f.predict(i + 1)
	}
	if len(record) > done {
		f.summarise(record)
		f.point.IssuedAt = now
	}
	return f.point
}

// Base is the load without events that is usual within the lead time; level takes a minute
// to the level of its weekday, nil leaves it. It is not taken to the level of now: what is
// left of that, a decision weighs against what events bring.
func (f *Forecaster) Base(level func(minute int) float64) float64 {
	now, most := len(f.rest.sums), 0.0
	for i := now; i <= now+f.lead && i < len(f.profile); i++ {
		x := f.profile[i]
		if level != nil {
			x *= level(i)
		}
		if x > most {
			most = x
		}
	}
	if most > 0 {
		return most
	}
	return f.floor
}

// Usual is the 95th percentile of the load at this hour of the week.
func (f *Forecaster) Usual() (float64, bool) { return f.weekly.p95, f.weekly.ok }

func (f *Forecaster) ofEvents(minute int) float64 {
	if f.events == nil {
		return 0
	}
	return f.events(minute)
}

// predict makes the forecast at the beginning of a minute.
func (f *Forecaster) predict(now int) {
	for i := len(f.profile); i <= now+max(f.lead+verifyMinutes, lookAhead); i++ {
		middle, planned := f.usualAt(i)
		f.profile, f.planned = append(f.profile, middle), append(f.planned, planned)
	}
	f.jumps.see(&f.rest, now)
	f.jumps.plan(f.planned, &f.rest, now)
	p50, p70 := f.path(f.profile, now), f.path(f.planned, now)
	had := f.correct(f.profile, now).had + f.ofEvents(now-1)
	surge := p50.lead > surgeFrom*had
	q, ahead := f.recordOf(surge).quantiles(), f.recordOf(p50.ahead > surgeFrom*had).quantiles()
	f.floor = math.Max(0, p50.own)
	p := &f.point
	p.P50, p.P95, p.P99 = p50.lead, p50.lead*q.p95, p50.lead*q.p99
	p.P70, p.VerifiedP70 = p70.lead, p70.verified
	p.LookAheadP90 = p50.ahead * ahead.p90
	f.open = append(f.open, guess{now, f.lead, p.P50, p.P95, surge})
}

// largest is the largest load of a path within some times from now on.
type largest struct{ lead, verified, ahead, own float64 }

// path takes a profile's coming minutes to the level of now, and adds the events. Where
// the past says nothing of a minute, it is as now.
func (f *Forecaster) path(profile []float64, now int) largest {
	var out largest
	l := f.correct(profile, now)
	for i := now; i <= now+max(lookAhead, f.lead+verifyMinutes); i++ {
		own := profile[i]
		switch {
		case math.IsNaN(own):
			own = l.had
		case l.came < 1 && i <= now+awayFor:
			own *= l.came
		case own < surgeFrom*l.quiet:
			own *= l.factor
		}
		x := own + f.ofEvents(i)
		if i <= now+f.lead {
			out.lead, out.own = math.Max(out.lead, x), math.Max(out.own, own)
		}
		if i <= now+f.lead+verifyMinutes {
			out.verified = math.Max(out.verified, x)
		}
		if i <= now+lookAhead {
			out.ahead = math.Max(out.ahead, x)
		}
	}
	return out
}

// level compares the last minutes with a profile.
type level struct {
	had    float64 // load without events of the last two minutes
	quiet  float64 // lowest of the profile within the last quarter of an hour
	factor float64 // of the quiet minutes of that time on their profile
	came   float64 // share of a surge that the profile has now
}

func (f *Forecaster) correct(profile []float64, now int) level {
	l := level{quiet: math.Inf(1), factor: 1, came: 1}
	from := max(0, now-levelSpan)
	for _, p := range profile[from:now] {
		if p < l.quiet {
			l.quiet = p
		}
	}
	var seen, usual, newest, expected average
	for i := from; i < now; i++ {
		x, p := f.rest.value(i), profile[i]
		if math.IsNaN(x) {
			continue
		}
		if i >= now-newestMinutes {
			newest.add(x)
		}
		switch {
		case math.IsNaN(p):
			continue
		case p <= surgeFrom*l.quiet:
			seen.add(x)
			usual.add(p)
		}
		if i >= now-newestMinutes {
			expected.add(p)
		}
	}
	if newest.n > 0 {
		l.had = math.Max(0, newest.mean())
	}
	if seen.n > 0 && usual.mean() > 0 {
		l.factor = math.Max(levelLow, math.Min(levelHigh, seen.mean()/usual.mean()))
	}
	if expected.n > 0 && expected.mean() > surgeFrom*l.quiet && l.had < cameShare*expected.mean() {
		l.came = l.had / expected.mean()
	}
	return l
}

// recordOf is the record that a guess is judged in: that a surge stays away is another
// error than that one comes.
func (f *Forecaster) recordOf(surge bool) *record {
	if surge {
		return &f.surge
	}
	return &f.calm
}

// usualAt is what the same minute had on the last seven days and in the last three
// weeks: the median, and the 70th percentile, so that what comes on every third day is
// planned for; NaN where the past says nothing.
func (f *Forecaster) usualAt(minute int) (middle, planned float64) {
	var values [10]float64
	known := values[:0]
	take := func(at int) {
		if x := f.rest.value(at); !math.IsNaN(x) {
			known = append(known, math.Max(0, x))
		}
	}
	for d := 1; d <= 7; d++ {
		take(minute - d*dayMinutes)
	}
	for w := 2; w <= 3; w++ {
		take(minute - w*weekMinutes)
	}
	if len(known) == 0 {
		return math.NaN(), math.NaN()
	}
	slices.Sort(known)
	return known[(len(known)+1)/2-1], known[(7*len(known)+9)/10-1]
}

// judge holds the guesses whose minutes are over against what came.
func (f *Forecaster) judge(minutes []float64, now int) {
	for len(f.open) > 0 && f.open[0].minute+f.open[0].lead < now {
		g := f.open[0]
		f.open = f.open[1:]
		had := 0.0
		for _, m := range minutes[g.minute : g.minute+g.lead+1] {
			had = math.Max(had, m) // a NaN stays one: nothing is judged on it
		}
		if had > 0 && g.p50 > 0 {
			o := outcome{g.minute, had, g.p50, had <= g.p95}
			f.recordOf(g.surge).add(o)
			if g.minute >= f.counted {
				f.tally.add(o)
			}
		}
	}
}

// summarise says how far the forecast can be trusted.
func (f *Forecaster) summarise(minutes []float64) {
	f.usually(minutes)
	days := float64(f.rest.known()) / dayMinutes
	wape, coverage := together(&f.calm, &f.surge)
	p := &f.point
	p.Model, p.HistoryDays, p.WAPE7Days, p.Coverage95 = "profile", &days, nil, nil
	if f.calm.count()+f.surge.count() > 0 {
		p.WAPE7Days, p.Coverage95 = &wape, &coverage
	}
	p.Calendar = f.events != nil
	p.Trusted, p.Reason = true, "it is judged by its record"
	if p.WAPE7Days == nil || days < trustDays {
		p.Trusted, p.Reason = false, "less than a day of history"
	}
}

// usually finds, once an hour, what is usual at this hour of the week.
func (f *Forecaster) usually(minutes []float64) {
	hour := len(minutes) / 60
	if hour == f.weekly.hour {
		return
	}
	f.weekly.hour = hour
	var seen []float64
	for w := 1; w <= usualWeeks; w++ {
		from := hour*60 - w*weekMinutes
		if from < 0 {
			break
		}
		for _, m := range minutes[from : from+60] {
			if !math.IsNaN(m) {
				seen = append(seen, m)
			}
		}
	}
	f.weekly.ok = len(seen) > 0
	if f.weekly.ok {
		slices.Sort(seen)
		f.weekly.p95 = seen[len(seen)*95/100]
	}
}
