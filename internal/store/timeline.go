package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/wedsync/scalability/models"
)

// Timeline gives each step of [from, until) in which a service was measured or evaluated,
// earliest first. Load is weighted by samples, replicas by evaluations.
func (s *Store) Timeline(ctx context.Context, service models.ServiceName, from, until time.Time, step time.Duration) ([]models.TimelinePoint, error) {
	points := []models.TimelinePoint{}
	err := s.read(ctx, "store.Timeline", func(tx *gorm.DB) error {
		return tx.Raw(`
			WITH load AS (
				SELECT date_bin(make_interval(secs => @step), "timestamp", @from) AS at, sum(sum) / sum(sample_count) AS rps
				FROM scalability_metrics
				WHERE metric = 'throughput' AND service = @service AND "timestamp" >= @from AND "timestamp" < @until AND sample_count > 0
				GROUP BY 1
			), ticks AS (
				SELECT date_bin(make_interval(secs => @step), at, @from) AS at, avg(spec)::float8 AS spec, avg(ready)::float8 AS ready,
				       max(desired) AS desired, coalesce(max(mode) FILTER (WHERE mode = 'wedding_day'), '') AS mode
				FROM scaling_evaluations
				WHERE service = @service AND at >= @from AND at < @until
				GROUP BY 1
			)
			SELECT at, rps, spec, ready, desired, coalesce(mode, '') AS mode FROM load FULL JOIN ticks USING (at) ORDER BY at`,
			map[string]any{"step": step.Seconds(), "from": from, "until": until, "service": service}).Scan(&points).Error
	})
	if err != nil {
		return nil, err
	}
	return points, nil
}
