package evaluate

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"

	"github.com/wedsync/scalability/internal/forecast/score"
)

// digits prints a figure; what is not a number is a dash.
func digits(v float64, n int) string {
	if math.IsNaN(v) {
		return "–"
	}
	return strconv.FormatFloat(v, 'f', n, 64)
}

// Write prints a report as tables.
func (r Report) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	if goals := r.Goals(); len(goals) > 0 {
		fmt.Fprintln(t, "figure\tis\tgoal\t\tbeside it\twhat")
		for _, g := range goals {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", g.Name, digits(float64(g.Is), 4), g.bound(), g.verdict(), g.Naive, g.What)
		}
		fmt.Fprintln(t)
	}
	for _, note := range r.Notes() {
		fmt.Fprintln(t, note)
	}
	if r.M4 != nil {
		fmt.Fprintf(t, "M4 Hourly, %d series\tsMAPE\tMASE\tOWA\n", r.M4.Series)
		for _, m := range r.M4.Methods {
			fmt.Fprintf(t, "%s\t%.3f\t%.3f\t%.4f\n", m.Method, m.SMAPE, m.MASE, m.OWA)
		}
		fmt.Fprintln(t)
	}
	for _, j := range []*Judged{r.VicElec, r.I94, r.WorldCup} {
		if j != nil {
			j.write(t)
		}
	}
	r.writeWeddings(t)
	return t.Flush()
}

func (g Goal) bound() string {
	switch {
	case g.Within > 0:
		return fmt.Sprintf("%g ± %g", g.Want, g.Within)
	case g.AtMost:
		return fmt.Sprintf("≤ %g", g.Want)
	default:
		return fmt.Sprintf("≥ %g", g.Want)
	}
}

func (g Goal) verdict() string {
	if g.Met() {
		return "met"
	}
	if math.IsNaN(float64(g.Is)) {
		return "nothing to judge"
	}
	return fmt.Sprintf("missed by %.4g", math.Abs(float64(g.Is)-g.Want)-g.Within)
}

// Line is a group of forecasts of one load.
type Line struct {
	Group string
	Tally score.Tally
}

// Lines are the groups that tracking tells apart: by lead, by event days and by holidays.
func (j Judged) Lines() []Line {
	event := "days without weddings"
	felt := "wedding days"
	if j.Matches {
		event, felt = "days without matches", "match days"
	}
	out := []Line{
		{"next hour", score.TallyOf(j.Result.NextHour, nil)},
		{"day ahead, from midnight", score.TallyOf(j.Result.DayAhead, nil)},
	}
	if len(j.Result.Exactly) > 0 {
		out = append(out, Line{"24 h ahead, from each hour", score.TallyOf(j.Result.Exactly, nil)})
	}
	for _, d := range []int{2, 3, 7} {
		if len(j.Result.Week) > 0 {
			out = append(out, Line{fmt.Sprintf("day %d from midnight", d), score.TallyOf(j.Result.Week, func(r score.Record) bool { return (r.Lead-1)/day+1 == d })})
		}
	}
	if len(j.Load.Events) > 0 {
		out = append(out,
			Line{"day ahead, " + felt, score.TallyOf(j.Result.DayAhead, func(r score.Record) bool { return r.Event })},
			Line{"day ahead, " + event, score.TallyOf(j.Result.DayAhead, func(r score.Record) bool { return !r.Event })})
	}
	if len(j.Load.Holiday) > 0 {
		out = append(out, Line{"day ahead, holidays", score.TallyOf(j.Result.DayAhead, func(r score.Record) bool { return r.Holiday })})
	}
	if j.Blind != nil {
		out = append(out, Line{"day ahead, without the calendar", score.TallyOf(j.Blind.DayAhead, nil)})
	}
	return out
}

func (j Judged) write(w io.Writer) {
	fmt.Fprintf(w, "%s: %s\n", j.Name, j.Split)
	fmt.Fprintf(w, "naive: last week %s, yesterday %s, last hour %s\n", digits(j.Naive, 1), digits(j.Day, 1), digits(j.Last, 1))
	fmt.Fprintln(w, "forecasts\thours\taccuracy\tbias\tMASE 24\tMASE 168\tsMAPE\tin 95 %\twidth\tpinball .5\t.9\t.95")
	for _, l := range j.Lines() {
		t := l.Tally
		if t.Hours == 0 {
			continue
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%+.3f\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Group, t.Hours, digits(t.Accuracy(), 2), t.Bias,
			digits(t.MASE24, 3), digits(t.MASE168, 3), digits(t.SMAPE, 2), digits(100*t.Coverage, 1), digits(t.Width, 3),
			digits(t.Pinball.P50, 4), digits(t.Pinball.P90, 4), digits(t.Pinball.P95, 4))
	}
	fmt.Fprintln(w)
}

func (r Report) writeWeddings(w io.Writer) {
	if len(r.Weddings) == 0 {
		return
	}
	fmt.Fprintln(w, "weddings on a real load\tseed\twith calendar\twithout\tgain\tlast week\tnext hour\tin 95 %")
	for _, s := range r.Weddings {
		j := s.Judged
		if j.Blind == nil {
			continue
		}
		with, without := score.TallyOf(j.Result.DayAhead, nil), Accuracy(j.Blind.DayAhead)
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", j.Name, s.Seed, digits(with.Accuracy(), 2), digits(without, 2),
			digits(with.Accuracy()-without, 2), digits(j.Naive, 1), digits(Accuracy(j.Result.NextHour), 2), digits(100*with.Coverage, 1))
	}
	for _, m := range r.Mixed() {
		fmt.Fprintf(w, "mean of %d at %s\t\t%s\t%s\t%s\t%s\n", m.Runs, m.Mix, digits(m.Calendar, 2), digits(m.Blind, 2), digits(m.Calendar-m.Blind, 2), digits(m.Naive, 1))
	}
}
