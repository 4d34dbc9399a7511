package evaluate

import (
	"encoding/json"
	"fmt"
	"math"
)

// Headline is the figures that the goals are about; accuracies are 100 · (1 − WAPE). What
// a suite has no part in is absent.
type Headline struct {
	M4Hourly   *M4Figures         `json:"m4Hourly,omitempty"`
	VicElec    *AccuracyFigure    `json:"vicElec,omitempty"`
	I94        *AccuracyFigure    `json:"i94,omitempty"`
	WorldCup98 *WorldCupFigures   `json:"worldcup98,omitempty"`
	Superposed *SuperposedFigures `json:"superposed,omitempty"`
}

// M4Figures are those of the competition.
type M4Figures struct {
	OWA        Figure `json:"owa"`
	SMAPE      Figure `json:"smape"`
	MASE       Figure `json:"mase"`
	MSIS       Figure `json:"msis"`
	Coverage95 Figure `json:"coverage95"` // in percent
}

// AccuracyFigure is that of a load, a day ahead.
type AccuracyFigure struct {
	Accuracy Figure `json:"accuracy"`
}

// WorldCupFigures are accuracies.
type WorldCupFigures struct {
	DayAhead Figure `json:"dayAhead"`
	OneHour  Figure `json:"oneHour"`
}

// SuperposedFigures are accuracies a day ahead with weddings on real loads, and the points
// that the calendar is worth, at the mix where that is less.
type SuperposedFigures struct {
	At30         Figure `json:"30at30"`
	At100        Figure `json:"100at60"`
	CalendarGain Figure `json:"calendarGain"`
}

// Headline picks the figures of a whole evaluation.
func (r Report) Headline() Headline {
	var h Headline
	if r.M4 != nil {
		ours := r.M4.Ours()
		h.M4Hourly = &M4Figures{rounded(ours.OWA), rounded(ours.SMAPE), rounded(ours.MASE), rounded(r.M4.MSIS), rounded(r.M4.Coverage95)}
	}
	if r.VicElec != nil {
		h.VicElec = &AccuracyFigure{rounded(Accuracy(r.VicElec.Result.DayAhead))}
		h.I94 = &AccuracyFigure{rounded(Accuracy(r.I94.Result.DayAhead))}
	}
	if r.WorldCup != nil {
		h.WorldCup98 = &WorldCupFigures{rounded(Accuracy(r.WorldCup.Result.DayAhead)), rounded(Accuracy(r.WorldCup.Result.NextHour))}
	}
	switch m := r.Mixed(); {
	case len(m) == 2:
		gain := math.Min(m[0].Calendar-m[0].Blind, m[1].Calendar-m[1].Blind)
		h.Superposed = &SuperposedFigures{rounded(m[0].Calendar), rounded(m[1].Calendar), rounded(gain)}
	case len(r.Weddings) > 0:
		none := Figure(math.NaN())
		h.Superposed = &SuperposedFigures{none, none, none}
	}
	return h
}

// Notes say what could not be judged, and why.
func (r Report) Notes() []string {
	var out []string
	if r.M4 != nil {
		for _, why := range r.M4.LeftOut {
			out = append(out, "M4 Hourly: "+why)
		}
	}
	for _, j := range []*Judged{r.VicElec, r.I94, r.WorldCup} {
		if j != nil && math.IsNaN(Accuracy(j.Result.DayAhead)) {
			out = append(out, fmt.Sprintf("%s: nothing could be judged: it ends before the days that are, is too short, or is zero throughout (%s)", j.Name, j.Split))
		}
	}
	if h := r.Headline(); h.Superposed != nil && math.IsNaN(float64(h.Superposed.CalendarGain)) {
		out = append(out, "weddings: nothing could be judged: the loads are too short, or zero throughout")
	}
	return out
}

// Figure is a number, or NaN where nothing could be judged: null in JSON, and no goal is met
// by it.
type Figure float64

// MarshalJSON writes a number or null.
func (f Figure) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(f)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(f))
}

// rounded keeps four digits after the point.
func rounded(v float64) Figure {
	if math.IsInf(v, 0) {
		v = math.NaN()
	}
	return Figure(math.Round(v*1e4) / 1e4)
}

// Goal is a figure with what it should be.
type Goal struct {
	Name   string
	What   string
	Is     Figure
	Want   float64
	AtMost bool // else at least
	Within float64
	Naive  string // of the same data, for comparison
}

// Met says whether a goal is reached.
func (g Goal) Met() bool {
	is := float64(g.Is) // NaN compares with nothing
	switch {
	case g.Within > 0:
		return math.Abs(is-g.Want) <= g.Within
	case g.AtMost:
		return is <= g.Want
	default:
		return is >= g.Want
	}
}

// Goals holds the figures of a report against what they should be.
func (r Report) Goals() []Goal {
	h := r.Headline()
	var out []Goal
	if r.M4 != nil {
		out = append(out,
			Goal{Name: "m4Hourly.owa", What: "M4 Hourly, 48 h, against Naive2", Is: h.M4Hourly.OWA, Want: 0.41, AtMost: true, Naive: "sNaive " + digits(r.M4.Methods[1].OWA, 4)},
			Goal{Name: "m4Hourly.msis", What: "M4 Hourly, 95 % interval", Is: h.M4Hourly.MSIS, Want: 7, AtMost: true, Naive: "best published 6.139"},
			Goal{Name: "m4Hourly.coverage95", What: "share in that interval, %", Is: h.M4Hourly.Coverage95, Want: 95, Within: 2})
	}
	if r.VicElec != nil {
		out = append(out,
			Goal{Name: "vicElec.accuracy", What: "electricity of Victoria, day ahead", Is: h.VicElec.Accuracy, Want: 96.5, Naive: "last week " + digits(r.VicElec.Naive, 1)},
			Goal{Name: "i94.accuracy", What: "traffic on I-94, day ahead", Is: h.I94.Accuracy, Want: 93, Naive: "last week " + digits(r.I94.Naive, 1)})
	}
	if r.WorldCup != nil {
		out = append(out,
			Goal{Name: "worldcup98.dayAhead", What: "World Cup 98, day ahead", Is: h.WorldCup98.DayAhead, Want: 66, Naive: "yesterday " + digits(r.WorldCup.Day, 1)},
			Goal{Name: "worldcup98.oneHour", What: "World Cup 98, one hour ahead", Is: h.WorldCup98.OneHour, Want: 82, Naive: "last hour " + digits(r.WorldCup.Last, 1)})
	}
	if m := r.Mixed(); len(m) == 2 {
		out = append(out,
			Goal{Name: "superposed.30at30", What: "30 weddings a day at 30 % of load, day ahead", Is: h.Superposed.At30, Want: 93, Naive: "last week " + digits(m[0].Naive, 1)},
			Goal{Name: "superposed.100at60", What: "100 weddings a day at 60 % of load, day ahead", Is: h.Superposed.At100, Want: 94, Naive: "last week " + digits(m[1].Naive, 1)},
			Goal{Name: "superposed.calendarGain", What: "points that the calendar is worth, at the mix where it is less", Is: h.Superposed.CalendarGain, Want: 14,
				Naive: "without it " + digits(m[0].Blind, 1) + ", " + digits(m[1].Blind, 1)})
	}
	return out
}
