package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"
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
	var late []models.DayWedding
	for _, w := range weddingday.Late(d.weddings(), now, seconds(int(d.state.Waves))) {
		rose := slices.ContainsFunc(after, func(f models.DayFloor) bool {
			return f.Replicas > weddingday.FloorOf(before, f.Service, w.StartsAt) && !w.StartsAt.Before(f.From) && w.StartsAt.Before(f.Until)
		})
		if key := "late/" + w.ID; rose && w.StartsAt.After(now) && !slices.Contains(d.state.Warned, key) {
			d.state.Warned, late = append(d.state.Warned, key), append(late, w)
		}
	}
	if len(late) > 0 {
		first := slices.MinFunc(late, func(a, b models.DayWedding) int { return a.StartsAt.Compare(b.StartsAt) })
		d.note(now, models.FlagPage, fmt.Sprintf("%s come from %s on: waves would not be done 20 min before, capacity is ordered in one", guestsOf(late), dated(first.StartsAt)))
	}
}

// changeDeadlineOnce marks runs that page once for all services that are short together.
const changeDeadlineOnce = "deadline-once"

// judgeDeadline keeps the rule that waves have finished 20 min before a ceremony. Who is
// called is called once, with all that is short, and again for what falls short later: a
// Saturday has many weddings, and there are nine services.
func (d *weddingDay) judgeDeadline(ctx workflow.Context, now time.Time) {
	var due []models.DayWedding
	for _, w := range d.weddings() {
		if w.Counts() && !now.After(w.StartsAt) && !now.Before(w.StartsAt.Add(-weddingday.Deadline)) {
			due = append(due, w)
		}
	}
	short := slices.DeleteFunc(slices.Clone(d.state.Readings), func(r models.DayReading) bool { return r.Floor == 0 || r.Ready >= r.Floor })
	if len(due) == 0 || len(short) == 0 {
		return
	}
	if workflow.GetVersion(ctx, changeDeadlineOnce, workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		d.pageEach(due, short, now)
		return
	}
	for _, r := range d.state.Readings {
		if !slices.ContainsFunc(short, func(o models.DayReading) bool { return o.Service == r.Service }) {
			d.forget("deadline/" + string(r.Service))
		}
	}
	var missing []string
	for _, r := range short {
		if key := "deadline/" + string(r.Service); !slices.Contains(d.state.Warned, key) {
			d.state.Warned = append(d.state.Warned, key)
			missing = append(missing, fmt.Sprintf("%d of %d replicas of %s", r.Ready, r.Floor, r.Service))
		}
	}
	if len(missing) > 0 {
		d.note(now, models.FlagPage, fmt.Sprintf("%s are ready less than 20 min before %s come", strings.Join(missing, ", "), guestsOf(due)))
	}
}

// pageEach is how runs of before go on.
func (d *weddingDay) pageEach(due []models.DayWedding, short []models.DayReading, now time.Time) {
	for _, w := range due {
		for _, r := range short {
			d.once("deadline/"+w.ID+"/"+string(r.Service), now, models.FlagPage,
				fmt.Sprintf("%d of %d replicas of %s are ready less than 20 min before %d guests come", r.Ready, r.Floor, r.Service, w.Guests))
		}
	}
}

// guestsOf counts those of some weddings, for people.
func guestsOf(list []models.DayWedding) string {
	n := 0
	for _, w := range list {
		n += w.Guests
	}
	if len(list) == 1 {
		return fmt.Sprintf("%d guests", n)
	}
	return fmt.Sprintf("%d guests of %d weddings", n, len(list))
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
