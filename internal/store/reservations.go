package store

import (
	"context"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/wedsync/scalability/models"
)

// listRows bounds a list that cannot be paged.
const listRows = 1000

// ActiveReservations lists what counts for a service at a time, oldest first.
func (s *Store) ActiveReservations(ctx context.Context, service models.ServiceName, at time.Time) ([]models.Reservation, error) {
	found := []models.Reservation{}
	err := s.read(ctx, "store.ActiveReservations", func(tx *gorm.DB) error {
		return activeAt(tx, at).Where("service = ?", service).Order("created_at, id").Find(&found).Error
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// activeAt is models.Reservation.ActiveAt in SQL.
func activeAt(tx *gorm.DB, at time.Time) *gorm.DB {
	return tx.Where("starts_at <= ? AND ends_at > ? AND (ended_at IS NULL OR ended_at > ?)", at, at, at)
}

// Reservations lists the newest thousand, newest first: of one service or, where it is
// empty, of all; those that count at a time or, where it is nil, all.
func (s *Store) Reservations(ctx context.Context, service models.ServiceName, at *time.Time) ([]models.Reservation, error) {
	found := []models.Reservation{}
	err := s.read(ctx, "store.Reservations", func(tx *gorm.DB) error {
		q := tx.Order("created_at DESC, id DESC").Limit(listRows)
		if at != nil {
			q = activeAt(q, *at)
		}
		if service != "" {
			q = q.Where("service = ?", service)
		}
		return q.Find(&found).Error
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Reservation reads one reservation.
func (s *Store) Reservation(ctx context.Context, id string) (models.Reservation, error) {
	var got models.Reservation
	err := s.read(ctx, "store.Reservation", func(tx *gorm.DB) error { return take(tx, &got, "id", id) })
	return got, err
}

// CreateReservation stores a new reservation.
func (s *Store) CreateReservation(ctx context.Context, r models.Reservation) error {
	const op = "store.CreateReservation"
	if err := checkText(r); err != nil {
		return classify(op, err)
	}
	return s.change(ctx, op, "reservation/"+r.ID, func(tx *gorm.DB) error { return tx.Create(&r).Error })
}

// EndReservation releases a reservation early and gives the row. One that has ended
// already, early or by itself, is given as it is.
func (s *Store) EndReservation(ctx context.Context, id, actor string, at time.Time) (models.Reservation, error) {
	const op = "store.EndReservation"
	end := models.Reservation{EndedAt: &at, EndedBy: actor}
	if err := checkText(end); err != nil {
		return models.Reservation{}, classify(op, err)
	}
	var got models.Reservation
	err := s.change(ctx, op, "reservation/"+id, func(tx *gorm.DB) error {
		res := tx.Model(&got).Clauses(clause.Returning{}).
			Where("id = ? AND ended_at IS NULL AND ends_at > ?", id, at).
			Select("ended_at", "ended_by").Updates(end)
		if res.Error != nil || res.RowsAffected > 0 {
			return res.Error
		}
		got = models.Reservation{}
		if err := take(tx, &got, "id", id); err != nil {
			return err
		}
		if got.EndedAt == nil && got.Until.After(at) {
			return untouched("id", id)
		}
		return nil
	})
	if err != nil {
		return models.Reservation{}, err
	}
	return got, nil
}
