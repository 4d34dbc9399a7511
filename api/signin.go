package api

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wedsync/scalability/models"
)

// The way of a browser that signs in. Nothing here needs a token; who got in, who did
// not and who left is audited.
const (
	signInPath   = "/auth/sign-in"
	callbackPath = "/auth/callback"
	signOutPath  = "/auth/sign-out"
	sessionPath  = "/auth/session"

	actionSignIn  = "sign_in"
	actionSignOut = "sign_out"
)

func (s *server) registerSignIn(e *gin.Engine) {
	e.GET(signInPath, s.beginSignIn)
	e.GET(callbackPath, s.finishSignIn)
	e.POST(signOutPath, s.signOut)
	e.GET(sessionPath, s.showSession)
}

// browserCookie is a cookie that no script reads. Over https its name has the prefix that
// keeps other hosts of the domain from setting it.
func (s *server) browserCookie(name, value string, same http.SameSite, expires time.Time) *http.Cookie {
	c := &http.Cookie{ //nolint:gosec // Secure wherever the site is https; on loopback there is none
		Name: s.cookieName(name), Value: value, Path: "/", HttpOnly: true, SameSite: same, Expires: expires,
		Secure: strings.HasPrefix(s.SiteURL, "https://"),
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

func (s *server) cookieName(name string) string {
	if strings.HasPrefix(s.SiteURL, "https://") {
		return "__Host-wedsync-" + name
	}
	return "wedsync-" + name
}

const (
	sessionCookie = "session"
	attemptCookie = "attempt"
)

func (s *server) cookie(c *gin.Context, name string) string {
	found, err := c.Request.Cookie(s.cookieName(name))
	if err != nil {
		return ""
	}
	return found.Value
}

// beginSignIn sends the browser to the provider.
func (s *server) beginSignIn(c *gin.Context) {
	if s.SignIn == nil {
		s.fail(c, &httpError{status: http.StatusNotFound, detail: "No OpenID Connect provider is configured here: use a bearer token."})
		return
	}
	if err := s.throttleSignIn(c); err != nil {
		s.fail(c, err)
		return
	}
	a, err := s.SignIn.Begin(c.Request.Context(), c.Query("returnTo"))
	if err != nil {
		s.fail(c, err)
		return
	}
	// Lax: the provider's answer comes from another site.
	http.SetCookie(c.Writer, s.browserCookie(attemptCookie, a.Cookie, http.SameSiteLaxMode, a.ExpiresAt))
	c.Redirect(http.StatusFound, a.URL)
}

// finishSignIn takes the browser back from the provider and gives it a session, once that
// is on record.
func (s *server) finishSignIn(c *gin.Context) {
	if s.SignIn == nil {
		s.fail(c, &httpError{status: http.StatusNotFound, detail: "No OpenID Connect provider is configured here."})
		return
	}
	e := s.entry(c, route{})
	e.Action, e.Object = actionSignIn, http.MethodGet+" "+callbackPath // the query holds the code
	http.SetCookie(c.Writer, s.browserCookie(attemptCookie, "", http.SameSiteLaxMode, time.Time{}))
	in, err := s.comeBack(c)
	var refusal *models.Error
	switch {
	case err == nil:
		e.Actor, e.Decision, e.Rule = in.Identity.Subject, models.AuditAllow, "openid connect"
		e.Context[models.ContextTokenID] = cut(in.Identity.TokenID, 100)
	case errors.As(err, &refusal):
		e.Rule = refusal.Rule
		noteRefusal(&e, refusal)
	}
	if kept := s.commit(c.Request.Context(), e); kept != nil {
		s.fail(c, models.Unavailable("audit", kept))
		return
	}
	if err != nil {
		s.Log.WarnContext(c.Request.Context(), "sign-in failed", "requestId", callOf(c).requestID, "error", err)
		c.Redirect(http.StatusFound, dashboardPath+"?signIn="+url.QueryEscape(e.Rule))
		return
	}
	// Strict: no other site makes a browser use it.
	http.SetCookie(c.Writer, s.browserCookie(sessionCookie, in.Cookie, http.SameSiteStrictMode, in.Identity.ExpiresAt))
	c.Redirect(http.StatusFound, in.ReturnTo)
}

func (s *server) comeBack(c *gin.Context) (models.SignedIn, error) {
	if err := s.throttleSignIn(c); err != nil {
		return models.SignedIn{}, err
	}
	if refused := c.Query("error"); refused != "" {
		return models.SignedIn{}, &models.Error{Kind: models.KindUnauthorised, Rule: "provider", Err: errors.New(cut(refused, 60))}
	}
	return s.SignIn.Finish(c.Request.Context(), s.cookie(c, attemptCookie), c.Query("state"), c.Query("code"))
}

// throttleSignIn bounds attempts by address, whoever they are for.
func (s *server) throttleSignIn(c *gin.Context) error {
	q, err := s.Limiter.Take(c.Request.Context(), "sign-in:"+source(s.remoteIP(c)), s.SignInLimit, s.RateWindow)
	if err != nil {
		return models.Unavailable("rate limit", err)
	}
	if q.Allowed {
		return nil
	}
	s.quotaHeaders(c, q)
	return s.exhausted(c, q, &models.AuditEntry{})
}

// signOut ends the session of this browser, everywhere.
func (s *server) signOut(c *gin.Context) {
	if s.sameOrigin.Check(c.Request) != nil {
		c.Status(http.StatusNoContent) // another site signs nobody out, not even of this browser
		return
	}
	id, err := s.session(c)
	http.SetCookie(c.Writer, s.browserCookie(sessionCookie, "", http.SameSiteStrictMode, time.Time{}))
	if err != nil {
		c.Status(http.StatusNoContent) // there was none to end
		return
	}
	e := s.entry(c, route{})
	e.Actor, e.Action, e.Decision, e.Rule = id.Subject, actionSignOut, models.AuditAllow, "own session"
	e.Context[models.ContextTokenID] = cut(id.TokenID, 100)
	if err := s.commit(c.Request.Context(), e); err != nil {
		s.fail(c, models.Unavailable("audit", err))
		return
	}
	ctx := models.WithScope(c.Request.Context(), models.Scope{Role: models.ScopeSystem, Subject: id.Subject})
	err = s.Accounts.Revoke(ctx, models.Revocation{
		ID: newID(), TokenID: id.TokenID, Reason: "signed out", CreatedBy: id.Subject, CreatedAt: callOf(c).at, Until: id.ExpiresAt.Add(time.Minute),
	})
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

// sessionState tells the dashboard how to sign in, and who has.
type sessionState struct {
	SignIn    bool       `json:"signIn"` // a provider is configured
	Subject   string     `json:"subject,omitempty"`
	ExpiresAt *time.Time `json:"expiresAt,omitempty"`
}

func (s *server) showSession(c *gin.Context) {
	state := sessionState{SignIn: s.SignIn != nil}
	if id, err := s.session(c); err == nil {
		state.Subject, state.ExpiresAt = id.Subject, &id.ExpiresAt
	}
	c.JSON(http.StatusOK, state)
}

// session is who a browser has signed in as. A request that another site made does not
// count, whatever cookie came with it.
func (s *server) session(c *gin.Context) (models.Identity, error) {
	cookie := s.cookie(c, sessionCookie)
	if cookie == "" || s.SignIn == nil {
		return models.Identity{}, &models.Error{Kind: models.KindUnauthorised, Rule: "missing"}
	}
	if err := s.sameOrigin.Check(c.Request); err != nil {
		return models.Identity{}, &models.Error{Kind: models.KindUnauthorised, Rule: "cross_origin", Err: err}
	}
	return s.Auth.Session(c.Request.Context(), cookie)
}
