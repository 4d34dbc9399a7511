package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/wedsync/scalability/internal/simulate/suite"
)

// The canvas of a picture, in its own units.
const (
	width   = 960.0
	height  = 380.0
	left    = 64.0
	right   = 16.0
	above   = 16.0
	beneath = 44.0
)

// chart is a picture that the page's template draws.
type chart struct {
	Title   string
	About   string // what it shows, for those who do not see it
	XLabel  string
	YLabel  string
	X, Y    []tick
	Area    string // corners of the load's area, "" for none
	Series  []series
	Width   float64
	Height  float64
	Left    float64
	Right   float64
	Bottom  float64
	CentreX float64
	CentreY float64
}

// tick is a place on an axis.
type tick struct {
	At   float64
	Text string
}

// series is one policy in a picture.
type series struct {
	Name   string
	Colour string
	Points string // of a line
	Dots   []dot
	Marks  []dot // violations
	Thick  bool
}

type dot struct {
	X, Y   float64
	Text   string
	Chosen bool
}

// axis turns values into places.
type axis struct {
	from, to   float64
	start, end float64
	scale      func(float64) float64
}

func linear(v float64) float64 { return v }

// bent is linear near nothing and logarithmic above: violations go from none to hundreds.
func bent(v float64) float64 { return math.Log10(v + 0.1) }

func (a axis) at(v float64) float64 {
	low, high := a.scale(a.from), a.scale(a.to)
	if high <= low {
		return a.start
	}
	share := min(max((a.scale(v)-low)/(high-low), 0), 1)
	return math.Round(10*(a.start+(a.end-a.start)*share)) / 10
}

// round steps for about n ticks up to a value.
func step(to float64, n int) float64 {
	if !(to > 0) {
		return 1
	}
	raw := to / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5, 10} {
		if m*power >= raw {
			return m * power
		}
	}
	return 10 * power
}

// decades are the places of a logarithmic axis that are worth a number.
func decades(from, to float64) []float64 {
	var out []float64
	for power := math.Pow(10, math.Floor(math.Log10(from))); power <= to; power *= 10 {
		for _, m := range []float64{1, 1.5, 2, 3, 5, 7} {
			if v := m * power; v >= from && v <= to {
				out = append(out, v)
			}
		}
	}
	return out
}

func canvas(title string) chart {
	return chart{
		Title: title, Width: width, Height: height, Left: left, Right: width - right, Bottom: height - beneath,
		CentreX: (left + width - right) / 2, CentreY: (above + height - beneath) / 2,
	}
}

// frontChart draws violations a day against replica-hours a day, a line per policy
// through its targets.
func frontChart(title string, rows, chosen []suite.Row) chart {
	c := canvas(title)
	c.XLabel, c.YLabel = "replica-hours a day (logarithmic)", "SLO-violation minutes a day"
	c.About = "Each dot is a target utilisation; further left is cheaper, further down is better. A ring is the target that the first part chose."
	most, dearest, cheapest := 1.0, 1.0, math.Inf(1)
	for _, r := range rows {
		most, dearest = max(most, r.ViolationMinutes/r.Days), max(dearest, r.ReplicaHours/r.Days)
		cheapest = min(cheapest, r.ReplicaHours/r.Days)
	}
	cheapest = max(cheapest, dearest/1000)
	x := axis{0.93 * cheapest, dearest * 1.05, left, width - right, math.Log}
	y := axis{0, most * 1.2, height - beneath, above, bent}
	for _, v := range decades(x.from, x.to) {
		c.X = append(c.X, tick{x.at(v), fmt.Sprintf("%g", v)})
	}
	for _, v := range []float64{0, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000} {
		if v <= y.to {
			c.Y = append(c.Y, tick{y.at(v), fmt.Sprintf("%g", v)})
		}
	}
	for _, p := range suite.Policies() {
		s := series{Name: p, Colour: colour(p), Thick: p == suite.Engine}
		var line []string
		for _, r := range rows {
			if r.Policy != p {
				continue
			}
			d := dot{X: x.at(r.ReplicaHours / r.Days), Y: y.at(r.ViolationMinutes / r.Days)}
			d.Text = fmt.Sprintf("%s at %.2f: %.1f replica-hours and %.2f violation minutes a day", p, r.Target, r.ReplicaHours/r.Days, r.ViolationMinutes/r.Days)
			d.Chosen = wasChosen(chosen, r)
			s.Dots = append(s.Dots, d)
			line = append(line, fmt.Sprintf("%g,%g", d.X, d.Y))
		}
		if len(s.Dots) > 0 {
			s.Points = strings.Join(line, " ")
			c.Series = append(c.Series, s)
		}
	}
	return c
}

func wasChosen(chosen []suite.Row, r suite.Row) bool {
	for _, c := range chosen {
		if c.Load == r.Load && c.Policy == r.Policy && c.Seed == r.Seed && c.Target == r.Target {
			return true
		}
	}
	return false
}

// dayChart draws the replicas that run against those that the load keeps busy.
func dayChart(load string, pictures []suite.Picture) chart {
	c := canvas(load + ": replicas against load on its busiest day")
	c.XLabel, c.YLabel = "time (UTC)", "replicas"
	c.About = "The area is the replicas that the load alone keeps fully busy; a line is what a policy had ready; a mark below is a minute that violated the objective."
	first := pictures[0]
	n, most := len(first.Minutes), 1.0
	for _, p := range pictures {
		for _, m := range p.Minutes {
			most = max(most, float64(m.Ready), m.Load/p.Replica)
		}
	}
	x := axis{0, float64(max(1, n-1)), left, width - right, linear}
	y := axis{0, most * 1.05, height - beneath, above, linear}
	for v, s := 0.0, step(most, 6); v <= y.to; v += s {
		c.Y = append(c.Y, tick{y.at(v), fmt.Sprintf("%g", v)})
	}
	area := []string{fmt.Sprintf("%g,%g", x.at(0), y.at(0))}
	every := max(60, n/8/60*60)
	for i, m := range first.Minutes {
		area = append(area, fmt.Sprintf("%g,%g", x.at(float64(i)), y.at(m.Load/first.Replica)))
		if i%every == 0 {
			c.X = append(c.X, tick{x.at(float64(i)), m.At.UTC().Format("Mon 15:04")})
		}
	}
	c.Area = strings.Join(append(area, fmt.Sprintf("%g,%g", x.at(float64(n-1)), y.at(0))), " ")
	for k, p := range pictures {
		s := series{Name: fmt.Sprintf("%s at %.2f", p.Policy, p.Target), Colour: colour(p.Policy), Thick: p.Policy == suite.Engine}
		line := make([]string, 0, len(p.Minutes))
		for i, m := range p.Minutes {
			line = append(line, fmt.Sprintf("%g,%g", x.at(float64(i)), y.at(float64(m.Ready))))
			if m.Violation {
				s.Marks = append(s.Marks, dot{X: x.at(float64(i)), Y: height - beneath - 4 - 5*float64(k), Text: p.Policy + ", " + m.At.UTC().Format("Mon 15:04")})
			}
		}
		s.Points = strings.Join(line, " ")
		c.Series = append(c.Series, s)
	}
	return c
}

// colour tells the policies apart, also for those who see red and green alike.
func colour(policy string) string {
	switch policy {
	case suite.Engine:
		return "#0072b2"
	case suite.EngineNoCalendar:
		return "#56b4e9"
	case suite.HPA:
		return "#e69f00"
	case suite.KEDA:
		return "#d55e00"
	case suite.KEDACron:
		return "#8c6d31"
	case suite.KPA:
		return "#cc79a7"
	case suite.AWS:
		return "#009e73"
	default:
		return "#7f7f7f"
	}
}
