package access

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/models"
)

func TestNobodyCoversMoreThanTheyHold(t *testing.T) {
	p := embedded(t)
	roles := func(r ...models.Role) []models.Role { return r }
	for name, c := range map[string]struct {
		holds []models.Role
		gives models.Role
		want  bool
	}{
		"an admin gives an operator":         {roles(models.RoleAdmin), models.RoleOperator, true},
		"an admin gives a coordinator":       {roles(models.RoleAdmin), models.RoleCoordinator, true},
		"an operator gives a viewer":         {roles(models.RoleOperator), models.RoleViewer, true},
		"an operator gives an admin":         {roles(models.RoleOperator), models.RoleAdmin, false},
		"an operator gives a coordinator":    {roles(models.RoleOperator), models.RoleCoordinator, false},
		"a viewer gives an operator":         {roles(models.RoleViewer), models.RoleOperator, false},
		"two roles give what either may":     {roles(models.RoleViewer, models.RoleMetricsWriter), models.RoleMetricsWriter, true},
		"nobody gives anything":              {nil, models.RoleViewer, false},
		"an admin gives a role nobody knows": {roles(models.RoleAdmin), "root", false},
	} {
		assert.Equal(t, c.want, p.Covers(c.holds, c.gives), name)
	}
	assert.False(t, (&Policy{}).Covers(Roles(), models.RoleViewer))
}

// TestWhoCoversARoleLosesNothingByHoldingIt holds for any policy.
func TestWhoCoversARoleLosesNothingByHoldingIt(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p, err := Compile(drawPolicy(rt))
		require.NoError(rt, err)
		holds := []models.Role{rapid.SampledFrom(Roles()).Draw(rt, "holds")}
		gives := rapid.SampledFrom(Roles()).Draw(rt, "gives")
		if !p.Covers(holds, gives) {
			return
		}
		for _, permission := range models.Permissions() {
			for c := range allContexts {
				r := Request{Subject: "user:anna", Roles: []models.Role{gives}, Permission: permission, WeddingDay: c&onWeddingDay != 0, ChangeFreeze: c&inChangeFreeze != 0}
				if p.Check(r).Allowed() {
					r.Roles = holds
					assert.True(rt, p.Check(r).Allowed(), "%v covers %v but not %s", holds, gives, permission)
				}
			}
		}
	})
}

func TestReplayTellsWhatWouldBeAnsweredOtherwise(t *testing.T) {
	now := embedded(t)
	next, err := Compile(policyText + "p, role:scalability_viewer, *, scalability:scale_standard, any, allow\n" +
		"p, role:metrics_writer, *, scalability:ingest, any, deny\n")
	require.NoError(t, err)
	viewer := []models.Role{models.RoleViewer}
	calls := []models.AuditedCalls{
		{Roles: viewer, Permission: models.PermissionRead, Decision: models.AuditAllow, Count: 900},
		{Roles: viewer, Permission: models.PermissionScaleStandard, Decision: models.AuditDeny, Count: 3},
		{Roles: []models.Role{models.RoleMetricsWriter}, Permission: models.PermissionIngest, Decision: models.AuditAllow, Count: 5000},
		{Roles: viewer, Permission: "scalability:gone", Decision: models.AuditAllow, Count: 7},
	}
	assert.Empty(t, now.Replay(calls))
	changed := next.Replay(calls)
	require.Len(t, changed, 2)
	assert.Equal(t, int64(5000), changed[0].Count, "the most frequent first")
	assert.Equal(t, models.AuditDeny, changed[0].Would)
	assert.Equal(t, models.AuditAllow, changed[1].Would)
	assert.Equal(t, []models.Permission{models.PermissionScaleStandard}, next.Exceeds(now, viewer))
	assert.Empty(t, next.Exceeds(now, []models.Role{models.RoleAdmin}))
}

// TestNobodyGivesByAPolicyWhatTheyDoNotHave is the same for the roles of others as for one's own.
func TestNobodyGivesByAPolicyWhatTheyDoNotHave(t *testing.T) {
	now := embedded(t)
	for name, c := range map[string]struct {
		row   string
		holds []models.Role
		want  []models.Permission
	}{
		"to oneself":             {"p, role:scalability_operator, *, scalability:manage, any, allow", []models.Role{models.RoleOperator}, []models.Permission{models.PermissionManage}},
		"to another role":        {"p, role:metrics_writer, *, scalability:policy, any, allow", []models.Role{models.RoleOperator}, []models.Permission{models.PermissionPolicy}},
		"by a link":              {"g, role:metrics_writer, role:scalability_admin", []models.Role{models.RoleOperator}, []models.Permission{models.PermissionWeddingPriority, models.PermissionManage, models.PermissionAudit, models.PermissionPolicy}},
		"what one has":           {"p, role:metrics_writer, *, scalability:read, any, allow", []models.Role{models.RoleViewer}, nil},
		"by who has all":         {"g, role:metrics_writer, role:scalability_admin", []models.Role{models.RoleAdmin}, nil},
		"a denial gives nothing": {"p, role:scalability_viewer, *, scalability:read, any, deny", nil, nil},
		"by who has nothing":     {"p, role:scalability_viewer, *, scalability:ingest, any, allow", nil, []models.Permission{models.PermissionIngest}},
	} {
		next, err := Compile(policyText + c.row + "\n")
		require.NoError(t, err, name)
		assert.Equal(t, c.want, next.Exceeds(now, c.holds), name)
	}
	unfrozen, err := Compile(strings.ReplaceAll(policyText, "change_freeze,     deny", "change_freeze, allow"))
	require.NoError(t, err)
	assert.Equal(t, []models.Permission{models.PermissionScaleIn}, unfrozen.Exceeds(now, []models.Role{models.RoleAdmin}), "not even who has all else")
}

func TestAClaimOfARoleThatIsNotHeldIsFound(t *testing.T) {
	viewer := []models.Role{models.RoleViewer}
	for claimed, want := range map[string]models.Role{
		"": "", "authenticated": "", "scalability_viewer": "", "scalability_admin": models.RoleAdmin,
		`["authenticated","scalability_admin"]`: models.RoleAdmin, `{"roles":["wedding_coordinator"]}`: models.RoleCoordinator,
		"my_scalability_admin_group": "", "scalability_viewer scalability_operator": models.RoleOperator,
	} {
		assert.Equal(t, want, ClaimsMore(claimed, viewer), claimed)
	}
}
