package scaling

import (
	"time"

	"github.com/wedsync/scalability/models"
)

// Inputs is all that a decision is made from; Now is the only time it knows.
type Inputs struct {
	Now         time.Time          `json:"now"`
	Observation models.Observation `json:"observation"`
	Spike       *models.Spike      `json:"spike,omitempty"` // set on the fast path
	State       State              `json:"state"`
	InFlight    bool               `json:"inFlight"` // an operation runs: no scale-in
	Paused      bool               `json:"paused"`
	Shadow      bool               `json:"shadow"`
}

// State is what the next decision needs to remember of the ones before.
type State struct {
	Ring       []Recommendation `json:"ring"` // unstabilised needs of the last 15 min, oldest first
	LastUpAt   *time.Time       `json:"lastUpAt,omitempty"`
	LastDownAt *time.Time       `json:"lastDownAt,omitempty"`
	PanicUntil *time.Time       `json:"panicUntil,omitempty"`
	PanicMax   int              `json:"panicMax"`             // largest need seen in this panic
	BlindSince *time.Time       `json:"blindSince,omitempty"` // all signals missing since
	SuspectAt  *time.Time       `json:"suspectAt,omitempty"`  // last time a fall looked like an outage
}

// Recommendation is one unstabilised need.
type Recommendation struct {
	At time.Time `json:"at"`
	N  int       `json:"n"`
}
