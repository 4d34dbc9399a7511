package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/wedsync/scalability/models"
)

// RaiseAlert keeps an alert, once: new says that it was not there.
func (s *Store) RaiseAlert(ctx context.Context, t models.Threat) (isNew bool, err error) {
	const op = "store.RaiseAlert"
	if err := checkText(t); err != nil {
		return false, classify(op, err)
	}
	known := false
	err = s.read(ctx, op, func(tx *gorm.DB) error {
		var n int64
		e := tx.Model(&models.Threat{}).Where("id = ?", t.ID).Count(&n).Error
		known = n > 0
		return e
	})
	if err != nil || known {
		return false, err
	}
	err = s.change(ctx, op, "alert/"+t.ID, func(tx *gorm.DB) error {
		made := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&t)
		isNew = made.RowsAffected > 0
		return made.Error
	})
	return isNew && err == nil, err
}

// SecurityAlerts lists alerts, newest first.
func (s *Store) SecurityAlerts(ctx context.Context, f models.ThreatFilter) ([]models.Threat, error) {
	found := []models.Threat{}
	err := s.read(ctx, "store.SecurityAlerts", func(tx *gorm.DB) error {
		q := tx.Order("raised_at DESC, id DESC")
		if !f.Since.IsZero() {
			q = q.Where("raised_at >= ?", f.Since)
		}
		if f.Severity != "" {
			q = q.Where("severity = ?", f.Severity)
		}
		if f.Rule != "" {
			q = q.Where("rule = ?", f.Rule)
		}
		if f.Before != nil {
			q = q.Where("(raised_at, id) < (?, ?)", f.Before.At, f.Before.ID)
		}
		if f.Limit > 0 {
			q = q.Limit(f.Limit)
		}
		return q.Find(&found).Error
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// AcknowledgeAlert keeps who has looked at an alert first, and what they found.
func (s *Store) AcknowledgeAlert(ctx context.Context, a models.Acknowledgement) (models.Threat, error) {
	const op = "store.AcknowledgeAlert"
	var t models.Threat
	if err := a.Validate(); err != nil {
		return t, classify(op, err)
	}
	err := s.change(ctx, op, "alert/"+a.ID, func(tx *gorm.DB) error {
		if err := take(tx, &t, "id", a.ID); err != nil {
			return err
		}
		if t.AcknowledgedAt != nil {
			return &models.Error{Kind: models.KindConflict, Field: "id", Value: a.ID, Rule: "was acknowledged by " + t.AcknowledgedBy + " already"}
		}
		t.AcknowledgedAt, t.AcknowledgedBy, t.Note = &a.At, a.Actor, a.Note
		done := tx.Model(&t).Where("acknowledged_at IS NULL").Select("acknowledged_at", "acknowledged_by", "note").Updates(&t)
		if done.Error == nil && done.RowsAffected == 0 {
			return &models.Error{Kind: models.KindConflict, Field: "id", Value: a.ID, Rule: "was acknowledged by somebody else at this moment"}
		}
		return done.Error
	})
	return t, err
}

// WatchThreats takes or keeps the lease of the one process that looks for threats, by the
// clock of the database, and notes up to when it has seen the trail; the zero time leaves
// that as it is. It gives that time as it was before, and whether the lease is held.
func (s *Store) WatchThreats(ctx context.Context, holder string, lease time.Duration, seen time.Time) (before time.Time, held bool, err error) {
	const op = "store.WatchThreats"
	if holder == "" || lease < time.Millisecond {
		return before, false, models.Invalid("holder, lease", fmt.Sprint(holder, lease), "must be a name and at least 1ms")
	}
	err = s.write(ctx, op, func(tx *gorm.DB) error {
		var rows []struct{ SeenUntil time.Time }
		e := tx.Raw(`WITH old AS (SELECT seen_until FROM threat_watch WHERE id = 1 FOR UPDATE)
			UPDATE threat_watch w SET holder = ?, leased_until = clock_timestamp() + ? * interval '1 millisecond', seen_until = greatest(w.seen_until, coalesce(?::timestamptz, w.seen_until))
			FROM old WHERE w.id = 1 AND (w.holder = ? OR w.leased_until < clock_timestamp()) RETURNING old.seen_until`,
			holder, lease.Milliseconds(), orNull(seen), holder).Scan(&rows).Error
		if e == nil && len(rows) == 1 {
			before, held = rows[0].SeenUntil.UTC(), true
		}
		return e
	})
	return before, held && err == nil, err
}

// orNull is a time, or NULL where there is none.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
