package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/authn"
	"github.com/wedsync/scalability/models"
)

func TestAnAttemptToGainMoreThanOneHasIsRefusedAndRecorded(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	for name, r := range map[string]request{
		"a role for oneself":         {method: "POST", path: base + "/access/bindings", body: `{"subject":"user:admin","role":"scalability_operator","reason":"for myself"}`},
		"taking one's own role":      {method: "POST", path: base + "/access/bindings/revoke", body: `{"subject":"user:admin","role":"scalability_admin","reason":"for myself"}`},
		"a policy that gives more":   {method: "POST", path: base + "/access/policies", body: `{"text":"p, role:scalability_admin, *, scalability:*, any, allow","reason":"no freeze for me"}`},
		"deciding on one's own idea": {method: "POST", path: base + "/access/policies/" + ownPolicy + "/approve", body: `{"reason":"my own idea"}`},
	} {
		t.Run(name, func(t *testing.T) {
			p.reset()
			r.as = "admin"
			rec := send(t, h, r)
			assert.Equal(t, http.StatusForbidden, rec.Code, rec.Body)
			entries := p.entries()
			require.Len(t, entries, 2, "the call, and the attempt")
			assert.Equal(t, models.AuditAllow, entries[0].Decision)
			assert.Equal(t, models.AuditDeny, entries[1].Decision)
			assert.Equal(t, "privilege escalation", entries[1].Rule)
			assert.NotEmpty(t, entries[1].Context["attempt"])
			for _, change := range []string{"GrantRole", "RevokeRole", "ProposePolicy"} {
				assert.NotContains(t, p.calls, change)
			}
		})
	}
}

// Whoever made a service account's key could with it approve their own policy, or give
// themselves a role.
func TestAProgramChangesNobodysRights(t *testing.T) {
	p := newPlatform()
	p.grants["svc:robot"] = []models.Role{models.RoleAdmin}
	h := p.handler(t)
	robot := http.Header{"Authorization": {"Bearer " + token(t, "robot", func(c *authn.Claims) { c.Kind = authn.KindService })}}
	all := samples(t)
	for route, port := range map[string]string{
		"POST /access/bindings": "GrantRole", "POST /access/bindings/revoke": "RevokeRole", "POST /access/policies": "ProposePolicy",
		"POST /access/policies/:id/approve": "DecidePolicy", "POST /access/policies/:id/reject": "DecidePolicy",
		"POST /service-accounts": "CreateServiceAccount", "POST /service-accounts/:name/keys": "AddServiceKey",
	} {
		t.Run(route, func(t *testing.T) {
			p.reset()
			p.grants["svc:robot"] = []models.Role{models.RoleAdmin}
			rec := send(t, h, request{method: http.MethodPost, path: base + all[route].path, body: all[route].body, header: robot})
			require.Equal(t, http.StatusForbidden, rec.Code, rec.Body)
			assert.Contains(t, rec.Body.String(), "not by service accounts")
			assert.False(t, p.called(port))
			entries := p.entries()
			require.Len(t, entries, 2, "the call, and the attempt")
			assert.Equal(t, models.RulePrivilegeEscalation, entries[1].Rule)
			assert.Equal(t, "svc:robot", entries[1].Actor)
		})
	}
	rec := send(t, h, request{method: http.MethodPost, path: base + "/revocations", body: all["POST /revocations"].body, header: robot})
	assert.Equal(t, http.StatusCreated, rec.Code, "ending a token is a program's to do")
}

func TestAPolicyIsJudgedAgainWhenItIsApproved(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	for id, c := range map[string]struct {
		code    int
		says    string
		entries int
	}{
		"unfrozen": {http.StatusForbidden, "scalability:scale_in", 2},
		"locked":   {http.StatusConflict, "nobody could change the rules again", 1},
		"outdated": {http.StatusConflict, "scalability:gone", 1},
	} {
		p.reset()
		rec := send(t, h, request{method: http.MethodPost, path: base + "/access/policies/" + id + "/approve", as: "admin", body: `{"reason":"a look"}`})
		assert.Equal(t, c.code, rec.Code, "%s: %s", id, rec.Body)
		assert.Contains(t, rec.Body.String(), c.says, id)
		assert.Len(t, p.entries(), c.entries, id)
		assert.False(t, p.called("DecidePolicy"), id)
		rec = send(t, h, request{method: http.MethodPost, path: base + "/access/policies/" + id + "/reject", as: "admin", body: `{"reason":"a look"}`})
		assert.Equal(t, http.StatusOK, rec.Code, "a policy that cannot be in force can be rejected: %s", rec.Body)
	}
}

func TestAProposalThatWouldDoHarmIsRefused(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	for text, says := range map[string]string{
		"p, role:scalability_viewer, *, scalability:read, any, allow": "nobody could change the rules again",
		strings.Replace(aPolicy, "scale_in", "manage", 1):             "is looked at for scalability:scale_in alone",
	} {
		p.reset()
		rec := send(t, h, request{method: http.MethodPost, path: base + "/access/policies", as: "admin", body: `{"text":"` + text + `","reason":"an audit"}`})
		assert.Equal(t, http.StatusBadRequest, rec.Code, rec.Body)
		assert.Contains(t, rec.Body.String(), says)
		assert.False(t, p.called("ProposePolicy"))
	}
}

func TestARoleIsNotGivenForThePast(t *testing.T) {
	p := newPlatform()
	rec := send(t, p.handler(t), request{method: http.MethodPost, path: base + "/access/bindings", as: "admin",
		body: `{"subject":"user:new","role":"scalability_viewer","reason":"joins","validFrom":"2027-01-01T00:00:00Z"}`})
	require.Equal(t, http.StatusCreated, rec.Code, rec.Body)
	b, ok := p.last.(models.Binding)
	require.True(t, ok)
	assert.Equal(t, noon, b.ValidFrom)
}

func TestAPolicyThatIsNotWholeIsRefusedWithEveryFault(t *testing.T) {
	p := newPlatform()
	rec := send(t, p.handler(t), request{method: "POST", path: base + "/access/policies", as: "admin",
		body: `{"text":"p, role:nobody, *, scalability:read, any, allow\np, role:scalability_viewer, *, scalability:read, any, alow","reason":"a typo"}`})
	assert.Equal(t, http.StatusBadRequest, rec.Code)
	assert.Contains(t, rec.Body.String(), "role:nobody")
	assert.Contains(t, rec.Body.String(), "alow")
	assert.NotContains(t, p.calls, "ProposePolicy")
}

func TestAProposalShowsWhatItWouldHaveAnsweredOtherwise(t *testing.T) {
	p := newPlatform()
	out := get[policyReview](t, p.handler(t), request{path: base + "/access/policies/p1", as: "admin"}, http.StatusOK)
	assert.Equal(t, int64(42), out.ReplayedCalls)
	require.Len(t, out.Replayed, 1)
	assert.Equal(t, int64(12), out.Replayed[0].Count, "viewers would read no more")
	assert.Equal(t, models.AuditDeny, out.Replayed[0].Would)
}

// second cannot keep the second entry of a call.
type second struct {
	Auditor
	kept int
}

func (s *second) Record(ctx context.Context, e models.AuditEntry) error {
	if s.kept++; s.kept%2 == 0 {
		return errors.New("disk full")
	}
	return s.Auditor.Record(ctx, e)
}

func TestInAChangeFreezeNobodyTakesCapacityAway(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	ask := request{method: "POST", path: base + "/reservations", as: "admin",
		body: `{"service":"api","kind":"cap","replicas":2,"until":"` + later + `","reason":"too many"}`}
	rec := send(t, h, ask)
	require.Equal(t, http.StatusCreated, rec.Code, rec.Body)
	p.claims = []models.Reservation{{ID: "f1", Service: models.ServiceAPI, Kind: models.ReservationFreeze, From: noon.Add(-time.Hour), Until: noon.Add(time.Hour)}}
	rec = send(t, h, ask)
	assert.Equal(t, http.StatusForbidden, rec.Code)
	assert.Contains(t, rec.Body.String(), "change_freeze")
	entries := p.entries()
	last := entries[len(entries)-1]
	assert.Equal(t, string(models.PermissionScaleIn), last.Action)
	assert.Equal(t, models.AuditDeny, last.Decision)
	assert.Equal(t, "true", last.Context["changeFreeze"])
	p.claims = nil
	unrecorded := p.handler(t, func(c *Config) { c.Audit = &second{Auditor: p} })
	assert.Equal(t, http.StatusServiceUnavailable, send(t, unrecorded, ask).Code, "a judgement that is not on record is none")
	p.claims = []models.Reservation{{ID: "f1", Service: models.ServiceAPI, Kind: models.ReservationFreeze, From: noon.Add(-time.Hour), Until: noon.Add(time.Hour)}}
	ask.body = strings.Replace(ask.body, `"kind":"cap","replicas":2`, `"kind":"floor","replicas":4`, 1)
	assert.Equal(t, http.StatusCreated, send(t, h, ask).Code, "more capacity is nobody's harm")
}
