package audit

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/note"

	"github.com/wedsync/scalability/models"
)

// run is a piece of a stream that stood in a partition without a break.
type run struct {
	Stream string `json:"stream"`
	First  int64  `json:"first"`
	Last   int64  `json:"last"`
	Prev   string `json:"prev"` // the hash before the first row
	Hash   string `json:"hash"` // of the last row

	prev, hash digest
}

// manifest is what is kept of a partition that was dropped.
type manifest struct {
	Partition string `json:"partition"`
	Rows      int64  `json:"rows"`
	Runs      []run  `json:"runs"`
}

// readManifests lets verification step over what retention dropped. A manifest counts only
// when it is signed as checkpoints are, since whoever owns the database could make one up, and
// with the digest that the trail itself has of it.
func (v *verification) readManifests(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `SELECT p.name, p.manifest, p.digest, EXISTS (SELECT FROM security_audit_logs l
			WHERE l.action = $1 AND l.object = 'partition/' || p.name AND l.context->>'digest' = p.digest)
		FROM audit_partitions p WHERE p.dropped_at IS NOT NULL ORDER BY p.upper`, actionDrop)
	if err != nil {
		return err
	}
	var name, text, listed string
	var recorded bool
	_, err = pgx.ForEachRow(rows, []any{&name, &text, &listed, &recorded}, func() error {
		d := sum(text)
		m, err := v.keys.manifest(text)
		switch {
		case len(v.keys) == 0:
			return nil // that nothing is anchored is told already
		case err != nil || m.Partition != name:
			v.find(Tampered, head{stream: "-"}, "the manifest of partition %s is not signed by a key that may", name)
			return nil
		case !recorded || hex.EncodeToString(d[:]) != listed:
			v.find(Tampered, head{stream: "-"}, "the manifest of partition %s is not the one that the trail has on record", name)
			return nil
		}
		for _, r := range m.Runs {
			s := v.streams[r.Stream]
			var e1, e2 error
			r.prev, e1 = decode(r.Prev)
			r.hash, e2 = decode(r.Hash)
			if s != nil && e1 == nil && e2 == nil {
				s.runs = append(s.runs, r)
			}
		}
		return nil
	})
	for _, s := range v.streams {
		slices.SortFunc(s.runs, func(a, b run) int { return cmp.Compare(a.First, b.First) })
	}
	return err
}

// manifest reads a signed one.
func (s signers) manifest(signed string) (m manifest, err error) {
	text, _, err := s.open(signed)
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal([]byte(text), &m)
}

// actionDrop is the trail's record of a partition that retention drops.
const actionDrop = "audit.partition.drop"

// Retire drops the months that lie wholly before the retention, each only after all its
// rows are known to be sound and anchored; it gives their names. What is kept of each is a
// manifest, signed by the key of the checkpoints, whose digest stands in the trail before the
// partition goes. The keys are those that checkpoints are checked with.
func (w *Writer) Retire(ctx context.Context, days int, keys []string) ([]string, error) {
	dropped := []string{}
	due, err := w.due(ctx, days)
	if err != nil || len(due) == 0 {
		return dropped, err
	}
	report, err := Verify(ctx, VerifyOptions{URL: w.opts.URL, Process: w.opts.Process, PublicKeys: keys})
	if err != nil {
		return dropped, err
	}
	for _, name := range due {
		lower, err := lowerOf(name)
		if err == nil {
			err = report.soundBefore(lower.AddDate(0, 1, 0))
		}
		if err == nil {
			err = w.retire(ctx, name, days)
		}
		if err != nil {
			return dropped, fmt.Errorf("audit.Retire: %s: %w", name, err)
		}
		dropped = append(dropped, name)
	}
	return dropped, nil
}

// soundBefore says what is wrong with rows before a time, or may be: a finding that has no time
// counts. What is wrong with younger rows keeps nobody from dropping older ones, or one bad row
// would end retention for good.
func (r Report) soundBefore(at time.Time) error {
	for _, f := range r.Findings {
		if f.At.Before(at) {
			return fmt.Errorf("nothing is dropped while the trail is not sound up to there: %s", f)
		}
	}
	return nil
}

// lowerOf is when a partition's month begins.
func lowerOf(name string) (time.Time, error) { return time.Parse("200601", name[len(name)-6:]) }

// due lists the partitions whose month lies wholly before the retention.
func (w *Writer) due(ctx context.Context, days int) (names []string, err error) {
	err = asSystem(ctx, w.pool, w.opts.Process, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
			WHERE i.inhparent = 'security_audit_logs'::regclass AND c.relname ~ '^security_audit_logs_p[0-9]{6}$'
			AND to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month' <= date_trunc('month', now()::date - $1::int) ORDER BY 1`, days)
		if err != nil {
			return err
		}
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return nil, models.Unavailable("audit.Retire", err)
	}
	return names, nil
}

// retire seals a partition, records that it goes, and drops it.
func (w *Writer) retire(ctx context.Context, name string, days int) error {
	lower, err := lowerOf(name)
	if err != nil {
		return err
	}
	upper := lower.AddDate(0, 1, 0)
	text, m, err := w.seal(ctx, name, lower, upper)
	if err != nil {
		return err
	}
	d := sum(text)
	err = w.Record(ctx, models.AuditEntry{
		Actor: "svc:" + w.opts.Process, Action: actionDrop, Object: "partition/" + name, Decision: models.AuditAllow, Rule: "retention",
		Context: map[string]string{"digest": hex.EncodeToString(d[:]), "rows": fmt.Sprint(m.Rows), "days": fmt.Sprint(days)},
	})
	if err != nil {
		return err
	}
	return asSystem(ctx, w.pool, w.opts.Process, func(tx pgx.Tx) error {
		var gone bool
		err := tx.QueryRow(ctx, `SELECT wedsync_drop_audit_partition($1, $2)`, name, days).Scan(&gone)
		if err == nil && !gone {
			err = errors.New("it is not a partition of the trail")
		}
		return err
	})
}

// errNoSigner says why a month stays.
var errNoSigner = errors.New("no key signs its manifest: AUDIT_SIGNING_KEY_FILE")

// seal writes down what a partition holds. A seal that is there already is used again when
// it says the same.
func (w *Writer) seal(ctx context.Context, name string, lower, upper time.Time) (text string, m manifest, err error) {
	a := w.anchor.Load()
	if a == nil {
		return "", m, errNoSigner
	}
	err = asSystem(ctx, w.pool, w.opts.Process, func(tx pgx.Tx) error {
		m, err = readManifest(ctx, tx, name, lower, upper)
		if err != nil {
			return err
		}
		b, err := json.Marshal(m)
		if err != nil {
			return err
		}
		signed, err := note.Sign(&note.Note{Text: string(b) + "\n"}, a.signer)
		if err != nil {
			return err
		}
		d := sum(string(signed))
		_, err = tx.Exec(ctx, `INSERT INTO audit_partitions (name, upper, rows, manifest, digest) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO NOTHING`,
			name, upper, m.Rows, string(signed), hex.EncodeToString(d[:]))
		if err != nil {
			return err
		}
		err = tx.QueryRow(ctx, `SELECT manifest FROM audit_partitions WHERE name = $1`, name).Scan(&text)
		if kept, _, _ := strings.Cut(text, "\n"); err == nil && kept != string(b) {
			err = errors.New("it was sealed before, with other rows")
		}
		return err
	})
	return text, m, err
}

func readManifest(ctx context.Context, tx pgx.Tx, name string, lower, upper time.Time) (manifest, error) {
	m := manifest{Partition: name, Runs: []run{}}
	rows, err := tx.Query(ctx, `SELECT stream, seq, prev, hash FROM security_audit_logs WHERE at >= $1 AND at < $2 ORDER BY stream, seq`, lower, upper)
	if err != nil {
		return m, err
	}
	var stream string
	var seq int64
	var prev, hash []byte
	_, err = pgx.ForEachRow(rows, []any{&stream, &seq, &prev, &hash}, func() error {
		m.Rows++
		if stream == "" {
			return nil // of a time before streams
		}
		var p, h digest
		copy(p[:], prev)
		copy(h[:], hash)
		if n := len(m.Runs); n > 0 && m.Runs[n-1].Stream == stream && m.Runs[n-1].Last+1 == seq {
			m.Runs[n-1].Last, m.Runs[n-1].Hash = seq, encode(h)
			return nil
		}
		m.Runs = append(m.Runs, run{Stream: stream, First: seq, Last: seq, Prev: encode(p), Hash: encode(h)})
		return nil
	})
	return m, err
}
