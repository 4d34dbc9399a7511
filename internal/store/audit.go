package store

import (
	"context"
	"strings"

	"gorm.io/gorm"

	"github.com/wedsync/scalability/models"
)

// AuditEntries lists entries of the audit trail, newest first.
func (s *Store) AuditEntries(ctx context.Context, f models.AuditFilter) ([]models.AuditEntry, error) {
	found := []models.AuditEntry{}
	err := s.read(ctx, "store.AuditEntries", func(tx *gorm.DB) error {
		q := tx.Order("at DESC, id DESC")
		if !f.From.IsZero() {
			q = q.Where("at >= ?", f.From)
		}
		if !f.Until.IsZero() {
			q = q.Where("at < ?", f.Until)
		}
		if f.Actor != "" {
			q = q.Where("actor = ?", f.Actor)
		}
		if f.Decision != "" {
			q = q.Where("decision = ?", f.Decision)
		}
		q = matching(matching(q, "action", f.Action), "object", f.Object)
		if f.Before != nil {
			q = q.Where("(at, id) < (?, ?)", f.Before.At, f.Before.ID)
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

// matching compares a column of ours with a whole value, or with the beginning that stands
// before a "*" at the end.
func matching(q *gorm.DB, column, value string) *gorm.DB {
	switch prefix, cut := strings.CutSuffix(value, "*"); {
	case value == "":
		return q
	case cut:
		return q.Where("starts_with("+column+", ?)", prefix)
	default:
		return q.Where(column+" = ?", value)
	}
}
