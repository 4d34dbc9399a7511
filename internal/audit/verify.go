package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/mod/sumdb/note"

	"github.com/wedsync/scalability/models"
)

// anchorGrace is how long after a row its checkpoint may come.
const anchorGrace = 3 * time.Minute

// Verdict is what verification found. Its number is the exit code of the command.
type Verdict int

// The verdicts; of several the first in the order Tampered, Gap, NotAnchored counts.
const (
	Sound       Verdict = iota // each row is as it was written, and none is missing
	Tampered                   // a row, a stream or a checkpoint was changed
	Gap                        // rows or a stream are missing
	NotAnchored                // no signed checkpoint vouches for rows that are old enough to have one
)

// String is the verdict in words.
func (v Verdict) String() string {
	return [...]string{"sound", "tampered", "gap", "not anchored"}[v]
}

// VerifyOptions say what is verified, and against what.
type VerifyOptions struct {
	URL     string // of Postgres; the application's role is enough
	Process string
	// From and Until bound the time in which rows were committed, to the checkpoint around
	// it; zero is the beginning and now.
	From, Until time.Time
	PublicKey   string // of the signer of checkpoints; without it nothing is anchored
	Copies      string // folder of the checkpoints off the machine; "": those in the database alone
	Parallel    int    // readers; 0: one for each processor
}

// Finding is one thing that is wrong, with the first row that shows it.
type Finding struct {
	Verdict Verdict   `json:"-"`
	Kind    string    `json:"kind"`
	Stream  string    `json:"stream"`
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at,omitzero"`
	ID      string    `json:"id,omitempty"`
	Text    string    `json:"text"`
}

// String names the place and what is wrong with it.
func (f Finding) String() string {
	s := fmt.Sprintf("%s: stream %s, row %d", f.Verdict, f.Stream, f.Seq)
	if f.ID != "" {
		s += fmt.Sprintf(" (%s, %s)", f.ID, f.At.UTC().Format(time.RFC3339Nano))
	}
	return s + ": " + f.Text
}

// Report is what a verification found.
type Report struct {
	Rows        int64         `json:"rows"`
	Streams     int           `json:"streams"`
	Checkpoints int           `json:"checkpoints"`
	Unanchored  int64         `json:"unanchored"` // rows that no checkpoint vouches for yet
	Findings    []Finding     `json:"findings"`   // the worst first
	Took        time.Duration `json:"took"`
}

// Verdict is the worst of what was found.
func (r Report) Verdict() Verdict {
	if len(r.Findings) == 0 {
		return Sound
	}
	return r.Findings[0].Verdict
}

// verification is one run.
type verification struct {
	opts    VerifyOptions
	pool    *pgxpool.Pool
	now     time.Time
	report  Report
	streams map[string]*streamState
	order   []string
}

// streamState is what is known of one stream, before and after it is read.
type streamState struct {
	stored   head // of audit_streams; number 0 where it is not there
	known    bool // there is a row in audit_streams
	closed   bool
	outside  bool // nothing was written to it within the time
	at       time.Time
	base     head   // where verification begins
	anchors  []head // of verified checkpoints, by number
	until    int64  // where it ends; 0: at the end
	runs     []run  // what retention dropped
	segments []segment
}

// Verify reads the trail from one snapshot of the database. An error says that it could
// not be read, and nothing of what is in it.
func Verify(ctx context.Context, o VerifyOptions) (Report, error) {
	if o.Parallel <= 0 {
		o.Parallel = max(2, runtime.GOMAXPROCS(0))
	}
	pool, err := connect(ctx, Options{URL: o.URL, Process: o.Process, Connections: o.Parallel + 1}.withDefaults())
	if err != nil {
		return Report{}, err
	}
	defer pool.Close()
	began := time.Now()
	v := &verification{opts: o, pool: pool, streams: map[string]*streamState{}, report: Report{Findings: []Finding{}}}
	err = pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		return v.run(ctx, tx)
	})
	if err != nil {
		return Report{}, models.Unavailable("audit.Verify", err)
	}
	v.sort()
	v.report.Took = time.Since(began)
	return v.report, nil
}

func (v *verification) run(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, scopeSQL, string(models.ScopeSystem), v.opts.Process); err != nil {
		return err
	}
	var snapshot string
	if err := tx.QueryRow(ctx, `SELECT pg_export_snapshot(), clock_timestamp()`).Scan(&snapshot, &v.now); err != nil {
		return err
	}
	for _, step := range []func(context.Context, pgx.Tx) error{v.readStreams, v.readCheckpoints, v.readManifests, v.findStrangers} {
		if err := step(ctx, tx); err != nil {
			return err
		}
	}
	if err := v.scan(ctx, snapshot); err != nil {
		return err
	}
	for _, name := range v.order {
		v.judge(v.streams[name])
	}
	return nil
}

func (v *verification) find(kind Verdict, h head, format string, args ...any) {
	v.report.Findings = append(v.report.Findings, Finding{Verdict: kind, Kind: kind.String(), Stream: h.stream, Seq: h.seq, Text: fmt.Sprintf(format, args...)})
}

// sort puts the worst findings first, and of one kind the oldest.
func (v *verification) sort() {
	slices.SortStableFunc(v.report.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Verdict, b.Verdict), cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Seq, b.Seq))
	})
}

func (v *verification) stream(name string) *streamState {
	s := v.streams[name]
	if s == nil {
		s = &streamState{stored: head{stream: name, hash: genesis(name)}, base: head{stream: name, hash: genesis(name)}}
		v.streams[name] = s
		v.order = append(v.order, name)
	}
	return s
}

// readStreams finds the streams, and which of them were written to within the time.
func (v *verification) readStreams(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `SELECT stream, seq, hash, at, closed_at IS NOT NULL, coalesce(at < $1, false) OR coalesce(opened_at >= $2, false)
		FROM audit_streams ORDER BY opened_at, stream`, orNull(v.opts.From), orNull(v.opts.Until))
	if err != nil {
		return err
	}
	var h head
	var hash []byte
	var at time.Time
	var closed, outside bool
	_, err = pgx.ForEachRow(rows, []any{&h.stream, &h.seq, &hash, &at, &closed, &outside}, func() error {
		copy(h.hash[:], hash)
		s := v.stream(h.stream)
		s.stored, s.known, s.at, s.closed, s.outside = h, true, at, closed, outside
		if !outside {
			v.report.Streams++
		}
		return nil
	})
	return err
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// readCheckpoints takes the notes from the last one before the time to the first one after
// it, and the copies of the same time.
func (v *verification) readCheckpoints(ctx context.Context, tx pgx.Tx) error {
	if v.opts.PublicKey == "" {
		v.find(NotAnchored, head{stream: "-"}, "no key to check the signatures of checkpoints was given")
		return nil
	}
	key, err := note.NewVerifier(strings.TrimSpace(v.opts.PublicKey))
	if err != nil {
		return models.Invalid("key", "", "must be the public key that \"wedsync audit key\" printed")
	}
	rows, err := tx.Query(ctx, `SELECT id, note FROM audit_checkpoints
		WHERE at >= coalesce((SELECT max(at) FROM audit_checkpoints WHERE at <= $1), '-infinity')
		AND at <= coalesce((SELECT min(at) FROM audit_checkpoints WHERE at >= $2), 'infinity') ORDER BY id`, orNull(v.opts.From), orNull(v.opts.Until))
	if err != nil {
		return err
	}
	chain := notes{key: key}
	var id int64
	var text string
	_, err = pgx.ForEachRow(rows, []any{&id, &text}, func() error {
		v.takeNote(chain.next(text, fmt.Sprintf("checkpoint %d", id)))
		v.report.Checkpoints++
		return nil
	})
	if err != nil || v.opts.Copies == "" {
		return err
	}
	return v.readCopied(key)
}

// readCopied lets the copies vouch too: they know of what was cut off in the database with
// its checkpoints.
func (v *verification) readCopied(key note.Verifier) error {
	texts, err := readCopies(v.opts.Copies, v.opts.From)
	if err != nil {
		return err
	}
	for i, text := range texts {
		c, err := openCheckpoint(text, key)
		switch {
		case err != nil:
			v.find(Tampered, head{stream: "-"}, "the copied checkpoint %d of %s is not signed by the key: %v", i+1, v.opts.Copies, err)
		case v.opts.Until.IsZero() || c.at.Before(v.opts.Until):
			v.vouch(c)
		}
	}
	return nil
}

// takeNote uses one checkpoint: the one before the time says where to begin, the one after
// it where to end, and all of them what must be there.
func (v *verification) takeNote(c checkpoint, wrong *Finding) {
	if wrong != nil {
		v.report.Findings = append(v.report.Findings, *wrong)
	}
	if c.at.IsZero() {
		return
	}
	if !v.opts.From.IsZero() && !c.at.After(v.opts.From) {
		for _, h := range c.heads {
			if s := v.streams[h.stream]; s != nil && s.known {
				s.base = h
			}
		}
		return
	}
	if !v.opts.Until.IsZero() && !c.at.Before(v.opts.Until) {
		for _, h := range c.heads {
			if s := v.streams[h.stream]; s != nil && s.known && s.until == 0 {
				s.until = h.seq
			}
		}
	}
	v.vouch(c)
}

func (v *verification) vouch(c checkpoint) {
	for _, h := range c.heads {
		if s := v.streams[h.stream]; s == nil && !v.opts.Until.IsZero() && !c.at.Before(v.opts.Until) {
			continue // it began after the time
		}
		s := v.stream(h.stream)
		if n := len(s.anchors); h.seq > s.base.seq && (n == 0 || s.anchors[n-1] != h) {
			s.anchors = append(s.anchors, h)
		}
	}
}

// notes reads checkpoints in their order.
type notes struct {
	key      note.Verifier
	previous *digest
}

// next gives a checkpoint, the zero one where it is not to be trusted, and what is wrong.
func (n *notes) next(text, name string) (checkpoint, *Finding) {
	c, err := openCheckpoint(text, n.key)
	if err != nil {
		n.previous = nil
		return checkpoint{}, &Finding{Verdict: Tampered, Kind: Tampered.String(), Stream: "-", Text: name + " is not signed by the key: " + err.Error()}
	}
	before := n.previous
	this := sum(text)
	n.previous = &this
	if before != nil && c.previous != *before {
		return c, &Finding{Verdict: Gap, Kind: Gap.String(), Stream: "-", At: c.at, Text: "a checkpoint before " + name + " is missing"}
	}
	return c, nil
}

// findStrangers looks for rows outside of all streams.
func (v *verification) findStrangers(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `WITH RECURSIVE names AS (
			(SELECT stream FROM security_audit_logs ORDER BY stream LIMIT 1)
			UNION ALL
			SELECT (SELECT l.stream FROM security_audit_logs l WHERE l.stream > n.stream ORDER BY l.stream LIMIT 1) FROM names n WHERE n.stream IS NOT NULL)
		SELECT stream FROM names n WHERE stream <> '' AND NOT EXISTS (SELECT FROM audit_streams s WHERE s.stream = n.stream)`)
	if err != nil {
		return err
	}
	strangers, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range strangers {
		v.find(Tampered, head{stream: name, seq: 1}, "there are rows of a stream that was never opened, or whose head was removed")
	}
	var f Finding
	err = tx.QueryRow(ctx, `SELECT id, at FROM security_audit_logs WHERE stream = '' AND at >= (SELECT min(opened_at) FROM audit_streams) ORDER BY at LIMIT 1`).Scan(&f.ID, &f.At)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	f.Verdict, f.Kind, f.Stream, f.Text = Tampered, Tampered.String(), "-", "a row outside of all streams, after streams were begun"
	v.report.Findings = append(v.report.Findings, f)
	return err
}
