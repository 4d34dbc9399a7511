package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/wedsync/scalability/models"
)

// minutesAtOnce is the longest span whose minutes may be read at once.
const minutesAtOnce = 28 * 24 * time.Hour

// minuteLoads is answered from the index of throughput alone, day by day.
const minuteLoads = `
	SELECT date_trunc('minute', "timestamp", 'UTC') AS minute, sum(sum) / sum(sample_count) AS mean_rps
	FROM scalability_metrics
	WHERE metric = 'throughput' AND service = ? AND "timestamp" >= ? AND "timestamp" < ? AND sample_count > 0
	GROUP BY 1 ORDER BY 1`

// MinuteLoad is the mean throughput of each minute of [from, until) that has samples,
// weighted by their number, earliest first.
func (s *Store) MinuteLoad(ctx context.Context, service models.ServiceName, from, until time.Time) ([]models.MinuteLoad, error) {
	const op = "store.MinuteLoad"
	if span := until.Sub(from); span > minutesAtOnce {
		return nil, classify(op, models.Invalid("until", until, "must be within 28 days after from"))
	}
	minutes := []models.MinuteLoad{}
	err := s.read(ctx, op, func(tx *gorm.DB) error {
		return tx.Raw(minuteLoads, service, from, until).Scan(&minutes).Error
	})
	if err != nil {
		return nil, err
	}
	return minutes, nil
}
