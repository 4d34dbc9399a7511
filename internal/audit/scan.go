package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/wedsync/scalability/models"
)

// spanRows is how many rows one reader takes at once.
const spanRows = 20_000

// segment is a piece of a stream whose rows follow each other.
type segment struct {
	first, last head   // first has the hash of the first row
	prev        digest // that the first row gives as the hash before it
	at          time.Time
	id          string
	closes      bool // its last row is the stream's closing one
}

// span is a part of a stream for one reader.
type span struct {
	stream   *streamState
	from, to int64 // numbers, both included; to 0: without end
	segments []segment
	findings []Finding
	rows     int64
	anchors  []head
}

// scan reads all streams, in parallel, from one snapshot.
func (v *verification) scan(ctx context.Context, snapshot string) error {
	var spans []*span
	for _, name := range v.order {
		if s := v.streams[name]; s.known && !s.outside {
			slices.SortStableFunc(s.anchors, func(a, b head) int { return int(a.seq - b.seq) })
			spans = append(spans, s.spans()...)
		}
	}
	work := make(chan *span, len(spans))
	for _, s := range spans {
		work <- s
		v.total += max(0, min(spanRows, s.stream.stored.seq-s.from+1))
	}
	close(work)
	g, ctx := errgroup.WithContext(ctx)
	for range min(v.opts.Parallel, max(1, len(spans))) {
		g.Go(func() error { return v.read(ctx, snapshot, work) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, s := range spans {
		s.stream.segments = append(s.stream.segments, s.segments...)
		v.report.Findings = append(v.report.Findings, s.findings...)
		v.report.Rows += s.rows
	}
	return nil
}

func (s *streamState) spans() []*span {
	last := s.stored.seq
	if s.until > 0 {
		last = s.until
	}
	var all []*span
	for from := s.base.seq + 1; from <= last; from += spanRows {
		all = append(all, &span{stream: s, from: from, to: min(from+spanRows-1, last), anchors: s.anchors})
	}
	if s.until > 0 {
		return all
	}
	if len(all) == 0 {
		all = append(all, &span{stream: s, from: s.base.seq + 1, anchors: s.anchors})
	}
	all[len(all)-1].to = 0 // so that rows after the head are seen
	return all
}

// read takes spans one after the other on a connection of its own.
func (v *verification) read(ctx context.Context, snapshot string, work <-chan *span) error {
	o := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, v.pool, o, func(tx pgx.Tx) error {
		for _, set := range []string{"SET TRANSACTION SNAPSHOT " + quote(snapshot), "SET LOCAL jit = off", "SET LOCAL enable_sort = off", "SET LOCAL enable_bitmapscan = off"} {
			if _, err := tx.Exec(ctx, set); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, scopeSQL, string(models.ScopeSystem), v.opts.Process); err != nil {
			return err
		}
		for s := range work {
			r := &tuples{span: s}
			for len(s.anchors) > 0 && s.anchors[0].seq < s.from {
				s.anchors = s.anchors[1:]
			}
			if _, err := tx.Conn().PgConn().CopyTo(ctx, r, s.query()); err != nil {
				return err
			}
			if done := v.done.Add(s.rows); v.opts.Progress != nil {
				v.opts.Progress(done, v.total)
			}
		}
		return nil
	})
}

// query sends the hashes and then the columns as they were hashed.
func (s *span) query() string {
	where := fmt.Sprintf("stream = %s AND seq >= %d", quote(s.stream.stored.stream), s.from)
	if s.to > 0 {
		where += fmt.Sprintf(" AND seq <= %d", s.to)
	}
	return "COPY (SELECT hash, prev, " + columnsSQL + " FROM security_audit_logs WHERE " + where + " ORDER BY stream, seq) TO STDOUT (FORMAT binary)"
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// tuples reads the binary form of COPY, one row for each Write.
type tuples struct {
	span *span
	has  bool // a segment is open
	seg  segment
}

var signature = []byte("PGCOPY\n\xff\r\n\x00") //nolint:gochecknoglobals // a constant of the protocol

const headerBytes = 19

var errForm = errors.New("the database sent rows in a form that is not known")

// Write takes one message.
func (t *tuples) Write(b []byte) (int, error) {
	n := len(b)
	if bytes.HasPrefix(b, signature) {
		if n < headerBytes {
			return 0, errForm
		}
		b = b[headerBytes:]
	}
	if len(b) == 0 {
		return n, nil
	}
	if len(b) < 2 {
		return 0, errForm
	}
	if b[0] == 0xff && b[1] == 0xff { // the end
		if t.has {
			t.span.segments = append(t.span.segments, t.seg)
		}
		return n, nil
	}
	return n, t.row(b[2:])
}

// field takes one column off; nil is a form that is not known, or NULL.
func field(b []byte) (value, rest []byte) {
	if len(b) < 4 {
		return nil, nil
	}
	size := int(int32(binary.BigEndian.Uint32(b))) //nolint:gosec // -1 is NULL
	if size < 0 || len(b) < 4+size {
		return nil, b[4:]
	}
	return b[4 : 4+size], b[4+size:]
}

// row hashes one row: prev and all that follows it, but for prev's length, are the bytes.
func (t *tuples) row(b []byte) error {
	hash, rest := field(b)
	prev, columns := field(rest)
	stream, after := field(columns)
	seq, after := field(after)
	if len(seq) != 8 || stream == nil {
		return errForm
	}
	t.span.rows++
	h := head{t.span.stream.stored.stream, int64(binary.BigEndian.Uint64(seq)), digest{}} //nolint:gosec // its bits
	copy(h.hash[:], hash)
	var before digest
	copy(before[:], prev)
	whole := len(hash) == len(h.hash) && len(prev) == len(before)
	if !whole || sha256.Sum256(rest[4:]) != h.hash {
		t.report(h, after, "its content or its hash was changed")
	}
	for len(t.span.anchors) > 0 && t.span.anchors[0].seq <= h.seq {
		if a := t.span.anchors[0]; a.seq == h.seq && a.hash != h.hash {
			t.report(h, after, fmt.Sprintf("a signed checkpoint has another hash for it: one of the rows %d to %d was changed, and what follows was chained anew",
				t.span.stream.anchoredBefore(h.seq)+1, h.seq))
		}
		t.span.anchors = t.span.anchors[1:]
	}
	if t.has && h.seq == t.seg.last.seq+1 && before == t.seg.last.hash {
		if t.seg.closes {
			t.report(h, after, "it comes after the closing row of the stream")
		}
		t.seg.last = h
	} else {
		if t.has {
			t.span.segments = append(t.span.segments, t.seg)
		}
		at, id := place(after)
		t.seg, t.has = segment{first: h, last: h, prev: before, at: at, id: id}, true
	}
	t.seg.closes = closes(after)
	return nil
}

// anchoredBefore is the last row before another one that a checkpoint vouches for.
func (s *streamState) anchoredBefore(seq int64) int64 {
	last := s.base.seq
	for _, a := range s.anchors {
		if a.seq < seq {
			last = max(last, a.seq)
		}
	}
	return last
}

func (t *tuples) report(h head, after []byte, what string) {
	if len(t.span.findings) >= 100 {
		return
	}
	at, id := place(after)
	t.span.findings = append(t.span.findings, Finding{Verdict: Tampered, Kind: Tampered.String(), Stream: h.stream, Seq: h.seq, At: at, ID: id, Text: what})
}

// place reads time and ID, which follow the number.
func place(b []byte) (time.Time, string) {
	at, b := field(b)
	id, _ := field(b)
	if len(at) != 8 {
		return time.Time{}, string(id)
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(at)) + epoch).UTC(), string(id) //nolint:gosec // its bits
}

// closes says whether a row is the closing one; time, ID and actor stand before the action.
func closes(b []byte) bool {
	var action []byte
	for range 4 {
		action, b = field(b)
	}
	return string(action) == actionClose
}
