package forecast

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

const (
	intervalDays = 60   // of residuals
	fewestDays   = 7    // before there is an interval
	adaptRate    = 0.02 // of the width, as a logarithm, for an hour that was outside
	adaptMost    = 2.0  // of it
	neighbours   = 1    // hours of the day on either side that share residuals
	doubled      = 2.0  // the interval of a cohort that stands in for a service
	leadMemory   = 1.0 / 360
)

// Leads whose intervals adapt apart: a day ahead and more are numbered by the days.
const (
	nextHour  = maxDays
	leadKinds = maxDays + 1
)

// levelCount is the number of probabilities that adapt.
const levelCount = 8

// levels are those probabilities.
func levels() [levelCount]float64 {
	return [levelCount]float64{0.025, 0.05, 0.1, 0.5, 0.9, 0.95, 0.975, 0.99}
}

// interval holds the residuals of the day-ahead forecast, log(actual/forecast), by hour
// of the day, and their quantiles. It adapts: where the actual values pass a quantile too
// often its distance from the middle grows, else it shrinks, for each lead apart (adaptive
// conformal inference on the width).
type interval struct {
	residuals [day][]float64 // oldest first
	quantiles [day][levelCount]float64
	ready     bool
	adapt     [leadKinds][levelCount]float64 // logarithm of a width
	pending   [leadKinds][levelCount]float64 // of it, until the next forecast is made
	lead      [maxDays]float64               // mean absolute residual by days ahead
	next      float64                        // that of one hour ahead, corrected
}

// take learns from an hour that the day-ahead forecast was made for.
func (i *interval) take(hour int, residual float64) {
	r := i.residuals[hour]
	if len(r) == intervalDays {
		copy(r, r[1:])
		r = r[:intervalDays-1]
	}
	i.residuals[hour] = append(r, residual)
}

// night makes the quantiles anew.
func (i *interval) night() {
	i.ready = true
	for _, r := range i.residuals {
		i.ready = i.ready && len(r) >= fewestDays
	}
	if !i.ready {
		return
	}
	for kind := range maxDays {
		i.settle(kind)
	}
	for h := range i.quantiles {
		var pool []float64
		for d := -neighbours; d <= neighbours; d++ {
			pool = append(pool, i.residuals[(h+d+day)%day]...)
		}
		slices.Sort(pool)
		for k, q := range levels() {
			i.quantiles[h][k] = stat.Quantile(q, stat.LinInterp, pool, nil)
		}
	}
}

// takeLead learns from an hour that was forecast so many days ahead.
func (i *interval) takeLead(hour, days int, residual float64) {
	i.adapted(hour, days, residual, i.width(days))
	i.lead[days] += (math.Abs(residual) - i.lead[days]) * leadMemory
}

// takeNext learns from an hour that was forecast one hour before.
func (i *interval) takeNext(hour int, residual float64) {
	i.adapted(hour, nextHour, residual, i.width(nextHour))
	i.settle(nextHour)
	i.next += (math.Abs(residual) - i.next) * leadMemory
}

// adapted moves the widths of a lead by what a residual shows.
func (i *interval) adapted(hour, kind int, residual, width float64) {
	if !i.ready {
		return
	}
	for k, q := range levels() {
		out, tail := 0.0, math.Min(q, 1-q)
		r := i.at(hour, kind, k, width)
		if (q > 0.5 && residual > r) || (q < 0.5 && residual < r) {
			out = 1
		}
		i.pending[kind][k] += adaptRate * (out - tail)
	}
}

// settle moves the widths of a lead by what has gathered since its last forecast: an
// interval that is promised for a day is judged as it was promised.
func (i *interval) settle(kind int) {
	for k := range i.adapt[kind] {
		i.adapt[kind][k] = math.Min(math.Max(i.adapt[kind][k]+i.pending[kind][k], -adaptMost), adaptMost)
		i.pending[kind][k] = 0
	}
}

// at is the quantile of a level for a lead.
func (i *interval) at(hour, kind, level int, width float64) float64 {
	middle := i.quantiles[hour][3]
	return middle + (i.quantiles[hour][level]-middle)*width*math.Exp(i.adapt[kind][level])
}

// width is how much wider than a day ahead the interval of a lead is, or narrower.
func (i *interval) width(kind int) float64 {
	switch {
	case i.lead[0] <= 0 || kind == 0:
		return 1
	case kind == nextHour && i.next > 0:
		return math.Min(1, i.next/i.lead[0])
	case kind == nextHour:
		return 1
	default:
		return math.Max(1, i.lead[kind]/i.lead[0])
	}
}

// reached says from where an hour is forecast: how many hours after the newest value, and
// how many days after the running one; fresh where that day has no value yet, so that its
// forecast was not corrected.
type reached struct {
	lead, days int
	fresh      bool
}

// quantile gives the log residual that is not passed with probability q. Between the
// levels that adapt it goes straight.
func (i *interval) quantile(hour int, from reached, q float64) (float64, bool) {
	if !i.ready {
		return 0, false
	}
	all, later := levels(), min(from.days, maxDays-1)
	value := func(level int) float64 {
		far := i.at(hour, later, level, i.width(later))
		if from.days > 0 || from.fresh {
			return far
		}
		near := math.Pow(keeps, float64(from.lead-1))
		return near*i.at(hour, nextHour, level, i.width(nextHour)) + (1-near)*far
	}
	if q <= all[0] {
		return value(0), true
	}
	for k := 1; k < len(all); k++ {
		if q <= all[k] {
			share := (q - all[k-1]) / (all[k] - all[k-1])
			return (1-share)*value(k-1) + share*value(k), true
		}
	}
	return value(len(all) - 1), true
}
