package smoothing

import "math"

// Seasons, in hours.
const (
	day  = 24
	week = 168
)

// Method has the parameters of
//
//	ŷ(t) = level + day(t mod 24) + week(t mod 168) + φ·e(t−1)
//
// with e(t) = y(t) − level − day − week before t, u(t) = y(t) − ŷ(t), and
//
//	level += α·u,  day += δ·u,  week += ω·u
//
// Series are additive: logarithms of a load.
type Method struct {
	Level, Day, Week, Residual float64 // α, δ, ω, φ
}

// State is where a series stands.
type State struct {
	level float64
	day   [day]float64
	week  [week]float64
	last  float64 // e
	t     int
}

// Start takes level and seasons from the first two weeks of a history.
func Start(y []float64) *State {
	s := &State{}
	y = y[:min(len(y), 2*week)]
	if len(y) == 0 {
		return s
	}
	for _, v := range y {
		s.level += v / float64(len(y))
	}
	var days [day]float64
	for t, v := range y {
		s.day[t%day] += v - s.level
		days[t%day]++
	}
	for i := range s.day {
		s.day[i] /= math.Max(1, days[i])
	}
	var weeks [week]float64
	for t, v := range y {
		s.week[t%week] += v - s.level - s.day[t%day]
		weeks[t%week]++
	}
	for i := range s.week {
		s.week[i] *= weekShare / math.Max(1, weeks[i])
	}
	return s
}

// weekShare is how much of two weeks' differences between weekdays is taken for lasting.
const weekShare = 0.7

// Step learns from the next value and gives the error of its forecast.
func (m Method) Step(s *State, y float64) float64 {
	d, w := s.t%day, s.t%week
	e := y - s.level - s.day[d] - s.week[w]
	u := e - m.Residual*s.last
	s.level += m.Level * u
	s.day[d] += m.Day * u
	s.week[w] += m.Week * u
	s.last = e
	s.t++
	return u
}

// Forecast gives the coming values.
func (m Method) Forecast(s *State, horizon int) []float64 {
	out := make([]float64, horizon)
	residual := m.Residual * s.last
	for i := range out {
		out[i] = s.level + s.day[(s.t+i)%day] + s.week[(s.t+i)%week] + residual
		residual *= m.Residual
	}
	return out
}

// cost is the squared errors of one step after the first week. NaN and infinity cost all.
func (m Method) cost(y []float64) float64 {
	s := Start(y)
	sum := 0.0
	for t, v := range y {
		if u := m.Step(s, v); t >= week {
			sum += u * u
		}
	}
	if math.IsNaN(sum) {
		return math.Inf(1)
	}
	return sum
}

// Fit searches the parameters with the least squared error of one step: it goes from a
// usual start along one parameter after the other, by factors that shrink.
func Fit(y []float64) Method {
	best := Method{Level: 0.05, Day: 0.1, Week: 0.1, Residual: 0.7}
	least := best.cost(y)
	for factor := 2.0; factor > 1.05; {
		better := false
		for k := range 4 {
			for _, f := range [2]float64{factor, 1 / factor} {
				m := best.moved(k, f)
				if c := m.cost(y); c < least {
					best, least, better = m, c, true
				}
			}
		}
		if !better {
			factor = math.Sqrt(factor)
		}
	}
	return best
}

// moved changes one parameter by a factor; of the residual's, the distance from one.
func (m Method) moved(k int, f float64) Method {
	switch k {
	case 0:
		m.Level = math.Min(0.9, m.Level*f)
	case 1:
		m.Day = math.Min(0.9, m.Day*f)
	case 2:
		m.Week = math.Min(0.9, m.Week*f)
	default:
		m.Residual = math.Min(0.995, 1-math.Min(1, (1-m.Residual)*f))
	}
	return m
}
