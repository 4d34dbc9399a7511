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
	Shadow      bool               `json:"shadow"`               // decide as ever, nothing is carried out
	KillSwitch  bool               `json:"killSwitch,omitempty"` // nothing is changed anywhere
}
