package score

import "math"

// Record is a forecast whose hour has passed.
type Record struct {
	Actual, Forecast       float64
	Day, Week              float64 // actual load of the same hour a day and a week before, NaN where missing
	Low, High              float64 // interval that was to hold 95 %, NaN where there was none
	Q10, Q50, Q90, Q95     float64 // quantiles, NaN where there were none
	Lead                   int     // hours from origin
	Event, Holiday, Filled bool
}

// Tally is what forecasts amounted to: of one lead, of wedding days, of all.
type Tally struct {
	Hours    int      `json:"hours"`
	WAPE     float64  `json:"wape"`
	MASE24   float64  `json:"mase24"`  // error over that of the same hour yesterday
	MASE168  float64  `json:"mase168"` // and last week
	SMAPE    float64  `json:"smape"`
	Bias     float64  `json:"bias"`
	Pinball  Pinballs `json:"pinball"`
	Coverage float64  `json:"coverage"` // share in the interval
	Width    float64  `json:"width"`    // of it, over the mean load
}

// Pinballs are losses by quantile, over the mean load.
type Pinballs struct {
	P10 float64 `json:"p10"`
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P95 float64 `json:"p95"`
}

// Accuracy is 100 · (1 − WAPE).
func (t Tally) Accuracy() float64 { return 100 * (1 - t.WAPE) }

// TallyOf joins the records that are chosen; nil chooses all. Figures without a record
// are NaN.
func TallyOf(records []Record, chosen func(Record) bool) Tally {
	var c columns
	for _, r := range records {
		if !r.Filled && (chosen == nil || chosen(r)) {
			c.add(r)
		}
	}
	if len(c.actual) == 0 {
		nan := math.NaN()
		return Tally{WAPE: nan, MASE24: nan, MASE168: nan, SMAPE: nan, Bias: nan, Coverage: nan, Width: nan, Pinball: Pinballs{nan, nan, nan, nan}}
	}
	mean := 0.0
	for _, y := range c.actual {
		mean += y / float64(len(c.actual))
	}
	t := Tally{
		Hours: len(c.actual), WAPE: WAPE(c.actual, c.forecast), SMAPE: SMAPE(c.actual, c.forecast), Bias: Bias(c.actual, c.forecast),
		MASE24: c.day.ratio(), MASE168: c.week.ratio(),
		Coverage: Coverage(c.inActual, c.low, c.high),
		Pinball: Pinballs{
			Pinball(c.inActual, c.quantiles[0], 0.1) / mean, Pinball(c.inActual, c.quantiles[1], 0.5) / mean,
			Pinball(c.inActual, c.quantiles[2], 0.9) / mean, Pinball(c.inActual, c.quantiles[3], 0.95) / mean,
		},
	}
	for i := range c.low {
		t.Width += (c.high[i] - c.low[i]) / float64(len(c.low)) / mean
	}
	if len(c.low) == 0 {
		t.Width = math.NaN()
	}
	return t
}

// columns are the values of records, those with an interval apart.
type columns struct {
	actual, forecast    []float64
	inActual, low, high []float64
	quantiles           [4][]float64
	day, week           against
}

// against sums errors beside those of a naive forecast of the same hours.
type against struct{ own, naive float64 }

func (a *against) add(r Record, naive float64) {
	if !math.IsNaN(naive) {
		a.own += math.Abs(r.Actual - r.Forecast)
		a.naive += math.Abs(r.Actual - naive)
	}
}

func (a against) ratio() float64 { return a.own / a.naive }

func (c *columns) add(r Record) {
	c.actual, c.forecast = append(c.actual, r.Actual), append(c.forecast, r.Forecast)
	c.day.add(r, r.Day)
	c.week.add(r, r.Week)
	if math.IsNaN(r.Low) {
		return
	}
	c.inActual, c.low, c.high = append(c.inActual, r.Actual), append(c.low, r.Low), append(c.high, r.High)
	for i, q := range [4]float64{r.Q10, r.Q50, r.Q90, r.Q95} {
		c.quantiles[i] = append(c.quantiles[i], q)
	}
}
