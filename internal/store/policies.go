package store

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/wedsync/scalability/models"
)

// ProposePolicy keeps a policy that waits for a second person.
func (s *Store) ProposePolicy(ctx context.Context, p models.AccessPolicy) error {
	const op = "store.ProposePolicy"
	if err := checkText(p); err != nil {
		return classify(op, err)
	}
	if len(p.Text) > models.MaxPolicyBytes {
		return models.Invalid("text", len(p.Text), "must be at most 65536 bytes")
	}
	p.Status = models.PolicyProposed
	return s.change(ctx, op, "policy/"+p.ID, func(tx *gorm.DB) error { return tx.Create(&p).Error })
}

// DecidePolicy approves or rejects a proposed policy. One that was decided already is a
// conflict, one's own proposal is forbidden.
func (s *Store) DecidePolicy(ctx context.Context, v models.PolicyVerdict) (models.AccessPolicy, error) {
	const op = "store.DecidePolicy"
	var p models.AccessPolicy
	err := s.change(ctx, op, "policy/"+v.ID, func(tx *gorm.DB) error {
		if err := take(tx, &p, "id", v.ID); err != nil {
			return err
		}
		switch {
		case p.ProposedBy == v.Actor:
			return &models.Error{Kind: models.KindForbidden, Field: "id", Value: v.ID, Rule: "must be decided by somebody else than its proposer"}
		case p.Status != models.PolicyProposed:
			return &models.Error{Kind: models.KindConflict, Field: "id", Value: v.ID, Rule: "was " + string(p.Status) + " already"}
		}
		p.Status, p.DecidedBy, p.DecidedAt, p.DecisionReason = models.PolicyRejected, v.Actor, &v.At, v.Reason
		if v.Approve {
			p.Status = models.PolicyApproved
		}
		if err := checkText(p); err != nil {
			return err
		}
		res := tx.Model(&p).Where("status = ?", models.PolicyProposed).
			Select("status", "decided_by", "decided_at", "decision_reason").Updates(&p)
		if res.Error == nil && res.RowsAffected == 0 {
			return untouched("id", v.ID)
		}
		return res.Error
	})
	if err != nil {
		return models.AccessPolicy{}, err
	}
	return p, nil
}

// AccessPolicies lists the newest hundred, newest first.
func (s *Store) AccessPolicies(ctx context.Context) ([]models.AccessPolicy, error) {
	list := []models.AccessPolicy{}
	err := s.read(ctx, "store.AccessPolicies", func(tx *gorm.DB) error {
		return tx.Order("proposed_at DESC, id DESC").Limit(100).Find(&list).Error
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// AccessPolicy reads one policy.
func (s *Store) AccessPolicy(ctx context.Context, id string) (models.AccessPolicy, error) {
	var p models.AccessPolicy
	err := s.read(ctx, "store.AccessPolicy", func(tx *gorm.DB) error { return take(tx, &p, "id", id) })
	return p, err
}

// PolicyInForce reads the policy that was approved last at a time, and the number of changes
// to policies and bindings so far, from one view of the database. ok is false where none was
// approved: then the one that is part of the program holds.
func (s *Store) PolicyInForce(ctx context.Context, at time.Time) (p models.AccessPolicy, revision int64, ok bool, err error) {
	err = s.read(ctx, "store.PolicyInForce", func(tx *gorm.DB) error {
		if err := tx.Raw("SELECT revision FROM policy_revisions").Scan(&revision).Error; err != nil {
			return err
		}
		found := tx.Where("status = ? AND decided_at <= ?", models.PolicyApproved, at).Order("decided_at DESC, id DESC").Take(&p)
		if errors.Is(found.Error, gorm.ErrRecordNotFound) {
			return nil
		}
		ok = found.Error == nil
		return found.Error
	})
	return p, revision, ok, err
}

// AuditedCalls counts the calls since a time that an access policy decided, by what decided
// them.
func (s *Store) AuditedCalls(ctx context.Context, since, until time.Time) ([]models.AuditedCalls, error) {
	rows := []struct {
		Roles      []models.Role `gorm:"serializer:json"`
		Permission models.Permission
		WeddingDay bool
		Freeze     bool
		Decision   models.AuditDecision
		Count      int64
		Subjects   int64
	}{}
	err := s.read(ctx, "store.AuditedCalls", func(tx *gorm.DB) error {
		return tx.Raw(`
			SELECT roles::text AS roles, action AS permission, coalesce(context->>'weddingDay', '') = 'true' AS wedding_day,
			       coalesce(context->>'changeFreeze', '') = 'true' AS freeze, decision, count(*) AS count, count(DISTINCT actor) AS subjects
			FROM security_audit_logs
			WHERE at >= ? AND at < ? AND action LIKE 'scalability:%'
			  AND (rule LIKE 'role %' OR rule LIKE 'denied to role %' OR rule IN ('not granted', 'no role', 'needs wedding_day'))
			GROUP BY 1, 2, 3, 4, 5`, since, until).Scan(&rows).Error
	})
	if err != nil {
		return nil, err
	}
	out := make([]models.AuditedCalls, len(rows))
	for i, r := range rows {
		out[i] = models.AuditedCalls{
			Roles: r.Roles, Permission: r.Permission, WeddingDay: r.WeddingDay, ChangeFreeze: r.Freeze,
			Decision: r.Decision, Count: r.Count, Subjects: r.Subjects,
		}
	}
	return out, nil
}
