package evaluate

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
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
	at = at.Truncate(time.Hour)
	c.sum[at] += v
	c.count[at]++
}

func (c *cells) hourly(name string) (Hourly, error) {
	if len(c.sum) == 0 {
		return Hourly{}, fmt.Errorf("evaluate: %s has no rows", name)
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

// table reads a CSV file with a heading and calls row with the named columns of each line.
func table(dir string, name []string, columns []string, row func([]string) error) error {
	f, err := open(dir, name...)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	r := csv.NewReader(f)
	heading, err := r.Read()
	if err != nil {
		return fmt.Errorf("evaluate: %s: %w", strings.Join(name, "/"), err)
	}
	places := make([]int, len(columns))
	for i, c := range columns {
		if places[i] = slices.Index(heading, c); places[i] < 0 {
			return fmt.Errorf("evaluate: %s has no column %q", strings.Join(name, "/"), c)
		}
	}
	cells := make([]string, len(columns))
	for {
		line, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("evaluate: %s: %w", strings.Join(name, "/"), err)
		}
		for i, p := range places {
			cells[i] = line[p]
		}
		if err := row(cells); err != nil {
			line, _ := r.FieldPos(0)
			return fmt.Errorf("evaluate: %s, line %d: %w", strings.Join(name, "/"), line, err)
		}
	}
}

// value reads a time and a number.
func value(layout, at, number string) (time.Time, float64, error) {
	t, err := time.Parse(layout, at)
	if err != nil {
		return t, 0, err
	}
	v, err := strconv.ParseFloat(number, 64)
	return t, v, err
}

// ReadVicElec reads the electricity demand of Victoria, half-hours joined to hours.
func ReadVicElec(dir string) (Hourly, error) {
	c, holidays := newCells(true), map[string]bool{}
	err := table(dir, []string{"day-ahead", "vic_elec.csv.gz"}, []string{"Time", "Demand", "Holiday"}, func(r []string) error {
		at, v, err := value(time.DateTime, r[0], r[1])
		if err != nil {
			return err
		}
		c.add(at, v)
		if r[2] == "TRUE" {
			holidays[at.Format(time.DateOnly)] = true
		}
		return nil
	})
	return finished(c, "vic_elec", holidays, err)
}

// ReadI94 reads the traffic on Interstate 94; an hour that is in the file more than once
// counts once.
func ReadI94(dir string) (Hourly, error) {
	c, holidays := newCells(true), map[string]bool{}
	err := table(dir, []string{"day-ahead", "i94_traffic.csv.gz"}, []string{"date_time", "traffic_volume", "holiday"}, func(r []string) error {
		at, v, err := value("1/2/06 15:04", r[0], r[1])
		if err != nil {
			return err
		}
		c.add(at, v)
		if r[2] != "None" && r[2] != "" {
			holidays[at.Format(time.DateOnly)] = true
		}
		return nil
	})
	return finished(c, "I-94", holidays, err)
}

func finished(c *cells, name string, holidays map[string]bool, err error) (Hourly, error) {
	if err != nil {
		return Hourly{}, err
	}
	h, err := c.hourly(name)
	if len(holidays) > 0 {
		h.Holiday = holidays
	}
	return h, err
}

// ReadWorldCup reads the requests to the site of the World Cup 1998, with the matches as
// events; the teams are tags.
func ReadWorldCup(dir string) (Hourly, error) {
	c := newCells(false)
	err := table(dir, []string{"worldcup98", "requests_per_minute.csv.gz"}, []string{"period", "count"}, func(r []string) error {
		at, v, err := value(time.DateTime, r[0], r[1])
		if err == nil {
			c.add(at, v)
		}
		return err
	})
	h, err := finished(c, "World Cup 98", nil, err)
	if err != nil {
		return Hourly{}, err
	}
	err = table(dir, []string{"worldcup98", "matches_utc.csv"}, []string{"kickoff_utc", "team1", "team2"}, func(r []string) error {
		at, err := time.Parse("2006-01-02 15:04", r[0])
		if err != nil {
			return err
		}
		h.Events = append(h.Events, forecast.Event{
			ID: r[1] + " – " + r[2], Start: at.Sub(h.Start).Hours(), Size: 1, Tags: []string{"team " + r[1], "team " + r[2]},
		})
		return nil
	})
	return h, err
}
