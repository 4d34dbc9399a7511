package store

import (
	"context"
	"fmt"
	"math"
	"time"

	"gorm.io/gorm"

	"github.com/wedsync/scalability/models"
)

// SaveRollups keeps closed windows with one statement. A window may come again, say after
// an answer was lost: means over hours do not notice it.
func (s *Store) SaveRollups(ctx context.Context, rollups []models.MetricRollup) error {
	const op = "store.SaveRollups"
	if len(rollups) == 0 {
		return nil
	}
	c, err := columnsOf(rollups)
	if err != nil {
		return classify(op, err)
	}
	return s.write(ctx, op, func(tx *gorm.DB) error {
		_, err := exec(tx, `
			INSERT INTO scalability_metrics ("timestamp", service, metric, window_seconds, sample_count, sum, min, max, last, source)
			SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::integer[], $5::bigint[],
				$6::float8[], $7::float8[], $8::float8[], $9::float8[], $10::text[])`,
			c.at, c.service, c.metric, c.window, c.count, c.sum, c.min, c.max, c.last, c.source)
		return err
	})
}

// rollupColumns are rollups turned on their side.
type rollupColumns struct {
	at                      []time.Time
	service, metric, source []string
	window                  []int64
	count                   []int64
	sum, min, max, last     []float64
}

func columnsOf(rollups []models.MetricRollup) (rollupColumns, error) {
	var c rollupColumns
	for i, r := range rollups {
		if err := checkText(r); err != nil {
			return c, err
		}
		// One sum that is no number would make the mean of its hour none.
		for _, v := range []float64{r.Sum, r.Min, r.Max, r.Last} {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return c, models.Invalid(fmt.Sprintf("rollups[%d]", i), v, "must have finite numbers")
			}
		}
		c.at = append(c.at, r.Timestamp)
		c.service = append(c.service, string(r.Service))
		c.metric = append(c.metric, string(r.Metric))
		c.window = append(c.window, int64(r.WindowSecs))
		c.count = append(c.count, r.SampleCount)
		c.sum = append(c.sum, r.Sum)
		c.min = append(c.min, r.Min)
		c.max = append(c.max, r.Max)
		c.last = append(c.last, r.Last)
		c.source = append(c.source, r.Source)
	}
	return c, nil
}

// HourlyLoad is the mean throughput of each hour (UTC) of [from, until) that has samples,
// weighted by their number, earliest first.
func (s *Store) HourlyLoad(ctx context.Context, service models.ServiceName, from, until time.Time) ([]models.HourlyLoad, error) {
	hours := []models.HourlyLoad{}
	err := s.read(ctx, "store.HourlyLoad", func(tx *gorm.DB) error {
		// The metric is a constant of the text, so that its partial index fits.
		return tx.Raw(`
			SELECT date_trunc('hour', "timestamp", 'UTC') AS hour, sum(sum) / sum(sample_count) AS mean_rps, sum(sample_count)::bigint AS samples
			FROM scalability_metrics
			WHERE metric = 'throughput' AND service = ? AND "timestamp" >= ? AND "timestamp" < ? AND sample_count > 0
			GROUP BY 1 ORDER BY 1`, service, from, until).Scan(&hours).Error
	})
	if err != nil {
		return nil, err
	}
	return hours, nil
}

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
