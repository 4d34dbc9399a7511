package models

import "time"

// ReplicaPhase is the state of one replica.
type ReplicaPhase string

// The phases of a replica.
const (
	ReplicaPending  ReplicaPhase = "pending"  // ordered, not serving yet
	ReplicaReady    ReplicaPhase = "ready"    // serving
	ReplicaCrashing ReplicaPhase = "crashing" // restarts again and again
)

// Replica is one unit of capacity of a service.
type Replica struct {
	ID        string       `json:"id"`
	Phase     ReplicaPhase `json:"phase"`
	Restarts  int          `json:"restarts"`
	OrderedAt time.Time    `json:"orderedAt"`
	ReadyAt   *time.Time   `json:"readyAt,omitempty"`
}

// ReplicaSet is the capacity of one service as an actuator observed it.
type ReplicaSet struct {
	Service    ServiceName `json:"service"`
	Spec       int         `json:"spec"`       // replicas ordered
	Ready      int         `json:"ready"`      // replicas that serve
	Generation int64       `json:"generation"` // grows with each accepted order
	ObservedAt time.Time   `json:"observedAt"`
	Replicas   []Replica   `json:"replicas"` // by OrderedAt, then ID

	// What else moves the service, as far as the actuator can say.
	Writers  []string `json:"writers,omitempty"`  // others that set the spec, e.g. an HPA
	Rollout  string   `json:"rollout,omitempty"`  // replacement of replicas that is under way
	Template string   `json:"template,omitempty"` // what new replicas are made from: an image, a revision
}

// Pending counts the replicas that are ordered and on their way; crashing ones are
// not coming, so they do not count.
func (r ReplicaSet) Pending() int {
	n := 0
	for _, x := range r.Replicas {
		if x.Phase == ReplicaPending {
			n++
		}
	}
	return n
}

// IDs lists the replicas' identities in order.
func (r ReplicaSet) IDs() []string {
	ids := make([]string, len(r.Replicas))
	for i, x := range r.Replicas {
		ids[i] = x.ID
	}
	return ids
}

// ApplyRequest orders capacity. An actuator refuses it (KindConflict) where the
// observed spec is neither ExpectedSpec nor Desired, and (KindExpired) after NotAfter.
type ApplyRequest struct {
	Service      ServiceName `json:"service"`
	ExpectedSpec int         `json:"expectedSpec"`
	Desired      int         `json:"desired"`
	Key          string      `json:"key"`               // idempotency key: the same key changes the spec at most once
	NotAfter     time.Time   `json:"notAfter"`          // zero = no expiry (a rollback must not expire)
	Victims      []string    `json:"victims,omitempty"` // replicas to remove first when capacity shrinks
}

// ApplyOutcome says what an order did. The zero value claims nothing.
type ApplyOutcome string

// The outcomes of an order.
const (
	ApplyUnknown ApplyOutcome = ""
	ApplyApplied ApplyOutcome = "applied"
	ApplyNoOp    ApplyOutcome = "no_op"
)

// ApplyResult is what an actuator saw after it carried out an order.
type ApplyResult struct {
	Outcome  ApplyOutcome `json:"outcome"`
	Reason   string       `json:"reason"`
	Observed ReplicaSet   `json:"observed"`
}

// CohortStats is how a group of replicas served over one measurement. Rates are nil
// where no request arrived.
type CohortStats struct {
	Replicas  int      `json:"replicas"`
	Requests  int64    `json:"requests"`
	ErrorRate *float64 `json:"errorRate,omitempty"` // share, 0 to 1
	P95MS     *float64 `json:"p95Ms,omitempty"`     // response time, milliseconds

	// What an actuator may know besides.
	CapacityRPS *float64  `json:"capacityRps,omitempty"` // of one replica: requests served ÷ time at work
	SamplesMS   []float64 `json:"samplesMs,omitempty"`   // response times at p95, one replica and second each
	// Downstreams are what the requests that failed found broken behind the replicas.
	Downstreams []string `json:"downstreams,omitempty"`
}

// MeasureRequest asks for a comparison of the replicas in Baseline with all others
// over the last WindowSeconds.
type MeasureRequest struct {
	Service       ServiceName `json:"service"`
	Baseline      []string    `json:"baseline"`
	WindowSeconds int         `json:"windowSeconds"`
}

// Measurement compares new capacity with old over one window.
type Measurement struct {
	At                     time.Time   `json:"at"`
	WindowSeconds          int         `json:"windowSeconds"`
	New                    CohortStats `json:"new"`
	Old                    CohortStats `json:"old"`
	Service                CohortStats `json:"service"`
	Spec                   int         `json:"spec"`
	Ready                  int         `json:"ready"`
	Crashing               int         `json:"crashing"`
	Unhealthy              []string    `json:"unhealthy,omitempty"` // new replicas that crash, never started or fail requests
	OfferedRPS             *float64    `json:"offeredRps,omitempty"`
	DatabaseConnections    *int        `json:"databaseConnections,omitempty"`
	DatabaseMaxConnections *int        `json:"databaseMaxConnections,omitempty"`
}
