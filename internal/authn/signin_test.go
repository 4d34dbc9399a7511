package authn_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/wedsync/scalability/internal/authn"
	"github.com/wedsync/scalability/models"
)

const clientID = "wedsync"

// idp is an OpenID Connect provider whose word a test forges. The real one is tried end to
// end.
type idp struct {
	t      *testing.T
	url    string
	keys   keyring
	set    *provider
	forge  func(c jwt.MapClaims) string // nil: the token as it should be
	status int
	asked  url.Values // what came with the code
}

func newIDP(t *testing.T) *idp {
	p := &idp{t: t, keys: newKeyring(t), set: newProvider(t), status: http.StatusOK}
	p.set.publish(t, p.keys.published()...)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": p.url, "authorization_endpoint": p.url + "/authorise", "token_endpoint": p.url + "/token", "jwks_uri": p.set.url,
			"id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"},
		})
	})
	mux.HandleFunc("POST /token", p.token)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func (p *idp) token(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	p.asked = r.PostForm
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(p.status)
	if p.status != http.StatusOK {
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
		return
	}
	c := jwt.MapClaims{
		"sub": "ada", "iss": p.url, "aud": clientID, "nonce": r.PostForm.Get("code"), // the test gives the nonce as code
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}
	forge := p.sign
	if p.forge != nil {
		forge = p.forge
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": forge(c)})
}

func (p *idp) sign(c jwt.MapClaims) string {
	return signed(p.t, jwt.SigningMethodRS256, p.keys.rsa, map[string]any{"kid": "rsa"}, c)
}

func (p *idp) signIn() (*authn.SignIn, *authn.Gate, *clock) {
	g, sessions, c := gate(p.t, &records{})
	return authn.NewSignIn(authn.SignInOptions{
		Issuer: p.url, ClientID: clientID, RedirectURL: "http://127.0.0.1/auth/callback", Sessions: sessions, Now: c.now,
	}), g, c
}

// begun is a browser on its way: what it keeps, and what the provider was told.
func begun(t *testing.T, s *authn.SignIn, returnTo string) (cookie string, sent url.Values) {
	t.Helper()
	a, err := s.Begin(t.Context(), returnTo)
	require.NoError(t, err)
	u, err := url.Parse(a.URL)
	require.NoError(t, err)
	return a.Cookie, u.Query()
}

func TestABrowserComesBackAsWhomTheProviderSays(t *testing.T) {
	p := newIDP(t)
	s, g, _ := p.signIn()
	cookie, sent := begun(t, s, "/dashboard/scalability/weddings?day=2027-06-12")
	assert.Equal(t, "S256", sent.Get("code_challenge_method"))
	assert.Equal(t, "openid", sent.Get("scope"))
	in, err := s.Finish(t.Context(), cookie, sent.Get("state"), sent.Get("nonce"))
	require.NoError(t, err)
	assert.Equal(t, "user:ada", in.Identity.Subject)
	assert.Equal(t, "/dashboard/scalability/weddings?day=2027-06-12", in.ReturnTo)
	assert.Equal(t, sent.Get("code_challenge"), oauth2.S256ChallengeFromVerifier(p.asked.Get("code_verifier")), "the code is of use to this browser alone")
	got, err := g.Session(t.Context(), in.Cookie)
	require.NoError(t, err)
	assert.Equal(t, in.Identity, got)
}

func TestWhatTheProviderDidNotSayLikeThatIsRefused(t *testing.T) {
	p := newIDP(t)
	s, _, _ := p.signIn()
	change := func(name string, v any) func(jwt.MapClaims) string {
		return func(c jwt.MapClaims) string { c[name] = v; return p.sign(c) }
	}
	for name, tc := range map[string]struct {
		forge func(jwt.MapClaims) string
		want  authn.Reason
	}{
		"another audience":            {change("aud", "billing"), authn.ReasonSignature},
		"another issuer":              {change("iss", "https://evil.example"), authn.ReasonSignature},
		"expired":                     {change("exp", now.Add(-time.Minute).Unix()), authn.ReasonSignature},
		"another nonce":               {change("nonce", "of another sign-in"), authn.ReasonState},
		"no nonce":                    {change("nonce", ""), authn.ReasonState},
		"an empty subject":            {change("sub", ""), authn.ReasonSubject},
		"a subject with a line break": {change("sub", "ada\nroot"), authn.ReasonSubject},
		"no signature": {func(c jwt.MapClaims) string {
			return signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, c)
		}, authn.ReasonSignature},
		"a key of its own": {func(c jwt.MapClaims) string {
			return signed(t, jwt.SigningMethodRS256, newKeyring(t).rsa, map[string]any{"kid": "rsa"}, c)
		}, authn.ReasonSignature},
		"the public key as a secret": {func(c jwt.MapClaims) string {
			return signed(t, jwt.SigningMethodHS256, pemOf(t, p.keys.rsa.Public()), map[string]any{"kid": "rsa"}, c)
		}, authn.ReasonSignature},
		"no token": {func(jwt.MapClaims) string { return "" }, authn.ReasonSignature},
	} {
		p.forge = tc.forge
		cookie, sent := begun(t, s, "")
		_, err := s.Finish(t.Context(), cookie, sent.Get("state"), sent.Get("nonce"))
		assert.Equal(t, tc.want, authn.ReasonOf(err), "%s: %v", name, err)
	}
	p.forge, p.status = nil, http.StatusBadRequest
	cookie, sent := begun(t, s, "")
	_, err := s.Finish(t.Context(), cookie, sent.Get("state"), sent.Get("nonce"))
	assert.Equal(t, authn.ReasonProvider, authn.ReasonOf(err))
}

func TestAnAnswerThatBelongsToAnotherBrowserIsRefused(t *testing.T) {
	p := newIDP(t)
	s, _, c := p.signIn()
	mine, sent := begun(t, s, "")
	theirs, other := begun(t, s, "")
	for name, cookie := range map[string]string{"another browser's": theirs, "none": "", "forged": mine + "A", "a session": "eyJhbGciOiJIUzI1NiJ9.e30.x"} {
		_, err := s.Finish(t.Context(), cookie, sent.Get("state"), sent.Get("nonce"))
		assert.Equal(t, authn.ReasonState, authn.ReasonOf(err), name)
	}
	for name, state := range map[string]string{"another browser's": other.Get("state"), "none": "", "one letter more": sent.Get("state") + "A"} {
		_, err := s.Finish(t.Context(), mine, state, sent.Get("nonce"))
		assert.Equal(t, authn.ReasonState, authn.ReasonOf(err), "a state of %s", name)
	}
	c.at = now.Add(11 * time.Minute)
	_, err := s.Finish(t.Context(), mine, sent.Get("state"), sent.Get("nonce"))
	assert.Equal(t, authn.ReasonState, authn.ReasonOf(err), "too late")
}

func TestABrowserReturnsToThisSiteAlone(t *testing.T) {
	p := newIDP(t)
	s, _, _ := p.signIn()
	for _, bad := range []string{"https://evil.example", "//evil.example", "/dashboard/scalability//evil.example", "/dashboard/scalability\\evil", "javascript:alert(1)", ""} {
		cookie, sent := begun(t, s, bad)
		in, err := s.Finish(t.Context(), cookie, sent.Get("state"), sent.Get("nonce"))
		require.NoError(t, err)
		assert.Equal(t, "/dashboard/scalability", in.ReturnTo, bad)
	}
}

func TestAProviderThatIsAwayIsUnavailableAndAskedAgain(t *testing.T) {
	p := newIDP(t)
	s := authn.NewSignIn(authn.SignInOptions{Issuer: "http://127.0.0.1:1", ClientID: clientID})
	_, err := s.Begin(t.Context(), "")
	assert.Equal(t, models.KindUnavailable, models.KindOf(err))
	_, err = authn.DiscoverKeys(t.Context(), "http://127.0.0.1:1")
	require.Error(t, err)
	found, err := authn.DiscoverKeys(t.Context(), p.url)
	require.NoError(t, err)
	assert.Equal(t, p.set.url, found)
}
