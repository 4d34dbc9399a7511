package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wedsync/scalability/models"
)

// changesSuffix ends the name of the stream of a process' own changes to the database.
const changesSuffix = "-changes"

// Changes appends entries inside the transactions that make the changes: either both are
// committed or neither is. It has a stream of its own, whose head row is locked until the
// transaction ends; so it must be the last thing that a transaction does, or two of them
// could wait for each other.
type Changes struct{ stream string }

// Append adds an entry in a transaction of database/sql over pgx. The scope of the
// transaction is as it was when it returns. After an error the transaction must not be
// committed.
func (c *Changes) Append(ctx context.Context, tx *sql.Tx, e models.AuditEntry) error {
	if err := c.append(ctx, tx, e); err != nil {
		return models.Unavailable("audit.Append", err)
	}
	return nil
}

func (c *Changes) append(ctx context.Context, tx *sql.Tx, e models.AuditEntry) error {
	r, err := newRow(e, time.Now())
	if err != nil {
		return err
	}
	var role, subject string
	err = tx.QueryRowContext(ctx, `SELECT coalesce(current_setting('wedsync.role', true), ''), coalesce(current_setting('wedsync.subject', true), '')`).Scan(&role, &subject)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, scopeSQL, string(models.ScopeSystem), "audit"); err != nil {
		return err
	}
	h := head{stream: c.stream}
	var hash []byte
	err = tx.QueryRowContext(ctx, `SELECT seq, hash FROM audit_streams WHERE stream = $1 AND closed_at IS NULL FOR UPDATE`, c.stream).Scan(&h.seq, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("the stream %s is closed", c.stream)
	}
	if err != nil {
		return err
	}
	copy(h.hash[:], hash)
	if err := c.insert(ctx, tx, h, r); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, scopeSQL, role, subject)
	return err
}

func (c *Changes) insert(ctx context.Context, tx *sql.Tx, from head, r row) error {
	to, _ := from.next(&r, nil)
	_, err := tx.ExecContext(ctx, `INSERT INTO security_audit_logs (`+columnsSQL+`, prev, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::json, $11, $12::text::json, $13, $14, $15, $16, $17)`,
		to.stream, to.seq, r.at, r.id, r.actor, r.action, r.object, r.decision, r.rule, r.roles, r.revision, r.context,
		r.requestID, r.traceID, r.remoteIP, from.hash[:], to.hash[:])
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE audit_streams SET seq = $2, hash = $3, at = clock_timestamp() WHERE stream = $1`, to.stream, to.seq, to.hash[:])
	return err
}

// readBackEvery is how often a writer looks whether the trail has what it was told.
const readBackEvery = 15 * time.Second

// readBack counts, in the trail itself, the rows that callers were told are there. What it
// finds missing is critical.
func (w *Writer) readBack() {
	tick := time.NewTicker(readBackEvery)
	defer tick.Stop()
	var l look
	for {
		select {
		case <-w.stopped:
			return
		case <-tick.C:
		}
		w.look(&l)
	}
}

// look is how far the trail was read back, and what was found.
type look struct {
	checked int64
	count   Count
}

func (w *Writer) look(l *look) {
	upTo := w.issued.Load()
	found, err := w.count(l.checked, upTo)
	l.count.Refused = w.refused.Load()
	if err == nil {
		l.count.Issued, l.count.Committed = l.count.Issued+upTo-l.checked, l.count.Committed+found
		if found < upTo-l.checked {
			w.opts.Log.ErrorContext(w.life, "CRITICAL: audit entries that were committed are missing from the trail",
				"stream", w.name, "from", l.checked+1, "to", upTo, "found", found)
		}
		l.checked = upTo
	}
	if w.opts.OnCount != nil {
		w.opts.OnCount(l.count)
	}
}

// count is how many rows with a number in (after, upTo] the stream has.
func (w *Writer) count(after, upTo int64) (n int64, err error) {
	ctx, cancel := context.WithTimeout(w.life, w.opts.Timeout)
	defer cancel()
	err = asSystem(ctx, w.pool, w.opts.Process, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*) FROM security_audit_logs WHERE stream = $1 AND seq > $2 AND seq <= $3`, w.name, after, upTo).Scan(&n)
	})
	return n, err
}

// Nothing keeps no entries.
type Nothing struct{}

// Disabled is for RBAC_AUDIT_LOGGING_ENABLED=false. It says so once.
func Disabled(log *slog.Logger) *Nothing {
	log.Warn("audit logging is off: no access decision is kept", "variable", "RBAC_AUDIT_LOGGING_ENABLED")
	return &Nothing{}
}

// Record keeps nothing.
func (*Nothing) Record(context.Context, models.AuditEntry) error { return nil }

// Close does nothing.
func (*Nothing) Close(context.Context) error { return nil }
