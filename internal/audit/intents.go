package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wedsync/scalability/models"
)

// Actions of commands to a system that shares no transaction with the trail.
const (
	actionIntent  = "command.intent"
	actionOutcome = "command.outcome"
	outcomeSuffix = "/outcome"
	// intentGrace is how long a command may take; intentPast how far back intents without an
	// outcome are looked for.
	intentGrace = 2 * time.Minute
	intentPast  = 7 * 24 * time.Hour
)

// Command records that something will be asked of another system, has it done, and records
// how that ended. Without the first row nothing is asked. The ID of the intent is in the
// outcome, so that an intent without one is found.
func (w *Writer) Command(ctx context.Context, e models.AuditEntry, do func(context.Context) error) error {
	what := e.Action
	e.Action, e.Decision, e.Rule = actionIntent, models.AuditAllow, what
	r, err := newRow(e, time.Now())
	if err != nil {
		return models.Unavailable("audit.Command", err)
	}
	e.ID, e.At = r.id, r.at
	if err := w.Record(ctx, e); err != nil {
		return err
	}
	done := do(ctx)
	e.ID, e.Action, e.At, e.Rule = e.ID+outcomeSuffix, actionOutcome, time.Time{}, what+" done"
	if done != nil {
		// A text that a caller sent may be in it: only what kind of error it is.
		e.Rule = fmt.Sprintf("%s failed: %s", what, models.KindOf(done))
	}
	// The command was given: what is asked now is only that it is known how it ended.
	if err := w.Record(context.WithoutCancel(ctx), e); err != nil {
		w.opts.Log.ErrorContext(ctx, "the outcome of a command is not in the trail; it will be reconciled", "intent", r.id, "error", err)
	}
	return done
}

// ReconcileIntents closes the intents whose process ended before it could say how the
// command did; it gives their IDs.
func (w *Writer) ReconcileIntents(ctx context.Context) ([]string, error) {
	var open []models.AuditEntry
	err := asSystem(ctx, w.pool, w.opts.Process, func(tx pgx.Tx) error {
		now := time.Now()
		rows, err := tx.Query(ctx, `SELECT id, actor, object, rule, request_id FROM security_audit_logs i
			WHERE action = $1 AND at > $2 AND at < $3 AND NOT EXISTS (
				SELECT FROM security_audit_logs o WHERE o.id = i.id || $4 AND o.at > $2) ORDER BY at LIMIT 1000`,
			actionIntent, now.Add(-intentPast), now.Add(-intentGrace), outcomeSuffix)
		if err != nil {
			return err
		}
		var e models.AuditEntry
		_, err = pgx.ForEachRow(rows, []any{&e.ID, &e.Actor, &e.Object, &e.Rule, &e.RequestID}, func() error { open = append(open, e); return nil })
		return err
	})
	if err != nil {
		return nil, models.Unavailable("audit.ReconcileIntents", err)
	}
	closed := []string{}
	for _, e := range open {
		id := e.ID
		e.ID, e.Action, e.Decision = id+outcomeSuffix, actionOutcome, models.AuditAllow
		e.Rule += " unknown: the process ended before it heard the answer"
		if err := w.Record(ctx, e); err != nil {
			return closed, err
		}
		closed = append(closed, "intent "+id)
	}
	return closed, nil
}
