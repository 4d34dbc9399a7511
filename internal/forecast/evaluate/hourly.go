package evaluate

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/wedsync/scalability/internal/forecast"
)

// Hourly is a load by the hour, in the clock of its place: an hour that the clock repeats
// is the mean of both, one that it leaves out is missing.
type Hourly struct {
	Name    string
	Start   time.Time // midnight
	Load    []float64 // NaN where missing
	Holiday map[string]bool
	Events  []forecast.Event
}

// IsHoliday says whether a day is one.
func (h Hourly) IsHoliday(day time.Time) bool { return h.Holiday[day.Format(time.DateOnly)] }

// Hour is the number of the hour at which a date begins.
func (h Hourly) Hour(year int, month time.Month, dayOfMonth int) int {
	return int(time.Date(year, month, dayOfMonth, 0, 0, 0, 0, time.UTC).Sub(h.Start) / time.Hour)
}

// lastPart is the share of a trace that is judged where it does not reach the date from
// which it should be.
const lastPart = 0.4

// from is the hour of a date where that leaves days enough to judge, else that of the last
// part of what follows begin.
func (h Hourly) from(hour, begin int) int {
	const enough = 48
	if hour >= begin && hour+enough <= len(h.Load) {
		return hour
	}
	days := (len(h.Load) - begin) / 24
	return (begin/24 + days - int(lastPart*float64(days))) * 24
}

// cells gathers values by the hour.
type cells struct {
	sum, count map[time.Time]float64
	mean       bool
}

func newCells(mean bool) *cells {
	return &cells{map[time.Time]float64{}, map[time.Time]float64{}, mean}
}

func (c *cells) add(at time.Time, v float64) {
	if math.IsNaN(v) {
		return // missing
	}
	at = at.Truncate(time.Hour)
	c.sum[at] += v
	c.count[at]++
}

// mostHours bounds the time between the first and the last row: a wrong year is a wrong row.
const mostHours = 30 * 366 * 24

func (c *cells) hourly(file, name string) (Hourly, error) {
	if len(c.sum) == 0 {
		return Hourly{}, fmt.Errorf("evaluate: %s has no rows with a value", file)
	}
	var first, last time.Time
	for at := range c.sum {
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	if last.Sub(first) > mostHours*time.Hour {
		return Hourly{}, fmt.Errorf("evaluate: %s has rows from %s to %s: at most 30 years are possible", file, first.Format(time.DateOnly), last.Format(time.DateOnly))
	}
	h := Hourly{Name: name, Start: first.Truncate(24 * time.Hour), Holiday: map[string]bool{}}
	h.Load = make([]float64, int(last.Sub(h.Start)/time.Hour)+1)
	for i := range h.Load {
		h.Load[i] = math.NaN()
	}
	for at, v := range c.sum {
		if c.mean {
			v /= c.count[at]
		}
		h.Load[int(at.Sub(h.Start)/time.Hour)] = v
	}
	return h, nil
}

// column is a field of a file by its name, with the function that takes it.
type column struct {
	name string
	take func(cell string) error
}

// table reads a CSV file with a heading, and gives each line to the columns in their
// order, then to row. An error names file, line and column.
func table(dir string, name []string, columns []column, row func()) error {
	file := strings.Join(name, "/")
	f, err := open(dir, name...)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	r := rows(f)
	heading, err := r.Read()
	if err != nil {
		return fmt.Errorf("evaluate: %s: its heading: %w", file, err)
	}
	places := make([]int, len(columns))
	for i, c := range columns {
		is := func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), c.name) }
		if places[i] = slices.IndexFunc(heading, is); places[i] < 0 {
			return fmt.Errorf("evaluate: %s has no column %q", file, c.name)
		}
	}
	for {
		line, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("evaluate: %s: %w", file, err)
		}
		for i, p := range places {
			if err := columns[i].take(strings.TrimSpace(line[p])); err != nil {
				at, _ := r.FieldPos(p)
				return fmt.Errorf("evaluate: %s, line %d, %s: %w", file, at, columns[i].name, err)
			}
		}
		row()
	}
}

// moment reads a time into at: as the file is published, or as other programs write it.
func moment(at *time.Time, layouts ...string) func(string) error {
	layouts = append(layouts, time.DateTime, "2006-01-02 15:04", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05")
	return func(cell string) error {
		for _, layout := range layouts {
			t, err := time.Parse(layout, cell)
			if err == nil {
				*at = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
				return nil
			}
		}
		return fmt.Errorf("%q must be a time such as %s", cell, layouts[0])
	}
}

// value reads a number into v.
func value(v *float64) func(string) error {
	return func(cell string) error {
		x, err := number(cell)
		*v = x
		return err
	}
}

// text reads a cell into s.
func text(s *string) func(string) error {
	return func(cell string) error { *s = cell; return nil }
}

// ReadVicElec reads the electricity demand of Victoria, half-hours joined to hours.
func ReadVicElec(dir string) (Hourly, error) {
	c, holidays := newCells(true), map[string]bool{}
	var at time.Time
	var v float64
	var holiday string
	err := table(dir, []string{"day-ahead", "vic_elec.csv.gz"}, []column{{"Time", moment(&at)}, {"Demand", value(&v)}, {"Holiday", text(&holiday)}}, func() {
		c.add(at, v)
		if strings.EqualFold(holiday, "true") || holiday == "1" {
			holidays[at.Format(time.DateOnly)] = true
		}
	})
	return finished(c, "day-ahead/vic_elec.csv.gz", "vic_elec", holidays, err)
}

// ReadI94 reads the traffic on Interstate 94; an hour that is in the file more than once
// counts once.
func ReadI94(dir string) (Hourly, error) {
	c, holidays := newCells(true), map[string]bool{}
	var at time.Time
	var v float64
	var holiday string
	err := table(dir, []string{"day-ahead", "i94_traffic.csv.gz"},
		[]column{{"date_time", moment(&at, "1/2/06 15:04", "1/2/2006 15:04")}, {"traffic_volume", value(&v)}, {"holiday", text(&holiday)}}, func() {
			c.add(at, v)
			if holiday != "" && !strings.EqualFold(holiday, "none") && !strings.EqualFold(holiday, "na") {
				holidays[at.Format(time.DateOnly)] = true
			}
		})
	return finished(c, "day-ahead/i94_traffic.csv.gz", "I-94", holidays, err)
}

func finished(c *cells, file, name string, holidays map[string]bool, err error) (Hourly, error) {
	if err != nil {
		return Hourly{}, err
	}
	h, err := c.hourly(file, name)
	if len(holidays) > 0 {
		h.Holiday = holidays
	}
	return h, err
}

// ReadWorldCup reads the requests to the site of the World Cup 1998, with the matches as
// events; the teams are tags.
func ReadWorldCup(dir string) (Hourly, error) {
	c := newCells(false)
	var at time.Time
	var v float64
	err := table(dir, []string{"worldcup98", "requests_per_minute.csv.gz"}, []column{{"period", moment(&at)}, {"count", value(&v)}}, func() { c.add(at, v) })
	h, err := finished(c, "worldcup98/requests_per_minute.csv.gz", "World Cup 98", nil, err)
	if err != nil {
		return Hourly{}, err
	}
	var one, other string
	err = table(dir, []string{"worldcup98", "matches_utc.csv"}, []column{{"kickoff_utc", moment(&at, "2006-01-02 15:04")}, {"team1", text(&one)}, {"team2", text(&other)}}, func() {
		h.Events = append(h.Events, forecast.Event{
			ID: one + " – " + other, Start: at.Sub(h.Start).Hours(), Size: 1, Tags: []string{"team " + one, "team " + other},
		})
	})
	slices.SortStableFunc(h.Events, func(a, b forecast.Event) int { return cmp.Compare(a.Start, b.Start) })
	return h, err
}
