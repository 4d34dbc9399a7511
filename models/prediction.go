package models

import "time"

// PredictionMethod says which path made a forecast: never a silent guess.
type PredictionMethod string

// The methods, from least to most informed.
const (
	MethodNone          PredictionMethod = ""               // no history and no calendar: nothing is predicted
	MethodCalendarOnly  PredictionMethod = "calendar_only"  // weddings on an assumed base
	MethodRecentLevel   PredictionMethod = "recent_level"   // under a week of history: the recent level
	MethodCohort        PredictionMethod = "cohort"         // under two weeks of history: what services like it do, at the own level
	MethodSeasonalNaive PredictionMethod = "seasonal_naive" // the same hours of last week
	MethodEnsemble      PredictionMethod = "ensemble"       // several models, weighted by how they did, with the guests of the calendar
	MethodLongRange     PredictionMethod = "long_range"     // beyond a week: level, season, weekday and hour, with the guests of the calendar
)

// PredictionRequest asks for hourly load of one service.
type PredictionRequest struct {
	Service               ServiceName `json:"service"`
	TimeHorizonHours      int         `json:"timeHorizonHours"`
	IncludeWeddingContext bool        `json:"includeWeddingContext"`
	Quantiles             []float64   `json:"quantiles,omitempty"` // that each point is to have, beside the usual ones
}

// QuantileLoad is the load that is not passed with a probability.
type QuantileLoad struct {
	Quantile float64 `json:"quantile"`
	RPS      float64 `json:"rps"`
}

// WeddingShare is the part of a predicted hour that one wedding brings.
type WeddingShare struct {
	WeddingID string  `json:"weddingId"`
	RPS       float64 `json:"rps"`
}

// PredictionPoint is the expected load of one hour, in requests per second. Base, season,
// holiday and the weddings' shares add up to P50. Quantiles are nil where there is too
// little history for an interval.
type PredictionPoint struct {
	At        time.Time        `json:"at"`
	Base      float64          `json:"base"`
	Season    float64          `json:"season,omitempty"`  // by the time of the year
	Holiday   float64          `json:"holiday,omitempty"` // negative where people stay away
	Weddings  []WeddingShare   `json:"weddings,omitempty"`
	P50       float64          `json:"p50"`
	P90       *float64         `json:"p90,omitempty"`
	P95       *float64         `json:"p95,omitempty"`
	P99       *float64         `json:"p99,omitempty"`
	Quantiles []QuantileLoad   `json:"quantiles,omitempty"`       // that were asked for, in their order
	Replicas  int              `json:"replicas"`                  // at the service's target utilisation
	Method    PredictionMethod `json:"method"`                    // by which this hour was forecast
	Assumed   bool             `json:"intervalAssumed,omitempty"` // quantiles are what other loads did: too little was measured of this one
}

// Prediction is a forecast with how it was made.
type Prediction struct {
	Service      ServiceName       `json:"service"`
	IssuedAt     time.Time         `json:"issuedAt"`
	Method       PredictionMethod  `json:"method"`
	Reason       string            `json:"reason"` // why this method, in a sentence
	HistoryHours int               `json:"historyHours"`
	Points       []PredictionPoint `json:"points"`
	Peak         *PredictionPoint  `json:"peak,omitempty"`
}

// WeddingPrediction is the stored forecast of one wedding's own load. Row of
// wedding_predictions; the latest stands in Redis under prediction:<weddingId>.
type WeddingPrediction struct {
	ID           string           `json:"id" gorm:"primaryKey"`
	WeddingID    string           `json:"weddingId"`
	WeddingDate  string           `json:"weddingDate" gorm:"type:date;serializer:isodate"` // YYYY-MM-DD in the venue's zone
	Service      ServiceName      `json:"service"`
	CreatedAt    time.Time        `json:"createdAt"` // origin of the forecast
	PeakAt       time.Time        `json:"peakAt"`
	PeakRPS      float64          `json:"peakRps" gorm:"column:peak_rps"`
	PeakReplicas int              `json:"peakReplicas"`
	Guests       int              `json:"guests"`
	Method       PredictionMethod `json:"method"`
}

// TableName is the SQL table.
func (WeddingPrediction) TableName() string { return "wedding_predictions" }
