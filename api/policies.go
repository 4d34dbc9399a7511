package api

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/access"
)

// replayedFor is how far back a proposed policy is tried on what was asked.
const replayedFor = 24 * time.Hour

// accessRoutes are the routes of rules, roles, accounts and revocations.
func accessRoutes() []route {
	const policy = models.PermissionPolicy
	at := func(method, path string) route { return route{method: method, path: base + path, permission: policy} }
	return []route{
		at(http.MethodGet, "/access/explain"),
		at(http.MethodGet, "/access/bindings"),
		at(http.MethodPost, "/access/bindings"),
		at(http.MethodPost, "/access/bindings/revoke"),
		at(http.MethodGet, "/access/policies"),
		at(http.MethodPost, "/access/policies"),
		at(http.MethodGet, "/access/policies/:id"),
		at(http.MethodPost, "/access/policies/:id/approve"),
		at(http.MethodPost, "/access/policies/:id/reject"),
		at(http.MethodGet, "/service-accounts"),
		at(http.MethodPost, "/service-accounts"),
		at(http.MethodPost, "/service-accounts/:name/keys"),
		at(http.MethodDelete, "/service-accounts/:name/keys/:key"),
		at(http.MethodGet, "/revocations"),
		at(http.MethodPost, "/revocations"),
	}
}

// ExplainAccess says whether a subject may do something at a time, and why.
func (s *server) ExplainAccess(c *gin.Context, p gen.ExplainAccessParams) {
	q := models.AccessQuestion{Subject: p.Subject, Permission: models.Permission(p.Permission), Object: valueOr(p.Object, ""), At: valueOr(p.At, s.now())}
	a, err := s.Explainer.Explain(c.Request.Context(), q)
	s.reply(c, http.StatusOK, a, err)
}

// GetBindings lists who holds which role, and held one.
func (s *server) GetBindings(c *gin.Context) {
	all, err := s.Bindings.Bindings(c.Request.Context())
	s.reply(c, http.StatusOK, gin.H{"items": all}, err)
}

// CreateBinding gives a role. Nobody gives what they do not hold, or anything to themselves.
func (s *server) CreateBinding(c *gin.Context) {
	in, err := decode[gen.BindingInput](c)
	if err != nil {
		s.fail(c, err)
		return
	}
	k := callOf(c)
	b := models.Binding{
		Subject: in.Subject, Role: models.Role(in.Role), ValidFrom: valueOr(in.ValidFrom, k.at).UTC(), ValidTo: in.ValidTo,
		CreatedBy: k.identity.Subject, CreatedAt: k.at,
	}
	if b.ValidFrom.Before(k.at) {
		b.ValidFrom = k.at // nobody held yesterday what they are given today
	}
	attempt := "give " + string(b.Role) + " to " + b.Subject
	if !s.byPerson(c, attempt) {
		return
	}
	if err := s.mayGive(k, b.Subject, b.Role); err != nil {
		s.refuseOnRecord(c, attempt, err)
		return
	}
	s.reply(c, http.StatusCreated, b, s.Bindings.GrantRole(c.Request.Context(), b))
}

// RevokeBinding takes a role away at once.
func (s *server) RevokeBinding(c *gin.Context) {
	in, err := decode[gen.BindingRevocation](c)
	if err != nil {
		s.fail(c, err)
		return
	}
	k := callOf(c)
	if !s.byPerson(c, "take "+string(in.Role)+" from "+in.Subject) {
		return
	}
	if in.Subject == k.identity.Subject {
		s.refuseOnRecord(c, "take "+string(in.Role)+" from oneself", errSelf())
		return
	}
	if err := s.Bindings.RevokeRole(c.Request.Context(), in.Subject, models.Role(in.Role), k.at); err != nil {
		s.fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

func errSelf() error {
	return &models.Error{Kind: models.KindForbidden, Field: "subject", Rule: "must be somebody else: nobody changes their own roles"}
}

// errNoPerson refuses a service account: whoever made its key could with it be the second
// person to their own proposal, or give roles to themselves.
func errNoPerson() error {
	return &models.Error{Kind: models.KindForbidden, Rule: "Rights are changed by people, not by service accounts."}
}

// byPerson refuses a service account on record, and says whether the call goes on.
func (s *server) byPerson(c *gin.Context, attempt string) bool {
	if !s.RBAC || access.IsPerson(callOf(c).identity.Subject) {
		return true
	}
	s.refuseOnRecord(c, attempt+" as a program", errNoPerson())
	return false
}

// mayGive holds a grant to what its giver has.
func (s *server) mayGive(k *call, subject string, role models.Role) error {
	switch {
	case !s.RBAC:
		return nil
	case subject == k.identity.Subject:
		return errSelf()
	case !s.Policies.Policy().Covers(k.roles, role):
		return &models.Error{Kind: models.KindForbidden, Field: "role", Value: string(role), Rule: "must not reach further than the giver's own roles"}
	}
	return nil
}

// refuseOnRecord keeps an attempt to gain more than one has, beside the call that was
// allowed, and then refuses it.
func (s *server) refuseOnRecord(c *gin.Context, attempt string, err error) {
	k := callOf(c)
	e := s.entry(c, route{permission: models.PermissionPolicy})
	e.Actor, e.Roles, e.Rule = k.identity.Subject, append(e.Roles, k.roles...), models.RulePrivilegeEscalation
	e.Context["attempt"] = cut(attempt, 300)
	if kept := s.commit(c.Request.Context(), e); kept != nil {
		err = models.Unavailable("audit", kept)
	}
	s.fail(c, err)
}

// policyReview is a policy with what it would change.
type policyReview struct {
	models.AccessPolicy
	// Replayed are the calls of the last 24 hours that it would answer otherwise.
	Replayed []models.ChangedCalls `json:"replayed"`
	// ReplayedCalls is how many calls were tried.
	ReplayedCalls int64 `json:"replayedCalls"`
}

// GetAccessPolicies lists policies, and the text of the one in force.
func (s *server) GetAccessPolicies(c *gin.Context) {
	all, err := s.PolicyStore.AccessPolicies(c.Request.Context())
	s.reply(c, http.StatusOK, gin.H{"inForce": s.Policies.Policy().Text(), "items": all}, err)
}

// GetAccessPolicy gives a policy with what it would change.
func (s *server) GetAccessPolicy(c *gin.Context, id gen.IDPath) {
	p, err := s.PolicyStore.AccessPolicy(c.Request.Context(), id)
	if err != nil {
		s.fail(c, err)
		return
	}
	next, err := access.Compile(p.Text)
	if err != nil {
		s.fail(c, models.Invalid("text", "", oneLine(err)))
		return
	}
	s.review(c, http.StatusOK, p, next)
}

// ProposePolicy keeps a policy that waits for a second person, and shows what it would
// change.
func (s *server) ProposePolicy(c *gin.Context) {
	in, err := decode[gen.AccessPolicyInput](c)
	if err != nil {
		s.fail(c, err)
		return
	}
	next, err := access.Proposal(in.Text)
	if err != nil {
		s.fail(c, models.Invalid("text", "", oneLine(err)))
		return
	}
	k := callOf(c)
	if !s.byPerson(c, "propose a policy") {
		return
	}
	if attempt, err := s.mayPutInForce(k, next); err != nil {
		s.refuseOnRecord(c, "propose "+attempt, err)
		return
	}
	p := models.AccessPolicy{
		ID: newID(), Text: in.Text, Reason: in.Reason, Status: models.PolicyProposed, ProposedBy: k.identity.Subject, ProposedAt: k.at,
	}
	if err := s.PolicyStore.ProposePolicy(c.Request.Context(), p); err != nil {
		s.fail(c, err)
		return
	}
	s.review(c, http.StatusCreated, p, next)
}

// mayPutInForce holds a policy to what those have who propose and approve it, and says what
// they attempted otherwise.
func (s *server) mayPutInForce(k *call, next *access.Policy) (attempt string, err error) {
	if !s.RBAC {
		return "", nil
	}
	if more := next.Exceeds(s.Policies.Policy(), k.roles); len(more) > 0 {
		return "a policy that gives " + string(more[0]) + " to whom it is not given now",
			&models.Error{Kind: models.KindForbidden, Field: "text", Rule: "must not give anybody more than they and you have: " + string(more[0])}
	}
	return "", nil
}

func (s *server) review(c *gin.Context, code int, p models.AccessPolicy, next *access.Policy) {
	now := s.now()
	calls, err := s.PolicyStore.AuditedCalls(c.Request.Context(), now.Add(-replayedFor), now)
	out := policyReview{AccessPolicy: p, Replayed: next.Replay(calls)}
	for _, a := range calls {
		out.ReplayedCalls += a.Count
	}
	s.reply(c, code, out, err)
}

// ApprovePolicy puts a policy in force; RejectPolicy ends it. Neither is for its proposer.
func (s *server) ApprovePolicy(c *gin.Context, id gen.IDPath) { s.decidePolicy(c, id, true) }

// RejectPolicy ends a proposed policy.
func (s *server) RejectPolicy(c *gin.Context, id gen.IDPath) { s.decidePolicy(c, id, false) }

func (s *server) decidePolicy(c *gin.Context, id string, approve bool) {
	in, err := decode[gen.ApprovalRequest](c)
	if err != nil {
		s.fail(c, err)
		return
	}
	k := callOf(c)
	if !s.byPerson(c, "decide on policy "+id) {
		return
	}
	if approve {
		if attempt, err := s.mayApprove(c, id); attempt != "" {
			s.refuseOnRecord(c, attempt, err)
			return
		} else if err != nil {
			s.fail(c, err)
			return
		}
	}
	p, err := s.PolicyStore.DecidePolicy(c.Request.Context(), models.PolicyVerdict{
		ID: id, Approve: approve, Actor: k.identity.Subject, Reason: in.Reason, At: k.at,
	})
	var refused *models.Error
	if errors.As(err, &refused) && refused.Kind == models.KindForbidden {
		s.refuseOnRecord(c, "decide on one's own policy "+id, err)
		return
	}
	s.reply(c, http.StatusOK, p, err)
}

// mayApprove looks at the policy itself again: the rules in force, the program and who approves
// it may be others than when it was proposed. attempt is set where it is for the record.
func (s *server) mayApprove(c *gin.Context, id string) (attempt string, err error) {
	p, err := s.PolicyStore.AccessPolicy(c.Request.Context(), id)
	if err != nil {
		return "", err
	}
	next, err := access.Proposal(p.Text)
	if err != nil {
		return "", &models.Error{Kind: models.KindConflict, Field: "id", Value: id, Rule: "cannot be put in force: " + oneLine(err)}
	}
	if attempt, err = s.mayPutInForce(callOf(c), next); attempt != "" {
		attempt = "approve " + attempt
	}
	return attempt, err
}

// oneLine makes the joined faults of a policy one line.
func oneLine(err error) string { return cut(strings.ReplaceAll(err.Error(), "\n", "; "), 2000) }
