package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wedsync/scalability/models"
)

// Reader reads entries back, in the platform's own scope.
type Reader struct {
	pool    *pgxpool.Pool
	process string
	looked  time.Time // when Begin or Next last succeeded, by the clock of the database
}

// NewReader connects. Close ends it.
func NewReader(ctx context.Context, url, process string) (*Reader, error) {
	pool, err := connect(ctx, Options{URL: url, Process: process, reads: true}.withDefaults())
	if err != nil {
		return nil, err
	}
	return &Reader{pool: pool, process: process}, nil
}

// Close ends the connections.
func (r *Reader) Close() { r.pool.Close() }

// Each gives the entries that a filter selects, oldest first, to do, until it fails.
func (r *Reader) Each(ctx context.Context, f models.AuditFilter, do func(models.AuditEntry) error) error {
	where, args := conditions(f)
	rest := where + ` ORDER BY at, id`
	if f.Limit > 0 {
		rest += fmt.Sprintf(" LIMIT %d", f.Limit)
	}
	return asSystem(ctx, r.pool, r.process, func(tx pgx.Tx) error { return eachRow(ctx, tx, rest, args, do) })
}

// eachRow reads the rows of the trail that the rest of a statement selects.
func eachRow(ctx context.Context, tx pgx.Tx, rest string, args []any, do func(models.AuditEntry) error) error {
	rows, err := tx.Query(ctx, `SELECT `+columnsSQL+`, prev, hash FROM security_audit_logs `+rest, args...)
	if err != nil {
		return models.Unavailable("audit.Each", err)
	}
	var e models.AuditEntry
	var roles, context *string // NULL in rows from before there were streams
	_, err = pgx.ForEachRow(rows, []any{&e.Stream, &e.Seq, &e.At, &e.ID, &e.Actor, &e.Action, &e.Object, &e.Decision, &e.Rule, &roles,
		&e.PolicyRevision, &context, &e.RequestID, &e.TraceID, &e.RemoteIP, &e.Prev, &e.Hash}, func() error {
		got := e
		got.Roles, got.Context = nil, nil
		if roles != nil {
			err = json.Unmarshal([]byte(*roles), &got.Roles)
		}
		if context != nil {
			err = errors.Join(err, json.Unmarshal([]byte(*context), &got.Context))
		}
		if err != nil {
			return err
		}
		got.At = got.At.UTC()
		return do(got)
	})
	return err
}

func conditions(f models.AuditFilter) (string, []any) {
	var where []string
	var args []any
	add := func(condition string, arg any) {
		args = append(args, arg)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	if !f.From.IsZero() {
		add("at >= $%d", f.From)
	}
	if !f.Until.IsZero() {
		add("at < $%d", f.Until)
	}
	if f.Actor != "" {
		add("actor = $%d", f.Actor)
	}
	if f.Decision != "" {
		add("decision = $%d", string(f.Decision))
	}
	for column, value := range map[string]string{"action": f.Action, "object": f.Object} {
		if prefix, cut := strings.CutSuffix(value, "*"); cut {
			add("starts_with("+column+", $%d)", prefix)
		} else if value != "" {
			add(column+" = $%d", value)
		}
	}
	if len(where) == 0 {
		return "", nil
	}
	return " WHERE " + strings.Join(where, " AND "), args
}
