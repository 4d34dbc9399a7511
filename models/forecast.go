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
