package fleet

import (
	"time"

	"github.com/wedsync/scalability/models"
)

// FaultKind names an injected failure.
type FaultKind string

// The kinds. The first four mark replicas that are created while the fault is on, and
// stay with them; the next three act on calls of the actuator; the last two are what
// others do to the service.
const (
	FaultCrash         FaultKind = "crash"          // restarts again and again
	FaultSlow          FaultKind = "slow"           // starts or serves slowly
	FaultNever         FaultKind = "never"          // stays pending
	FaultErrors        FaultKind = "errors"         // fails a share of its requests
	FaultDescribeError FaultKind = "describe_error" // reading the service fails
	FaultApplyError    FaultKind = "apply_error"    // orders fail and change nothing
	FaultLatency       FaultKind = "latency"        // every call answers late
	FaultRollout       FaultKind = "rollout"        // somebody replaces the replicas
	FaultWriter        FaultKind = "writer"         // somebody else sets the spec too
)

// Fault is one injected failure of one service.
type Fault struct {
	Kind           FaultKind `json:"kind"`
	Share          float64   `json:"share,omitempty"`          // of new replicas or of calls, 0 to 1; 0 = all
	AfterSeconds   float64   `json:"afterSeconds,omitempty"`   // crash: serves this long before each crash; 0 = never ready
	StartupFactor  float64   `json:"startupFactor,omitempty"`  // slow: start-up takes this many times as long
	LatencyFactor  float64   `json:"latencyFactor,omitempty"`  // slow: response times are this many times as long
	CapacityFactor float64   `json:"capacityFactor,omitempty"` // slow: share of the capacity, 0 to 1
	ErrorShare     float64   `json:"errorShare,omitempty"`     // errors: share of requests that fail; 0 = all
	DelayMS        float64   `json:"delayMs,omitempty"`        // latency: how late
	Template       string    `json:"template,omitempty"`       // of new replicas: only of those made from it
	Count          int       `json:"count,omitempty"`          // replicas or calls it still acts on; 0 = no bound
	TTLSeconds     float64   `json:"ttlSeconds,omitempty"`     // ends by itself after this long; 0 = until removed
	Until          time.Time `json:"until,omitzero"`           // set by the fleet from TTLSeconds
}

// Validate gives the first field that does not fit the kind.
func (f Fault) Validate() error {
	switch f.Kind {
	case FaultCrash, FaultNever, FaultErrors, FaultDescribeError, FaultApplyError, FaultRollout, FaultWriter:
	case FaultSlow:
		if f.StartupFactor == 0 && f.LatencyFactor == 0 && f.CapacityFactor == 0 {
			return models.Invalid("startupFactor", "", "kind slow needs startupFactor, latencyFactor or capacityFactor")
		}
	case FaultLatency:
		if f.DelayMS == 0 {
			return models.Invalid("delayMs", "", "kind latency needs a delay from 1 to 60000")
		}
	default:
		return models.Invalid("kind", f.Kind, "must be one of crash, slow, never, errors, describe_error, apply_error, latency, rollout, writer")
	}
	return f.validateNumbers()
}

func (f Fault) validateNumbers() error {
	if len(f.Template) > maxName || f.Template != "" && !f.onReplicas() {
		return models.Invalid("template", f.Template, "must be absent, or have at most 100 characters for a fault of new replicas")
	}
	for _, b := range []struct {
		field string
		v     float64
		max   float64
		rule  string
	}{
		{"share", f.Share, 1, "must be from 0 to 1, where 0 means all"},
		{"afterSeconds", f.AfterSeconds, 3600, "must be from 0 to 3600"},
		{"startupFactor", f.StartupFactor, 1000, "must be from 0 to 1000"},
		{"latencyFactor", f.LatencyFactor, 1000, "must be from 0 to 1000"},
		{"capacityFactor", f.CapacityFactor, 1, "must be from 0 to 1"},
		{"errorShare", f.ErrorShare, 1, "must be from 0 to 1, where 0 means all"},
		{"delayMs", f.DelayMS, 60000, "must be from 0 to 60000"},
		{"count", float64(f.Count), 1e6, "must be from 0 to 1000000"},
		{"ttlSeconds", f.TTLSeconds, 86400, "must be from 0 to 86400"},
	} {
		if !(b.v >= 0 && b.v <= b.max) {
			return models.Invalid(b.field, b.v, b.rule)
		}
	}
	return nil
}

func (f Fault) onReplicas() bool {
	switch f.Kind {
	case FaultCrash, FaultSlow, FaultNever, FaultErrors:
		return true
	default:
		return false
	}
}

// faultSet is the faults of one service that are on.
type faultSet []Fault

// take removes what expired, and gives the faults of some kinds that hit this one
// replica or call; chance is a uniform draw in [0, 1) per fault. A fault with a count
// is used up by its hits.
func (fs *faultSet) take(now time.Time, wants func(Fault) bool, chance func() float64) []Fault {
	var hits []Fault
	kept := (*fs)[:0]
	for _, f := range *fs {
		if !f.Until.IsZero() && !now.Before(f.Until) {
			continue
		}
		hit := wants(f) && (f.Share == 0 || chance() < f.Share)
		if hit {
			hits = append(hits, f)
		}
		if hit && f.Count > 0 {
			f.Count--
			if f.Count == 0 {
				continue
			}
		}
		kept = append(kept, f)
	}
	*fs = kept
	return hits
}

// active lists the faults that have not expired.
func (fs faultSet) active(now time.Time) []Fault {
	out := []Fault{}
	for _, f := range fs {
		if f.Until.IsZero() || now.Before(f.Until) {
			out = append(out, f)
		}
	}
	return out
}
