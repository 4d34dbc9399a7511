package audit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wedsync/scalability/models"
)

const (
	// followRetry is how long a follower waits when the trail cannot be read.
	followRetry = 5 * time.Second
	// pageRows bounds what is read of one stream at a time.
	pageRows = 5000
	// headsPast is for how long before the last look a head that moved is looked at: longer than
	// the transaction that moved it can take to commit.
	headsPast = 10 * time.Minute
)

// Begin gives the rows of a time on, oldest first, and the position after them. Rows of a
// stream are committed in the order of their numbers, so what Next reads by number is read
// once, and nothing is passed over, however late it was committed. Begin and Next are for one
// goroutine.
func (r *Reader) Begin(ctx context.Context, since time.Time) (rows []models.AuditEntry, at models.TrailPosition, err error) {
	at = models.TrailPosition{}
	var looked time.Time
	err = r.snapshot(ctx, func(tx pgx.Tx) error {
		heads, now, err := headsOf(ctx, tx, time.Time{})
		if err != nil {
			return err
		}
		looked = now
		maps.Copy(at, heads)
		return eachRow(ctx, tx, `WHERE at >= $1 ORDER BY at, stream, seq`, []any{since}, func(e models.AuditEntry) error {
			rows = append(rows, e)
			return nil
		})
	})
	if err == nil {
		r.looked = looked
	}
	return rows, at, err
}

// Next gives the rows that were committed since a position, oldest first, moves the position,
// and says where rows are missing: those that a head says are there, and are not. What was
// committed while nobody could look is given too, however long that was.
func (r *Reader) Next(ctx context.Context, at models.TrailPosition) (rows []models.AuditEntry, gaps []models.TrailGap, err error) {
	moved := models.TrailPosition{}
	looked := r.looked
	err = r.snapshot(ctx, func(tx pgx.Tx) error {
		heads, now, err := headsOf(ctx, tx, r.looked)
		if err != nil {
			return err
		}
		looked = now
		for _, stream := range slices.Sorted(maps.Keys(heads)) {
			if heads[stream] <= at[stream] {
				continue
			}
			more, missing, last, err := nextOf(ctx, tx, stream, at[stream], heads[stream])
			if err != nil {
				return err
			}
			rows, gaps, moved[stream] = append(rows, more...), append(gaps, missing...), last
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	maps.Copy(at, moved)
	r.looked = looked
	slices.SortStableFunc(rows, func(a, b models.AuditEntry) int { return a.At.Compare(b.At) })
	return rows, gaps, nil
}

// nextOf reads a stream from after a row to its head, or as much as fits a page.
func nextOf(ctx context.Context, tx pgx.Tx, stream string, after, head int64) (rows []models.AuditEntry, gaps []models.TrailGap, last int64, err error) {
	last = after
	err = eachRow(ctx, tx, `WHERE stream = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4`, []any{stream, after, head, pageRows}, func(e models.AuditEntry) error {
		if e.Seq > last+1 {
			gaps = append(gaps, models.TrailGap{Stream: stream, After: last, Before: e.Seq, At: e.At})
		}
		rows, last = append(rows, e), e.Seq
		return nil
	})
	if err == nil && last < head && len(rows) < pageRows {
		gaps = append(gaps, models.TrailGap{Stream: stream, After: last, At: time.Now().UTC()})
		last = head
	}
	return rows, gaps, last, err
}

// headsOf reads where the streams stand that moved since the last look, and when that is. All
// of it goes by the clock of the database, which wrote the times: this process's may be another.
func headsOf(ctx context.Context, tx pgx.Tx, looked time.Time) (heads models.TrailPosition, now time.Time, err error) {
	heads = models.TrailPosition{}
	if err := tx.QueryRow(ctx, `SELECT now()`).Scan(&now); err != nil {
		return nil, now, models.Unavailable("audit.Next", err)
	}
	since := looked
	if !since.IsZero() {
		since = since.Add(-headsPast)
	}
	rows, err := tx.Query(ctx, `SELECT stream, seq FROM audit_streams WHERE at >= $1`, since)
	if err != nil {
		return nil, now, models.Unavailable("audit.Next", err)
	}
	var stream string
	var seq int64
	_, err = pgx.ForEachRow(rows, []any{&stream, &seq}, func() error { heads[stream] = seq; return nil })
	return heads, now, err
}

// snapshot runs statements that see the same moment: a head, and all rows up to it.
func (r *Reader) snapshot(ctx context.Context, do func(pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, r.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, scopeSQL, string(models.ScopeSystem), r.process); err != nil {
			return models.Unavailable("audit.Next", err)
		}
		return do(tx)
	})
}

// habitsSQL sums up what each subject did by hour and permission, with the most calls in five
// minutes of it.
const habitsSQL = `WITH calls AS (
	SELECT actor, action, date_bin('5 minutes', at, 'epoch') AS span, count(*) AS n, bool_or(decision = 'allow') AS allowed
	FROM security_audit_logs WHERE at >= $1 AND at < $2 AND starts_with(action, 'scalability:') AND actor <> 'anonymous'
	GROUP BY 1, 2, 3), spans AS (
	SELECT *, sum(n) OVER (PARTITION BY actor, span) AS together FROM calls)
SELECT actor, action, date_trunc('hour', span), bool_or(allowed), max(together)::bigint FROM spans GROUP BY 1, 2, 3 ORDER BY 3 LIMIT 500000`

// slotsSQL counts, by ten minutes, the accounts that failed and those that called.
const slotsSQL = `SELECT date_bin('10 minutes', at, 'epoch'),
	count(DISTINCT context ->> 'claimedSubject') FILTER (WHERE actor = 'anonymous' AND context ->> 'refusal' IN ('signature', 'algorithm', 'malformed', 'subject', 'issuer', 'audience', 'oversized')),
	count(DISTINCT actor) FILTER (WHERE actor <> 'anonymous')
	FROM security_audit_logs WHERE at >= $1 AND at < $2 AND (starts_with(action, 'scalability:') OR action IN ('', 'sign_in'))
	GROUP BY 1 ORDER BY 1`

// usesSQL lists which tokens worked from where, the sixteen of each subject that were used
// last.
const usesSQL = `WITH uses AS (
	SELECT actor, coalesce(context ->> 'tokenId', '') AS token, remote_ip, min(at) AS first, row_number() OVER (PARTITION BY actor ORDER BY max(at) DESC) AS nr
	FROM security_audit_logs WHERE at >= $1 AND at < $2 AND actor <> 'anonymous' AND (starts_with(action, 'scalability:') OR action IN ('', 'sign_in'))
	GROUP BY 1, 2, 3)
SELECT actor, token, remote_ip, first FROM uses WHERE nr <= 16 ORDER BY nr LIMIT 100000`

// Behaviour sums a time up: what threat detection has to know of the weeks before.
func (r *Reader) Behaviour(ctx context.Context, from, until time.Time) (b models.Behaviour, err error) {
	err = r.snapshot(ctx, func(tx pgx.Tx) error {
		sum := summary{tx, from, until}
		var h models.Habit
		if err := sum.each(ctx, habitsSQL, []any{&h.Subject, &h.Permission, &h.Hour, &h.Allowed, &h.Peak}, func() {
			h.Hour = h.Hour.UTC()
			b.Habits = append(b.Habits, h)
		}); err != nil {
			return err
		}
		var s models.FailingSlot
		if err := sum.each(ctx, slotsSQL, []any{&s.At, &s.Failing, &s.Active}, func() {
			s.At = s.At.UTC()
			b.Slots = append(b.Slots, s)
		}); err != nil {
			return err
		}
		var u models.KnownUse
		return sum.each(ctx, usesSQL, []any{&u.Subject, &u.TokenID, &u.RemoteIP, &u.At}, func() {
			u.At = u.At.UTC()
			b.Uses = append(b.Uses, u)
		})
	})
	return b, err
}

// summary is what is summed up of a time.
type summary struct {
	tx          pgx.Tx
	from, until time.Time
}

func (s summary) each(ctx context.Context, query string, into []any, do func()) error {
	rows, err := s.tx.Query(ctx, query, s.from, s.until)
	if err != nil {
		return models.Unavailable("audit.Behaviour", err)
	}
	_, err = pgx.ForEachRow(rows, into, func() error { do(); return nil })
	return err
}

// Follow gives the entries that a filter selects as they are committed, however late after
// their time, until ctx ends; first the last ones that are there, if any are asked for. When
// the trail cannot be read away hears of it, and it is tried again.
func (r *Reader) Follow(ctx context.Context, f models.AuditFilter, o FollowOptions) error {
	at, err := r.last(ctx, f, o)
	for err == nil {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(o.Every):
		}
		rows, _, readErr := r.Next(ctx, at)
		if readErr != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // whoever follows ends it so
			}
			if o.Away != nil {
				o.Away(readErr)
			}
			select {
			case <-ctx.Done():
			case <-time.After(followRetry):
			}
			continue
		}
		for _, e := range rows {
			if selects(f, e) {
				err = errors.Join(err, o.Do(e))
			}
		}
	}
	if ctx.Err() != nil {
		return nil //nolint:nilerr // as above
	}
	return err
}

// FollowOptions say how a trail is followed.
type FollowOptions struct {
	Every time.Duration
	Last  int // entries of before
	Do    func(models.AuditEntry) error
	Away  func(error) // may be nil
}

// last gives the newest entries that a filter selects, oldest first, and where all streams
// end.
func (r *Reader) last(ctx context.Context, f models.AuditFilter, o FollowOptions) (at models.TrailPosition, err error) {
	var found []models.AuditEntry
	where, args := conditions(f)
	err = r.snapshot(ctx, func(tx pgx.Tx) error {
		if at, r.looked, err = headsOf(ctx, tx, time.Time{}); err != nil {
			return err
		}
		return eachRow(ctx, tx, where+fmt.Sprintf(" ORDER BY at DESC, id DESC LIMIT %d", o.Last), args, func(e models.AuditEntry) error {
			found = append(found, e)
			return nil
		})
	})
	for _, e := range slices.Backward(found) {
		err = errors.Join(err, o.Do(e))
	}
	return at, err
}

// selects is conditions for one entry.
func selects(f models.AuditFilter, e models.AuditEntry) bool {
	fits := func(want, got string) bool {
		prefix, cut := strings.CutSuffix(want, "*")
		return want == "" || want == got || cut && strings.HasPrefix(got, prefix)
	}
	return (f.From.IsZero() || !e.At.Before(f.From)) && (f.Until.IsZero() || e.At.Before(f.Until)) && (f.Actor == "" || f.Actor == e.Actor) &&
		(f.Decision == "" || f.Decision == e.Decision) && fits(f.Action, e.Action) && fits(f.Object, e.Object)
}
