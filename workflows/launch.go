package workflows

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
)

const (
	// decisionLife is how long a decision may wait to be carried out: afterwards the
	// world it was made from is gone.
	decisionLife = time.Minute
	// supersedePatience is how long a spike waits for the operation that it replaces.
	supersedePatience = 20 * time.Second
	// operationGrace is how long after its deadline an operation may still undo its
	// change and record its outcome.
	operationGrace = 10 * time.Minute
)

// inheritance is what an operation takes over from the one that it replaces.
type inheritance struct {
	baseline *int
	replicas []string
	expected []int
}

// act carries a decision out, unless somebody stopped changes. At most one operation of
// a service runs: a second one replaces the first or waits.
func (a *autoscale) act(ctx workflow.Context, ev *evaluation) {
	e := ev.explanation
	if a.state.Paused || a.in.Shadow || a.in.KillSwitch || e.Direction == models.DirectionHold || ctx.Err() != nil {
		return
	}
	op := a.state.Operation
	if op != nil && !outgrown(*op, ev) {
		return
	}
	if no := a.state.Declined; no != nil && ev.now.Before(no.Until) && e.Approval != nil {
		return // a person said no to as much a moment ago
	}
	ev.request = chooseRequest(ev.obs, e)
	id := a.decisionID(ctx)
	if ev.request != nil {
		id = ev.request.DecisionID
	}
	var from inheritance
	if op != nil {
		var gone bool
		if from, gone = a.replace(ctx, *op, id); !gone {
			a.state.Spike = ev.spike
			return
		}
	}
	a.launch(ctx, ev, id, from)
	if ev.launched == nil {
		a.state.Spike = ev.spike // nothing came of it: decide on it again
	}
}

// outgrown says whether an operation in flight is to be replaced: by a spike or a floor
// that needs more than its target, and by any growth when it shrinks the service. Other
// growth waits until the operation is verified.
func outgrown(op Operation, ev *evaluation) bool {
	e := ev.explanation
	if e.Direction != models.DirectionUp || e.Desired <= op.Target {
		return false
	}
	return op.Direction == models.DirectionDown || ev.spike != nil || e.Class == models.ClassPanic || e.Class == models.ClassFloor
}

// replace ends an operation in favour of a decision and waits for its last word. False:
// it goes on, and nothing else may start.
func (a *autoscale) replace(ctx workflow.Context, op Operation, by string) (inheritance, bool) {
	id := OperationID(a.in.Service, op.DecisionID)
	err := workflow.SignalExternalWorkflow(ctx, id, "", SignalSupersede, Supersede{ByDecisionID: by}).Get(ctx, nil)
	if ctx.Err() != nil {
		return inheritance{}, false
	}
	if err != nil {
		// It has ended; its word is on the way, or was lost.
		workflow.GetLogger(ctx).Info("the operation to replace is gone", "operation", id, "error", err)
		a.drainFinished(ctx)
		a.state.Operation = nil
		return inheritance{expected: []int{op.Target}}, true
	}
	var last *OperationFinished
	_, err = workflow.AwaitWithTimeout(ctx, supersedePatience, func() bool { return a.finished.Len() > 0 })
	for err == nil && a.finished.Len() > 0 {
		var f OperationFinished
		a.finished.ReceiveAsync(&f)
		if a.operationFinished(ctx, f) {
			last = &f
		}
	}
	if last == nil {
		workflow.GetLogger(ctx).Warn("the operation to replace does not end", "operation", id)
		return inheritance{}, false
	}
	from := inheritance{expected: []int{op.Target, last.Spec}}
	if last.Outcome == models.OutcomeSuperseded && op.Direction == models.DirectionUp {
		from.baseline, from.replicas = &last.Baseline, last.BaselineReplicas
	} else {
		from.baseline = &last.Spec
	}
	return from, true
}

// launch commits the decision, and then starts the operation whose ID is made from it.
// A person who cancels the autoscaler between the two does not part them.
func (a *autoscale) launch(ctx workflow.Context, ev *evaluation, id string, from inheritance) {
	// The context is never released: a release would ask the child to cancel.
	together, _ := workflow.NewDisconnectedContext(ctx)
	d, ok := a.commit(together, ev, id)
	if !ok {
		return
	}
	in := OperationInput{
		Decision: d, Service: ev.obs.Service, Baseline: d.FromReplicas,
		BaselineReplicas: from.replicas, Expected: from.expected,
		ApprovalSeconds: a.in.ApprovalSeconds, Ceremony: nextCeremony(ev.obs.Calendar, ev.now),
	}
	if from.baseline != nil {
		in.Baseline = *from.baseline
	}
	child := workflow.ExecuteChildWorkflow(a.child(together, d), operationType(d.Direction), in)
	if err := child.GetChildWorkflowExecution().Get(together, nil); err != nil {
		workflow.GetLogger(ctx).Error("the operation could not be started", "decision", d.ID, "error", err)
		a.closeRow(together, d.ID, d.CreatedAt, refusal("its operation could not be started, nothing was changed: "+cause(err)))
		return
	}
	ev.launched = &d
	a.launched(d, in)
}

// launched notes an operation in flight.
func (a *autoscale) launched(d models.Decision, in OperationInput) {
	deadline := d.CreatedAt.Add(seconds(in.Service.Policy.OperationDeadlineSeconds))
	if approvalNeeded(d) != "" {
		deadline = deadline.Add(max(approvalWait, seconds(in.ApprovalSeconds)))
	}
	a.state.Operation = &Operation{
		DecisionID: d.ID, Direction: d.Direction, Target: d.ToReplicas, Baseline: in.Baseline,
		StartedAt: d.CreatedAt, DeadlineAt: deadline,
	}
	if q := a.state.Quarantine; q != nil && d.Direction == models.DirectionUp {
		at := d.CreatedAt
		q.ProbedAt = &at
	}
}

// nextCeremony is when the next guests come; nil: none are known of.
func nextCeremony(c *models.Calendar, now time.Time) *time.Time {
	if c == nil {
		return nil
	}
	for _, w := range c.Windows { // by start
		if !w.Cancelled && w.Guests > 0 && w.Start.After(now) {
			start := w.Start
			return &start
		}
	}
	return nil
}

// commit writes the decision's row. A request that was closed meanwhile is not taken up:
// the decision then has a row of its own. Nothing is changed that cannot be recorded.
func (a *autoscale) commit(ctx workflow.Context, ev *evaluation, id string) (models.Decision, bool) {
	d := a.decision(ctx, ev, id)
	err := a.record(ctx, d)
	if err != nil && ev.request != nil && activities.KindOf(err) == models.KindConflict {
		ev.request = nil
		d = a.decision(ctx, ev, a.decisionID(ctx))
		err = a.record(ctx, d)
	}
	if err != nil {
		workflow.GetLogger(ctx).Error("a decision could not be recorded and is not carried out", "service", a.in.Service, "error", err)
		return d, false
	}
	ev.explanation.DecisionID = d.ID
	return d, true
}

func (a *autoscale) record(ctx workflow.Context, d models.Decision) error {
	return workflow.ExecuteActivity(within(ctx, recordAttempt, recordBudget), recorder.RecordDecision, d).Get(ctx, nil)
}

func (a *autoscale) decision(ctx workflow.Context, ev *evaluation, id string) models.Decision {
	e := ev.explanation
	e.DecisionID = id
	now := workflow.Now(ctx)
	d := models.Decision{
		ID: id, Service: a.in.Service, CreatedAt: now, ExpiresAt: now.Add(decisionLife),
		RequestedBy: AutoscaleID(a.in.Service), Class: e.Class, Direction: e.Direction,
		FromReplicas: e.Current, ToReplicas: e.Desired, Sentence: e.Text, Explanation: &e,
		Status: models.DecisionExecuting, WorkflowID: OperationID(a.in.Service, id),
	}
	if r := ev.request; r != nil {
		d.RequestedBy, d.ReservationID = r.Actor, r.ReservationID
	}
	if s := ev.spike; s != nil && e.Direction == models.DirectionUp && !s.FirstSampleAt.IsZero() {
		d.SpikeSampleAt = &s.FirstSampleAt
	}
	return d
}

// child outlives the autoscaler, and no ID is used twice.
func (a *autoscale) child(ctx workflow.Context, d models.Decision) workflow.Context {
	return workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:            OperationID(a.in.Service, d.ID),
		ParentClosePolicy:     enumspb.PARENT_CLOSE_POLICY_ABANDON,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		Memo:                  map[string]any{MemoSentence: d.Sentence},
		TypedSearchAttributes: temporal.NewSearchAttributes(
			SearchAttributeService().ValueSet(string(a.in.Service)),
			SearchAttributeOutcome().ValueSet(OutcomeAttributeOpen),
		),
	})
}

func operationType(d models.Direction) string {
	if d == models.DirectionDown {
		return ScaleDownType
	}
	return ScaleUpType
}

// drainFinished takes the last words of operations.
func (a *autoscale) drainFinished(ctx workflow.Context) {
	for {
		var f OperationFinished
		if !a.finished.ReceiveAsync(&f) {
			return
		}
		a.operationFinished(ctx, f)
	}
}

// operationFinished forgets the operation in flight when the word is of it. After a
// success more may be needed at once; after anything else the next evaluation has time.
func (a *autoscale) operationFinished(ctx workflow.Context, f OperationFinished) bool {
	op := a.state.Operation
	if op == nil || op.DecisionID != f.DecisionID {
		return false
	}
	a.state.Operation = nil
	if slices.Contains([]models.Outcome{models.OutcomeVerified, models.OutcomeHeld}, f.Outcome) {
		a.wake = true
	}
	a.learn(ctx, *op, f)
	return true
}

// settle forgets an operation whose word was lost: the row has its outcome, or its time
// is long over.
func (a *autoscale) settle(ctx workflow.Context, obs models.Observation) {
	a.drainFinished(ctx)
	op := a.state.Operation
	if op == nil {
		return
	}
	if ref := obs.Operation; ref != nil && ref.DecisionID == op.DecisionID && ref.Outcome != models.OutcomeOpen {
		a.operationFinished(ctx, OperationFinished{DecisionID: op.DecisionID, Outcome: ref.Outcome})
		a.wake = false // an evaluation is being made
		return
	}
	if over := workflow.Now(ctx).Sub(op.DeadlineAt); over > operationGrace {
		workflow.GetLogger(ctx).Error("an operation gave no word and is given up", "operation", OperationID(a.in.Service, op.DecisionID), "overdue", fmt.Sprint(over))
		a.state.Operation = nil
	}
}

// refusal ends a decision of which nothing came.
func refusal(reason string) ending {
	return ending{outcome: models.OutcomeRefused, reason: reason}
}

// closeRow gives a decision its outcome; a row that cannot be closed now is closed by
// the reconciliation.
func (a *autoscale) closeRow(ctx workflow.Context, id string, decidedAt time.Time, end ending) {
	in := activities.CloseInput{Service: a.in.Service, DecidedAt: decidedAt, Report: models.OutcomeReport{
		DecisionID: id, Outcome: end.outcome, Reason: end.reason, FinishedAt: workflow.Now(ctx),
	}}
	if err := workflow.ExecuteActivity(within(ctx, recordAttempt, recordBudget), recorder.CloseDecision, in).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Warn("a decision could not be closed", "decision", id, "error", err)
	}
}

// decisionID is a version 7 UUID (RFC 9562): milliseconds, then bits that are a hash of
// the service, the first run of its autoscaler and the iteration. The same evaluation has
// the same ID on replay and on either side of a continue-as-new; no two share one.
func (a *autoscale) decisionID(ctx workflow.Context) string {
	info := workflow.GetInfo(ctx)
	first := info.FirstRunID
	if first == "" {
		first = info.WorkflowExecution.RunID // only in the test environment
	}
	return uuidV7(workflow.Now(ctx), string(a.in.Service)+"\x00"+first, a.state.Iteration)
}

func uuidV7(at time.Time, seed string, n int64) string {
	in := binary.BigEndian.AppendUint64([]byte(seed), uint64(n)) //nolint:gosec // a counter, hashed
	sum := sha256.Sum256(in)
	var id [16]byte
	copy(id[:], sum[:])
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
	copy(id[:6], ms[2:])
	id[6] = 0x70 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
