package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/wedsync/scalability/models"
)

// SaveWeddingDay keeps a day as it stands. A report that is there stays until the next one.
func (s *Store) SaveWeddingDay(ctx context.Context, d models.WeddingDay) error {
	const op = "store.SaveWeddingDay"
	if err := checkText(d); err != nil {
		return classify(op, err)
	}
	return s.changed(ctx, op, func(tx *gorm.DB) (changed, error) {
		var before []models.WeddingDay
		if err := tx.Where("date = ? AND region = ?", d.Date, d.Region).Limit(1).Find(&before).Error; err != nil {
			return changed{}, err
		}
		var old models.WeddingDay
		if len(before) > 0 {
			old = before[0]
		}
		return turn(old, d), tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "date"}, {Name: "region"}}, UpdateAll: true}).Create(&d).Error
	})
}

// turn is what of a day goes on record: each phase, each note, and when the strict thresholds
// hold. That the numbers of the day move on does not.
func turn(old, d models.WeddingDay) changed {
	c := map[string]string{}
	if d.Phase != old.Phase {
		c["phase"] = string(d.Phase)
	}
	known := map[string]bool{}
	for _, n := range old.Notes {
		known[n.At.UTC().Format(time.RFC3339Nano)+n.Text] = true
	}
	for i, n := range d.Notes {
		if !known[n.At.UTC().Format(time.RFC3339Nano)+n.Text] {
			c[fmt.Sprintf("note%02d", i)] = n.Text
		}
	}
	for name, at := range map[string][2]*time.Time{"strictFrom": {old.StrictFrom, d.StrictFrom}, "strictUntil": {old.StrictTo, d.StrictTo}} {
		if at[0] == nil && at[1] == nil || at[0] != nil && at[1] != nil && at[0].Equal(at[1].Truncate(time.Microsecond)) {
			continue
		}
		c[name] = "none"
		if at[1] != nil {
			c[name] = at[1].UTC().Format(time.RFC3339)
		}
	}
	if len(c) == 0 {
		return changed{}
	}
	return changed{object: "wedding-day/" + d.Date + "/" + d.Region, context: c}
}

// WeddingDays lists days by date, earliest first.
func (s *Store) WeddingDays(ctx context.Context, q models.WeddingDayQuery) ([]models.WeddingDay, error) {
	found := []models.WeddingDay{}
	err := s.read(ctx, "store.WeddingDays", func(tx *gorm.DB) error {
		tx = tx.Order("date, region").Limit(listRows)
		if q.Limit > 0 {
			tx = tx.Limit(q.Limit)
		}
		if q.From != "" {
			tx = tx.Where("date >= ?", q.From)
		}
		if q.Until != "" {
			tx = tx.Where("date <= ?", q.Until)
		}
		return tx.Find(&found).Error
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// WeddingDay reads one day.
func (s *Store) WeddingDay(ctx context.Context, date, region string) (models.WeddingDay, error) {
	var got models.WeddingDay
	err := s.read(ctx, "store.WeddingDay", func(tx *gorm.DB) error {
		return take(tx.Where("region = ?", region), &got, "date", date)
	})
	return got, err
}

// StrictDays lists the days with a window of strict thresholds that is open at a time.
func (s *Store) StrictDays(ctx context.Context, at time.Time) ([]models.WeddingDay, error) {
	found := []models.WeddingDay{}
	err := s.read(ctx, "store.StrictDays", func(tx *gorm.DB) error {
		return tx.Where("strict_until > ? AND strict_from <= ?", at, at).Order("date, region").Find(&found).Error
	})
	if err != nil {
		return nil, err
	}
	open := found[:0]
	for _, d := range found {
		if d.StrictAt(at) {
			open = append(open, d)
		}
	}
	return open, nil
}

// HeldReservations lists what a holder ever reserved, oldest first.
func (s *Store) HeldReservations(ctx context.Context, holder string) ([]models.Reservation, error) {
	found := []models.Reservation{}
	err := s.read(ctx, "store.HeldReservations", func(tx *gorm.DB) error {
		return tx.Where("holder = ?", holder).Order("created_at, id").Find(&found).Error
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// PeakLoad is a percentile, 0 to 1, of the throughput of the windows of [from, until); nil
// where none was measured.
func (s *Store) PeakLoad(ctx context.Context, service models.ServiceName, from, until time.Time, percentile float64) (*float64, error) {
	var load struct{ RPS *float64 }
	err := s.read(ctx, "store.PeakLoad", func(tx *gorm.DB) error {
		return tx.Raw(`
			SELECT percentile_cont(?) WITHIN GROUP (ORDER BY rps) AS rps
			FROM (SELECT sum(sum) / sum(sample_count) AS rps FROM scalability_metrics
				WHERE metric = 'throughput' AND service = ? AND "timestamp" >= ? AND "timestamp" < ? AND sample_count > 0
				GROUP BY "timestamp") AS windows`, percentile, service, from, until).Scan(&load).Error
	})
	return load.RPS, err
}

// ViolationMinutes counts the minutes of [from, until) in which a window of ten seconds was
// above the thresholds for the response time or the error rate.
func (s *Store) ViolationMinutes(ctx context.Context, service models.ServiceName, from, until time.Time, t models.ThresholdSet) (int, error) {
	var n int
	err := s.read(ctx, "store.ViolationMinutes", func(tx *gorm.DB) error {
		return tx.Raw(`
			SELECT count(DISTINCT date_trunc('minute', "timestamp"))
			FROM scalability_metrics
			WHERE service = ? AND "timestamp" >= ? AND "timestamp" < ? AND sample_count > 0
				AND (metric = 'response_time_p95' AND sum / sample_count > ? OR metric = 'error_rate' AND sum / sample_count > ?)`,
			service, from, until, t.ResponseTimeMS, t.ErrorRate).Scan(&n).Error
	})
	return n, err
}
