package launch

import (
	"context"
	"errors"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

// StartSeason starts the preparation of a season; one that runs already is answered as it
// is. One that has ended may be started again under the same ID.
func (l *Launcher) StartSeason(ctx context.Context, s models.Season) (models.WorkflowRun, error) {
	const op = "launch.StartSeason"
	if err := s.Validate(); err != nil {
		return models.WorkflowRun{}, err
	}
	id := workflows.SeasonID(s.ID)
	ctx, cancel := l.bounded(ctx)
	defer cancel()
	run, err := l.o.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: id, TaskQueue: l.o.TaskQueue, WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL, WorkflowExecutionErrorWhenAlreadyStarted: true,
		Memo:                  map[string]any{workflows.MemoSentence: "Started by " + s.RequestedBy + "."},
		TypedSearchAttributes: temporal.NewSearchAttributes(workflows.SearchAttributeOutcome().ValueSet(workflows.OutcomeAttributeOpen)),
	}, workflows.SeasonPreparationType, workflows.SeasonInput{Season: s})
	var running *serviceerror.WorkflowExecutionAlreadyStarted
	switch {
	case errors.As(err, &running):
		return models.WorkflowRun{WorkflowID: id, RunID: running.RunId, AlreadyRunning: true, URL: l.runURL(id, running.RunId)}, nil
	case err != nil:
		return models.WorkflowRun{}, classify(op, id, err)
	}
	return models.WorkflowRun{WorkflowID: id, RunID: run.GetRunID(), URL: l.runURL(id, run.GetRunID())}, nil
}

// CommandSeason approves, rejects, amends or skips a gate, and answers with the
// preparation's own words. What it refuses is KindInvalid or KindConflict with the reason;
// KindNotFound: it does not run.
func (l *Launcher) CommandSeason(ctx context.Context, c models.SeasonCommand) (models.SeasonAnswer, error) {
	const op = "launch.CommandSeason"
	var request any
	switch c.Action {
	case models.SeasonApprove, models.SeasonReject:
		request = workflows.PlanAnswerRequest{Actor: c.Actor, Reason: c.Reason, Version: c.Version}
	case models.SeasonAmend:
		request = workflows.PlanAmendRequest{Actor: c.Actor, Reason: c.Reason, Edits: c.Edits, Bounds: c.Bounds}
	case models.SeasonSkipGate:
		request = workflows.GateSkipRequest{Actor: c.Actor, Reason: c.Reason, Gate: c.Gate}
	default:
		return models.SeasonAnswer{}, models.Invalid("action", c.Action, "must be one of approve, reject, amend_plan, skip_gate")
	}
	id := workflows.SeasonID(c.SeasonID)
	if _, err := parseID(id); err != nil {
		return models.SeasonAnswer{}, models.NotFound("id", c.SeasonID)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*l.o.Timeout)
	defer cancel()
	// The actions are named as the updates of the contract.
	options := client.UpdateWorkflowOptions{WorkflowID: id, UpdateName: string(c.Action), Args: []any{request}, WaitForStage: client.WorkflowUpdateStageCompleted}
	if c.RequestID != "" {
		options.UpdateID = string(c.Action) + "/" + c.RequestID
	}
	handle, err := l.o.Client.UpdateWorkflow(ctx, options)
	var answer models.SeasonAnswer
	if err == nil {
		err = handle.Get(ctx, &answer)
	}
	var app *temporal.ApplicationError
	if errors.As(err, &app) && app.Type() == string(models.KindConflict) {
		return models.SeasonAnswer{}, &models.Error{Kind: models.KindConflict, Op: op, Rule: app.Message()}
	}
	if err != nil {
		return models.SeasonAnswer{}, refused(op, id, err)
	}
	return answer, nil
}

// CancelSeason ends a preparation: all that it reserved is released.
func (l *Launcher) CancelSeason(ctx context.Context, id, actor, reason string) error {
	return l.cancel(ctx, workflows.SeasonID(id), actor, reason)
}

// CalendarChanged tells a season that its weddings are others. One that does not run needs
// no word.
func (l *Launcher) CalendarChanged(ctx context.Context, season, why string) error {
	err := l.signal(ctx, "launch.CalendarChanged", workflows.SeasonID(season), workflows.SignalCalendarChanged, workflows.CalendarChanged{Reason: why})
	if models.KindOf(err) == models.KindNotFound {
		return nil
	}
	return err
}
