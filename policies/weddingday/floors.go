package weddingday

import (
	"math"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

const (
	slackSteps = int(Slack / tick)
	// sticky: a step down of less than this share is not worth an order.
	sticky = 0.10
	// spare stays above what is needed, however few have come.
	spare = 1.3
	// shortest is how long a step is at least, but for one that rises.
	shortest = 15 * time.Minute
	// mostSpan bounds the work: a wedding lasts at most four days.
	mostSpan = 6 * 24 * time.Hour
)

// Plan is what the floors of one service are made from.
type Plan struct {
	Weddings []models.DayWedding // of the day
	Others   []models.DayWedding // of other days, whose guests are there at the same time
	Service  models.Service
	Learned  *models.Learned
	Basis    models.DayBasis
	Turnout  float64 // guests who came ÷ planned, of ceremonies of before; 0 = as planned
	Need     int     // what is needed now
	Now      time.Time
}

// Floors gives the steps of a service's floor over the day, in order. At each time it is
// the largest that the engine's own arithmetic gives from 45 min before to 45 min after it,
// since a ceremony may be that early or late; what the first guests need stands from 90 min
// before the window on.
func Floors(p Plan) []models.DayFloor {
	view := Look(p.Weddings, p.Now)
	if view.Count == 0 || p.Basis.Kernel == nil {
		return nil
	}
	from := view.First.Add(-Slack - NodesAhead).Truncate(tick)
	until := view.Until.Truncate(tick)
	if until.Sub(from) > mostSpan {
		until = from.Add(mostSpan)
	}
	n := int(until.Sub(from) / tick)
	raw := p.raw(from.Add(-Slack), n+2*slackSteps)
	f := make([]scaling.Floor, n)
	for i := range f {
		for _, r := range raw[i : i+2*slackSteps+1] {
			f[i].Replicas, f[i].Guests = max(f[i].Replicas, r.Replicas), max(f[i].Guests, r.Guests)
		}
	}
	p.prewarm(f, from)
	return p.steps(f, from)
}

// raw is the engine's floor at each step from a time on, and that of the same weddings as
// late as they were extended by, whichever is larger.
func (p Plan) raw(from time.Time, n int) []scaling.Floor {
	out := make([]scaling.Floor, n+1)
	scenarios := [][]models.CalendarWindow{p.windows(false)}
	if slices.ContainsFunc(p.Weddings, func(w models.DayWedding) bool { return w.ExtendedTo != nil }) {
		scenarios = append(scenarios, p.windows(true))
	}
	for i := range out {
		at := from.Add(time.Duration(i) * tick)
		for _, ws := range scenarios {
			f := p.at(ws, at)
			if f.Replicas > out[i].Replicas {
				out[i] = f
			}
		}
	}
	return out
}

func (p Plan) at(ws []models.CalendarWindow, at time.Time) scaling.Floor {
	c := models.Calendar{Windows: ws, Kernel: p.Basis.Kernel, BaseRPS: p.Basis.At(at)}
	return scaling.FloorAt(p.Service, p.Learned, c, at)
}

// windows are the weddings as the engine sees them, the guests of ceremonies of before as
// many as have come.
func (p Plan) windows(late bool) []models.CalendarWindow {
	var out []models.CalendarWindow
	for _, list := range [][]models.DayWedding{p.Weddings, p.Others} {
		for _, w := range list {
			if !w.Counts() {
				continue
			}
			c := models.CalendarWindow{ID: w.ID, Start: w.StartsAt, End: w.Until(), Guests: w.Guests}
			if p.Turnout > 0 && p.Turnout != 1 && !p.Now.Before(w.StartsAt.Add(SettledAfter)) {
				c.Guests = int(math.Ceil(float64(w.Guests)*p.Turnout - 1e-9))
			}
			if late && w.ExtendedTo != nil {
				c.Start = c.Start.Add(max(0, w.ExtendedTo.Sub(w.EndsAt)))
			}
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b models.CalendarWindow) int { return a.Start.Compare(b.Start) })
	return out
}

// prewarm lets what each wedding's first guests need stand from the time that nodes are
// wanted for it.
func (p Plan) prewarm(f []scaling.Floor, from time.Time) {
	for _, w := range p.Weddings {
		if !w.Counts() {
			continue
		}
		open := int(w.StartsAt.Add(-Slack).Sub(from) / tick)
		if open < 0 || open >= len(f) {
			continue
		}
		for i := max(0, open-int(NodesAhead/tick)); i < open; i++ {
			f[i].Replicas, f[i].Guests = max(f[i].Replicas, f[open].Replicas), max(f[i].Guests, f[open].Guests)
		}
	}
}

// steps joins times of one floor. It follows a rise at once, and a fall when it is worth an
// order and the step has lasted a while.
func (p Plan) steps(f []scaling.Floor, from time.Time) []models.DayFloor {
	var out []models.DayFloor
	for i, s := range f {
		at := from.Add(time.Duration(i) * tick)
		n := s.Replicas
		if p.Turnout > 0 && p.Turnout < 1 && n > 0 {
			n = max(n, int(math.Ceil(float64(p.Need)*spare-1e-9)))
		}
		if k := len(out); k > 0 && out[k-1].Until.Equal(at) {
			last := &out[k-1]
			falls := n < last.Replicas
			if n == last.Replicas || n > 0 && falls && (float64(last.Replicas-n) < sticky*float64(last.Replicas) || at.Sub(last.From) < shortest) {
				last.Until, last.Guests = at.Add(tick), max(last.Guests, s.Guests)
				continue
			}
		}
		if n > 0 {
			out = append(out, models.DayFloor{Service: p.Service.Name, From: at, Until: at.Add(tick), Replicas: n, Guests: s.Guests})
		}
	}
	return out
}

// FloorOf is the floor of a service at a time; 0: none.
func FloorOf(floors []models.DayFloor, service models.ServiceName, at time.Time) int {
	n := 0
	for _, f := range floors {
		if f.Service == service && !at.Before(f.From) && at.Before(f.Until) {
			n = max(n, f.Replicas)
		}
	}
	return n
}
