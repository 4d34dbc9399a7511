package forecast

import "math"

// Path says how a forecast was made: never a silent guess.
type Path string

// The paths, from the least informed.
const (
	PathNone        Path = "none"            // nothing is known
	PathCohort      Path = "cohort"          // under a day: what services like it do, as much as they do
	PathCohortLevel Path = "cohort at level" // under two weeks: the course of services like it at the own level
	PathNaive       Path = "seasonal naive"  // skill was lost, or there is no cohort: the same hours of last week or yesterday
	PathEnsemble    Path = "ensemble"
)

// Cohort is what services alike do over a week.
type Cohort struct {
	Week   [week]float64 // by hour from Monday's midnight, mean one
	Level  float64       // mean load
	Spread float64       // mean absolute log residual around it
}

// CohortOf joins loads of services that are alike, each from a Monday's midnight on, to a
// cohort; loads of under a week say nothing. ok is false where none is left.
func CohortOf(loads ...[]float64) (c Cohort, ok bool) {
	n := 0.0
	for _, load := range loads {
		whole := load[:len(load)/week*week]
		level := 0.0
		for _, v := range whole {
			level += v / float64(len(whole))
		}
		if !(level > 0) {
			continue
		}
		for t, v := range whole {
			c.Week[t%week] += v / level / (float64(len(whole)) / week)
		}
		c.Level += level
		n++
	}
	if n == 0 {
		return Cohort{}, false
	}
	c.Level /= n
	for h := range c.Week {
		c.Week[h] /= n
	}
	c.Spread = c.spread(loads)
	return c, true
}

func (c Cohort) spread(loads [][]float64) float64 {
	sum, n := 0.0, 0.0
	for _, load := range loads {
		if len(load) < week {
			continue
		}
		level := mean(load)
		for t, v := range load {
			sum += math.Abs(math.Log((v/level + floor) / (c.Week[t%week] + floor)))
			n++
		}
	}
	return sum / math.Max(1, n)
}

// at is the cohort's course in an hour of a series.
func (c Cohort) at(cal almanac, t int) float64 {
	weekday := (int(cal.date(t/day).Weekday()) + 6) % 7 // from Monday
	return c.Week[weekday*day+t%day]
}

// level is the own level: the measured hours over the cohort's course in them.
func (c Cohort) level(cal almanac, measured []float64) (float64, bool) {
	have, course := 0.0, 0.0
	for t := max(0, len(measured)-week); t < len(measured); t++ {
		if !math.IsNaN(measured[t]) {
			have += measured[t]
			course += c.at(cal, t)
		}
	}
	if !(course > 0) {
		return 0, false
	}
	return have / course, true
}
