package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wedsync/scalability/models"
)

// scopeSQL says on whose behalf the transaction writes; true is for this transaction
// only, so that nothing stays on the connection.
const scopeSQL = `SELECT set_config('wedsync.role', $1, true), set_config('wedsync.subject', $2, true)`

// insertSQL writes a batch. COPY is refused on tables with row level security. An entry
// that is there already, by ID and time, is one that was sent again.
const insertSQL = `INSERT INTO security_audit_logs
	(id, at, actor, action, object, decision, rule, roles, request_id, remote_ip, context)
SELECT id, at, actor, action, object, decision, rule, roles::jsonb, request_id, remote_ip, context::jsonb
FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
	$8::text[], $9::text[], $10::text[], $11::text[])
	AS t (id, at, actor, action, object, decision, rule, roles, request_id, remote_ip, context)
ON CONFLICT (id, at) DO NOTHING`

// readySQL says whether the table is there and may be written to.
const readySQL = `SELECT coalesce(has_table_privilege(to_regclass('security_audit_logs'), 'INSERT'), false)`

// connect opens the writer's own connections and tries them.
func connect(ctx context.Context, o Options) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		return nil, fmt.Errorf("audit.Open: %w", err)
	}
	cfg.MaxConns = int32(min(o.Connections, 1000)) //nolint:gosec // bounded
	cfg.ConnConfig.ConnectTimeout = o.Timeout
	cfg.ConnConfig.RuntimeParams["application_name"] = "wedsync audit " + o.Process
	// A commit that a crash of Postgres can undo is none.
	cfg.ConnConfig.RuntimeParams["synchronous_commit"] = "on"
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("audit.Open: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	var ready bool
	err = pool.QueryRow(ctx, readySQL).Scan(&ready)
	if err == nil && !ready {
		err = errors.New("table security_audit_logs is missing or may not be written to: were the migrations made?")
	}
	if err != nil {
		pool.Close()
		return nil, models.Unavailable("audit.Open", err)
	}
	return pool, nil
}

// insert writes a batch in one transaction and one round trip: statements that are sent
// together are one transaction, and Close reads until after its commit. What was
// certainly not sent, on a connection that had died, is sent once more.
func (w *Writer) insert(batch []pending) error {
	ctx, cancel := context.WithTimeout(w.life, w.opts.Timeout)
	defer cancel()
	rows := make([]row, len(batch))
	for i, p := range batch {
		rows[i] = p.row
	}
	args := columns(rows)
	err := w.send(ctx, args)
	if err != nil && pgconn.SafeToRetry(err) && ctx.Err() == nil {
		err = w.send(ctx, args)
	}
	return err
}

func (w *Writer) send(ctx context.Context, args []any) error {
	var b pgx.Batch
	b.Queue(scopeSQL, string(models.ScopeSystem), w.opts.Process)
	b.Queue(insertSQL, args...)
	return w.pool.SendBatch(ctx, &b).Close()
}

// columns turns rows into one array for each column, in the order of insertSQL.
func columns(rows []row) []any {
	at := make([]time.Time, len(rows))
	texts := make([][]string, 10)
	for i := range texts {
		texts[i] = make([]string, len(rows))
	}
	for i, r := range rows {
		at[i] = r.at
		for c, text := range []string{r.id, r.actor, r.action, r.object, r.decision, r.rule, r.roles, r.requestID, r.remoteIP, r.context} {
			texts[c][i] = text
		}
	}
	out := []any{texts[0], at}
	for _, column := range texts[1:] {
		out = append(out, column)
	}
	return out
}

// aboutData says whether Postgres refused what an entry holds (SQLSTATE classes 22, data
// exception, and 23, integrity), so that others may still be kept.
func aboutData(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (strings.HasPrefix(pg.Code, "22") || strings.HasPrefix(pg.Code, "23"))
}
