package access

import (
	"fmt"
	"strings"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"

	"github.com/wedsync/scalability/models"
)

// compile validates a policy and puts every question to Casbin: each set of roles, each
// permission, on a wedding day and off it. Checks then cost a look-up, and no name that a
// caller chose ever reaches Casbin, whose memory of names has no bound.
func compile(policy string) (*Policy, error) {
	r, err := parse(policy)
	if err != nil {
		return nil, err
	}
	p := &Policy{roles: Roles(), permissions: models.Permissions()}
	e, err := p.enforcer(r)
	if err != nil {
		return nil, fmt.Errorf("access: compile: %w", err)
	}
	p.verdicts = make([]Verdict, p.index(p.sets(), 0, false))
	for set := range p.sets() {
		for permission := range p.permissions {
			if err := p.decide(e, set, permission); err != nil {
				return nil, fmt.Errorf("access: compile: %w", err)
			}
		}
	}
	return p, nil
}

// enforcer is Casbin with the policy and one subject for each set of roles.
func (p *Policy) enforcer(r rows) (*casbin.Enforcer, error) {
	m, err := model.NewModelFromString(modelText)
	if err != nil {
		return nil, err
	}
	for set := range p.sets() {
		for i, role := range p.roles {
			if set&(1<<i) != 0 {
				r.inherits = append(r.inherits, []string{setName(set), rolePrefix + string(role)})
			}
		}
	}
	if err := m.AddPolicies("p", "p", r.rules); err != nil {
		return nil, err
	}
	if err := m.AddPolicies("g", "g", r.inherits); err != nil {
		return nil, err
	}
	e, err := casbin.NewEnforcer(m)
	if err != nil {
		return nil, err
	}
	return e, e.BuildRoleLinks()
}

// decide fills in the two verdicts, on a wedding day and off it, of a set of roles on a
// permission.
func (p *Policy) decide(e *casbin.Enforcer, set, permission int) error {
	act := string(p.permissions[permission])
	onDay, err := p.ask(e, set, act, condWeddingDay)
	if err != nil {
		return err
	}
	offDay, err := p.ask(e, set, act, condAny)
	if err != nil {
		return err
	}
	if onDay.Allowed() && offDay.Rule == RuleNotGranted {
		offDay.Rule = RuleNeedsWeddingDay
	}
	p.verdicts[p.index(set, permission, true)] = onDay
	p.verdicts[p.index(set, permission, false)] = offDay
	return nil
}

// ask puts one question to Casbin. Its explanation is the deciding row: where it denies
// there is one only if a rule of effect deny matched.
func (p *Policy) ask(e *casbin.Enforcer, set int, act, ctx string) (Verdict, error) {
	allowed, row, err := e.EnforceEx(setName(set), anyObject, act, ctx)
	switch {
	case err != nil:
		return Verdict{}, err
	case allowed:
		return p.allow(e, set, act, ctx)
	case len(row) > 0:
		return deny("denied to role " + strings.TrimPrefix(row[0], rolePrefix)), nil
	default:
		return deny(RuleNotGranted), nil
	}
}

// allow names the first role of the set that would be enough by itself.
func (p *Policy) allow(e *casbin.Enforcer, set int, act, ctx string) (Verdict, error) {
	for i, role := range p.roles {
		if set&(1<<i) == 0 {
			continue
		}
		enough, err := e.Enforce(setName(1<<i), anyObject, act, ctx)
		if err != nil {
			return Verdict{}, err
		}
		if enough {
			return Verdict{Decision: models.AuditAllow, Rule: "role " + string(role)}, nil
		}
	}
	return Verdict{}, fmt.Errorf("%s is allowed %s, and none of its roles is", setName(set), act)
}

// sets is how many sets the roles form.
func (p *Policy) sets() int { return 1 << len(p.roles) }

// setName is a set of roles as a subject of Casbin; the prefix keeps it from being a role.
func setName(set int) string { return fmt.Sprintf("set:%b", set) }
