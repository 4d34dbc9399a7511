package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func bind(subject string, role models.Role) models.Binding {
	return models.Binding{Subject: subject, Role: role, ValidFrom: noon, CreatedBy: "user:anna", CreatedAt: noon}
}

func TestGrantsAreTheRolesOfAMoment(t *testing.T) {
	s := fresh(t)
	until := noon.Add(time.Hour)
	short := bind("user:olga", models.RoleViewer)
	short.ValidTo = &until
	for _, b := range []models.Binding{bind("user:olga", models.RoleOperator), short, bind("user:vera", models.RoleAdmin)} {
		require.NoError(t, s.GrantRole(t.Context(), b))
	}
	for name, c := range map[string]struct {
		subject string
		at      time.Time
		want    []models.Role
	}{
		"both":                   {"user:olga", noon, []models.Role{models.RoleOperator, models.RoleViewer}},
		"before they begin":      {"user:olga", noon.Add(-time.Microsecond), []models.Role{}},
		"at the end of one":      {"user:olga", until, []models.Role{models.RoleOperator}},
		"somebody else":          {"user:vera", noon, []models.Role{models.RoleAdmin}},
		"nobody":                 {"user:none", noon, []models.Role{}},
		"a name that is a role":  {"scalability_admin", noon, []models.Role{}},
		"the start of a subject": {"user:", noon, []models.Role{}},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := s.Grants(t.Context(), c.subject, c.at)
			require.NoError(t, err)
			assert.Equal(t, models.Grants{Subject: c.subject, Roles: c.want, Revision: 4}, g)
		})
	}
}

func TestTheRevisionGrowsWithEachChange(t *testing.T) {
	s := fresh(t)
	revision := func() int64 {
		g, err := s.Grants(t.Context(), "user:olga", noon)
		require.NoError(t, err)
		return g.Revision
	}
	b := bind("user:olga", models.RoleOperator)
	require.Equal(t, int64(1), revision())
	require.NoError(t, s.GrantRole(t.Context(), b))
	assert.Equal(t, int64(2), revision())
	require.NoError(t, s.GrantRole(t.Context(), b))
	assert.Equal(t, int64(2), revision(), "nothing changed")
	require.NoError(t, s.RevokeRole(t.Context(), b.Subject, b.Role, noon))
	assert.Equal(t, int64(3), revision())
	require.NoError(t, s.RevokeRole(t.Context(), b.Subject, b.Role, noon.Add(time.Hour)))
	assert.Equal(t, int64(3), revision(), "it had ended before")
	g, err := s.Grants(t.Context(), b.Subject, noon)
	require.NoError(t, err)
	assert.Empty(t, g.Roles)
	require.NoError(t, s.GrantRole(t.Context(), b))
	assert.Equal(t, int64(4), revision())

	all, err := s.Bindings(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []models.Binding{b}, all)
}

func TestARoleThatIsGivenForLongerWasHeldAllTheTime(t *testing.T) {
	s := fresh(t)
	holds := func(at time.Time) bool {
		g, err := s.Grants(t.Context(), "user:olga", at)
		require.NoError(t, err)
		return len(g.Roles) > 0
	}
	later, end, muchLater := noon.Add(time.Hour), noon.Add(2*time.Hour), noon.Add(5*time.Hour)
	b := bind("user:olga", models.RoleOperator)
	b.ValidTo = &end
	require.NoError(t, s.GrantRole(t.Context(), b))
	longer := b
	longer.ValidFrom, longer.CreatedAt, longer.ValidTo, longer.CreatedBy = later, later, &muchLater, "user:berta"
	require.NoError(t, s.GrantRole(t.Context(), longer))
	assert.True(t, holds(noon), "it was held before it was given for longer")
	assert.True(t, holds(end))
	all, err := s.Bindings(t.Context())
	require.NoError(t, err)
	longer.ValidFrom = noon
	assert.Equal(t, []models.Binding{longer}, all)

	put := longer
	put.ValidFrom, put.CreatedAt, put.ValidTo = muchLater, later, nil
	require.NoError(t, s.GrantRole(t.Context(), put))
	assert.False(t, holds(end), "who is told to begin later does")
	again := put
	again.ValidFrom, again.CreatedAt = muchLater.Add(time.Hour), muchLater.Add(time.Hour)
	require.NoError(t, s.RevokeRole(t.Context(), "user:olga", models.RoleOperator, muchLater.Add(time.Minute)))
	require.NoError(t, s.GrantRole(t.Context(), again))
	assert.False(t, holds(muchLater.Add(30*time.Minute)), "a role that had ended was not held in between")
	assert.True(t, holds(muchLater.Add(time.Hour)))
}

func TestBindingsThatMeanNothingAreRefused(t *testing.T) {
	s := fresh(t)
	for name, c := range map[string]struct {
		change func(*models.Binding)
		field  string
	}{
		"no prefix":      {func(b *models.Binding) { b.Subject = "olga" }, "subject"},
		"a role's name":  {func(b *models.Binding) { b.Subject = "role:scalability_admin" }, "subject"},
		"prefix alone":   {func(b *models.Binding) { b.Subject = "user:" }, "subject"},
		"NUL":            {func(b *models.Binding) { b.Subject = "user:o\x00" }, "subject"},
		"unknown role":   {func(b *models.Binding) { b.Role = "root" }, "role"},
		"ends at start":  {func(b *models.Binding) { b.ValidTo = &noon }, "validTo"},
		"a scope's role": {func(b *models.Binding) { b.Role = "system" }, "role"},
	} {
		t.Run(name, func(t *testing.T) {
			b := bind("user:olga", models.RoleViewer)
			c.change(&b)
			assertError(t, s.GrantRole(t.Context(), b), models.KindInvalid, c.field)
		})
	}
	assertError(t, s.RevokeRole(t.Context(), "user:olga", models.RoleViewer, noon), models.KindNotFound, "subject")
}
