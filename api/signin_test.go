package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// browse sends a request with cookies and without a token, as a page of an origin does.
func browse(t *testing.T, h http.Handler, r request, site string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
	t.Helper()
	if r.header == nil {
		r.header = http.Header{}
	}
	for _, c := range cookies {
		r.header.Add("Cookie", c.Name+"="+c.Value)
	}
	if site != "" {
		r.header.Set("Sec-Fetch-Site", site)
	}
	return send(t, h, r)
}

func cookieOf(t *testing.T, rec *httptest.ResponseRecorder, name string) *http.Cookie {
	t.Helper()
	for _, c := range rec.Result().Cookies() {
		if c.Name == name {
			return c
		}
	}
	require.Fail(t, "no cookie "+name, rec.Header())
	return nil
}

// signInBrowser gives a browser's session.
func signInBrowser(t *testing.T, h http.Handler) *http.Cookie {
	t.Helper()
	begun := browse(t, h, request{path: signInPath}, "none")
	require.Equal(t, http.StatusFound, begun.Code, begun.Body)
	assert.Equal(t, "https://id.example/authorise?state=s1", begun.Header().Get("Location"))
	attempt := cookieOf(t, begun, "wedsync-attempt")
	assert.Equal(t, http.SameSiteLaxMode, attempt.SameSite)
	back := browse(t, h, request{path: callbackPath + "?state=s1&code=good"}, "cross-site", attempt)
	require.Equal(t, http.StatusFound, back.Code, back.Body)
	assert.Equal(t, dashboardPath, back.Header().Get("Location"))
	assert.Equal(t, -1, cookieOf(t, back, "wedsync-attempt").MaxAge, "an attempt is used once")
	session := cookieOf(t, back, "wedsync-session")
	assert.True(t, session.HttpOnly)
	assert.Equal(t, http.SameSiteStrictMode, session.SameSite)
	return session
}

func TestABrowserSignsInAndItsSessionCounts(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	session := signInBrowser(t, h)
	entries := p.entries()
	require.Len(t, entries, 1)
	assert.Equal(t, actionSignIn, entries[0].Action)
	assert.Equal(t, "user:admin", entries[0].Actor)
	assert.Equal(t, models.AuditAllow, entries[0].Decision)
	assert.NotContains(t, entries[0].Object, "good", "the code is nobody's to read")

	rec := browse(t, h, request{path: base + "/services"}, "same-origin", session)
	assert.Equal(t, http.StatusOK, rec.Code, rec.Body)
	rec = browse(t, h, request{path: sessionPath}, "same-origin", session)
	assert.Contains(t, rec.Body.String(), `"subject":"user:admin"`)
	rec = browse(t, h, request{path: sessionPath}, "same-origin")
	assert.JSONEq(t, `{"signIn":true}`, rec.Body.String())
}

func TestAnotherSiteCannotUseASession(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	session := signInBrowser(t, h)
	change := request{method: http.MethodPost, path: base + "/services/api/pause", body: `{"reason":"a rehearsal"}`}
	for site, code := range map[string]int{"same-origin": http.StatusOK, "none": http.StatusOK, "cross-site": http.StatusUnauthorized, "same-site": http.StatusUnauthorized} {
		rec := browse(t, h, change, site, session)
		assert.Equal(t, code, rec.Code, "%s: %s", site, rec.Body)
	}
	change.header = http.Header{"Origin": {"https://evil.example"}}
	rec := browse(t, h, change, "", session)
	assert.Equal(t, http.StatusUnauthorized, rec.Code, "an old browser tells its origin alone")
}

func TestASessionIsNoBearerTokenAndTheReverse(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	session := signInBrowser(t, h)
	rec := browse(t, h, request{path: base + "/services", header: http.Header{"Authorization": {"Bearer " + session.Value}}}, "")
	assert.Equal(t, http.StatusUnauthorized, rec.Code)
	rec = browse(t, h, request{path: base + "/services"}, "same-origin", &http.Cookie{Name: "wedsync-session", Value: token(t, "admin")})
	assert.Equal(t, http.StatusUnauthorized, rec.Code)
}

func TestASignInThatWasNotBegunHereIsRefusedOnRecord(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	for name, path := range map[string]string{
		"another state": "?state=s2&code=good", "no code": "?state=s1", "the provider refuses": "?error=access_denied&state=s1",
	} {
		p.reset()
		rec := browse(t, h, request{path: callbackPath + path}, "cross-site", &http.Cookie{Name: "wedsync-attempt", Value: "sealed"})
		assert.Equal(t, http.StatusFound, rec.Code, name)
		assert.True(t, strings.HasPrefix(rec.Header().Get("Location"), dashboardPath+"?signIn="), name)
		require.Len(t, p.entries(), 1, name)
		assert.Equal(t, models.AuditDeny, p.entries()[0].Decision, name)
	}
}

func TestSigningOutEndsTheSessionEverywhere(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	session := signInBrowser(t, h)
	rec := browse(t, h, request{method: http.MethodPost, path: signOutPath}, "cross-site", session)
	assert.Equal(t, http.StatusNoContent, rec.Code)
	assert.NotContains(t, p.calls, "Revoke", "another site signs nobody out")
	assert.Empty(t, rec.Result().Cookies(), "and takes no cookie away")
	rec = browse(t, h, request{method: http.MethodPost, path: signOutPath}, "same-origin", session)
	assert.Equal(t, http.StatusNoContent, rec.Code)
	assert.Contains(t, p.calls, "Revoke")
	r, ok := p.last.(models.Revocation)
	require.True(t, ok)
	assert.NotEmpty(t, r.TokenID)
	assert.Equal(t, -1, cookieOf(t, rec, "wedsync-session").MaxAge)
}

func TestWithoutAnAuditEntryNobodySignsInOrOut(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	session := signInBrowser(t, h)
	p.fails("Record", errors.New("disk full"))
	rec := browse(t, h, request{path: callbackPath + "?state=s1&code=good"}, "cross-site", &http.Cookie{Name: "wedsync-attempt", Value: "sealed"})
	assert.Equal(t, http.StatusServiceUnavailable, rec.Code)
	for _, c := range rec.Result().Cookies() {
		assert.NotEqual(t, "wedsync-session", c.Name, "a session that is not on record is none")
	}
	rec = browse(t, h, request{method: http.MethodPost, path: signOutPath}, "same-origin", session)
	assert.Equal(t, http.StatusServiceUnavailable, rec.Code)
	assert.NotContains(t, p.calls, "Revoke")
}

func TestOverHTTPSCookiesAreBoundToTheHost(t *testing.T) {
	h := newPlatform().handler(t, func(c *Config) { c.SiteURL = "https://wedsync.example" })
	attempt := cookieOf(t, browse(t, h, request{path: signInPath}, "none"), "__Host-wedsync-attempt")
	assert.True(t, attempt.Secure)
	assert.Equal(t, "/", attempt.Path)
	assert.Empty(t, attempt.Domain)
}

func TestWithoutAProviderThereIsNoSignIn(t *testing.T) {
	h := newPlatform().handler(t, func(c *Config) { c.SignIn = nil })
	for _, path := range []string{signInPath, callbackPath} {
		assert.Equal(t, http.StatusNotFound, browse(t, h, request{path: path}, "none").Code)
	}
	assert.JSONEq(t, `{"signIn":false}`, browse(t, h, request{path: sessionPath}, "none").Body.String())
}

func TestSignInsAreLimitedByAddress(t *testing.T) {
	h := newPlatform().handler(t, func(c *Config) { c.SignInLimit = 3 })
	for range 3 {
		assert.Equal(t, http.StatusFound, browse(t, h, request{path: signInPath}, "none").Code)
	}
	rec := browse(t, h, request{path: signInPath}, "none")
	assert.Equal(t, http.StatusTooManyRequests, rec.Code)
	assert.NotEmpty(t, rec.Header().Get("Retry-After"))
}

func TestAServiceKeyIsShownOnceAndItsHashNever(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	rec := send(t, h, request{method: http.MethodPost, path: base + "/service-accounts/collector/keys", body: `{"validDays":30}`, as: "admin"})
	require.Equal(t, http.StatusCreated, rec.Code, rec.Body)
	k, ok := p.last.(models.ServiceKey)
	require.True(t, ok)
	assert.Contains(t, rec.Body.String(), "wsk_"+k.ID+"_")
	assert.Equal(t, noon.AddDate(0, 0, 30), k.ExpiresAt)
	assert.NotContains(t, send(t, h, request{path: base + "/service-accounts", as: "admin"}).Body.String(), "hidden")
}
