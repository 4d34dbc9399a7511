package audit

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

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
	// PublicKeys are of those who sign checkpoints, and who did before: key, or key@time for
	// one that was given up then. Without any nothing is anchored.
	PublicKeys []string
	Copies     string // folder of the checkpoints off the machine; "": those in the database alone
	Parallel   int    // readers; 0: one for each processor
	// Progress hears now and then how many rows were read, from any of the readers; may be nil.
	Progress func(done, total int64)
}

// Finding is one thing that is wrong, with the first row that shows it.
type Finding struct {
	Verdict Verdict   `json:"-"`
	Kind    string    `json:"kind"`
	Stream  string    `json:"stream"`
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at,omitzero"` // of that row, or of the one after a gap
	ID      string    `json:"id,omitempty"`
	Text    string    `json:"text"`
}

// named is 0 where a finding names a stream, and 1 where it is about the trail as a whole.
func (f Finding) named() int {
	if f.Stream == "-" {
		return 1
	}
	return 0
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
	Copies      int           `json:"copies"`     // of checkpoints, off the machine
	Unanchored  int64         `json:"unanchored"` // rows that no checkpoint vouches for yet
	Unchained   int64         `json:"unchained"`  // rows from before there were chains: nothing vouches for them
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
	keys    signers
	newest  checkpoint // that was made last
	total   int64
	done    atomic.Int64
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
	keys, err := newSigners(o.PublicKeys)
	if err != nil {
		return Report{}, err
	}
	pool, err := connect(ctx, Options{URL: o.URL, Process: o.Process, Connections: o.Parallel + 1, reads: true}.withDefaults())
	if err != nil {
		return Report{}, err
	}
	defer pool.Close()
	began := time.Now()
	v := &verification{opts: o, keys: keys, pool: pool, streams: map[string]*streamState{}, report: Report{Findings: []Finding{}}}
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
	v.judgeRoot()
	for _, name := range v.order {
		v.judge(v.streams[name])
	}
	return nil
}

func (v *verification) find(kind Verdict, h head, format string, args ...any) {
	v.report.Findings = append(v.report.Findings, Finding{Verdict: kind, Kind: kind.String(), Stream: h.stream, Seq: h.seq, Text: fmt.Sprintf(format, args...)})
}

// sort puts the worst findings first, of one kind those that name a row, and of these the first.
func (v *verification) sort() {
	slices.SortStableFunc(v.report.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Verdict, b.Verdict), cmp.Compare(a.named(), b.named()), cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Seq, b.Seq))
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
	if len(v.keys) == 0 {
		v.find(NotAnchored, head{stream: "-"}, "no key to check the signatures of checkpoints was given")
		return nil
	}
	rows, err := tx.Query(ctx, `SELECT id, note FROM audit_checkpoints
		WHERE at >= coalesce((SELECT max(at) FROM audit_checkpoints WHERE at <= $1), '-infinity')
		AND at <= coalesce((SELECT min(at) FROM audit_checkpoints WHERE at >= $2), 'infinity') ORDER BY id`, orNull(v.opts.From), orNull(v.opts.Until))
	if err != nil {
		return err
	}
	chain := notes{keys: v.keys, whole: v.opts.From.IsZero()}
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
	return v.readCopied(ctx, chain.seen)
}

// readCopied lets the copies vouch too: they know of what was cut off in the database with
// its checkpoints, and of checkpoints that are there no more. One that was made after the
// snapshot says nothing of it.
func (v *verification) readCopied(ctx context.Context, inDatabase map[digest]bool) error {
	texts, err := readCopies(v.opts.Copies, v.opts.From)
	if err != nil {
		return err
	}
	v.report.Copies = len(texts)
	missing := map[string]checkpoint{}
	for i, text := range texts {
		c, err := v.keys.checkpoint(text)
		switch {
		case err != nil:
			v.find(Tampered, head{stream: "-"}, "the copied checkpoint %d of %s is not signed by a key that may: %v", i+1, v.opts.Copies, err)
		case !v.opts.Until.IsZero() && !c.at.Before(v.opts.Until):
		case inDatabase[sum(text)]:
			v.vouch(c)
		default:
			missing[text] = c
		}
	}
	return v.judgeMissing(ctx, missing)
}

// judgeMissing looks for copied checkpoints in the database as it is now: a copy is made after
// the commit, so what is not there either was taken away.
func (v *verification) judgeMissing(ctx context.Context, missing map[string]checkpoint) error {
	if len(missing) == 0 {
		return nil
	}
	err := asSystem(ctx, v.pool, v.opts.Process, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT note FROM audit_checkpoints WHERE note = ANY($1)`, slices.Collect(maps.Keys(missing)))
		if err != nil {
			return err
		}
		young, err := pgx.CollectRows(rows, pgx.RowTo[string])
		for _, text := range young {
			delete(missing, text)
		}
		return err
	})
	for _, c := range missing {
		v.vouch(c)
		v.find(Gap, head{stream: "-"}, "the checkpoint of %s was copied, and is missing from the database", c.at.UTC().Format(time.RFC3339Nano))
	}
	return err
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
	if c.at.After(v.newest.at) {
		v.newest = c
	}
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
