package panel

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/wedsync/scalability/internal/forecast/smoothing"
)

// Seasons, in hours.
const (
	day  = 24
	week = 168
)

// MaxHorizon is the furthest lead, in hours: the week's lag must be known.
const MaxHorizon = week

// Shortest is the least history that anything can be said on, in hours.
const Shortest = week + day

// Options of a forecast.
type Options struct {
	Horizon  int
	Coverage float64                            // of the intervals; 0 is 0.95
	Progress func(done, total int, step string) // nil: silent
}

// Forecast is that of one series.
type Forecast struct {
	Point, Lower, Upper []float64
	Weights             map[string]float64 // of the members, by name
}

// Make forecasts each series from its end. All values must be at least zero.
func Make(ctx context.Context, series [][]float64, o Options) ([]Forecast, error) {
	if o.Coverage == 0 {
		o.Coverage = 0.95
	}
	if o.Progress == nil {
		o.Progress = func(int, int, string) {}
	}
	if o.Horizon < 1 || o.Horizon > MaxHorizon {
		return nil, fmt.Errorf("panel: a horizon of %d hours, 1 to %d are possible", o.Horizon, MaxHorizon)
	}
	w := &work{ctx: ctx, horizon: o.Horizon, progress: o.Progress}
	for i, y := range series {
		if len(y) < Shortest {
			return nil, fmt.Errorf("panel: series %d has %d hours, %d are needed", i, len(y), Shortest)
		}
		w.add(y)
	}
	members, err := w.members()
	if err != nil {
		return nil, err
	}
	return w.combine(members, o.Coverage), nil
}

// floor is added to a load before the logarithm, as a share of the series' mean: an hour
// of nothing has a logarithm, and small hours do not outweigh the others.
const floor = 0.01

// origins are how many horizons before the end the forecasts start: the last one is what
// is asked for, the others are judged.
const origins = 4

// work is one call of Make.
type work struct {
	ctx      context.Context //nolint:containedctx // one call
	horizon  int
	progress func(int, int, string)
	z        [][]float64 // logarithms
	floors   []float64
}

func (w *work) add(y []float64) {
	mean := 0.0
	for _, v := range y {
		mean += v / float64(len(y))
	}
	c := math.Max(floor*mean, math.SmallestNonzeroFloat32)
	z := make([]float64, len(y))
	for t, v := range y {
		z[t] = math.Log(v + c)
	}
	w.z, w.floors = append(w.z, z), append(w.floors, c)
}

// back takes a series into its own unit.
func (w *work) back(i int, z float64) float64 { return math.Max(0, math.Exp(z)-w.floors[i]) }

// known is what of a series was measured before an origin.
func (w *work) known(i, origin int) []float64 {
	return w.z[i][:max(0, len(w.z[i])-origin*w.horizon)]
}

// fitted says at which origin the parameters for a forecast are fitted: those that are
// judged share the oldest one's, so that none has seen what judges it.
func fitted(origin int) int {
	if origin == 0 {
		return 0
	}
	return origins - 1
}

// member is one method: its forecasts by origin and series, nil where it has none.
type member struct {
	name string
	at   [origins][][]float64
}

func newMember(name string, series int) *member {
	m := &member{name: name}
	for o := range m.at {
		m.at[o] = make([][]float64, series)
	}
	return m
}

// members makes the forecasts of all methods.
func (w *work) members() ([]*member, error) {
	out := []*member{
		w.simple("naive week", func(y []float64) []float64 { return repeat(y, week, w.horizon) }),
		w.simple("naive day", func(y []float64) []float64 { return repeat(y, day, w.horizon) }),
		w.simple("naive period", func(y []float64) []float64 { return repeat(y, period(y), w.horizon) }),
	}
	steps := []struct {
		name string
		make func() ([]*member, error)
	}{
		{"smoothing", w.smoothed}, {"autoregression", w.autoregressed}, {"ridges", w.ridges},
	}
	for i, s := range steps {
		w.progress(i, len(steps), s.name)
		m, err := s.make()
		if err != nil {
			return nil, err
		}
		out = append(out, m...)
	}
	return out, nil
}

// simple makes a member of a method without parameters.
func (w *work) simple(name string, method func(y []float64) []float64) *member {
	m := newMember(name, len(w.z))
	for o := range origins {
		for i := range w.z {
			if y := w.known(i, o); len(y) >= Shortest {
				m.at[o][i] = method(y)
			}
		}
	}
	return m
}

func repeat(y []float64, lag, horizon int) []float64 {
	out := make([]float64, horizon)
	for h := range out {
		out[h] = y[len(y)-lag+h%lag]
	}
	return out
}

// otherPeriod is how much worse a day or a week must be to give way to another period.
const otherPeriod = 1.15

// period is the lag at which the last week repeats what was before it best: a day or a
// week, unless another one is clearly better.
func period(y []float64) int {
	best, at := math.Inf(1), day
	n := min(week, len(y)-week-1)
	for lag := 2; lag <= week+2 && n+lag <= len(y); lag++ {
		sum := 0.0
		for t := len(y) - n; t < len(y); t++ {
			sum += math.Abs(y[t] - y[t-lag])
		}
		if lag != day && lag != week {
			sum *= otherPeriod
		}
		if sum < best {
			best, at = sum, lag
		}
	}
	return at
}

func (w *work) smoothed() ([]*member, error) {
	m := newMember("double-seasonal smoothing", len(w.z))
	err := w.each(len(w.z), func(i int) error {
		for _, fit := range []int{origins - 1, 0} {
			y := w.known(i, fit)
			if len(y) < 2*week {
				continue
			}
			method := smoothing.Fit(y)
			for o := range origins {
				if fitted(o) != fit {
					continue
				}
				y := w.known(i, o)
				state := smoothing.Start(w.known(i, fit))
				for _, v := range y {
					method.Step(state, v)
				}
				m.at[o][i] = method.Forecast(state, w.horizon)
			}
		}
		return nil
	})
	return []*member{m}, err
}

// each runs a function for 0 … n−1 on all processors.
func (w *work) each(n int, run func(i int) error) error {
	g, ctx := errgroup.WithContext(w.ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error { return run(i) })
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("panel: %w", err)
	}
	return w.ctx.Err()
}

// finite says whether a forecast can be used.
func finite(f []float64) bool {
	return f != nil && !slices.ContainsFunc(f, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}
