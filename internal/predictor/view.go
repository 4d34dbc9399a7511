package predictor

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/wedsync/scalability/internal/forecast"
	"github.com/wedsync/scalability/models"
)

// view is all that the forecasts of one service are read from until its hour is over or
// the calendar changes. It is not changed once it is made.
type view struct {
	service models.Service
	zone    *time.Location
	running int64
	simple  *model // stands where models have too little to learn from
	hours   []hour // learned, from the running one on; nil: the simple form stands
	assumed bool   // the load of a guest is the simple form's, since too few weddings were seen
	course  *forecast.Course
	base    []float64 // of the past, without guests, by hour from baseAt on
	baseAt  int64
	record  record
	history float64 // days from the first hour that was measured
	fitted  time.Time
}

// levelCount is the number of quantiles that an hour carries.
const levelCount = 8

// levels are those quantiles. Others lie between them, by the logarithm of the load.
func levels() [levelCount]float64 {
	return [levelCount]float64{0.025, 0.05, 0.1, 0.5, 0.9, 0.95, 0.975, 0.99}
}

// hour is the forecast of one hour.
type hour struct {
	base, season, holiday float64
	shares                []models.WeddingShare
	method                models.PredictionMethod
	loads                 [levelCount]float64
	ranged                bool // loads are known
	guessed               bool // from what other loads did, since this one's past says nothing of errors
	filled                bool // another hour stands for one that is missing
}

// expected is the load with guests.
func (h hour) expected() float64 {
	sum := h.own()
	for _, s := range h.shares {
		sum += s.RPS
	}
	return sum
}

// own is the load without guests.
func (h hour) own() float64 { return h.base + h.season + h.holiday }

// guess bounds an hour by how far public loads were from their recent level, or from the same
// hour of last week, where a load's own errors are not known yet: the quantiles of their
// ratios over leads of a week, hourly series of the M4 competition and two web sites. That
// is wide, as it has to be. Guests are bounded by the usual tail of what is assumed of them.
func (h *hour) guess(measured int) {
	own, guests := h.own(), h.expected()-h.own()
	ratios := [levelCount]float64{0.2, 0.3, 0.5, 1, 2, 3, 4.5, 8} // of some hours' mean
	switch {
	case h.method == models.MethodSeasonalNaive:
		ratios = [levelCount]float64{0.4, 0.5, 0.65, 1, 1.5, 2, 3, 4}
	case measured >= levelHours:
		ratios = [levelCount]float64{0.2, 0.3, 0.5, 1, 1.5, 2, 2.5, 3}
	}
	for k, r := range ratios {
		h.loads[k] = r * own
	}
	h.invite(own, guests)
	h.ranged, h.guessed = true, true
}

// invite adds guests of whom is assumed what they bring to the bounds of a load without
// them: both may be off, each by itself. So an hour whose own load is known well is not
// known as well with them.
func (h *hour) invite(own, guests float64) {
	normal := [levelCount]float64{-1.53, -1.28, -1, 0, 1, 1.28, 1.53, 1.81} // of one whose 90th percentile is one
	for k, z := range normal {
		if z == 0 || guests == 0 {
			h.loads[k] += guests
			continue
		}
		way := math.Hypot(h.loads[k]-own, z*(assumedTail-1)*guests)
		h.loads[k] = math.Max(0, own+guests+math.Copysign(way, z))
	}
}

// quantile is the load that is not passed with probability q.
func (h hour) quantile(q float64) (rps float64, ok bool) {
	if !h.ranged {
		return 0, false
	}
	all := levels()
	if q <= all[0] {
		return h.loads[0], true
	}
	for k := 1; k < levelCount; k++ {
		if q <= all[k] {
			share := (q - all[k-1]) / (all[k] - all[k-1])
			return math.Exp((1-share)*math.Log(h.loads[k-1]+1)+share*math.Log(h.loads[k]+1)) - 1, true
		}
	}
	return h.loads[levelCount-1], true
}

// upper is a quantile above the middle: never below what is expected.
func (h hour) upper(q float64) *float64 {
	rps, ok := h.quantile(q)
	if !ok {
		return nil
	}
	rps = math.Max(rps, h.expected())
	return &rps
}

// without takes the guests out of an hour; its interval shrinks with it.
func (h hour) without() hour {
	if whole := h.expected(); whole > 0 {
		for k := range h.loads {
			h.loads[k] *= h.own() / whole
		}
	}
	h.shares = nil
	return h
}

// at is the forecast of an hour from the running one on.
func (v *view) at(h int64) hour {
	if i := h - v.running; i >= 0 && i < int64(len(v.hours)) {
		return v.hours[i]
	}
	return v.simpleHour(h)
}

// learned says whether models stand behind the coming hours.
func (v *view) learned() bool { return len(v.hours) > 0 }

// simpleHour is an hour by the simple form.
func (v *view) simpleHour(h int64) hour {
	out := hour{shares: v.simple.shares(h)}
	out.base, out.filled = v.simple.baseOf(v.service, h)
	out.method = v.simple.methodWith(len(out.shares) > 0)
	out.bound(func(q float64) (float64, bool) { return v.simple.quantile(out.expected(), q) })
	if !out.ranged && out.method != models.MethodNone {
		out.guess(v.simple.levelOf)
	}
	return out
}

func (h *hour) bound(quantile func(q float64) (float64, bool)) {
	for k, q := range levels() {
		rps, ok := quantile(q)
		if !ok {
			return
		}
		h.loads[k] = rps
	}
	h.ranged = true
}

// look reads the coming hours off a learner.
func (v *view) look(l *learner) {
	points := l.core.Forecast(forecast.Furthest)
	if c, ok := l.core.Course(); ok && c.Events >= fewestLearned && v.simple.fitted {
		v.course = &c
	}
	v.assumed = v.course == nil
	v.record, v.fitted = slices.Clone(l.record), l.fitted
	v.base, v.baseAt = l.past()
	for h := v.running; ; h++ {
		i := l.clock.index(h) - l.core.Hours()
		if i >= len(points) {
			return
		}
		if i < 0 { // an hour that the clock repeats, half of which was taken
			i = 0
		}
		v.hours = append(v.hours, v.learnedHour(h, points[i]))
	}
}

// learnedHour turns a point of the models into an hour.
func (v *view) learnedHour(h int64, p forecast.Point) hour {
	out := hour{base: p.Base, season: p.Season, holiday: p.Holiday, method: methodOf(p.Path)}
	ratio := 1.0
	if v.assumed {
		out.shares = v.simple.shares(h)
		if p.Expected > 0 {
			ratio = out.own() / p.Expected
		}
	} else {
		for _, s := range p.Events {
			out.shares = append(out.shares, models.WeddingShare{WeddingID: s.Event, RPS: s.Load})
		}
		slices.SortStableFunc(out.shares, func(a, b models.WeddingShare) int { return cmp.Compare(b.RPS, a.RPS) })
	}
	out.bound(func(q float64) (float64, bool) {
		rps, ok := p.Quantile(q)
		return rps * ratio, ok
	})
	if v.assumed && out.ranged {
		out.invite(out.own(), out.expected()-out.own())
	}
	return out
}

// past is the load of the past without guests, in hours of the world's clock.
func (l *learner) past() (base []float64, from int64) {
	series := l.core.Base()
	from = hourOf(l.clock.start) - 14 // the earliest midnight of that date anywhere
	for l.clock.index(from) < 0 {
		from++
	}
	for h := from; h < l.next; h++ {
		if i := l.clock.index(h); i < len(series) {
			base = append(base, series[i])
		}
	}
	return base, from
}

func methodOf(p forecast.Path) models.PredictionMethod {
	switch p {
	case forecast.PathEnsemble:
		return models.MethodEnsemble
	case forecast.PathNaive:
		return models.MethodSeasonalNaive
	case forecast.PathCohort, forecast.PathCohortLevel:
		return models.MethodCohort
	case forecast.PathNone:
	}
	return models.MethodNone
}

// moment is what is expected at one time: hours are means, so it goes straight from the
// middle of one to that of the next.
func (v *view) moment(at time.Time) (p50 float64, in hour) {
	h := hourOf(at)
	in = v.at(h)
	if !v.learned() {
		return v.simpleMoment(at, in), in
	}
	middle := at.Add(-30 * time.Minute)
	before := hourOf(middle)
	share := middle.Sub(timeOf(before)).Hours()
	a, b := v.at(max(before, v.running)), v.at(max(before+1, v.running))
	if !v.assumed {
		return (1-share)*a.expected() + share*b.expected(), in
	}
	return (1-share)*a.own() + share*b.own() + v.guestsAt(at), in
}

func (v *view) simpleMoment(at time.Time, in hour) float64 { return in.own() + v.guestsAt(at) }

// guestsAt is what guests bring at one moment, by the assumed course.
func (v *view) guestsAt(at time.Time) float64 {
	sum := 0.0
	for _, w := range v.simple.around(at, at.Add(time.Minute)) {
		sum += v.simple.scale * guestLoad(w, v.simple.service, at)
	}
	return sum
}
