package scaling

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// line is a sentence in the making: it is written in one place and becomes a string
// once. On each tick some twenty of them are made.
type line struct{ b []byte }

// line begins a sentence. Only one is in the making at a time.
func (d *decision) line() line { return line{d.scratch[:0]} }

func (l line) s(v string) line { return line{append(l.b, v...)} }

func (l line) n(v int) line { return line{strconv.AppendInt(l.b, int64(v), 10)} }

// num writes a rate without needless digits: 1430, 82.5.
func (l line) num(v float64) line {
	if v >= 100 {
		return l.whole(v)
	}
	return line{strconv.AppendFloat(l.b, math.Round(v*10)/10, 'f', -1, 64)}
}

// whole writes a number without a fraction.
func (l line) whole(v float64) line {
	if v = math.RoundToEven(v); math.Abs(v) < 1<<53 {
		return l.n(int(v))
	}
	return line{strconv.AppendFloat(l.b, v, 'g', 4, 64)}
}

// pct writes a share as a percentage.
func (l line) pct(share float64) line { return l.whole(share * 100).s(" %") }

// money writes an amount with two digits.
func (l line) money(v float64) line { return line{strconv.AppendFloat(l.b, v, 'f', 2, 64)} }

// at writes a time for people.
func (l line) at(t time.Time) line { return line{t.UTC().AppendFormat(l.b, "2 Jan 15:04 MST")} }

// phrase puts what a person wrote into a sentence: on one line, without a full stop.
func (l line) phrase(v string) line {
	start := len(l.b)
	for f := range strings.FieldsSeq(v) {
		if len(l.b) > start {
			l = l.s(" ")
		}
		l = l.s(f)
	}
	for len(l.b) > start && (l.b[len(l.b)-1] == '.' || l.b[len(l.b)-1] == ' ') {
		l.b = l.b[:len(l.b)-1]
	}
	return l
}

func (l line) text() string { return string(l.b) }
