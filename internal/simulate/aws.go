package simulate

import (
	"fmt"
	"math"
	"time"
)

const (
	awsUpPoints   = 3    // minutes above the target until it grows
	awsDownPoints = 15   // minutes below until it shrinks …
	awsDownShare  = 0.90 // … below this share of the target
	awsPublished  = 30   // seconds until a minute's metric can be read
	awsLaunch     = 300  // seconds before the hour at which its capacity is launched
	awsDays       = 14   // of history that a forecast is made from
	awsEnoughDays = 1    // with less there is no forecast
)

// awsPredictive is AWS target tracking on requests per target with predictive scaling
// beside it, the larger of the two: CloudWatch's metric has one point a minute, three in
// a row above the target grow the group to ⌈load ÷ target⌉, fifteen in a row below 90 %
// shrink it. Predictive scaling forecasts the load of each hour from the same hours of up
// to 14 days, half from all days and half from the same weekday, and has the capacity
// for an hour five minutes before it. A point that is missing breaks no row and fires
// nothing. Source: docs.aws.amazon.com, EC2 Auto Scaling, "Target tracking scaling
// policies" and "How predictive scaling works".
type awsPredictive struct {
	goal     float64
	points   []float64 // of the last minutes
	reactive int
	hours    []float64 // mean load of each hour since the history's start; NaN unknown
	seen     int       // minutes taken into hours
	partial  float64
	filled   int
}

// NewAWSPredictive scales towards a share of a replica's capacity.
func NewAWSPredictive(target float64) Autoscaler { return &awsPredictive{goal: target} }

func (a *awsPredictive) Name() string            { return fmt.Sprintf("AWS predictive %.2f", a.goal) }
func (a *awsPredictive) Interval() time.Duration { return time.Minute }
func (a *awsPredictive) target() float64         { return a.goal }
func (a *awsPredictive) begin(Scenario)          { *a = awsPredictive{goal: a.goal} }

// Desired is one evaluation of the alarms and of the forecast.
func (a *awsPredictive) Desired(v View) int {
	if a.reactive == 0 {
		a.reactive = v.Spec
	}
	a.track(v)
	return bounded(v.Service, max(a.reactive, a.predicted(v)))
}

// track is target tracking.
func (a *awsPredictive) track(v View) {
	load, ok := v.Metrics.Mean(Throughput, 60, awsPublished)
	if !ok {
		return
	}
	a.points = append(a.points, load)
	if len(a.points) > awsDownPoints {
		a.points = a.points[1:]
	}
	per := v.Service.CapacityRPS * a.goal
	standing := per * float64(max(1, v.Spec)) // what is on its way counts: it is not ordered again
	if last := tail(a.points, awsUpPoints); len(last) == awsUpPoints && all(last, func(x float64) bool { return x > standing }) {
		a.reactive = max(a.reactive, ceil(load/per))
	}
	if len(a.points) == awsDownPoints && all(a.points, func(x float64) bool { return x < awsDownShare*standing }) {
		most := 0.0
		for _, x := range a.points {
			most = math.Max(most, x)
		}
		a.reactive = min(a.reactive, ceil(most/per))
	}
}

// predicted is the capacity that the forecast asks for now: that of this hour, and of the
// next one from five minutes before it.
func (a *awsPredictive) predicted(v View) int {
	a.learn(v)
	start := len(v.Metrics.Minutes()) - v.Second/60
	minute := start + v.Second/60
	hour := minute / 60
	load := a.forecast(hour)
	if ahead := (minute*60 + v.Second%60 + awsLaunch) / 3600; ahead > hour {
		load = math.Max(load, a.forecast(ahead))
	}
	return ceil(load / (v.Service.CapacityRPS * a.goal))
}

// learn takes the minutes that ended since the last look into the hours.
func (a *awsPredictive) learn(v View) {
	for _, m := range v.Metrics.Minutes()[a.seen:] {
		if !math.IsNaN(m) {
			a.partial += m
			a.filled++
		}
		a.seen++
		if a.seen%60 == 0 {
			hour := math.NaN()
			if a.filled > 0 {
				hour = a.partial / float64(a.filled)
			}
			a.hours = append(a.hours, hour)
			a.partial, a.filled = 0, 0
		}
	}
}

// forecast is the expected mean load of an hour.
func (a *awsPredictive) forecast(hour int) float64 {
	if hour < 24*awsEnoughDays {
		return 0
	}
	var days, weekdays average
	for d := 1; d <= awsDays; d++ {
		at := hour - 24*d
		if at < 0 || at >= len(a.hours) || math.IsNaN(a.hours[at]) {
			continue
		}
		days.add(a.hours[at])
		if d%7 == 0 {
			weekdays.add(a.hours[at])
		}
	}
	if weekdays.n == 0 {
		return days.mean()
	}
	return (days.mean() + weekdays.mean()) / 2
}

type average struct {
	sum float64
	n   int
}

func (a *average) add(v float64) { a.sum, a.n = a.sum+v, a.n+1 }

func (a average) mean() float64 { return a.sum / float64(max(1, a.n)) }

func tail(v []float64, n int) []float64 { return v[max(0, len(v)-n):] }

func all(v []float64, f func(float64) bool) bool {
	for _, x := range v {
		if !f(x) {
			return false
		}
	}
	return true
}
