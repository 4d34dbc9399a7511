package launch

import (
	"context"
	"errors"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

// Approve agrees to a change that waits for a person. An answer of who asked for it is
// refused with the reason: KindInvalid. A change that has ended, never began or does not
// wait is KindNotFound: there is nothing to answer.
func (l *Launcher) Approve(ctx context.Context, c models.ApprovalCommand) (models.ApprovalVerdict, error) {
	return l.answer(ctx, "launch.Approve", workflows.UpdateApprove, c)
}

// Reject ends a change that waits for a person: everything stays as it is.
func (l *Launcher) Reject(ctx context.Context, c models.ApprovalCommand) (models.ApprovalVerdict, error) {
	return l.answer(ctx, "launch.Reject", workflows.UpdateReject, c)
}

func (l *Launcher) answer(ctx context.Context, op, name string, c models.ApprovalCommand) (models.ApprovalVerdict, error) {
	if _, err := models.ParseServiceName("service", string(c.Service)); err != nil {
		return models.ApprovalWaiting, err
	}
	id := workflows.OperationID(c.Service, c.DecisionID)
	if _, err := parseID(id); err != nil {
		return models.ApprovalWaiting, models.NotFound("id", c.DecisionID)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*l.o.Timeout)
	defer cancel()
	options := client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: name, WaitForStage: client.WorkflowUpdateStageCompleted,
		Args: []any{workflows.ApprovalRequest{Actor: c.Actor, Reason: c.Reason}},
	}
	if c.RequestID != "" {
		options.UpdateID = name + "/" + c.RequestID
	}
	handle, err := l.o.Client.UpdateWorkflow(ctx, options)
	var answer workflows.ApprovalAnswer
	if err == nil {
		err = handle.Get(ctx, &answer)
	}
	var app *temporal.ApplicationError
	if errors.As(err, &app) && app.Type() == string(models.KindConflict) {
		return models.ApprovalWaiting, &models.Error{Kind: models.KindNotFound, Op: op, Field: "id", Value: c.DecisionID, Rule: "does not wait for approval"}
	}
	if err != nil {
		return models.ApprovalWaiting, refused(op, id, err)
	}
	return answer.Verdict, nil
}
