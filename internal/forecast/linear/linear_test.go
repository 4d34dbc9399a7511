package linear_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/internal/forecast/linear"
)

func none(int) float64 { return 0 }

func TestLeastSquaresFindsTheLine(t *testing.T) {
	n := linear.NewNormal(2)
	for i := range 600 { // more than one block
		x := float64(i) / 100
		n.Add([]float64{x, 1}, 3*x-2, 1)
	}
	w, err := n.Solve(none, nil)
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{3, -2}, w, 1e-9)
	assert.InDelta(t, 600, n.Rows(), 0)
}

func TestAPenaltyDrawsTowardsWhatIsGiven(t *testing.T) {
	n := linear.NewNormal(1)
	n.Add([]float64{1}, 10, 1)
	shrunk := func(penalty float64, towards []float64) float64 {
		w, err := n.Solve(func(int) float64 { return penalty }, towards)
		require.NoError(t, err)
		return w[0]
	}
	assert.InDelta(t, 5, shrunk(1, nil), 1e-9)
	assert.InDelta(t, 6, shrunk(1, []float64{2}), 1e-9)
	assert.InDelta(t, 2, shrunk(1e9, []float64{2}), 1e-6)
}

func TestEquationsWithoutSolutionAreRefused(t *testing.T) {
	n := linear.NewNormal(2)
	n.Add([]float64{1, 1}, 1, 1)
	_, err := n.Solve(none, nil)
	assert.ErrorIs(t, err, linear.ErrSingular)
}

func TestMergedAndFadedEquations(t *testing.T) {
	a, b, both := linear.NewNormal(1), linear.NewNormal(1), linear.NewNormal(1)
	a.Add([]float64{1}, 2, 1)
	b.Add([]float64{2}, 1, 3)
	both.Add([]float64{1}, 2, 1)
	both.Add([]float64{2}, 1, 3)
	a.Merge(b)
	merged, err := a.Solve(none, nil)
	require.NoError(t, err)
	whole, err := both.Solve(none, nil)
	require.NoError(t, err)
	assert.InDeltaSlice(t, whole, merged, 1e-12)
	assert.InDelta(t, 13, a.Moment(0), 1e-12)
	a.Fade(0.5)
	assert.InDelta(t, 6.5, a.Moment(0), 1e-12)
	assert.InDelta(t, 1, a.Rows(), 1e-12)
}

// TestRowByRowGivesWhatAllRowsGive: without forgetting the recursion is the ridge whose
// penalty is one over the prior variance.
func TestRowByRowGivesWhatAllRowsGive(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := rapid.IntRange(1, 6).Draw(rt, "features")
		prior := rapid.Float64Range(0.1, 10).Draw(rt, "prior")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		r, n := linear.NewRecursive(p, prior, 1), linear.NewNormal(p)
		x := make([]float64, p)
		for range rapid.IntRange(1, 40).Draw(rt, "rows") {
			for i := range x {
				x[i] = rng.NormFloat64()
			}
			y, weight := rng.NormFloat64(), 0.1+rng.Float64()
			r.Update(x, y, weight)
			n.Add(x, y, weight)
		}
		w, err := n.Solve(func(int) float64 { return 1 / prior }, nil)
		require.NoError(rt, err)
		assert.InDelta(rt, linear.Dot(w, x), r.Predict(x), 1e-6)
		assert.InDelta(rt, r.Predict(x), r.Part(x, 0, 1)+r.Part(x, 1, p), 1e-9)
	})
}

func TestForgettingFollowsAChange(t *testing.T) {
	r := linear.NewRecursive(1, 1, 0.95)
	for i := range 400 {
		y := 1.0
		if i >= 200 {
			y = 5
		}
		r.Update([]float64{1}, y, 1)
	}
	assert.InDelta(t, 5, r.Predict([]float64{1}), 1e-3)
}

func TestAFeatureThatIsNotSeenDoesNotGrowWithoutEnd(t *testing.T) {
	r := linear.NewRecursive(2, 1, 0.9)
	for range 20_000 {
		r.Update([]float64{1, 0}, 1, 1)
	}
	r.Update([]float64{1, 1}, 3, 1)
	got := r.Predict([]float64{1, 1})
	assert.False(t, math.IsNaN(got) || math.IsInf(got, 0))
	assert.InDelta(t, 3, got, 0.1)
}

func BenchmarkUpdate(b *testing.B) {
	r := linear.NewRecursive(107, 1, 0.998)
	x := make([]float64, 107)
	for i := range x {
		x[i] = math.Sin(float64(i))
	}
	b.ReportAllocs()
	for b.Loop() {
		r.Update(x, 1, 1)
	}
}
