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

// memory is a window of needs of which only the largest is ever asked for: a need that a
// later one is as large as is forgotten. What is left falls from the oldest to the
// newest, one for each step of time at most.
type memory struct {
	kept [ringMost]Recommendation
	n    int
}

// recall takes what was remembered and is not older than a span.
func (m *memory) recall(old []Recommendation, now time.Time, span time.Duration) {
	for _, r := range old {
		if now.Sub(r.At) <= span {
			m.add(r)
		}
	}
}

// add remembers a need. Of two in the same step the larger counts until the later.
func (m *memory) add(r Recommendation) {
	for m.n > 0 && m.kept[m.n-1].N <= r.N {
		m.n--
	}
	if m.n > 0 && (m.n == ringMost || r.At.Unix()/ringStep == m.kept[m.n-1].At.Unix()/ringStep) {
		m.kept[m.n-1].At = r.At
		return
	}
	m.kept[m.n] = r
	m.n++
}

// list copies the memory for the next decision: the caller's is left as it is.
func (m *memory) list() []Recommendation {
	return append(make([]Recommendation, 0, m.n), m.kept[:m.n]...)
}

// remember keeps a need for a window. With nothing remembered, at the beginning or after
// a long silence, what stands there counts as needed now: whoever has not looked yet
// removes nothing.
func remember(old []Recommendation, now Recommendation, span time.Duration, standing int) []Recommendation {
	var m memory
	m.recall(old, now.At, span)
	if m.n == 0 {
		now.N = max(now.N, standing)
	}
	m.add(now)
	return m.list()
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
