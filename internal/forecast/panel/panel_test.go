package panel_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/forecast/classic"
	"github.com/wedsync/scalability/internal/forecast/panel"
	"github.com/wedsync/scalability/internal/forecast/score"
)

const horizon = 24

// panelOf makes series alike: a day, a week, a level that wanders, noise.
func panelOf(n, hours int, noise float64) [][]float64 {
	rng := rand.New(rand.NewPCG(5, 6))
	out := make([][]float64, n)
	for i := range out {
		level, phase, weekend := 100*math.Exp(rng.NormFloat64()), rng.IntN(24), 0.5+rng.Float64()
		wander := 0.0
		for t := range hours {
			wander = 0.98*wander + 0.02*rng.NormFloat64()
			v := level * (2 + math.Sin(2*math.Pi*float64(t+phase)/24))
			if t/24%7 >= 5 {
				v *= weekend
			}
			out[i] = append(out[i], v*math.Exp(wander+noise*rng.NormFloat64()))
		}
	}
	return out
}

func cut(all [][]float64) (past, future [][]float64) {
	for _, y := range all {
		past, future = append(past, y[:len(y)-horizon]), append(future, y[len(y)-horizon:])
	}
	return past, future
}

func made(t *testing.T, series [][]float64) []panel.Forecast {
	t.Helper()
	got, err := panel.Make(t.Context(), series, panel.Options{Horizon: horizon})
	require.NoError(t, err)
	require.Len(t, got, len(series))
	return got
}

func TestThePanelBeatsNaiveMethodsAndItsIntervalsHold(t *testing.T) {
	past, future := cut(panelOf(30, 24*35, 0.05))
	ours, naive, inside := 0.0, 0.0, 0.0
	for i, f := range made(t, past) {
		scale := score.Scale(past[i], 24)
		ours += score.MASE(future[i], f.Point, scale)
		naive += score.MASE(future[i], classic.SeasonalNaive(past[i], 168, horizon), scale)
		inside += score.Coverage(future[i], f.Lower, f.Upper) / 30
		total := 0.0
		for _, w := range f.Weights {
			total += w
		}
		assert.InDelta(t, 1, total, 1e-9)
		for h := range f.Point {
			assert.LessOrEqual(t, f.Lower[h], f.Point[h])
			assert.GreaterOrEqual(t, f.Upper[h], f.Point[h])
		}
	}
	assert.Less(t, ours, 0.8*naive)
	assert.InDelta(t, 0.95, inside, 0.05)
}

func TestAnOddPeriodIsFound(t *testing.T) {
	y := make([]float64, 24*35)
	for t := range y {
		y[t] = 10 + 5*math.Sin(2*math.Pi*float64(t)/23)
	}
	f := made(t, [][]float64{y})[0]
	for h, v := range f.Point {
		assert.InDelta(t, 10+5*math.Sin(2*math.Pi*float64(len(y)+h)/23), v, 0.3)
	}
}

func TestWhatASeriesIsTooShortForIsLeftOut(t *testing.T) {
	short := panelOf(1, 24*9, 0)[0]
	f := made(t, append(panelOf(3, 24*40, 0.05), short))[3]
	require.Len(t, f.Point, horizon)
	for h, v := range f.Point {
		assert.False(t, math.IsNaN(v) || math.IsNaN(f.Lower[h]) || math.IsNaN(f.Upper[h]))
	}
	assert.Zero(t, f.Weights["shared ridge"])
}

func TestZerosAndFlatSeriesAreForecast(t *testing.T) {
	zeros, flat := make([]float64, 24*40), make([]float64, 24*40)
	for i := range flat {
		flat[i] = 7
	}
	f := made(t, [][]float64{zeros, flat})
	assert.InDelta(t, 0, f[0].Point[5], 1e-6)
	assert.InDelta(t, 7, f[1].Point[5], 1e-3)
}

func TestForecastsDoNotDependOnTheNumberOfProcessors(t *testing.T) {
	series := panelOf(4, 24*30, 0.1)
	first, second := made(t, series), made(t, series)
	assert.Equal(t, first, second)
}

func TestWhatCannotBeForecastIsRefused(t *testing.T) {
	_, err := panel.Make(t.Context(), [][]float64{make([]float64, 100)}, panel.Options{Horizon: 24})
	require.ErrorContains(t, err, "192 are needed")
	_, err = panel.Make(t.Context(), nil, panel.Options{Horizon: 169})
	require.ErrorContains(t, err, "1 to 168")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = panel.Make(ctx, panelOf(2, 24*40, 0), panel.Options{Horizon: 24})
	require.ErrorIs(t, err, context.Canceled)
}
