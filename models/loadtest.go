package models

import "time"

// LoadTestRequest is a bounded load test of one service.
type LoadTestRequest struct {
	Service     ServiceName `json:"service"`
	RPS         float64     `json:"rps"`         // to reach
	StepSeconds int         `json:"stepSeconds"` // of each of the steps to it
	SLOMS       float64     `json:"sloMs"`
}

// LoadTestSample is what was seen in one moment of a load test. What was not measured is
// nil.
type LoadTestSample struct {
	At            time.Time `json:"at"`
	OfferedRPS    float64   `json:"offeredRps"`
	P95MS         *float64  `json:"p95Ms,omitempty"`
	ErrorRate     *float64  `json:"errorRate,omitempty"`
	Ready         int       `json:"ready"`
	CapacityRPS   *float64  `json:"capacityRps,omitempty"` // of one replica at 100 %
	DatabaseShare *float64  `json:"databaseShare,omitempty"`
	Ceremony      bool      `json:"ceremony"`
}

// LoadTestResult is how a load test ended.
type LoadTestResult struct {
	Aborted     string  `json:"aborted,omitempty"` // why; "" = it reached its load
	PeakRPS     float64 `json:"peakRps"`           // the largest step that was held within the SLO
	CapacityRPS float64 `json:"capacityRps"`       // of one replica at 100 %, worst tenth; 0: not known
	MaxReplicas int     `json:"maxReplicas"`       // that served
	Samples     int     `json:"samples"`
	WorstP95MS  float64 `json:"worstP95Ms"`
}
