package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/authn"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/access"
)

// sample is a good call of a guarded route, and the port behind it.
type sample struct {
	path string
	body string
	want int
	port string
}

const later = "2027-06-12T16:00:00Z"

// samples has one good call for each guarded route.
func samples(t testing.TB) map[string]sample {
	t.Helper()
	svc := mustJSON(t, models.DefaultServices("fleet")[0])
	wed := mustJSON(t, newPlatform().weds[0])
	input := `{"reference":"r","timeZone":"Europe/London","startsAt":"2027-07-01T12:00:00Z","endsAt":"2027-07-01T20:00:00Z","guests":10,"status":"confirmed"}`
	reason := `{"reason":"a rehearsal"}`
	all := calendarSamples()
	maps.Copy(all, map[string]sample{
		"GET /status":                              {"/status?includeDatabase=true&includeScaling=true", "", 200, "Services"},
		"GET /metrics/realtime":                    {"/metrics/realtime", "", 200, "Latest"},
		"POST /metrics":                            {"/metrics", batch(`{"service":"api","metric":"cpu","value":0.5,"timestamp":"2027-06-12T12:00:00Z"}`), 202, "Ingest"},
		"GET /decisions":                           {"/decisions?limit=5&outcome=open&service=api&since=2027-06-01T00:00:00Z", "", 200, "Decisions"},
		"GET /decisions/:id":                       {"/decisions/" + decision, "", 200, "Decision"},
		"POST /decisions/:id/approve":              {"/decisions/" + decision + "/approve", reason, 200, "Approve"},
		"POST /decisions/:id/reject":               {"/decisions/" + decision + "/reject", reason, 200, "Reject"},
		"POST /decisions/preview":                  {"/decisions/preview", `{"service":"api","changes":{"rps":900}}`, 200, "Preview"},
		"GET /audit":                               {"/audit?decision=deny&actor=user:anna&action=change.*&limit=3", "", 200, "AuditEntries"},
		"GET /security/alerts":                     {"/security/alerts?severity=critical&rule=spray&since=2027-06-12T00:00:00Z&limit=3", "", 200, "SecurityAlerts"},
		"POST /security/alerts/:id/acknowledge":    {"/security/alerts/a1/acknowledge", `{"note":"a rehearsal"}`, 200, "AcknowledgeAlert"},
		"GET /savings":                             {"/savings?since=2027-06-11T00:00:00Z", "", 200, "Savings"},
		"POST /predictions":                        {"/predictions", `{}`, 200, "Predict"},
		"GET /predictions/accuracy":                {"/predictions/accuracy?service=media&days=14", "", 200, "Accuracy"},
		"GET /services":                            {"/services", "", 200, "Services"},
		"GET /services/:service":                   {"/services/search", "", 200, "Service"},
		"PUT /services/:service":                   {"/services/api", svc, 200, "UpdateService"},
		"GET /services/:service/explanation":       {"/services/api/explanation", "", 200, "ScalingStates"},
		"GET /services/:service/evaluations":       {"/services/api/evaluations?limit=5&since=2027-06-11T00:00:00Z", "", 200, "Evaluations"},
		"POST /services/:service/scale":            {"/services/api/scale", `{"replicas":5,"reason":"a rehearsal"}`, 202, "RequestScale"},
		"POST /services/:service/pause":            {"/services/api/pause", reason, 200, "Control"},
		"POST /services/:service/resume":           {"/services/api/resume", reason, 200, "Control"},
		"POST /services/:service/override":         {"/services/api/override", `{"kind":"freeze","until":"` + later + `","reason":"a move"}`, 200, "Control"},
		"GET /weddings":                            {"/weddings?limit=5", "", 200, "Weddings"},
		"POST /weddings":                           {"/weddings", input, 201, "CreateWedding"},
		"GET /weddings/:id":                        {"/weddings/" + wedding, "", 200, "Wedding"},
		"PUT /weddings/:id":                        {"/weddings/" + wedding, wed, 200, "UpdateWedding"},
		"POST /weddings/:id/priority":              {"/weddings/" + wedding + "/priority", `{"replicas":5,"reason":"they come"}`, 201, "CreateReservation"},
		"GET /reservations":                        {"/reservations?service=api&active=true", "", 200, "Reservations"},
		"POST /reservations":                       {"/reservations", `{"service":"api","kind":"floor","replicas":4,"until":"` + later + `","reason":"a rehearsal"}`, 201, "CreateReservation"},
		"GET /reservations/:id":                    {"/reservations/r1", "", 200, "Reservation"},
		"DELETE /reservations/:id":                 {"/reservations/r1", "", 200, "EndReservation"},
		"GET /workflows":                           {"/workflows?kind=autoscale&open=true", "", 200, "Workflows"},
		"POST /workflows":                          {"/workflows", `{"kind":"maintenance","job":"reconcile"}`, 202, "StartWorkflow"},
		"GET /workflows/:id":                       {"/workflows/autoscale%2Fapi", "", 200, "Workflow"},
		"POST /workflows/:id/signal":               {"/workflows/autoscale%2Fapi/signal", `{"signal":"spike","payload":{"service":"api","rps":900,"reason":"announced"}}`, 202, "SignalWorkflow"},
		"POST /workflows/:id/cancel":               {"/workflows/scale%2Fapi%2Fx/cancel", reason, 202, "CancelWorkflow"},
		"GET /predictions/days":                    {"/predictions/days?from=2027-06-01T00:00:00Z&until=2027-07-01T00:00:00Z", "", 200, "Days"},
		"GET /predictions/hours":                   {"/predictions/hours?service=media&from=2027-06-12T00:00:00Z&until=2027-06-13T00:00:00Z", "", 200, "Hours"},
		"GET /services/:service/timeline":          {"/services/api/timeline?from=2027-06-12T00:00:00Z&until=2027-06-13T00:00:00Z", "", 200, "Timeline"},
		"GET /access/explain":                      {"/access/explain?subject=user:anna&permission=scalability:read", "", 200, "Explain"},
		"GET /access/bindings":                     {"/access/bindings", "", 200, "Bindings"},
		"POST /access/bindings":                    {"/access/bindings", `{"subject":"user:new","role":"scalability_viewer","reason":"joins the team"}`, 201, "GrantRole"},
		"POST /access/bindings/revoke":             {"/access/bindings/revoke", `{"subject":"user:new","role":"scalability_viewer","reason":"leaves the team"}`, 204, "RevokeRole"},
		"GET /access/policies":                     {"/access/policies", "", 200, "AccessPolicies"},
		"POST /access/policies":                    {"/access/policies", `{"text":"` + aPolicy + `","reason":"an audit"}`, 201, "ProposePolicy"},
		"GET /access/policies/:id":                 {"/access/policies/p1", "", 200, "AccessPolicy"},
		"POST /access/policies/:id/approve":        {"/access/policies/p1/approve", reason, 200, "DecidePolicy"},
		"POST /access/policies/:id/reject":         {"/access/policies/p1/reject", reason, 200, "DecidePolicy"},
		"GET /service-accounts":                    {"/service-accounts", "", 200, "ServiceAccounts"},
		"POST /service-accounts":                   {"/service-accounts", `{"name":"collector","description":"delivers metrics"}`, 201, "CreateServiceAccount"},
		"POST /service-accounts/:name/keys":        {"/service-accounts/collector/keys", `{}`, 201, "AddServiceKey"},
		"DELETE /service-accounts/:name/keys/:key": {"/service-accounts/collector/keys/k1", "", 200, "RevokeServiceKey"},
		"GET /revocations":                         {"/revocations", "", 200, "Revocations"},
		"POST /revocations":                        {"/revocations", `{"subject":"user:anna","reason":"a lost laptop"}`, 201, "Revoke"},
		"POST /payloads/decode":                    {"/payloads/decode", `{"payloads":[{"data":"eA=="}]}`, 200, "OpenPayloads"},
	})
	return all
}

// visit calls f for each guarded route with its good call.
func visit(t *testing.T, f func(t *testing.T, r route, s sample)) {
	t.Helper()
	all := samples(t)
	maps.Copy(all, weddingDaySamples())
	maps.Copy(all, seasonSamples())
	for _, r := range routes() {
		if r.public {
			continue
		}
		name := r.method + " " + strings.TrimPrefix(r.path, base)
		s, ok := all[name]
		require.True(t, ok, "no sample for %s", name)
		s.path = base + s.path
		f(t, r, s)
	}
}

// mayUse is the guide's table of roles, written again by hand.
func mayUse(who string, p models.Permission) bool {
	switch who {
	case "admin":
		return true
	case "operator":
		return p == models.PermissionRead || p == models.PermissionMonitor || p == models.PermissionScaleStandard
	case "viewer", "coordinator on another day":
		return p == models.PermissionRead || p == models.PermissionMonitor
	case "coordinator on the day":
		return p == models.PermissionRead || p == models.PermissionMonitor || p == models.PermissionWeddingPriority
	case "metrics writer":
		return p == models.PermissionIngest
	default:
		return false
	}
}

func TestEveryRouteAnswersEveryCallerAsAgreedAndAuditsItOnce(t *testing.T) {
	subjects := map[string]string{
		"admin": "admin", "operator": "operator", "viewer": "viewer", "coordinator on the day": "coordinator",
		"coordinator on another day": "coordinator", "metrics writer": "writer", "nobody's roles": "stranger",
	}
	p := newPlatform()
	h := p.handler(t, func(c *Config) { c.LiveInterval = time.Nanosecond }) // each reads for itself
	visit(t, func(t *testing.T, r route, s sample) {
		for who, subject := range subjects {
			t.Run(r.key()+" as "+who, func(t *testing.T) {
				p.reset()
				if who == "coordinator on another day" {
					p.weds[0].StartsAt, p.weds[0].EndsAt = noon.Add(72*time.Hour), noon.Add(80*time.Hour)
				}
				rec := send(t, h, request{method: r.method, path: s.path, body: s.body, as: subject})
				want, verdict := http.StatusForbidden, models.AuditDeny
				if mayUse(who, r.permission) || r.own && subject == "coordinator" {
					want, verdict = s.want, models.AuditAllow
				}
				require.Equal(t, want, rec.Code, rec.Body.String())
				require.Len(t, p.entries(), 1)
				e := p.entries()[0]
				assert.Equal(t, verdict, e.Decision)
				assert.Equal(t, string(r.permission), e.Action)
				assert.Contains(t, e.Actor, ":"+subject)
				assert.NotEmpty(t, e.Rule)
				assert.NotEmpty(t, e.ID)
				assert.Equal(t, noon, e.At)
				assert.Equal(t, "192.0.2.1", e.RemoteIP)
				assert.Equal(t, rec.Header().Get("X-Request-Id"), e.RequestID)
				assert.Equal(t, r.method+" "+strings.SplitN(s.path, "?", 2)[0], e.Object)
				if want == http.StatusForbidden {
					problemOf(t, rec)
					assert.NotContains(t, p.scopes, s.port, "nothing behind the guard is touched")
				} else {
					assert.True(t, p.called(s.port), "%s is behind the route", s.port)
				}
			})
		}
	})
}

func TestEveryRouteRefusesBadTokensAndSaysWhyInTheAudit(t *testing.T) {
	sign := func(m jwt.SigningMethod, key any, change func(jwt.MapClaims)) string {
		c := jwt.MapClaims{"sub": "admin", "iss": issuer, "aud": audience, "iat": noon.Add(-time.Minute).Unix(), "exp": noon.Add(time.Hour).Unix()}
		if change != nil {
			change(c)
		}
		raw, err := jwt.NewWithClaims(m, c).SignedString(key)
		require.NoError(t, err)
		return "Bearer " + raw
	}
	bad := map[string]struct{ header, rule string }{
		"no token":       {"", "missing"},
		"expired":        {sign(jwt.SigningMethodHS256, []byte(secret), func(c jwt.MapClaims) { c["exp"] = noon.Add(-time.Hour).Unix() }), "expired"},
		"wrong alg":      {sign(jwt.SigningMethodHS512, []byte(secret), nil), "algorithm"},
		"no alg":         {sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil), "algorithm"},
		"wrong audience": {sign(jwt.SigningMethodHS256, []byte(secret), func(c jwt.MapClaims) { c["aud"] = "billing" }), "audience"},
		"wrong issuer":   {sign(jwt.SigningMethodHS256, []byte(secret), func(c jwt.MapClaims) { c["iss"] = "https://evil" }), "issuer"},
		"wrong secret":   {sign(jwt.SigningMethodHS256, []byte(strings.Repeat("x", 40)), nil), "signature"},
		"not a token":    {"Bearer abc", "malformed"},
		"basic":          {"Basic YWRtaW46YWRtaW4=", "malformed"},
	}
	p := newPlatform()
	handler := p.handler(t)
	visit(t, func(t *testing.T, r route, s sample) {
		for name, b := range bad {
			h := http.Header{}
			if b.header != "" {
				h.Set("Authorization", b.header)
			}
			p.reset()
			rec := send(t, handler, request{method: r.method, path: s.path, body: s.body, header: h})
			require.Equal(t, http.StatusUnauthorized, rec.Code, "%s with %s: %s", r.key(), name, rec.Body)
			assert.Contains(t, rec.Header().Get("WWW-Authenticate"), `Bearer realm="wedsync"`)
			problemOf(t, rec)
			require.Len(t, p.entries(), 1, "%s with %s", r.key(), name)
			e := p.entries()[0]
			assert.Equal(t, []any{"anonymous", models.AuditDeny, b.rule}, []any{e.Actor, e.Decision, e.Rule}, "%s with %s", r.key(), name)
			assert.Equal(t, map[string]int{"address:192.0.2.1": 1}, p.counts, "failures are counted by address")
		}
	})
}

// anew counts what is read anew, and has it say what it is told to.
type anew struct {
	Authenticator
	Policies
	p *platform
}

func (a anew) Recheck(ctx context.Context, _ models.Identity) error { return a.p.enter(ctx, "Recheck") }

func (a anew) Fresh(ctx context.Context) (*access.Policy, error) {
	return a.Policy(), a.p.enter(ctx, "Fresh")
}

func TestWhatIsRiskyIsJudgedByWhatHoldsNowAndTheRestByWhatHeldAMomentAgo(t *testing.T) {
	p := newPlatform()
	h := p.handler(t, func(c *Config) {
		a := anew{c.Auth, c.Policies, p}
		c.Auth, c.Policies = a, a
	})
	risky := 0
	visit(t, func(t *testing.T, r route, s sample) {
		p.reset()
		send(t, h, request{method: r.method, path: s.path, body: s.body, as: "admin"})
		is := r.permission == models.PermissionManage || r.permission == models.PermissionPolicy
		for _, read := range []string{"Recheck", "Fresh", "FreshGrants"} {
			assert.Equal(t, is, p.called(read), "%s: %s", r.key(), read)
		}
		if !is {
			return
		}
		risky++
		for read, want := range map[string]struct {
			err  error
			code int
		}{
			"Recheck":     {&models.Error{Kind: models.KindUnauthorised, Rule: "revoked"}, http.StatusUnauthorized},
			"Fresh":       {errors.New("postgres is away"), http.StatusServiceUnavailable},
			"FreshGrants": {errors.New("postgres is away"), http.StatusServiceUnavailable},
		} {
			p.reset()
			p.fails(read, want.err)
			rec := send(t, h, request{method: r.method, path: s.path, body: s.body, as: "admin"})
			assert.Equal(t, want.code, rec.Code, "%s without %s", r.key(), read)
			assert.False(t, p.called(s.port), "%s without %s", r.key(), read)
			require.Len(t, p.entries(), 1)
			assert.Equal(t, models.AuditDeny, p.entries()[0].Decision)
			assert.Equal(t, want.code == http.StatusUnauthorized, p.entries()[0].Rule == ruleRevoked)
		}
	})
	assert.Greater(t, risky, 20)
}

func TestWithoutAnAuditEntryNothingHappens(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	visit(t, func(t *testing.T, r route, s sample) {
		p.reset()
		p.fails("Record", errors.New("disk full at /var/lib/pg"))
		rec := send(t, h, request{method: r.method, path: s.path, body: s.body, as: "admin"})
		require.Equal(t, http.StatusServiceUnavailable, rec.Code, r.key())
		assert.NotEmpty(t, rec.Header().Get("Retry-After"))
		assert.NotContains(t, rec.Body.String(), "disk full", "the cause is nobody's business")
		assert.False(t, p.called(s.port), "%s was reached without an audit entry", s.port)
		rec = send(t, h, request{method: r.method, path: s.path, body: s.body})
		assert.Equal(t, http.StatusServiceUnavailable, rec.Code, "a denial that is not on record is not given either")
	})
}

func TestTheAuditEntryIsCommittedBeforeTheRouteIsServed(t *testing.T) {
	p := newPlatform()
	send(t, p.handler(t), request{path: base + "/services", as: "viewer"})
	assert.Equal(t, []string{"Take", "Grants", "Record", "Services"}, p.calls)
}

func TestAnAuditEntryIsKeptAlthoughTheCallerHasGone(t *testing.T) {
	p := newPlatform()
	req := httptest.NewRequestWithContext(canceled(t), http.MethodGet, base+"/services", nil)
	req.Header.Set("Authorization", "Bearer "+token(t, "viewer"))
	p.handler(t).ServeHTTP(httptest.NewRecorder(), req)
	assert.Len(t, p.entries(), 1)
}

func TestStorageWorksUnderTheHighestRoleOfTheCaller(t *testing.T) {
	for subject, want := range map[string]models.Scope{
		"admin":       {Role: models.ScopeAdmin, Subject: "user:admin"},
		"operator":    {Role: models.ScopeOperator, Subject: "user:operator"},
		"viewer":      {Role: models.ScopeViewer, Subject: "user:viewer"},
		"coordinator": {Role: models.ScopeCoordinator, Subject: "user:coordinator"},
		"both":        {Role: models.ScopeOperator, Subject: "user:both"},
	} {
		p := newPlatform()
		p.grants["user:both"] = []models.Role{models.RoleViewer, models.RoleOperator, models.RoleCoordinator}
		rec := send(t, p.handler(t), request{path: base + "/weddings", as: subject})
		require.Equal(t, 200, rec.Code)
		assert.Equal(t, want, p.scope("Weddings"))
	}
}

func TestACoordinatorHasPriorityForTheirOwnWeddingOnItsDayOnly(t *testing.T) {
	body := `{"replicas":5,"reason":"they come"}`
	cases := map[string]struct {
		as, id string
		starts time.Duration
		status models.WeddingStatus
		want   int
	}{
		"their own today":             {"coordinator", wedding, time.Hour, models.WeddingConfirmed, 201},
		"24 h before it":              {"coordinator", wedding, 24 * time.Hour, models.WeddingConfirmed, 201},
		"more than 24 h before it":    {"coordinator", wedding, 24*time.Hour + time.Minute, models.WeddingConfirmed, 403},
		"a cancelled one":             {"coordinator", wedding, time.Hour, models.WeddingCancelled, 403},
		"another's, on one's own day": {"coordinator", another, time.Hour, models.WeddingConfirmed, 403},
		"one that does not exist":     {"coordinator", "nope", time.Hour, models.WeddingConfirmed, 403},
		"an impossible id":            {"coordinator", "%00", time.Hour, models.WeddingConfirmed, 403},
		"another coordinator":         {"other", wedding, time.Hour, models.WeddingConfirmed, 403},
		"an admin for any":            {"admin", another, time.Hour, models.WeddingConfirmed, 201},
		"an operator for none":        {"operator", wedding, time.Hour, models.WeddingConfirmed, 403},
	}
	p := newPlatform()
	h := p.handler(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p.reset()
			p.weds[0].StartsAt, p.weds[0].EndsAt, p.weds[0].Status = noon.Add(tc.starts), noon.Add(tc.starts+8*time.Hour), tc.status
			rec := send(t, h, request{method: "POST", path: base + "/weddings/" + tc.id + "/priority", body: body, as: tc.as})
			require.Equal(t, tc.want, rec.Code, rec.Body.String())
			assert.Equal(t, tc.want == 201, p.called("CreateReservation"))
			require.Len(t, p.entries(), 1)
		})
	}
	t.Run("while weddings cannot be read nobody has it", func(t *testing.T) {
		p := newPlatform()
		p.fails("Wedding", models.Unavailable("store", errors.New("down")))
		rec := send(t, p.handler(t), request{method: "POST", path: base + "/weddings/" + wedding + "/priority", body: body, as: "coordinator"})
		require.Equal(t, 503, rec.Code)
		require.Len(t, p.entries(), 1)
		assert.Equal(t, ruleNoWeddings, p.entries()[0].Rule)
	})
}

func TestAQuotaIsCountedByCallerAndItsEndIsAudited(t *testing.T) {
	p := newPlatform()
	h := p.handler(t, func(c *Config) { c.RateLimit = 2 })
	for i, want := range []int{200, 200, 429, 429} {
		rec := send(t, h, request{path: base + "/services", as: "viewer"})
		require.Equal(t, want, rec.Code)
		head := rec.Header()
		assert.Equal(t, "2", head.Get("X-RateLimit-Limit"))
		assert.Equal(t, "60", head.Get("X-RateLimit-Window"))
		assert.Equal(t, `"default";q=2;w=60`, head.Get("RateLimit-Policy"))
		assert.Equal(t, fmt.Sprintf(`"default";r=%d;t=7`, max(0, 1-i)), head.Get("RateLimit"))
		if want == 429 {
			assert.Equal(t, "7", head.Get("Retry-After"))
			problemOf(t, rec)
			e := p.entries()[i]
			assert.Equal(t, []any{models.AuditDeny, "rate_limited", "user:viewer"}, []any{e.Decision, e.Rule, e.Actor})
		}
	}
	assert.Equal(t, 200, send(t, h, request{path: base + "/services", as: "operator"}).Code, "another caller has a quota of their own")
	assert.Equal(t, 202, send(t, h, request{method: "POST", path: base + "/metrics", body: samples(t)["POST /metrics"].body, as: "admin"}).Code)
	assert.Equal(t, map[string]int{"subject:user:viewer": 4, "subject:user:operator": 1, "ingest:user:admin": 1}, p.counts)
}

func TestGuessingTokensIsLimitedByAddressAndHurtsNobodyElse(t *testing.T) {
	p := newPlatform()
	h := p.handler(t, func(c *Config) { c.RateLimit = 2 })
	bad := http.Header{"Authorization": {"Bearer x"}, "X-Forwarded-For": {"203.0.113.9"}}
	for _, want := range []int{401, 401, 429} {
		require.Equal(t, want, send(t, h, request{path: base + "/services", header: bad}).Code)
	}
	assert.Equal(t, "rate_limited", p.entries()[2].Rule)
	assert.Equal(t, "192.0.2.1", p.entries()[2].RemoteIP, "a header does not name the address")
	assert.Equal(t, 200, send(t, h, request{path: base + "/services", as: "viewer"}).Code)
}

func TestWhatTheGuardNeedsAndCannotReadIsATemporaryRefusalOnRecord(t *testing.T) {
	for method, rule := range map[string]string{"Grants": ruleNoRoles, "Take": ruleNoLimiter} {
		p := newPlatform()
		p.fails(method, errors.New("connection refused to 10.0.0.7"))
		rec := send(t, p.handler(t), request{path: base + "/services", as: "viewer"})
		require.Equal(t, 503, rec.Code)
		assert.NotContains(t, rec.Body.String(), "10.0.0.7")
		assert.Equal(t, rule, p.entries()[0].Rule)
		assert.False(t, p.called("Services"))
	}
}

func TestTwoCredentialsInOneCallAreNone(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	good := "Bearer " + token(t, "admin")
	for name, both := range map[string][]string{"a good and a bad one": {good, "Bearer x"}, "a bad and a good one": {"Bearer x", good}, "the same twice": {good, good}} {
		p.reset()
		rec := send(t, h, request{path: base + "/services", header: http.Header{"Authorization": both}})
		assert.Equal(t, http.StatusUnauthorized, rec.Code, name)
		require.Len(t, p.entries(), 1)
		assert.Equal(t, anonymous, p.entries()[0].Actor, name)
	}
}

func TestWithoutRBACEverySignedInCallerMayDoEverythingOnRecord(t *testing.T) {
	p := newPlatform()
	h := p.handler(t, func(c *Config) { c.RBAC = false })
	rec := send(t, h, request{method: "PUT", path: base + "/services/api", body: samples(t)["PUT /services/:service"].body, as: "stranger"})
	require.Equal(t, 200, rec.Code, rec.Body.String())
	assert.Equal(t, []any{models.AuditAllow, "rbac disabled"}, []any{p.entries()[0].Decision, p.entries()[0].Rule})
	assert.Equal(t, models.ScopeAdmin, p.scope("UpdateService").Role)
	assert.Equal(t, 401, send(t, h, request{path: base + "/services"}).Code)
}

func TestARouteThatIsNotInTheTableIsDenied(t *testing.T) {
	p := newPlatform()
	c := p.config(t)
	s := &server{Config: c.withDefaults(), routes: map[string]route{}, suspects: newSuspects()}
	require.NoError(t, s.readSpecification())
	require.NoError(t, s.loadPages())
	s.read, s.live = &reader{Config: c}, newHub(time.Second, s.snapshot)
	rec := send(t, s.engine(), request{path: base + "/services", as: "admin"})
	require.Equal(t, 403, rec.Code)
	assert.Equal(t, ruleNoRoute, p.entries()[0].Rule)
	assert.Equal(t, 403, send(t, s.engine(), request{path: base + "/health", as: "admin"}).Code)
}

func TestAClaimedRoleThatIsNotHeldIsDeniedAndOneOfOthersIsRecorded(t *testing.T) {
	for claimed, code := range map[string]int{"scalability_admin": 403, "scalability_viewer": 200, "authenticated": 200, `["x","scalability_operator"]`: 403} {
		p := newPlatform()
		raw := token(t, "viewer", func(c *authn.Claims) { c.Role = claimed })
		rec := send(t, p.handler(t), request{path: base + "/services/api", header: http.Header{"Authorization": {"Bearer " + raw}}})
		assert.Equal(t, code, rec.Code, claimed)
		e := p.entries()[0]
		assert.Equal(t, claimed, e.Context["claimedRole"])
		assert.Equal(t, code == 403, e.Rule == models.RuleRoleClaimMismatch, claimed)
	}
}
