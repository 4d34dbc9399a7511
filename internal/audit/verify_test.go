package audit

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// trail is a database with a sound, anchored trail of one writer that was closed and one
// that is open.
type trail struct {
	database
	writer  *Writer
	anchor  *Anchor
	public  string
	private string
	copies  string
}

func newTrail(t testing.TB, rows int) *trail {
	t.Helper()
	x := &trail{database: newDatabase(t), copies: t.TempDir()}
	var err error
	x.private, x.public, err = GenerateKey()
	require.NoError(t, err)
	for i := range 2 {
		w, err := Open(t.Context(), Options{URL: x.app, Process: "test", Timeout: 30 * time.Second})
		require.NoError(t, err)
		x.fill(t, w, rows)
		x.writer = w
		if i == 0 {
			require.NoError(t, w.Close(t.Context()))
		}
	}
	t.Cleanup(func() { _ = x.writer.Close(context.Background()) })
	x.anchor, err = x.writer.NewAnchor(x.private, folder(x.copies))
	require.NoError(t, err)
	require.NoError(t, x.anchor.Checkpoint(t.Context(), 0))
	return x
}

// fill records entries of now, from several callers.
func (x *trail) fill(t testing.TB, w *Writer, rows int) {
	t.Helper()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range rows / 8 {
				e := entry(fmt.Sprintf("%s-%d-%d", w.name, g, i))
				e.At = time.Now()
				assert.NoError(t, w.Record(t.Context(), e))
			}
		})
	}
	wg.Wait()
}

// doctor changes the trail as somebody would who owns the server.
func (x *trail) doctor(t testing.TB, statements ...string) {
	t.Helper()
	conn := x.connect(t, x.owner)
	for _, s := range append([]string{
		"ALTER TABLE security_audit_logs NO FORCE ROW LEVEL SECURITY", "ALTER TABLE audit_streams NO FORCE ROW LEVEL SECURITY",
		"ALTER TABLE audit_checkpoints NO FORCE ROW LEVEL SECURITY", "ALTER TABLE audit_partitions NO FORCE ROW LEVEL SECURITY",
		"SELECT set_config('wedsync.role', 'system', false), set_config('wedsync.maintenance', 'on', false)",
	}, statements...) {
		_, err := conn.Exec(t.Context(), s)
		require.NoError(t, err, s)
	}
	require.NoError(t, conn.Close(t.Context()))
}

// remember keeps the trail as it is, and putBack makes it so again: a database costs more.
func (x *trail) remember(t testing.TB) {
	t.Helper()
	for _, table := range []string{"security_audit_logs", "audit_streams", "audit_checkpoints"} {
		x.doctor(t, "CREATE TABLE kept_"+table+" AS SELECT * FROM "+table)
	}
}

func (x *trail) putBack(t testing.TB) {
	t.Helper()
	for _, table := range []string{"security_audit_logs", "audit_streams", "audit_checkpoints"} {
		x.doctor(t, "DELETE FROM "+table, "INSERT INTO "+table+" OVERRIDING SYSTEM VALUE SELECT * FROM kept_"+table)
	}
}

func (x *trail) verify(t testing.TB, change func(*VerifyOptions)) Report {
	t.Helper()
	o := VerifyOptions{URL: x.app, Process: "test", PublicKeys: []string{x.public}}
	if change != nil {
		change(&o)
	}
	r, err := Verify(t.Context(), o)
	require.NoError(t, err)
	return r
}

func TestASoundTrailIsSound(t *testing.T) {
	x := newTrail(t, 400)
	r := x.verify(t, func(o *VerifyOptions) { o.Copies = x.copies })
	assert.Empty(t, r.Findings)
	assert.Equal(t, Sound, r.Verdict())
	assert.Equal(t, 4, r.Streams)
	assert.Equal(t, int64(2*400+3*1+1*1+2), r.Rows, "the entries, and the first and last rows of the streams")
	assert.Zero(t, r.Unanchored)

	x.fill(t, x.writer, 80)
	r = x.verify(t, nil)
	assert.Equal(t, Sound, r.Verdict(), "what is young needs no checkpoint yet: %v", r.Findings)
	assert.Equal(t, int64(80), r.Unanchored)
	require.NoError(t, x.anchor.Checkpoint(t.Context(), 0))
	assert.Zero(t, x.verify(t, nil).Unanchored)
}

func TestWhatWasDoneToTheTrailIsFoundAtTheFirstBadRow(t *testing.T) {
	shared := newTrail(t, 400)
	shared.remember(t)
	const victim = "(SELECT stream FROM audit_streams WHERE closed_at IS NOT NULL AND stream NOT LIKE '%changes' LIMIT 1)"
	for name, c := range map[string]struct {
		statements []string
		want       Verdict
		seq        int64
		text       string
	}{
		"a text is changed": {[]string{"UPDATE security_audit_logs SET actor = 'user:eve' WHERE seq = 30 AND stream = " + victim}, Tampered, 30, "content"},
		"one bit of the context": {[]string{`UPDATE security_audit_logs SET context = '{"wedding_day":"trve"}' WHERE seq = 31 AND stream = ` + victim},
			Tampered, 31, "content"},
		"a decision is turned": {[]string{"UPDATE security_audit_logs SET decision = 'deny' WHERE seq = 32 AND stream = " + victim}, Tampered, 32, "content"},
		"a row is deleted":     {[]string{"DELETE FROM security_audit_logs WHERE seq = 40 AND stream = " + victim}, Gap, 40, "rows 40 to 40 are missing"},
		"two rows are swapped": {[]string{"UPDATE security_audit_logs SET seq = CASE seq WHEN 50 THEN 51 ELSE 50 END WHERE seq IN (50, 51) AND stream = " + victim},
			Tampered, 50, "content"},
		"a number is there twice": {[]string{"UPDATE security_audit_logs SET seq = 60 WHERE seq = 61 AND stream = " + victim}, Tampered, 60, "content"},
		"the end is cut off":      {[]string{"DELETE FROM security_audit_logs WHERE seq > 300 AND stream = " + victim}, Gap, 301, "cut off"},
		"the end is cut off, and the head set back": {[]string{
			"DELETE FROM security_audit_logs WHERE seq > 300 AND stream = " + victim,
			"UPDATE audit_streams SET seq = 300, hash = (SELECT hash FROM security_audit_logs l WHERE l.stream = audit_streams.stream AND seq = 300) WHERE stream = " + victim,
		}, Gap, 301, "cut off"},
		"a stream is dropped": {[]string{
			"CREATE TEMP TABLE v AS SELECT " + victim + " AS stream",
			"DELETE FROM security_audit_logs WHERE stream = (SELECT stream FROM v)", "DELETE FROM audit_streams WHERE stream = (SELECT stream FROM v)",
		}, Gap, 402, "it is gone"},
		"a stream's head is dropped": {[]string{"DELETE FROM audit_streams WHERE stream = " + victim}, Tampered, 1, "never opened"},
		"a row is slipped in": {[]string{`INSERT INTO security_audit_logs (id, at, actor, action, object, decision, rule, request_id, remote_ip)
			VALUES ('x', now(), 'user:eve', 'scalability:read', '', 'allow', '', '', '')`}, Tampered, 0, "outside of all streams"},
		"a row is added at the end": {[]string{`INSERT INTO security_audit_logs (id, at, actor, action, object, decision, rule, request_id, remote_ip, stream, seq, prev, hash)
			SELECT 'x', now(), 'user:eve', 'scalability:read', '', 'allow', '', '', '', stream, 403, hash, sha256('') FROM security_audit_logs WHERE seq = 402 AND stream = ` + victim},
			Tampered, 403, "content"},
		"the partition is swapped for an older copy": {[]string{
			"DO $$ DECLARE p text; BEGIN SELECT tableoid::regclass::text INTO p FROM security_audit_logs WHERE seq = 30 LIMIT 1; " +
				"EXECUTE format('CREATE TABLE doctored AS SELECT * FROM security_audit_logs WHERE seq <= 200'); EXECUTE format('ALTER TABLE security_audit_logs DETACH PARTITION %s', p); " +
				"EXECUTE format('ALTER TABLE %s RENAME TO original', p); ALTER TABLE doctored ALTER id SET NOT NULL; END $$",
			"DO $$ DECLARE c text; BEGIN FOR c IN SELECT attname FROM pg_attribute WHERE attrelid = 'security_audit_logs'::regclass AND attnum > 0 AND attnotnull LOOP " +
				"EXECUTE format('ALTER TABLE doctored ALTER %I SET NOT NULL', c); END LOOP; ALTER TABLE doctored ADD CONSTRAINT security_audit_logs_decision_check CHECK (decision IN ('allow', 'deny')); " +
				"EXECUTE format('ALTER TABLE security_audit_logs ATTACH PARTITION doctored FOR VALUES FROM (%L) TO (%L)', date_trunc('month', now()), date_trunc('month', now()) + interval '1 month'); END $$",
		}, Gap, 201, "cut off"},
		"a checkpoint is forged":                   {[]string{"UPDATE audit_checkpoints SET note = replace(note, 'time 2', 'time 3')"}, Tampered, 0, "not signed"},
		"the checkpoints are gone for a long time": {[]string{"DELETE FROM audit_checkpoints", "UPDATE audit_streams SET at = at - interval '1 hour'"}, NotAnchored, 1, "no signed checkpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			x := shared
			if strings.Contains(name, "partition") {
				x = newTrail(t, 400) // it is not put back
			} else {
				x.putBack(t)
			}
			x.doctor(t, c.statements...)
			r := x.verify(t, nil)
			require.NotEmpty(t, r.Findings)
			assert.Equal(t, c.want, r.Verdict(), "%v", r.Findings)
			assert.Equal(t, c.seq, r.Findings[0].Seq, "%v", r.Findings)
			assert.Contains(t, r.Findings[0].String(), c.text)
		})
	}
}

func TestACopyOffTheMachineKnowsWhatWasCutOffWithItsCheckpoints(t *testing.T) {
	x := newTrail(t, 80)
	x.fill(t, x.writer, 80)
	require.NoError(t, x.anchor.Checkpoint(t.Context(), 0))
	x.doctor(t,
		"DELETE FROM audit_checkpoints WHERE id = (SELECT max(id) FROM audit_checkpoints)",
		fmt.Sprintf("DELETE FROM security_audit_logs WHERE stream = '%s' AND seq > 100", x.writer.name),
		fmt.Sprintf("UPDATE audit_streams SET seq = 100, hash = (SELECT hash FROM security_audit_logs WHERE stream = '%[1]s' AND seq = 100) WHERE stream = '%[1]s'", x.writer.name))
	assert.Equal(t, Sound, x.verify(t, nil).Verdict(), "the database alone cannot tell")
	r := x.verify(t, func(o *VerifyOptions) { o.Copies = x.copies })
	assert.Equal(t, Gap, r.Verdict())
	assert.Equal(t, int64(101), r.Findings[0].Seq)
}

func TestAPartOfTheTrailIsVerifiedFromCheckpointToCheckpoint(t *testing.T) {
	x := newTrail(t, 80)
	from := time.Now()
	x.fill(t, x.writer, 80)
	until := time.Now()
	require.NoError(t, x.anchor.Checkpoint(t.Context(), 0))
	x.fill(t, x.writer, 80)
	require.NoError(t, x.anchor.Checkpoint(t.Context(), 0))
	within := func(o *VerifyOptions) { o.From, o.Until = from, until }
	r := x.verify(t, within)
	assert.Empty(t, r.Findings)
	assert.Equal(t, int64(80), r.Rows)
	x.doctor(t, fmt.Sprintf("UPDATE security_audit_logs SET actor = 'user:eve' WHERE stream = '%s' AND seq = 20", x.writer.name))
	assert.Equal(t, Sound, x.verify(t, within).Verdict(), "it is before the time")
	assert.Equal(t, Tampered, x.verify(t, nil).Verdict())
}

func TestAnotherKeyVouchesForNothing(t *testing.T) {
	x := newTrail(t, 8)
	_, other, err := GenerateKey()
	require.NoError(t, err)
	assert.Equal(t, Tampered, x.verify(t, func(o *VerifyOptions) { o.PublicKeys = []string{other} }).Verdict())
	assert.Equal(t, NotAnchored, x.verify(t, func(o *VerifyOptions) { o.PublicKeys = nil }).Verdict())
	_, err = x.writer.NewAnchor(x.public, nil)
	assert.Error(t, err, "a public key signs nothing")
}

func TestCheckpointsAreMadeOnlyWhenDueAndCopiedOnce(t *testing.T) {
	x := newTrail(t, 8)
	require.NoError(t, x.anchor.Checkpoint(t.Context(), 0))
	names, err := filepath.Glob(filepath.Join(x.copies, "*/*/*/*.note"))
	require.NoError(t, err)
	assert.Len(t, names, 1, "nothing has changed since the first")
	x.fill(t, x.writer, 8)
	require.NoError(t, x.anchor.Checkpoint(t.Context(), time.Hour))
	assert.Equal(t, 1, x.verify(t, nil).Checkpoints, "none is due yet")

	blocked := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(blocked, nil, 0o600))
	x.anchor.copies = folder(blocked)
	require.Error(t, x.anchor.Checkpoint(t.Context(), 0))
	x.anchor.copies = folder(x.copies)
	require.NoError(t, x.anchor.Checkpoint(t.Context(), time.Hour), "what could not be copied is copied later")
	names, err = filepath.Glob(filepath.Join(x.copies, "*/*/*/*.note"))
	require.NoError(t, err)
	assert.Len(t, names, 2)
}

func TestAChangeAndItsEntryAreCommittedTogetherOrNotAtAll(t *testing.T) {
	x := newTrail(t, 8)
	db, err := sql.Open("pgx", x.app)
	require.NoError(t, err)
	defer db.Close()
	change := func(commit bool) {
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.Exec("SELECT set_config('wedsync.role', 'scalability_operator', true), set_config('wedsync.subject', 'user:olga', true)")
		require.NoError(t, err)
		require.NoError(t, x.writer.Changes().Append(t.Context(), tx, models.AuditEntry{Actor: "user:olga", Action: "reservation.create", Object: "reservation/r1", Decision: models.AuditAllow}))
		var role, subject string
		require.NoError(t, tx.QueryRow("SELECT current_setting('wedsync.role'), current_setting('wedsync.subject')").Scan(&role, &subject))
		assert.Equal(t, []string{"scalability_operator", "user:olga"}, []string{role, subject}, "the scope is as it was")
		if commit {
			require.NoError(t, tx.Commit())
		} else {
			require.NoError(t, tx.Rollback())
		}
	}
	for _, commit := range []bool{true, false, true, false} {
		change(commit)
	}
	n := 0
	for _, r := range x.kept(t) {
		if r.action == "reservation.create" {
			n++
		}
	}
	assert.Equal(t, 2, n)
	require.NoError(t, x.anchor.Checkpoint(t.Context(), 0))
	assert.Empty(t, x.verify(t, nil).Findings)

	require.NoError(t, x.writer.Close(t.Context()))
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	err = x.writer.Changes().Append(t.Context(), tx, models.AuditEntry{})
	assert.Equal(t, models.KindUnavailable, models.KindOf(err), "a stream that was closed takes nothing")
	require.NoError(t, tx.Rollback())
	require.NoError(t, x.anchorOf(t).Checkpoint(t.Context(), 0))
	assert.Empty(t, x.verify(t, nil).Findings)
}

// anchorOf signs for a trail whose own writer was closed.
func (x *trail) anchorOf(t testing.TB) *Anchor {
	t.Helper()
	w := x.database.writer(t, Options{})
	a, err := w.NewAnchor(x.private, nil)
	require.NoError(t, err)
	return a
}

func TestRetentionDropsWhatIsSealedAndTheRestStaysVerifiable(t *testing.T) {
	x := newTrail(t, 8)
	old := time.Now().AddDate(0, -4, 0)
	x.exec(t, "SELECT set_config('wedsync.role', 'system', false); SELECT wedsync_ensure_partitions('"+old.Format(time.RFC3339)+"', 1)")
	for i := range 20 {
		e := entry(fmt.Sprint("old-", i))
		if e.At = time.Now(); i%3 == 0 {
			e.At = old // an entry that came late stands between others
		}
		require.NoError(t, x.writer.Record(t.Context(), e))
	}
	require.NoError(t, x.anchor.Checkpoint(t.Context(), 0))
	before := x.verify(t, nil)
	require.Empty(t, before.Findings)

	dropped, err := x.writer.Retire(t.Context(), 60, []string{x.public})
	require.NoError(t, err)
	assert.Contains(t, dropped, "security_audit_logs_p"+old.UTC().Format("200601"))
	require.NoError(t, x.anchor.Checkpoint(t.Context(), 0))
	after := x.verify(t, nil)
	assert.Empty(t, after.Findings)
	assert.Equal(t, before.Rows-7+int64(len(dropped)), after.Rows, "what was dropped is gone, and each drop is on record")

	x.doctor(t, "UPDATE audit_partitions SET manifest = replace(manifest, '\"first\":', '\"first\": ')")
	r := x.verify(t, nil)
	assert.Equal(t, Tampered, r.Verdict(), "a manifest that was changed explains nothing")
}

func TestNothingIsDroppedWhileTheTrailIsNotSoundUpToThere(t *testing.T) {
	for name, statement := range map[string]string{
		"a row of that month was changed": "UPDATE security_audit_logs SET actor = 'user:eve' WHERE id = 'old-1'",
		"a row of that month is missing":  "DELETE FROM security_audit_logs WHERE id = 'old-1'",
		"a stream is gone":                "WITH rows AS (DELETE FROM security_audit_logs WHERE stream LIKE '%changes') DELETE FROM audit_streams WHERE stream LIKE '%changes'",
	} {
		t.Run(name, func(t *testing.T) {
			x := newTrail(t, 8)
			month := x.oldMonth(t)
			x.doctor(t, statement)
			dropped, err := x.writer.Retire(t.Context(), 60, []string{x.public})
			require.ErrorContains(t, err, "not sound")
			assert.Empty(t, dropped)
			conn := x.connect(t, x.app)
			_, err = conn.Exec(t.Context(), "SELECT set_config('wedsync.role', 'system', false)")
			require.NoError(t, err)
			_, err = conn.Exec(t.Context(), "SELECT wedsync_drop_audit_partition($1, 60)", month)
			assert.ErrorContains(t, err, "is not sealed")
		})
	}
}

func TestABadRowOfTodayDoesNotEndRetentionOfThePast(t *testing.T) {
	x := newTrail(t, 8)
	month := x.oldMonth(t)
	x.doctor(t, "UPDATE security_audit_logs SET actor = 'user:eve' WHERE seq = 3 AND at > now() - interval '1 day'")
	before := x.verify(t, nil)
	dropped, err := x.writer.Retire(t.Context(), 60, []string{x.public})
	require.NoError(t, err)
	assert.Contains(t, dropped, month)
	require.NoError(t, x.anchor.Checkpoint(t.Context(), 0))
	assert.Equal(t, before.Findings, x.verify(t, nil).Findings, "and it is still found, with nothing besides")
}

func BenchmarkVerify(b *testing.B) {
	x := newTrail(b, 200_000)
	x.exec(b, "ANALYSE security_audit_logs")
	b.ResetTimer()
	var rows int64
	for range b.N {
		r := x.verify(b, nil)
		require.Empty(b, r.Findings)
		rows += r.Rows
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}
