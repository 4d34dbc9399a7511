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
	riseWhole         = 2.0  // times what is expected within the lead time: the rise has only begun,
	riseBegun         = 1.5  // unless that is so much over what stands
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
	if c.Why = d.distrust(f, q); c.Why != "" {
		d.unused(c)
		return
	}
	d.trusted = true
	d.verified(f, q, &c)
	d.foreseen = c.N
	if usual := d.ordinary(); c.N > forecastFarAbove*usual && !f.Calendar {
		c.Why = d.line().s("it asks for ").n(c.N).s(", over three times what is needed or usual, without a reason in the calendar").text()
		c.N, d.stepless = 0, 0
		d.unused(c)
		return
	}
	if !d.quality.blind || d.quality.blindFor <= blindPage || !d.weddingDay() {
		d.stepless = c.N
		d.candidate(c, models.ClassForecast)
		return
	}
	c.N = ceil(float64(c.N) * blindGrowth)
	c.Why = d.line().s(c.Why).s("; a quarter more, since no metric was seen for ").whole(d.quality.blindFor.Seconds()).s(" s").text()
	d.candidate(c, models.ClassFailsafe)
}

// ordinary is what is needed now or usual at this hour; what serves, while nothing is seen.
func (d *decision) ordinary() int {
	n := max(d.measured, d.usual, 1)
	if d.quality.blind {
		n = max(n, d.obs.Replicas.Ready)
	}
	return n
}

// verified turns a forecast into replicas. An order takes the whole rise that is expected
// until it is verified, since other growth waits for that. The beginning of a rise that
// is twice as large waits for the time at which the whole is due: ordered now it would
// hold the rest up, or have it stand idle.
func (d *decision) verified(f *models.ForecastPoint, q float64, c *models.Candidate) {
	room, cur := d.kappa*d.forecastTarget(), d.cur()
	c.N = ceil(q / room)
	c.Why = d.line().num(q).s(" requests/s are expected by the time an order of now serves").text()
	v := f.VerifiedP70
	switch {
	case c.N <= cur || !finite(v) || v <= q:
	case v >= riseWhole*q && float64(c.N) < riseBegun*float64(cur):
		c.N = cur
		c.Why = d.line().num(v).s(" requests/s are expected, but later than an order of now would serve").text()
	default:
		c.N = ceil(v / room)
		c.Why = d.line().num(v).s(" requests/s are expected until an order of now is verified").text()
	}
}

// quantile chooses what of a forecast capacity is ordered for: the 70th percentile in
// calm, the 95th where nothing is seen, and the 99th on a wedding day. A 95th percentile
// in calm costs more than the same safety by a lower target does, since its tail is of
// surges that nobody foresees.
func (d *decision) quantile(f *models.ForecastPoint) (q float64, by string) {
	switch {
	case d.quality.blind:
		return f.P95, "forecast"
	case d.weddingDay() && finite(f.P99) && f.P99 > f.P95:
		return f.P99, "forecast_p99"
	case d.weddingDay():
		return f.P95, "forecast"
	case f.P70 > 0:
		return f.P70, "forecast"
	default:
		return between(f.P50, f.P95), "forecast"
	}
}

// between is the 70th percentile of a log-normal error that has these medians and 95th
// percentiles.
func between(p50, p95 float64) float64 {
	if !(p50 > 0) || !finite(p50) || !(p95 > p50) {
		return p95
	}
	return p50 * math.Pow(p95/p50, normal70/normal95)
}

const (
	normal70 = 0.524
	normal90 = 1.282
	normal95 = 1.645
)

// forecastTarget is the share of capacity that a forecast may use.
func (d *decision) forecastTarget() float64 {
	return math.Min(d.u+forecastHeadroom, maxForecastTarget)
}

// distrust says why a forecast is not used, "" where it is. The record counts where
// there is one; else the predictor's own word.
func (d *decision) distrust(f *models.ForecastPoint, q float64) string {
	switch age := d.in.Now.Sub(f.IssuedAt); {
	case !f.Trusted && f.Reason == "":
		return "the predictor does not vouch for it"
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
	default:
		return ""
	}
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
