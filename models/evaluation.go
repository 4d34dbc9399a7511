package models

import (
	"encoding/json"
	"time"
)

// Evaluation is one evaluation of a service at rest: what it was made from and what came
// of it, so that it can be made again bit for bit. Row of scaling_evaluations, one per
// service and time, partitioned by day on At and kept as long as metrics are.
type Evaluation struct {
	Service    ServiceName `json:"service" gorm:"primaryKey"`
	At         time.Time   `json:"at" gorm:"primaryKey"` // that was decided at, as precise as the database keeps it
	DecisionID string      `json:"decisionId"`           // of the change that it led to, "" for none
	Policy     string      `json:"policy"`               // version
	InputsHash string      `json:"inputsHash"`
	Mode       string      `json:"mode"`
	// Spec is nil where the replicas could not be read: what they cost then is not known.
	Spec               *int      `json:"spec,omitempty"`
	Ready              int       `json:"ready"`
	Pending            int       `json:"pending"`
	Raw                int       `json:"raw"`
	Desired            int       `json:"desired"`
	Class              Class     `json:"class"`
	Direction          Direction `json:"direction"`
	CostPerReplicaHour float64   `json:"costPerReplicaHour"` // of the catalogue at that time
	// CapacityRPS is what one replica would serve at 100 %, as load and use of that moment
	// say; nil where they say nothing of it.
	CapacityRPS *float64 `json:"capacityRps,omitempty" gorm:"column:capacity_rps"`
	Text        string   `json:"text"`

	// Explanation and Inputs are JSON as the decision had and made it. Storage packs both
	// into one column; a list has no inputs.
	Explanation json.RawMessage `json:"explanation,omitempty" gorm:"-"`
	Inputs      json.RawMessage `json:"-" gorm:"-"`
	// Starts are the replicas that were seen, to learn how long they take to start.
	Starts []Replica `json:"-" gorm:"-"`
}

// TableName is the SQL table.
func (Evaluation) TableName() string { return "scaling_evaluations" }

// EvaluationFilter selects evaluations of one service, newest first. Zero fields do not
// filter.
type EvaluationFilter struct {
	Service ServiceName
	Since   time.Time
	Until   time.Time
	Before  time.Time // a position in the list, exclusive
	Limit   int
}
