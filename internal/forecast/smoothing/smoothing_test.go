package smoothing_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wedsync/scalability/internal/forecast/smoothing"
)

// course has a day, a week and a slow rise.
func course(t int) float64 {
	v := math.Sin(2*math.Pi*float64(t)/24) + 0.001*float64(t)/24
	if t%168 >= 120 {
		v -= 0.5
	}
	return v
}

func history(hours int) []float64 {
	out := make([]float64, hours)
	for t := range out {
		out[t] = course(t)
	}
	return out
}

func TestARepeatedCourseIsForecast(t *testing.T) {
	y := history(8 * 168)
	m := smoothing.Fit(y)
	s := smoothing.Start(y)
	for _, v := range y {
		m.Step(s, v)
	}
	for h, f := range m.Forecast(s, 168) {
		assert.InDelta(t, course(len(y)+h), f, 0.15, "hour %d", h)
	}
}

func TestAFittedMethodIsNoWorseThanTheUsualStart(t *testing.T) {
	y := history(4 * 168)
	for i := range y {
		y[i] += 0.3 * math.Sin(float64(i*i)) // noise that repeats
	}
	usual := smoothing.Method{Level: 0.05, Day: 0.1, Week: 0.1, Residual: 0.7}
	squares := func(m smoothing.Method) float64 {
		s, sum := smoothing.Start(y), 0.0
		for t, v := range y {
			if u := m.Step(s, v); t >= 168 {
				sum += u * u
			}
		}
		return sum
	}
	assert.Less(t, squares(smoothing.Fit(y)), squares(usual))
}

func TestAShortHistoryStartsAtItsLevel(t *testing.T) {
	s := smoothing.Start([]float64{4, 4, 4})
	assert.InDelta(t, 4, smoothing.Method{}.Forecast(s, 1)[0], 1e-9)
	assert.InDelta(t, 0, smoothing.Method{}.Forecast(smoothing.Start(nil), 1)[0], 1e-9)
}

func TestAResidualFadesWithItsOwnFactor(t *testing.T) {
	s := smoothing.Start(make([]float64, 336))
	m := smoothing.Method{Residual: 0.5}
	m.Step(s, 1)
	assert.InDeltaSlice(t, []float64{0.5, 0.25, 0.125}, m.Forecast(s, 3), 1e-9)
}
