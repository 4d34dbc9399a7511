package activities

import (
	"context"

	"github.com/wedsync/scalability/models"
)

// Recorder keeps decisions, their outcomes and the last evaluation of each service.
type Recorder struct {
	Decisions DecisionWriter
	States    StateWriter
	Audit     Auditor
	// OnDecision and OnOutcome count; both may be nil.
	OnDecision func(models.Decision)
	OnOutcome  func(models.OutcomeReport)
}

// RecordDecision commits a decision before anything is changed.
func (r *Recorder) RecordDecision(ctx context.Context, d models.Decision) error {
	if err := r.Decisions.RecordDecision(ctx, d); err != nil {
		return fail(err)
	}
	if r.OnDecision != nil {
		r.OnDecision(d)
	}
	return nil
}

// CloseInput is an outcome with what the audit log needs to say of it.
type CloseInput struct {
	Service models.ServiceName   `json:"service"`
	Report  models.OutcomeReport `json:"report"`
	// Changed says that capacity was moved: the change is then audited.
	Changed bool   `json:"changed"`
	Actor   string `json:"actor"`
}

// CloseDecision keeps an outcome; the first one of a decision counts. A change of
// capacity is audited before it, so that no closed change is without its entry.
func (r *Recorder) CloseDecision(ctx context.Context, in CloseInput) error {
	if in.Changed {
		err := r.Audit.Record(ctx, models.AuditEntry{
			At: in.Report.FinishedAt, Actor: in.Actor, Action: "capacity.change",
			Object: "service/" + string(in.Service) + "/decision/" + in.Report.DecisionID,
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
		r.OnOutcome(in.Report)
	}
	return nil
}

// SaveState keeps the last evaluation of a service.
func (r *Recorder) SaveState(ctx context.Context, s models.ScalingState) error {
	return fail(r.States.SaveScalingState(ctx, s))
}
