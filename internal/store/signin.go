package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/wedsync/scalability/models"
)

// CreateServiceAccount keeps a new account; one of that name is a conflict.
func (s *Store) CreateServiceAccount(ctx context.Context, a models.ServiceAccount) error {
	const op = "store.CreateServiceAccount"
	if err := a.Validate(); err != nil {
		return classify(op, err)
	}
	return s.change(ctx, op, "account/"+a.Name, func(tx *gorm.DB) error { return tx.Create(&a).Error })
}

// ServiceAccounts lists the accounts with their keys, by name.
func (s *Store) ServiceAccounts(ctx context.Context) ([]models.ServiceAccount, error) {
	accounts, keys := []models.ServiceAccount{}, []models.ServiceKey{}
	err := s.read(ctx, "store.ServiceAccounts", func(tx *gorm.DB) error {
		if err := tx.Order("name").Limit(listRows).Find(&accounts).Error; err != nil {
			return err
		}
		return tx.Order("created_at, id").Find(&keys).Error
	})
	if err != nil {
		return nil, err
	}
	of := map[string][]models.ServiceKey{}
	for _, k := range keys {
		of[k.Account] = append(of[k.Account], k)
	}
	for i := range accounts {
		accounts[i].Keys = append([]models.ServiceKey{}, of[accounts[i].Name]...)
	}
	return accounts, nil
}

// AddServiceKey keeps a new key of an account that is there.
func (s *Store) AddServiceKey(ctx context.Context, k models.ServiceKey) error {
	const op = "store.AddServiceKey"
	if err := checkText(k); err != nil {
		return classify(op, err)
	}
	if life := k.ExpiresAt.Sub(k.CreatedAt); life <= 0 || life > models.MaxServiceKeyDays*24*time.Hour {
		return models.Invalid("validDays", int(life.Hours()/24), "must be from 1 to 365")
	}
	return s.change(ctx, op, "account/"+k.Account+"/key/"+k.ID, func(tx *gorm.DB) error {
		var a models.ServiceAccount
		if err := take(tx, &a, "name", k.Account); err != nil {
			return err
		}
		return tx.Create(&k).Error
	})
}

// ServiceKey reads a key by its ID.
func (s *Store) ServiceKey(ctx context.Context, id string) (models.ServiceKey, error) {
	var k models.ServiceKey
	err := s.read(ctx, "store.ServiceKey", func(tx *gorm.DB) error { return take(tx, &k, "id", id) })
	return k, err
}

// RevokeServiceKey ends a key of an account at a time; one that has ended stays as it is.
func (s *Store) RevokeServiceKey(ctx context.Context, account, id, actor string, at time.Time) (models.ServiceKey, error) {
	var k models.ServiceKey
	err := s.change(ctx, "store.RevokeServiceKey", "account/"+account+"/key/"+id, func(tx *gorm.DB) error {
		if err := take(tx.Where("account = ?", account), &k, "id", id); err != nil || k.RevokedAt != nil {
			return err
		}
		k.RevokedAt, k.RevokedBy = &at, actor
		return tx.Model(&k).Where("revoked_at IS NULL").Select("revoked_at", "revoked_by").Updates(&k).Error
	})
	return k, err
}

// Revoke keeps a revocation.
func (s *Store) Revoke(ctx context.Context, r models.Revocation) error {
	const op = "store.Revoke"
	if err := r.Validate(); err != nil {
		return classify(op, err)
	}
	return s.change(ctx, op, "revocation/"+r.ID, func(tx *gorm.DB) error { return tx.Create(&r).Error })
}

// Revocations lists those that still matter at a time, newest first.
func (s *Store) Revocations(ctx context.Context, now time.Time) ([]models.Revocation, error) {
	list := []models.Revocation{}
	err := s.read(ctx, "store.Revocations", func(tx *gorm.DB) error {
		return tx.Where("until > ?", now).Order("created_at DESC, id").Find(&list).Error
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}
