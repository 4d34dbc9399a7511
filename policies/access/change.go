package access

import (
	"slices"
	"strings"

	"github.com/wedsync/scalability/models"
)

// Covers says whether whoever holds some roles may also do all that a role may, in every
// context: nobody gives what they do not have. A role that is not known is covered by
// nobody.
func (p *Policy) Covers(holds []models.Role, role models.Role) bool {
	mine, theirs := p.set(holds), p.set([]models.Role{role})
	if theirs == 0 || len(p.verdicts) == 0 {
		return false
	}
	for permission := range p.permissions {
		for c := range allContexts {
			if p.verdicts[p.index(theirs, permission, c)].Allowed() && !p.verdicts[p.index(mine, permission, c)].Allowed() {
				return false
			}
		}
	}
	return true
}

// ClaimsMore finds a role of ours in what a token claims that its subject does not hold; ""
// for none. What other systems put into the claim is nobody's business here.
func ClaimsMore(claimed string, holds []models.Role) models.Role {
	words := strings.FieldsFunc(claimed, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') })
	for _, role := range Roles() {
		if slices.Contains(words, string(role)) && !slices.Contains(holds, role) {
			return role
		}
	}
	return ""
}

// Exceeds lists the permissions that a policy would give to anybody, whatever roles they
// have, and that neither they nor whoever proposes or approves it has now: nobody gives what
// they do not have, to themselves or to others.
func (p *Policy) Exceeds(now *Policy, holds []models.Role) []models.Permission {
	var out []models.Permission
	mine := p.set(holds)
	for i, permission := range p.permissions {
		if p.widens(now, mine, i) {
			out = append(out, permission)
		}
	}
	return out
}

func (p *Policy) widens(now *Policy, mine, permission int) bool {
	for c := range allContexts {
		if now.verdicts[now.index(mine, permission, c)].Allowed() {
			continue
		}
		for set := range p.sets() {
			if at := p.index(set, permission, c); p.verdicts[at].Allowed() && !now.verdicts[at].Allowed() {
				return true
			}
		}
	}
	return false
}

// Replay decides past calls again and lists those that would be answered otherwise, most
// frequent first. Calls of permissions that are not known any more are left out.
func (p *Policy) Replay(calls []models.AuditedCalls) []models.ChangedCalls {
	out := []models.ChangedCalls{}
	for _, c := range calls {
		v := p.Check(Request{
			Subject: "user:replay", Roles: c.Roles, Permission: c.Permission, WeddingDay: c.WeddingDay, ChangeFreeze: c.ChangeFreeze,
		})
		if v.Decision != c.Decision && v.Rule != RuleUnknownPermission {
			out = append(out, models.ChangedCalls{AuditedCalls: c, Would: v.Decision, Rule: v.Rule})
		}
	}
	slices.SortStableFunc(out, func(a, b models.ChangedCalls) int { return int(b.Count - a.Count) })
	return out
}
