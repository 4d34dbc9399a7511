package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/wedsync/scalability/models"
)

// evaluation is a row of scaling_evaluations: Record holds what the model has as JSON.
type evaluation struct {
	models.Evaluation
	Record []byte
}

// record is what is packed. Raw messages keep the bytes as they were, so that a hash over
// them still fits.
type record struct {
	Explanation json.RawMessage `json:"explanation"`
	Inputs      json.RawMessage `json:"inputs"`
}

// SaveEvaluation keeps the last evaluation of a service and adds it to those before, with
// the replicas that were seen to start, in one transaction. One of the same service and
// time is added once.
func (s *Store) SaveEvaluation(ctx context.Context, state models.ScalingState, e models.Evaluation) error {
	const op = "store.SaveEvaluation"
	if err := checkText(state, e); err != nil {
		return classify(op, err)
	}
	packed, err := pack(record{Explanation: e.Explanation, Inputs: e.Inputs})
	if err != nil {
		return classify(op, err)
	}
	row := evaluation{Evaluation: e, Record: packed}
	row.At = row.At.Truncate(time.Microsecond)
	return s.write(ctx, op, func(tx *gorm.DB) error {
		if err := saveState(tx, state); err != nil {
			return err
		}
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error; err != nil {
			return err
		}
		return saveStarts(tx, e.Service, row.At, e.Starts)
	})
}

// Evaluations lists evaluations of a service, newest first, without their inputs.
func (s *Store) Evaluations(ctx context.Context, f models.EvaluationFilter) ([]models.Evaluation, error) {
	const op = "store.Evaluations"
	rows := []evaluation{}
	err := s.read(ctx, op, func(tx *gorm.DB) error {
		q := tx.Where("service = ?", f.Service).Order("at DESC")
		if !f.Since.IsZero() {
			q = q.Where("at >= ?", f.Since)
		}
		if !f.Until.IsZero() {
			q = q.Where("at < ?", f.Until)
		}
		if !f.Before.IsZero() {
			q = q.Where("at < ?", f.Before)
		}
		if f.Limit > 0 {
			q = q.Limit(f.Limit)
		}
		return q.Find(&rows).Error
	})
	if err != nil {
		return nil, err
	}
	found := make([]models.Evaluation, len(rows))
	for i, r := range rows {
		if found[i], err = r.unpack(); err != nil {
			return nil, fmt.Errorf("%s: %w", op, err)
		}
		found[i].Inputs = nil
	}
	return found, nil
}

// EvaluationAt reads the last evaluation of a service at a time or before it, with its
// inputs; the zero time is now.
func (s *Store) EvaluationAt(ctx context.Context, service models.ServiceName, at time.Time) (models.Evaluation, error) {
	return s.evaluation(ctx, "store.EvaluationAt", models.NotFound("service", service), func(tx *gorm.DB) *gorm.DB {
		if !at.IsZero() {
			tx = tx.Where("at <= ?", at)
		}
		return tx.Where("service = ?", service).Order("at DESC")
	})
}

// EvaluationOf reads the evaluation behind a decision, with its inputs.
func (s *Store) EvaluationOf(ctx context.Context, decisionID string) (models.Evaluation, error) {
	return s.evaluation(ctx, "store.EvaluationOf", models.NotFound("decisionId", decisionID), func(tx *gorm.DB) *gorm.DB {
		// The constant lets the planner use the index of evaluations that led to a decision.
		return tx.Where("decision_id <> '' AND decision_id = ?", decisionID).Order("at DESC")
	})
}

func (s *Store) evaluation(ctx context.Context, op string, missing error, selecting func(*gorm.DB) *gorm.DB) (models.Evaluation, error) {
	var row evaluation
	err := s.read(ctx, op, func(tx *gorm.DB) error {
		err := selecting(tx).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return missing
		}
		return err
	})
	if err != nil {
		return models.Evaluation{}, err
	}
	e, err := row.unpack()
	if err != nil {
		return models.Evaluation{}, fmt.Errorf("%s: %w", op, err)
	}
	return e, nil
}

func (r evaluation) unpack() (models.Evaluation, error) {
	var rec record
	z, err := gzip.NewReader(bytes.NewReader(r.Record))
	if err == nil {
		err = json.NewDecoder(z).Decode(&rec)
	}
	if err != nil {
		return models.Evaluation{}, fmt.Errorf("the record of %s at %s is damaged: %w", r.Service, r.At.Format(time.RFC3339Nano), err)
	}
	e := r.Evaluation
	e.Explanation, e.Inputs = rec.Explanation, rec.Inputs
	return e, nil
}

func pack(r record) ([]byte, error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, models.Invalid("record", "", "must be JSON")
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err = z.Write(raw)
	if err = errors.Join(err, z.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// SaveScalingState keeps the last evaluation of a service. One that comes late, after a
// newer one, changes nothing; a stored time that lies ahead of the database's clock is no
// obstacle, so that a clock that once ran ahead is forgotten.
func (s *Store) SaveScalingState(ctx context.Context, state models.ScalingState) error {
	const op = "store.SaveScalingState"
	if err := checkText(state); err != nil {
		return classify(op, err)
	}
	return s.write(ctx, op, func(tx *gorm.DB) error { return saveState(tx, state) })
}

func saveState(tx *gorm.DB, state models.ScalingState) error {
	return tx.Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "service"}},
		UpdateAll: true,
		Where: clause.Where{Exprs: []clause.Expression{gorm.Expr(
			"scaling_states.ticked_at <= excluded.ticked_at OR scaling_states.ticked_at > now() + interval '1 minute'")}},
	}).Create(&state).Error
}

// ScalingStates lists the last evaluations in the fixed order of the services.
func (s *Store) ScalingStates(ctx context.Context) ([]models.ScalingState, error) {
	all := []models.ScalingState{}
	err := s.read(ctx, "store.ScalingStates", func(tx *gorm.DB) error { return tx.Find(&all).Error })
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b models.ScalingState) int { return byService(a.Service, b.Service) })
	return all, nil
}
