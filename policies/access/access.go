package access

import (
	_ "embed" // the model and the policy are part of the program
	"slices"
	"strings"

	"github.com/wedsync/scalability/models"
)

//go:embed model.conf
var modelText string

//go:embed policy.csv
var policyText string

// Request is one question: may a subject, who holds roles, use a permission on an
// object in a context?
type Request struct {
	Subject    string // user:… or svc:…
	Roles      []models.Role
	Permission models.Permission
	// Object is the route or thing, for the audit row. No rule depends on it: which rows
	// a caller reaches is for the route and for row level security.
	Object string
	// WeddingDay is computed on the server by OnWeddingDay, never taken from the caller.
	WeddingDay bool
	// ChangeFreeze says that a freeze of what the request is about holds now; computed on
	// the server too.
	ChangeFreeze bool
}

// Verdict is the answer with the rule that gave it. The zero value is deny.
type Verdict struct {
	Decision models.AuditDecision
	Rule     string // "role <role>" when allowed, else why not
}

// Allowed says whether the request may go on.
func (v Verdict) Allowed() bool { return v.Decision == models.AuditAllow }

// Reasons of denials, besides "denied to role <role>" by a rule of effect deny.
const (
	RuleNoSubject         = "no subject"
	RuleNoRole            = "no role"
	RuleUnknownPermission = "unknown permission"
	RuleNotGranted        = "not granted"
	RuleNeedsWeddingDay   = "needs wedding_day"
	RuleNoPolicy          = "no policy"
)

// Roles lists the roles that a policy may speak of, in fixed order.
func Roles() []models.Role {
	return []models.Role{
		models.RoleAdmin, models.RoleOperator, models.RoleViewer,
		models.RoleCoordinator, models.RoleMetricsWriter,
	}
}

// Policy is one validated policy. Casbin decided every question of it once, when it was
// made; a check looks the answer up. It never changes and is safe for concurrent use.
type Policy struct {
	roles       []models.Role // bit i of a role set stands for roles[i]
	permissions []models.Permission
	verdicts    []Verdict // at index(set, permission, contexts)
	text        string
}

// New loads the policy that is part of the program.
func New() (*Policy, error) { return Compile(policyText) }

// Text is the policy as it was written.
func (p *Policy) Text() string { return p.text }

// Check answers a request.
func (p *Policy) Check(r Request) Verdict {
	if len(p.verdicts) == 0 {
		return deny(RuleNoPolicy)
	}
	if !IsSubject(r.Subject) {
		return deny(RuleNoSubject)
	}
	permission := slices.Index(p.permissions, r.Permission)
	if permission < 0 {
		return deny(RuleUnknownPermission)
	}
	set := p.set(r.Roles)
	if set == 0 {
		return deny(RuleNoRole)
	}
	return p.verdicts[p.index(set, permission, contextsOf(r.WeddingDay, r.ChangeFreeze))]
}

// IsSubject says whether a name is that of a person or a service account. Roles have a
// prefix of their own, so that nobody can be named like one.
func IsSubject(s string) bool {
	for _, prefix := range []string{"user:", "svc:"} {
		if name, ok := strings.CutPrefix(s, prefix); ok {
			return name != ""
		}
	}
	return false
}

// IsPerson says whether a name is that of a person. Rights are changed by people alone: one
// person could make a service account and be their own second with its key.
func IsPerson(s string) bool { return IsSubject(s) && strings.HasPrefix(s, "user:") }

// set packs the known roles into bits; unknown ones grant nothing.
func (p *Policy) set(roles []models.Role) int {
	set := 0
	for _, r := range roles {
		if i := slices.Index(p.roles, r); i >= 0 {
			set |= 1 << i
		}
	}
	return set
}

// contexts are those that hold for a request, as bits.
type contexts int

const (
	onWeddingDay contexts = 1 << iota
	inChangeFreeze
	allContexts
)

func contextsOf(weddingDay, changeFreeze bool) contexts {
	var c contexts
	if weddingDay {
		c |= onWeddingDay
	}
	if changeFreeze {
		c |= inChangeFreeze
	}
	return c
}

func (p *Policy) index(set, permission int, c contexts) int {
	return (set*len(p.permissions)+permission)*int(allContexts) + int(c)
}

func deny(rule string) Verdict { return Verdict{Decision: models.AuditDeny, Rule: rule} }
