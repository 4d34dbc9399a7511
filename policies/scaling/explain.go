package scaling

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
)

// sentence says in one line what is done and what decided it.
func (d *decision) sentence() string {
	e := &d.out
	l := d.line()
	name := string(e.Service)
	if name == "" {
		name = "the service"
	}
	if d.obs.Replicas == nil {
		return l.s("Keep ").s(name).s(" as it is: ").s(e.BindingReason).s(".").text()
	}
	l = deed(l, name, e).s(": ")
	if e.Class == models.ClassPanic {
		l = l.s("spike, ")
	}
	reason := e.BindingReason
	if need := d.driver.why; e.Deficit != nil && need != "" && need != reason {
		l = l.s(need).s("; ")
	}
	l = l.s(reason)
	for _, s := range e.Shaping {
		if s.Effect != reason && shapes(s.Rule, e) {
			l = l.s("; ").s(s.Effect)
			break
		}
	}
	if e.Approval != nil {
		l = l.s("; somebody has to agree, since ").s(e.Approval.Reason)
	}
	return l.s(".").text()
}

// shapes says whether a rule shaped what is done, so that the sentence has to name it.
func shapes(rule string, e *models.Explanation) bool {
	switch rule {
	case "up_step":
		return e.Class == models.ClassReactive || e.Class == models.ClassForecast
	case "down_step", "passed":
		return e.Class == models.ClassSteady && e.Direction == models.DirectionDown
	default:
		return false
	}
}

// deed is what is done, with the need where that is another number.
func deed(l line, name string, e *models.Explanation) line {
	if e.Direction == models.DirectionHold {
		l = l.s("Keep ").s(name).s(" at ").n(e.Current)
	} else {
		l = l.s("Scale ").s(name).s(" ").n(e.Current).s("→").n(e.Desired)
	}
	switch {
	case e.Deficit != nil:
		return l.s(" (wanted ").n(e.Raw).s(")")
	case e.Raw != e.Desired && e.Raw > 0:
		return l.s(" (need ").n(e.Raw).s(")")
	default:
		return l
	}
}

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
