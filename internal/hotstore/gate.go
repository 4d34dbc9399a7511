package hotstore

import (
	"sync/atomic"
	"time"
)

// probeInterval is how often a Redis that failed is tried again.
const probeInterval = time.Second

// gate keeps callers from waiting for a Redis that is away: after a failure one caller
// per interval tries it, the others go on without. The zero value is open.
type gate struct {
	away atomic.Pointer[time.Time] // when it may be tried again; nil while Redis answers
}

// pass says whether this caller may ask Redis now.
func (g *gate) pass(now time.Time) bool {
	again := g.away.Load()
	if again == nil {
		return true
	}
	next := now.Add(probeInterval)
	return !now.Before(*again) && g.away.CompareAndSwap(again, &next)
}

// failed closes the gate; first says that it was open.
func (g *gate) failed(now time.Time) (first bool) {
	next := now.Add(probeInterval)
	return g.away.Swap(&next) == nil
}

// answered opens the gate; back says that it was closed.
func (g *gate) answered() (back bool) { return g.away.Load() != nil && g.away.Swap(nil) != nil }
