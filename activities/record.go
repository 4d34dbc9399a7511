package activities

import (
	"context"
	"time"

	"github.com/wedsync/scalability/models"
)

// Recorder keeps decisions, their outcomes and the last evaluation of each service.
type Recorder struct {
	Decisions DecisionWriter
	States    StateWriter
	Audit     Auditor
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
// capacity is audited before it, so that no closed change is without its entry.
func (r *Recorder) CloseDecision(ctx context.Context, in CloseInput) error {
	if in.Changed {
		err := r.Audit.Record(ctx, models.AuditEntry{
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

// SaveState keeps the last evaluation of a service.
func (r *Recorder) SaveState(ctx context.Context, s models.ScalingState) error {
	if err := r.States.SaveScalingState(ctx, s); err != nil {
		return fail(err)
	}
	if r.OnState != nil {
		r.OnState(s)
	}
	return nil
}
