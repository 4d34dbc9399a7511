package simulate

import (
	"math"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
)

const (
	dayMinutes  = 1440
	weekMinutes = 7 * dayMinutes
	lookAhead   = 30  // minutes in which no scale-in is to be regretted
	levelSpan   = 2   // minutes that are the level now
	surgeFrom   = 1.3 // times the level now: a guess of more is one of a surge
	courseMost  = 6   // times the level that the profile may rise to
	usualWeeks  = 4
	trustDays   = 14
	trustWAPE   = 0.35
	trustLow    = 0.90
	trustHigh   = 0.99
)

// forecast is the predictor of the benchmark: the load of now, with the rise or fall that
// is usual from this minute on, and the guests of the calendar on top. How far it was off
// within a week, in logarithms, gives the quantiles (conformal), clamped to −0.2 and 0.7.
// It judges itself on the same week. The product's predictor answers in hours; this one
// stands for what the port of a decision can be given, and may use nothing but the past.
type forecast struct {
	lead    int     // minutes until what is ordered now serves
	guests  *guests // nil without a calendar
	rest    prefix  // load without guests
	profile []float64
	open    []guess // whose minutes are not over yet
	calm    record  // of guesses near the level of their time
	surge   record  // of guesses of a rise
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

// at is the forecast of the largest load within the lead time. Each minute of the record is gone through once, also those
// of the history: the predictor has judged itself before it is asked.
func (f *forecast) at(v View, lead time.Duration) models.ForecastPoint {
	f.lead = int(math.Ceil(lead.Minutes()))
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
	for i := len(f.profile); i <= now+max(f.lead, lookAhead); i++ {
		f.profile = append(f.profile, f.usualAt(i))
	}
	had, profile := f.level(now)
	p50, base, ahead := 0.0, 0.0, 0.0
	for i := now; i <= now+lookAhead || i <= now+f.lead; i++ {
		own := course(had, profile, f.profile[i])
		x := own + f.fromGuests(i)
		if i <= now+f.lead {
			p50, base = math.Max(p50, x), math.Max(base, own)
		}
		if i <= now+lookAhead {
			ahead = math.Max(ahead, x)
		}
	}
	surge := p50 > surgeFrom*math.Max(0, had+f.fromGuests(now-1))
	q := f.recordOf(surge).quantiles()
	f.floor = math.Max(0, base)
	f.point.P50, f.point.P95, f.point.P99 = p50, p50*q.p95, p50*q.p99
	f.point.LookAheadP90 = ahead * q.p90
	f.open = append(f.open, guess{now, f.lead, p50, p50 * q.p95, surge})
}

// recordOf is the record that a guess is judged in: that a surge stays away is another
// error than that one comes.
func (f *forecast) recordOf(surge bool) *record {
	if surge {
		return &f.surge
	}
	return &f.calm
}

// usualAt is the profile of a minute: the 80th percentile of what the same minute had on
// the last seven days and in the last three weeks, so that what comes on every third day
// is planned for. 0 where the past says nothing.
func (f *forecast) usualAt(minute int) float64 {
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
	for w := 1; w <= 3; w++ {
		take(minute - w*weekMinutes)
	}
	if len(known) == 0 {
		return 0
	}
	slices.Sort(known)
	return known[(4*len(known)+4)/5-1]
}

// level is the load without guests of the last minutes, and what the profile has for
// them; it may be below nothing where fewer guests came than were expected.
func (f *forecast) level(now int) (had, profile float64) {
	var seen, usual average
	for i := max(0, now-levelSpan); i < now; i++ {
		if x := f.rest.value(i); !math.IsNaN(x) {
			seen.add(x)
			usual.add(f.profile[i])
		}
	}
	if seen.n == 0 { // nothing is seen: the profile alone speaks
		return f.profile[now], f.profile[now]
	}
	return seen.mean(), usual.mean()
}

// course is the load of a coming minute: the level now, risen or fallen as the profile
// does from now to then. A surge that is usual is expected until its time is over, and
// one that did not come is not waited for.
func course(had, profile, then float64) float64 {
	if had <= 0 || profile <= 0 {
		return had
	}
	return had * math.Min(courseMost, then/profile)
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
			f.recordOf(g.surge).add(outcome{g.minute, had, g.p50, had <= g.p95})
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
	switch {
	case days < trustDays:
		p.Trusted, p.Reason = false, "less than 14 days of history"
	case wape > trustWAPE:
		p.Trusted, p.Reason = false, "it was further off than 35 % within a week"
	case coverage < trustLow || coverage > trustHigh:
		p.Trusted, p.Reason = false, "its 95th percentile did not cover 90 to 99 % within a week"
	default:
		p.Trusted, p.Reason = true, "it kept its word within a week"
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
