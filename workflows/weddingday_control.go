package workflows

import (
	"fmt"
	"math"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/weddingday"
)

const (
	raiseShare = 0.5            // more than the floor, for whoever is bounded
	raiseHours = 12 * time.Hour // at most, for whoever is bounded
	raiseDay   = 24 * time.Hour // at most, for all
	mostRaises = 50
)

// handleUpdates takes commands of people; what breaks a rule is refused before it enters
// the history.
func (d *weddingDay) handleUpdates(ctx workflow.Context) error {
	err := workflow.SetUpdateHandlerWithOptions(ctx, UpdateExtend, d.extend, workflow.UpdateHandlerOptions{
		Validator: func(ctx workflow.Context, r ExtendRequest) error { return rejected(d.validExtend(r, d.now(ctx))) },
	})
	if err != nil {
		return err
	}
	err = workflow.SetUpdateHandlerWithOptions(ctx, UpdateEnd, d.end, workflow.UpdateHandlerOptions{
		Validator: func(ctx workflow.Context, r EndRequest) error { return rejected(d.validEnd(r)) },
	})
	if err != nil {
		return err
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, UpdateRaiseFloor, d.raise, workflow.UpdateHandlerOptions{
		Validator: func(ctx workflow.Context, r RaiseRequest) error { return rejected(d.validRaise(r, d.now(ctx))) },
	})
}

func (d *weddingDay) extend(ctx workflow.Context, r ExtendRequest) (models.WeddingDayAnswer, error) {
	until := d.in.Lens.Day(r.Until)
	d.edit(DayEdit{WeddingID: r.WeddingID, ExtendedTo: &until})
	return d.answer(ctx, fmt.Sprintf("wedding %s lasts until %s, says %s: %s", r.WeddingID, dated(until), r.Actor, r.Reason)), nil
}

func (d *weddingDay) end(ctx workflow.Context, r EndRequest) (models.WeddingDayAnswer, error) {
	now := d.now(ctx)
	for _, w := range d.weddings() {
		if w.Counts() && (r.WeddingID == "" || w.ID == r.WeddingID) && now.Before(w.Until()) {
			d.edit(DayEdit{WeddingID: w.ID, EndedAt: &now})
		}
	}
	what := "wedding " + r.WeddingID
	if r.WeddingID == "" {
		what = "the whole day"
	}
	return d.answer(ctx, fmt.Sprintf("%s ended, says %s: %s", what, r.Actor, r.Reason)), nil
}

func (d *weddingDay) raise(ctx workflow.Context, r RaiseRequest) (models.WeddingDayAnswer, error) {
	now := d.now(ctx)
	d.state.Raises = append(d.state.Raises, activities.DayRaise{
		ID: fmt.Sprint("raise-", len(d.state.Raises)+1), Service: r.Service, Replicas: r.Replicas, From: now, Until: d.in.Lens.Day(r.Until),
		WeddingID: r.WeddingID, Actor: r.Actor, Reason: r.Reason,
	})
	return d.answer(ctx, fmt.Sprintf("%s keeps at least %d replicas until %s, says %s: %s", r.Service, r.Replicas, dated(d.in.Lens.Day(r.Until)), r.Actor, r.Reason)), nil
}

// answer notes a command and lets the day be looked at anew.
func (d *weddingDay) answer(ctx workflow.Context, text string) models.WeddingDayAnswer {
	d.note(d.now(ctx), models.FlagNotice, text)
	d.state.Dirty, d.wake = true, true
	return models.WeddingDayAnswer{Phase: weddingday.Look(d.weddings(), d.now(ctx)).Phase, Text: text + "."}
}

// edit enters what a person changed of a wedding; the newest word of each kind counts.
func (d *weddingDay) edit(e DayEdit) {
	i := slices.IndexFunc(d.state.Edits, func(o DayEdit) bool { return o.WeddingID == e.WeddingID })
	if i < 0 {
		d.state.Edits = append(d.state.Edits, e)
		return
	}
	if e.ExtendedTo != nil {
		d.state.Edits[i].ExtendedTo, d.state.Edits[i].EndedAt = e.ExtendedTo, nil
	}
	if e.EndedAt != nil {
		d.state.Edits[i].EndedAt = e.EndedAt
	}
}

// weddings are those of the calendar with what people changed.
func (d *weddingDay) weddings() []models.DayWedding {
	out := slices.Clone(d.state.Weddings)
	for i := range out {
		for _, e := range d.state.Edits {
			if e.WeddingID == out[i].ID {
				out[i].ExtendedTo, out[i].EndedAt = e.ExtendedTo, e.EndedAt
			}
		}
	}
	return out
}

func (d *weddingDay) find(id string) (models.DayWedding, error) {
	for _, w := range d.weddings() {
		if w.ID == id && w.Counts() {
			return w, nil
		}
	}
	return models.DayWedding{}, models.Invalid("weddingId", id, "must be a wedding of this day that is not cancelled")
}

func (d *weddingDay) validExtend(r ExtendRequest, now time.Time) error {
	if err := validCommand(r.Actor, r.Reason); err != nil {
		return err
	}
	w, err := d.find(r.WeddingID)
	if err != nil {
		return err
	}
	until := d.in.Lens.Day(r.Until)
	if !until.After(w.EndsAt) || until.Sub(w.EndsAt) > weddingday.MaxExtension || !until.After(now) {
		return models.Invalid("until", r.Until.Format(time.RFC3339), "must be in the future, after the booked end by at most 12 hours")
	}
	return nil
}

func (d *weddingDay) validEnd(r EndRequest) error {
	if err := validCommand(r.Actor, r.Reason); err != nil {
		return err
	}
	if r.WeddingID == "" {
		return nil
	}
	_, err := d.find(r.WeddingID)
	return err
}

// validRaise holds whoever is bounded to half more than the floor of now, or of the peak
// where none stands yet, for twelve hours.
func (d *weddingDay) validRaise(r RaiseRequest, now time.Time) error {
	if err := validCommand(r.Actor, r.Reason); err != nil {
		return err
	}
	if _, err := models.ParseServiceName("service", string(r.Service)); err != nil {
		return err
	}
	if len(d.state.Raises) >= mostRaises {
		return models.Invalid("replicas", r.Replicas, fmt.Sprintf("must wait: a day takes at most %d raises", mostRaises))
	}
	longest := raiseDay
	if r.Bounded {
		longest = raiseHours
	}
	if until := d.in.Lens.Day(r.Until); !until.After(now) || until.Sub(now) > longest {
		return models.Invalid("until", r.Until.Format(time.RFC3339), fmt.Sprintf("must be in the next %.0f hours", longest.Hours()))
	}
	if r.Replicas < 1 || r.Replicas > 100_000 {
		return models.Invalid("replicas", r.Replicas, "must be from 1 to 100000")
	}
	if !r.Bounded {
		return nil
	}
	if _, err := d.find(r.WeddingID); err != nil {
		return err
	}
	floor := weddingday.FloorOf(d.state.Floors, r.Service, now)
	if floor == 0 {
		for _, f := range d.state.Floors {
			if f.Service == r.Service {
				floor = max(floor, f.Replicas)
			}
		}
	}
	if most := int(math.Floor(float64(floor) * (1 + raiseShare))); r.Replicas > most {
		return models.Invalid("replicas", r.Replicas, fmt.Sprintf("must be at most %d, half more than the floor of %d; more needs scalability:scale_standard", most, floor))
	}
	return nil
}

// ref names the day for its activities.
func (d *weddingDay) ref() activities.DayRef {
	return activities.DayRef{Date: d.in.Date, Region: d.in.Region, Holder: WeddingDayID(d.in.Date, d.in.Region), Lens: d.in.Lens, Basis: d.in.Basis}
}

// aheadOf leaves out the floors that are over.
func (d *weddingDay) aheadOf(now time.Time) []models.DayFloor {
	return slices.DeleteFunc(slices.Clone(d.state.Floors), func(f models.DayFloor) bool { return !f.Until.After(now) || f.From.After(now.Add(time.Hour)) })
}

// row is the day as others see it: by the clock.
func (d *weddingDay) row() models.WeddingDay {
	s := &d.state
	r := models.WeddingDay{
		Date: d.in.Date, Region: d.in.Region, Phase: s.Phase, Text: s.Text, Weddings: d.view.Count, Guests: d.view.Guests,
		Windows: []models.TimeSpan{}, Thresholds: models.WeddingDayThresholds(), Floors: []models.DayFloor{}, Checks: append([]models.DayCheck{}, s.Checks...), Notes: append([]models.DayNote{}, s.Notes...),
	}
	for _, w := range d.view.Windows {
		r.Windows = append(r.Windows, models.TimeSpan{From: d.in.Lens.Clock(w.From), Until: d.in.Lens.Clock(w.Until)})
	}
	if n := len(r.Windows); n > 0 {
		r.StrictFrom, r.StrictTo = &r.Windows[0].From, &r.Windows[n-1].Until
	}
	for _, f := range s.Floors {
		f.From, f.Until = d.in.Lens.Clock(f.From), d.in.Lens.Clock(f.Until)
		r.Floors = append(r.Floors, f)
	}
	return r
}

// note remembers what happened; of many the newest.
func (d *weddingDay) note(now time.Time, level models.FlagLevel, text string) {
	s := &d.state
	s.Notes = append(s.Notes, models.DayNote{At: now, Level: level, Text: text})
	if n := len(s.Notes); n > mostNotes {
		s.Notes = slices.Clone(s.Notes[n-mostNotes:])
	}
	s.Changed = true
}

// once notes what holds for a while one time.
func (d *weddingDay) once(key string, now time.Time, level models.FlagLevel, text string) {
	if slices.Contains(d.state.Warned, key) {
		return
	}
	d.state.Warned = append(d.state.Warned, key)
	d.note(now, level, text)
}

func (d *weddingDay) forget(key string) {
	d.state.Warned = slices.DeleteFunc(d.state.Warned, func(k string) bool { return k == key })
}

// noteChanges says what the calendar has now that it had not, in a few sentences.
func (d *weddingDay) noteChanges(before, after []models.DayWedding, now time.Time) {
	if len(before) == 0 {
		return // the first look
	}
	for _, w := range after {
		i := slices.IndexFunc(before, func(o models.DayWedding) bool { return o.ID == w.ID })
		switch {
		case i < 0:
			d.note(now, models.FlagNotice, fmt.Sprintf("a wedding of %d guests at %s is new", w.Guests, dated(w.StartsAt)))
		case w.Cancelled && !before[i].Cancelled:
			d.note(now, models.FlagNotice, fmt.Sprintf("the wedding of %d guests at %s is cancelled", w.Guests, dated(w.StartsAt)))
		case !w.StartsAt.Equal(before[i].StartsAt):
			d.note(now, models.FlagNotice, fmt.Sprintf("the wedding of %d guests moves from %s to %s", w.Guests, dated(before[i].StartsAt), dated(w.StartsAt)))
		case w.Guests != before[i].Guests:
			d.note(now, models.FlagNotice, fmt.Sprintf("the wedding at %s has %d guests instead of %d", dated(w.StartsAt), w.Guests, before[i].Guests))
		}
	}
	for _, o := range before {
		if !slices.ContainsFunc(after, func(w models.DayWedding) bool { return w.ID == o.ID }) {
			d.note(now, models.FlagNotice, fmt.Sprintf("the wedding of %d guests at %s is on another day now", o.Guests, dated(o.StartsAt)))
		}
	}
}

// dated writes a time for people.
func dated(t time.Time) string { return t.UTC().Format("2 Jan 15:04 MST") }
