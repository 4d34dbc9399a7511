package store

import (
	"context"
	"regexp"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/wedsync/scalability/models"
)

var subjectForm = regexp.MustCompile(`^(user|svc):.{1,200}$`)

// keptFrom leaves the begin of a binding that is in force where it is: who is given longer what
// they have did not lack it until now, and the past is answered for by it.
const keptFrom = `CASE WHEN excluded.valid_from <= excluded.created_at AND role_bindings.valid_from <= excluded.valid_from
	AND (role_bindings.valid_to IS NULL OR role_bindings.valid_to >= excluded.valid_from)
	THEN role_bindings.valid_from ELSE excluded.valid_from END`

// GrantRole gives a role to a subject for a time, or changes that time.
func (s *Store) GrantRole(ctx context.Context, b models.Binding) error {
	const op = "store.GrantRole"
	if err := checkBinding(b); err != nil {
		return classify(op, err)
	}
	return s.change(ctx, op, "binding/"+b.Subject+"/"+string(b.Role), func(tx *gorm.DB) error {
		return tx.Clauses(clause.OnConflict{
			Columns: []clause.Column{{Name: "subject"}, {Name: "role"}},
			DoUpdates: append(clause.AssignmentColumns([]string{"valid_to", "created_by", "created_at"}),
				clause.Assignment{Column: clause.Column{Name: "valid_from"}, Value: gorm.Expr(keptFrom)}),
		}).Create(&b).Error
	})
}

func checkBinding(b models.Binding) error {
	if err := checkText(b); err != nil {
		return err
	}
	if !subjectForm.MatchString(b.Subject) {
		return models.Invalid("subject", b.Subject, "must be user:… or svc:…, with 1 to 200 characters after it")
	}
	switch b.Role {
	case models.RoleAdmin, models.RoleOperator, models.RoleViewer, models.RoleCoordinator, models.RoleMetricsWriter:
	default:
		return models.Invalid("role", b.Role, "must be one of scalability_admin, scalability_operator, scalability_viewer, wedding_coordinator, metrics_writer")
	}
	if b.ValidTo != nil && !b.ValidTo.After(b.ValidFrom) {
		return models.Invalid("validTo", b.ValidTo.Format(time.RFC3339), "must be after validFrom")
	}
	return nil
}

// RevokeRole ends a binding at a time; one that ends earlier stays as it is.
func (s *Store) RevokeRole(ctx context.Context, subject string, role models.Role, at time.Time) error {
	return s.change(ctx, "store.RevokeRole", "binding/"+subject+"/"+string(role), func(tx *gorm.DB) error {
		n, err := exec(tx, "UPDATE role_bindings SET valid_to = $3 WHERE subject = $1 AND role = $2 AND (valid_to IS NULL OR valid_to > $3)",
			subject, string(role), at)
		if err != nil || n > 0 {
			return err
		}
		var b models.Binding
		if err := take(tx.Where("role = ?", role), &b, "subject", subject); err != nil {
			return err
		}
		if b.ValidTo == nil || b.ValidTo.After(at) {
			return untouched("subject", subject)
		}
		return nil
	})
}

// Bindings lists who holds which role, ended ones too.
func (s *Store) Bindings(ctx context.Context) ([]models.Binding, error) {
	all := []models.Binding{}
	err := s.read(ctx, "store.Bindings", func(tx *gorm.DB) error { return tx.Order("subject, role").Find(&all).Error })
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Grants reads the roles that a subject holds at a time, and the number of changes to the
// bindings so far, both from one view of the database.
func (s *Store) Grants(ctx context.Context, subject string, at time.Time) (models.Grants, error) {
	rows := []struct {
		Revision int64
		Role     *models.Role
	}{}
	err := s.read(ctx, "store.Grants", func(tx *gorm.DB) error {
		return tx.Raw(`
			SELECT p.revision, b.role FROM policy_revisions p
			LEFT JOIN role_bindings b ON b.subject = ? AND b.valid_from <= ? AND (b.valid_to IS NULL OR b.valid_to > ?)
			ORDER BY b.role`, subject, at, at).Scan(&rows).Error
	})
	if err != nil {
		return models.Grants{}, err
	}
	if len(rows) == 0 {
		return models.Grants{}, &models.Error{Kind: models.KindForbidden, Op: "store.Grants", Rule: "the policy revision is not visible in this scope"}
	}
	g := models.Grants{Subject: subject, Roles: []models.Role{}, Revision: rows[0].Revision}
	for _, r := range rows {
		if r.Role != nil {
			g.Roles = append(g.Roles, *r.Role)
		}
	}
	return g, nil
}
