package classic_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wedsync/scalability/internal/forecast/classic"
)

func daily(days int) []float64 {
	out := make([]float64, 24*days)
	for t := range out {
		out[t] = 100 + 50*math.Sin(2*math.Pi*float64(t)/24)
	}
	return out
}

func TestNaiveMethodsRepeat(t *testing.T) {
	y := []float64{1, 2, 3, 4}
	assert.Equal(t, []float64{4, 4, 4}, classic.Naive(y, 3))
	assert.Equal(t, []float64{3, 4, 3}, classic.SeasonalNaive(y, 2, 3))
}

func TestTheSeasonIsFoundWhereThereIsOne(t *testing.T) {
	assert.True(t, classic.Seasonal(daily(10), 24))
	assert.False(t, classic.Seasonal(daily(2), 24), "under three seasons")
	assert.False(t, classic.Seasonal([]float64{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4}, 3))
	assert.False(t, classic.Seasonal(daily(10), 1))
}

func TestAPureSeasonIsForecastExactly(t *testing.T) {
	y := daily(20)
	for name, method := range map[string]func([]float64, int, int) []float64{"Naive2": classic.Naive2, "SES": classic.SES, "Theta": classic.Theta} {
		t.Run(name, func(t *testing.T) { assert.InDeltaSlice(t, daily(22)[480:], method(y, 24, 48), 0.01) })
	}
}

func TestThetaFollowsHalfOfATrend(t *testing.T) {
	y := make([]float64, 100)
	for i := range y {
		y[i] = 10 + float64(i)
	}
	f := classic.Theta(y, 1, 2)
	assert.InDelta(t, 0.5, f[1]-f[0], 1e-6)
	for i := range y {
		y[i] = 100 - float64(i)
	}
	assert.GreaterOrEqual(t, classic.Theta(y, 1, 300)[299], 0.0, "never below nothing")
}
