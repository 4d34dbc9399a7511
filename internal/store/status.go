package store

import (
	"context"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/wedsync/scalability/models"
)

// DatabaseStatus reports on this process's pool and on the largest tables, with their
// partitions and indexes. A database that is away is reported, not an error.
func (s *Store) DatabaseStatus(ctx context.Context) (models.DatabaseStatus, error) {
	st := models.DatabaseStatus{TableBytes: map[string]int64{}}
	err := s.read(ctx, "store.DatabaseStatus", func(tx *gorm.DB) error {
		asked := time.Now()
		if err := tx.Raw("SELECT current_setting('server_version')").Scan(&st.Version).Error; err != nil {
			return err
		}
		st.LatencyMS = float64(time.Since(asked).Microseconds()) / 1000
		return tableBytes(tx, st.TableBytes)
	})
	st.Reachable = err == nil
	pool := s.pool.Stats()
	st.OpenConnections, st.InUse, st.MaxConnections, st.WaitCount = pool.OpenConnections, pool.InUse, pool.MaxOpenConnections, pool.WaitCount
	if models.KindOf(err) == models.KindUnavailable {
		return st, nil
	}
	return st, err
}

func tableBytes(tx *gorm.DB, into map[string]int64) error {
	var tables []struct {
		Name  string
		Bytes int64
	}
	err := tx.Raw(`
		SELECT c.relname AS name, coalesce(
			(SELECT sum(pg_total_relation_size(t.relid)) FROM pg_partition_tree(c.oid) t),
			pg_total_relation_size(c.oid))::bigint AS bytes
		FROM pg_class c
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
		ORDER BY bytes DESC LIMIT 20`).Scan(&tables).Error
	for _, t := range tables {
		into[t.Name] = t.Bytes
	}
	return err
}

// SaveHealthSnapshot keeps the health of a moment; one that is kept already, by ID, is
// left as it is.
func (s *Store) SaveHealthSnapshot(ctx context.Context, snapshot models.HealthSnapshot) error {
	const op = "store.SaveHealthSnapshot"
	if err := checkText(snapshot); err != nil {
		return classify(op, err)
	}
	return s.write(ctx, op, func(tx *gorm.DB) error {
		return tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&snapshot).Error
	})
}
