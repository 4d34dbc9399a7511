package accesspolicy

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/access"
)

var noon = time.Date(2027, 6, 12, 12, 0, 0, 0, time.UTC)

// records stand for the database.
type records struct {
	policy   *models.AccessPolicy
	revision int64
	err      error
	grants   []models.Role
	weddings []models.Wedding
	claims   []models.Reservation
}

func (r *records) PolicyInForce(context.Context, time.Time) (models.AccessPolicy, int64, bool, error) {
	if r.policy == nil {
		return models.AccessPolicy{}, r.revision, false, r.err
	}
	return *r.policy, r.revision, true, r.err
}

func (r *records) Grants(_ context.Context, subject string, _ time.Time) (models.Grants, error) {
	return models.Grants{Subject: subject, Roles: r.grants}, r.err
}

// Weddings are of a Saturday on which thousands marry: what is not asked for is cut off.
func (r *records) Weddings(_ context.Context, f models.WeddingFilter) (found []models.Wedding, err error) {
	others := make([]models.Wedding, 1500)
	for i := range others {
		others[i] = models.Wedding{ID: fmt.Sprint("other-", i), Coordinator: "user:somebody", StartsAt: noon, EndsAt: noon.Add(time.Hour)}
	}
	for _, w := range append(others, r.weddings...) {
		if (f.Coordinator == "" || w.Coordinator == f.Coordinator) && len(found) < f.Limit {
			found = append(found, w)
		}
	}
	return found, r.err
}

func (r *records) Reservations(context.Context, models.ServiceName, *time.Time) ([]models.Reservation, error) {
	return r.claims, r.err
}

func reads(p *access.Policy) bool {
	return p.Check(access.Request{Subject: "user:vera", Roles: []models.Role{models.RoleViewer}, Permission: models.PermissionRead}).Allowed()
}

func TestAnApprovedPolicyIsTakenUpWholeAndABrokenOneLeavesTheOldInForce(t *testing.T) {
	r := &records{revision: 1}
	k, err := New(r, nil, nil)
	require.NoError(t, err)
	require.NoError(t, k.Refresh(t.Context()))
	assert.True(t, reads(k.Policy()), "the built-in one")

	r.policy, r.revision = &models.AccessPolicy{ID: "p1", Text: "p, role:scalability_admin, *, scalability:*, any, allow"}, 2
	p, err := k.Fresh(t.Context())
	require.NoError(t, err)
	assert.False(t, reads(p))

	r.policy, r.revision = &models.AccessPolicy{ID: "p2", Text: "p, role:scalability_viewer, *, scalability:read, any, alow"}, 3
	require.ErrorContains(t, k.Refresh(t.Context()), "p2")
	assert.Same(t, p, k.Policy())

	r.err = errors.New("postgres is away")
	_, err = k.Fresh(t.Context())
	require.Error(t, err, "what is risky is not decided on what may be old")
	assert.Same(t, p, k.Policy())
}

func TestRunTakesUpWhatWasApproved(t *testing.T) {
	r := &records{revision: 2, policy: &models.AccessPolicy{ID: "p1", Text: "p, role:scalability_admin, *, scalability:*, any, allow"}}
	k, err := New(r, nil, nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { k.Run(ctx); close(done) }()
	require.Eventually(t, func() bool { return !reads(k.Policy()) }, 5*time.Second, 10*time.Millisecond)
	cancel()
	<-done
}

func TestAnAnswerSaysWhatItWasMadeFrom(t *testing.T) {
	wedding := models.Wedding{ID: "w1", Coordinator: "user:carla", StartsAt: noon.Add(2 * time.Hour), EndsAt: noon.Add(9 * time.Hour), Status: models.WeddingConfirmed}
	freeze := models.Reservation{Service: models.ServiceAPI, Kind: models.ReservationFreeze, From: noon.Add(-time.Hour), Until: noon.Add(time.Hour)}
	for name, c := range map[string]struct {
		r       records
		q       models.AccessQuestion
		allowed bool
		says    []string
	}{
		"a role": {records{grants: []models.Role{models.RoleOperator}},
			models.AccessQuestion{Subject: "user:olga", Permission: models.PermissionScaleStandard, Object: "service/api"}, true,
			[]string{"user:olga may use scalability:scale_standard on service/api", "role scalability_operator", "by policy built-in"}},
		"no role": {records{}, models.AccessQuestion{Subject: "user:olga", Permission: models.PermissionRead}, false,
			[]string{"may not use", "holding no role"}},
		"a wedding day": {records{grants: []models.Role{models.RoleCoordinator}, weddings: []models.Wedding{wedding}},
			models.AccessQuestion{Subject: "user:carla", Permission: models.PermissionWeddingPriority, Object: "wedding/w1"}, true,
			[]string{"on a wedding day of theirs"}},
		"another wedding": {records{grants: []models.Role{models.RoleCoordinator}, weddings: []models.Wedding{wedding}},
			models.AccessQuestion{Subject: "user:carla", Permission: models.PermissionWeddingPriority, Object: "wedding/w2"}, false,
			[]string{"needs wedding_day"}},
		"a change freeze": {records{grants: []models.Role{models.RoleAdmin}, claims: []models.Reservation{freeze}},
			models.AccessQuestion{Subject: "user:anna", Permission: models.PermissionScaleIn, Object: "service/api"}, false,
			[]string{"in a change freeze", "denied to role scalability_admin"}},
		"a freeze of another service": {records{grants: []models.Role{models.RoleAdmin}, claims: []models.Reservation{freeze}},
			models.AccessQuestion{Subject: "user:anna", Permission: models.PermissionScaleIn, Object: "service/media"}, true, nil},
		"another policy": {records{grants: []models.Role{models.RoleViewer}, policy: &models.AccessPolicy{ID: "p7", Text: "p, role:scalability_admin, *, scalability:*, any, allow"}},
			models.AccessQuestion{Subject: "user:vera", Permission: models.PermissionRead}, false, []string{"by policy p7"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.q.At = noon
			a, err := (&Explainer{Records: &c.r}).Explain(t.Context(), c.q)
			require.NoError(t, err)
			assert.Equal(t, c.allowed, a.Allowed, a.Text)
			for _, s := range c.says {
				assert.Contains(t, a.Text, s)
			}
		})
	}
	_, err := (&Explainer{Records: &records{}}).Explain(t.Context(), models.AccessQuestion{Subject: "anna"})
	assert.Equal(t, models.KindInvalid, models.KindOf(err))
	_, err = (&Explainer{Records: &records{err: errors.New("away")}}).Explain(t.Context(), models.AccessQuestion{Subject: "user:anna"})
	require.Error(t, err)
}
