package store

import (
	"context"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/wedsync/scalability/models"
)

// SaveScalingState keeps the last evaluation of a service. One that comes late, after a
// newer one, changes nothing; a stored time that lies ahead of the database's clock is no
// obstacle, so that a clock that once ran ahead is forgotten.
func (s *Store) SaveScalingState(ctx context.Context, state models.ScalingState) error {
	const op = "store.SaveScalingState"
	if err := checkText(state); err != nil {
		return classify(op, err)
	}
	return s.write(ctx, op, func(tx *gorm.DB) error {
		return tx.Clauses(clause.OnConflict{
			Columns:   []clause.Column{{Name: "service"}},
			UpdateAll: true,
			Where: clause.Where{Exprs: []clause.Expression{gorm.Expr(
				"scaling_states.ticked_at <= excluded.ticked_at OR scaling_states.ticked_at > now() + interval '1 minute'")}},
		}).Create(&state).Error
	})
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
