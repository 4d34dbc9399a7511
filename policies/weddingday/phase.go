package weddingday

import (
	"fmt"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
)

// Times of a day. Those that the engine has too are its own, said again for the plan.
const (
	ChecklistAhead = 24 * time.Hour   // before the first ceremony
	NodesAhead     = 90 * time.Minute // nodes and quota are wanted, and replicas follow
	Slack          = 45 * time.Minute // a ceremony may be this early or late
	After          = time.Hour        // floors stay after the last guest
	SettledAfter   = 45 * time.Minute // of a ceremony it is known who came
	Deadline       = 20 * time.Minute // before a ceremony its waves have finished
	MaxExtension   = 12 * time.Hour

	tick      = 5 * time.Minute
	hourly    = time.Hour
	farTick   = 6 * time.Hour
	leastTick = time.Second
)

// View is a day at a time.
type View struct {
	Phase   models.WeddingDayPhase
	Windows []models.TimeSpan // of strict thresholds, merged, in order
	First   time.Time         // ceremony; zero: nobody comes
	Until   time.Time         // the last floor ends
	NextAt  time.Time         // when to look again at the latest
	Guests  int
	Count   int // weddings that count
	Text    string
}

// Look says where a day stands. With several windows the one that is open counts, then the
// one that is prepared, then the one that has just closed.
//
//	a window is open                                → open
//	a window opens within 90 min                    → pre_warm
//	the last guest left less than an hour ago       → cool_down
//	the first ceremony is more than a day ahead     → ahead
//	a window is still to come                       → checklist
//	else                                            → done
func Look(weddings []models.DayWedding, now time.Time) View {
	v := View{Phase: models.WeddingDayDone, Text: "nobody comes on this day"}
	cooling, ahead := false, false
	for _, w := range weddings {
		if !w.Counts() {
			continue
		}
		v.Count++
		v.Guests += w.Guests
		v.Windows = append(v.Windows, windowOf(w))
		if v.First.IsZero() || w.StartsAt.Before(v.First) {
			v.First = w.StartsAt
		}
		end := w.Until().Add(After)
		if end.After(v.Until) {
			v.Until = end
		}
		cooling = cooling || !now.Before(windowOf(w).Until) && now.Before(end)
		ahead = ahead || now.Before(windowOf(w).From)
	}
	v.Windows = merged(v.Windows)
	switch {
	case v.Count == 0:
	case openAt(v.Windows, now):
		v.Phase = models.WeddingDayOpen
	case opensWithin(v.Windows, now, NodesAhead):
		v.Phase = models.WeddingDayPreWarm
	case cooling:
		v.Phase = models.WeddingDayCoolDown
	case now.Before(v.First.Add(-ChecklistAhead)):
		v.Phase = models.WeddingDayAhead
	case ahead:
		v.Phase = models.WeddingDayChecklist
	}
	v.NextAt = v.next(now)
	if v.Count > 0 {
		v.Text = v.sentence()
	}
	return v
}

// windowOf is when a ceremony's window is open: from as early as it may begin until the
// last guest of a late one has left, or a person has ended it.
func windowOf(w models.DayWedding) models.TimeSpan {
	until := w.Until()
	if w.EndedAt == nil {
		until = until.Add(Slack)
	}
	return models.TimeSpan{From: w.StartsAt.Add(-Slack), Until: latest(until, w.StartsAt.Add(-Slack))}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// merged joins spans that touch.
func merged(spans []models.TimeSpan) []models.TimeSpan {
	slices.SortFunc(spans, func(a, b models.TimeSpan) int { return a.From.Compare(b.From) })
	var out []models.TimeSpan
	for _, s := range spans {
		if n := len(out); n > 0 && !s.From.After(out[n-1].Until) {
			out[n-1].Until = latest(out[n-1].Until, s.Until)
			continue
		}
		out = append(out, s)
	}
	return out
}

func openAt(windows []models.TimeSpan, now time.Time) bool {
	return slices.ContainsFunc(windows, func(s models.TimeSpan) bool { return s.Holds(now) })
}

func opensWithin(windows []models.TimeSpan, now time.Time, d time.Duration) bool {
	return slices.ContainsFunc(windows, func(s models.TimeSpan) bool {
		return now.Before(s.From) && !now.Before(s.From.Add(-d))
	})
}

// next is when something changes by itself, and not later than the phase's own pace.
func (v View) next(now time.Time) time.Time {
	pace := map[models.WeddingDayPhase]time.Duration{
		models.WeddingDayAhead: farTick, models.WeddingDayChecklist: hourly,
	}[v.Phase]
	if pace == 0 {
		pace = tick
	}
	at := now.Add(pace)
	edges := []time.Time{v.First.Add(-ChecklistAhead), v.Until}
	for _, w := range v.Windows {
		edges = append(edges, w.From.Add(-NodesAhead), w.From, w.From.Add(Slack-Deadline), w.Until)
	}
	for _, e := range edges {
		if e.After(now) && e.Before(at) {
			at = e
		}
	}
	return latest(at, now.Add(leastTick))
}

func (v View) sentence() string {
	what := fmt.Sprintf("%d guests of %d weddings, the first ceremony at %s", v.Guests, v.Count, v.First.UTC().Format("2 Jan 15:04 MST"))
	if v.Count == 1 {
		what = fmt.Sprintf("%d guests of a wedding at %s", v.Guests, v.First.UTC().Format("2 Jan 15:04 MST"))
	}
	switch v.Phase {
	case models.WeddingDayAhead:
		return what + ": it is not a day ahead yet"
	case models.WeddingDayChecklist:
		return what + ": the check-list is gone through"
	case models.WeddingDayPreWarm:
		return what + ": capacity is brought before they come"
	case models.WeddingDayOpen, models.WeddingDayDecay:
		return what + ": strict thresholds hold"
	case models.WeddingDayCoolDown:
		return what + ": the last are leaving"
	default:
		return what + ": the day is over"
	}
}

// Late says which weddings will have begun before waves of now could have finished 20 min
// ahead of them, given how long the waves take.
func Late(weddings []models.DayWedding, now time.Time, waves time.Duration) []models.DayWedding {
	var late []models.DayWedding
	for _, w := range weddings {
		if w.Counts() && now.Before(w.Until()) && now.Add(waves).After(w.StartsAt.Add(-Deadline)) {
			late = append(late, w)
		}
	}
	return late
}
