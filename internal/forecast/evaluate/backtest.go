package evaluate

import (
	"context"
	"math"
	"time"

	"github.com/wedsync/scalability/internal/forecast"
	"github.com/wedsync/scalability/internal/forecast/score"
)

// Plan says what a backtest looks at.
type Plan struct {
	From     int  // first hour that is judged
	Calendar bool // the model is told of the events
	Far      bool // forecasts of a week, and of exactly a day ahead, are judged too
}

// Result is what forecasts of one load came to. All were made by a model that knew the
// hours before their origin alone.
type Result struct {
	Data     string
	From, To time.Time
	DayAhead []score.Record // made at midnight for the 24 hours of the day
	NextHour []score.Record // made at each hour for the next
	Exactly  []score.Record // made at each hour for 24 hours later
	Week     []score.Record // made at midnight for seven days
	Start    time.Time      // hour of DayAhead's first record
	Hours    []int          // of the records of DayAhead
	Night    time.Duration  // mean time of a night's learning
}

// hours of a day and a week.
const (
	day  = 24
	week = 168
)

// Backtest plays a load through a model, hour by hour.
func Backtest(ctx context.Context, h Hourly, p Plan) (Result, error) {
	o := forecast.Options{Start: h.Start, Holiday: h.IsHoliday, Events: p.Calendar}
	if p.Far {
		o.Days = 7
	}
	m := forecast.New(o)
	if p.Calendar {
		m.Book(h.Events...)
	}
	r := Result{Data: h.Name, From: h.at(p.From), To: h.at(len(h.Load)), Start: h.at(p.From)}
	b := bench{h: h, p: p, m: m, r: &r, felt: feltHours(h)}
	nights := 0
	for t, load := range h.Load {
		if t%day == 0 && ctx.Err() != nil {
			return r, ctx.Err()
		}
		if t >= p.From {
			b.ask(t)
		}
		began := time.Now()
		m.Observe(load)
		if t%day == day-1 && t >= p.From {
			r.Night += time.Since(began)
			nights++
		}
	}
	r.Night /= time.Duration(max(1, nights))
	return r, nil
}

func (h Hourly) at(hour int) time.Time { return h.Start.Add(time.Duration(hour) * time.Hour) }

// feltHours marks the days that an event begins on.
func feltHours(h Hourly) map[int]bool {
	out := map[int]bool{}
	for _, e := range h.Events {
		out[int(math.Floor(e.Start))/day] = true
	}
	return out
}

type bench struct {
	h    Hourly
	p    Plan
	m    *forecast.Model
	r    *Result
	felt map[int]bool
}

// ask makes the forecasts whose origin is hour t, which is not known yet.
func (b *bench) ask(t int) {
	if t%day == 0 {
		ahead := day
		if b.p.Far {
			ahead = week
		}
		for _, p := range b.m.Forecast(ahead) {
			if p.Lead <= day && p.Hour < len(b.h.Load) && !math.IsNaN(b.h.Load[p.Hour]) {
				b.r.DayAhead = append(b.r.DayAhead, b.record(p))
				b.r.Hours = append(b.r.Hours, p.Hour)
			}
			if b.p.Far {
				b.keep(&b.r.Week, p)
			}
		}
	}
	if b.p.Far {
		points := b.m.Forecast(day)
		b.keep(&b.r.NextHour, points[0])
		b.keep(&b.r.Exactly, points[day-1])
		return
	}
	b.keep(&b.r.NextHour, b.m.Forecast(1)[0])
}

func (b *bench) keep(to *[]score.Record, p forecast.Point) {
	if p.Hour < len(b.h.Load) && !math.IsNaN(b.h.Load[p.Hour]) {
		*to = append(*to, b.record(p))
	}
}

func (b *bench) record(p forecast.Point) score.Record {
	nan := math.NaN()
	r := score.Record{
		Actual: b.h.Load[p.Hour], Forecast: p.Expected, Lead: p.Lead, Day: nan, Week: nan,
		Low: nan, High: nan, Q10: nan, Q50: nan, Q90: nan, Q95: nan,
		Event: b.felt[p.Hour/day], Holiday: b.h.IsHoliday(b.h.at(p.Hour)),
	}
	if p.Hour >= day {
		r.Day = b.h.Load[p.Hour-day]
	}
	if p.Hour >= week {
		r.Week = b.h.Load[p.Hour-week]
	}
	if _, ok := p.Quantile(0.5); !ok {
		return r
	}
	for q, to := range map[float64]*float64{0.025: &r.Low, 0.1: &r.Q10, 0.5: &r.Q50, 0.9: &r.Q90, 0.95: &r.Q95, 0.975: &r.High} {
		*to, _ = p.Quantile(q)
	}
	return r
}
