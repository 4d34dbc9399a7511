package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/season"
)

const (
	seasonContinueEvery = 60
	seasonApprovalWait  = 7 * 24 * time.Hour
	briefestWait        = time.Second
	planAttempt         = 2 * time.Minute
	planBudget          = 10 * time.Minute
	gateAttempt         = 3 * time.Hour
	gateBudget          = 8 * time.Hour
	gateHeartbeat       = time.Minute
	keepAttempt         = 30 * time.Second
	claimAttempt        = 2 * time.Minute
)

// seasonSteps is the version of the rules by which the next step is found.
const seasonSteps = "season/steps"

var seasons *activities.Seasons //nolint:gochecknoglobals // a typed reference, always nil

// SeasonPreparation plans a season, has a person agree, proves by gates that the plan can
// be met, reserves what each week needs, and follows the forecast until the season is over.
func SeasonPreparation(ctx workflow.Context, in SeasonInput) (SeasonState, error) {
	s := newPreparation(in)
	if err := s.setup(ctx); err != nil {
		return s.state, err
	}
	return s.run(ctx)
}

// preparation is the working state of SeasonPreparation.
type preparation struct {
	in     SeasonInput
	season models.Season
	state  SeasonState
	woken  bool // somebody spoke
	taken  int  // steps of this run
	told   string
}

func newPreparation(in SeasonInput) *preparation {
	s := &preparation{in: in, season: in.Season, state: in.State}
	if s.in.ContinueEvery <= 0 {
		s.in.ContinueEvery = seasonContinueEvery
	}
	if s.state.Phase != models.SeasonNew {
		return s
	}
	s.state.Phase, s.state.Author, s.state.Bounds = models.SeasonApproval, in.Season.RequestedBy, in.Season.Bounds
	s.state.Sentence = "The season's load is being forecast."
	for _, g := range models.GateNames() {
		s.state.Gates = append(s.state.Gates, models.SeasonGate{SeasonID: in.Season.ID, Gate: g, Due: season.Due(in.Season.From, g)})
	}
	s.state.Dirty = true
	return s
}

func (s *preparation) setup(ctx workflow.Context) error {
	if err := workflow.SetQueryHandler(ctx, QueryState, func() (SeasonState, error) { return s.state, nil }); err != nil {
		return err
	}
	if err := s.listen(ctx); err != nil {
		return err
	}
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var c CalendarChanged
			workflow.GetSignalChannel(ctx, SignalCalendarChanged).Receive(ctx, &c)
			s.calendarChanged(ctx)
		}
	})
	return nil
}

func (s *preparation) calendarChanged(ctx workflow.Context) {
	if s.state.Recalendar == nil {
		now := workflow.Now(ctx)
		s.state.Recalendar = &now
	}
	s.woken = true
}

// run goes from step to step. Everything that a step changes is in the state, so that a
// run may continue as new between any two of them.
func (s *preparation) run(ctx workflow.Context) (SeasonState, error) {
	for s.state.Outcome == models.SeasonOpen {
		s.record(ctx)
		if ctx.Err() != nil {
			break
		}
		if s.taken >= s.in.ContinueEvery && workflow.AllHandlersFinished(ctx) {
			return s.state, s.continueAsNew(ctx)
		}
		s.taken++
		s.state.Steps++
		s.step(ctx)
		if ctx.Err() != nil {
			break
		}
	}
	if ctx.Err() != nil {
		s.cancel(ctx)
	}
	after, release := workflow.NewDisconnectedContext(ctx)
	defer release()
	s.record(after)
	return s.state, ctx.Err()
}

// continueAsNew carries the state over, after the signals that arrived were heard.
func (s *preparation) continueAsNew(ctx workflow.Context) error {
	var c CalendarChanged
	for workflow.GetSignalChannel(ctx, SignalCalendarChanged).ReceiveAsync(&c) {
		s.calendarChanged(ctx)
	}
	next := s.in
	next.State = s.state
	return workflow.NewContinueAsNewError(ctx, SeasonPreparationType, next)
}

// step does what is next.
func (s *preparation) step(ctx workflow.Context) {
	workflow.GetVersion(ctx, seasonSteps, workflow.DefaultVersion, 1)
	switch next := season.Next(s.view(ctx)); next.Action {
	case season.Plan:
		s.plan(ctx)
	case season.Remind:
		s.remind(ctx)
	case season.Lapse:
		s.lapse(ctx)
	case season.Gate:
		s.gate(ctx, next.Gate)
	case season.Miss:
		s.miss(ctx, next.Gate)
	case season.Reserve:
		s.reserve(ctx)
	case season.WindDown:
		s.windDown(ctx)
	case season.Close:
		s.unapproved(ctx)
	case season.Wait:
		s.wait(ctx, next.At)
	}
	s.turn(ctx)
}

func (s *preparation) view(ctx workflow.Context) season.View {
	st := s.state
	return season.View{
		Now: workflow.Now(ctx), From: s.season.From, Until: s.season.Until, Version: st.Version, Approved: st.Approved,
		PlannedAt: st.PlannedAt, PlanFailed: st.PlanFailed, Recalendar: st.Recalendar, Replan: st.Replan, Ask: st.Ask,
		Gates: st.Gates, Reserve: st.Reserve, ReservedAt: st.ReservedAt,
	}
}

// turn keeps the phase in step with the calendar.
func (s *preparation) turn(ctx workflow.Context) {
	if s.state.Outcome != models.SeasonOpen || s.state.Approved == 0 {
		return
	}
	phase, now := models.SeasonPreparing, workflow.Now(ctx)
	switch {
	case !now.Before(s.season.Until):
		phase = models.SeasonWindDown
	case !now.Before(s.season.From):
		phase = models.SeasonRunning
	}
	if phase != s.state.Phase {
		s.state.Phase = phase
		s.say("%s", map[models.SeasonPhase]string{
			models.SeasonPreparing: "The plan is approved; the gates follow.",
			models.SeasonRunning:   "The season runs; its reservations follow the forecast.",
			models.SeasonWindDown:  "The season is over; it winds down.",
		}[phase])
	}
}

func (s *preparation) wait(ctx workflow.Context, until time.Time) {
	if s.woken {
		s.woken = false
		return
	}
	d := max(until.Sub(workflow.Now(ctx)), briefestWait)
	_, _ = workflow.AwaitWithTimeout(ctx, d, func() bool { return s.woken }) // a cancelled context is seen by run
	s.woken = false
}

// say changes the sentence that people read.
func (s *preparation) say(format string, args ...any) {
	s.state.Sentence, s.state.Dirty = fmt.Sprintf(format, args...), true
}

// record writes down what was not yet: the season's row, answers to plans, gates, the
// trail and the escalations. It is repeated until it is done.
func (s *preparation) record(ctx workflow.Context) {
	s.tell(ctx)
	if !s.state.Dirty {
		return
	}
	rec := s.state.Unrecorded
	rec.Season = s.row(ctx)
	s.state.Unrecorded, s.state.Dirty = activities.SeasonRecord{}, false
	err := workflow.ExecuteActivity(persistent(ctx, keepAttempt), seasons.KeepSeason, rec).Get(ctx, nil)
	switch {
	case err == nil:
		s.state.RecordError = ""
	case ctx.Err() != nil: // it is written down with what was said meanwhile
		s.state.Unrecorded, s.state.Dirty = rec.And(s.state.Unrecorded), true
	default: // refused for good
		s.state.RecordError = cause(err)
	}
}

// persistent repeats without end, with attempts of a length of their own.
func persistent(ctx workflow.Context, attempt time.Duration) workflow.Context {
	o := workflow.GetActivityOptions(untilDone(ctx))
	o.StartToCloseTimeout = attempt
	return workflow.WithActivityOptions(ctx, o)
}

func (s *preparation) row(ctx workflow.Context) models.Season {
	r, st := s.season, s.state
	r.Phase, r.Outcome, r.Sentence, r.Bounds, r.Report = st.Phase, st.Outcome, st.Sentence, st.Bounds, st.Report
	r.Approved, r.Effective, r.UpdatedAt = st.Approved, st.Effective, workflow.Now(ctx)
	if st.Ask != nil {
		r.Proposed = st.Ask.Version
	}
	return r
}

// tell shows the sentence and the severity in Temporal's own interface.
func (s *preparation) tell(ctx workflow.Context) {
	if s.told == s.state.Sentence || ctx.Err() != nil {
		return
	}
	s.told = s.state.Sentence
	outcome := OutcomeAttributeOpen
	if s.state.Outcome != models.SeasonOpen {
		outcome = string(s.state.Outcome)
	}
	if workflow.UpsertMemo(ctx, map[string]any{MemoSentence: s.state.Sentence}) != nil {
		return // a memo is for people: nothing depends on it
	}
	attributes := []temporal.SearchAttributeUpdate{SearchAttributeOutcome().ValueSet(outcome)}
	if sev := s.severity(); sev != "" {
		attributes = append(attributes, SearchAttributeSeverity().ValueSet(sev))
	}
	_ = workflow.UpsertTypedSearchAttributes(ctx, attributes...) // as the memo
}

// severity is how ill the preparation stands.
func (s *preparation) severity() string {
	worst := ""
	if a := s.state.Ask; a != nil && a.Lapsed || s.state.Deficits > 0 || s.state.PlanFailed {
		worst = activities.SeverityWarning
	}
	for _, g := range s.state.Gates {
		if g.Status == models.GateFailed || g.Status == models.GateMissed {
			worst = activities.SeverityCritical
		}
	}
	return worst
}

// escalate has people hear of something.
func (s *preparation) escalate(ctx workflow.Context, severity, what, text string, remedies []string) {
	s.state.Escalations++
	s.state.Dirty = true
	s.state.Unrecorded.Escalations = append(s.state.Unrecorded.Escalations, models.SeasonEscalation{
		SeasonID: s.season.ID, At: workflow.Now(ctx), Severity: severity, What: what, Text: text, Remedies: remedies,
		ID: fmt.Sprintf("%s/%d", s.season.ID, s.state.Escalations),
	})
}

// cancel releases every reservation; cancellation does not stop that.
func (s *preparation) cancel(ctx workflow.Context) {
	after, release := workflow.NewDisconnectedContext(ctx)
	defer release()
	n := s.release(after)
	s.state.Outcome, s.state.Phase, s.state.Ask = models.SeasonCancelled, models.SeasonDone, nil
	s.say("The preparation was cancelled; %d reservations were released.", n)
}

func (s *preparation) release(ctx workflow.Context) int {
	var res activities.SeasonClaimsResult
	in := activities.SeasonClaimsInput{Season: s.season}
	if err := workflow.ExecuteActivity(persistent(ctx, claimAttempt), seasons.ReleaseSeason, in).Get(ctx, &res); err != nil {
		s.escalate(ctx, activities.SeverityCritical, "release", "the season's reservations could not be released: "+cause(err),
			[]string{"end them with DELETE /api/scalability/reservations/{id}"})
	}
	s.state.Released += res.Ended
	s.state.Standing = 0
	return res.Ended
}

// unapproved ends a season that nobody agreed to.
func (s *preparation) unapproved(workflow.Context) {
	s.state.Outcome, s.state.Phase, s.state.Ask = models.SeasonExpired, models.SeasonDone, nil
	s.say("The season ended before anybody agreed to its plan; nothing was reserved for it.")
}

// windDown releases what is left and says what came of the season.
func (s *preparation) windDown(ctx workflow.Context) {
	s.release(ctx)
	in := activities.SeasonReportInput{Season: s.season, Approved: s.state.Approved, Effective: s.state.Effective, Report: models.SeasonReport{
		Amendments: s.state.Amendments, Reservations: s.state.Placed, Released: s.state.Released, Gates: s.state.Gates,
		Escalations: s.state.Escalations, ApprovedBy: s.state.ApprovedBy, ApprovalsLate: s.state.ApprovalsLate,
	}}
	report := in.Report
	err := workflow.ExecuteActivity(within(ctx, planAttempt, planBudget), seasons.ReportSeason, in).Get(ctx, &report)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		report.Text = "what was used could not be read: " + cause(err)
	}
	s.state.Report, s.state.Ask = &report, nil
	s.state.Outcome, s.state.Phase = models.SeasonCompleted, models.SeasonDone
	s.say("The season is over: %s", report.Text)
}
