package audit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/mod/sumdb/note"
)

const (
	// origin is the first line of each checkpoint: which log it is of.
	origin = "wedsync/audit"
	// checkpointEvery is the distance of two checkpoints.
	checkpointEvery = time.Minute
	// idleStreams are named in a checkpoint for this long after their last row; the root
	// covers all of them always.
	idleStreams = 48 * time.Hour
)

// checkpoint is what one signed note says: where each stream ended at a time. In the form
// of C2SP's tlog-checkpoint: origin, number of rows, root, and lines of our own.
type checkpoint struct {
	at       time.Time
	rows     int64
	root     digest // SHA-256 of the head lines of all streams, in order of their names
	previous digest // SHA-256 of the note before; zero for the first
	heads    []head // of the streams that changed in the last two days
}

// text is the checkpoint as it is signed.
func (c checkpoint) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%d\n%s\ntime %s\nprevious %s\n", origin, c.rows, encode(c.root), c.at.UTC().Format(time.RFC3339Nano), encode(c.previous))
	for _, h := range c.heads {
		b.WriteString(h.line())
	}
	return b.String()
}

func (h head) line() string { return fmt.Sprintf("head %s %d %s\n", h.stream, h.seq, encode(h.hash)) }

func encode(d digest) string { return base64.StdEncoding.EncodeToString(d[:]) }

func decode(s string) (d digest, err error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err == nil && len(b) != len(d) {
		err = fmt.Errorf("a hash has %d bytes, not %d", len(d), len(b))
	}
	copy(d[:], b)
	return d, err
}

// checkpoint reads a note. A key that was given up vouches for nothing later.
func (s signers) checkpoint(signed string) (checkpoint, error) {
	text, by, err := s.open(signed)
	if err != nil {
		return checkpoint{}, err
	}
	c, err := parseCheckpoint(text)
	if err == nil && !by.until.IsZero() && c.at.After(by.until) {
		err = fmt.Errorf("its key was given up at %s, and it is of %s", by.until.UTC().Format(time.RFC3339), c.at.Format(time.RFC3339))
	}
	return c, err
}

// notes reads checkpoints in their order.
type notes struct {
	keys     signers
	whole    bool // from the first one on
	previous *digest
	seen     map[digest]bool
}

// next gives a checkpoint, the zero one where it is not to be trusted, and what is wrong.
func (n *notes) next(text, name string) (checkpoint, *Finding) {
	this := sum(text)
	again := n.seen[this]
	if n.seen == nil {
		n.seen = map[digest]bool{}
	}
	n.seen[this] = true
	before, first := n.previous, len(n.seen) == 1
	n.previous = &this
	c, err := n.keys.checkpoint(text)
	switch {
	case err != nil:
		n.previous = nil
		return checkpoint{}, &Finding{Verdict: Tampered, Kind: Tampered.String(), Stream: "-", Text: name + " is not signed by a key that may: " + err.Error()}
	case again:
		return c, &Finding{Verdict: Tampered, Kind: Tampered.String(), Stream: "-", At: c.at, Text: name + " is an older one, put there again"}
	case before != nil && c.previous != *before:
		return c, &Finding{Verdict: Gap, Kind: Gap.String(), Stream: "-", At: c.at, Text: "a checkpoint before " + name + " is missing"}
	case first && n.whole && c.previous != digest{}:
		return c, &Finding{Verdict: Gap, Kind: Gap.String(), Stream: "-", At: c.at, Text: "the checkpoints before " + name + ", the oldest that is there, are missing"}
	}
	return c, nil
}

func parseCheckpoint(text string) (c checkpoint, err error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) < 5 || lines[0] != origin {
		return c, errors.New("not a checkpoint of " + origin)
	}
	fail := func(e error) { err = errors.Join(err, e) }
	var e error
	c.rows, e = strconv.ParseInt(lines[1], 10, 64)
	fail(e)
	c.root, e = decode(lines[2])
	fail(e)
	c.at, e = time.Parse(time.RFC3339Nano, strings.TrimPrefix(lines[3], "time "))
	fail(e)
	c.previous, e = decode(strings.TrimPrefix(lines[4], "previous "))
	fail(e)
	for _, l := range lines[5:] {
		f := strings.Fields(l)
		if len(f) != 4 || f[0] != "head" {
			return c, fmt.Errorf("not a line of a checkpoint: %q", l)
		}
		h := head{stream: f[1]}
		h.seq, e = strconv.ParseInt(f[2], 10, 64)
		fail(e)
		h.hash, e = decode(f[3])
		fail(e)
		c.heads = append(c.heads, h)
	}
	return c, err
}

// Anchor signs checkpoints and brings them off the machine.
type Anchor struct {
	pool    *pgxpool.Pool
	process string
	signer  note.Signer
	copies  Copier
	log     *slog.Logger

	onAnchored func(time.Time) // may be nil

	mu      sync.Mutex        // one checkpoint at a time
	looked  bool              // for notes that a process before did not copy
	waiting map[string]string // notes that are still to be copied, by name
}

// NewAnchor signs with a key that is not in the database. copies may be nil: then the
// checkpoints are in the database alone, and whoever can write there can cut them off.
func (w *Writer) NewAnchor(key string, copies Copier) (*Anchor, error) {
	signer, err := note.NewSigner(strings.TrimSpace(key))
	if err != nil {
		return nil, errors.New("the key that signs audit checkpoints is not one: make it with \"wedsync audit key\"")
	}
	a := &Anchor{pool: w.pool, process: w.opts.Process, signer: signer, copies: copies, log: w.opts.Log, onAnchored: w.opts.OnAnchored, waiting: map[string]string{}}
	w.anchor.Store(a)
	return a, nil
}

// Run makes a checkpoint each minute until ctx ends; the closing of the writer makes a last
// one. Several processes may run it: one of them makes each.
func (a *Anchor) Run(ctx context.Context) {
	tick := time.NewTicker(checkpointEvery / 6)
	defer tick.Stop()
	for {
		if err := a.Checkpoint(ctx, checkpointEvery); err != nil && ctx.Err() == nil {
			a.log.ErrorContext(ctx, "an audit checkpoint was not made, or not copied", "error", err)
		} else if err == nil && a.onAnchored != nil {
			a.onAnchored(time.Now())
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Checkpoint signs where all streams end, unless somebody did within the given time or
// nothing has changed since, and copies what is not copied yet.
func (a *Anchor) Checkpoint(ctx context.Context, unlessWithin time.Duration) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var name, made string
	err := asSystem(ctx, a.pool, a.process, func(tx pgx.Tx) error {
		if err := a.requeue(ctx, tx); err != nil {
			return err
		}
		var alone bool
		if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(hashtextextended('wedsync audit checkpoint', 0))`).Scan(&alone); err != nil || !alone {
			return err
		}
		c, err := a.compose(ctx, tx, unlessWithin)
		if err != nil || c == nil {
			return err
		}
		signed, err := note.Sign(&note.Note{Text: c.text()}, a.signer)
		if err != nil {
			return err
		}
		name, made = copyName(c.at), string(signed)
		_, err = tx.Exec(ctx, `INSERT INTO audit_checkpoints (at, note) VALUES ($1, $2)`, c.at, string(signed))
		return err
	})
	if err == nil && made != "" {
		a.waiting[name] = made
	}
	return errors.Join(err, a.copy(ctx))
}

// compose reads the heads from one view of the database; nil: none is due.
func (a *Anchor) compose(ctx context.Context, tx pgx.Tx, unlessWithin time.Duration) (*checkpoint, error) {
	var before string
	var newest, now time.Time
	err := tx.QueryRow(ctx, `SELECT coalesce((SELECT note FROM audit_checkpoints ORDER BY id DESC LIMIT 1), ''),
		coalesce((SELECT max(at) FROM audit_checkpoints), 'epoch'), clock_timestamp()`).Scan(&before, &newest, &now)
	if err != nil {
		return nil, err
	}
	if before != "" && now.Sub(newest) < unlessWithin {
		return nil, nil //nolint:nilnil // none is due
	}
	c := checkpoint{at: now.UTC()}
	if before != "" {
		c.previous = sha256.Sum256([]byte(before))
	}
	all := sha256.New()
	var h head
	var hash []byte
	var at time.Time
	rows, err := tx.Query(ctx, `SELECT stream, seq, hash, at FROM audit_streams ORDER BY stream COLLATE "C"`)
	if err != nil {
		return nil, err
	}
	_, err = pgx.ForEachRow(rows, []any{&h.stream, &h.seq, &hash, &at}, func() error {
		copy(h.hash[:], hash)
		c.rows += h.seq
		_, _ = all.Write([]byte(h.line())) // never fails
		if now.Sub(at) < idleStreams {
			c.heads = append(c.heads, h)
		}
		return nil
	})
	all.Sum(c.root[:0])
	if lines := strings.SplitN(before, "\n", 4); len(lines) == 4 && lines[2] == encode(c.root) {
		return nil, err //nolint:nilnil // nothing has changed
	}
	return &c, err
}

// copy brings the notes that wait off the machine, oldest first. One that could not be
// copied is tried again with the next.
func (a *Anchor) copy(ctx context.Context) error {
	if a.copies == nil {
		clear(a.waiting)
		return nil
	}
	names := make([]string, 0, len(a.waiting))
	for name := range a.waiting {
		names = append(names, name)
	}
	slices.SortFunc(names, cmp.Compare)
	for _, name := range names {
		if err := a.copies.Copy(ctx, name, a.waiting[name]); err != nil {
			return fmt.Errorf("%d checkpoints are not copied yet: %w", len(a.waiting), err)
		}
		delete(a.waiting, name)
	}
	return nil
}
