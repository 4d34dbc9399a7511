package access

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/models"
)

// second evaluates a policy's text a second time, by its own reading and without Casbin:
// rows are split by hand, roles are followed by a worklist, and one deny ends it.
type second struct {
	rules    [][]string
	inherits map[string][]string
}

func readSecond(text string) second {
	s := second{inherits: map[string][]string{}}
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSpace(line), ",")
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		switch fields[0] {
		case "p":
			s.rules = append(s.rules, fields[1:])
		case "g":
			s.inherits[fields[1]] = append(s.inherits[fields[1]], fields[2])
		}
	}
	return s
}

func (s second) allows(r Request) bool {
	name, prefixed := strings.CutPrefix(r.Subject, "user:")
	if !prefixed {
		name, prefixed = strings.CutPrefix(r.Subject, "svc:")
	}
	if !prefixed || name == "" || !slices.Contains(models.Permissions(), r.Permission) {
		return false
	}
	held := map[string]bool{}
	for _, role := range r.Roles {
		s.hold(held, "role:"+string(role))
	}
	some := false
	for _, rule := range s.rules {
		if !held[rule[0]] || rule[2] != string(r.Permission) && rule[2] != "scalability:*" ||
			rule[3] == "wedding_day" && !r.WeddingDay || rule[3] == "change_freeze" && !r.ChangeFreeze {
			continue
		}
		if rule[4] == "deny" {
			return false
		}
		some = true
	}
	return some
}

func (s second) hold(held map[string]bool, first string) {
	for work := []string{first}; len(work) > 0; work = work[1:] {
		if !held[work[0]] {
			held[work[0]] = true
			work = append(work, s.inherits[work[0]]...)
		}
	}
}

// everyRequest calls with each set of roles, permission and context.
func everyRequest(check func(Request)) {
	for set := range 1 << len(Roles()) {
		var roles []models.Role
		for i, role := range Roles() {
			if bits.OnesCount(uint(set&(1<<i))) > 0 {
				roles = append(roles, role)
			}
		}
		for _, permission := range models.Permissions() {
			for c := range 4 {
				check(Request{Subject: "user:anna", Roles: roles, Permission: permission, WeddingDay: c&1 != 0, ChangeFreeze: c&2 != 0})
			}
		}
	}
}

func TestBothEvaluatorsAgreeOnTheEmbeddedPolicy(t *testing.T) {
	p, s := embedded(t), readSecond(policyText)
	n := 0
	everyRequest(func(r Request) {
		n++
		assert.Equal(t, s.allows(r), p.Check(r).Allowed(), "%+v", r)
	})
	assert.Equal(t, 32*len(models.Permissions())*4, n)
}

// TestEveryCompiledVerdictIsCasbins asks Casbin anew, one question at a time.
func TestEveryCompiledVerdictIsCasbins(t *testing.T) {
	p := embedded(t)
	r, err := parse(policyText)
	require.NoError(t, err)
	e, err := p.enforcer(r)
	require.NoError(t, err)
	everyRequest(func(r Request) {
		day, freeze := contextsOf(r.WeddingDay, r.ChangeFreeze).names()
		want, err := e.Enforce(setName(p.set(r.Roles)), "GET /some/route", string(r.Permission), day, freeze)
		require.NoError(t, err)
		assert.Equal(t, want, p.Check(r).Allowed(), "%+v", r)
	})
}

// drawPolicy makes a valid policy: rules of both effects and a hierarchy that only points
// to later roles.
func drawPolicy(t *rapid.T) string {
	role := rapid.SampledFrom(Roles())
	permission := rapid.SampledFrom(append(texts(models.Permissions()), "scalability:*"))
	lines := map[string]bool{}
	for range rapid.IntRange(1, 12).Draw(t, "rules") {
		lines[fmt.Sprintf("p, role:%s, *, %s, %s, %s", role.Draw(t, "role"), permission.Draw(t, "permission"),
			rapid.SampledFrom([]string{"any", "wedding_day", "change_freeze"}).Draw(t, "condition"),
			rapid.SampledFrom([]string{"allow", "allow", "allow", "deny"}).Draw(t, "effect"))] = true
	}
	for range rapid.IntRange(0, 4).Draw(t, "links") {
		i := rapid.IntRange(0, len(Roles())-2).Draw(t, "from")
		j := rapid.IntRange(i+1, len(Roles())-1).Draw(t, "to")
		lines[fmt.Sprintf("g, role:%s, role:%s", Roles()[i], Roles()[j])] = true
	}
	var out []string
	for line := range lines {
		out = append(out, line)
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// threeAgree asks the compiled snapshot, Casbin anew, and the second evaluator, each
// question that there is about a drawn policy.
func threeAgree(t *rapid.T) {
	text := drawPolicy(t)
	p, err := Compile(text)
	require.NoError(t, err)
	r, err := parse(text)
	require.NoError(t, err)
	e, err := p.enforcer(r)
	require.NoError(t, err)
	s := readSecond(text)
	everyRequest(func(r Request) {
		day, freeze := contextsOf(r.WeddingDay, r.ChangeFreeze).names()
		casbin, err := e.Enforce(setName(p.set(r.Roles)), "GET /some/route", string(r.Permission), day, freeze)
		require.NoError(t, err)
		if compiled, second := p.Check(r).Allowed(), s.allows(r); compiled != casbin || compiled != second {
			t.Fatalf("policy:\n%s\nrequest %+v: compiled %v, casbin %v, second %v", text, r, compiled, casbin, second)
		}
	})
}

func TestCompiledCasbinAndTheSecondEvaluatorAgreeOnAnyPolicy(t *testing.T) {
	rapid.Check(t, threeAgree)
}

// FuzzEvaluators is the same with policies that a fuzzer looks for.
func FuzzEvaluators(f *testing.F) { f.Fuzz(rapid.MakeFuzz(threeAgree)) }

func FuzzCheck(f *testing.F) {
	f.Add("user:anna", "scalability_admin", "metrics_writer", "scalability:read", "GET /", true, false)
	f.Add("role:scalability_admin", "scalability_admin", "", "scalability:*", "", false, true)
	f.Add("svc:", "wedding_coordinator", "role:scalability_admin", "scalability:wedding_priority", "*", true, true)
	p, err := New()
	require.NoError(f, err)
	s := readSecond(policyText)
	f.Fuzz(func(t *testing.T, subject, first, other, permission, object string, day, freeze bool) {
		r := Request{subject, []models.Role{models.Role(first), models.Role(other)}, models.Permission(permission), object, day, freeze}
		v := p.Check(r)
		assert.Equal(t, s.allows(r), v.Allowed())
		assert.NotEmpty(t, v.Rule)
	})
}

func FuzzPolicyIsRefusedOrUnderstood(f *testing.F) {
	f.Add(policyText)
	f.Add("p, role:scalability_admin, *, scalability:*, any, alow")
	f.Add("g, role:scalability_admin, role:scalability_admin\np,role:metrics_writer,*,scalability:ingest,any,deny")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "\"\r") {
			return // quoting is read by encoding/csv alone
		}
		p, err := Compile(text)
		if err != nil {
			return
		}
		s := readSecond(text)
		everyRequest(func(r Request) { assert.Equal(t, s.allows(r), p.Check(r).Allowed(), "%+v", r) })
	})
}
