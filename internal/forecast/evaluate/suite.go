package evaluate

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wedsync/scalability/internal/forecast/score"
)

// Suites.
const (
	SuiteHeadline = "headline" // everything
	SuiteM4       = "m4"
	SuiteDayAhead = "day-ahead"
	SuiteWorldCup = "worldcup"
	SuiteWeddings = "weddings"
)

// Suites lists them.
func Suites() []string {
	return []string{SuiteHeadline, SuiteM4, SuiteDayAhead, SuiteWorldCup, SuiteWeddings}
}

// DefaultSeeds is how many times weddings are drawn.
const DefaultSeeds = 3

// Options of an evaluation.
type Options struct {
	Suite    string
	Data     string // folder
	Every    int    // take each n-th series of M4 only, for a quick look; 0 is 1
	Seeds    int    // of the weddings; 0 is DefaultSeeds
	Progress func(done, total int, step string)
}

// Judged is a load with its forecasts and those of naive methods.
type Judged struct {
	Name    string
	Split   string // what was learned from and what was judged
	Result  Result
	Naive   float64 // accuracy of the same hour of last week
	Day     float64 // of the same hour of yesterday
	Last    float64 // of the last hour, for the next
	Blind   *Result // the same without the calendar
	Load    Hourly
	Matches bool // events are matches
}

// Accuracy is 100 · (1 − WAPE) of records.
func Accuracy(records []score.Record) float64 { return score.TallyOf(records, nil).Accuracy() }

// Superposed is the test with weddings: one mix on one load with one seed.
type Superposed struct {
	Mix    Mix
	Seed   uint64
	Judged Judged
}

// Report is what an evaluation found; what its suite has no part in is nil.
type Report struct {
	Suite    string
	M4       *M4
	VicElec  *Judged
	I94      *Judged
	WorldCup *Judged
	Weddings []Superposed
	Took     time.Duration
}

// Mixes are the two of the headline.
func Mixes() []Mix { return []Mix{{30, 0.3}, {100, 0.6}} }

// Run evaluates.
func Run(ctx context.Context, o Options) (Report, error) {
	if !slices.Contains(Suites(), o.Suite) {
		return Report{}, fmt.Errorf("evaluate: there is no suite %q, only %v", o.Suite, Suites())
	}
	if o.Progress == nil {
		o.Progress = func(int, int, string) {}
	}
	if o.Seeds == 0 {
		o.Seeds = DefaultSeeds
	}
	if o.Seeds < 0 || o.Every < 0 {
		return Report{}, fmt.Errorf("evaluate: %d seeds and each %d-th series cannot be taken", o.Seeds, o.Every)
	}
	began := time.Now()
	r := Report{Suite: o.Suite}
	wants := func(suite string) bool { return o.Suite == suite || o.Suite == SuiteHeadline }
	if wants(SuiteM4) {
		if err := r.m4(ctx, o); err != nil {
			return r, err
		}
	}
	jobs, err := r.jobs(o, wants)
	if err != nil {
		return r, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, job := range jobs {
		if ctx.Err() != nil {
			break
		}
		o.Progress(i, len(jobs), job.name)
		g.Go(func() error { return job.run(ctx) })
	}
	err = g.Wait()
	r.Took = time.Since(began)
	return r, err
}

func (r *Report) m4(ctx context.Context, o Options) error {
	series, lonely, err := ReadM4(o.Data)
	if err != nil {
		return err
	}
	if o.Every > 1 {
		var some []Series
		for i := 0; i < len(series); i += o.Every {
			some = append(some, series[i])
		}
		series = some
	}
	m4, err := JudgeM4(ctx, series, func(done, total int, step string) { o.Progress(done, total, "M4 Hourly: "+step) })
	for _, id := range lonely {
		m4.LeftOut = append(m4.LeftOut, id+" is in one of both files alone")
	}
	r.M4 = &m4
	return err
}

// job is one backtest or two.
type job struct {
	name string
	run  func(ctx context.Context) error
}

func (r *Report) jobs(o Options, wants func(string) bool) ([]job, error) {
	var out []job
	var vic, traffic Hourly
	var err error
	if wants(SuiteDayAhead) || wants(SuiteWeddings) {
		if vic, err = ReadVicElec(o.Data); err != nil {
			return nil, err
		}
		if traffic, err = ReadI94(o.Data); err != nil {
			return nil, err
		}
	}
	if wants(SuiteDayAhead) {
		r.VicElec, r.I94 = &Judged{}, &Judged{}
		out = append(out,
			job{"vic_elec", func(ctx context.Context) error {
				return r.VicElec.play(ctx, vic, vic.from(vic.Hour(2014, 1, 1), 0), true)
			}},
			job{"I-94", func(ctx context.Context) error {
				return r.I94.play(ctx, traffic, traffic.from(traffic.Hour(2018, 1, 1), 0), true)
			}})
	}
	if wants(SuiteWorldCup) {
		cup, err := ReadWorldCup(o.Data)
		if err != nil {
			return nil, err
		}
		r.WorldCup = &Judged{Matches: true}
		out = append(out, job{"World Cup 98", func(ctx context.Context) error {
			return r.WorldCup.play(ctx, cup, cup.from(cup.Hour(1998, 6, 18), cup.Hour(1998, 6, 10)), true)
		}})
	}
	if wants(SuiteWeddings) {
		out = append(out, r.weddings(o, vic, traffic)...)
	}
	return out, nil
}

// weddingDays is how much of a real load the weddings are laid on: the last year is judged.
const weddingDays = 2 * 365

func (r *Report) weddings(o Options, loads ...Hourly) []job {
	var out []job
	for _, load := range loads {
		load = load.last(weddingDays)
		for _, mix := range Mixes() {
			for seed := range o.Seeds {
				r.Weddings = append(r.Weddings, Superposed{Mix: mix, Seed: uint64(seed + 1)})
				at := len(r.Weddings) - 1
				out = append(out, job{fmt.Sprintf("%s, weddings %s, seed %d", load.Name, mix, seed+1), func(ctx context.Context) error {
					s := &r.Weddings[at]
					h := Superpose(load, mix, s.Seed)
					return s.Judged.play(ctx, h, h.lastYear(), false)
				}})
			}
		}
	}
	return out
}

// lastYear is the hour from which the weddings are judged: the last year, or the later half
// of a load that is shorter than two.
func (h Hourly) lastYear() int { return max(len(h.Load)-365*day, len(h.Load)/2) / day * day }

// play makes the forecasts of a load, with the calendar and without where there is one.
func (j *Judged) play(ctx context.Context, h Hourly, from int, far bool) error {
	calendar := len(h.Events) > 0
	var err error
	if j.Result, err = Backtest(ctx, h, Plan{From: from, Calendar: calendar, Far: far}); err != nil {
		return err
	}
	if calendar {
		blind, err := Backtest(ctx, h, Plan{From: from})
		if err != nil {
			return err
		}
		j.Blind = &blind
	}
	j.Name, j.Load = h.Name, h
	j.Split = fmt.Sprintf("learned online from %s, judged %s to %s", h.Start.Format(time.DateOnly),
		h.at(from).Format(time.DateOnly), h.at(len(h.Load)-1).Format(time.DateOnly))
	j.Naive, j.Day, j.Last = h.naive(from, week), h.naive(from, day), h.naive(from, 1)
	return nil
}

// naive is the accuracy of the load so many hours before.
func (h Hourly) naive(from, lag int) float64 {
	var actual, forecast []float64
	for t := max(from, lag); t < len(h.Load); t++ {
		if !math.IsNaN(h.Load[t]) && !math.IsNaN(h.Load[t-lag]) {
			actual, forecast = append(actual, h.Load[t]), append(forecast, h.Load[t-lag])
		}
	}
	return score.Accuracy(actual, forecast)
}

// MixResult is the mean over loads and seeds of a mix.
type MixResult struct {
	Mix                    Mix
	Calendar, Blind, Naive float64
	Runs                   int
}

// Mixed joins the wedding tests by mix.
func (r Report) Mixed() []MixResult {
	var out []MixResult
	for _, mix := range Mixes() {
		m := MixResult{Mix: mix}
		for _, s := range r.Weddings {
			if s.Mix == mix && s.Judged.Blind != nil {
				m.Calendar += Accuracy(s.Judged.Result.DayAhead)
				m.Blind += Accuracy(s.Judged.Blind.DayAhead)
				m.Naive += s.Judged.Naive
				m.Runs++
			}
		}
		n := float64(m.Runs)
		m.Calendar, m.Blind, m.Naive = m.Calendar/n, m.Blind/n, m.Naive/n
		if m.Runs > 0 {
			out = append(out, m)
		}
	}
	return out
}
