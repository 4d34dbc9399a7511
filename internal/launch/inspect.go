package launch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

const (
	defaultPage = 50
	maxPage     = 200
)

// Workflows lists runs by kind, service and status, newest first. Temporal's list lags
// behind by about a second.
func (l *Launcher) Workflows(ctx context.Context, f models.WorkflowFilter) (models.WorkflowPage, error) {
	const op = "launch.Workflows"
	query, err := visibilityQuery(f)
	if err != nil {
		return models.WorkflowPage{}, err
	}
	limit := f.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	token, err := openToken(f.PageToken, query)
	if err != nil {
		return models.WorkflowPage{}, err
	}
	ctx, cancel := l.bounded(ctx)
	defer cancel()
	res, err := l.o.Client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: l.o.Namespace, PageSize: int32(min(limit, maxPage)), NextPageToken: token, Query: query,
	})
	if err != nil {
		return models.WorkflowPage{}, classify(op, "", err)
	}
	page := models.WorkflowPage{Items: []models.WorkflowSummary{}, NextPageToken: sealToken(res.GetNextPageToken(), query)}
	for _, info := range res.GetExecutions() {
		if t, err := parseID(info.GetExecution().GetWorkflowId()); err == nil {
			page.Items = append(page.Items, l.summary(t, info))
		}
	}
	return page, nil
}

// A page token of ours is Temporal's with the mark of the query it belongs to before it:
// Temporal takes a token of another query, and stumbles over one of nobody's.
func sealToken(token []byte, query string) string {
	if len(token) == 0 {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append(mark(query), token...))
}

func openToken(s, query string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	token, ours := bytes.CutPrefix(raw, mark(query))
	if err != nil || !ours {
		return nil, models.Invalid("pageToken", s, "must be the nextPageToken of a page with the same filter")
	}
	return token, nil
}

func mark(query string) []byte {
	sum := sha256.Sum256([]byte(query))
	return sum[:8]
}

// visibilityQuery is made of constants of ours and of names that were checked against
// them: nothing of a caller's gets into it.
func visibilityQuery(f models.WorkflowFilter) (string, error) {
	var types []string
	for name, kind := range kinds() {
		if f.Kind == "" || f.Kind == kind {
			types = append(types, "'"+name+"'")
		}
	}
	if len(types) == 0 {
		return "", models.Invalid("kind", f.Kind, "must be one of autoscale, scale_up, scale_down, maintenance, wedding_day")
	}
	slices.Sort(types)
	clauses := []string{"WorkflowType IN (" + strings.Join(types, ", ") + ")"}
	if f.Service != "" {
		name, err := models.ParseServiceName("service", string(f.Service))
		if err != nil {
			return "", err
		}
		clauses = append(clauses, fmt.Sprintf("%s = '%s'", workflows.SearchAttributeService().GetName(), name))
	}
	if f.Open != nil {
		is := map[bool]string{true: "=", false: "!="}[*f.Open]
		clauses = append(clauses, "ExecutionStatus "+is+" 'Running'")
	}
	return strings.Join(clauses, " AND "), nil
}

// Workflow describes the newest run of an ID with its state query, when it answers.
func (l *Launcher) Workflow(ctx context.Context, id string) (models.WorkflowDetail, error) {
	const op = "launch.Workflow"
	t, err := parseID(id)
	if err != nil {
		return models.WorkflowDetail{}, err
	}
	described, cancel := l.bounded(ctx)
	defer cancel()
	res, err := l.o.Client.DescribeWorkflowExecution(described, id, "")
	if err != nil {
		return models.WorkflowDetail{}, classify(op, id, err)
	}
	d := models.WorkflowDetail{WorkflowSummary: l.summary(t, res.GetWorkflowExecutionInfo())}
	for _, a := range res.GetPendingActivities() {
		d.Pending = append(d.Pending, a.GetActivityType().GetName())
	}
	d.State, d.StateError = l.state(ctx, id, d.RunID)
	return d, nil
}

// state asks a run for its state. A run whose worker is away has none to show.
func (l *Launcher) state(ctx context.Context, id, run string) (json.RawMessage, string) {
	ctx, cancel := l.bounded(ctx)
	defer cancel()
	value, err := l.o.Client.QueryWorkflow(ctx, id, run, workflows.QueryState)
	var state json.RawMessage
	if err == nil {
		err = value.Get(&state)
	}
	switch {
	case err == nil:
		return state, ""
	case away(err):
		return nil, "no worker answered in " + l.o.Timeout.String()
	default:
		return nil, err.Error()
	}
}

// FindOperation says whether an operation is open, closed or was never started.
func (l *Launcher) FindOperation(ctx context.Context, workflowID string) (activities.OperationState, error) {
	const op = "launch.FindOperation"
	ctx, cancel := l.bounded(ctx)
	defer cancel()
	res, err := l.o.Client.DescribeWorkflowExecution(ctx, workflowID, "")
	var missing *serviceerror.NotFound
	switch {
	case errors.As(err, &missing):
		return activities.OperationMissing, nil
	case err != nil:
		return activities.OperationUnknown, classify(op, workflowID, err)
	case running(res.GetWorkflowExecutionInfo()):
		return activities.OperationOpen, nil
	default:
		return activities.OperationClosed, nil
	}
}

func running(info *workflowpb.WorkflowExecutionInfo) bool {
	return info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
}

func (l *Launcher) summary(t target, info *workflowpb.WorkflowExecutionInfo) models.WorkflowSummary {
	run := info.GetExecution().GetRunId()
	s := models.WorkflowSummary{
		WorkflowID: t.id, RunID: run, Kind: kinds()[info.GetType().GetName()], Status: statusOf(info.GetStatus()), Service: t.service,
		Outcome:   text(converter.GetDefaultDataConverter(), info.GetSearchAttributes().GetIndexedFields()[workflows.SearchAttributeOutcome().GetName()]),
		Sentence:  text(Converter(l.o.Codec), info.GetMemo().GetFields()[workflows.MemoSentence]),
		StartedAt: info.GetStartTime().AsTime(), URL: l.runURL(t.id, run),
	}
	if info.GetCloseTime() != nil {
		at := info.GetCloseTime().AsTime()
		s.ClosedAt = &at
	}
	return s
}

// text decodes a payload that holds a string; empty where it does not.
func text(c converter.DataConverter, p *commonpb.Payload) string {
	var s string
	if p == nil || c.FromPayload(p, &s) != nil {
		return ""
	}
	return s
}

func statusOf(s enumspb.WorkflowExecutionStatus) string {
	switch s {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return "running"
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return "completed"
	case enumspb.WORKFLOW_EXECUTION_STATUS_FAILED:
		return "failed"
	case enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return "cancelled"
	case enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED:
		return "terminated"
	case enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
		return "continued_as_new"
	case enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		return "timed_out"
	default:
		return "unknown"
	}
}
