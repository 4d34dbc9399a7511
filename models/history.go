package models

import "time"

// HourlyLoad is the mean load of one hour, from the rollups of throughput. An hour
// without samples is absent from a list, never zero.
type HourlyLoad struct {
	Hour    time.Time `json:"hour"`    // start of the hour, UTC
	MeanRPS float64   `json:"meanRps"` // requests per second
	Samples int64     `json:"samples"` // how many samples the mean is made of
}

// MinuteLoad is the mean load of one minute, from the rollups of throughput. A minute
// without samples is absent.
type MinuteLoad struct {
	Minute  time.Time `json:"minute"`  // start of the minute, UTC
	MeanRPS float64   `json:"meanRps"` // requests per second
}
