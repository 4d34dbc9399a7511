package forecast

import (
	"math"

	"github.com/wedsync/scalability/internal/forecast/linear"
	"github.com/wedsync/scalability/internal/forecast/smoothing"
)

// floor is added to a load before its logarithm, as a share of the mean of the last week:
// small hours must not outweigh the others, and an hour of nothing has a logarithm.
const floor = 0.01

// hours are the hours of one day.
type hours [day]float64

// Members of the nightly ensemble.
const (
	byHour = iota
	byHourLinear
	shared
	smoothed
	lastWeek
	lastWeekLevel
	yesterday
	profile
	memberCount
)

// memberNames are what explanations call them.
func memberNames() [memberCount]string {
	return [memberCount]string{
		"ridge by hour", "linear ridge by hour", "shared ridge", "double-seasonal smoothing",
		"last week", "last week at yesterday's level", "yesterday", "profile of four weeks",
	}
}

const (
	sharedPrior   = 10.0
	sharedForget  = 0.9995 // of an hour
	refitDays     = 7      // between searches for the parameters of the smoothing
	fitWeeks      = 12     // of history that they are searched on
	ridgeDays     = 28     // a ridge by hour is asked after so many days of learning
	fewestForFit  = 3 * week
	profileWeeks  = 4
	profileFollow = 0.7 // of yesterday's distance from the profile that is expected to last
)

// base forecasts a load without events, a day at a time, by several methods that are
// weighted by how they did.
type base struct {
	cal        almanac
	log, raw   ridges
	shared     *linear.Recursive
	method     smoothing.Method
	state      *smoothing.State
	fittedOn   int // hours of history at the last search
	smoothedTo int
	record     record
	learned    int // days
	plan       plan
}

// plan is what was forecast for the coming day, and from what.
type plan struct {
	origin       int
	members      [memberCount]hours
	level, scale float64 // of the logarithm; of the load
	eps          float64
	rows, linear [day][]float64
	sharedRows   [day][]float64
}

// prepare forecasts the day that begins at origin from the loads before it, in each
// method. It learns nothing; rows for learning are kept in the plan.
func (b *base) prepare(load []float64, origin int) plan {
	p := plan{origin: origin}
	for k := range p.members {
		for h := range p.members[k] {
			p.members[k][h] = math.NaN()
		}
	}
	from := max(0, origin-reach)
	window := load[from:origin]
	if len(window) < day {
		return p
	}
	recent := window[max(0, len(window)-week):]
	for _, v := range recent {
		p.scale += v / float64(len(recent))
	}
	p.scale = math.Max(p.scale, 1e-9)
	p.eps = floor * p.scale
	z, u := make([]float64, len(window)), make([]float64, len(window))
	for i, v := range window {
		z[i] = math.Log(v + p.eps)
		u[i] = v / p.scale
	}
	b.naives(&p, z)
	if len(window) == reach {
		b.regress(&p, z, u)
	}
	if b.state != nil {
		ahead := max(0, origin-b.smoothedTo)
		for h, v := range b.method.Forecast(b.state, ahead+day)[ahead:] {
			p.members[smoothed][h] = p.back(v)
		}
	}
	return p
}

func (p *plan) back(z float64) float64 { return math.Max(0, math.Exp(z)-p.eps) }

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// naives fills the methods without parameters. z ends at the origin.
func (b *base) naives(p *plan, z []float64) {
	n := len(z)
	for h := range day {
		p.members[yesterday][h] = p.back(z[n-day+h])
	}
	if n < week+day {
		return
	}
	rise := mean(z[n-day:]) - mean(z[n-week-day:n-week])
	for h := range day {
		p.members[lastWeek][h] = p.back(z[n-week+h])
		p.members[lastWeekLevel][h] = p.back(z[n-week+h] + rise)
	}
	weeks := min(profileWeeks, (n-day)/week)
	var now, before hours
	for k := 1; k <= weeks; k++ {
		end := n - (k-1)*week
		level := mean(z[end-week : end])
		for h := range day {
			now[h] += (z[n-k*week+h] - level) / float64(weeks)
			before[h] += (z[n-k*week-day+h] - level) / float64(weeks)
		}
	}
	level := mean(z[n-week:])
	off := mean(z[n-day:]) - level - mean(before[:])
	for h := range day {
		p.members[profile][h] = p.back(level + now[h] + profileFollow*off)
	}
}

// regress fills the ridges. z and u end at the origin and reach back for all lags.
func (b *base) regress(p *plan, z, u []float64) {
	// Rows count days from the origin's own, so the lags are taken from the window's end.
	cal, origin := b.cal, len(z)
	dayNumber := p.origin / day
	shift := almanac{start: cal.date(dayNumber - origin/day), holiday: cal.holiday}
	known := shift.calendarRow(nil, origin/day)
	for h := range day {
		var level float64
		p.rows[h], p.level = shift.lagRow(make([]float64, 0, 128), z, origin, h)
		p.rows[h] = append(p.rows[h], known...)
		p.linear[h], level = shift.lagRow(make([]float64, 0, 128), u, origin, h)
		p.linear[h] = append(p.linear[h], known...)
		p.sharedRows[h] = sharedRow(p.rows[h], known)
		if b.learned >= ridgeDays {
			p.members[byHour][h] = p.back(p.level + b.log.predict(h, p.rows[h]))
			p.members[byHourLinear][h] = math.Max(0, p.scale*(level+b.raw.predict(h, p.linear[h])))
		}
		if b.shared != nil {
			p.members[shared][h] = p.back(p.level + b.shared.Predict(p.sharedRows[h]))
		}
	}
}

// sharedRow picks the features of the ridge that all hours share: the lags of the same
// hour, the means of days, holidays and weekdays.
func sharedRow(row, known []float64) []float64 {
	const lags, means = 12, 12 + 6 + 24
	out := make([]float64, 0, 40)
	out = append(out, row[:lags]...)
	out = append(out, row[lags], row[means], row[means+1], row[means+2], row[means+3], row[means+4])
	out = append(out, known[:holidayFeatures]...)
	return append(out, known[holidayFeatures+seasonFeatures:]...)
}

// learn takes the day that was planned, as it was without events; missing hours are NaN
// in measured and have a stand-in in load.
func (b *base) learn(load []float64, measured []float64) {
	p := &b.plan
	actual := load[p.origin : p.origin+day]
	for h, v := range actual {
		if math.IsNaN(measured[p.origin+h]) {
			continue
		}
		if p.rows[h] == nil {
			continue
		}
		y := math.Log(v+p.eps) - p.level
		b.log.learn(h, p.rows[h], y)
		b.raw.learn(h, p.linear[h], v/p.scale-mean(p.ratio(load)))
		if b.shared == nil {
			b.shared = linear.NewRecursive(len(p.sharedRows[h]), sharedPrior, sharedForget)
		}
		b.shared.Update(p.sharedRows[h], y, 1)
	}
	if p.rows[0] != nil {
		b.learned++
	}
	b.record.take(p.members[:], actual, measured[p.origin:p.origin+day])
	b.smooth(load, p)
}

// ratio is the last week before the plan's origin over its mean.
func (p *plan) ratio(load []float64) []float64 {
	out := make([]float64, 0, week)
	for _, v := range load[max(0, p.origin-week):p.origin] {
		out = append(out, v/p.scale)
	}
	return out
}

// smooth goes on with the smoothing, and searches its parameters anew now and then.
func (b *base) smooth(load []float64, p *plan) {
	end := p.origin + day
	if end < fewestForFit {
		return
	}
	b.smoothedTo = end
	logs := func(from, to int) []float64 {
		out := make([]float64, 0, to-from)
		for _, v := range load[from:to] {
			out = append(out, math.Log(v+p.eps))
		}
		return out
	}
	if b.state == nil || end-b.fittedOn >= refitDays*day {
		z := logs(max(0, end-fitWeeks*week), end)
		b.method = smoothing.Fit(z)
		b.fittedOn = end
		b.state = smoothing.Start(z)
		for _, v := range z {
			b.method.Step(b.state, v)
		}
		return
	}
	for _, v := range logs(p.origin, end) {
		b.method.Step(b.state, v)
	}
}
