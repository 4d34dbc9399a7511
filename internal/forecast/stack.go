package forecast

import (
	"math"
)

// ahead is how many hours beyond an origin the rows of events are made for.
const ahead = week + 2*day

// stack is one way to part base and events: it cleans the load of its events, forecasts
// what is left, and puts the coming events on top.
type stack struct {
	mode    mode
	base    base
	kernel  *kernel // nil: no events
	sizes   *sizes
	clean   []float64 // without events, by hour
	rows    []float64 // of events, from hour rowsAt on
	rowsAt  int
	plain   hours // base of the day that comes
	events  hours
	planned bool
}

// prepare forecasts the day that begins at origin.
func (s *stack) prepare(m *Model, origin int) {
	s.lay(m, max(0, origin-reach), origin+ahead)
	s.reclean(m, origin)
	s.base.plan = s.base.prepare(s.clean, origin)
	s.plain = s.base.record.blend(s.base.plan.members[:])
	s.celebrate(origin)
	s.planned = true
}

// celebrate puts the events on top of the planned day.
func (s *stack) celebrate(origin int) {
	for h := range s.events {
		s.events[h] = s.share(origin+h, s.plain[h])
	}
}

// lay makes the rows of events for the hours of [from, until).
func (s *stack) lay(m *Model, from, until int) {
	if s.kernel == nil {
		return
	}
	n := (until - from) * knotCount
	if cap(s.rows) < n {
		s.rows = make([]float64, n)
	}
	s.rows, s.rowsAt = s.rows[:n], from
	clear(s.rows)
	for _, e := range m.between(from, until) {
		size := e.Size * s.sizes.factor(e.places)
		for t := max(from, e.first()); t < min(until, e.first()+courseHours); t++ {
			row := s.row(t)
			for _, p := range m.courses.of(e.Start, t) {
				row[p.knot] += size * p.share
			}
		}
	}
}

// row is what the events of an hour add up to, by knot.
func (s *stack) row(t int) []float64 {
	i := (t - s.rowsAt) * knotCount
	if i < 0 || i+knotCount > len(s.rows) {
		return make([]float64, knotCount)
	}
	return s.rows[i : i+knotCount]
}

// share is what the events of an hour bring on top of its base.
func (s *stack) share(t int, plain float64) float64 {
	if s.kernel == nil {
		return 0
	}
	if s.mode == multiplicative {
		return s.kernel.at(s.row(t)) * plain
	}
	return s.kernel.at(s.row(t))
}

// reclean takes the events out of all hours that the next forecast looks at.
func (s *stack) reclean(m *Model, origin int) {
	for t := max(0, origin-reach); t < origin; t++ {
		v := s.without(t, m.load[t])
		if t < len(s.clean) {
			s.clean[t] = v
		} else {
			s.clean = append(s.clean, v)
		}
	}
}

// without takes the events out of an hour.
func (s *stack) without(t int, load float64) float64 {
	switch {
	case s.kernel == nil:
		return load
	case s.mode == multiplicative:
		return load / (1 + s.kernel.at(s.row(t)))
	default: // guests are never all of an hour: a tenth stays for the base
		return math.Max(load-s.kernel.at(s.row(t)), load/10)
	}
}

// learn takes the day that was planned.
func (s *stack) learn(m *Model, origin int) {
	if s.kernel != nil {
		s.lay(m, max(0, origin+day-reach), origin+day+ahead)
		s.learnKernel(m, origin)
		s.kernel.solve()
		s.learnSizes(m, origin)
	}
	s.reclean(m, origin+day)
	if s.planned {
		s.base.learn(s.clean, m.measured)
	}
}

func (s *stack) learnKernel(m *Model, origin int) {
	for t := origin; t < origin+day; t++ {
		if math.IsNaN(m.measured[t]) {
			continue
		}
		switch {
		case s.mode == additive:
			s.difference(m, t)
		case s.planned && s.plain[t-origin] > 0:
			s.kernel.add(s.row(t), m.load[t]/s.plain[t-origin]-1)
		}
	}
}

// difference learns from the change since the same hour of last week, in which the base
// mostly cancels; with less than that, since yesterday.
func (s *stack) difference(m *Model, t int) {
	lag := week
	if t < 2*week {
		lag = day
	}
	if t-lag < s.rowsAt || math.IsNaN(m.measured[t-lag]) {
		return
	}
	now, before, level := s.row(t), s.row(t-lag), m.level(t)
	var row [knotCount]float64
	for i := range row {
		row[i] = (now[i] - before[i]) / level
	}
	s.kernel.add(row[:], (m.load[t]-m.load[t-lag])/level)
}

// learnSizes looks at the events that settled on a day: what was measured beyond base and
// other events, against the course of the kernel.
func (s *stack) learnSizes(m *Model, origin int) {
	if s.kernel.w == nil || !s.planned {
		return
	}
	noise := square(s.kernel.usual)
	for _, e := range m.between(origin-settled-lastKnot, origin+day) {
		if at := int(math.Floor(e.Start)) + settled; at < origin || at >= origin+day {
			continue
		}
		factor := s.sizes.factor(e.places)
		xy, xx := 0.0, 0.0
		for t := int(math.Floor(e.Start)) + lookFrom; t < int(math.Floor(e.Start))+settled; t++ {
			if t < max(s.rowsAt, origin) || math.IsNaN(m.measured[t]) || !(s.plain[t-origin] > 0) {
				continue
			}
			own := e.Size * s.kernel.of(m.courses.of(e.Start, t))
			unit := s.plain[t-origin] // one in the multiplicative mode
			left := m.load[t] - s.plain[t-origin] - s.share(t, s.plain[t-origin])
			if s.mode == multiplicative {
				left /= unit
			} else {
				left, own = left/m.level(t), own/m.level(t)
			}
			left += own * factor
			xy += left * own
			xx += own * own
		}
		if xx > 0 {
			multiple := xy / xx
			s.sizes.learn(e.places, multiple, noise/xx/square(math.Max(multiple, 0.2)))
		}
	}
	s.sizes.solve()
}

func square(x float64) float64 { return x * x }
