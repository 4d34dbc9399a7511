package scaling

import (
	"math"
	"time"

	"github.com/wedsync/scalability/models"
)

const (
	forecastHeadroom  = 0.10 // a forecast may run capacity this much hotter …
	maxForecastTarget = 0.90 // … but not hotter than this
	forecastMaxAge    = 15 * time.Minute
	forecastHistory   = 14.0 // days
	forecastWAPE      = 0.35
	forecastCoverLow  = 0.90 // of the 95th percentile
	forecastCoverHigh = 0.99
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
	q, by := f.P95, "forecast"
	if d.weddingDay() && !d.quality.blind && finite(f.P99) && f.P99 > q {
		q, by = f.P99, "forecast_p99"
	}
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
	if !d.quality.blind || d.quality.blindFor <= blindPage || !d.weddingDay() {
		d.candidate(c, models.ClassForecast)
		return
	}
	c.N = ceil(float64(c.N) * blindGrowth)
	c.Why += ", and a quarter more since nothing is seen"
	d.candidate(c, models.ClassFailsafe)
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
	case f.HistoryDays != nil && !(*f.HistoryDays >= forecastHistory):
		return d.line().num(*f.HistoryDays).s(" days of history are too few: two weeks are wanted").text()
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
	if !d.trusted || f == nil || !finite(f.LookAheadP90) {
		return 0
	}
	return ceil(f.LookAheadP90 / (d.kappa * d.forecastTarget()))
}
