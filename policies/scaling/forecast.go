package scaling

import (
	"math"
	"time"

	"github.com/wedsync/scalability/models"
)

const (
	forecastHeadroom  = 0.10 // a forecast may run capacity this much hotter …
	maxForecastTarget = 0.95 // … but not hotter than this
	forecastMaxAge    = 15 * time.Minute
	forecastHistory   = 14.0 // days,
	forecastLeast     = 3.0  // or this many where error and coverage of them are known
	forecastWAPE      = 0.35
	forecastCoverLow  = 0.90 // of the 95th percentile
	forecastCoverHigh = 0.99
	forecastRise      = 0.25 // over the load of now: what is enough of a rise for the whole quantile
	riseWhole         = 2.0  // times what is expected within the lead time: the rise has only begun,
	riseBegun         = 1.5  // unless that is so much over the load of now
	forecastFarAbove  = 3    // times what is needed or usual wants a reason in the calendar
	forecastVeto      = 0.95 // of what stands there, needed within half an hour: none of it goes
	blindGrowth       = 1.25 // on a forecast that is flown by without sight
)

// forecastCandidate uses a forecast only when its record has earned trust, and only to
// raise. While nothing is seen, what is usual at this hour counts as well.
func (d *decision) forecastCandidate() {
	d.usualCandidate()
	f := d.obs.Forecast
	if f == nil {
		return
	}
	q, by := d.quantile(f)
	c := models.Candidate{By: by}
	if finite(q) {
		c.Value = ptr(q)
	}
	if d.measurable() && finite(q) {
		c.N = ceil(q / (d.kappa * d.forecastTarget()))
	}
	if why := d.distrust(f, q, c.N); why != "" {
		c.N, c.Why = 0, why
		d.unused(c)
		return
	}
	d.trusted = true
	c.Why = d.line().num(q).s(" requests/s expected within the lead time").text()
	d.verified(f, q, &c)
	if !d.quality.blind || d.quality.blindFor <= blindPage || !d.weddingDay() {
		d.foreseen = c.N
		d.candidate(c, models.ClassForecast)
		return
	}
	c.N = ceil(float64(c.N) * blindGrowth)
	c.Why += ", and a quarter more since nothing is seen"
	d.candidate(c, models.ClassFailsafe)
}

// verified has an order take the whole rise that is expected until it is verified, since
// other growth waits for that. The beginning of a rise that is twice as large waits for
// the time at which the whole is due: ordered now it would hold the rest up, or have it
// stand idle.
func (d *decision) verified(f *models.ForecastPoint, q float64, c *models.Candidate) {
	v := f.VerifiedP70
	if c.N <= d.cur() || !finite(v) || v <= q {
		return
	}
	if load, known := d.load(); known && v >= riseWhole*q && q < riseBegun*load {
		c.N = min(c.N, d.cur())
		c.Why = d.line().num(v).s(" requests/s expected, but not within the lead time yet").text()
		return
	}
	c.N = ceil(v / (d.kappa * d.forecastTarget()))
	c.Why = d.line().num(v).s(" requests/s expected until an order of now is verified").text()
}

// quantile chooses what of a forecast capacity is ordered for: the 70th percentile in
// calm, the 95th where nothing is seen, and the 99th on a wedding day. A 95th percentile
// in calm costs more than the same safety by a lower target does, since its tail is of
// surges that nobody foresees. Where there is no 70th, the 95th counts as far as a rise
// is expected.
func (d *decision) quantile(f *models.ForecastPoint) (q float64, by string) {
	switch {
	case d.quality.blind:
		return f.P95, "forecast"
	case d.weddingDay() && finite(f.P99) && f.P99 > f.P95:
		return f.P99, "forecast_p99"
	case d.weddingDay():
		return f.P95, "forecast"
	case f.P70 > 0 && finite(f.P70):
		return f.P70, "forecast"
	default:
		return d.tempered(f), "forecast"
	}
}

// tempered takes the 95th percentile for a rise that is expected, and less of it for a
// smaller one: the median where load is to stay as it is. There the target's own headroom
// bears what may be off.
func (d *decision) tempered(f *models.ForecastPoint) float64 {
	load, known := d.load()
	if !known || !(load > 0) || !(f.P50 > 0) || !finite(f.P50) || !(f.P95 > f.P50) {
		return f.P95
	}
	rise := (f.P50/load - 1) / forecastRise
	return f.P50 + (f.P95-f.P50)*math.Max(0, math.Min(rise, 1))
}

// forecastTarget is the share of capacity that a forecast may use.
func (d *decision) forecastTarget() float64 {
	return math.Min(d.u+forecastHeadroom, maxForecastTarget)
}

// distrust says why a forecast is not used, "" where it is. The record counts where
// there is one; else the predictor's own word.
func (d *decision) distrust(f *models.ForecastPoint, q float64, n int) string {
	switch age := d.in.Now.Sub(f.IssuedAt); {
	case !f.Trusted:
		return f.Reason
	case age > forecastMaxAge:
		return "the forecast is older than 15 min"
	case !finite(q) || !d.measurable():
		return "the forecast cannot be turned into replicas"
	case f.HistoryDays != nil && !longEnough(f):
		return d.line().num(*f.HistoryDays).s(" days of history are too few").text()
	case f.WAPE7Days != nil && !(*f.WAPE7Days <= forecastWAPE):
		return d.line().s("it was wrong by ").pct(*f.WAPE7Days).s(" over seven days, more than ").pct(forecastWAPE).text()
	case f.Coverage95 != nil && !(*f.Coverage95 >= forecastCoverLow && *f.Coverage95 <= forecastCoverHigh):
		return d.line().s("its 95th percentile covered ").pct(*f.Coverage95).s(" of seven days, not ").pct(forecastCoverLow).s(" to ").pct(forecastCoverHigh).text()
	}
	usual := max(d.measured, d.usual, 1)
	if d.quality.blind {
		usual = max(usual, d.cur())
	}
	if n > forecastFarAbove*usual && !f.Calendar {
		return d.line().s("it asks for ").n(n).s(", over three times what is needed or usual, without a reason in the calendar").text()
	}
	return ""
}

// longEnough says whether a forecast knows enough of the past: two weeks, or some days
// whose record shows how right it is.
func longEnough(f *models.ForecastPoint) bool {
	if *f.HistoryDays >= forecastHistory {
		return true
	}
	return *f.HistoryDays >= forecastLeast && f.WAPE7Days != nil && f.Coverage95 != nil
}

// usualCandidate is what this hour of the week takes. It counts where nothing has been
// seen for a while; else it only says whether a forecast is far from it.
func (d *decision) usualCandidate() {
	v := d.obs.UsualRPS
	if v == nil || !finite(*v) || !d.measurable() {
		return
	}
	d.usual = ceil(*v / (d.kappa * d.u))
	if d.quality.blind && d.quality.blindFor >= blindAlert {
		why := d.line().num(*v).s(" requests/s are usual at this hour of the week").text()
		d.candidate(models.Candidate{By: "usual", Value: v, N: d.usual, Why: why}, models.ClassFailsafe)
	}
}

// lookAhead is what a trusted forecast wants within half an hour: 0 where none does.
func (d *decision) lookAhead() int {
	f := d.obs.Forecast
	if !d.trusted || f == nil || !finite(f.LookAheadP90) || finite(f.P95) && f.LookAheadP90 <= f.P95 {
		return 0 // no more than is expected anyway: no rise to wait for
	}
	return ceil(f.LookAheadP90 / (d.kappa * d.forecastTarget()))
}
