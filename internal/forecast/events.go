package forecast

import (
	"math"

	"github.com/wedsync/scalability/internal/forecast/linear"
)

// Event is something in the calendar that brings load: a wedding, a match.
type Event struct {
	ID    string
	Start float64 // hours since the start of the series
	Size  float64 // guests; 1 where all are alike
	Tags  []string
}

// knotCount is the number of knots.
const knotCount = 26

// knots are the hours from the start of an event at which its course is estimated;
// between them it goes straight, outside it is nothing.
func knots() [knotCount]float64 {
	return [knotCount]float64{-48, -36, -24, -18, -12, -8, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24}
}

const (
	firstKnot, lastKnot = -48, 24
	quarters            = 4 // of an hour: starts are told apart by them, and means taken over them
	courseHours         = lastKnot - firstKnot + 2
)

// part is the share that a knot has in an hour.
type part struct {
	knot  int
	share float64
}

// courses are the shares of the knots in the hours around an event, by the quarter in
// which it starts: [quarter][hours from the hour of the start, less firstKnot − 1].
type courses [quarters][courseHours][]part

func newCourses() *courses {
	var out courses
	k := knots()
	for q := range out {
		for h := range out[q] {
			var row [knotCount]float64
			from := float64(h+firstKnot-1) - float64(q)/quarters
			for s := range quarters {
				at := from + (float64(s)+0.5)/quarters
				if at <= firstKnot || at >= lastKnot {
					continue
				}
				i := 0
				for at >= k[i+1] {
					i++
				}
				share := (at - k[i]) / (k[i+1] - k[i])
				row[i] += (1 - share) / quarters
				row[i+1] += share / quarters
			}
			for i, v := range row {
				if v > 0 {
					out[q][h] = append(out[q][h], part{i, v})
				}
			}
		}
	}
	return &out
}

// of gives the shares of the knots in hour t for an event; nil where it is not felt.
func (c *courses) of(start float64, t int) []part {
	hour := math.Floor(start)
	q := min(int((start-hour)*quarters+0.5), quarters-1)
	h := t - int(hour) - firstKnot + 1
	if h < 0 || h >= courseHours {
		return nil
	}
	return c[q][h]
}

// mode says how the load of an event hangs together with the base.
type mode int

const (
	additive       mode = iota // guests are people of their own
	multiplicative             // an event moves those who are there anyhow
)

const (
	kernelFade   = 0.995 // of a day
	kernelShrink = 0.5   // rows of a usual event that stand for "no effect"
	kernelLimit  = 3.0   // usual errors beyond which a row counts for less
)

// kernel is the course of an event of size one, learned from the hours that had events.
type kernel struct {
	normal *linear.Normal
	w      []float64
	usual  float64 // error of a row
}

func newKernel() *kernel { return &kernel{normal: linear.NewNormal(knotCount), usual: 0.1} }

// add takes what an hour was more than its reference for a row of events.
func (k *kernel) add(row []float64, more float64) {
	size := 0.0
	for _, v := range row {
		size += math.Abs(v)
	}
	if size == 0 {
		return
	}
	e := math.Abs(more - k.at(row))
	weight := math.Min(1, kernelLimit*k.usual/(e+1e-9))
	k.usual += 0.01 * (math.Min(e, 10*k.usual) - k.usual)
	k.normal.Add(row, more, weight)
}

// at is the load of a row of events.
func (k *kernel) at(row []float64) float64 {
	if k.w == nil {
		return 0
	}
	return linear.Dot(k.w, row)
}

// of is the load of one event of size one in an hour.
func (k *kernel) of(parts []part) float64 {
	sum := 0.0
	if k.w != nil {
		for _, p := range parts {
			sum += k.w[p.knot] * p.share
		}
	}
	return sum
}

// solve makes the course anew. It is never below nothing.
func (k *kernel) solve() {
	n := k.normal.Rows()
	if n == 0 {
		return
	}
	most := 0.0
	for i := range knotCount {
		most = math.Max(most, k.normal.Moment(i))
	}
	w, err := k.normal.Solve(func(int) float64 { return kernelShrink*most/n + 1e-12 }, nil)
	if err != nil {
		return
	}
	for i := range w {
		w[i] = math.Max(0, w[i])
	}
	k.w = w
	k.normal.Fade(kernelFade)
}
