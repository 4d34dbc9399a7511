package access

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func embedded(t testing.TB) *Policy {
	t.Helper()
	p, err := New()
	require.NoError(t, err)
	return p
}

// golden is the whole policy as people agreed on it: + allowed, d allowed on a wedding
// day only, f allowed but in a change freeze, . denied.
const golden = `
                      read monitor scale_standard wedding_priority ingest manage audit policy scale_in
scalability_admin     +    +       +              +                +      +      +     +      f
scalability_operator  +    +       +              .                .      .      .     .      f
scalability_viewer    +    +       .              .                .      .      .     .      .
wedding_coordinator   +    +       .              d                .      .      .     .      .
metrics_writer        .    .       .              .                +      .      .     .      .
`

func TestEveryRolePermissionAndContextIsAsAgreed(t *testing.T) {
	p := embedded(t)
	lines := strings.Split(strings.TrimSpace(golden), "\n")
	permissions := strings.Fields(lines[0])
	require.Len(t, permissions, len(models.Permissions()))
	require.Len(t, lines[1:], len(Roles()))
	for _, line := range lines[1:] {
		cells := strings.Fields(line)
		role := models.Role(cells[0])
		require.Contains(t, Roles(), role)
		require.Len(t, cells[1:], len(permissions))
		for i, cell := range cells[1:] {
			for c := range allContexts {
				day, freeze := c&onWeddingDay != 0, c&inChangeFreeze != 0
				name := fmt.Sprintf("%s %s day=%v freeze=%v", role, permissions[i], day, freeze)
				r := Request{
					Subject: "user:anna", Roles: []models.Role{role}, Object: "GET /anything",
					Permission: models.Permission("scalability:" + permissions[i]), WeddingDay: day, ChangeFreeze: freeze,
				}
				want := deny(RuleNotGranted)
				switch {
				case cell == "f" && freeze:
					want = deny("denied to role " + string(role) + " in change_freeze")
				case cell == "+", cell == "f", cell == "d" && day:
					want = Verdict{Decision: models.AuditAllow, Rule: "role " + string(role)}
				case cell == "d":
					want = deny(RuleNeedsWeddingDay)
				}
				assert.Equal(t, want, p.Check(r), name)
			}
		}
	}
}

func TestWhatIsNotKnownIsDenied(t *testing.T) {
	p := embedded(t)
	admin := []models.Role{models.RoleAdmin}
	cases := map[string]struct {
		request Request
		rule    string
	}{
		"nobody":                         {Request{"", admin, models.PermissionRead, "", false, false}, RuleNoSubject},
		"a name without a prefix":        {Request{"anna", admin, models.PermissionRead, "", false, false}, RuleNoSubject},
		"a prefix without a name":        {Request{"user:", admin, models.PermissionRead, "", false, false}, RuleNoSubject},
		"a role as subject":              {Request{"role:scalability_admin", admin, models.PermissionRead, "", false, false}, RuleNoSubject},
		"a set of the policy as subject": {Request{"set:1", admin, models.PermissionRead, "", false, false}, RuleNoSubject},
		"a user named like a role":       {Request{"user:scalability_admin", nil, models.PermissionRead, "", false, false}, RuleNoRole},
		"a user named like a role row":   {Request{"user:role:scalability_admin", nil, models.PermissionRead, "", false, false}, RuleNoRole},
		"a role that is not known":       {Request{"user:anna", []models.Role{"root"}, models.PermissionRead, "", false, false}, RuleNoRole},
		"a role with the policy's prefix": {Request{"user:anna", []models.Role{"role:scalability_admin"}, models.PermissionRead, "", false, false},
			RuleNoRole},
		"the wildcard as permission": {Request{"user:anna", admin, "scalability:*", "", false, false}, RuleUnknownPermission},
		"no permission":              {Request{"user:anna", admin, "", "", false, false}, RuleUnknownPermission},
		"a permission beyond":        {Request{"user:anna", admin, "scalability:reads", "", false, false}, RuleUnknownPermission},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { assert.Equal(t, deny(c.rule), p.Check(c.request)) })
	}
}

func TestZeroValuesDeny(t *testing.T) {
	assert.False(t, Verdict{}.Allowed())
	var none Policy
	v := none.Check(Request{Subject: "user:anna", Roles: Roles(), Permission: models.PermissionRead})
	assert.Equal(t, deny(RuleNoPolicy), v)
}

func TestRolesAddUp(t *testing.T) {
	p := embedded(t)
	r := Request{Subject: "user:anna", Roles: []models.Role{models.RoleMetricsWriter, "unknown", models.RoleOperator}}
	for permission, rule := range map[models.Permission]string{
		models.PermissionRead:          "role scalability_operator",
		models.PermissionScaleStandard: "role scalability_operator",
		models.PermissionIngest:        "role metrics_writer",
	} {
		r.Permission = permission
		assert.Equal(t, Verdict{models.AuditAllow, rule}, p.Check(r))
	}
	r.Permission = models.PermissionManage
	assert.Equal(t, deny(RuleNotGranted), p.Check(r))
}

func TestADenyRuleWinsOverEveryAllow(t *testing.T) {
	p, err := Compile(policyText + "\np, role:scalability_viewer, *, scalability:scale_standard, any, deny\n" +
		"p, role:metrics_writer, *, scalability:*, wedding_day, deny\n")
	require.NoError(t, err)
	check := func(day bool, permission models.Permission, roles ...models.Role) Verdict {
		return p.Check(Request{Subject: "user:anna", Roles: roles, Permission: permission, WeddingDay: day})
	}
	assert.Equal(t, deny("denied to role scalability_viewer"),
		check(false, models.PermissionScaleStandard, models.RoleOperator), "inherited")
	assert.Equal(t, deny("denied to role scalability_viewer"),
		check(false, models.PermissionScaleStandard, models.RoleAdmin, models.RoleViewer), "from another role")
	assert.True(t, check(false, models.PermissionScaleStandard, models.RoleAdmin).Allowed())
	assert.True(t, check(false, models.PermissionRead, models.RoleAdmin, models.RoleMetricsWriter).Allowed())
	assert.Equal(t, deny("denied to role metrics_writer in wedding_day"),
		check(true, models.PermissionRead, models.RoleAdmin, models.RoleMetricsWriter), "in its context only")
}

func TestACheckAllocatesNothing(t *testing.T) {
	p := embedded(t)
	r := Request{Subject: "user:anna", Roles: []models.Role{models.RoleCoordinator}, Permission: models.PermissionWeddingPriority, WeddingDay: true}
	assert.Zero(t, testing.AllocsPerRun(100, func() { p.Check(r) }))
}

func TestOnWeddingDay(t *testing.T) {
	start := time.Date(2027, 6, 12, 13, 0, 0, 0, time.UTC)
	end := start.Add(9 * time.Hour)
	wedding := models.Wedding{Coordinator: "user:anna", StartsAt: start, EndsAt: end, Status: models.WeddingConfirmed}
	with := func(change func(*models.Wedding)) models.Wedding {
		w := wedding
		change(&w)
		return w
	}
	cases := map[string]struct {
		wedding models.Wedding
		subject string
		now     time.Time
		want    bool
	}{
		"a day before to the instant":   {wedding, "user:anna", start.Add(-24 * time.Hour), true},
		"an instant too early":          {wedding, "user:anna", start.Add(-24*time.Hour - 1), false},
		"during the ceremony":           {wedding, "user:anna", start.Add(time.Hour), true},
		"in the venue's zone":           {wedding, "user:anna", start.In(time.FixedZone("venue", -9*3600)), true},
		"six hours after":               {wedding, "user:anna", end.Add(6 * time.Hour), true},
		"an instant too late":           {wedding, "user:anna", end.Add(6*time.Hour + 1), false},
		"of somebody else":              {wedding, "user:ben", start, false},
		"of a service of the same name": {wedding, "svc:anna", start, false},
		"not confirmed yet":             {with(func(w *models.Wedding) { w.Status = models.WeddingTentative }), "user:anna", start, true},
		"cancelled":                     {with(func(w *models.Wedding) { w.Status = models.WeddingCancelled }), "user:anna", start, false},
		"unassigned, asked by nobody":   {with(func(w *models.Wedding) { w.Coordinator = "" }), "", start, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, OnWeddingDay([]models.Wedding{{}, c.wedding}, c.subject, c.now))
		})
	}
	assert.False(t, OnWeddingDay(nil, "user:anna", start))
}

func BenchmarkCheck(b *testing.B) {
	p := embedded(b)
	r := Request{Subject: "user:anna", Roles: []models.Role{models.RoleOperator}, Permission: models.PermissionScaleStandard}
	b.ReportAllocs()
	for b.Loop() {
		p.Check(r)
	}
}

func ExamplePolicy_Check() {
	p, err := New()
	if err != nil {
		fmt.Println(err)
		return
	}
	r := Request{Subject: "user:anna", Roles: []models.Role{models.RoleCoordinator}, Permission: models.PermissionWeddingPriority}
	fmt.Println(p.Check(r))
	r.WeddingDay = true
	fmt.Println(p.Check(r))
	// Output:
	// {deny needs wedding_day}
	// {allow role wedding_coordinator}
}
