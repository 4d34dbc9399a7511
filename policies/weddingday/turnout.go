package weddingday

import (
	"fmt"
	"math"
	"time"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

const (
	demandSpan   = 20 * time.Minute
	cameBelow    = 0.5  // of the plan: guests stay away
	turnoutStep  = 0.10 // a floor is let down by
	crowdAbove   = 1.15 // times the plan: more came than were planned for
	mostTurnout  = 3.0
	leastTurnout = 0.01 // nobody came; 0 would mean as planned
	turnoutGrain = 0.1
	guestsCount  = 1.2 // times the load without guests, below which theirs cannot be told apart
)

// Turnout is which share of the planned guests a service's floor is held for.
type Turnout struct {
	Service models.ServiceName `json:"service"`
	Share   float64            `json:"share"`
	At      time.Time          `json:"at"` // of the last change
}

// Read compares a service's load with its plan, from the guests of all as planned.
func Read(p Plan, demand *float64) models.DayReading {
	p.Turnout = 0
	ws := p.windows(false)
	r := models.DayReading{Service: p.Service.Name, Demand: demand}
	r.Expected = p.at(ws, p.Now.Add(-demandSpan/2)).RPS
	now := p.at(ws, p.Now).RPS
	for at := p.Now.Add(tick); !at.After(p.Now.Add(time.Hour)); at = at.Add(tick) {
		r.Rising = r.Rising || p.at(ws, at).RPS > now*1.02
	}
	for _, w := range p.Weddings {
		r.Settled = r.Settled || w.Counts() && !p.Now.Before(w.StartsAt.Add(SettledAfter)) && p.Now.Before(w.Until().Add(After))
	}
	if demand != nil {
		room := scaling.FloorAt(p.Service, p.Learned, models.Calendar{Kernel: p.Basis.Kernel, BaseRPS: *demand}, p.Now)
		r.Need = room.Expected
	}
	return r
}

// Follow says which share of the guests a floor is held for from now on, and why, where it
// turned; each step further down is not told again:
//
//	not measured, or no ceremony was 45 min ago  → as before
//	load above 1.15 times the plan               → as many more, at most three times, at once
//	load below half of it, none more to come     → 10 % fewer, each 5 min
//	else, after fewer                            → all at once: they came late
func Follow(last Turnout, r models.DayReading, base float64, now time.Time) (Turnout, string) {
	next := last
	if next.Share == 0 && next.At.IsZero() {
		next.Share = 1
	}
	next.Service = r.Service
	if r.Demand == nil || r.Expected <= 0 || !r.Settled {
		return next, ""
	}
	share := next.Share
	switch d := *r.Demand; {
	case d > crowdAbove*r.Expected:
		if r.Expected > guestsCount*base {
			share = math.Max(share, crowd(d, base, r.Expected))
		}
	case d < cameBelow*r.Expected:
		if !r.Rising && now.Sub(next.At) >= tick {
			share = math.Max(leastTurnout, math.Min(share, 1)-turnoutStep)
		}
	case share < 1:
		share = 1
	}
	share = math.Round(share*100) / 100
	if share == next.Share {
		return next, ""
	}
	why := fmt.Sprintf("%s gets %.0f requests/s of %.0f that were planned", r.Service, *r.Demand, r.Expected)
	switch {
	case share > 1:
		why += fmt.Sprintf(": more have come, and the floor is raised to %.0f %% of the guests", 100*share)
	case share < next.Share:
		why += fmt.Sprintf(": guests stay away, and the floor is let down to %.0f %% of them", 100*share)
	default:
		why += ": the guests came after all, and the floor is whole again"
	}
	if share < next.Share && next.Share < 1 {
		why = ""
	}
	next.Share, next.At = share, now
	return next, why
}

// crowd is how many times the planned guests would bring a load, in tenths.
func crowd(demand, base, expected float64) float64 {
	s := (demand - base) / (expected - base)
	return math.Min(mostTurnout, math.Ceil(s/turnoutGrain-1e-9)*turnoutGrain)
}

// Reduced says whether any floor is held for fewer guests than were planned for.
func Reduced(all []Turnout) bool {
	for _, t := range all {
		if t.Share < 1 && !t.At.IsZero() {
			return true
		}
	}
	return false
}
