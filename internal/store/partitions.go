package store

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// EnsurePartitions makes the partitions that are missing from the day before now to
// daysAhead days after it, and the months that hold them.
func (s *Store) EnsurePartitions(ctx context.Context, now time.Time, daysAhead int) ([]string, error) {
	return s.partitions(ctx, "store.EnsurePartitions", "SELECT wedsync_ensure_partitions(?, ?)", now, daysAhead)
}

// DropPartitions drops the partitions that lie wholly before the retention, and deletes
// what else is older. It never drops what is young by the clock of the database.
func (s *Store) DropPartitions(ctx context.Context, now time.Time, metricsDays, auditDays int) ([]string, error) {
	return s.partitions(ctx, "store.DropPartitions", "SELECT wedsync_drop_partitions(?, ?, ?)", now, metricsDays, auditDays)
}

func (s *Store) partitions(ctx context.Context, op, call string, args ...any) ([]string, error) {
	names := []string{}
	err := s.write(ctx, op, func(tx *gorm.DB) error { return tx.Raw(call, args...).Scan(&names).Error })
	if err != nil {
		return nil, err
	}
	return names, nil
}
