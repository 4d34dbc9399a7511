package scaling

import (
	"time"
)

const (
	// ringSpan is how long recommendations are remembered.
	ringSpan = 15 * time.Minute
	// demandSpan is how long measured demand is remembered, for the decay of floors.
	demandSpan = 20 * time.Minute
	// ringStep is how finely needs are told apart in time.
	ringStep = 15 // seconds
	// ringMost bounds a memory: a step each for the longer of the spans, and some.
	ringMost = 96
)

// State is what the next decision needs to remember of the ones before. It is bounded,
// however often and for however long is decided.
type State struct {
	Ring       []Recommendation `json:"ring"` // needs of the last 15 min that no later one is as large as, oldest first
	LastUpAt   *time.Time       `json:"lastUpAt,omitempty"`
	LastDownAt *time.Time       `json:"lastDownAt,omitempty"`
	PanicUntil *time.Time       `json:"panicUntil,omitempty"`
	PanicMax   int              `json:"panicMax"`             // largest need seen in this panic
	PanicRPS   float64          `json:"panicRps,omitempty"`   // largest load seen in it
	BlindSince *time.Time       `json:"blindSince,omitempty"` // all signals missing since
	SuspectAt  *time.Time       `json:"suspectAt,omitempty"`  // last time a fall looked like an outage

	SuspectNeed int              `json:"suspectNeed,omitempty"` // largest need of the time before it
	UnreadSince *time.Time       `json:"unreadSince,omitempty"` // the replicas could not be read since
	Seen        *Capacity        `json:"seen,omitempty"`        // the replicas of the evaluation before
	Grew        *Capacity        `json:"grew,omitempty"`        // when more became ready, and those that were before
	Demand      []Recommendation `json:"demand,omitempty"`      // measured needs of the last 20 min, as the ring; only with a calendar
	Decay       *Decay           `json:"decay,omitempty"`       // of the calendar's floor
}

// Recommendation is one unstabilised need.
type Recommendation struct {
	At time.Time `json:"at"`
	N  int       `json:"n"`
}

// Capacity is what stood there at a time.
type Capacity struct {
	At    time.Time `json:"at"`
	Spec  int       `json:"spec"`
	Ready int       `json:"ready"`
}

// Decay is how far a floor was let down since its guests stayed away.
type Decay struct {
	At    time.Time `json:"at"`    // of the last step
	Share float64   `json:"share"` // of the planned load that is still held
}

// remember keeps a need for a window. Only the largest of a window is ever asked for, so
// a need that a later one is as large as is forgotten: what is left falls from the oldest
// to the newest. Of two within a step of time the larger counts until the later. With
// nothing remembered, at the beginning or after a long silence, what stands there counts
// as needed now: whoever has not looked yet removes nothing.
//
// The caller's list is left as it is.
func remember(old []Recommendation, now Recommendation, span time.Duration, standing int) []Recommendation {
	for len(old) > 0 && now.At.Sub(old[0].At) > span {
		old = old[1:]
	}
	if !falling(old) {
		old = tidied(old, now.At, span)
	}
	if len(old) == 0 {
		now.N = max(now.N, standing)
	}
	return add(old, now)
}

// add gives a list with one more need.
func add(list []Recommendation, r Recommendation) []Recommendation {
	n := len(list)
	for n > 0 && list[n-1].N <= r.N {
		n--
	}
	out := append(make([]Recommendation, 0, n+1), list[:n]...)
	if n > 0 && (n >= ringMost || r.At.Unix()/ringStep == list[n-1].At.Unix()/ringStep) {
		out[n-1].At = r.At
		return out
	}
	return append(out, r)
}

// falling says whether a list is as remember leaves it.
func falling(list []Recommendation) bool {
	for i := 1; i < len(list); i++ {
		if list[i].N >= list[i-1].N || list[i].At.Before(list[i-1].At) {
			return false
		}
	}
	return len(list) <= ringMost
}

// tidied brings a list from elsewhere into the form that remember leaves.
func tidied(list []Recommendation, now time.Time, span time.Duration) []Recommendation {
	var out []Recommendation
	for _, r := range list {
		if now.Sub(r.At) <= span {
			out = add(out, r)
		}
	}
	return out
}

// largest is the largest need remembered since a time.
func largest(ring []Recommendation, since time.Time) int {
	most := 0
	for _, r := range ring {
		if !r.At.Before(since) {
			most = max(most, r.N)
		}
	}
	return most
}
