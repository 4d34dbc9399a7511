package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/wedsync/scalability/models"
)

// What a record has to hold before anything is learned from it: a percentile of a few
// says nothing.
const (
	fewestStarts  = 10
	fewestMoments = 30
)

// saveStarts keeps the replicas that were seen to have started, or to fail to. A replica
// that crashed first and serves later has started.
func saveStarts(tx *gorm.DB, service models.ServiceName, at time.Time, replicas []models.Replica) error {
	if len(replicas) == 0 {
		return nil
	}
	var ids []string
	var ordered []time.Time
	var ready []*time.Time
	for _, r := range replicas {
		if err := checkText(r); err != nil {
			return err
		}
		ids, ordered, ready = append(ids, r.ID), append(ordered, r.OrderedAt), append(ready, r.ReadyAt)
	}
	_, err := exec(tx, `
		INSERT INTO replica_starts (service, replica, ordered_at, ready_at, seen_at)
		SELECT $1, r.replica, r.ordered_at, r.ready_at, $2
		FROM unnest($3::text[], $4::timestamptz[], $5::timestamptz[]) AS r (replica, ordered_at, ready_at)
		ON CONFLICT (service, replica, ordered_at) DO UPDATE SET ready_at = excluded.ready_at, seen_at = excluded.seen_at
		WHERE replica_starts.ready_at IS NULL AND excluded.ready_at IS NOT NULL`,
		string(service), at, ids, ordered, ready)
	return err
}

// Learned gives what a service's own record says of it: the time from order to ready of
// the last 50 starts, and what a replica serves by the load and use of the last day. What
// the record is too short for is zero. What a load test has certified counts before what a
// day's record says of the least that a replica serves.
func (s *Store) Learned(ctx context.Context, service models.ServiceName, now time.Time) (models.Learned, error) {
	var starts, capacity struct {
		N         int
		Low, High float64
	}
	var l models.Learned
	err := s.read(ctx, "store.Learned", func(tx *gorm.DB) error {
		err := tx.Raw(`
			SELECT count(*) AS n, coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds), 0) AS low,
				coalesce(percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds), 0) AS high
			FROM (SELECT extract(epoch FROM ready_at - ordered_at)::float8 AS seconds FROM replica_starts
				WHERE service = ? AND ready_at IS NOT NULL ORDER BY ready_at DESC LIMIT 50) AS recent`, service).Scan(&starts).Error
		if err != nil {
			return err
		}
		err = tx.Raw(`
			SELECT count(*) AS n, coalesce(percentile_cont(0.1) WITHIN GROUP (ORDER BY capacity_rps), 0) AS low,
				coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY capacity_rps), 0) AS high
			FROM (SELECT capacity_rps FROM scaling_evaluations
				WHERE service = ? AND at > ? AND at <= ? AND capacity_rps IS NOT NULL ORDER BY at DESC LIMIT 500) AS recent`,
			service, now.Add(-24*time.Hour), now).Scan(&capacity).Error
		if err != nil {
			return err
		}
		if err := certify(tx, service, now, &l); err != nil {
			return err
		}
		return tx.Raw("SELECT count(*) FROM replica_starts WHERE service = ? AND ready_at IS NULL AND seen_at > ?",
			service, now.Add(-10*time.Minute)).Scan(&l.FailedStarts10Min).Error
	})
	if err != nil {
		return models.Learned{}, err
	}
	if starts.N >= fewestStarts {
		l.StartupP50Seconds, l.StartupP95Seconds = starts.Low, starts.High
	}
	if capacity.N >= fewestMoments {
		l.CapacityP50RPS = capacity.High
		if l.CertifiedAt == nil {
			l.CapacityP10RPS = capacity.Low
		}
	}
	return l, nil
}
