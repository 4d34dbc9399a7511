package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// each reads the entries of an actor as a command line would.
func (d database) each(t *testing.T, f models.AuditFilter) []models.AuditEntry {
	t.Helper()
	r, err := NewReader(t.Context(), d.app, "test")
	require.NoError(t, err)
	defer r.Close()
	var all []models.AuditEntry
	require.NoError(t, r.Each(t.Context(), f, func(e models.AuditEntry) error { all = append(all, e); return nil }))
	return all
}

func TestACommandIsOnRecordBeforeItIsGivenAndAfter(t *testing.T) {
	d := newDatabase(t)
	w := d.writer(t, Options{})
	command := models.AuditEntry{Actor: "user:olga", Action: "pause", Object: "service/api", RequestID: "r1"}
	require.NoError(t, w.Command(t.Context(), command, func(context.Context) error {
		before := d.each(t, models.AuditFilter{Actor: "user:olga"})
		require.Len(t, before, 1, "the intent is committed when the command is given")
		assert.Equal(t, []string{"command.intent", "pause", "r1"}, []string{before[0].Action, before[0].Rule, before[0].RequestID})
		return nil
	}))
	err := w.Command(t.Context(), command, func(context.Context) error { return models.Unavailable("launch", errors.New("away")) })
	assert.Equal(t, models.KindUnavailable, models.KindOf(err), "the command's own error is the answer")
	var rules []string
	for _, e := range d.each(t, models.AuditFilter{Action: "command.outcome", Object: "service/*"}) {
		rules = append(rules, e.Rule)
	}
	assert.Equal(t, []string{"pause done", "pause failed: unavailable"}, rules)
}

func TestACommandThatCannotBeRecordedIsNotGiven(t *testing.T) {
	d := newDatabase(t)
	w := d.writer(t, Options{Timeout: 100 * time.Millisecond})
	release := d.lock(t)
	err := w.Command(t.Context(), models.AuditEntry{Action: "pause"}, func(context.Context) error {
		t.Error("the command was given")
		return nil
	})
	assert.Equal(t, models.KindUnavailable, models.KindOf(err))
	release()
}

func TestWithAFullQueueNoCommandIsGiven(t *testing.T) {
	d := newDatabase(t)
	w := d.writer(t, Options{Connections: 1, Queue: 4, Timeout: time.Minute})
	release := d.lock(t)
	_, wait := pile(t, w, 4, func(i int) models.AuditEntry { return entry(fmt.Sprint("e-", i)) })
	err := w.Command(t.Context(), models.AuditEntry{Action: "pause"}, func(context.Context) error {
		t.Error("the command was given")
		return nil
	})
	assert.Equal(t, models.KindUnavailable, models.KindOf(err))
	release()
	wait()
}

// TestACommandWhoseOutcomeFindsNoDatabaseIsReconciled loses Postgres between the two rows.
func TestACommandWhoseOutcomeFindsNoDatabaseIsReconciled(t *testing.T) {
	x := newTrail(t, 8)
	w := x.database.writer(t, Options{Timeout: 300 * time.Millisecond})
	var release func()
	given := 0
	err := w.Command(t.Context(), models.AuditEntry{ID: "i-1", At: time.Now().Add(-10 * time.Minute), Actor: "user:olga", Action: "pause", Object: "service/api"}, func(context.Context) error {
		given++
		release = x.lock(t)
		return nil
	})
	require.NoError(t, err, "the command was given, and its caller is told so")
	assert.Equal(t, 1, given)
	watcher := x.connect(t, x.owner)
	require.Eventually(t, func() bool {
		var waiting int
		err := watcher.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").Scan(&waiting)
		return err == nil && w.failing.Load() && waiting == 0
	}, 20*time.Second, 20*time.Millisecond, "the outcome is given up, by the server too")
	release()
	closed, err := w.ReconcileIntents(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"intent i-1"}, closed)
	got := x.each(t, models.AuditFilter{Actor: "user:olga", Action: "command.*"})
	require.Len(t, got, 2)
	assert.Contains(t, got[1].Rule, "pause unknown")
	require.NoError(t, x.anchor.Checkpoint(t.Context(), 0))
	assert.Empty(t, x.verify(t, nil).Findings)
}

func TestIntentsWithoutAnOutcomeAreClosedOnce(t *testing.T) {
	d := newDatabase(t)
	w := d.writer(t, Options{})
	for id, age := range map[string]time.Duration{"i-lost": 10 * time.Minute, "i-runs": time.Second, "i-done": 9 * time.Minute} {
		require.NoError(t, w.Record(t.Context(), models.AuditEntry{ID: id, At: time.Now().Add(-age), Actor: "user:olga", Action: actionIntent, Rule: "pause", Object: "service/api"}))
	}
	require.NoError(t, w.Record(t.Context(), models.AuditEntry{ID: "i-done" + outcomeSuffix, Action: actionOutcome}))
	closed, err := w.ReconcileIntents(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"intent i-lost"}, closed)
	closed, err = w.ReconcileIntents(t.Context())
	require.NoError(t, err)
	assert.Empty(t, closed)
	got := d.each(t, models.AuditFilter{Actor: "user:olga", Action: actionOutcome})
	require.Len(t, got, 1)
	assert.Contains(t, got[0].Rule, "pause unknown")
}

func TestAFollowerSeesEachEntryOnce(t *testing.T) {
	d := newDatabase(t)
	w := d.writer(t, Options{})
	r, err := NewReader(t.Context(), d.app, "tail")
	require.NoError(t, err)
	defer r.Close()
	for _, id := range []string{"-2", "-1", "0"} {
		require.NoError(t, w.Record(t.Context(), models.AuditEntry{ID: id, Action: "x.y", Decision: models.AuditAllow}))
	}
	ctx, stop := context.WithCancel(t.Context())
	seen := make(chan string, 10)
	done := make(chan error, 1)
	go func() {
		done <- r.Follow(ctx, models.AuditFilter{Action: "x*", Decision: models.AuditAllow}, FollowOptions{Every: 20 * time.Millisecond, Last: 2, Do: func(e models.AuditEntry) error {
			seen <- e.ID
			return nil
		}})
	}()
	for _, id := range []string{"-1", "0"} { // the last two of those before
		assert.Equal(t, id, <-seen)
	}
	require.NoError(t, w.Record(t.Context(), models.AuditEntry{ID: "late", At: time.Now().Add(-time.Hour), Action: "x.y", Decision: models.AuditAllow}))
	assert.Equal(t, "late", <-seen, "however late after its time it was committed")
	require.NoError(t, w.Record(t.Context(), models.AuditEntry{ID: "no", Action: "y", Decision: models.AuditAllow}))
	for _, id := range []string{"1", "2"} {
		require.NoError(t, w.Record(t.Context(), models.AuditEntry{ID: id, Action: "x.y", Decision: models.AuditAllow}))
		assert.Equal(t, id, <-seen)
	}
	stop()
	require.NoError(t, <-done)
	assert.Empty(t, seen)
}

func TestWhatIsMissingWhenTheTrailIsReadBackIsCounted(t *testing.T) {
	d := newDatabase(t)
	w := d.writer(t, Options{})
	for range 5 {
		require.NoError(t, w.Record(t.Context(), models.AuditEntry{Action: "x"}))
	}
	n, err := w.count(0, w.issued.Load())
	require.NoError(t, err)
	assert.Equal(t, int64(6), n, "with the first row of the stream")
	var told Count
	var said bytes.Buffer
	w.opts.OnCount, w.opts.Log = func(c Count) { told = c }, slog.New(slog.NewTextHandler(&said, nil))
	(&trail{database: d}).doctor(t, "DELETE FROM security_audit_logs WHERE seq = 3")
	var l look
	w.look(&l)
	assert.Equal(t, Count{Issued: 6, Committed: 5}, told)
	assert.Contains(t, said.String(), "CRITICAL: audit entries that were committed are missing")
	require.NoError(t, w.Record(t.Context(), models.AuditEntry{Action: "x"}))
	w.look(&l)
	assert.Equal(t, Count{Issued: 7, Committed: 6}, told, "what was missing once stays missing")
	n, err = w.count(0, w.issued.Load())
	require.NoError(t, err)
	assert.Equal(t, int64(6), n, "of seven")
}

func TestThePublicKeyFollowsFromThePrivateOne(t *testing.T) {
	for range 20 { // base64 may hold what separates the parts
		private, public, err := GenerateKey()
		require.NoError(t, err)
		got, err := PublicKey(private + "\n")
		require.NoError(t, err)
		assert.Equal(t, public, got)
	}
	for _, bad := range []string{"", "PRIVATE+KEY+a+b", "PRIVATE+KEY+a+12345678+!!", "PUBLIC+KEY+a+12345678+AAAA"} {
		_, err := PublicKey(bad)
		assert.Error(t, err, bad)
	}
}
