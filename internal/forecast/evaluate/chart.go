package evaluate

import (
	"fmt"
	"math"
	"strings"
)

// The canvas of a picture, in its own units.
const (
	canvasWidth  = 960.0
	canvasHeight = 320.0
	marginLeft   = 64.0
	marginRight  = 12.0
	marginTop    = 12.0
	marginBottom = 44.0
)

// chart is a picture that the page's template draws.
type chart struct {
	Title, About   string
	XLabel, YLabel string
	Width, Height  float64
	Left, Right    float64
	Top, Bottom    float64
	X, Y           []tick
	Band           string // corners of the interval
	Lines          []line
	Marks          []tick // events
}

type tick struct {
	At   float64
	Text string
}

type line struct {
	Name, Colour, Points string
}

// curve is a line in its own values; NaN interrupts nothing, it is left out.
type curve struct {
	name, colour string
	y            []float64
}

// Colours that those who do not tell red from green can tell apart.
const (
	dark   = "#0072b2"
	orange = "#d55e00"
	green  = "#009e73"
	grey   = "#888888"
)

// drawing is what a chart is made of.
type drawing struct {
	title, about, xLabel, yLabel string
	x                            []float64
	curves                       []curve
	low, high                    []float64 // a band, or nil
	marks                        []float64 // of x
	xText                        func(x float64) string
	xStep                        float64
}

func (d drawing) chart() chart {
	c := chart{
		Title: d.title, About: d.about, XLabel: d.xLabel, YLabel: d.yLabel, Width: canvasWidth, Height: canvasHeight,
		Left: marginLeft, Right: canvasWidth - marginRight, Top: marginTop, Bottom: canvasHeight - marginBottom,
	}
	top := 0.0
	for _, curve := range d.curves {
		top = highest(top, curve.y)
	}
	top = math.Min(highest(top, d.high), 2*math.Max(top, 1e-9)) // a band may leave the picture
	xs := span{d.x[0], math.Max(d.x[len(d.x)-1], d.x[0]+1e-9), c.Left, c.Right}
	ys := span{0, top * 1.05, c.Bottom, c.Top}
	for v := math.Ceil(d.x[0]/d.xStep) * d.xStep; v <= d.x[len(d.x)-1]; v += d.xStep {
		c.X = append(c.X, tick{xs.at(v), d.xText(v)})
	}
	step := niceStep(top / 4)
	for v := 0.0; v <= top*1.05; v += step {
		c.Y = append(c.Y, tick{ys.at(v), short(v)})
	}
	for _, m := range d.marks {
		if m >= xs.from && m <= xs.to {
			c.Marks = append(c.Marks, tick{At: xs.at(m)})
		}
	}
	for _, curve := range d.curves {
		c.Lines = append(c.Lines, line{curve.name, curve.colour, points(xs, ys, d.x, curve.y, false)})
	}
	if d.low != nil {
		c.Band = points(xs, ys, d.x, d.high, false) + " " + points(xs, ys, d.x, d.low, true)
	}
	return c
}

func highest(top float64, values []float64) float64 {
	for _, v := range values {
		if v > top { // false for NaN
			top = v
		}
	}
	return top
}

// span turns values into places.
type span struct{ from, to, start, end float64 }

func (s span) at(v float64) float64 {
	v = min(max(v, s.from), s.to)
	return math.Round(10*(s.start+(v-s.from)/(s.to-s.from)*(s.end-s.start))) / 10
}

func points(xs, ys span, x, y []float64, backwards bool) string {
	out := make([]string, 0, len(y))
	for i := range y {
		k := i
		if backwards {
			k = len(y) - 1 - i
		}
		if !math.IsNaN(y[k]) {
			out = append(out, fmt.Sprintf("%g,%g", xs.at(x[k]), ys.at(y[k])))
		}
	}
	return strings.Join(out, " ")
}

// niceStep is one, two or five times a power of ten, near to what is given.
func niceStep(v float64) float64 {
	if !(v > 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if v <= f*power {
			return f * power
		}
	}
	return 10 * power
}

// short writes a number for an axis.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%gM", math.Round(v/1e4)/100)
	case v >= 1e4:
		return fmt.Sprintf("%gk", math.Round(v/100)/10)
	default:
		return fmt.Sprintf("%g", math.Round(v*1000)/1000)
	}
}
