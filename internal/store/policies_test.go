package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func aPolicy(id string) models.AccessPolicy {
	return models.AccessPolicy{ID: id, Text: "p, role:scalability_admin, *, scalability:*, any, allow", Reason: "a rehearsal", Status: models.PolicyProposed, ProposedBy: "user:anna", ProposedAt: noon}
}

func TestAPolicyIsInForceOnceSomebodyElseHasApprovedIt(t *testing.T) {
	s := fresh(t)
	ctx := t.Context()
	_, before, ok, err := s.PolicyInForce(ctx, noon)
	require.NoError(t, err)
	assert.False(t, ok, "without one the built-in policy holds")
	require.NoError(t, s.ProposePolicy(ctx, aPolicy("p1")))
	_, _, ok, err = s.PolicyInForce(ctx, noon.Add(time.Hour))
	require.NoError(t, err)
	assert.False(t, ok)

	yes := models.PolicyVerdict{ID: "p1", Approve: true, Actor: "user:anna", Reason: "it is mine", At: noon.Add(time.Minute)}
	_, err = s.DecidePolicy(ctx, yes)
	assert.Equal(t, models.KindForbidden, models.KindOf(err))
	yes.Actor = "user:ben"
	got, err := s.DecidePolicy(ctx, yes)
	require.NoError(t, err)
	assert.Equal(t, models.PolicyApproved, got.Status)
	_, err = s.DecidePolicy(ctx, yes)
	assert.Equal(t, models.KindConflict, models.KindOf(err), "once")

	in, after, ok, err := s.PolicyInForce(ctx, noon.Add(time.Hour))
	require.NoError(t, err)
	require.True(t, ok)
	assert.Equal(t, got, in)
	assert.Greater(t, after, before, "caches are told")
	_, _, ok, err = s.PolicyInForce(ctx, noon)
	require.NoError(t, err)
	assert.False(t, ok, "and of the past it is told as it was")

	require.NoError(t, s.ProposePolicy(ctx, aPolicy("p2")))
	_, err = s.DecidePolicy(ctx, models.PolicyVerdict{ID: "p2", Actor: "user:ben", Reason: "no", At: noon.Add(2 * time.Minute)})
	require.NoError(t, err)
	in, _, _, err = s.PolicyInForce(ctx, noon.Add(time.Hour))
	require.NoError(t, err)
	assert.Equal(t, "p1", in.ID, "a rejected one changes nothing")
	list, err := s.AccessPolicies(ctx)
	require.NoError(t, err)
	assert.Len(t, list, 2)
}

// The database holds the two rules by itself too.
func TestTheDatabaseRefusesProposalsInAnothersNameAndOwnApproval(t *testing.T) {
	_, appURL := database(t)
	conn := connect(t, appURL)
	anna, ben := models.Scope{Role: models.ScopeAdmin, Subject: "user:anna"}, models.Scope{Role: models.ScopeAdmin, Subject: "user:ben"}
	propose := "INSERT INTO access_policies (id, text, reason, status, proposed_by, proposed_at) VALUES ('p1', 't', 'r', 'proposed', 'user:anna', now())"
	_, code := try(t, conn, ben, propose)
	assert.Equal(t, "42501", code, "in another's name")
	_, code = try(t, conn, models.Scope{Role: models.ScopeOperator, Subject: "user:anna"}, propose)
	assert.Equal(t, "42501", code)
	_, code = try(t, conn, anna, "INSERT INTO access_policies (id, text, reason, status, proposed_by, proposed_at, decided_at) VALUES ('p1', 't', 'r', 'approved', 'user:anna', now(), now())")
	assert.Equal(t, "42501", code, "approved from the beginning")
	require.NoError(t, open(t, appURL).As(system).ProposePolicy(t.Context(), aPolicy("p1")))
	approve := "UPDATE access_policies SET status = 'approved', decided_at = now(), decided_by = '"
	n, code := try(t, conn, anna, approve+"user:x' WHERE id = 'p1'")
	assert.Empty(t, code)
	assert.Zero(t, n, "one's own")
	_, code = try(t, conn, ben, approve+"user:carl' WHERE id = 'p1'")
	assert.Equal(t, "42501", code, "in another's name")
	n, code = try(t, conn, ben, approve+"user:ben' WHERE id = 'p1'")
	assert.Empty(t, code)
	assert.Equal(t, int64(1), n)
}

func TestPastCallsAreCountedByWhatDecidedThem(t *testing.T) {
	_, appURL := database(t)
	s := open(t, appURL).As(system)
	conn := connect(t, appURL)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "SELECT set_config('wedsync.role', 'system', true)")
	require.NoError(t, err)
	for i, row := range [][]string{ // actor, action, decision, rule, roles, context
		{"user:a", "scalability:read", "allow", "role scalability_viewer", `["scalability_viewer"]`, `{}`},
		{"user:b", "scalability:read", "allow", "role scalability_viewer", `["scalability_viewer"]`, `{}`},
		{"user:c", "scalability:wedding_priority", "allow", "role wedding_coordinator", `["wedding_coordinator"]`, `{"weddingDay":"true"}`},
		{"user:a", "scalability:manage", "deny", "not granted", `["scalability_viewer"]`, `{}`},
		{"user:a", "scalability:read", "deny", "rate_limited", `["scalability_viewer"]`, `{}`},
		{"anonymous", "scalability:read", "deny", "missing", `[]`, `{}`},
	} {
		_, err = tx.Exec(t.Context(), `INSERT INTO security_audit_logs (id, at, actor, action, object, decision, rule, roles, request_id, remote_ip, context)
			VALUES ($1, $2, $3, $4, 'o', $5, $6, $7, 'q', 'ip', $8)`, fmt.Sprint(i), noon, row[0], row[1], row[2], row[3], row[4], row[5])
		require.NoError(t, err)
	}
	require.NoError(t, tx.Commit(t.Context()))
	got, err := s.AuditedCalls(t.Context(), noon.Add(-time.Hour), noon.Add(time.Hour))
	require.NoError(t, err)
	viewer := []models.Role{models.RoleViewer}
	assert.ElementsMatch(t, []models.AuditedCalls{
		{Roles: viewer, Permission: models.PermissionRead, Decision: models.AuditAllow, Count: 2, Subjects: 2},
		{Roles: viewer, Permission: models.PermissionManage, Decision: models.AuditDeny, Count: 1, Subjects: 1},
		{Roles: []models.Role{models.RoleCoordinator}, Permission: models.PermissionWeddingPriority, WeddingDay: true, Decision: models.AuditAllow, Count: 1, Subjects: 1},
	}, got, "what no policy decided is left out")
	got, err = s.AuditedCalls(t.Context(), noon.Add(time.Hour), noon.Add(2*time.Hour))
	require.NoError(t, err)
	assert.Empty(t, got)
}
