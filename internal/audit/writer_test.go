package audit

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/devstack"
	"github.com/wedsync/scalability/internal/devstack/devstacktest"
	"github.com/wedsync/scalability/models"
)

func entry(id string) models.AuditEntry {
	return models.AuditEntry{
		ID: id, At: time.Date(2027, 6, 12, 14, 0, 0, 123456000, time.UTC), Actor: "user:anna", Action: "scalability:read",
		Object: "GET /api/scalability/status", Decision: models.AuditAllow, Rule: "role scalability_viewer",
		Roles: []models.Role{models.RoleViewer}, RequestID: "r-1", RemoteIP: "192.0.2.7", Context: map[string]string{"wedding_day": "true"},
	}
}

func TestWhatWasRecordedIsKeptAsItWas(t *testing.T) {
	d := newDatabase(t)
	w := d.writer(t, Options{})
	require.NoError(t, w.Record(t.Context(), entry("e-1")))
	assert.Equal(t, map[string]row{"e-1": {
		id: "e-1", at: entry("").At, actor: "user:anna", action: "scalability:read", object: "GET /api/scalability/status",
		decision: "allow", rule: "role scalability_viewer", roles: `["scalability_viewer"]`, requestID: "r-1",
		remoteIP: "192.0.2.7", context: `{"wedding_day":"true"}`,
	}}, d.kept(t))
}

func TestAnEntryThatIsSentAgainIsKeptOnceAsItWas(t *testing.T) {
	d := newDatabase(t)
	w := d.writer(t, Options{Connections: 1})
	require.NoError(t, w.Record(t.Context(), entry("e-1")))
	again := entry("e-1")
	again.Actor = "user:eve"
	require.NoError(t, w.Record(t.Context(), again))
	release := d.lock(t)
	errs, wait := pile(t, w, 5, func(int) models.AuditEntry { return entry("e-2") })
	release()
	wait()
	for _, err := range errs {
		require.NoError(t, err, "in one batch, too")
	}
	kept := d.kept(t)
	assert.Contains(t, kept, "e-2")
	assert.Equal(t, "user:anna", kept["e-1"].actor, "nothing that is there is changed")
}

func TestZeroFieldsAreFilledInAndTheDecisionDenies(t *testing.T) {
	d := newDatabase(t)
	w := d.writer(t, Options{})
	before := time.Now().Truncate(time.Microsecond)
	require.NoError(t, w.Record(t.Context(), models.AuditEntry{}))
	kept := d.kept(t)
	require.Len(t, kept, 1)
	for id, r := range kept {
		parsed, err := uuid.Parse(id)
		require.NoError(t, err)
		assert.Equal(t, uuid.Version(7), parsed.Version())
		assert.False(t, r.at.Before(before))
		assert.Equal(t, "deny", r.decision)
		assert.Equal(t, "[]", r.roles)
		assert.Equal(t, "{}", r.context)
	}
}

func TestTheScopeIsOfTheTransactionOnly(t *testing.T) {
	d := newDatabase(t)
	w := d.writer(t, Options{Connections: 1})
	require.NoError(t, w.Record(t.Context(), entry("e-1")))
	var role, subject, durable string
	require.NoError(t, w.pool.QueryRow(t.Context(),
		"SELECT coalesce(current_setting('wedsync.role', true), ''), coalesce(current_setting('wedsync.subject', true), ''), current_setting('synchronous_commit')").Scan(&role, &subject, &durable))
	assert.Empty(t, role)
	assert.Empty(t, subject)
	assert.Equal(t, "on", durable)
	_, err := w.pool.Exec(t.Context(), `INSERT INTO security_audit_logs (id, at, actor, action, object, decision, rule, request_id, remote_ip)
		VALUES ('e-2', now(), '', '', '', 'allow', '', '', '')`)
	require.ErrorContains(t, err, "row-level security", "the table is guarded in this test")
}

func TestHostileValuesAreKeptHarmless(t *testing.T) {
	d := newDatabase(t)
	w := d.writer(t, Options{})
	for name, text := range map[string]string{
		"nul": "a\x00b", "invalid": "a\xff\xfeb", "cut rune": "\xe2\x82", "quotes": `'); DROP TABLE security_audit_logs; --"{}\u0000`,
		"array": `{a,"b",NULL}`, "controls": "a\r\n\x1b[31mb", "separators": "\u2028\u2029", "huge": strings.Repeat("é\x00", 1<<20),
		"huge and invalid": strings.Repeat("\xff", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			e := models.AuditEntry{
				ID: "id-" + name, Actor: text, Action: text, Object: text, Rule: text, Roles: []models.Role{models.Role(text)},
				RequestID: text, RemoteIP: text, Context: map[string]string{text: text},
			}
			require.NoError(t, w.Record(t.Context(), e))
			kept, ok := d.kept(t)["id-"+name]
			require.True(t, ok)
			assert.LessOrEqual(t, len(kept.actor), maxName)
			assert.LessOrEqual(t, len(kept.object), maxText)
			if name == "quotes" || name == "array" || name == "controls" {
				assert.Equal(t, text, kept.object)
			}
			if strings.HasPrefix(name, "huge") {
				assert.True(t, strings.HasSuffix(kept.object, "…"))
			}
		})
	}
}

func TestHugeListsAreBounded(t *testing.T) {
	e := models.AuditEntry{Context: map[string]string{}}
	for i := range 1000 {
		e.Roles = append(e.Roles, models.Role(fmt.Sprint("role", i)))
		e.Context[fmt.Sprintf("key%04d", i)] = "v"
	}
	assert.Len(t, cleanRoles(e.Roles), maxRoles)
	kept := cleanContext(e.Context)
	assert.Len(t, kept, maxContext)
	assert.Contains(t, kept, "key0000")
	assert.Contains(t, kept, "key0039")
}

// pile starts a call for each entry and returns when all wait behind a lock.
func pile(t *testing.T, w *Writer, n int, next func(i int) models.AuditEntry) (errs []error, wait func()) {
	t.Helper()
	errs = make([]error, n+1)
	var wg sync.WaitGroup
	wg.Go(func() { errs[0] = w.Record(t.Context(), entry("first")) })
	require.Eventually(t, func() bool { return w.pool.Stat().AcquiredConns() == 1 }, 10*time.Second, time.Millisecond)
	for i := range n {
		wg.Go(func() { errs[i+1] = w.Record(t.Context(), next(i)) })
	}
	require.Eventually(t, func() bool { return len(w.queue) == n }, 10*time.Second, time.Millisecond)
	return errs, wg.Wait
}

func TestEntriesThatWaitAreCommittedTogether(t *testing.T) {
	d := newDatabase(t)
	var batches []int
	w := d.writer(t, Options{Connections: 1, Timeout: time.Minute, OnBatch: func(n int, took time.Duration, err error) {
		assert.Positive(t, took)
		if err != nil {
			t.Error(err)
		}
		batches = append(batches, n)
	}})
	release := d.lock(t)
	errs, wait := pile(t, w, 500, func(i int) models.AuditEntry { return entry(fmt.Sprint("e-", i)) })
	release()
	wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	assert.Len(t, d.kept(t), 501)
	assert.Equal(t, []int{1, 500}, batches)
}

func TestABadEntryFailsAloneInItsBatch(t *testing.T) {
	d := newDatabase(t)
	w := d.writer(t, Options{Connections: 1, Timeout: time.Minute})
	bad := map[int]func(*models.AuditEntry){
		3:  func(e *models.AuditEntry) { e.Decision = "perhaps" },
		40: func(e *models.AuditEntry) { e.Decision = "" + "no" },
		41: func(e *models.AuditEntry) { e.Decision = "maybe" },
	}
	release := d.lock(t)
	errs, wait := pile(t, w, 100, func(i int) models.AuditEntry {
		e := entry(fmt.Sprint("e-", i))
		if spoil := bad[i]; spoil != nil {
			spoil(&e)
		}
		return e
	})
	release()
	wait()
	kept := d.kept(t)
	for i, err := range errs[1:] {
		_, there := kept[fmt.Sprint("e-", i)]
		if bad[i] != nil {
			assert.Equal(t, models.KindUnavailable, models.KindOf(err), "entry %d: %v", i, err)
			assert.False(t, there)
		} else {
			require.NoError(t, err, "entry %d", i)
			assert.True(t, there)
		}
	}
}

func TestAFullQueueRefusesAtOnce(t *testing.T) {
	d := newDatabase(t)
	w := d.writer(t, Options{Connections: 1, Queue: 4, Timeout: time.Hour})
	release := d.lock(t)
	_, wait := pile(t, w, 4, func(i int) models.AuditEntry { return entry(fmt.Sprint("e-", i)) })
	err := w.Record(t.Context(), entry("one too many"))
	assert.Equal(t, models.KindUnavailable, models.KindOf(err))
	require.ErrorContains(t, err, "queue is full: 4")
	release()
	wait()
	assert.Len(t, d.kept(t), 5)
}

func TestNobodyWaitsForever(t *testing.T) {
	d := newDatabase(t)
	w := d.writer(t, Options{Connections: 1, Timeout: 200 * time.Millisecond})
	release := d.lock(t)
	err := w.Record(t.Context(), entry("e-1"))
	assert.Equal(t, models.KindUnavailable, models.KindOf(err))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = w.Record(ctx, entry("e-2"))
	assert.Equal(t, models.KindUnavailable, models.KindOf(err), "a caller that left learns nothing")
	release()
	require.Eventually(t, func() bool { return w.Record(t.Context(), entry("e-3")) == nil }, 20*time.Second, 20*time.Millisecond)
	assert.Contains(t, d.kept(t), "e-3")
}

func TestCloseCommitsWhatWaits(t *testing.T) {
	d := newDatabase(t)
	w := d.writer(t, Options{Connections: 1, Timeout: time.Minute})
	release := d.lock(t)
	errs, wait := pile(t, w, 50, func(i int) models.AuditEntry { return entry(fmt.Sprint("e-", i)) })
	closed := make(chan error, 1)
	go func() { closed <- w.Close(t.Context()) }()
	require.Eventually(t, func() bool {
		w.mu.RLock()
		defer w.mu.RUnlock()
		return w.closed
	}, 10*time.Second, time.Millisecond)
	release()
	require.NoError(t, <-closed)
	wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	assert.Len(t, d.kept(t), 51)
	err := w.Record(t.Context(), entry("late"))
	assert.Equal(t, models.KindUnavailable, models.KindOf(err))
	require.NoError(t, w.Close(t.Context()), "closing twice changes nothing")
}

func TestCloseThatMayNotWaitFailsWhatWaits(t *testing.T) {
	d := newDatabase(t)
	w := d.writer(t, Options{Connections: 1, Timeout: time.Minute})
	release := d.lock(t)
	defer release()
	errs, wait := pile(t, w, 50, func(i int) models.AuditEntry { return entry(fmt.Sprint("e-", i)) })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	assert.Equal(t, models.KindUnavailable, models.KindOf(w.Close(ctx)))
	wait()
	for _, err := range errs {
		assert.Equal(t, models.KindUnavailable, models.KindOf(err))
	}
}

func TestOpenFailsWhereNothingCanBeKept(t *testing.T) {
	t.Run("postgres is away", func(t *testing.T) {
		port, err := devstack.FreePort()
		require.NoError(t, err)
		_, err = Open(t.Context(), Options{URL: fmt.Sprintf("postgres://app:secret@127.0.0.1:%d/none", port)})
		assert.Equal(t, models.KindUnavailable, models.KindOf(err))
		assert.NotContains(t, err.Error(), "secret")
	})
	t.Run("not an address", func(t *testing.T) {
		_, err := Open(t.Context(), Options{URL: "postgres://app:secret@127.0.0.1:port/none"})
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "secret")
	})
	t.Run("no migrations", func(t *testing.T) {
		_, app := devstacktest.Postgres(t)
		_, err := Open(t.Context(), Options{URL: app})
		assert.Equal(t, models.KindUnavailable, models.KindOf(err))
		assert.ErrorContains(t, err, "were the migrations made?")
	})
	t.Run("no right to write", func(t *testing.T) {
		d := newDatabase(t)
		d.exec(t, "REVOKE INSERT ON security_audit_logs FROM "+devstack.AppRole)
		_, err := Open(t.Context(), Options{URL: d.app})
		assert.ErrorContains(t, err, "may not be written to")
	})
}

// TestNoAcknowledgedEntryIsLostWhenPostgresDies kills a durable Postgres under load.
func TestNoAcknowledgedEntryIsLostWhenPostgresDies(t *testing.T) {
	pg, err := devstack.StartPostgres(t.Context(), devstack.PostgresOptions{Dir: devstacktest.Dir(t)})
	require.NoError(t, err)
	t.Cleanup(pg.Kill)
	d := database{pg.OwnerURL(), pg.AppURL()}
	d.migrate(t)
	var log bytes.Buffer
	w := d.writer(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})

	var acknowledged sync.Map
	var count, failures atomic.Int64
	var stop atomic.Bool
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				id := fmt.Sprintf("e-%d-%d", g, i)
				err := w.Record(t.Context(), entry(id))
				if err == nil {
					acknowledged.Store(id, true)
					count.Add(1)
					continue
				}
				assert.Equal(t, models.KindUnavailable, models.KindOf(err))
				failures.Add(1)
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	for range 2 {
		began := count.Load()
		require.Eventually(t, func() bool { return count.Load() > began+200 }, 30*time.Second, time.Millisecond)
		failed := failures.Load()
		pg.Kill()
		require.Eventually(t, func() bool { return failures.Load() > failed }, 30*time.Second, time.Millisecond)
		// The killed server's children hold its memory for a moment.
		require.Eventually(t, func() bool { return pg.Start(t.Context()) == nil }, 60*time.Second, 50*time.Millisecond)
	}
	began := count.Load()
	require.Eventually(t, func() bool { return count.Load() > began }, 30*time.Second, time.Millisecond, "it recovers by itself")
	stop.Store(true)
	wg.Wait()

	kept := d.kept(t)
	acknowledged.Range(func(id, _ any) bool {
		return assert.Contains(t, kept, id)
	})
	assert.Contains(t, log.String(), "cannot be committed")
	assert.Contains(t, log.String(), "are committed again")
}

func TestDisabledKeepsNothingAndSaysSoOnce(t *testing.T) {
	var log bytes.Buffer
	n := Disabled(slog.New(slog.NewTextHandler(&log, nil)))
	for range 3 {
		require.NoError(t, n.Record(t.Context(), entry("e")))
	}
	require.NoError(t, n.Close(t.Context()))
	assert.Equal(t, 1, strings.Count(log.String(), "audit logging is off"))
}
