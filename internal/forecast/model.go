package forecast

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Options of a Model.
type Options struct {
	Start   time.Time                // midnight before the first hour, in the clock that days and weeks follow
	Holiday func(day time.Time) bool // nil: none
	Events  bool                     // there is a calendar
	Power   float64                  // of an event's size; 0 is 1
	Cohort  *Cohort                  // services alike, for the first two weeks; nil: none
	Days    int                      // that are forecast and judged each night, for intervals beyond a day; 0 is 1
}

// Model learns the load of one service hour by hour, in the order of time.
type Model struct {
	opts     Options
	measured []float64 // as it came, NaN where missing
	load     []float64 // with a stand-in where missing
	stacks   []*stack
	record   record                   // of the stacks
	sums     hours                    // forecast of the running day
	ahead    [maxDays][maxDays]*hours // by day, modulo, and by how many days before it the forecast was made
	interval interval
	carry    carry
	skill    skill
	totals   []hours
	planned  int // origin of the running day's forecast, −1 without
	courses  *courses
	events   []booked // by their start
	tags     tags
}

// booked is an event with the numbers of its tags.
type booked struct {
	Event
	places []int
}

// first is the first hour in which an event may be felt.
func (b booked) first() int { return int(math.Floor(b.Start)) + firstKnot - 1 }

// New makes a Model that has seen nothing.
func New(o Options) *Model {
	if o.Power == 0 {
		o.Power = 1
	}
	m := &Model{opts: o, planned: -1, courses: newCourses(), tags: tags{}}
	cal := almanac{start: o.Start, holiday: o.Holiday}
	if !o.Events {
		m.stacks = []*stack{{base: base{cal: cal}}}
		return m
	}
	for _, mode := range []mode{additive, multiplicative} {
		m.stacks = append(m.stacks, &stack{mode: mode, base: base{cal: cal}, kernel: newKernel(), sizes: newSizes()})
	}
	return m
}

// Book puts events into the calendar. It counts at once.
func (m *Model) Book(events ...Event) {
	for _, e := range events {
		e.Size = math.Pow(e.Size, m.opts.Power)
		m.events = append(m.events, booked{e, m.tags.places(m.stacks[0].base.cal, e)})
	}
	slices.SortStableFunc(m.events, func(a, b booked) int { return cmp.Compare(a.Start, b.Start) })
	m.replan()
}

// SetCalendar replaces all events. It counts at once.
func (m *Model) SetCalendar(events []Event) {
	m.events = nil
	m.Book(events...)
}

// replan takes a change of the calendar into the running day's forecast.
func (m *Model) replan() {
	if m.planned < 0 {
		return
	}
	for k, s := range m.stacks {
		s.lay(m, max(0, m.planned-reach), m.planned+ahead)
		s.celebrate(m.planned)
		for h := range m.totals[k] {
			m.totals[k][h] = s.plain[h] + s.events[h]
		}
	}
	m.sums = m.record.blend(m.totals)
}

// between gives the events that may be felt in [from, until).
func (m *Model) between(from, until int) []booked {
	search := func(at int) int {
		i, _ := slices.BinarySearchFunc(m.events, float64(at), func(b booked, t float64) int { return cmp.Compare(b.Start, t) })
		return i
	}
	return m.events[search(from-lastKnot-1):search(until-firstKnot+1)]
}

// level is the mean load of the last week before an hour.
func (m *Model) level(t int) float64 {
	from := max(0, t-week)
	if from == t {
		return 1
	}
	return math.Max(1e-9, mean(m.load[from:t]))
}

// Hours is how many hours were observed.
func (m *Model) Hours() int { return len(m.load) }

// Observe takes the load of the next hour; NaN says that it was not measured.
func (m *Model) Observe(load float64) {
	t := len(m.load)
	m.measured = append(m.measured, load)
	if math.IsNaN(load) || load < 0 {
		m.measured[t] = math.NaN()
		load = m.standIn(t)
	}
	m.load = append(m.load, load)
	m.follow(t)
	if (t+1)%day == 0 {
		m.night(t + 1)
	}
}

// standIn is what an hour that was not measured is taken for.
func (m *Model) standIn(t int) float64 {
	if m.planned >= 0 && t < m.planned+day && !math.IsNaN(m.sums[t%day]) {
		return m.sums[t%day]
	}
	return m.naive(t)
}

// follow compares an hour with its forecast.
func (m *Model) follow(t int) {
	if m.planned < 0 || math.IsNaN(m.measured[t]) || math.IsNaN(m.sums[t-m.planned]) {
		return
	}
	eps := floor * m.level(t)
	h := t - m.planned
	r := math.Log((m.measured[t] + eps) / (m.sums[h] + eps))
	if h > 0 {
		m.interval.takeNext(h, r-m.carry.keeps()*m.carry.residual)
	}
	m.carry.take(r)
	m.interval.take(h, r)
	for d, f := range m.ahead[t/day%maxDays] {
		if f != nil && !math.IsNaN(f[h]) {
			m.interval.takeLead(h, d, math.Log((m.measured[t]+eps)/(f[h]+eps)))
		}
	}
}

// night learns from the day that ended and forecasts the next one.
func (m *Model) night(origin int) {
	if m.planned >= 0 {
		m.record.take(m.totals, m.load[m.planned:origin], m.measured[m.planned:origin])
		m.judge(m.planned)
	}
	m.totals = m.totals[:0]
	for _, s := range m.stacks {
		s.learn(m, origin-day)
		s.prepare(m, origin)
		var total hours
		for h := range total {
			total[h] = s.plain[h] + s.events[h]
		}
		m.totals = append(m.totals, total)
	}
	m.sums = m.record.blend(m.totals)
	m.planned = origin
	m.carry.residual = 0 // the new forecast knows it already
	m.interval.night()
	m.lookAhead(origin)
}

// lookAhead keeps the forecasts of the coming days, to be judged when those are over.
func (m *Model) lookAhead(origin int) {
	clear(m.ahead[(origin/day+maxDays-1)%maxDays][:])
	m.ahead[origin/day%maxDays][0] = &m.sums
	if m.opts.Days < 2 {
		return
	}
	for d, o := range m.outlook(origin, min(m.opts.Days, maxDays)) {
		sums := o.sums
		m.ahead[(origin/day+d)%maxDays][d] = &sums
	}
}

// Weights are the mean weights of the methods behind the running day's base, by name, as
// the way of parting base and events has it that did better.
func (m *Model) Weights() map[string]float64 {
	out := map[string]float64{}
	if m.planned < 0 {
		return out
	}
	b := &m.best().base
	names := memberNames()
	for h := range day {
		for k, w := range b.record.weights(b.plan.members[:], h) {
			if w > 0 {
				out[names[k]] += w / day
			}
		}
	}
	return out
}
