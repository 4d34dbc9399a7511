package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func TestServiceAccountsKeepTheirKeysAndRotateThem(t *testing.T) {
	s := fresh(t)
	ctx := t.Context()
	a := models.ServiceAccount{Name: "collector", Description: "delivers metrics", CreatedBy: "user:anna", CreatedAt: noon}
	require.NoError(t, s.CreateServiceAccount(ctx, a))
	assert.Equal(t, models.KindConflict, models.KindOf(s.CreateServiceAccount(ctx, a)))
	bad := a
	bad.Name = "Collector!"
	assert.Equal(t, models.KindInvalid, models.KindOf(s.CreateServiceAccount(ctx, bad)))

	key := func(id string) models.ServiceKey {
		return models.ServiceKey{ID: id, Account: "collector", Hash: make([]byte, 32), CreatedBy: "user:anna", CreatedAt: noon, ExpiresAt: noon.AddDate(0, 0, 90)}
	}
	require.NoError(t, s.AddServiceKey(ctx, key("k1")))
	require.NoError(t, s.AddServiceKey(ctx, key("k2")))
	orphan, old := key("k3"), key("k4")
	orphan.Account, old.ExpiresAt = "nobody", noon.AddDate(2, 0, 0)
	assert.Equal(t, models.KindNotFound, models.KindOf(s.AddServiceKey(ctx, orphan)))
	assert.Equal(t, models.KindInvalid, models.KindOf(s.AddServiceKey(ctx, old)))

	ended, err := s.RevokeServiceKey(ctx, "collector", "k1", "user:ben", noon.Add(time.Hour))
	require.NoError(t, err)
	assert.Equal(t, "user:ben", ended.RevokedBy)
	again, err := s.RevokeServiceKey(ctx, "collector", "k1", "user:anna", noon.Add(2*time.Hour))
	require.NoError(t, err)
	assert.Equal(t, ended, again, "what has ended stays ended as it was")
	_, err = s.RevokeServiceKey(ctx, "another", "k2", "user:anna", noon)
	assert.Equal(t, models.KindNotFound, models.KindOf(err), "of another account")

	all, err := s.ServiceAccounts(ctx)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Len(t, all[0].Keys, 2)
	got, err := s.ServiceKey(ctx, "k2")
	require.NoError(t, err)
	assert.Equal(t, key("k2"), got)
}

func TestRevocationsCountUntilNoTokenCanBeLeft(t *testing.T) {
	s := fresh(t)
	ctx := t.Context()
	r := models.Revocation{ID: "r1", Subject: "user:anna", Reason: "a lost laptop", CreatedBy: "user:ben", CreatedAt: noon, Until: noon.Add(time.Hour)}
	require.NoError(t, s.Revoke(ctx, r))
	both := r
	both.TokenID = "t1"
	assert.Equal(t, models.KindInvalid, models.KindOf(s.Revoke(ctx, both)))
	list, err := s.Revocations(ctx, noon)
	require.NoError(t, err)
	assert.Equal(t, []models.Revocation{r}, list)
	list, err = s.Revocations(ctx, r.Until)
	require.NoError(t, err)
	assert.Empty(t, list)
}
