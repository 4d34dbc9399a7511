package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/wedsync/scalability/models"
)

// read runs statements that change nothing in one transaction with the caller's scope.
func (s *Store) read(ctx context.Context, op string, do func(tx *gorm.DB) error) error {
	return s.scoped(ctx, op, &sql.TxOptions{ReadOnly: true}, do)
}

// write runs statements in one transaction with the caller's scope: all or none.
func (s *Store) write(ctx context.Context, op string, do func(tx *gorm.DB) error) error {
	return s.scoped(ctx, op, nil, do)
}

// scoped is the only way to the tables. The scope is set for the transaction, so that it
// ends with it and cannot be met by the next user of the connection. Without a scope the
// call is refused here: row level security alone would answer with an empty list, which
// a caller could take for the truth.
func (s *Store) scoped(ctx context.Context, op string, o *sql.TxOptions, do func(tx *gorm.DB) error) error {
	scope := models.ScopeFrom(ctx)
	if scope.Role == models.ScopeNone {
		scope = s.scope
	}
	if scope.Role == models.ScopeNone {
		return &models.Error{Kind: models.KindForbidden, Op: op, Field: "scope", Rule: "is required to use the database"}
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, s.queryTimeout)
	defer cancel()
	t, err := s.begin(ctx, scope, o)
	if err != nil {
		return classify(op, err)
	}
	defer t.release()
	if err := do(s.session(ctx, t.tx)); err != nil {
		return classify(op, err)
	}
	err = t.tx.Commit()
	if took := time.Since(began); took > slowAfter {
		s.log.WarnContext(ctx, "slow transaction", "op", op, "took", took)
	}
	return classify(op, err)
}

// transaction is a connection of the pool with an open transaction.
type transaction struct {
	conn *sql.Conn
	tx   *sql.Tx
}

// release undoes what was not committed and gives the connection back.
func (t transaction) release() {
	if t.tx != nil {
		_ = t.tx.Rollback() // sql.ErrTxDone after a commit; a lost connection is discarded
	}
	_ = t.conn.Close()
}

// begin opens a transaction. A connection that died in the pool is found out here at the
// latest, before anything was asked of it, so another one is tried.
func (s *Store) begin(ctx context.Context, scope models.Scope, o *sql.TxOptions) (transaction, error) {
	for attempt := 1; ; attempt++ {
		conn, err := s.connection(ctx)
		if err != nil {
			return transaction{}, err
		}
		t := transaction{conn: conn}
		if t.tx, err = conn.BeginTx(ctx, o); err == nil {
			err = s.setScope(ctx, t.tx, scope)
		}
		if err == nil {
			return t, nil
		}
		t.release()
		if attempt == 3 || ctx.Err() != nil || !lost(err) {
			return transaction{}, err
		}
	}
}

// connection takes one from the pool, or makes one, within the connection timeout.
func (s *Store) connection(ctx context.Context) (*sql.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.connectTimeout)
	defer cancel()
	return s.pool.Conn(ctx)
}

// setScope tells row level security who asks, and the server when to give up.
func (s *Store) setScope(ctx context.Context, tx *sql.Tx, scope models.Scope) error {
	_, err := tx.ExecContext(ctx,
		"SELECT set_config('wedsync.role', $1, true), set_config('wedsync.subject', $2, true), set_config('statement_timeout', $3, true)",
		string(scope.Role), scope.Subject, milliseconds(s.queryTimeout))
	return err
}

const scopedSetting = "wedsync:scoped"

// session is GORM over a transaction whose scope is set.
func (s *Store) session(ctx context.Context, tx *sql.Tx) *gorm.DB {
	g := s.db.Session(&gorm.Session{NewDB: true, Context: ctx})
	g.Statement.ConnPool = tx
	return g.Set(scopedSetting, true).Session(&gorm.Session{})
}

var errUnscoped = errors.New("store: a statement outside of read and write has no scope")

// guard makes GORM refuse any statement that did not come by way of scoped.
func guard(db *gorm.DB) error {
	refuse := func(db *gorm.DB) {
		if _, ok := db.Get(scopedSetting); !ok {
			_ = db.AddError(errUnscoped)
		}
	}
	const name = "wedsync:scope"
	c := db.Callback()
	return errors.Join(
		c.Create().Before("gorm:create").Register(name, refuse),
		c.Query().Before("gorm:query").Register(name, refuse),
		c.Update().Before("gorm:update").Register(name, refuse),
		c.Delete().Before("gorm:delete").Register(name, refuse),
		c.Row().Before("gorm:row").Register(name, refuse),
		c.Raw().Before("gorm:raw").Register(name, refuse),
	)
}

// exec runs a statement as it stands and counts the rows it touched: GORM would take
// arrays apart.
func exec(tx *gorm.DB, query string, args ...any) (int64, error) {
	res, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
