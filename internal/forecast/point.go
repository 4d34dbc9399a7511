package forecast

import (
	"math"
)

// maxDays is the furthest day after today that is forecast.
const maxDays = 8

// keeps is how much of the newest residual is expected to be left an hour later, before
// the series has shown its own.
const keeps = 0.8

// Share is what one event brings in an hour.
type Share struct {
	Event string
	Load  float64
}

// Point is the forecast of one hour. Base, Season, Holiday and Events add up to Expected.
type Point struct {
	Hour     int // since the start of the series
	Lead     int // hours after the newest observed one
	Expected float64
	Base     float64
	Season   float64 // by the time of the year
	Holiday  float64
	Events   []Share
	Path     Path

	quantile func(q float64) (float64, bool)
}

// Quantile is the load that is not passed with probability q; ok is false where there is
// too little history for an interval.
func (p Point) Quantile(q float64) (load float64, ok bool) {
	if p.quantile == nil {
		return 0, false
	}
	return p.quantile(q)
}

// Furthest is how many hours ahead are forecast: a week from any hour of today on.
const Furthest = week + day

// Forecast forecasts the coming hours, at most Furthest.
func (m *Model) Forecast(count int) []Point {
	now := len(m.load)
	count = min(count, Furthest)
	out := make([]Point, 0, count)
	today := m.planned
	if today < 0 || now-today >= day {
		today = now / day * day
	}
	view := m.outlook(today, (now+count-1-today)/day+1)
	for t := now; t < now+count; t++ {
		out = append(out, m.point(view[(t-today)/day], t, now))
	}
	return out
}

// outlookDay is the forecast of one day.
type outlookDay struct {
	origin int
	stacks []stackDay
	totals []hours
	sums   hours
}

// stackDay is what one stack says of a day.
type stackDay struct {
	plain, events   hours
	season, holiday hours // shares of plain
}

// outlook forecasts days one after the other: what was forecast stands for what is not
// measured yet.
func (m *Model) outlook(today, days int) []outlookDay {
	out := make([]outlookDay, days)
	loads := make([][]float64, len(m.stacks))
	for k, s := range m.stacks {
		if days > 1 || m.planned != today || !s.planned {
			loads[k] = m.window(s, today)
		}
	}
	for d := range out {
		o := &out[d]
		o.origin = today + d*day
		for k, s := range m.stacks {
			var of stackDay
			if d == 0 && s.planned && m.planned == today {
				of = s.today()
			} else {
				of = s.later(loads[k], o.origin)
			}
			var total hours
			for h := range total {
				total[h] = of.plain[h] + of.events[h]
			}
			o.stacks, o.totals = append(o.stacks, of), append(o.totals, total)
			if d < days-1 {
				loads[k] = m.extended(s, loads[k], of, o.origin)
			}
		}
		o.sums = m.record.blend(o.totals)
	}
	return out
}

// window is a stack's cleaned load before a day.
func (m *Model) window(s *stack, today int) []float64 {
	return append(make([]float64, 0, today+maxDays*day), s.clean[:min(today, len(s.clean))]...)
}

// extended appends a day: its measured hours without events, and the forecast of the
// others at the level of the newest residual.
func (m *Model) extended(s *stack, load []float64, of stackDay, origin int) []float64 {
	for h := range day {
		t := origin + h
		switch {
		case t < len(m.load):
			load = append(load, s.without(t, m.load[t]))
		case math.IsNaN(of.plain[h]):
			load = append(load, m.standIn(t))
		default:
			load = append(load, of.plain[h]*m.correction(t, len(m.load)))
		}
	}
	return load
}

func (s *stack) today() stackDay {
	d := stackDay{plain: s.plain, events: s.events}
	s.base.explain(&s.base.plan, &d)
	return d
}

func (s *stack) later(load []float64, origin int) stackDay {
	p := s.base.prepare(load, origin)
	d := stackDay{plain: s.base.record.blend(p.members[:])}
	for h := range d.events {
		d.events[h] = s.share(origin+h, d.plain[h])
	}
	s.base.explain(&p, &d)
	return d
}

// explain parts a base: what the ridges by hour say of holidays and of the time of the
// year, as far as they have a say.
func (b *base) explain(p *plan, d *stackDay) {
	for h := range day {
		if p.rows[h] == nil || b.log.hours[h] == nil || b.learned < ridgeDays {
			continue
		}
		w := b.record.weights(p.members[:], h)
		say := w[byHour] + w[byHourLinear]
		lags := len(p.rows[h]) - calendarFeatures
		season := b.log.hours[h].Part(p.rows[h], lags+holidayFeatures, lags+holidayFeatures+seasonFeatures)
		holiday := b.log.hours[h].Part(p.rows[h], lags, lags+holidayFeatures)
		d.season[h] = say * (1 - math.Exp(-season))
		d.holiday[h] = say * (1 - math.Exp(-holiday))
	}
}

// correction is what the newest residual says of an hour of today.
func (m *Model) correction(t, now int) float64 {
	if m.planned < 0 || t >= m.planned+day {
		return 1
	}
	return math.Exp(m.carry.residual * math.Pow(m.carry.keeps(), float64(t-now+1)))
}

// point makes the forecast of one hour.
func (m *Model) point(o outlookDay, t, now int) Point {
	h := t - o.origin
	p := Point{Hour: t, Lead: t - now + 1, Path: m.path(o.sums[h])}
	switch p.Path {
	case PathEnsemble:
		m.parts(&p, o, h, now)
	case PathNaive:
		p.Expected = m.naive(t)
		p.Base = p.Expected
	case PathCohort, PathCohortLevel:
		m.fromCohort(&p)
	case PathNone:
	}
	m.widen(&p, h, reached{p.Lead, (t - m.today(now)) / day, now == m.planned})
	return p
}

func (m *Model) today(now int) int {
	if m.planned >= 0 && now-m.planned < day {
		return m.planned
	}
	return now / day * day
}

// parts fills the shares of an hour by the weights of the stacks.
func (m *Model) parts(p *Point, o outlookDay, h, now int) {
	weights := m.record.weights(o.totals, h)
	c := m.correction(p.Hour, now)
	events := map[string]float64{}
	var order []string
	for k, of := range o.stacks {
		w := c * weights[k]
		if w == 0 {
			continue
		}
		season, holiday := of.season[h]*of.plain[h], of.holiday[h]*of.plain[h]
		p.Base += w * (of.plain[h] - season - holiday)
		p.Season += w * season
		p.Holiday += w * holiday
		for _, s := range m.stacks[k].shares(m, p.Hour, of.plain[h]) {
			if _, ok := events[s.Event]; !ok {
				order = append(order, s.Event)
			}
			events[s.Event] += w * s.Load
		}
	}
	p.Expected = p.Base + p.Season + p.Holiday
	for _, id := range order {
		p.Events = append(p.Events, Share{id, events[id]})
		p.Expected += events[id]
	}
}

// shares parts what the events of an hour bring.
func (s *stack) shares(m *Model, t int, plain float64) []Share {
	if s.kernel == nil {
		return nil
	}
	var out []Share
	for _, e := range m.between(t, t+1) {
		load := e.Size * s.sizes.factor(e.places) * s.kernel.of(m.courses.of(e.Start, t))
		if s.mode == multiplicative {
			load *= plain
		}
		if load > 0 {
			out = append(out, Share{e.ID, load})
		}
	}
	return out
}

// widen gives a point its quantiles.
func (m *Model) widen(p *Point, hour int, from reached) {
	expected := p.Expected
	eps := floor * m.level(len(m.load))
	switch p.Path {
	case PathNone:
	case PathCohort, PathCohortLevel:
		spread := m.opts.Cohort.Spread
		if p.Path == PathCohort {
			spread *= doubled
		}
		p.quantile = func(q float64) (float64, bool) { return math.Max(0, expected*math.Exp(laplace(q)*spread)), true }
	default:
		p.quantile = func(q float64) (float64, bool) {
			r, ok := m.interval.quantile(hour, from, q)
			return math.Max(0, (expected+eps)*math.Exp(r)-eps), ok
		}
	}
}

// laplace is the quantile of a Laplace distribution with a mean absolute error of one.
func laplace(q float64) float64 {
	if q < 0.5 {
		return math.Log(2 * q)
	}
	return -math.Log(2 * (1 - q))
}
