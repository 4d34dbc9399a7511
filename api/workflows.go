package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

// ListWorkflows gives a page of runs.
func (s *server) ListWorkflows(c *gin.Context, p gen.ListWorkflowsParams) {
	page, err := s.Launcher.Workflows(c.Request.Context(), models.WorkflowFilter{
		Kind: valueOr(p.Kind, ""), Service: valueOr(p.Service, ""), Open: p.Open,
		Limit: valueOr(p.Limit, 20), PageToken: valueOr(p.PageToken, ""),
	})
	if page.Items == nil {
		page.Items = []models.WorkflowSummary{}
	}
	s.reply(c, http.StatusOK, page, err)
}

// StartWorkflow starts an autoscaler or a maintenance job.
func (s *server) StartWorkflow(c *gin.Context) {
	in, err := decode[gen.WorkflowStart](c)
	if err != nil {
		s.fail(c, err)
		return
	}
	k := callOf(c)
	cmd := models.StartCommand{
		Kind: models.WorkflowKind(in.Kind), Service: valueOr(in.Service, ""), Job: string(valueOr(in.Job, "")),
		Actor: k.identity.Subject, RequestID: "start/" + k.identity.Subject + "/" + k.requestID,
	}
	if err := checkStart(cmd); err != nil {
		s.fail(c, err)
		return
	}
	run, err := s.Launcher.StartWorkflow(c.Request.Context(), cmd)
	s.reply(c, http.StatusAccepted, run, err)
}

// checkStart wants exactly what the kind needs.
func checkStart(cmd models.StartCommand) error {
	autoscale := cmd.Kind == models.WorkflowAutoscale
	switch {
	case autoscale && cmd.Service == "":
		return models.Invalid("service", "", "is required for kind autoscale")
	case autoscale && cmd.Job != "":
		return models.Invalid("job", cmd.Job, "must be absent for kind autoscale")
	case !autoscale && cmd.Job == "":
		return models.Invalid("job", "", "is required for kind maintenance")
	case !autoscale && cmd.Service != "":
		return models.Invalid("service", cmd.Service, "must be absent for kind maintenance")
	}
	return nil
}

// GetWorkflow gives one run with its state.
func (s *server) GetWorkflow(c *gin.Context, id gen.WorkflowIDPath) {
	w, err := s.Launcher.Workflow(c.Request.Context(), id)
	s.reply(c, http.StatusOK, w, err)
}

// SignalWorkflow sends a spike or a changed claim. The message is made here from what
// was given, so that nothing unknown goes into a history.
func (s *server) SignalWorkflow(c *gin.Context, id gen.WorkflowIDPath) {
	payload, signal, err := s.signal(c)
	if err == nil {
		err = s.Launcher.SignalWorkflow(c.Request.Context(), models.SignalCommand{
			WorkflowID: id, Signal: signal, Payload: payload, Actor: callOf(c).identity.Subject,
		})
	}
	s.reply(c, http.StatusAccepted, gen.WorkflowReceipt{WorkflowId: id, Text: "The signal was sent."}, err)
}

func (s *server) signal(c *gin.Context) (payload json.RawMessage, name string, err error) {
	in, err := decode[struct {
		Signal  string          `json:"signal"`
		Payload json.RawMessage `json:"payload"`
	}](c)
	if err != nil {
		return nil, "", err
	}
	if in.Signal != "spike" {
		return in.Payload, in.Signal, s.checkPayload("ReservationChangedPayload", in.Payload)
	}
	if err := s.checkPayload("SpikePayload", in.Payload); err != nil {
		return nil, "", err
	}
	var spike models.Spike
	if err := json.Unmarshal(in.Payload, &spike); err != nil {
		return nil, "", models.Invalid("payload", "", cut(err.Error(), 200))
	}
	spike.SeenAt, spike.FirstSampleAt = s.now(), s.now()
	payload, err = json.Marshal(spike)
	return payload, in.Signal, err
}

// checkPayload holds a signal's message to its component in the specification.
func (s *server) checkPayload(component string, payload json.RawMessage) error {
	v, err := parse(payload)
	if err != nil {
		return err
	}
	var b breaches
	s.schema[component].check(v, "payload", &b)
	return b.err()
}

// CancelWorkflow asks a run to stop.
func (s *server) CancelWorkflow(c *gin.Context, id gen.WorkflowIDPath) {
	in, err := decode[gen.WorkflowCancel](c)
	if err == nil {
		err = s.Launcher.CancelWorkflow(c.Request.Context(), id, callOf(c).identity.Subject, in.Reason)
	}
	s.reply(c, http.StatusAccepted, gen.WorkflowReceipt{WorkflowId: id, Text: "The run was asked to stop."}, err)
}

// ApproveDecision agrees to a change that waits for a person.
func (s *server) ApproveDecision(c *gin.Context, id gen.IDPath) {
	s.answerApproval(c, id, "approve", s.Approver.Approve)
}

// RejectDecision ends a change that waits for a person.
func (s *server) RejectDecision(c *gin.Context, id gen.IDPath) {
	s.answerApproval(c, id, "reject", s.Approver.Reject)
}

// answerApproval carries an answer to the change itself, which alone knows whether it
// still waits: the row says so only once it has ended.
func (s *server) answerApproval(c *gin.Context, id, name string, tell func(context.Context, models.ApprovalCommand) (models.ApprovalVerdict, error)) {
	in, err := decode[gen.ApprovalRequest](c)
	if err != nil {
		s.fail(c, err)
		return
	}
	ctx, k := c.Request.Context(), callOf(c)
	d, err := s.Decisions.Decision(ctx, id)
	if err == nil && name == "approve" && d.Direction == models.DirectionDown {
		err = s.mayScaleIn(c, d.Service)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	verdict, err := tell(ctx, models.ApprovalCommand{
		Service: d.Service, DecisionID: d.ID, Actor: k.identity.Subject, Reason: in.Reason,
		RequestID: name + "/" + d.ID + "/" + k.identity.Subject + "/" + k.requestID,
	})
	s.reply(c, http.StatusOK, gen.ApprovalAnswer{DecisionId: d.ID, Verdict: verdict}, err)
}
