package access

import (
	"fmt"
	"strings"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"

	"github.com/wedsync/scalability/models"
)

// Compile validates a policy and puts every question to Casbin: each set of roles, each
// permission, in every context. Checks then cost a look-up, and no name that a caller chose
// ever reaches Casbin, whose memory of names has no bound. An error names every row that is
// at fault.
func Compile(policy string) (*Policy, error) {
	r, err := parse(policy)
	if err != nil {
		return nil, err
	}
	p := &Policy{roles: Roles(), permissions: models.Permissions(), text: policy}
	e, err := p.enforcer(r)
	if err != nil {
		return nil, fmt.Errorf("access: compile: %w", err)
	}
	p.verdicts = make([]Verdict, p.index(p.sets(), 0, 0))
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

// decide fills in the verdicts, one for each context, of a set of roles on a permission.
func (p *Policy) decide(e *casbin.Enforcer, set, permission int) error {
	act := string(p.permissions[permission])
	for c := range allContexts {
		v, err := p.ask(e, set, act, c)
		if err != nil {
			return err
		}
		p.verdicts[p.index(set, permission, c)] = v
	}
	for c := range allContexts {
		off := &p.verdicts[p.index(set, permission, c)]
		if off.Rule == RuleNotGranted && p.verdicts[p.index(set, permission, c|onWeddingDay)].Allowed() {
			off.Rule = RuleNeedsWeddingDay
		}
	}
	return nil
}

// ask puts one question to Casbin. Its explanation is the deciding row: where it denies
// there is one only if a rule of effect deny matched.
func (p *Policy) ask(e *casbin.Enforcer, set int, act string, c contexts) (Verdict, error) {
	day, freeze := c.names()
	allowed, row, err := e.EnforceEx(setName(set), anyObject, act, day, freeze)
	switch {
	case err != nil:
		return Verdict{}, err
	case allowed:
		return p.allow(e, set, act, c)
	case len(row) > 0:
		rule := "denied to role " + strings.TrimPrefix(row[0], rolePrefix)
		if row[3] != condAny {
			rule += " in " + row[3]
		}
		return deny(rule), nil
	default:
		return deny(RuleNotGranted), nil
	}
}

// names are the contexts as Casbin is told of them; "" is one that does not hold.
func (c contexts) names() (day, freeze string) {
	if c&onWeddingDay != 0 {
		day = condWeddingDay
	}
	if c&inChangeFreeze != 0 {
		freeze = condChangeFreeze
	}
	return day, freeze
}

// allow names the first role of the set that would be enough by itself.
func (p *Policy) allow(e *casbin.Enforcer, set int, act string, c contexts) (Verdict, error) {
	day, freeze := c.names()
	for i, role := range p.roles {
		if set&(1<<i) == 0 {
			continue
		}
		enough, err := e.Enforce(setName(1<<i), anyObject, act, day, freeze)
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
