package workflows

import (
	"fmt"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
)

// maxEdits bounds what people may change of one plan by hand.
const maxEdits = 50

// listen takes what people say. What cannot count is refused before it does.
func (s *preparation) listen(ctx workflow.Context) error {
	answers := func(check func(PlanAnswerRequest) error) workflow.UpdateHandlerOptions {
		return workflow.UpdateHandlerOptions{Validator: func(_ workflow.Context, r PlanAnswerRequest) error { return rejected(check(r)) }}
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, UpdateApprove, s.approve, answers(s.mayApprove)); err != nil {
		return err
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, UpdateReject, s.reject, answers(s.mayAnswer)); err != nil {
		return err
	}
	err := workflow.SetUpdateHandlerWithOptions(ctx, UpdateAmendPlan, s.amend, workflow.UpdateHandlerOptions{
		Validator: func(_ workflow.Context, r PlanAmendRequest) error { return rejected(s.mayAmend(r)) },
	})
	if err != nil {
		return err
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, UpdateSkipGate, s.skip, workflow.UpdateHandlerOptions{
		Validator: func(_ workflow.Context, r GateSkipRequest) error { return rejected(s.maySkip(r)) },
	})
}

func (s *preparation) mayAnswer(r PlanAnswerRequest) error {
	a := s.state.Ask
	switch {
	case a == nil || s.state.Outcome != models.SeasonOpen:
		return &models.Error{Kind: models.KindConflict, Field: "version", Value: fmt.Sprint(r.Version), Rule: "no plan of this season waits for approval"}
	case r.Version != 0 && r.Version != a.Version:
		return &models.Error{Kind: models.KindConflict, Field: "version", Value: fmt.Sprint(r.Version), Rule: fmt.Sprintf("is not the plan that waits: that is %d", a.Version)}
	}
	return validCommand(r.Actor, r.Reason)
}

// mayApprove keeps the one who asked from agreeing.
func (s *preparation) mayApprove(r PlanAnswerRequest) error {
	if err := s.mayAnswer(r); err != nil {
		return err
	}
	if r.Actor == s.state.Author {
		return models.Invalid("actor", r.Actor, "must be somebody else than who asked for the plan")
	}
	return nil
}

func (s *preparation) approve(ctx workflow.Context, r PlanAnswerRequest) (models.SeasonAnswer, error) {
	a := s.state.Ask
	late := ""
	if a.Lapsed {
		s.state.ApprovalsLate++
		late = "; it is late: what was missed is caught up as far as there is time"
	}
	s.state.Approved, s.state.Effective, s.state.Declined, s.state.Ask = a.Version, a.Version, 0, nil
	s.state.ApprovedBy, s.state.Reserve, s.woken = r.Actor, true, true
	s.state.Agreed = slices.Clone(s.state.Edits)
	s.settle(ctx, a.Version, models.PlanApproved, r)
	s.say("%s agreed to plan %d: %s%s.", r.Actor, a.Version, r.Reason, late)
	return s.answer(), nil
}

// reject ends a season whose first plan it is; of a later one the plan in effect stays.
func (s *preparation) reject(ctx workflow.Context, r PlanAnswerRequest) (models.SeasonAnswer, error) {
	v := s.state.Ask.Version
	s.state.Ask, s.woken = nil, true
	s.settle(ctx, v, models.PlanRejected, r)
	if s.state.Approved == 0 {
		s.state.Outcome, s.state.Phase = models.SeasonRejected, models.SeasonDone
		s.say("%s said no to plan %d: %s. Nothing is reserved for the season.", r.Actor, v, r.Reason)
		return s.answer(), nil
	}
	s.state.Declined, s.state.Reserve, s.state.Edits = v, true, slices.Clone(s.state.Agreed)
	s.say("%s said no to plan %d: %s. Plan %d stays in effect.", r.Actor, v, r.Reason, s.state.Effective)
	return s.answer(), nil
}

func (s *preparation) mayAmend(r PlanAmendRequest) error {
	if err := s.open(); err != nil {
		return err
	}
	if err := validCommand(r.Actor, r.Reason); err != nil {
		return err
	}
	if len(r.Edits) == 0 && r.Bounds == nil {
		return models.Invalid("edits", "", "or bounds are required")
	}
	if n := len(s.state.Edits) + len(r.Edits); n > maxEdits {
		return models.Invalid("edits", len(r.Edits), fmt.Sprintf("must leave the plan with at most %d edits", maxEdits))
	}
	for i, e := range r.Edits {
		if err := e.Validate(); err != nil {
			return models.Invalid(fmt.Sprintf("edits[%d]", i), e.Service, err.Error())
		}
	}
	if r.Bounds == nil {
		return nil
	}
	if s.state.Approved > 0 {
		return models.Invalid("bounds", r.Bounds.ReplicaShare, "may be changed until the first plan is approved: they are part of what was agreed to")
	}
	return r.Bounds.Validate()
}

// amend takes figures of a person into the plan, which is made anew: within the bounds it
// is in effect at once, beyond them somebody else has to agree.
func (s *preparation) amend(ctx workflow.Context, r PlanAmendRequest) (models.SeasonAnswer, error) {
	for _, e := range r.Edits {
		e.Actor, e.Reason = r.Actor, r.Reason
		s.state.Edits = append(slices.DeleteFunc(s.state.Edits, func(o models.SeasonEdit) bool { return sameWeek(o, e) }), e)
	}
	if r.Bounds != nil {
		s.state.Bounds = *r.Bounds
	}
	s.state.Author, s.state.Replan, s.woken = r.Actor, true, true
	s.note(ctx, "season.plan.amend", r.Actor, r.Reason, s.state.Effective)
	s.say("%s changes the plan: %s.", r.Actor, r.Reason)
	return s.answer(), nil
}

func sameWeek(a, b models.SeasonEdit) bool {
	if a.Service != b.Service || (a.Week == nil) != (b.Week == nil) {
		return false
	}
	return a.Week == nil || a.Week.Equal(*b.Week)
}

func (s *preparation) maySkip(r GateSkipRequest) error {
	if err := s.open(); err != nil {
		return err
	}
	if _, err := models.ParseGateName("gate", string(r.Gate)); err != nil {
		return err
	}
	if g := s.find(r.Gate); g.Status != models.GateWaiting && g.Status != models.GateFailed {
		return &models.Error{Kind: models.KindConflict, Field: "gate", Value: string(r.Gate), Rule: "is " + string(g.Status) + " already"}
	}
	return validCommand(r.Actor, r.Reason)
}

func (s *preparation) skip(ctx workflow.Context, r GateSkipRequest) (models.SeasonAnswer, error) {
	g := *s.find(r.Gate)
	g.Status, g.FinishedAt, g.Actor, g.Reason = models.GateSkipped, workflow.Now(ctx), r.Actor, r.Reason
	g.Text = "skipped by " + r.Actor + ": " + r.Reason
	s.keep(g)
	s.woken = true
	s.note(ctx, "season.gate.skip", r.Actor, string(r.Gate)+": "+r.Reason, s.state.Effective)
	s.say("%s skips gate %s: %s.", r.Actor, r.Gate, r.Reason)
	return s.answer(), nil
}

func (s *preparation) open() error {
	if s.state.Outcome != models.SeasonOpen {
		return &models.Error{Kind: models.KindConflict, Field: "id", Value: s.season.ID, Rule: "this season's preparation is over"}
	}
	return nil
}

func (s *preparation) answer() models.SeasonAnswer {
	return models.SeasonAnswer{SeasonID: s.season.ID, Phase: s.state.Phase, Text: s.state.Sentence}
}

// settle has a plan's end recorded, with who said what.
func (s *preparation) settle(ctx workflow.Context, version int, status models.PlanStatus, r PlanAnswerRequest) {
	now := workflow.Now(ctx)
	s.state.Unrecorded.Settled = append(s.state.Unrecorded.Settled, activities.PlanSettlement{
		Version: version, Status: status, Actor: r.Actor, Reason: r.Reason, At: now,
	})
	s.note(ctx, "season.plan."+string(status), r.Actor, r.Reason, version)
}

// note puts an act into the trail.
func (s *preparation) note(ctx workflow.Context, action, actor, reason string, version int) {
	s.state.Dirty = true
	s.state.Unrecorded.Acts = append(s.state.Unrecorded.Acts, activities.SeasonAct{
		Action: action, Actor: actor, Reason: reason, Version: version, At: workflow.Now(ctx), Step: s.state.Steps,
	})
}

// seasonChild starts a season of its own, once: one that was cancelled stays so.
func seasonChild(s models.Season) workflow.ChildWorkflowOptions {
	return workflow.ChildWorkflowOptions{
		WorkflowID: SeasonID(s.ID), ParentClosePolicy: enumspb.PARENT_CLOSE_POLICY_ABANDON,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		Memo:                  map[string]any{MemoSentence: "The season's preparation begins."},
		TypedSearchAttributes: temporal.NewSearchAttributes(SearchAttributeOutcome().ValueSet(OutcomeAttributeOpen)),
	}
}

// SeasonDue starts the preparation of a season that comes each year, when it is time and
// this year's was not started yet.
func SeasonDue(ctx workflow.Context, in SeasonDueInput) (SeasonDueResult, error) {
	var due activities.SeasonDueAnswer
	if err := workflow.ExecuteLocalActivity(local(ctx), seasons.DefineSeason, in.Definition, workflow.Now(ctx)).Get(ctx, &due); err != nil {
		return SeasonDueResult{}, err
	}
	if !due.Now {
		return SeasonDueResult{Text: due.Text}, nil
	}
	child := workflow.WithChildOptions(ctx, seasonChild(due.Season))
	run := workflow.ExecuteChildWorkflow(child, SeasonPreparationType, SeasonInput{Season: due.Season, ApprovalSeconds: in.ApprovalSeconds})
	err := run.GetChildWorkflowExecution().Get(ctx, nil)
	if temporal.IsWorkflowExecutionAlreadyStartedError(err) {
		return SeasonDueResult{WorkflowID: SeasonID(due.Season.ID), Text: "this year's preparation was started before"}, nil
	}
	return SeasonDueResult{WorkflowID: SeasonID(due.Season.ID), Text: due.Text}, err
}
