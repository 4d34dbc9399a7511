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

// insertSQL appends a batch to a stream: only when the stream's head is still where the
// writer left it does it move, and only then are there rows. COPY is refused on tables with
// row level security.
const insertSQL = `WITH head AS (
	UPDATE audit_streams SET seq = $3, hash = $4, at = clock_timestamp()
	WHERE stream = $1 AND seq = $2 AND hash = $5 AND closed_at IS NULL RETURNING stream, $2::bigint AS seq)
INSERT INTO security_audit_logs (` + columnsSQL + `, prev, hash)
SELECT head.stream, head.seq + t.nr, t.at, t.id, t.actor, t.action, t.object, t.decision, t.rule, t.roles::json,
	t.revision, t.context::json, t.request_id, t.trace_id, t.remote_ip, t.prev, t.hash
FROM head, unnest($6::timestamptz[], $7::bigint[], $8::bytea[], $9::bytea[], $10::text[], $11::text[], $12::text[],
	$13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::text[]) WITH ORDINALITY
	AS t (at, revision, prev, hash, id, actor, action, object, decision, rule, roles, context, request_id, trace_id, remote_ip, nr)`

// readableSQL and readySQL say whether the tables are there and may be read, and written to.
const (
	readableSQL = `SELECT coalesce(has_table_privilege(to_regclass('security_audit_logs'), 'SELECT')
	AND has_table_privilege(to_regclass('audit_streams'), 'SELECT'), false)`
	readySQL = `SELECT coalesce(has_table_privilege(to_regclass('security_audit_logs'), 'INSERT')
	AND has_table_privilege(to_regclass('audit_streams'), 'INSERT,UPDATE'), false)`
)

// errMoved says that a stream is not where its only writer left it.
var errMoved = errors.New("the head of the stream was changed by somebody else")

// connect opens a pool of the trail's own and tries it.
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
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("audit.Open: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	var ready bool
	query, what := readySQL, "written to"
	if o.reads {
		query, what = readableSQL, "read"
	}
	err = pool.QueryRow(ctx, query).Scan(&ready)
	if err == nil && !ready {
		err = fmt.Errorf("table security_audit_logs or audit_streams is missing or may not be %s: were the migrations made?", what)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("the database does not answer within %s: %w", o.Timeout, err)
	}
	if err != nil {
		pool.Close()
		return nil, models.Unavailable("audit.Open", err)
	}
	return pool, nil
}

// open adds a stream without rows.
func open(ctx context.Context, pool *pgxpool.Pool, stream, process string) (head, error) {
	h := head{stream: stream, hash: genesis(stream)}
	err := asSystem(ctx, pool, process, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO audit_streams (stream, process, seq, hash) VALUES ($1, $2, 0, $3)`, stream, process, h.hash[:])
		return err
	})
	return h, err
}

// asSystem runs statements in one transaction in the platform's own scope.
func asSystem(ctx context.Context, pool *pgxpool.Pool, process string, do func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, scopeSQL, string(models.ScopeSystem), process); err != nil {
			return err
		}
		return do(tx)
	})
}

// insert appends rows in one transaction and one round trip: statements that are sent
// together are one transaction, and Close reads until after its commit. What was
// certainly not sent, on a connection that had died, is sent once more.
func (w *Writer) insert(ctx context.Context, from head, rows []row) (head, error) {
	to, args := w.columns(from, rows)
	err := w.send(ctx, args, len(rows))
	if err != nil && pgconn.SafeToRetry(err) && ctx.Err() == nil {
		err = w.send(ctx, args, len(rows))
	}
	return to, err
}

func (w *Writer) send(ctx context.Context, args []any, rows int) error {
	var b pgx.Batch
	b.Queue(scopeSQL, string(models.ScopeSystem), w.opts.Process)
	b.Queue(insertSQL, args...)
	sent := w.pool.SendBatch(ctx, &b)
	_, err := sent.Exec()
	var tag pgconn.CommandTag
	if err == nil {
		tag, err = sent.Exec()
	}
	if err := errors.Join(err, sent.Close()); err != nil {
		return err
	}
	if tag.RowsAffected() != int64(rows) {
		return errMoved
	}
	return nil
}

// stored reads where a stream ends in the database. It waits for a transaction that may
// still be at it on a connection that we lost.
func (w *Writer) stored(ctx context.Context, stream string) (h head, err error) {
	err = asSystem(ctx, w.pool, w.opts.Process, func(tx pgx.Tx) (err error) {
		h, err = headOf(ctx, tx, stream)
		return err
	})
	return h, err
}

// headOf reads where a stream ends, and keeps it there until the transaction ends.
func headOf(ctx context.Context, tx pgx.Tx, stream string) (head, error) {
	h := head{stream: stream}
	var hash []byte
	err := tx.QueryRow(ctx, `SELECT seq, hash FROM audit_streams WHERE stream = $1 FOR UPDATE`, stream).Scan(&h.seq, &hash)
	copy(h.hash[:], hash)
	return h, err
}

// columns chains rows to a head and turns them into one array for each column, in the
// order of insertSQL.
func (w *Writer) columns(from head, rows []row) (head, []any) {
	n := len(rows)
	at, revision := make([]time.Time, n), make([]int64, n)
	prev, hash := make([][]byte, n), make([][]byte, n)
	texts := make([][]string, 11)
	for i := range texts {
		texts[i] = make([]string, n)
	}
	to := from
	for i := range rows {
		r := &rows[i]
		before := to.hash
		to, w.buf = to.next(r, w.buf)
		after := to.hash
		at[i], revision[i], prev[i], hash[i] = r.at, r.revision, before[:], after[:]
		for c, s := range [...]string{r.id, r.actor, r.action, r.object, r.decision, r.rule, r.roles, r.context, r.requestID, r.traceID, r.remoteIP} {
			texts[c][i] = s
		}
	}
	args := []any{from.stream, from.seq, to.seq, to.hash[:], from.hash[:], at, revision, prev, hash}
	for _, column := range texts {
		args = append(args, column)
	}
	return to, args
}

// aboutData says whether Postgres refused what an entry holds (SQLSTATE classes 22, data
// exception, and 23, integrity), so that others may still be kept.
func aboutData(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (strings.HasPrefix(pg.Code, "22") || strings.HasPrefix(pg.Code, "23"))
}

// keptBefore says whether an entry of this ID and time is in the trail already.
func keptBefore(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23505" && strings.HasSuffix(pg.ConstraintName, "_pkey")
}

// append adds rows to the stream. Where it cannot be known whether a commit succeeded, the
// answer is an error, and the stream is looked at before anything else is added to it.
func (w *Writer) append(ctx context.Context, rows []row) (head, error) {
	if err := w.settle(ctx); err != nil {
		return w.head, err
	}
	to, err := w.insert(ctx, w.head, rows)
	if err == nil || aboutData(err) {
		return to, err
	}
	w.unsure = &to
	if w.settle(ctx) == nil && w.head == to {
		return to, nil // it was committed, and we did not hear of it
	}
	return w.head, err
}

// settle finds out where the stream ends after a commit of which we heard nothing.
func (w *Writer) settle(ctx context.Context) error {
	if w.unsure == nil {
		return nil
	}
	found, err := w.stored(ctx, w.head.stream)
	if err != nil {
		return err
	}
	if found != w.head && found != *w.unsure {
		w.moved.Store(true)
		w.opts.Log.ErrorContext(ctx, "CRITICAL: an audit stream is not as its writer left it", "stream", w.head.stream, "seq", w.head.seq, "found", found.seq)
		return errMoved
	}
	w.head, w.unsure = found, nil
	w.issued.Store(found.seq)
	return nil
}
