package forecast

import (
	"math"

	"github.com/wedsync/scalability/internal/forecast/linear"
)

const (
	ridgePrior  = 30.0  // variance of a coefficient before anything was seen, in units of the error
	ridgeForget = 0.998 // of a day
	robust      = 0.5   // of the usual error: rows that miss by more count for less
	scaleMemory = 0.05
)

// ridges are 24 regressions, one for each hour of the day, learned day by day. An hour
// that misses by much counts for less, which makes the sum of absolute errors small.
type ridges struct {
	hours [day]*linear.Recursive
	usual [day]float64 // error
	seen  [day]int
}

// predict gives the regression of an hour, relative to the level.
func (r *ridges) predict(hour int, row []float64) float64 {
	if r.hours[hour] == nil {
		return 0
	}
	return r.hours[hour].Predict(row)
}

// learn takes what an hour was, relative to the level.
func (r *ridges) learn(hour int, row []float64, y float64) {
	if r.hours[hour] == nil {
		r.hours[hour] = linear.NewRecursive(len(row), ridgePrior, ridgeForget)
		r.usual[hour] = 0.1
	}
	e := math.Abs(y - r.hours[hour].Predict(row))
	weight := 1.0
	if r.seen[hour] > 5*7 {
		weight = math.Min(1, robust*r.usual[hour]/(e+1e-9))
	}
	r.usual[hour] += scaleMemory * (math.Min(e, 4*r.usual[hour]) - r.usual[hour])
	r.seen[hour]++
	r.hours[hour].Update(row, y, weight)
}
