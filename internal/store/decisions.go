package store

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/wedsync/scalability/models"
)

// Decision reads one decision.
func (s *Store) Decision(ctx context.Context, id string) (models.Decision, error) {
	var got models.Decision
	err := s.read(ctx, "store.Decision", func(tx *gorm.DB) error { return take(tx, &got, "id", id) })
	return got, err
}

// Decisions lists decisions, newest first.
func (s *Store) Decisions(ctx context.Context, f models.DecisionFilter) ([]models.Decision, error) {
	return s.decisions(ctx, "store.Decisions", func(tx *gorm.DB) *gorm.DB {
		q := tx.Order("created_at DESC, id DESC")
		if f.Service != "" {
			q = q.Where("service = ?", f.Service)
		}
		if f.Outcome != nil {
			q = q.Where("outcome = ?", *f.Outcome)
		}
		if !f.Since.IsZero() {
			q = q.Where("created_at >= ?", f.Since)
		}
		if !f.Until.IsZero() {
			q = q.Where("created_at < ?", f.Until)
		}
		if f.Before != nil {
			q = q.Where("(created_at, id) < (?, ?)", f.Before.At, f.Before.ID)
		}
		if f.Limit > 0 {
			q = q.Limit(f.Limit)
		}
		return q
	})
}

// OpenDecisions lists decisions without an outcome that were made before a time, oldest
// first.
func (s *Store) OpenDecisions(ctx context.Context, before time.Time) ([]models.Decision, error) {
	return s.decisions(ctx, "store.OpenDecisions", func(tx *gorm.DB) *gorm.DB {
		return tx.Where("status <> 'closed' AND created_at < ?", before).Order("created_at, id")
	})
}

func (s *Store) decisions(ctx context.Context, op string, selecting func(*gorm.DB) *gorm.DB) ([]models.Decision, error) {
	found := []models.Decision{}
	err := s.read(ctx, op, func(tx *gorm.DB) error { return selecting(tx).Find(&found).Error })
	if err != nil {
		return nil, err
	}
	return found, nil
}

// OpenRequests lists the proposed decisions of a service, oldest first.
func (s *Store) OpenRequests(ctx context.Context, service models.ServiceName) ([]models.DecisionRequest, error) {
	found, err := s.decisions(ctx, "store.OpenRequests", func(tx *gorm.DB) *gorm.DB {
		// The constant lets the planner use the index of open decisions.
		return tx.Select("id", "reservation_id", "requested_by", "created_at").
			Where("status <> 'closed' AND status = ? AND service = ?", models.DecisionProposed, service).
			Order("created_at, id")
	})
	if err != nil {
		return nil, err
	}
	requests := make([]models.DecisionRequest, len(found))
	for i, d := range found {
		requests[i] = models.DecisionRequest{DecisionID: d.ID, ReservationID: d.ReservationID, Actor: d.RequestedBy, CreatedAt: d.CreatedAt}
	}
	return requests, nil
}

// RequestScale commits a reservation and the proposed decision that asks for it, both or
// neither.
func (s *Store) RequestScale(ctx context.Context, r models.Reservation, d models.Decision) error {
	const op = "store.RequestScale"
	if d.Status != models.DecisionProposed {
		return classify(op, models.Invalid("status", d.Status, "must be proposed"))
	}
	if d.ReservationID != r.ID || d.Service != r.Service {
		return classify(op, models.Invalid("reservationId", d.ReservationID, "must be the reservation of the same service that is placed with it"))
	}
	if err := checkText(r, d); err != nil {
		return classify(op, err)
	}
	return s.change(ctx, op, "service/"+string(d.Service)+"/decision/"+d.ID, func(tx *gorm.DB) error {
		if err := tx.Create(&r).Error; err != nil {
			return err
		}
		if err := price(tx, &d); err != nil {
			return err
		}
		return tx.Create(&d).Error
	})
}

// RecordDecision keeps a decision before anything is changed. By ID:
//
//	stored      given                  does
//	–           any                    inserts
//	proposed    executing or closed    takes it up: the given data, but who asked and when stay
//	proposed    proposed               nothing
//	executing   any                    nothing: it was recorded before
//	closed      closed, same outcome   nothing: it was recorded before
//	closed      else                   conflict
//
// The ID of another service's decision is a conflict.
func (s *Store) RecordDecision(ctx context.Context, d models.Decision) error {
	const op = "store.RecordDecision"
	if d.Status == "" {
		d.Status = models.DecisionExecuting
	}
	if err := checkText(d); err != nil {
		return classify(op, err)
	}
	return s.change(ctx, op, "service/"+string(d.Service)+"/decision/"+d.ID, func(tx *gorm.DB) error {
		row := d
		if err := price(tx, &row); err != nil {
			return err
		}
		res := tx.Clauses(takeUp()).Create(&row)
		if res.Error != nil || res.RowsAffected > 0 {
			return res.Error
		}
		var stored models.Decision
		if err := take(tx.Select("id", "service", "status", "outcome"), &stored, "id", d.ID); err != nil {
			return err
		}
		return recordedBefore(stored, d)
	})
}

// takeUp lets an INSERT that meets a proposed row of the same service take it up.
func takeUp() clause.OnConflict {
	set := clause.AssignmentColumns([]string{
		"expires_at", "class", "direction", "from_replicas", "to_replicas", "sentence", "explanation", "status",
		"outcome", "outcome_reason", "finished_at", "final_replicas", "workflow_id", "evidence", "spike_sample_at", "ordered_at",
		"cost_per_hour_before", "cost_per_hour_after",
	})
	for _, kept := range []string{"requested_by", "reservation_id"} {
		set = append(set, clause.Assignment{
			Column: clause.Column{Name: kept},
			Value:  gorm.Expr("coalesce(nullif(scalability_decisions." + kept + ", ''), excluded." + kept + ")"),
		})
	}
	return clause.OnConflict{
		Columns:   []clause.Column{{Name: "id"}},
		DoUpdates: set,
		Where: clause.Where{Exprs: []clause.Expression{gorm.Expr(
			"scalability_decisions.status = 'proposed' AND excluded.status <> 'proposed' AND scalability_decisions.service = excluded.service")}},
	}
}

// price says what a decision costs at the catalogue's price, where nobody said so yet. It
// stays open where the service has no entry.
func price(tx *gorm.DB, d *models.Decision) error {
	var prices []float64
	err := tx.Raw("SELECT cost_per_replica_hour FROM services WHERE name = ?", d.Service).Scan(&prices).Error
	if err != nil || len(prices) == 0 {
		return err
	}
	before, after := float64(d.FromReplicas)*prices[0], float64(d.ToReplicas)*prices[0]
	if d.CostPerHourBefore == nil {
		d.CostPerHourBefore = &before
	}
	if d.CostPerHourAfter == nil {
		d.CostPerHourAfter = &after
	}
	return nil
}

func recordedBefore(stored, d models.Decision) error {
	var e *models.Error
	switch {
	case stored.Service != d.Service:
		e = models.Invalid("id", d.ID, "is a decision about "+string(stored.Service))
	case stored.Status == models.DecisionClosed && (d.Status != models.DecisionClosed || d.Outcome != stored.Outcome):
		e = models.Invalid("id", d.ID, "is closed already as "+string(stored.Outcome))
	default:
		return nil
	}
	e.Kind = models.KindConflict
	return e
}

// CloseDecision keeps how a decision ended. The first report counts; another changes
// nothing.
func (s *Store) CloseDecision(ctx context.Context, r models.OutcomeReport) error {
	const op = "store.CloseDecision"
	if !slices.Contains(models.Outcomes(), r.Outcome) {
		return classify(op, models.Invalid("outcome", r.Outcome, "must be a closed outcome"))
	}
	if r.FinishedAt.IsZero() {
		return classify(op, models.Invalid("finishedAt", "", "is required"))
	}
	if err := checkText(r); err != nil {
		return classify(op, err)
	}
	return s.change(ctx, op, "decision/"+r.DecisionID, func(tx *gorm.DB) error {
		columns, end := closing(r)
		res := tx.Model(&models.Decision{}).Where("id = ? AND status <> 'closed'", r.DecisionID).Select(columns).Updates(end)
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected > 0 {
			return settle(tx, r)
		}
		var stored models.Decision
		if err := take(tx.Select("id", "status"), &stored, "id", r.DecisionID); err != nil {
			return err
		}
		if stored.Status != models.DecisionClosed {
			return untouched("id", r.DecisionID)
		}
		return nil
	})
}

// settle corrects what a decision costs once it is known what it left.
func settle(tx *gorm.DB, r models.OutcomeReport) error {
	if r.FinalReplicas == nil {
		return nil
	}
	_, err := exec(tx, `
		UPDATE scalability_decisions d SET cost_per_hour_after = $1::integer * s.cost_per_replica_hour
		FROM services s WHERE s.name = d.service AND d.id = $2`, *r.FinalReplicas, r.DecisionID)
	return err
}

// closing is what a report changes; what it does not know stays.
func closing(r models.OutcomeReport) ([]string, models.Decision) {
	columns := []string{"status", "outcome", "outcome_reason", "finished_at"}
	if r.FinalReplicas != nil {
		columns = append(columns, "final_replicas")
	}
	if r.Evidence != nil {
		columns = append(columns, "evidence")
	}
	if r.OrderedAt != nil {
		columns = append(columns, "ordered_at")
	}
	return columns, models.Decision{
		Status: models.DecisionClosed, Outcome: r.Outcome, OutcomeReason: r.Reason, FinishedAt: &r.FinishedAt,
		FinalReplicas: r.FinalReplicas, Evidence: r.Evidence, OrderedAt: r.OrderedAt,
	}
}
