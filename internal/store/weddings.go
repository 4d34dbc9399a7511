package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/wedsync/scalability/models"
)

// Weddings lists the weddings that overlap [From, Until), earliest start first.
func (s *Store) Weddings(ctx context.Context, f models.WeddingFilter) ([]models.Wedding, error) {
	found := []models.Wedding{}
	err := s.read(ctx, "store.Weddings", func(tx *gorm.DB) error {
		q := chosen(tx.Order("starts_at, id"), f)
		if f.After != nil {
			q = q.Where("(starts_at, id) > (?, ?)", f.After.At, f.After.ID)
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

// chosen narrows a query to what the filter asks for.
func chosen(q *gorm.DB, f models.WeddingFilter) *gorm.DB {
	if !f.From.IsZero() {
		q = q.Where("ends_at > ?", f.From)
	}
	if !f.Until.IsZero() {
		q = q.Where("starts_at < ?", f.Until)
	}
	switch {
	case f.Status != "":
		q = q.Where("status = ?", f.Status)
	case !f.IncludeCancelled:
		q = q.Where("status <> ?", models.WeddingCancelled)
	}
	for _, c := range []struct{ condition, value string }{
		{"region = ?", f.Region}, {"coordinator = ?", f.Coordinator}, {"source = ?", f.Source},
	} {
		if c.value != "" {
			q = q.Where(c.condition, c.value)
		}
	}
	return q
}

// Wedding reads one wedding.
func (s *Store) Wedding(ctx context.Context, id string) (models.Wedding, error) {
	var got models.Wedding
	err := s.read(ctx, "store.Wedding", func(tx *gorm.DB) error { return take(tx, &got, "id", id) })
	return got, err
}

// CreateWedding stores a new wedding at revision 1, with an ID and the times of its
// making where they are missing, and gives the row.
func (s *Store) CreateWedding(ctx context.Context, w models.Wedding) (models.Wedding, error) {
	const op = "store.CreateWedding"
	w = w.WithDefaults()
	if err := checkText(w); err != nil {
		return models.Wedding{}, classify(op, err)
	}
	if w.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return models.Wedding{}, fmt.Errorf("%s: %w", op, err)
		}
		w.ID = id.String()
	}
	w.Revision = 1
	err := s.change(ctx, op, "wedding/"+w.ID, func(tx *gorm.DB) error { return tx.Clauses(clause.Returning{}).Create(&w).Error })
	if err != nil {
		return models.Wedding{}, taken(err, w)
	}
	return w, nil
}

// UpdateWedding stores w where its revision is still the stored one, and gives the row
// with its new revision. ID, time of creation and where it came from stay.
func (s *Store) UpdateWedding(ctx context.Context, w models.Wedding) (models.Wedding, error) {
	const op = "store.UpdateWedding"
	w = w.WithDefaults()
	if err := checkText(w); err != nil {
		return models.Wedding{}, classify(op, err)
	}
	var got models.Wedding
	err := s.change(ctx, op, "wedding/"+w.ID, func(tx *gorm.DB) error {
		next := w
		next.Revision++
		res := tx.Model(&got).Clauses(clause.Returning{}).
			Where("id = ? AND revision = ?", w.ID, w.Revision).
			Select("*").Omit("id", "created_at", "source", "external_uid", "source_version").Updates(next)
		if res.Error != nil || res.RowsAffected > 0 {
			return res.Error
		}
		var now models.Wedding
		if err := take(tx, &now, "id", w.ID); err != nil {
			return err
		}
		return moved(w.Revision, now.Revision)
	})
	if err != nil {
		return models.Wedding{}, taken(err, w)
	}
	return got, nil
}

// taken gives a conflict the value that the caller sent.
func taken(err error, w models.Wedding) error {
	var e *models.Error
	if !asConflict(err, &e) || e.Value != "" {
		return err
	}
	value := w.ID
	if e.Field == "reference" {
		value = w.Reference
	}
	named := *e
	named.Value = value
	return &named
}

// SaveWeddingPredictions keeps forecasts beside the earlier ones of the same weddings;
// one that is kept already, by ID, is left as it is.
func (s *Store) SaveWeddingPredictions(ctx context.Context, predictions []models.WeddingPrediction) error {
	const op = "store.SaveWeddingPredictions"
	if len(predictions) == 0 {
		return nil
	}
	for i := range predictions {
		if err := checkText(predictions[i]); err != nil {
			return classify(op, err)
		}
	}
	return s.write(ctx, op, func(tx *gorm.DB) error {
		return tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(predictions, batchRows).Error
	})
}

// batchRows keeps a multi-row INSERT under the 65,535 parameters of the protocol.
const batchRows = 1000
