package forecast

import "math"

const (
	skillDays  = 7
	cohortDays = 14 // of history under which a cohort knows more than the ensemble
)

// skill compares the forecast with the seasonal naive one over about a week.
type skill struct {
	model, naive float64
	days         int
}

func (s *skill) take(model, naive float64) {
	rate := math.Max(1/float64(s.days+1), 1.0/skillDays)
	s.model += rate * (model - s.model)
	s.naive += rate * (naive - s.naive)
	s.days++
}

// lost says that the same hours of last week would have done better.
func (s *skill) lost() bool { return s.days >= skillDays && s.model > s.naive }

// judge takes a day that ended.
func (m *Model) judge(origin int) {
	missed, naive, n := 0.0, 0.0, 0.0
	for t := origin; t < origin+day; t++ {
		f := m.sums[t-origin]
		if t < week || math.IsNaN(m.measured[t]) || math.IsNaN(f) {
			continue
		}
		missed += math.Abs(m.measured[t] - f)
		naive += math.Abs(m.measured[t] - m.load[t-week])
		n++
	}
	if n > 0 {
		m.skill.take(missed/n, naive/n)
	}
}

// path says how an hour is forecast for which the ensemble says what is given.
func (m *Model) path(ensemble float64) Path {
	seen := 0
	for t := max(0, len(m.measured)-cohortDays*day); t < len(m.measured); t++ {
		if !math.IsNaN(m.measured[t]) {
			seen++
		}
	}
	switch {
	case m.opts.Cohort != nil && seen < day:
		return PathCohort
	case m.opts.Cohort != nil && len(m.measured) < cohortDays*day:
		return PathCohortLevel
	case seen == 0:
		return PathNone
	case len(m.load) < day || math.IsNaN(ensemble) || m.skill.lost():
		return PathNaive
	default:
		return PathEnsemble
	}
}

// naive is the same hour of last week, else of the newest day, else the newest hour, else
// nothing.
func (m *Model) naive(t int) float64 {
	for _, lag := range []int{week, 2 * week} {
		if t-lag >= 0 && t-lag < len(m.load) {
			return m.load[t-lag]
		}
	}
	for back := t - day; back >= 0; back -= day {
		if back < len(m.load) {
			return m.load[back]
		}
	}
	if len(m.load) == 0 {
		return 0
	}
	return m.load[len(m.load)-1]
}

// fromCohort fills a point from services alike, at the own level where there is one.
func (m *Model) fromCohort(p *Point) {
	cal := m.stacks[0].base.cal
	level := m.opts.Cohort.Level
	if p.Path == PathCohortLevel {
		if own, ok := m.opts.Cohort.level(cal, m.measured); ok {
			level = own
		}
	}
	p.Base = level * m.opts.Cohort.at(cal, p.Hour)
	p.Expected = p.Base
}
