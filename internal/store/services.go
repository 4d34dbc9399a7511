package store

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/wedsync/scalability/models"
)

// Services lists the catalogue in the fixed order of the services.
func (s *Store) Services(ctx context.Context) ([]models.Service, error) {
	all := []models.Service{}
	err := s.read(ctx, "store.Services", func(tx *gorm.DB) error { return tx.Find(&all).Error })
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b models.Service) int { return byService(a.Name, b.Name) })
	return all, nil
}

// byService orders as models.ServiceNames does; names that are not there come last.
func byService(a, b models.ServiceName) int {
	names := models.ServiceNames()
	place := func(n models.ServiceName) int {
		if i := slices.Index(names, n); i >= 0 {
			return i
		}
		return len(names)
	}
	return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a, b))
}

// Service reads one entry of the catalogue.
func (s *Store) Service(ctx context.Context, name models.ServiceName) (models.Service, error) {
	var got models.Service
	err := s.read(ctx, "store.Service", func(tx *gorm.DB) error { return take(tx, &got, "name", name) })
	return got, err
}

// take reads the row whose column is value; field and column have one name.
func take[T any](tx *gorm.DB, row *T, column string, value any) error {
	err := tx.Where(clause.Eq{Column: column, Value: value}).Take(row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return models.NotFound(column, value)
	}
	return err
}

// SeedServices adds the entries whose names are not there yet, and leaves the others as
// they are; it gives how many it added.
func (s *Store) SeedServices(ctx context.Context, services []models.Service) (added int, err error) {
	if len(services) == 0 {
		return 0, nil
	}
	rows := slices.Clone(services)
	for i := range rows {
		if err := checkText(rows[i]); err != nil {
			return 0, classify("store.SeedServices", err)
		}
		rows[i].Revision = max(rows[i].Revision, 1)
	}
	err = s.change(ctx, "store.SeedServices", "services", func(tx *gorm.DB) error {
		res := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&rows)
		added = int(res.RowsAffected)
		return res.Error
	})
	return added, err
}

// UpdateService stores s where its revision is still the stored one, and gives the row
// with its new revision. Name and time of creation stay.
func (s *Store) UpdateService(ctx context.Context, svc models.Service) (models.Service, error) {
	const op = "store.UpdateService"
	if err := checkText(svc); err != nil {
		return models.Service{}, classify(op, err)
	}
	var got models.Service
	err := s.change(ctx, op, "service/"+string(svc.Name), func(tx *gorm.DB) error {
		next := svc
		next.Revision++
		res := tx.Model(&got).Clauses(clause.Returning{}).
			Where("name = ? AND revision = ?", svc.Name, svc.Revision).
			Select("*").Omit("name", "created_at").Updates(next)
		if res.Error != nil || res.RowsAffected > 0 {
			return res.Error
		}
		var now models.Service
		if err := take(tx, &now, "name", svc.Name); err != nil {
			return err
		}
		return moved(svc.Revision, now.Revision)
	})
	if err != nil {
		return models.Service{}, err
	}
	return got, nil
}

// moved explains an update by revision that met no row although the row is there.
func moved(had, has int64) error {
	if had == has {
		return untouched("revision", had)
	}
	e := models.Invalid("revision", had, "is not the stored one: read again, then change")
	e.Kind = models.KindConflict
	return e
}
