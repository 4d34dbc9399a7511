package audit

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/devstack"
	"github.com/wedsync/scalability/internal/devstack/devstacktest"
	"github.com/wedsync/scalability/internal/store"
)

func TestMain(m *testing.M) { os.Exit(devstacktest.Main(m)) }

// database is a database with the audit table.
type database struct{ owner, app string }

func newDatabase(t testing.TB) database {
	t.Helper()
	owner, app := devstacktest.Postgres(t)
	d := database{owner, app}
	d.migrate(t)
	return d
}

func (d database) migrate(t testing.TB) {
	t.Helper()
	require.NoError(t, store.Migrate(t.Context(), d.owner, devstack.AppRole, nil))
}

func (d database) connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	})
	return conn
}

func (d database) exec(t testing.TB, sql string) {
	t.Helper()
	conn := d.connect(t, d.owner)
	_, err := conn.Exec(t.Context(), sql)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
}

// writer opens a writer that is closed with the test.
func (d database) writer(t testing.TB, o Options) *Writer {
	t.Helper()
	o.URL, o.Process = d.app, "test"
	w, err := Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		assert.NoError(t, w.Close(ctx))
	})
	return w
}

// lock keeps every commit waiting until release.
func (d database) lock(t testing.TB) (release func()) {
	t.Helper()
	conn := d.connect(t, d.owner)
	_, err := conn.Exec(t.Context(), "BEGIN; LOCK TABLE security_audit_logs IN ACCESS EXCLUSIVE MODE")
	require.NoError(t, err)
	return func() {
		_, err := conn.Exec(t.Context(), "ROLLBACK")
		require.NoError(t, err)
	}
}

// kept reads what is in the table, by ID.
func (d database) kept(t testing.TB) map[string]row {
	t.Helper()
	conn := d.connect(t, d.owner)
	_, err := conn.Exec(t.Context(), "SELECT set_config('wedsync.role', 'system', false)")
	require.NoError(t, err)
	rows, err := conn.Query(t.Context(), "SELECT id, at, actor, action, object, decision, rule, roles, request_id, remote_ip, context FROM security_audit_logs WHERE action NOT LIKE 'audit.%'")
	require.NoError(t, err)
	out := map[string]row{}
	var r row
	_, err = pgx.ForEachRow(rows, []any{&r.id, &r.at, &r.actor, &r.action, &r.object, &r.decision, &r.rule, &r.roles, &r.requestID, &r.remoteIP, &r.context},
		func() error { r.at = r.at.UTC(); out[r.id] = r; return nil })
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	return out
}
