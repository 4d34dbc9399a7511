package access

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPoliciesThatCasbinWouldMisreadAreRefused(t *testing.T) {
	const good = "p, role:scalability_viewer, *, scalability:read, any, allow\n"
	cases := map[string]struct{ policy, fault string }{
		"empty":                     {"", "no rule"},
		"only links":                {"g, role:scalability_operator, role:scalability_viewer", "no rule"},
		"a typo in the effect":      {"p, role:scalability_viewer, *, scalability:read, any, alow", `effect "alow"`},
		"an effect in capitals":     {"p, role:scalability_viewer, *, scalability:read, any, Deny", `effect "Deny"`},
		"a space after the effect":  {"p, role:scalability_viewer, *, scalability:read, any, allow ", `effect "allow "`},
		"a role without its prefix": {"p, scalability_viewer, *, scalability:read, any, allow", `role "scalability_viewer"`},
		"an unknown role":           {"p, role:scalability_owner, *, scalability:read, any, allow", `role "role:scalability_owner"`},
		"a user in place of a role": {good + "g, user:anna, role:scalability_viewer", `role "user:anna"`},
		"an unknown permission":     {"p, role:scalability_viewer, *, scalability:write, any, allow", `permission "scalability:write"`},
		"a pattern as permission":   {"p, role:scalability_viewer, *, scalability:r*, any, allow", `permission "scalability:r*"`},
		"an unknown condition":      {"p, role:scalability_viewer, *, scalability:read, weekend, allow", `condition "weekend"`},
		"one object only":           {"p, role:scalability_viewer, /status, scalability:read, any, allow", `object "/status"`},
		"a rule too short":          {good + "p, role:scalability_viewer, *, scalability:read, any", "must have role, object"},
		"a rule too long":           {good + "p, role:scalability_viewer, *, scalability:read, any, allow, 1", "must have role, object"},
		"a link too long":           {good + "g, role:scalability_operator, role:scalability_viewer, domain", "must have two roles"},
		"another kind of row":       {good + "g2, role:scalability_operator, role:scalability_viewer", "must begin with p or g"},
		"a row twice":               {good + good, "stands there twice"},
		"a role above itself":       {good + "g, role:scalability_viewer, role:scalability_viewer", "form a circle"},
		"a circle": {good + "g, role:scalability_viewer, role:scalability_operator\n" +
			"g, role:scalability_operator, role:scalability_admin\ng, role:scalability_admin, role:scalability_viewer", "form a circle"},
		"an open quote": {good + `p, "role:scalability_viewer`, "access: policy"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p, err := Compile(c.policy)
			require.ErrorContains(t, err, c.fault)
			assert.Nil(t, p)
		})
	}
}

func TestAllFaultsAreNamedAtOnce(t *testing.T) {
	_, err := parse("p, role:x, *, scalability:read, any, allow\np, role:scalability_viewer, *, y, any, allow")
	require.ErrorContains(t, err, "role:x")
	require.ErrorContains(t, err, `permission "y"`)
}
