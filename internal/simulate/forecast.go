package simulate

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

// forecast is the predictor of the benchmark: what the same minute had on other days, at
// the level of now, and the guests of the calendar on top. Its median and the 70th
// percentile come from the days; how far the median was off within a week, in logarithms,
// gives the higher quantiles (conformal), clamped to −0.2 and 0.7. It judges itself on the
// same week; whether that is good enough is for the decision to say. The product's
// predictor answers in hours; this one stands for what the port of a decision can be
// given, and may use nothing but the past.
type forecast struct {
	lead    int       // minutes until what is ordered now serves
	guests  *guests   // nil without a calendar
	rest    prefix    // load without guests
	profile []float64 // median of each minute
	planned []float64 // 70th percentile
	jumps   surges
	open    []guess // whose minutes are not over yet
	calm    record  // of guesses near the level of their time
	surge   record  // of guesses of a rise
	counted int     // minute from which a run is reported
	tally   tally   // of the guesses since then
	point   models.ForecastPoint
	floor   float64 // load without guests within the lead time
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

func newForecast(g *guests) *forecast {
	f := &forecast{guests: g}
	f.weekly.hour = -1
	return f
}

// at is the forecast of the largest load within the lead time. Each minute of the record
// is gone through once, also those of the history: the predictor has judged itself before
// it is asked.
func (f *forecast) at(v View, lead time.Duration) models.ForecastPoint {
	f.lead = int(lead.Minutes())
	minutes := v.Metrics.Minutes()
	done := len(f.rest.sums)
	for i := done; i < len(minutes); i++ {
		f.rest.add(minutes[i] - f.fromGuests(i))
		f.judge(minutes, i+1)
		f.predict(i + 1)
	}
	if len(minutes) > done {
		f.summarise(minutes)
		f.point.IssuedAt = v.Now
	}
	return f.point
}

// base is the load without guests that is expected within the lead time.
func (f *forecast) base() float64 { return f.floor }

// usual is the 95th percentile of the load at this hour of the week.
func (f *forecast) usual() (float64, bool) { return f.weekly.p95, f.weekly.ok }

func (f *forecast) fromGuests(minute int) float64 {
	if f.guests == nil {
		return 0
	}
	return f.guests.at(minute)
}

// predict makes the forecast at the beginning of a minute.
func (f *forecast) predict(now int) {
	for i := len(f.profile); i <= now+max(f.lead+verifyMinutes, lookAhead); i++ {
		middle, planned := f.usualAt(i)
		f.profile, f.planned = append(f.profile, middle), append(f.planned, planned)
	}
	f.jumps.see(&f.rest, now)
	f.jumps.plan(f.planned, &f.rest, now)
	p50, p70 := f.path(f.profile, now), f.path(f.planned, now)
	had := f.correct(f.profile, now).had + f.fromGuests(now-1)
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

// path takes a profile's coming minutes to the level of now, and adds the guests. Where
// the past says nothing of a minute, it is as now.
func (f *forecast) path(profile []float64, now int) largest {
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
		x := own + f.fromGuests(i)
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
	had    float64 // load without guests of the last two minutes
	quiet  float64 // lowest of the profile within the last quarter of an hour
	factor float64 // of the quiet minutes of that time on their profile
	came   float64 // share of a surge that the profile has now
}

func (f *forecast) correct(profile []float64, now int) level {
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
func (f *forecast) recordOf(surge bool) *record {
	if surge {
		return &f.surge
	}
	return &f.calm
}

// usualAt is what the same minute had on the last seven days and in the last three
// weeks: the median, and the 70th percentile, so that what comes on every third day is
// planned for; NaN where the past says nothing.
func (f *forecast) usualAt(minute int) (middle, planned float64) {
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
func (f *forecast) judge(minutes []float64, now int) {
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
func (f *forecast) summarise(minutes []float64) {
	f.usually(minutes)
	days := float64(f.rest.known()) / dayMinutes
	wape, coverage := together(&f.calm, &f.surge)
	p := &f.point
	p.Model, p.HistoryDays, p.WAPE7Days, p.Coverage95 = "profile", &days, nil, nil
	if f.calm.count()+f.surge.count() > 0 {
		p.WAPE7Days, p.Coverage95 = &wape, &coverage
	}
	p.Calendar = f.guests != nil
	p.Trusted, p.Reason = true, "it is judged by its record"
	if p.WAPE7Days == nil || days < trustDays {
		p.Trusted, p.Reason = false, "less than a day of history"
	}
}

// usually finds, once an hour, what is usual at this hour of the week.
func (f *forecast) usually(minutes []float64) {
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

// prefix keeps sums over a record with gaps.
type prefix struct {
	sums   []float64
	counts []int
}

func (p *prefix) add(v float64) {
	sum, n := 0.0, 0
	if last := len(p.sums) - 1; last >= 0 {
		sum, n = p.sums[last], p.counts[last]
	}
	if !math.IsNaN(v) {
		sum, n = sum+v, n+1
	}
	p.sums, p.counts = append(p.sums, sum), append(p.counts, n)
}

func (p *prefix) known() int {
	if len(p.counts) == 0 {
		return 0
	}
	return p.counts[len(p.counts)-1]
}

// value is one entry; NaN where it is not known.
func (p *prefix) value(i int) float64 {
	if x, ok := p.between(i, i+1); ok {
		return x
	}
	return math.NaN()
}

func (p *prefix) between(from, to int) (float64, bool) {
	from, to = max(0, from), min(to, len(p.sums))
	if to <= from {
		return 0, false
	}
	sum, n := p.sums[to-1], p.counts[to-1]
	if from > 0 {
		sum, n = sum-p.sums[from-1], n-p.counts[from-1]
	}
	if n == 0 {
		return 0, false
	}
	return sum / float64(n), true
}
