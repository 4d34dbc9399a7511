package activities

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

// Recorder keeps decisions, their outcomes and the last evaluation of each service.
type Recorder struct {
	Decisions DecisionWriter
	States    StateWriter
	Audit     Auditor
	// Evaluations keeps each evaluation with its inputs; nil: only the last one of each
	// service is kept.
	Evaluations EvaluationWriter
	// OnState hears of each evaluation and OnOutcome of each closed decision, to count
	// them; both may be nil.
	OnState   func(models.ScalingState)
	OnOutcome func(CloseInput)
}

// RecordDecision commits a decision before anything is changed.
func (r *Recorder) RecordDecision(ctx context.Context, d models.Decision) error {
	return fail(r.Decisions.RecordDecision(ctx, d))
}

// CloseInput is an outcome with what the audit log needs to say of it.
type CloseInput struct {
	Service models.ServiceName   `json:"service"`
	Report  models.OutcomeReport `json:"report"`
	// Changed says that capacity was moved: the change is then audited.
	Changed bool   `json:"changed"`
	Actor   string `json:"actor"`
	// DecidedAt and SpikeSampleAt are the decision's CreatedAt and SpikeSampleAt, to
	// time the change.
	DecidedAt     time.Time  `json:"decidedAt"`
	SpikeSampleAt *time.Time `json:"spikeSampleAt,omitempty"`
}

// CloseDecision keeps an outcome; the first one of a decision counts. A change of
// capacity is audited before it, so that no closed change is without its entry; the entry
// has an ID of its own making, so that a repetition adds none.
func (r *Recorder) CloseDecision(ctx context.Context, in CloseInput) error {
	if in.Changed {
		err := r.Audit.Record(ctx, models.AuditEntry{
			ID: madeID("capacity.change", in.Report.DecisionID, string(in.Report.Outcome)),
			At: in.Report.FinishedAt, Actor: in.Actor, Action: "capacity.change",
			Object:   "service/" + string(in.Service) + "/decision/" + in.Report.DecisionID,
			Decision: models.AuditAllow, Rule: string(in.Report.Outcome),
			RequestID: in.Report.DecisionID, Context: map[string]string{"reason": in.Report.Reason},
		})
		if err != nil {
			return fail(err)
		}
	}
	if err := r.Decisions.CloseDecision(ctx, in.Report); err != nil {
		return fail(err)
	}
	if r.OnOutcome != nil {
		r.OnOutcome(in)
	}
	return nil
}

// StateInput is an evaluation as everybody may see it, and what it was made from.
type StateInput struct {
	models.ScalingState
	Inputs *scaling.Inputs `json:"inputs,omitempty"` // nil: of a workflow that began before they were kept
}

// SaveState keeps the last evaluation of a service, and adds it with its inputs to those
// before.
func (r *Recorder) SaveState(ctx context.Context, in StateInput) error {
	if err := r.saveState(ctx, in); err != nil {
		return fail(err)
	}
	if r.OnState != nil {
		r.OnState(in.ScalingState)
	}
	return nil
}

func (r *Recorder) saveState(ctx context.Context, in StateInput) error {
	if r.Evaluations == nil || in.Inputs == nil || in.Explanation == nil {
		return r.States.SaveScalingState(ctx, in.ScalingState)
	}
	e, err := evaluation(*in.Inputs, *in.Explanation)
	if err != nil {
		return err
	}
	return r.Evaluations.SaveEvaluation(ctx, in.ScalingState, e)
}

// madeID gives a thing that is made from others the same ID each time.
func madeID(of ...string) string {
	name, err := json.Marshal(of) // no two lists read alike
	if err != nil {
		return "" // a list of strings always marshals; without an ID one is drawn
	}
	return uuid.NewSHA1(ourIDs(), name).String()
}

// ourIDs is the name space of the IDs that are made here.
func ourIDs() uuid.UUID { return uuid.MustParse("5f0d2f61-9a0b-4f5e-9c0c-2f3c0b7a4e11") }
