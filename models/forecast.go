package models

import "time"

// DayLoad is the load that is expected of one day of one service, as a season is planned
// from it: the highest hour of the day, in requests per second.
type DayLoad struct {
	Date     string           `json:"date"`   // YYYY-MM-DD, UTC
	PeakAt   time.Time        `json:"peakAt"` // the hour of the peak
	PeakP50  float64          `json:"peakP50"`
	PeakP90  float64          `json:"peakP90"`
	PeakP95  float64          `json:"peakP95"`
	Weddings int              `json:"weddings"` // that touch the day
	Guests   int              `json:"guests"`   // of them together
	Method   PredictionMethod `json:"method"`
}

// LoadForecast is the forecast of one hour with its origin, and what came once the hour
// has passed. Quantiles are nil where there was no interval. Row of load_forecasts.
type LoadForecast struct {
	Service    ServiceName      `json:"service" gorm:"primaryKey"`
	TargetAt   time.Time        `json:"targetAt" gorm:"primaryKey"` // the hour
	LeadHours  int              `json:"leadHours" gorm:"primaryKey"`
	IssuedAt   time.Time        `json:"issuedAt"`
	Method     PredictionMethod `json:"method"`
	Expected   float64          `json:"expected"`
	Base       float64          `json:"base"`
	Season     float64          `json:"season"`
	Holiday    float64          `json:"holiday"`
	Weddings   float64          `json:"weddings"` // requests per second of all guests
	WeddingDay bool             `json:"weddingDay"`
	HolidayDay bool             `json:"holidayDay"`
	P025       *float64         `json:"p025,omitempty" gorm:"column:p025"`
	P10        *float64         `json:"p10,omitempty" gorm:"column:p10"`
	P50        *float64         `json:"p50,omitempty" gorm:"column:p50"`
	P90        *float64         `json:"p90,omitempty" gorm:"column:p90"`
	P95        *float64         `json:"p95,omitempty" gorm:"column:p95"`
	P975       *float64         `json:"p975,omitempty" gorm:"column:p975"`
	Actual     *float64         `json:"actual,omitempty"` // nil: the hour has not passed, or was not measured
}

// TableName is the SQL table.
func (LoadForecast) TableName() string { return "load_forecasts" }

// ForecastGroup says of which hours an accuracy is.
type ForecastGroup string

// The groups of hours.
const (
	GroupAll      ForecastGroup = "all"
	GroupWeddings ForecastGroup = "wedding_days"
	GroupPlain    ForecastGroup = "other_days"
	GroupHolidays ForecastGroup = "holidays"
)

// AccuracyRow is how the forecasts of one lead did in one group of hours. What cannot be
// known from so few hours is nil.
type AccuracyRow struct {
	LeadHours int           `json:"leadHours"`
	Group     ForecastGroup `json:"group"`
	Hours     int           `json:"hours"`
	Accuracy  *float64      `json:"accuracy,omitempty"` // 100 · (1 − WAPE)
	WAPE      *float64      `json:"wape,omitempty"`
	MASE24    *float64      `json:"mase24,omitempty"`  // error over that of the same hour yesterday
	MASE168   *float64      `json:"mase168,omitempty"` // and of last week
	SMAPE     *float64      `json:"smape,omitempty"`
	Bias      *float64      `json:"bias,omitempty"` // above zero too much was forecast
	Pinball10 *float64      `json:"pinball10,omitempty"`
	Pinball50 *float64      `json:"pinball50,omitempty"`
	Pinball90 *float64      `json:"pinball90,omitempty"`
	Pinball95 *float64      `json:"pinball95,omitempty"`
	Coverage  *float64      `json:"coverage,omitempty"` // share of hours in the 95 % interval
	Width     *float64      `json:"width,omitempty"`    // of it, over the mean load
}

// ForecastGate says whether decisions may be made on the forecasts of a service now, and
// why or why not.
type ForecastGate struct {
	Service     ServiceName      `json:"service"`
	Method      PredictionMethod `json:"method"`
	Trusted     bool             `json:"trusted"`
	Reason      string           `json:"reason"`
	WAPE7Days   *float64         `json:"wape7d,omitempty"`
	Coverage95  *float64         `json:"coverage95,omitempty"`
	HistoryDays float64          `json:"historyDays"`
	FittedAt    *time.Time       `json:"fittedAt,omitempty"` // nil: too little to learn from
}

// ForecastAccuracy is how the stored forecasts of a service did.
type ForecastAccuracy struct {
	Service ServiceName   `json:"service"`
	Days    int           `json:"days"`
	Gate    ForecastGate  `json:"gate"`
	Rows    []AccuracyRow `json:"rows"` // by lead, then group
}
