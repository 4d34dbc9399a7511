package access

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAProposalIsNeitherALockoutNorWithoutEffect(t *testing.T) {
	const admin = "p, role:scalability_admin, *, scalability:*, any, allow\n"
	for name, c := range map[string]struct{ text, says string }{
		"the built-in policy":               {policyText, ""},
		"administrators have it by a link":  {"p, role:metrics_writer, *, scalability:policy, any, allow\ng, role:scalability_admin, role:metrics_writer", ""},
		"nobody can change the rules":       {"p, role:scalability_viewer, *, scalability:read, any, allow", "scalability_admin must keep scalability:policy"},
		"another role alone can":            {"p, role:scalability_operator, *, scalability:*, any, allow", "scalability_admin must keep scalability:policy"},
		"it is denied again":                {admin + "p, role:scalability_admin, *, scalability:policy, any, deny", "scalability_admin must keep scalability:policy"},
		"a freeze closes it":                {admin + "p, role:scalability_admin, *, scalability:*, change_freeze, deny", "scalability_admin must keep scalability:policy"},
		"a freeze nobody looks at":          {admin + "p, role:scalability_operator, *, scalability:scale_standard, change_freeze, deny", "is looked at for scalability:scale_in alone"},
		"a wedding day nobody looks at":     {admin + "p, role:wedding_coordinator, *, scalability:scale_standard, wedding_day, allow", "is looked at for scalability:wedding_priority alone"},
		"a row that Casbin would misread":   {admin + "p, role:scalability_viewer, *, scalability:read, any, alow", "effect"},
		"a context for what it is heard on": {admin + "p, role:scalability_viewer, *, scalability:wedding_priority, wedding_day, allow", ""},
	} {
		_, err := Proposal(c.text)
		if c.says == "" {
			require.NoError(t, err, name)
			continue
		}
		require.Error(t, err, name)
		assert.Contains(t, err.Error(), c.says, name)
	}
}
