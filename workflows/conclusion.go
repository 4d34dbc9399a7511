package workflows

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/models"
)

// flag notes what a person or an alert rule has to know, once.
func (o *operation) flag(ctx workflow.Context, name string, level models.FlagLevel, text string) {
	if slices.ContainsFunc(o.progress.Evidence.Flags, func(f models.Flag) bool { return f.Name == name }) {
		return
	}
	o.progress.Evidence.Flags = append(o.progress.Evidence.Flags, models.Flag{Name: name, Level: level, Text: text})
	o.step(ctx, "flag "+name, text)
}

// severity is the highest level of the flags, "" for none worth a search.
func (o *operation) severity() string {
	most := ""
	for _, f := range o.progress.Evidence.Flags {
		if f.Level == models.FlagPage || (f.Level == models.FlagWarning && most == "") {
			most = string(f.Level)
		}
	}
	return most
}

// conclude completes the evidence: what stands now, what it costs, and the sentence.
func (o *operation) conclude(ctx workflow.Context, end ending) {
	e := &o.progress.Evidence
	e.Cause = string(o.cause)
	if e.Before != nil && o.spec != nil {
		svc := o.in.Service
		after := &models.Standing{
			At: workflow.Now(ctx), Spec: *o.spec, Ready: o.ready,
			CapacityRPS: float64(o.ready) * svc.CapacityRPS, CostPerHour: float64(*o.spec) * svc.CostPerReplicaHour,
		}
		if n := len(e.Measurements); n > 0 {
			m := e.Measurements[n-1]
			after.P95MS, after.ErrorRate, after.DatabaseConnections = m.Service.P95MS, m.Service.ErrorRate, m.DatabaseConnections
		}
		e.After = after
	}
	e.Sentence = o.sentence(end)
}

// sentence says what became of a change, for a person.
func (o *operation) sentence(end ending) string {
	d, e := o.decision, o.progress.Evidence
	text := fmt.Sprintf("Scaling %s %d→%d", o.in.Service.Name, d.FromReplicas, d.ToReplicas)
	if a := e.Approval; a != nil && a.Verdict == models.ApprovalApproved {
		text += ", approved by " + a.Actor + ","
	}
	text += " " + deed(end.outcome) + ": " + end.reason + "."
	if e.Before != nil && e.After != nil {
		text += fmt.Sprintf(" %d replicas stood before at %.2f an hour, %d stand now at %.2f.", e.Before.Spec, e.Before.CostPerHour, e.After.Spec, e.After.CostPerHour)
	}
	return text
}

// deed puts an outcome into a sentence.
func deed(o models.Outcome) string {
	switch o {
	case models.OutcomeVerified:
		return "was verified"
	case models.OutcomeHeld:
		return "is kept without a verdict"
	case models.OutcomePartial:
		return "came up in part"
	case models.OutcomeRolledBack:
		return "was rolled back"
	case models.OutcomeSuperseded:
		return "was superseded"
	case models.OutcomeCancelled:
		return "was cancelled"
	case models.OutcomeRefused:
		return "was refused"
	case models.OutcomeExpired:
		return "expired"
	case models.OutcomeNoOp:
		return "had nothing to do"
	case models.OutcomeFailed:
		return "failed, and a person is needed"
	default:
		return "ended as " + string(o)
	}
}
