package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/season"
)

// plan forecasts, and takes up what the activity made of it.
func (s *preparation) plan(ctx workflow.Context) {
	forced, proposed := s.state.Replan, 0
	if s.state.Ask != nil {
		proposed = s.state.Ask.Version
	}
	in := activities.PlanSeasonInput{
		Season: s.season, Version: s.state.Version + 1, Approved: s.state.Approved, Effective: s.state.Effective, Proposed: proposed,
		Declined: s.state.Declined, Edits: s.state.Edits, Bounds: s.state.Bounds, Forced: forced,
	}
	s.state.PlannedAt, s.state.Recalendar, s.state.Replan = workflow.Now(ctx), nil, false
	var res activities.PlanSeasonResult
	err := workflow.ExecuteActivity(within(ctx, planAttempt, planBudget), seasons.PlanSeason, in).Get(ctx, &res)
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		s.unplanned(ctx, cause(err), forced)
		return
	}
	s.state.PlanFailed, s.state.PlanError = false, ""
	if res.Verdict != activities.PlanUnchanged {
		s.state.Version, s.state.Cost = in.Version, res.Cost
		if res.Deficits > s.state.Deficits {
			s.escalate(ctx, activities.SeverityWarning, "deficit", fmt.Sprintf("the plan has %d deficits: %s", res.Deficits, res.Text), res.Remedies)
		}
		s.state.Deficits = res.Deficits
	}
	switch res.Verdict {
	case activities.PlanAsks:
		if !forced && s.state.Approved > 0 {
			s.state.Author = activities.PlatformActor
		}
		now := workflow.Now(ctx)
		s.state.Ask = &season.Ask{Version: in.Version, AskedAt: now, ExpiresAt: now.Add(s.approvalWait())}
		s.state.Reserve = s.state.Approved > 0
		s.say("Plan %d waits for a person until %s: %s", in.Version, date(s.state.Ask.ExpiresAt), res.Sentence)
	case activities.PlanAmends:
		s.state.Effective, s.state.Ask, s.state.Reserve = in.Version, nil, true
		s.state.Agreed = slices.Clone(in.Edits)
		s.state.Amendments++
		s.note(ctx, "season.plan.amended", activities.PlatformActor, res.Sentence, in.Version)
		s.say("Plan %d is in effect, within the bounds of the approved plan %d: %s", in.Version, s.state.Approved, res.Sentence)
	case activities.PlanUnchanged:
		if res.Withdrawn {
			s.state.Ask, s.state.Reserve = nil, true
			s.say("The plan that waited is no longer needed: the forecast came back to the plan in effect.")
		}
	}
}

// unplanned bears a forecast that failed: it is tried again soon, and told of once.
func (s *preparation) unplanned(ctx workflow.Context, why string, forced bool) {
	if !s.state.PlanFailed {
		s.escalate(ctx, activities.SeverityWarning, "forecast", "the season's load could not be forecast: "+why,
			[]string{"look at the predictor's health", "it is tried again each hour; the plan in effect stays"})
		s.say("The season's load could not be forecast; it is tried again each hour.")
	}
	s.state.PlanFailed, s.state.PlanError, s.state.Replan = true, why, false
	if forced {
		s.state.Recalendar = nil
	}
}

func (s *preparation) approvalWait() time.Duration {
	if s.in.ApprovalSeconds > 0 {
		return seconds(s.in.ApprovalSeconds)
	}
	return seasonApprovalWait
}

func (s *preparation) remind(ctx workflow.Context) {
	a := s.state.Ask
	a.Reminders++
	s.escalate(ctx, activities.SeverityWarning, "reminder", fmt.Sprintf("reminder %d: plan %d waits for a person until %s", a.Reminders, a.Version, date(a.ExpiresAt)),
		[]string{"wedsync season approve " + s.season.ID, "wedsync season reject " + s.season.ID})
	s.say("Plan %d waits for a person until %s; reminder %d was sent.", a.Version, date(a.ExpiresAt), a.Reminders)
}

// lapse says that nobody answered in time. The plan can still be agreed to; until then
// nothing of it is reserved.
func (s *preparation) lapse(ctx workflow.Context) {
	a := s.state.Ask
	a.Lapsed = true
	severity, text := activities.SeverityCritical, fmt.Sprintf("nobody agreed to plan %d in time: no gate runs and nothing is reserved until somebody does", a.Version)
	if s.state.Approved > 0 {
		severity, text = activities.SeverityWarning, fmt.Sprintf("nobody agreed to plan %d in time: it is followed as far as the bounds of plan %d reach", a.Version, s.state.Approved)
	}
	s.escalate(ctx, severity, "approval", text, []string{"wedsync season approve " + s.season.ID + ": what was missed is caught up as far as there is time"})
	s.say("%s%s.", "Late: ", text)
}

// gate runs one and keeps what came of it. A person who skipped it meanwhile is right.
func (s *preparation) gate(ctx workflow.Context, name models.GateName) {
	g := s.find(name)
	s.say("Gate %s runs.", name)
	s.tell(ctx)
	in := activities.RunGateInput{Season: s.season, Gate: name, Plan: s.state.Effective, Attempt: g.Attempts + 1, Due: g.Due}
	if f := s.find(models.GateFreeze); f.Status == models.GatePassed {
		in.FrozenAt = f.FinishedAt
	}
	options := within(ctx, gateAttempt, gateBudget)
	o := workflow.GetActivityOptions(options)
	o.HeartbeatTimeout, o.WaitForCancellation = gateHeartbeat, true
	var res models.SeasonGate
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, o), seasons.RunGate, in).Get(ctx, &res)
	if ctx.Err() != nil {
		return
	}
	if g = s.find(name); g.Status == models.GateSkipped {
		return
	}
	if err != nil {
		res = models.SeasonGate{Status: models.GateFailed, Text: "it could not be carried out: " + cause(err), Remedies: []string{"look at the run's history, then wait for the next attempt or skip it"}}
	}
	first := g.Status == models.GateWaiting
	res.SeasonID, res.Gate, res.Due, res.Attempts, res.FinishedAt = s.season.ID, name, g.Due, in.Attempt, workflow.Now(ctx)
	s.keep(res)
	if res.Status == models.GateFailed && first {
		s.escalate(ctx, activities.SeverityCritical, "gate "+string(name), res.Text, append(slices.Clone(res.Remedies), s.skipHint(name)))
	}
	s.say("Gate %s %s: %s", name, res.Status, res.Text)
}

func (s *preparation) skipHint(name models.GateName) string {
	return fmt.Sprintf("wedsync season skip-gate %s %s --reason …, when it may be left out", s.season.ID, name)
}

// miss gives a gate up that there is no time for.
func (s *preparation) miss(ctx workflow.Context, name models.GateName) {
	g := *s.find(name)
	tried := "it was never run"
	if g.Attempts > 0 {
		tried = fmt.Sprintf("it failed %d times, the last time: %s", g.Attempts, g.Text)
	}
	g.Status, g.FinishedAt = models.GateMissed, workflow.Now(ctx)
	g.Text = fmt.Sprintf("%s, and the season begins too soon for it to be of use", tried)
	s.keep(g)
	s.escalate(ctx, activities.SeverityCritical, "gate "+string(name), fmt.Sprintf("gate %s is missed: %s", name, g.Text),
		[]string{"raise the floors of the first weeks with amend_plan, since less is proven", "have somebody on call for the first weekend"})
	s.say("Gate %s is missed: %s.", name, g.Text)
}

func (s *preparation) find(name models.GateName) *models.SeasonGate {
	i := slices.IndexFunc(s.state.Gates, func(g models.SeasonGate) bool { return g.Gate == name })
	if i < 0 {
		return &models.SeasonGate{Gate: name}
	}
	return &s.state.Gates[i]
}

// keep puts a gate's result into the state, without what would make it grow, and has it
// recorded with all of it.
func (s *preparation) keep(g models.SeasonGate) {
	s.state.Unrecorded.Gates = append(s.state.Unrecorded.Gates, g)
	s.state.Dirty = true
	g.Findings, g.Remedies = nil, nil
	*s.find(g.Gate) = g
}

// reserve brings the reservations to the plan in effect.
func (s *preparation) reserve(ctx workflow.Context) {
	s.state.Reserve, s.state.ReservedAt = false, workflow.Now(ctx)
	in := activities.SeasonClaimsInput{Season: s.season, Approved: s.state.Approved, Effective: s.state.Effective, Bounds: s.state.Bounds}
	if s.state.Ask != nil {
		in.Proposed = s.state.Ask.Version
	}
	var res activities.SeasonClaimsResult
	err := workflow.ExecuteActivity(within(ctx, claimAttempt, time.Hour), seasons.StepSeason, in).Get(ctx, &res)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		s.escalate(ctx, activities.SeverityCritical, "reservations", "the season's reservations could not be placed: "+cause(err),
			[]string{"they are tried again tomorrow, or as soon as the plan changes", "place floors by hand with POST /api/scalability/reservations"})
		return
	}
	s.state.Placed += res.Placed
	s.state.Released += res.Ended
	s.state.Standing = res.Standing
	if res.Placed+res.Ended > 0 {
		s.say("%d reservations stand (%d placed, %d released).", res.Standing, res.Placed, res.Ended)
	}
}

func date(t time.Time) string { return t.UTC().Format("2 Jan 15:04 MST") }
