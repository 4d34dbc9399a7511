package evaluate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/wedsync/scalability/internal/forecast/score"
)

// pictureDays is how much of a load a picture shows.
const pictureDays = 14

// band draws forecast and interval against what came, over days around the busiest of
// the judged ones.
func (j Judged) band() chart {
	records, hours := j.Result.DayAhead, j.Result.Hours
	first := busiest(records, hours) - pictureDays/2*day
	first = max(first, hours[0])
	d := drawing{
		title:  "Forecast against load: " + j.Name,
		about:  "made at each midnight for the day, with the interval that is to hold 95 %",
		xLabel: "day", yLabel: "load by the hour", xStep: day,
		xText: func(x float64) string { return j.Load.at(int(x)).Format("2 Jan") },
	}
	var actual, expected []float64
	for i, t := range hours {
		if t < first || t >= first+pictureDays*day {
			continue
		}
		d.x = append(d.x, float64(t))
		actual, expected = append(actual, records[i].Actual), append(expected, records[i].Forecast)
		d.low, d.high = append(d.low, records[i].Low), append(d.high, records[i].High)
	}
	d.curves = []curve{{"load", grey, actual}, {"forecast", dark, expected}}
	if j.Blind != nil {
		var blind []float64
		for i, t := range j.Blind.Hours {
			if t >= first && t < first+pictureDays*day {
				blind = append(blind, j.Blind.DayAhead[i].Forecast)
			}
		}
		d.curves = append(d.curves, curve{"without the calendar", orange, blind})
	}
	if j.Matches {
		for _, e := range j.Load.Events {
			d.marks = append(d.marks, e.Start)
		}
	}
	return d.chart()
}

// busiest is the hour with the highest load.
func busiest(records []score.Record, hours []int) int {
	at := 0
	for i := range records {
		if records[i].Actual > records[at].Actual {
			at = i
		}
	}
	return hours[at] / day * day
}

// byLead draws the error over the hours ahead.
func (r Report) byLead() chart {
	d := drawing{
		title: "Error by lead", about: "WAPE of forecasts made at midnight for the next seven days, in %",
		xLabel: "hours ahead", yLabel: "WAPE, %", xStep: day, xText: func(x float64) string { return fmt.Sprintf("%g", x) },
	}
	for lead := 1; lead <= week; lead++ {
		d.x = append(d.x, float64(lead))
	}
	colours := []string{dark, orange, green}
	for i, j := range []*Judged{r.VicElec, r.I94, r.WorldCup} {
		if j == nil {
			continue
		}
		missed, served := make([]float64, week), make([]float64, week)
		for _, rec := range j.Result.Week {
			missed[rec.Lead-1] += math.Abs(rec.Actual - rec.Forecast)
			served[rec.Lead-1] += rec.Actual
		}
		y := make([]float64, week)
		for k := range y {
			y[k] = 100 * missed[k] / served[k]
		}
		d.curves = append(d.curves, curve{j.Name, colours[i], y})
	}
	return d.chart()
}

// m4ByLead draws the scaled error of the competition's series.
func (m M4) byLead() chart {
	d := drawing{
		title: "M4 Hourly: error by lead", about: "mean absolute scaled error of each hour ahead",
		xLabel: "hours ahead", yLabel: "MASE", xStep: 6, xText: func(x float64) string { return fmt.Sprintf("%g", x) },
		curves: []curve{{"WedSync", dark, m.ByLead}},
	}
	for lead := range m.ByLead {
		d.x = append(d.x, float64(lead+1))
	}
	return d.chart()
}

// groups of days in the picture of wedding days.
const groups = 10

// byWeddings draws the error of days by how many weddings they have.
func (j Judged) byWeddings() chart {
	count := map[int]int{}
	for _, e := range j.Load.Events {
		count[int(math.Floor(e.Start))/day]++
	}
	days := map[int]*[3]float64{} // missed, missed without the calendar, served
	add := func(r Result, place int) {
		for i, t := range r.Hours {
			d := t / day
			if days[d] == nil {
				days[d] = &[3]float64{}
			}
			days[d][place] += math.Abs(r.DayAhead[i].Actual - r.DayAhead[i].Forecast)
			if place == 0 {
				days[d][2] += r.DayAhead[i].Actual
			}
		}
	}
	add(j.Result, 0)
	add(*j.Blind, 1)
	order := make([]int, 0, len(days))
	for d := range days {
		order = append(order, d)
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(count[a], count[b]), cmp.Compare(a, b)) })
	d := drawing{
		title:  "Wedding-day errors: " + j.Name,
		about:  "days in ten groups, from the fewest weddings to the most; WAPE of the day-ahead forecast in %",
		xLabel: "weddings on the day, mean of the group", yLabel: "WAPE, %", xStep: 1,
	}
	var with, without, weddings []float64
	for g := range groups {
		var sum [3]float64
		n := 0
		part := order[g*len(order)/groups : (g+1)*len(order)/groups]
		for _, at := range part {
			for k := range sum {
				sum[k] += days[at][k]
			}
			n += count[at]
		}
		d.x = append(d.x, float64(g))
		weddings = append(weddings, float64(n)/float64(max(1, len(part))))
		with, without = append(with, 100*sum[0]/sum[2]), append(without, 100*sum[1]/sum[2])
	}
	d.xText = func(x float64) string { return fmt.Sprintf("%.0f", weddings[int(x)]) }
	d.curves = []curve{{"with the calendar", dark, with}, {"without", orange, without}}
	return d.chart()
}

// pictures are all that a report can draw.
func (r Report) pictures() []chart {
	var out []chart
	for _, j := range []*Judged{r.VicElec, r.I94, r.WorldCup} {
		if j != nil && len(j.Result.DayAhead) > 0 {
			out = append(out, j.band())
		}
	}
	for _, mix := range Mixes() {
		for _, s := range r.Weddings {
			if s.Mix == mix && s.Judged.Blind != nil {
				out = append(out, s.Judged.band(), s.Judged.byWeddings())
				break
			}
		}
	}
	if r.VicElec != nil || r.WorldCup != nil {
		out = append(out, r.byLead())
	}
	if r.M4 != nil {
		out = append(out, r.M4.byLead())
	}
	return out
}

// took prints a duration for people.
func took(d time.Duration) string { return d.Round(time.Second).String() }
