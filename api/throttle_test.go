package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// slowed is what is under attack in these tests, until a time.
type slowed struct {
	network, account string
	until            time.Time
}

func (s slowed) NetworkThrottle(_ context.Context, network string, now time.Time) time.Time {
	return s.of(s.network, network, now)
}

func (s slowed) AccountThrottle(_ context.Context, account string, now time.Time) time.Time {
	return s.of(s.account, account, now)
}

func (s slowed) of(mine, asked string, now time.Time) time.Time {
	if mine == "" || mine != asked || !now.Before(s.until) {
		return time.Time{}
	}
	return s.until
}

// forged is a token that says it is of somebody.
func forged(t testing.TB, subject string, header map[string]any) string {
	t.Helper()
	tok := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": subject, "iss": issuer, "aud": audience, "exp": noon.Add(time.Hour).Unix()})
	for k, v := range header {
		tok.Header[k] = v
	}
	raw, err := tok.SignedString([]byte(strings.Repeat("x", 40)))
	require.NoError(t, err)
	return raw
}

func withToken(t testing.TB, h http.Handler, token string) *httptest.ResponseRecorder {
	t.Helper()
	return send(t, h, request{path: base + "/services", header: http.Header{"Authorization": {"Bearer " + token}}})
}

func TestARefusedCallSaysOnRecordWhomItClaimedToBeAndGainsNothingByIt(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	rec := withToken(t, h, forged(t, "admin", map[string]any{"jku": "https://evil.example"}))
	require.Equal(t, http.StatusUnauthorized, rec.Code)
	assert.NotContains(t, rec.Body.String(), "admin")
	require.Len(t, p.audit, 1)
	got := p.audit[0]
	assert.Equal(t, "anonymous", got.Actor)
	assert.Equal(t, models.AuditDeny, got.Decision)
	assert.Empty(t, got.Roles)
	assert.Equal(t, "user:admin", got.Context[models.ContextClaimedSubject])
	assert.Equal(t, "own key", got.Context[models.ContextAbuse])
	assert.Equal(t, "signature", got.Context[models.ContextRefusal])
	assert.Zero(t, p.scope("Services"), "nothing was asked for")

	p.reset()
	withToken(t, h, forged(t, strings.Repeat("s", 5000), nil))
	assert.Empty(t, p.audit[0].Context[models.ContextClaimedSubject], "what cannot be a name is none")
}

func TestTheReasonStaysOnRecordWhenTheAddressHasUsedItsLimitUp(t *testing.T) {
	p := newPlatform()
	h := p.handler(t, func(c *Config) { c.RateLimit = 1 })
	withToken(t, h, forged(t, "anna", nil))
	rec := withToken(t, h, forged(t, "anna", nil))
	require.Equal(t, http.StatusTooManyRequests, rec.Code)
	assert.Equal(t, ruleRateLimited, p.audit[1].Rule)
	assert.Equal(t, "signature", p.audit[1].Context[models.ContextRefusal])
	assert.Equal(t, "user:anna", p.audit[1].Context[models.ContextClaimedSubject])
}

// took is how long a call waited, on a clock that stands while everybody works.
func took(do func()) time.Duration {
	began := time.Now()
	do()
	return time.Since(began)
}

func TestRefusedCallsForAnAccountUnderAttackWaitLongerEachTimeAndGoodOnesDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		h := p.handler(t, func(c *Config) { c.Throttles = slowed{account: "user:viewer", until: noon.Add(time.Minute)} })
		bad := forged(t, "viewer", nil)
		var waits []time.Duration
		for range 7 {
			waits = append(waits, took(func() { assert.Equal(t, http.StatusUnauthorized, withToken(t, h, bad).Code) }))
		}
		ms := time.Millisecond
		assert.Equal(t, []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 2000 * ms, 2000 * ms}, waits)
		assert.Zero(t, took(func() { assert.Equal(t, http.StatusOK, withToken(t, h, token(t, "viewer")).Code) }), "its owner is not locked out")
		assert.Zero(t, took(func() { withToken(t, h, forged(t, "other", nil)) }), "nor is anybody else slowed down")
		assert.Len(t, p.audit, 9)
	})
}

func TestACallerWhoHangsUpWaitsNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		h := p.handler(t, func(c *Config) { c.Throttles = slowed{account: "user:viewer", until: noon.Add(time.Minute)} })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		req := httptest.NewRequest(http.MethodGet, base+"/services", nil).WithContext(ctx)
		req.Header.Set("Authorization", "Bearer "+forged(t, "viewer", nil))
		assert.Zero(t, took(func() { h.ServeHTTP(httptest.NewRecorder(), req) }))
		assert.Len(t, p.audit, 1, "and is on record all the same")
	})
}

func TestANetworkUnderSuspicionIsHeardLittleAndThoseWhoWorkThereGoOn(t *testing.T) {
	p := newPlatform()
	// httptest calls come from 192.0.2.1.
	h := p.handler(t, func(c *Config) {
		c.RateLimit = 40
		c.Throttles = slowed{network: "192.0.2.0/24", until: noon.Add(time.Hour)}
	})
	known := token(t, "viewer")
	require.Equal(t, http.StatusOK, withToken(t, h, known).Code, "she works there")
	for i := range 4 {
		require.Equal(t, http.StatusUnauthorized, withToken(t, h, forged(t, "anna", nil)).Code, "try %d of a tenth of the limit", i+1)
	}
	rec := withToken(t, h, forged(t, "anna", nil))
	assert.Equal(t, http.StatusTooManyRequests, rec.Code)
	assert.NotEmpty(t, rec.Header().Get("Retry-After"))
	last := p.audit[len(p.audit)-1]
	assert.Equal(t, ruleThrottled, last.Rule)
	assert.Equal(t, models.AuditDeny, last.Decision)
	rec = withToken(t, h, token(t, "operator"))
	assert.Equal(t, http.StatusTooManyRequests, rec.Code, "a good credential that is new there is not looked at")
	assert.Equal(t, http.StatusOK, withToken(t, h, known).Code, "who worked there goes on")
}

func TestTheMemoryOfSuspectsIsBounded(t *testing.T) {
	s := newSuspects()
	for i := range 3 * suspectsMost {
		name := strings.Repeat("x", 1+i%50) + time.Duration(i).String()
		s.worked(name, noon)
		s.exhaust(name, noon)
		s.delay(name, noon)
	}
	assert.LessOrEqual(t, len(s.proven), suspectsMost)
	assert.LessOrEqual(t, len(s.exhausted), suspectsMost)
	assert.LessOrEqual(t, len(s.refused), suspectsMost)
}

func TestAlertsComePageByPageAndTheFilterReachesTheRecords(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	rec := send(t, h, request{path: base + "/security/alerts?severity=critical&rule=spray&since=2027-06-12T00:00:00Z&limit=1", as: "admin"})
	require.Equal(t, http.StatusOK, rec.Code, rec.Body.String())
	assert.Equal(t, models.ThreatFilter{Since: noon.Truncate(24 * time.Hour), Severity: models.ThreatCritical, Rule: models.ThreatSpray, Limit: 2}, p.last)
	assert.Contains(t, rec.Body.String(), `"nextCursor"`)
	for _, bad := range []string{"severity=bad", "rule=none", "limit=0", "since=today", "cursor=x"} {
		assert.Equal(t, http.StatusBadRequest, send(t, h, request{path: base + "/security/alerts?" + bad, as: "admin"}).Code, bad)
	}
	rec = send(t, h, request{method: http.MethodPost, path: base + "/security/alerts/a1/acknowledge", body: `{"note":"a rehearsal"}`, as: "admin"})
	require.Equal(t, http.StatusOK, rec.Code, rec.Body.String())
	assert.Equal(t, models.Acknowledgement{ID: "a1", Actor: "user:admin", Note: "a rehearsal", At: noon}, p.last)
	assert.Equal(t, http.StatusBadRequest, send(t, h, request{method: http.MethodPost, path: base + "/security/alerts/a1/acknowledge", body: `{"note":"x"}`, as: "admin"}).Code)
}
