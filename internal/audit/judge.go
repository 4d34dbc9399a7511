package audit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
)

func sum(s string) digest { return sha256.Sum256([]byte(s)) }

// judge puts the pieces of one stream together: they must follow each other from where
// verification began to the head, past what retention dropped and every checkpoint.
func (v *verification) judge(s *streamState) {
	name := s.stored.stream
	if !s.known {
		at := head{stream: name}
		if len(s.anchors) > 0 {
			at.seq = s.anchors[len(s.anchors)-1].seq
		}
		v.find(Gap, at, "a checkpoint vouches for this stream, and it is gone")
		return
	}
	if s.outside {
		if n := len(s.anchors); n > 0 && s.anchors[n-1].seq > s.stored.seq && s.until == 0 {
			v.find(Gap, head{stream: name, seq: s.stored.seq + 1}, "the end was cut off: a checkpoint vouches for row %d", s.anchors[n-1].seq)
		}
		return
	}
	at := s.base
	for i, seg := range s.segments {
		if i > 0 && s.segments[i-1].closes {
			v.bad(Tampered, seg, "it comes after the closing row of the stream")
		}
		at = v.follow(s, at, seg)
	}
	at = s.past(at)
	v.judgeEnd(s, at)
	v.judgeAnchors(s)
}

// follow appends a piece to what was put together so far.
func (v *verification) follow(s *streamState, at head, seg segment) head {
	if seg.first.seq > at.seq+1 {
		at = s.past(at)
	}
	switch {
	case seg.first.seq <= at.seq:
		v.bad(Tampered, seg, "the number is there twice, or out of order")
	case seg.first.seq > at.seq+1:
		v.find(Gap, head{stream: s.stored.stream, seq: at.seq + 1}, "rows %d to %d are missing", at.seq+1, seg.first.seq-1)
		v.report.Findings[len(v.report.Findings)-1].At = seg.at // of the row after it
	case seg.prev != at.hash:
		v.bad(Tampered, seg, "it does not follow the row before it")
	}
	if seg.last.seq > at.seq {
		return seg.last
	}
	return at
}

func (v *verification) bad(kind Verdict, seg segment, what string) {
	v.report.Findings = append(v.report.Findings, Finding{
		Verdict: kind, Kind: kind.String(), Stream: seg.first.stream, Seq: seg.first.seq, At: seg.at, ID: seg.id, Text: what,
	})
}

// past steps over the runs that retention dropped, as their manifests say.
func (s *streamState) past(at head) head {
	for _, r := range s.runs {
		if r.First == at.seq+1 && r.prev == at.hash {
			at = head{at.stream, r.Last, r.hash}
		}
	}
	return at
}

// judgeEnd holds the last row to the head of the stream and to its closing.
func (v *verification) judgeEnd(s *streamState, at head) {
	end := s.stored
	if s.until > 0 {
		end = head{stream: end.stream, seq: s.until, hash: at.hash}
	}
	for _, a := range s.anchors {
		if a.seq > end.seq {
			end = a // the head was set back
		}
	}
	next := head{stream: end.stream, seq: at.seq + 1}
	switch {
	case at.seq < end.seq:
		v.find(Gap, next, "rows %d to %d are missing: the end was cut off", at.seq+1, end.seq)
	case at.seq > end.seq && s.until == 0:
		v.find(Tampered, head{stream: end.stream, seq: end.seq + 1}, "there are rows after the head of the stream")
	case at.seq == end.seq && at.hash != end.hash:
		v.find(Tampered, at, "the head of the stream has another hash")
	case s.until > 0 || len(s.segments) == 0:
	case s.closed && !s.segments[len(s.segments)-1].closes:
		v.find(Gap, next, "the stream was closed, and its last row is not there")
	}
}

// judgeAnchors says which rows no checkpoint vouches for, though they are old enough.
func (v *verification) judgeAnchors(s *streamState) {
	if s.until > 0 {
		return
	}
	anchored := s.base.seq
	if n := len(s.anchors); n > 0 {
		anchored = slices.MaxFunc(s.anchors, func(a, b head) int { return cmp.Compare(a.seq, b.seq) }).seq
	}
	if open := s.stored.seq - anchored; open > 0 {
		v.report.Unanchored += open
		if v.now.Sub(s.at) > anchorGrace {
			v.find(NotAnchored, head{stream: s.stored.stream, seq: anchored + 1}, "no signed checkpoint vouches for rows %d to %d", anchored+1, s.stored.seq)
		}
	}
}

// judgeRoot holds all streams to the root of the newest checkpoint, which covers also those
// that it does not name, because nothing was written to them for two days.
func (v *verification) judgeRoot() {
	c := v.newest
	if c.at.IsZero() || !v.opts.From.IsZero() || !v.opts.Until.IsZero() {
		return
	}
	heads := map[string]head{}
	var idle []*streamState
	for name, s := range v.streams {
		switch {
		case len(s.anchors) > 0: // of the checkpoints before: it has not changed since
			heads[name] = slices.MaxFunc(s.anchors, func(a, b head) int { return cmp.Compare(a.seq, b.seq) })
		case s.known && !s.at.After(c.at.Add(-idleStreams)):
			heads[name] = s.stored
			idle = append(idle, s)
		}
	}
	for _, h := range c.heads {
		heads[h.stream] = h
	}
	all := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(heads)) {
		_, _ = all.Write([]byte(heads[name].line())) // never fails
	}
	if root := digest(all.Sum(nil)); root != c.root {
		v.find(Tampered, head{stream: "-"}, "the streams are not those that the newest checkpoint, of %s, vouches for: one that was idle is gone or was changed",
			c.at.Format("2006-01-02T15:04:05Z"))
		return
	}
	for _, s := range idle {
		s.anchors = append(s.anchors, s.stored)
	}
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
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM security_audit_logs WHERE stream = ''`).Scan(&v.report.Unchained); err != nil {
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
