package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/trace"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/access"
)

// Rules under which the guard itself decides; all others are the policy's.
const (
	ruleNoRoute      = "route without permission"
	ruleRBACDisabled = "rbac disabled"
	ruleRateLimited  = "rate_limited"
	ruleNoRoles      = "roles unavailable"
	ruleRevoked      = "revoked" // a moment ago
	ruleNoWeddings   = "weddings unavailable"
	ruleNoLimiter    = "rate limiter unavailable"
	ruleNoKeys       = "keys unavailable"
	ruleOwnWedding   = "coordinator of this wedding"
	anonymous        = "anonymous"
	auditTimeout     = 5 * time.Second
)

// guard lets a request pass when its caller is known, within their quota and permitted,
// and only after that answer is in the audit log. A denial is logged just the same.
func (s *server) guard(c *gin.Context) {
	r, listed := s.routes[route{method: c.Request.Method, path: c.FullPath()}.key()]
	if listed && r.public {
		c.Next()
		return
	}
	entry := s.entry(c, r)
	denial := s.decide(c, r, listed, &entry)
	if denial == nil {
		entry.Decision = models.AuditAllow
	}
	if err := s.commit(c.Request.Context(), entry); err != nil {
		s.fail(c, models.Unavailable("audit", err))
		return
	}
	if denial != nil {
		s.slowDown(c, callOf(c), entry.Context[models.ContextClaimedSubject])
		s.fail(c, denial)
		return
	}
	ctx := models.WithScope(c.Request.Context(), s.scope(callOf(c)))
	origin := models.Origin{RequestID: entry.RequestID, TraceID: entry.TraceID, RemoteIP: entry.RemoteIP}
	c.Request = c.Request.WithContext(models.WithOrigin(ctx, origin))
	c.Next()
}

func (s *server) entry(c *gin.Context, r route) models.AuditEntry {
	k := callOf(c)
	return models.AuditEntry{
		ID: newID(), At: k.at, Actor: anonymous, Action: string(r.permission),
		Object: cut(c.Request.Method+" "+c.Request.URL.EscapedPath(), 300), Decision: models.AuditDeny,
		Roles: []models.Role{}, RequestID: k.requestID, TraceID: traceOf(c.Request.Context()), RemoteIP: s.remoteIP(c),
		Context: map[string]string{"route": c.FullPath()},
	}
}

// traceOf is the trace that a call belongs to; "" where none is recorded.
func traceOf(ctx context.Context) string {
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		return span.TraceID().String()
	}
	return ""
}

// commit keeps an entry although the caller may have gone: who asked is told of an
// answer only when it is on record, and an attempt stays one.
func (s *server) commit(ctx context.Context, e models.AuditEntry) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTimeout)
	defer cancel()
	return s.Audit.Record(ctx, e)
}

// decide authenticates, counts and authorises, in this order, and fills the entry with
// who asked and which rule answered. nil means allowed.
func (s *server) decide(c *gin.Context, r route, listed bool, e *models.AuditEntry) error {
	k := callOf(c)
	if err := s.authenticate(c, k, e); err != nil {
		return err
	}
	limit, key := s.RateLimit, "subject:"+k.identity.Subject
	if r.permission == models.PermissionIngest {
		limit, key = s.IngestRateLimit, "ingest:"+k.identity.Subject
	}
	if err := s.take(c, key, limit, e); err != nil {
		return err
	}
	if !listed || r.permission == "" {
		e.Rule = ruleNoRoute
		return &models.Error{Kind: models.KindForbidden, Rule: ruleNoRoute}
	}
	return s.authorise(c, k, r, e)
}

// authenticate finds out who calls. Failures are counted by address, so that guessing
// is bounded although nobody is known.
func (s *server) authenticate(c *gin.Context, k *call, e *models.AuditEntry) error {
	if err := s.holdBack(c, k, e); err != nil {
		return err
	}
	id, err := s.caller(c)
	if len(c.Request.Header.Values("Authorization")) > 1 {
		err = &models.Error{Kind: models.KindUnauthorised, Rule: "malformed", Err: errors.New("more than one Authorization header")}
	}
	if err == nil {
		k.identity = id
		e.Actor = id.Subject
		e.Context[models.ContextTokenID] = cut(id.TokenID, 100)
		s.suspects.worked(s.credential(c), k.at)
		if id.ClaimedRole != "" {
			e.Context["claimedRole"] = cut(id.ClaimedRole, 100)
		}
		return nil
	}
	if models.KindOf(err) != models.KindUnauthorised {
		e.Rule = ruleNoKeys
		return models.Unavailable("authenticate", err)
	}
	var refusal *models.Error
	if errors.As(err, &refusal) {
		e.Rule = refusal.Rule
		noteRefusal(e, refusal)
	}
	s.suspect(c, k)
	q, uncounted := s.Limiter.Take(c.Request.Context(), "address:"+source(s.remoteIP(c)), s.RateLimit, s.RateWindow)
	if uncounted != nil {
		return err // refused in any case
	}
	s.quotaHeaders(c, q)
	if !q.Allowed {
		return s.exhausted(c, q, e)
	}
	return err
}

// caller is who a token speaks for or, without one, who has signed in by browser.
func (s *server) caller(c *gin.Context) (models.Identity, error) {
	if c.GetHeader("Authorization") == "" && s.cookie(c, sessionCookie) != "" {
		return s.session(c)
	}
	return s.Auth.Verify(c.Request.Context(), c.GetHeader("Authorization"))
}

// take counts the call and tells the caller where they stand.
func (s *server) take(c *gin.Context, key string, limit int, e *models.AuditEntry) error {
	q, err := s.Limiter.Take(c.Request.Context(), key, limit, s.RateWindow)
	if err != nil {
		e.Rule = ruleNoLimiter
		return models.Unavailable("rate limit", err)
	}
	s.quotaHeaders(c, q)
	if !q.Allowed {
		return s.exhausted(c, q, e)
	}
	return nil
}

func (s *server) quotaHeaders(c *gin.Context, q models.Quota) {
	window := int(s.RateWindow / time.Second)
	c.Header("X-RateLimit-Limit", strconv.Itoa(q.Limit))
	c.Header("X-RateLimit-Window", strconv.Itoa(window))
	// draft-ietf-httpapi-ratelimit-headers
	c.Header("RateLimit-Policy", fmt.Sprintf(`"default";q=%d;w=%d`, q.Limit, window))
	c.Header("RateLimit", fmt.Sprintf(`"default";r=%d;t=%d`, max(0, q.Remaining), max(0, q.ResetSeconds)))
}

func (s *server) exhausted(c *gin.Context, q models.Quota, e *models.AuditEntry) error {
	e.Rule = ruleRateLimited
	c.Header("Retry-After", strconv.Itoa(max(1, q.ResetSeconds)))
	return &models.Error{
		Kind: models.KindRateLimited,
		Rule: fmt.Sprintf("At most %d calls in %d seconds.", q.Limit, int(s.RateWindow/time.Second)),
	}
}

// authorise asks the policy with the roles that the caller holds now.
func (s *server) authorise(c *gin.Context, k *call, r route, e *models.AuditEntry) error {
	if !s.RBAC {
		e.Rule = ruleRBACDisabled
		return nil
	}
	policy, grants, err := s.authority(c.Request.Context(), k, r.permission)
	if err != nil {
		e.Rule = ruleNoRoles
		if models.KindOf(err) == models.KindUnauthorised {
			e.Rule = ruleRevoked
		}
		return err
	}
	k.roles = grants.Roles
	e.Roles, e.PolicyRevision = append(e.Roles, grants.Roles...), grants.Revision
	if claimed := access.ClaimsMore(k.identity.ClaimedRole, grants.Roles); claimed != "" {
		e.Rule = models.RuleRoleClaimMismatch
		return &models.Error{Kind: models.KindForbidden, Rule: "The token claims " + string(claimed) + ", which its subject does not hold."}
	}
	req := access.Request{Subject: k.identity.Subject, Roles: grants.Roles, Permission: r.permission, Object: e.Object}
	if r.permission == models.PermissionWeddingPriority && slices.Contains(grants.Roles, models.RoleCoordinator) {
		if req.WeddingDay, err = s.onWeddingDay(c, k); err != nil {
			e.Rule = ruleNoWeddings
			return models.Unavailable("wedding day", err)
		}
		e.Context[models.ContextWeddingDay] = strconv.FormatBool(req.WeddingDay)
	}
	v := policy.Check(req)
	e.Rule = v.Rule
	if v.Allowed() {
		return nil
	}
	if r.own && slices.Contains(grants.Roles, models.RoleCoordinator) {
		own, err := s.ownWedding(c, k)
		if err != nil {
			e.Rule = ruleNoWeddings
			return models.Unavailable("own wedding", err)
		}
		if own {
			k.own, e.Rule = true, ruleOwnWedding
			return nil
		}
	}
	return &models.Error{Kind: models.KindForbidden, Rule: "This needs " + string(r.permission) + ": " + v.Rule + "."}
}

// highRisk permissions are granted on what holds now: a role, a token or a rule that was
// taken away a moment ago counts no more. For the others a second may pass.
func highRisk(p models.Permission) bool {
	return p == models.PermissionManage || p == models.PermissionPolicy
}

// authority reads the rules and the roles by which a caller is judged.
func (s *server) authority(ctx context.Context, k *call, p models.Permission) (*access.Policy, models.Grants, error) {
	if !highRisk(p) {
		grants, err := s.Grants.Grants(ctx, k.identity.Subject, k.at)
		if err != nil {
			return nil, grants, models.Unavailable("grants", err)
		}
		return s.Policies.Policy(), grants, nil
	}
	if err := s.Auth.Recheck(ctx, k.identity); err != nil {
		return nil, models.Grants{}, err
	}
	policy, err := s.Policies.Fresh(ctx)
	if err != nil {
		return nil, models.Grants{}, models.Unavailable("policy", err)
	}
	grants, err := s.Grants.FreshGrants(ctx, k.identity.Subject, k.at)
	if err != nil {
		return nil, grants, models.Unavailable("grants", err)
	}
	return policy, grants, nil
}

// mayScaleIn judges and audits a call that asks for less capacity of a service, beyond the
// permission of its route: in a change freeze nobody may.
func (s *server) mayScaleIn(c *gin.Context, service models.ServiceName) error {
	k := callOf(c)
	e := s.entry(c, route{permission: models.PermissionScaleIn})
	e.Actor, e.Roles = k.identity.Subject, append(e.Roles, k.roles...)
	claims, err := s.Reservations.Reservations(c.Request.Context(), service, &k.at)
	if err != nil {
		return models.Unavailable("reservations", err)
	}
	freeze := slices.ContainsFunc(claims, func(r models.Reservation) bool { return r.Kind == models.ReservationFreeze && r.ActiveAt(k.at) })
	e.Context["changeFreeze"], e.Context["service"] = strconv.FormatBool(freeze), string(service)
	v := access.Verdict{Decision: models.AuditAllow, Rule: ruleRBACDisabled}
	if s.RBAC {
		v = s.Policies.Policy().Check(access.Request{
			Subject: k.identity.Subject, Roles: k.roles, Permission: models.PermissionScaleIn, Object: e.Object, ChangeFreeze: freeze,
		})
	}
	e.Rule, e.Decision = v.Rule, v.Decision
	if err := s.commit(c.Request.Context(), e); err != nil {
		return models.Unavailable("audit", err)
	}
	if !v.Allowed() {
		return &models.Error{Kind: models.KindForbidden, Rule: "This needs " + string(models.PermissionScaleIn) + ": " + v.Rule + "."}
	}
	return nil
}

// onWeddingDay looks at the very wedding that the route names, as the coordinator sees
// it: another one's wedding is as good as none.
func (s *server) onWeddingDay(c *gin.Context, k *call) (bool, error) {
	w, err := s.asCoordinator(c, k)
	if err != nil || w.ID == "" {
		return false, err
	}
	return access.OnWeddingDay([]models.Wedding{w}, k.identity.Subject, k.at), nil
}

// ownWedding says whether the caller coordinates the wedding that the route names.
func (s *server) ownWedding(c *gin.Context, k *call) (bool, error) {
	w, err := s.asCoordinator(c, k)
	return err == nil && w.ID != "" && access.IsSubject(k.identity.Subject) && w.Coordinator == k.identity.Subject, err
}

// asCoordinator reads the wedding of the path as its coordinator sees it; the zero Wedding
// where there is none.
func (s *server) asCoordinator(c *gin.Context, k *call) (models.Wedding, error) {
	if len(s.pathErrors(c)) > 0 {
		return models.Wedding{}, nil // no wedding has such an ID
	}
	ctx := models.WithScope(c.Request.Context(), models.Scope{Role: models.ScopeCoordinator, Subject: k.identity.Subject})
	w, err := s.Weddings.Wedding(ctx, c.Param("id"))
	if models.KindOf(err) == models.KindNotFound {
		return models.Wedding{}, nil
	}
	return w, err
}

// scope is under which name storage works for a caller: the highest of their roles.
func (s *server) scope(k *call) models.Scope {
	sc := models.Scope{Subject: k.identity.Subject}
	if !s.RBAC {
		sc.Role = models.ScopeAdmin
		return sc
	}
	if k.own {
		sc.Role = models.ScopeCoordinator
		return sc
	}
	for _, o := range []struct {
		held models.Role
		as   models.ScopeRole
	}{
		{models.RoleAdmin, models.ScopeAdmin}, {models.RoleOperator, models.ScopeOperator},
		{models.RoleViewer, models.ScopeViewer}, {models.RoleCoordinator, models.ScopeCoordinator},
		{models.RoleMetricsWriter, models.ScopeIngest},
	} {
		if slices.Contains(k.roles, o.held) {
			sc.Role = o.as
			return sc
		}
	}
	return sc
}
