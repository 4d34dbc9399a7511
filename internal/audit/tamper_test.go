package audit

import (
	"context"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/wedsync/scalability/models"
)

// These are the attacks of somebody who owns the database, and knows how the trail is made.

// closedStream is the entries' stream of the writer that was closed.
func (x *trail) closedStream(t testing.TB) (name string, last int64) {
	t.Helper()
	conn := x.connect(t, x.owner)
	_, err := conn.Exec(t.Context(), "SELECT set_config('wedsync.role', 'system', false)")
	require.NoError(t, err)
	err = conn.QueryRow(t.Context(), "SELECT stream, seq FROM audit_streams WHERE closed_at IS NOT NULL AND stream NOT LIKE '%changes'").Scan(&name, &last)
	require.NoError(t, err)
	return name, last
}

// chainAnew changes a row and gives all that follow it, and the head, new hashes: nothing in
// the database alone contradicts it.
func (x *trail) chainAnew(t testing.TB, stream string, seq int64, change func(*models.AuditEntry)) {
	t.Helper()
	x.chainAnewUntil(t, stream, seq, 1<<40, change)
}

// chainAnewUntil leaves what follows the last row as it was.
func (x *trail) chainAnewUntil(t testing.TB, stream string, seq, last int64, change func(*models.AuditEntry)) {
	t.Helper()
	x.doctor(t)
	conn := x.connect(t, x.owner)
	_, err := conn.Exec(t.Context(), "SELECT set_config('wedsync.role', 'system', false), set_config('wedsync.maintenance', 'on', false)")
	require.NoError(t, err)
	var rows []models.AuditEntry
	err = pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
		return eachRow(t.Context(), tx, "WHERE stream = $1 AND seq >= $2 AND seq <= $3 ORDER BY seq", []any{stream, seq, last}, func(e models.AuditEntry) error {
			rows = append(rows, e)
			return nil
		})
	})
	require.NoError(t, err)
	at := head{stream: stream, seq: seq - 1}
	copy(at.hash[:], rows[0].Prev)
	change(&rows[0])
	var b pgx.Batch
	for _, e := range rows {
		r, err := newRow(e, time.Now())
		require.NoError(t, err)
		before := at.hash
		at, _ = at.next(&r, nil)
		after := at.hash
		b.Queue("UPDATE security_audit_logs SET actor = $3, prev = $4, hash = $5 WHERE stream = $1 AND seq = $2", stream, at.seq, r.actor, before[:], after[:])
	}
	b.Queue("UPDATE audit_streams SET hash = $2 WHERE stream = $1 AND seq = $3", stream, at.hash[:], at.seq)
	require.NoError(t, conn.SendBatch(t.Context(), &b).Close())
}

func byEve(e *models.AuditEntry) { e.Actor = "user:eve" }

func TestAPieceThatWasChainedAnewDoesNotFitWhatFollows(t *testing.T) {
	x := newTrail(t, 40)
	name, _ := x.closedStream(t)
	x.chainAnewUntil(t, name, 20, 30, byEve)
	r := x.verify(t, nil)
	require.Equal(t, Tampered, r.Verdict(), "%v", r.Findings)
	assert.Equal(t, int64(31), r.Findings[0].Seq, "%v", r.Findings)
	assert.Contains(t, r.Findings[0].Text, "does not follow the row before it")
	assert.NotEmpty(t, r.Findings[0].ID)
}

func TestHistoryThatWasChainedAnewMeetsTheNextCheckpoint(t *testing.T) {
	x := newTrail(t, 40)
	name := x.writer.name
	x.fill(t, x.writer, 40)
	require.NoError(t, x.anchor.Checkpoint(t.Context(), 0))
	x.fill(t, x.writer, 40)
	x.chainAnew(t, name, 60, byEve)
	r := x.verify(t, nil)
	require.Equal(t, Tampered, r.Verdict(), "%v", r.Findings)
	assert.Equal(t, int64(81), r.Findings[0].Seq, "%v", r.Findings)
	assert.Contains(t, r.Findings[0].Text, "one of the rows 42 to 81 was changed")
}

func TestWhatWasChainedAnewAfterTheLastCheckpointIsTheWindowThatIsLeft(t *testing.T) {
	x := newTrail(t, 40)
	x.fill(t, x.writer, 40)
	x.chainAnew(t, x.writer.name, 60, byEve)
	assert.Equal(t, Sound, x.verify(t, nil).Verdict(), "nothing vouches for it yet, as the guide says")
	require.NoError(t, x.writer.Check())
	require.Error(t, x.writer.Record(t.Context(), entry("next")), "but the writer knows, and takes nothing more")
	require.ErrorIs(t, x.writer.Check(), errMoved, "and health says so")
}

func TestARowAfterTheClosingOneIsFoundAlsoUnderANewCheckpoint(t *testing.T) {
	x := newTrail(t, 8)
	name, last := x.closedStream(t)
	x.doctor(t)
	var h head
	conn := x.connect(t, x.owner)
	_, err := conn.Exec(t.Context(), "SELECT set_config('wedsync.role', 'system', false)")
	require.NoError(t, err)
	h.stream = name
	var hash []byte
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT seq, hash FROM audit_streams WHERE stream = $1", name).Scan(&h.seq, &hash))
	copy(h.hash[:], hash)
	rows := []row{}
	for _, action := range []string{"scalability:manage", actionClose} {
		r, err := newRow(models.AuditEntry{Actor: "user:mallory", Action: action, Decision: models.AuditAllow}, time.Now())
		require.NoError(t, err)
		rows = append(rows, r)
	}
	_, err = conn.Exec(t.Context(), "UPDATE audit_streams SET closed_at = NULL WHERE stream = $1", name)
	require.NoError(t, err)
	_, args := x.writer.columns(h, rows)
	_, err = conn.Exec(t.Context(), insertSQL, args...)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "UPDATE audit_streams SET closed_at = now() WHERE stream = $1", name)
	require.NoError(t, err)
	require.NoError(t, x.anchor.Checkpoint(t.Context(), 0))
	r := x.verify(t, nil)
	require.Equal(t, Tampered, r.Verdict(), "%v", r.Findings)
	assert.Equal(t, last+1, r.Findings[0].Seq)
	assert.Contains(t, r.Findings[0].Text, "after the closing row")
}

func TestCheckpointsThatWereReplayedOrCutAtTheFrontAreFound(t *testing.T) {
	x := newTrail(t, 8)
	for range 2 {
		x.fill(t, x.writer, 8)
		require.NoError(t, x.anchor.Checkpoint(t.Context(), 0))
	}
	x.remember(t)
	for name, c := range map[string]struct {
		statement string
		want      Verdict
		text      string
	}{
		"an old one is put at the end":     {"INSERT INTO audit_checkpoints (at, note) SELECT now(), note FROM audit_checkpoints ORDER BY id LIMIT 1", Tampered, "an older one, put there again"},
		"the newest becomes an old one":    {"UPDATE audit_checkpoints SET note = (SELECT note FROM audit_checkpoints ORDER BY id LIMIT 1) WHERE id = (SELECT max(id) FROM audit_checkpoints)", Tampered, "an older one"},
		"the oldest is gone":               {"DELETE FROM audit_checkpoints WHERE id = (SELECT min(id) FROM audit_checkpoints)", Gap, "the oldest that is there, are missing"},
		"one in the middle is gone":        {"DELETE FROM audit_checkpoints WHERE id = (SELECT min(id) + 1 FROM audit_checkpoints)", Gap, "a checkpoint before"},
		"two have changed places":          {"UPDATE audit_checkpoints c SET note = (SELECT o.note FROM audit_checkpoints o WHERE o.id <> c.id AND o.id < 3) WHERE c.id < 3", Gap, "missing"},
		"one has a signature that is none": {"UPDATE audit_checkpoints SET note = regexp_replace(note, '— wedsync-audit .*', '— wedsync-audit AAAAAAAAAAAAAAAA') WHERE id = 2", Tampered, "not signed by a key"},
	} {
		t.Run(name, func(t *testing.T) {
			x.putBack(t)
			require.Empty(t, x.verify(t, nil).Findings)
			x.doctor(t, c.statement)
			r := x.verify(t, nil)
			require.Equal(t, c.want, r.Verdict(), "%v", r.Findings)
			assert.Contains(t, r.Findings[0].Text, c.text)
		})
	}
}

func TestACheckpointThatWasCopiedIsMissedInTheDatabase(t *testing.T) {
	x := newTrail(t, 8)
	x.fill(t, x.writer, 8)
	require.NoError(t, x.anchor.Checkpoint(t.Context(), 0))
	signer, err := note.NewSigner(x.private)
	require.NoError(t, err)
	older, err := note.Sign(&note.Note{Text: checkpoint{at: time.Now().Add(-time.Hour)}.text()}, signer)
	require.NoError(t, err)
	require.NoError(t, folder(x.copies).Copy(t.Context(), copyName(time.Now().Add(-time.Hour)), string(older)))
	r := x.verify(t, func(o *VerifyOptions) { o.Copies = x.copies })
	require.Equal(t, Gap, r.Verdict(), "%v", r.Findings)
	assert.Contains(t, r.Findings[0].Text, "was copied, and is missing from the database")
	assert.Equal(t, 3, r.Copies)
}

func TestWhatAKilledProcessDidNotCopyIsCopiedByTheNext(t *testing.T) {
	x := newTrail(t, 8)
	killed, err := x.writer.NewAnchor(x.private, nil) // it signs, and ends before it has copied
	require.NoError(t, err)
	x.fill(t, x.writer, 8)
	require.NoError(t, killed.Checkpoint(t.Context(), 0))
	assert.Equal(t, 1, x.verify(t, func(o *VerifyOptions) { o.Copies = x.copies }).Copies)
	next, err := x.writer.NewAnchor(x.private, folder(x.copies))
	require.NoError(t, err)
	require.NoError(t, next.Checkpoint(t.Context(), 0))
	r := x.verify(t, func(o *VerifyOptions) { o.Copies = x.copies })
	assert.Empty(t, r.Findings)
	assert.Equal(t, 2, r.Copies)
}

// TestAnIdleStreamIsVouchedForByTheRootOfTheNewestCheckpoint has one checkpoint alone, which
// does not name the stream.
func TestAnIdleStreamIsVouchedForByTheRootOfTheNewestCheckpoint(t *testing.T) {
	x := newTrail(t, 8)
	name, _ := x.closedStream(t)
	x.doctor(t, "DELETE FROM audit_checkpoints", "UPDATE audit_streams SET at = at - interval '3 days', opened_at = opened_at - interval '3 days' WHERE closed_at IS NOT NULL")
	require.NoError(t, x.anchor.Checkpoint(t.Context(), 0))
	r := x.verify(t, nil)
	require.Empty(t, r.Findings, "it is sound, and vouched for")
	assert.Zero(t, r.Unanchored)

	x.chainAnew(t, name, 5, byEve)
	r = x.verify(t, nil)
	require.Equal(t, Tampered, r.Verdict(), "%v", r.Findings)
	assert.Contains(t, r.Findings[0].Text, "one that was idle is gone or was changed")
	x.doctor(t, fmt.Sprintf("DELETE FROM security_audit_logs WHERE stream = '%s'", name), fmt.Sprintf("DELETE FROM audit_streams WHERE stream = '%s'", name))
	assert.Equal(t, Tampered, x.verify(t, nil).Verdict(), "nor can it vanish")
}

func TestARotatedKeyVouchesForWhatItSignedAndForNothingLater(t *testing.T) {
	x := newTrail(t, 8)
	given := time.Now()
	private, public, err := GenerateKey()
	require.NoError(t, err)
	next, err := x.writer.NewAnchor(private, nil)
	require.NoError(t, err)
	x.fill(t, x.writer, 8)
	require.NoError(t, next.Checkpoint(t.Context(), 0))
	with := func(keys ...string) Report { return x.verify(t, func(o *VerifyOptions) { o.PublicKeys = keys }) }
	former := x.public + "@" + given.UTC().Add(time.Second).Format(time.RFC3339)
	assert.Empty(t, with(public, former, former).Findings)
	assert.Equal(t, Tampered, with(public).Verdict(), "who signed before must be known")
	assert.Equal(t, Tampered, with(former).Verdict())

	time.Sleep(time.Until(given.Add(2 * time.Second)))
	x.fill(t, x.writer, 8)
	require.NoError(t, x.anchor.Checkpoint(t.Context(), 0), "whoever stole the former key signs with it")
	r := with(public, former)
	require.Equal(t, Tampered, r.Verdict())
	assert.Contains(t, r.Findings[0].Text, "was given up at")
	assert.Empty(t, with(public, x.public).Findings, "who is not told of its end cannot know")
	for _, bad := range []string{"x", x.private, x.public + "@yesterday"} {
		_, err := newSigners([]string{bad})
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "PRIVATE+KEY", "a private key that was given by mistake is not shown")
	}
}

// oldMonth puts rows of long ago into a partition of their own, and gives its name.
func (x *trail) oldMonth(t testing.TB) string {
	t.Helper()
	old := time.Now().AddDate(0, -4, 0)
	x.exec(t, "SELECT set_config('wedsync.role', 'system', false); SELECT wedsync_ensure_partitions('"+old.Format(time.RFC3339)+"', 1)")
	for i := range 4 {
		e := entry(fmt.Sprint("old-", i))
		e.At = old
		require.NoError(t, x.writer.Record(t.Context(), e))
	}
	require.NoError(t, x.anchor.Checkpoint(t.Context(), 0))
	return "security_audit_logs_p" + old.UTC().Format("200601")
}

func TestAMadeUpManifestHidesNothing(t *testing.T) {
	x := newTrail(t, 8)
	name := x.oldMonth(t)
	lower, err := time.Parse("200601", name[len(name)-6:])
	require.NoError(t, err)
	// Whoever owns the database writes all that retention would have written but a signature.
	forger, _, err := GenerateKey()
	require.NoError(t, err)
	signer, err := note.NewSigner(forger)
	require.NoError(t, err)
	text, _, err := x.writer.seal(t.Context(), name, lower, lower.AddDate(0, 1, 0))
	require.NoError(t, err)
	n, err := note.Open([]byte(text), note.VerifierList(mustVerifier(t, x.public)))
	require.NoError(t, err)
	forged, err := note.Sign(&note.Note{Text: n.Text}, signer)
	require.NoError(t, err)
	d := sum(string(forged))
	digest := hex.EncodeToString(d[:])
	require.NoError(t, x.writer.Record(t.Context(), models.AuditEntry{
		Actor: "svc:worker", Action: actionDrop, Object: "partition/" + name, Decision: models.AuditAllow, Context: map[string]string{"digest": digest}}))
	conn := x.connect(t, x.owner)
	x.doctor(t, "DROP TABLE "+name)
	_, err = conn.Exec(t.Context(), "SELECT set_config('wedsync.role', 'system', false), set_config('wedsync.maintenance', 'on', false)")
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "UPDATE audit_partitions SET manifest = $1, digest = $2, dropped_at = now()", string(forged), digest)
	require.NoError(t, err)
	require.NoError(t, x.anchor.Checkpoint(t.Context(), 0))
	r := x.verify(t, nil)
	require.Equal(t, Tampered, r.Verdict(), "%v", r.Findings)
	assert.Contains(t, r.Findings[0].Text, "is not signed by a key that may")
}

func mustVerifier(t testing.TB, key string) note.Verifier {
	t.Helper()
	v, err := note.NewVerifier(key)
	require.NoError(t, err)
	return v
}

func TestAMonthThatWasSealedWithOtherRowsIsNotDropped(t *testing.T) {
	x := newTrail(t, 8)
	name := x.oldMonth(t)
	conn := x.connect(t, x.app)
	err := asSystemOn(t.Context(), conn, `INSERT INTO audit_partitions (name, upper, rows, manifest, digest) VALUES ('`+name+`', now() - interval '90 days', 4, '{"partition":"x"}', '')`)
	require.NoError(t, err, "the application may seal")
	dropped, err := x.writer.Retire(t.Context(), 60, []string{x.public})
	require.ErrorContains(t, err, "it was sealed before, with other rows")
	assert.Empty(t, dropped)
	assert.Empty(t, x.verify(t, nil).Findings)
}

func asSystemOn(ctx context.Context, conn *pgx.Conn, statement string) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, scopeSQL, string(models.ScopeSystem), "test"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, statement)
		return err
	})
}

func TestWithoutAKeyNothingIsDropped(t *testing.T) {
	x := newTrail(t, 8)
	name := x.oldMonth(t)
	other := x.database.writer(t, Options{})
	_, err := other.Retire(t.Context(), 60, []string{x.public})
	require.ErrorIs(t, err, errNoSigner)
	_, err = x.writer.Retire(t.Context(), 60, nil)
	require.ErrorContains(t, err, "not sound")
	dropped, err := x.writer.Retire(t.Context(), 60, []string{x.public})
	require.NoError(t, err)
	assert.Contains(t, dropped, name)
	require.NoError(t, x.anchor.Checkpoint(t.Context(), 0))
	assert.Empty(t, x.verify(t, nil).Findings)
	from := time.Now().AddDate(0, -5, 0)
	assert.Empty(t, x.verify(t, func(o *VerifyOptions) { o.From, o.Until = from, time.Now() }).Findings, "also from before the month that is gone")
}

func TestAMonthThatWasWrittenWhileTheWorkerWasAwayIsRetiredToo(t *testing.T) {
	x := newTrail(t, 8)
	late := time.Now().AddDate(0, -4, 0)
	for i := range 3 { // nobody made a partition for them
		e := entry(fmt.Sprint("late-", i))
		e.At = late
		require.NoError(t, x.writer.Record(t.Context(), e))
	}
	require.NoError(t, x.anchor.Checkpoint(t.Context(), 0))
	dropped, err := x.writer.Retire(t.Context(), 60, []string{x.public})
	require.NoError(t, err)
	assert.Empty(t, dropped)
	x.exec(t, "SELECT set_config('wedsync.role', 'system', false); SELECT wedsync_ensure_partitions(now(), 14)")
	require.Empty(t, x.verify(t, nil).Findings, "rows that moved are the same rows")
	dropped, err = x.writer.Retire(t.Context(), 60, []string{x.public})
	require.NoError(t, err)
	assert.Equal(t, []string{"security_audit_logs_p" + late.UTC().Format("200601")}, dropped)
	require.NoError(t, x.anchor.Checkpoint(t.Context(), 0))
	assert.Empty(t, x.verify(t, nil).Findings)
}

// TestACheckpointThatIsMadeMeanwhileIsNoGap copies one that commits after the snapshot: the
// rows that it vouches for are not there yet.
func TestACheckpointThatIsMadeMeanwhileIsNoGap(t *testing.T) {
	x := newTrail(t, 8)
	v := &verification{opts: VerifyOptions{Process: "test", Copies: x.copies, PublicKeys: []string{x.public}}, streams: map[string]*streamState{}}
	var err error
	v.keys, err = newSigners(v.opts.PublicKeys)
	require.NoError(t, err)
	v.pool = x.writer.pool
	err = pgx.BeginTxFunc(t.Context(), v.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), scopeSQL, string(models.ScopeSystem), "test")
		require.NoError(t, err)
		other, err := NewReader(t.Context(), x.app, "test")
		require.NoError(t, err)
		defer other.Close()
		meanwhile := &Anchor{pool: other.pool, process: "test", signer: x.anchor.signer, copies: folder(x.copies), log: x.writer.opts.Log, waiting: map[string]string{}}
		x.fill(t, x.writer, 8)
		require.NoError(t, meanwhile.Checkpoint(t.Context(), 0))
		v.pool = other.pool
		require.NoError(t, v.readStreams(t.Context(), tx))
		return v.readCheckpoints(t.Context(), tx)
	})
	require.NoError(t, err)
	assert.Equal(t, 2, v.report.Copies)
	assert.Equal(t, 1, v.report.Checkpoints)
	for _, name := range v.order {
		v.judgeEnd(v.streams[name], v.streams[name].stored)
	}
	assert.Empty(t, v.report.Findings)
}

func TestARowAfterTheClosingOneIsFoundWhereReadersMeet(t *testing.T) {
	at := func(seq int64) head { return head{stream: "s", seq: seq, hash: digest{byte(seq)}} }
	s := &streamState{stored: at(4), known: true, closed: true, base: at(0), segments: []segment{
		{first: at(1), last: at(2), prev: digest{0}, closes: true}, {first: at(3), last: at(4), prev: digest{2}, closes: true},
	}}
	v := &verification{now: time.Now()}
	v.judge(s)
	require.NotEmpty(t, v.report.Findings)
	assert.Equal(t, int64(3), v.report.Findings[0].Seq)
	assert.Contains(t, v.report.Findings[0].Text, "after the closing row")
}
