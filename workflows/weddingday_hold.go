package workflows

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/weddingday"
)

// hold makes the reservations those that are wanted now. What fails is tried at the next
// look; what stands goes on to its end.
func (d *weddingDay) hold(ctx workflow.Context) {
	s := &d.state
	s.Round++
	in := activities.HoldInput{Day: d.ref(), Weddings: d.weddings(), Others: s.Others, Turnout: s.Turnout, Needs: s.Readings, Raises: s.Raises, Round: s.Round}
	var held activities.Held
	if err := workflow.ExecuteActivity(d.patience(ctx, holdAttempt, holdBudget), dayKeeper.HoldDay, in).Get(ctx, &held); err != nil {
		if ctx.Err() == nil {
			s.Dirty = true
			d.once("hold", d.now(ctx), models.FlagPage, "the floors could not be reserved ("+cause(err)+"): those that stand go on, and it is tried again")
		}
		return
	}
	now := d.now(ctx)
	d.forget("hold")
	s.Dirty, s.HeldAt, s.Waves = false, now, held.WavesSeconds
	if !slices.Equal(s.Floors, held.Floors) {
		d.pageLate(s.Floors, held.Floors, now)
		s.Floors, s.Changed = held.Floors, true
	}
}

// pageLate tells of guests for whom a floor rose too late for waves.
func (d *weddingDay) pageLate(before, after []models.DayFloor, now time.Time) {
	for _, w := range weddingday.Late(d.weddings(), now, seconds(int(d.state.Waves))) {
		rose := slices.ContainsFunc(after, func(f models.DayFloor) bool {
			return f.Replicas > weddingday.FloorOf(before, f.Service, w.StartsAt) && !w.StartsAt.Before(f.From) && w.StartsAt.Before(f.Until)
		})
		if rose && w.StartsAt.After(now) {
			d.once("late/"+w.ID, now, models.FlagPage, fmt.Sprintf("%d guests come at %s: waves would not be done 20 min before, capacity is ordered in one", w.Guests, dated(w.StartsAt)))
		}
	}
}

// changeCheckOpen marks runs that go on with the check-list while a ceremony is ahead.
const changeCheckOpen = "check-list-while-open"

// checks says whether the check-list is of use: until the last guests of the day come. A
// day of many zones is open long before that, as is one that is booked late.
func (d *weddingDay) checks(ctx workflow.Context, now time.Time) bool {
	switch d.state.Phase {
	case models.WeddingDayChecklist, models.WeddingDayPreWarm:
		return true
	case models.WeddingDayOpen, models.WeddingDayDecay:
		ahead := slices.ContainsFunc(d.weddings(), func(w models.DayWedding) bool { return w.Counts() && w.StartsAt.After(now) })
		return ahead && workflow.GetVersion(ctx, changeCheckOpen, workflow.DefaultVersion, 1) == 1
	default:
		return false
	}
}

// check goes through the check-list each hour, with the floors that are not over.
func (d *weddingDay) check(ctx workflow.Context) {
	s, now := &d.state, d.now(ctx)
	if !s.CheckedAt.IsZero() && now.Sub(s.CheckedAt) < checkAgain || !d.checks(ctx, now) {
		return
	}
	in := activities.CheckDayInput{
		Day: d.ref(), Floors: slices.DeleteFunc(slices.Clone(s.Floors), func(f models.DayFloor) bool { return !f.Until.After(now) }), Guests: d.view.Guests, Phase: s.Phase, ReadAt: d.in.Lens.Clock(s.ReadAt),
		Window: models.TimeSpan{From: s.From, Until: d.view.Until},
	}
	var checks []models.DayCheck
	if err := workflow.ExecuteActivity(d.patience(ctx, surveyAttempt, surveyBudget), dayKeeper.CheckDay, in).Get(ctx, &checks); err != nil {
		return // it is due at the next look
	}
	s.CheckedAt = now
	for _, c := range checks {
		if c.Verdict == models.CheckFailed {
			d.once("check/"+c.Name, now, models.FlagWarning, c.Name+": "+c.Text+"; "+c.Remedy)
		} else {
			d.forget("check/" + c.Name)
		}
	}
	if !slices.Equal(s.Checks, checks) {
		s.Checks, s.Changed = checks, true
	}
}

// conclude ends the day: nothing stays reserved, whatever ended it.
func (d *weddingDay) conclude(ctx workflow.Context, outcome string) (models.DayReport, error) {
	cancelled := ctx.Err()
	if cancelled != nil {
		ctx, _ = workflow.NewDisconnectedContext(ctx)
	}
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
		return models.DayReport{}, err
	}
	d.state.Phase = models.WeddingDayDone
	in := activities.ConcludeInput{Day: d.ref(), Row: d.row(), Outcome: outcome, From: d.state.From}
	var r models.DayReport
	if err := workflow.ExecuteActivity(untilDone(ctx), dayKeeper.ConcludeDay, in).Get(ctx, &r); err != nil {
		return r, errors.Join(cancelled, err)
	}
	d.state.Text = r.Text
	if err := workflow.UpsertMemo(ctx, map[string]any{MemoSentence: r.Text}); err != nil {
		workflow.GetLogger(ctx).Warn("no memo", "error", err)
	}
	return r, cancelled
}
