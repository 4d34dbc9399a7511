package models

import "time"

// Spending is what capacity cost over the covered time, and what it would have cost to
// hold the largest spec of the period all that time. Money is the operator's currency.
type Spending struct {
	// CoveredHours is the time of which the spec is known; what is missing counts neither as
	// used nor as saved.
	CoveredHours       float64 `json:"coveredHours"`
	CoveredShare       float64 `json:"coveredShare"` // of the period, 0 to 1
	ReplicaHours       float64 `json:"replicaHours"`
	StaticReplicaHours float64 `json:"staticReplicaHours"`
	Cost               float64 `json:"cost"`
	StaticCost         float64 `json:"staticCost"`
	Saved              float64 `json:"saved"`
	SavedShare         float64 `json:"savedShare"` // of StaticCost; 0 where that is 0
}

// ServiceSavings is the spending of one service.
type ServiceSavings struct {
	Service      ServiceName `json:"service"`
	Evaluations  int64       `json:"evaluations"`
	PeakReplicas int         `json:"peakReplicas"` // largest spec of the covered time
	Spending
}

// Savings compares what was provisioned with static peak provisioning over [Since, Until).
type Savings struct {
	Since    time.Time        `json:"since"`
	Until    time.Time        `json:"until"`
	Services []ServiceSavings `json:"services"` // the whole catalogue, in its order
	Total    Spending         `json:"total"`    // hours of all services, and the mean of their covered shares
}

// Compare derives what was saved.
func (s Spending) Compare() Spending {
	s.Saved, s.SavedShare = s.StaticCost-s.Cost, 0
	if s.StaticCost > 0 {
		s.SavedShare = s.Saved / s.StaticCost
	}
	return s
}

// Plus adds another spending up, shares too: a total of services divides them by their
// number.
func (s Spending) Plus(o Spending) Spending {
	s.CoveredHours += o.CoveredHours
	s.CoveredShare += o.CoveredShare
	s.ReplicaHours += o.ReplicaHours
	s.StaticReplicaHours += o.StaticReplicaHours
	s.Cost += o.Cost
	s.StaticCost += o.StaticCost
	return s
}
