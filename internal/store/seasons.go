package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/wedsync/scalability/models"
)

// KeepSeason keeps the row of a season, how its plans ended and the last result of its
// gates, all or none. It may be repeated. Who made the season, and when, stays.
func (s *Store) KeepSeason(ctx context.Context, season models.Season, settled []models.SeasonPlan, gates []models.SeasonGate) error {
	const op = "store.KeepSeason"
	if err := checkText(season); err != nil {
		return classify(op, err)
	}
	return s.change(ctx, op, "season/"+season.ID, func(tx *gorm.DB) error {
		err := tx.Clauses(clause.OnConflict{
			Columns:   []clause.Column{{Name: "id"}},
			DoUpdates: clause.AssignmentColumns([]string{"bounds", "phase", "outcome", "sentence", "report", "approved", "effective", "proposed", "updated_at"}),
		}).Create(&season).Error
		if err != nil {
			return err
		}
		for _, p := range settled {
			err := tx.Model(&models.SeasonPlan{}).Where("season_id = ? AND version = ?", p.SeasonID, p.Version).
				Select("status", "decided_by", "reason", "decided_at").Updates(p).Error
			if err != nil {
				return err
			}
		}
		for _, g := range gates {
			if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(listed(&g)).Error; err != nil {
				return err
			}
		}
		return nil
	})
}

// listed gives a gate lists that are there, though they may be empty.
func listed(g *models.SeasonGate) *models.SeasonGate {
	if g.Findings == nil {
		g.Findings = []models.GateFinding{}
	}
	if g.Remedies == nil {
		g.Remedies = []string{}
	}
	return g
}

// Seasons lists the seasons, the latest first, without their gates.
func (s *Store) Seasons(ctx context.Context) ([]models.Season, error) {
	found := []models.Season{}
	err := s.read(ctx, "store.Seasons", func(tx *gorm.DB) error {
		return tx.Order("starts_at DESC, id").Limit(listRows).Find(&found).Error
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Season reads one season with its gates and capacity certificates.
func (s *Store) Season(ctx context.Context, id string) (models.Season, error) {
	var got models.Season
	err := s.read(ctx, "store.Season", func(tx *gorm.DB) error {
		if err := take(tx, &got, "id", id); err != nil {
			return err
		}
		if err := tx.Where("season_id = ?", id).Order("due_at").Find(&got.Gates).Error; err != nil {
			return err
		}
		return tx.Where("season_id = ?", id).Order("issued_at, service").Find(&got.Proofs).Error
	})
	return got, err
}

// SavePlan keeps a version of a plan and marks those whose place it takes. It may be
// repeated: a version that a person decided on is not changed any more.
func (s *Store) SavePlan(ctx context.Context, p models.SeasonPlan, superseded ...int) error {
	const op = "store.SavePlan"
	if err := checkText(p); err != nil {
		return classify(op, err)
	}
	return s.change(ctx, op, fmt.Sprintf("season/%s/plan/%d", p.SeasonID, p.Version), func(tx *gorm.DB) error {
		err := tx.Clauses(clause.OnConflict{
			UpdateAll: true,
			Where:     clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "season_plans.decided_by = ''"}}},
		}).Create(&p).Error
		if err != nil || len(superseded) == 0 {
			return err
		}
		return tx.Model(&models.SeasonPlan{}).
			Where("season_id = ? AND version IN ? AND status IN ?", p.SeasonID, superseded, []models.PlanStatus{models.PlanProposed, models.PlanAmended}).
			Update("status", models.PlanSuperseded).Error
	})
}

// SeasonPlan reads one version of a plan.
func (s *Store) SeasonPlan(ctx context.Context, season string, version int) (models.SeasonPlan, error) {
	var got models.SeasonPlan
	err := s.read(ctx, "store.SeasonPlan", func(tx *gorm.DB) error {
		return take(tx.Where("season_id = ?", season), &got, "version", version)
	})
	return got, err
}

// SaveCapacityProofs keeps capacity certificates; one that is kept already stays.
func (s *Store) SaveCapacityProofs(ctx context.Context, proofs []models.CapacityProof) error {
	if len(proofs) == 0 {
		return nil
	}
	return s.changed(ctx, "store.SaveCapacityProofs", func(tx *gorm.DB) (changed, error) {
		var ids []string
		for _, p := range proofs {
			ids = append(ids, p.ID)
		}
		return changed{object: "season/" + proofs[0].SeasonID + "/certificates", context: named("certificates", ids)},
			tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&proofs).Error
	})
}

// CapacityProofs lists the capacity certificates of a season, oldest first.
func (s *Store) CapacityProofs(ctx context.Context, season string) ([]models.CapacityProof, error) {
	found := []models.CapacityProof{}
	err := s.read(ctx, "store.CapacityProofs", func(tx *gorm.DB) error {
		return tx.Where("season_id = ?", season).Order("issued_at, service").Find(&found).Error
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// certify puts what the last load test has shown into what is known of a service.
func certify(tx *gorm.DB, service models.ServiceName, now time.Time, l *models.Learned) error {
	var last []models.CapacityProof
	err := tx.Where("service = ? AND issued_at <= ? AND capacity_rps > 0", service, now).Order("issued_at DESC").Limit(1).Find(&last).Error
	if err != nil || len(last) == 0 {
		return err
	}
	l.CapacityP10RPS, l.CertifiedAt = last[0].CapacityRPS, &last[0].IssuedAt
	return nil
}

// ReservationsOf lists what a holder reserves that was not released and does not end
// before a time, oldest first.
func (s *Store) ReservationsOf(ctx context.Context, holder string, at time.Time) ([]models.Reservation, error) {
	found := []models.Reservation{}
	err := s.read(ctx, "store.ReservationsOf", func(tx *gorm.DB) error {
		return tx.Where("holder = ? AND ended_at IS NULL AND ends_at > ?", holder, at).Order("created_at, id").Find(&found).Error
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// EndReservations releases reservations early and gives how many were: those that have
// ended already are left as they are.
func (s *Store) EndReservations(ctx context.Context, ids []string, actor string, at time.Time) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	n := 0
	err := s.changed(ctx, "store.EndReservations", func(tx *gorm.DB) (changed, error) {
		var ended []models.Reservation
		res := tx.Model(&ended).Clauses(clause.Returning{Columns: []clause.Column{{Name: "id"}}}).
			Where("id IN ? AND ended_at IS NULL AND ends_at > ?", ids, at).
			Select("ended_at", "ended_by").Updates(models.Reservation{EndedAt: &at, EndedBy: actor})
		if n = int(res.RowsAffected); n == 0 {
			return changed{}, res.Error
		}
		var which []string
		for _, r := range ended {
			which = append(which, r.ID)
		}
		return changed{object: "reservations", context: named("reservations", which)}, res.Error
	})
	return n, err
}

// CeremonyAt says whether any wedding that was not cancelled takes place at a time.
func (s *Store) CeremonyAt(ctx context.Context, at time.Time) (bool, error) {
	var n int64
	err := s.read(ctx, "store.CeremonyAt", func(tx *gorm.DB) error {
		return tx.Model(&models.Wedding{}).Where("starts_at <= ? AND ends_at > ? AND status <> ?", at, at, models.WeddingCancelled).Limit(1).Count(&n).Error
	})
	return n > 0, err
}

// MostReplicas gives the most replicas that a service had in [from, until), as far as its
// evaluations are kept; nil where none is.
func (s *Store) MostReplicas(ctx context.Context, service models.ServiceName, from, until time.Time) (*int, error) {
	var most *int
	err := s.read(ctx, "store.MostReplicas", func(tx *gorm.DB) error {
		return tx.Raw("SELECT max(ready) FROM scaling_evaluations WHERE service = ? AND at >= ? AND at < ?", service, from, until).Scan(&most).Error
	})
	return most, err
}
