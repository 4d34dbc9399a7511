package access

import (
	"errors"
	"fmt"

	"github.com/wedsync/scalability/models"
)

// Proposal compiles a policy that is to be put in force. Besides what Compile refuses it
// refuses what would be understood and do harm: a policy that nobody could change again, and
// a rule whose context is never looked at, which would stand there and do nothing.
func Proposal(policy string) (*Policy, error) {
	p, err := Compile(policy)
	if err != nil {
		return nil, err
	}
	return p, errors.Join(p.checkKeys(), p.checkContexts())
}

// checkKeys wants the way back open: row level security lets administrators alone at the
// rules, so they must be able to use it in every context.
func (p *Policy) checkKeys() error {
	for c := range allContexts {
		v := p.Check(Request{
			Subject: "user:anybody", Roles: []models.Role{models.RoleAdmin}, Permission: models.PermissionPolicy,
			WeddingDay: c&onWeddingDay != 0, ChangeFreeze: c&inChangeFreeze != 0,
		})
		if !v.Allowed() {
			return fmt.Errorf("access: policy: %s must keep %s: nobody could change the rules again", models.RoleAdmin, models.PermissionPolicy)
		}
	}
	return nil
}

// heardFor is the one permission for which a context is looked at when a call is judged.
func heardFor(condition string) models.Permission {
	switch condition {
	case condWeddingDay:
		return models.PermissionWeddingPriority
	case condChangeFreeze:
		return models.PermissionScaleIn
	default:
		return ""
	}
}

func (p *Policy) checkContexts() error {
	r, err := parse(p.text)
	if err != nil {
		return err
	}
	var errs []error
	for _, rule := range r.rules {
		permission, condition := rule[2], rule[3]
		if heard := heardFor(condition); heard != "" && permission != string(heard) {
			errs = append(errs, fmt.Errorf("access: policy rule %q: condition %s is looked at for %s alone, so the rule would do nothing for %s",
				rule, condition, heard, permission))
		}
	}
	return errors.Join(errs...)
}
