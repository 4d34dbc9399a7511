package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/weddingday"
)

const (
	defaultLooks  = 200             // per run
	mostNotes     = 40              // that a day remembers
	holdAgain     = time.Hour       // a plan is made anew at least, from the check-list on
	checkAgain    = time.Hour       // the check-list is gone through again
	oldCalendar   = 6 * time.Hour   // without a look into the calendar that is worth a note
	hurried       = 3 * time.Second // an attempt on a day that passes faster than it is
	surveyAttempt = 20 * time.Second
	surveyBudget  = time.Minute
	holdAttempt   = 30 * time.Second
	holdBudget    = 2 * time.Minute
)

// Outcomes of a day.
const (
	dayCompleted = "completed"
	dayCancelled = "cancelled"
	dayEmpty     = "empty" // nobody comes
)

// WeddingDayState is what a day carries from run to run, and what it answers to the state
// query. Times are the day's own.
type WeddingDayState struct {
	Phase       models.WeddingDayPhase `json:"phase"`
	Text        string                 `json:"text"`
	Iteration   int64                  `json:"iteration"`
	Weddings    []models.DayWedding    `json:"weddings,omitempty"` // as the calendar has them
	Others      []models.DayWedding    `json:"others,omitempty"`   // of other days, there at the same time
	Fingerprint string                 `json:"fingerprint,omitempty"`
	ReadAt      time.Time              `json:"readAt"` // of the calendar
	Edits       []DayEdit              `json:"edits,omitempty"`
	Raises      []activities.DayRaise  `json:"raises,omitempty"`
	Turnout     []weddingday.Turnout   `json:"turnout,omitempty"`
	Readings    []models.DayReading    `json:"readings,omitempty"`
	Floors      []models.DayFloor      `json:"floors,omitempty"`
	HeldAt      time.Time              `json:"heldAt"`
	Round       int64                  `json:"round"`
	Waves       float64                `json:"wavesSeconds"`
	Checks      []models.DayCheck      `json:"checks,omitempty"`
	CheckedAt   time.Time              `json:"checkedAt"`
	Notes       []models.DayNote       `json:"notes,omitempty"`
	Warned      []string               `json:"warned,omitempty"`  // what was noted and is not to be again
	Dirty       bool                   `json:"dirty,omitempty"`   // the floors are to be made anew
	Changed     bool                   `json:"changed,omitempty"` // the row is to be written
	Told        string                 `json:"told,omitempty"`
	StaleSince  *time.Time             `json:"staleSince,omitempty"` // the calendar could not be read since
	From        time.Time              `json:"from"`                 // of the first floor
}

// DayEdit is what a person changed of a wedding on its day.
type DayEdit struct {
	WeddingID  string     `json:"weddingId"`
	ExtendedTo *time.Time `json:"extendedTo,omitempty"`
	EndedAt    *time.Time `json:"endedAt,omitempty"`
}

// WeddingDay keeps capacity ready for the guests of one date: check-list, pre-warm, floors
// and strict thresholds while they are there, decay, cool-down, report.
func WeddingDay(ctx workflow.Context, in WeddingDayInput) (models.DayReport, error) {
	d := &weddingDay{in: in, state: in.State}
	if err := d.setup(ctx); err != nil {
		return models.DayReport{}, err
	}
	return d.run(ctx)
}

type weddingDay struct {
	in    WeddingDayInput
	state WeddingDayState
	view  weddingday.View
	wake  bool

	added, moved, cancelled workflow.ReceiveChannel
}

func (d *weddingDay) setup(ctx workflow.Context) error {
	if _, err := time.Parse(time.DateOnly, d.in.Date); err != nil {
		bad := models.Invalid("date", d.in.Date, "must be a date as in 2027-06-12")
		return temporal.NewNonRetryableApplicationError(bad.Error(), string(models.KindInvalid), nil)
	}
	d.added = workflow.GetSignalChannel(ctx, SignalWeddingAdded)
	d.moved = workflow.GetSignalChannel(ctx, SignalWeddingMoved)
	d.cancelled = workflow.GetSignalChannel(ctx, SignalWeddingCancelled)
	if _, ok := workflow.GetTypedSearchAttributes(ctx).GetKeyword(SearchAttributeWeddingDate()); !ok {
		if err := workflow.UpsertTypedSearchAttributes(ctx, SearchAttributeWeddingDate().ValueSet(d.in.Date)); err != nil {
			return err
		}
	}
	if err := workflow.SetQueryHandler(ctx, QueryState, func() (WeddingDayState, error) { return d.state, nil }); err != nil {
		return err
	}
	return d.handleUpdates(ctx)
}

// run is the day. A cancel releases what was reserved before it ends.
func (d *weddingDay) run(ctx workflow.Context) (models.DayReport, error) {
	for n := 1; ; n++ {
		d.look(ctx)
		switch {
		case ctx.Err() != nil:
			return d.conclude(ctx, dayCancelled)
		case d.state.Phase == models.WeddingDayDone && !d.state.ReadAt.IsZero():
			return d.conclude(ctx, d.ending())
		}
		if err := d.await(ctx); err != nil {
			return d.conclude(ctx, dayCancelled)
		}
		if n >= d.continueEvery() || workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return models.DayReport{}, d.continueAsNew(ctx)
		}
	}
}

func (d *weddingDay) ending() string {
	if d.view.Count == 0 {
		return dayEmpty
	}
	return dayCompleted
}

// now is the time of the day.
func (d *weddingDay) now(ctx workflow.Context) time.Time { return d.in.Lens.Day(workflow.Now(ctx)) }

// look is one turn: read, judge, check, hold, tell.
func (d *weddingDay) look(ctx workflow.Context) {
	d.state.Iteration++
	d.drain(ctx)
	d.survey(ctx)
	if ctx.Err() != nil {
		return
	}
	d.judge(d.now(ctx))
	if d.state.Phase != models.WeddingDayAhead && d.state.Phase != models.WeddingDayDone {
		if d.state.Dirty || d.now(ctx).Sub(d.state.HeldAt) >= holdAgain {
			d.hold(ctx)
		}
		d.check(ctx)
		d.judgeDeadline(ctx, d.now(ctx))
	}
	d.publish(ctx)
}

// survey reads the calendar, and from the pre-warm on the services. While it cannot be
// read the last copy counts.
func (d *weddingDay) survey(ctx workflow.Context) {
	s := &d.state
	measure := slices.Contains([]models.WeddingDayPhase{models.WeddingDayPreWarm, models.WeddingDayOpen, models.WeddingDayDecay, models.WeddingDayCoolDown}, s.Phase)
	in := activities.SurveyInput{
		Day: d.ref(), Seen: s.Fingerprint, Measure: measure,
	}
	if measure {
		in.Weddings, in.Others, in.Floors, in.Turnout = d.weddings(), s.Others, d.aheadOf(d.now(ctx)), s.Turnout
	}
	var got activities.Survey
	err := workflow.ExecuteActivity(d.patience(ctx, surveyAttempt, surveyBudget), dayKeeper.SurveyDay, in).Get(ctx, &got)
	now := d.now(ctx)
	if err != nil {
		d.unread(ctx, now, err)
		return
	}
	s.StaleSince, s.ReadAt = nil, now
	d.forget("calendar")
	if got.Fingerprint != s.Fingerprint {
		d.noteChanges(s.Weddings, got.Weddings, now)
		s.Fingerprint, s.Weddings, s.Others, s.Dirty, s.Changed = got.Fingerprint, got.Weddings, got.Others, true, true
	}
	s.Readings = got.Readings
	d.follow(got, now)
}

// patience gives attempts within a budget; a day that passes fast has little of it.
func (d *weddingDay) patience(ctx workflow.Context, attempt, budget time.Duration) workflow.Context {
	if d.in.Lens.Factor != 0 {
		attempt, budget = hurried, 3*hurried
	}
	return within(ctx, attempt, budget)
}

func (d *weddingDay) unread(ctx workflow.Context, now time.Time, err error) {
	if ctx.Err() != nil {
		return
	}
	s := &d.state
	if s.StaleSince == nil {
		s.StaleSince = &now
	}
	if now.Sub(*s.StaleSince) >= oldCalendar {
		d.once("calendar", now, models.FlagWarning, "the calendar cannot be read since "+dated(*s.StaleSince)+" ("+cause(err)+"): its last copy counts")
	}
}

// follow lets the floors follow the guests who come.
func (d *weddingDay) follow(got activities.Survey, now time.Time) {
	s := &d.state
	for i, r := range got.Readings {
		j := slices.IndexFunc(s.Turnout, func(t weddingday.Turnout) bool { return t.Service == r.Service })
		if j < 0 {
			s.Turnout = append(s.Turnout, weddingday.Turnout{Service: r.Service, Share: 1})
			j = len(s.Turnout) - 1
		}
		next, why := weddingday.Follow(s.Turnout[j], r, got.Bases[i], now)
		s.Dirty = s.Dirty || next.Share != s.Turnout[j].Share
		s.Turnout[j] = next
		if why != "" {
			d.note(now, models.FlagNotice, why)
		}
	}
}

// judge says where the day stands.
func (d *weddingDay) judge(now time.Time) {
	s := &d.state
	d.view = weddingday.Look(d.weddings(), now)
	phase, text := d.view.Phase, d.view.Text
	if s.ReadAt.IsZero() {
		phase, text = models.WeddingDayAhead, "the calendar was not read yet"
	}
	if phase == models.WeddingDayOpen && weddingday.Reduced(s.Turnout) {
		phase, text = models.WeddingDayDecay, text+", and fewer have come than were planned for"
	}
	if phase != s.Phase {
		d.note(now, models.FlagNotice, fmt.Sprintf("%s: %s", phase, text))
		s.Dirty = s.Dirty || phase == models.WeddingDayChecklist || phase == models.WeddingDayPreWarm
	}
	if phase != s.Phase || text != s.Text {
		s.Phase, s.Text, s.Changed = phase, text, true
	}
	if s.From.IsZero() && !d.view.First.IsZero() || d.view.First.Before(s.From) && !d.view.First.IsZero() {
		s.From = d.view.First.Add(-weddingday.Slack - weddingday.NodesAhead)
	}
}

// publish keeps the day where others look, when something of it changed.
func (d *weddingDay) publish(ctx workflow.Context) {
	if !d.state.Changed {
		return
	}
	if err := workflow.ExecuteActivity(d.patience(ctx, recordAttempt, recordBudget), dayKeeper.PublishDay, d.row()).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Warn("the day could not be kept", "date", d.in.Date, "error", err)
		return
	}
	d.state.Changed = false
	if told := string(d.state.Phase) + ": " + d.state.Text; told != d.state.Told {
		d.state.Told = told
		if err := workflow.UpsertMemo(ctx, map[string]any{MemoSentence: d.state.Text}); err != nil {
			workflow.GetLogger(ctx).Warn("no memo", "error", err)
		}
	}
}

// await sleeps until the next look is due or something happens.
func (d *weddingDay) await(ctx workflow.Context) error {
	now := d.now(ctx)
	at := d.view.NextAt
	if d.state.ReadAt.IsZero() || d.state.Dirty {
		at = now.Add(time.Minute) // what failed is tried again
	}
	wait := max(d.in.Lens.Span(at.Sub(now)), leastWait)
	_, err := workflow.AwaitWithTimeout(ctx, wait, func() bool {
		return d.wake || d.added.Len()+d.moved.Len()+d.cancelled.Len() > 0
	})
	d.wake = false
	return err
}

// leastWait keeps a day that passes fast from spinning.
const leastWait = 500 * time.Millisecond

// drain takes signals: each means that the calendar is to be looked at.
func (d *weddingDay) drain(ctx workflow.Context) {
	for _, c := range []struct {
		ch   workflow.ReceiveChannel
		what string
	}{{d.added, "added"}, {d.moved, "changed"}, {d.cancelled, "cancelled"}} {
		for {
			var m WeddingChanged
			if !c.ch.ReceiveAsync(&m) {
				break
			}
			text := fmt.Sprintf("wedding %s was %s by %s", m.WeddingID, c.what, m.Actor)
			if m.Text != "" {
				text += " (" + m.Text + ")"
			}
			d.note(d.now(ctx), models.FlagNotice, text)
		}
	}
}

func (d *weddingDay) continueEvery() int {
	if d.in.ContinueEvery > 0 {
		return d.in.ContinueEvery
	}
	return defaultLooks
}

func (d *weddingDay) continueAsNew(ctx workflow.Context) error {
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
		return err
	}
	d.drain(ctx)
	next := d.in
	next.State = d.state
	return workflow.NewContinueAsNewError(ctx, WeddingDayType, next)
}
