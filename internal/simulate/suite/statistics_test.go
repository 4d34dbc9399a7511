package suite

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTheFrontKeepsWhatNothingBeatsInBoth(t *testing.T) {
	got := front([]point{{10, 5}, {8, 9}, {12, 5}, {9, 9}, {15, 0}, {10, 7}})
	assert.Equal(t, []point{{8, 9}, {10, 5}, {15, 0}}, got)
	assert.Empty(t, front(nil))
}

func sweep() []point { return []point{{100, 200}, {120, 20}, {150, 2}, {200, 0}} }

func TestAnEqualFigureIsReadOffTheFront(t *testing.T) {
	for name, c := range map[string]struct {
		violations, cost float64
		how              between
	}{
		"on a point":                       {20, 120, within},
		"more than the cheapest has":       {900, 100, within},
		"the dearest":                      {0, 200, within},
		"half of a tenfold step, about":    {math.Sqrt(200.5*20.5) - 0.5, 110, within},
		"fewer than none is not reachable": {-1, 200, below},
	} {
		got, how := costAt(sweep(), c.violations)
		assert.InDelta(t, c.cost, got, 1e-6, name)
		assert.Equal(t, c.how, how, name)
	}
	v, how := violationsAt(sweep(), 110)
	assert.InDelta(t, math.Sqrt(200.5*20.5)-0.5, v, 1e-6)
	assert.Equal(t, within, how)
	v, how = violationsAt(sweep(), 90)
	assert.InDelta(t, 200, v, 1e-9)
	assert.Equal(t, below, how, "cheaper than the sweep goes is said")
	v, _ = violationsAt(sweep(), 900)
	assert.Zero(t, v)
}

func TestTheTwoReadingsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64Range(0, 200).Draw(t, "violations")
		c, _ := costAt(sweep(), v)
		back, _ := violationsAt(sweep(), c)
		assert.InDelta(t, v, back, 1e-6)
	})
}

func TestARatioIsAlwaysANumber(t *testing.T) {
	assert.Zero(t, ratio(0, 0), "nothing over nothing")
	assert.InDelta(t, 6, ratio(3, 0), 1e-9, "a peer without a failure counts half a minute")
	assert.InDelta(t, 0.5, ratio(3, 6), 1e-9)
}

func TestAnIntervalHoldsTheTruth(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	held := 0
	for round := range 100 {
		over, under := make([]float64, 20), make([]float64, 20)
		for i := range over {
			under[i] = 50 + 10*rng.NormFloat64()
			over[i] = 25 + 8*rng.NormFloat64()
		}
		i := bootstrap(over, under, uint64(round))
		require.LessOrEqual(t, i.Low, i.Value)
		require.GreaterOrEqual(t, i.High, i.Value)
		if i.Low <= 0.5 && 0.5 <= i.High {
			held++
		}
	}
	assert.GreaterOrEqual(t, held, 86, "a 95 % interval of 20 seeds")
	again := bootstrap([]float64{1, 2}, []float64{3, 4}, 7)
	assert.Equal(t, again, bootstrap([]float64{1, 2}, []float64{3, 4}, 7))
	assert.True(t, math.IsNaN(bootstrap(nil, nil, 1).Value))
}

func TestAScaledTraceHasTheNoiseOfItsSize(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	counts := make([]float64, 40_000)
	for i := range counts {
		counts[i] = math.Floor(rng.ExpFloat64() * 2)
	}
	load := drawn(intensity(counts, 300), 100, 1)
	mean, jumps := 0.0, 0.0
	for i := 1; i < len(load); i++ {
		mean += load[i]
		jumps += (load[i] - load[i-1]) * (load[i] - load[i-1])
	}
	mean /= float64(len(load) - 1)
	assert.InDelta(t, 150, mean, 15, "about a hundred times as many")
	assert.InDelta(t, 2*mean, jumps/float64(len(load)-1), 0.1*2*mean, "a second differs from the next as a Poisson draw does, not a hundred times as much")
	assert.Equal(t, load, drawn(intensity(counts, 300), 100, 1))
	assert.NotEqual(t, load, drawn(intensity(counts, 300), 100, 2))
}

func TestTheMovingMeanIsAMean(t *testing.T) {
	assert.Equal(t, []float32{1.5, 2, 3, 3.5}, intensity([]float64{1, 2, 3, 4}, 2))
	assert.Equal(t, []float64{2}, perMinute(append(make([]float64, 30), append(repeat(4, 30), 9)...)))
}

func repeat(v float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return out
}
