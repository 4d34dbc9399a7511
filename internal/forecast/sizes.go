package forecast

import (
	"math"
	"strconv"

	"github.com/wedsync/scalability/internal/forecast/linear"
)

const (
	tagLimit     = 96   // tags that are told apart; later ones count for nothing
	tagVariance  = 0.2  // of a tag's effect, as a logarithm, before anything was seen
	sizeVariance = 0.15 // of an event's size beyond its tags
	sizeFade     = 0.998
	sizeRange    = 2.0 // logarithm: what is learned from one event at most
	settled      = 8   // hours after its start when an event is looked at
	lookFrom     = -3
)

// tags number what tells events apart.
type tags map[string]int

// places are the numbers of an event's tags, new ones added while there is room.
func (t tags) places(cal almanac, e Event) []int {
	all := append(e.Tags[:len(e.Tags):len(e.Tags)], when(cal, e)...)
	out := make([]int, 0, len(all))
	for _, tag := range all {
		i, ok := t[tag]
		if !ok && len(t) < tagLimit {
			i, ok = len(t), true
			t[tag] = i
		}
		if ok {
			out = append(out, i)
		}
	}
	return out
}

// when tells the part of the week and of the day.
func when(cal almanac, e Event) []string {
	hour := int(math.Floor(e.Start))
	part := "weekday"
	if d := cal.date(hour / day).Weekday(); d == 0 || d == 6 {
		part = "weekend"
	}
	return []string{part, "from " + strconv.Itoa(hour%day/3*3)}
}

// sizes are how much more or less events bring by their tags: a type, a region, a team,
// and the part of the week and of the day they are in.
type sizes struct {
	normal *linear.Normal
	theta  []float64
	fresh  bool      // something was learned since theta
	seen   int       // events
	recent []float64 // of them: what each brought, as a multiple of what the kernel says without tags
}

// recentEvents bounds them.
const recentEvents = 500

func newSizes() *sizes { return &sizes{normal: linear.NewNormal(tagLimit)} }

// factor is what the load of an event is multiplied by.
func (s *sizes) factor(places []int) float64 {
	sum := 0.0
	for _, i := range places {
		if i < len(s.theta) {
			sum += s.theta[i]
		}
	}
	return math.Exp(sum)
}

// learn takes what an event brought, as a multiple of what its kernel says without tags,
// with the variance of that measurement.
func (s *sizes) learn(places []int, multiple, variance float64) {
	s.seen++
	if s.recent = append(s.recent, multiple); len(s.recent) > recentEvents {
		s.recent = s.recent[1:]
	}
	q := math.Min(math.Max(math.Log(math.Max(multiple, 1e-3)), -sizeRange), sizeRange)
	row := make([]float64, tagLimit)
	for _, i := range places {
		row[i] = 1
	}
	s.normal.Add(row, q, 1/(sizeVariance+variance))
	s.fresh = true
}

func (s *sizes) solve() {
	if !s.fresh {
		return
	}
	s.fresh = false
	if theta, err := s.normal.Solve(func(int) float64 { return 1 / tagVariance }, nil); err == nil {
		s.theta = theta
	}
	s.normal.Fade(sizeFade)
}
