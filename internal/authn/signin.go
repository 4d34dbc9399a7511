package authn

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/wedsync/scalability/models"
)

// Bounds of a browser's way through the provider.
const (
	attemptLife     = 10 * time.Minute
	providerTimeout = 5 * time.Second
	maxCodeBytes    = 4 << 10
)

// SignInOptions say which OpenID Connect provider signs people in.
type SignInOptions struct {
	Issuer       string // discovery is at <issuer>/.well-known/openid-configuration
	ClientID     string
	ClientSecret string // empty: a public client, protected by PKCE alone
	RedirectURL  string // …/auth/callback of this site
	Sessions     *Sessions
	Now          func() time.Time // nil: time.Now
}

// SignIn signs browsers in by the authorization code flow with PKCE (RFC 6749, RFC 7636,
// OpenID Connect Core 1.0). The provider is asked for its addresses and keys at the first
// sign-in, and again as long as it does not answer.
type SignIn struct {
	o      SignInOptions
	client *http.Client

	mu       sync.Mutex
	provider *oidc.Provider
}

// attempt is what a browser must bring back from the provider.
type attempt struct {
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	ReturnTo string    `json:"returnTo"`
	Expires  time.Time `json:"expires"`
}

// NewSignIn makes a SignIn.
func NewSignIn(o SignInOptions) *SignIn {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &SignIn{o: o, client: keysClient()}
}

// Begin gives the provider's page for a browser, and what the browser keeps meanwhile.
func (s *SignIn) Begin(ctx context.Context, returnTo string) (models.SignInAttempt, error) {
	conf, _, err := s.discovered(ctx)
	if err != nil {
		return models.SignInAttempt{}, err
	}
	// The verifiers of RFC 7636 have 256 random bits: enough for a state and a nonce too.
	a := attempt{
		State: oauth2.GenerateVerifier(), Nonce: oauth2.GenerateVerifier(), Verifier: oauth2.GenerateVerifier(),
		ReturnTo: localPath(returnTo), Expires: s.o.Now().Add(attemptLife),
	}
	cookie, err := s.o.Sessions.put(a)
	if err != nil {
		return models.SignInAttempt{}, fmt.Errorf("authn.Begin: %w", err)
	}
	return models.SignInAttempt{
		URL:    conf.AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)),
		Cookie: cookie, ExpiresAt: a.Expires,
	}, nil
}

// Finish exchanges the code that a browser brought back, checks the provider's word and
// makes a session. A refusal is KindUnauthorised with its Reason.
func (s *SignIn) Finish(ctx context.Context, cookie, state, code string) (models.SignedIn, error) {
	var a attempt
	switch err := s.o.Sessions.take(cookie, &a); {
	case err != nil || !s.o.Now().Before(a.Expires):
		return models.SignedIn{}, refuse(ReasonState, errors.New("the sign-in was not begun in this browser, or more than ten minutes ago"))
	case subtle.ConstantTimeCompare([]byte(state), []byte(a.State)) != 1:
		return models.SignedIn{}, refuse(ReasonState, errors.New("the provider's answer belongs to another sign-in"))
	case code == "" || len(code) > maxCodeBytes:
		return models.SignedIn{}, refuse(ReasonMalformed, errors.New("the provider gave no code"))
	}
	subject, err := s.exchange(ctx, a, code)
	if err != nil {
		return models.SignedIn{}, err
	}
	session, id, err := s.o.Sessions.Issue(ctx, subject)
	if err != nil {
		return models.SignedIn{}, fmt.Errorf("authn.Finish: %w", err)
	}
	return models.SignedIn{Identity: id, Cookie: session, ReturnTo: a.ReturnTo}, nil
}

// exchange gives the subject of the ID token that a code is good for.
func (s *SignIn) exchange(ctx context.Context, a attempt, code string) (string, error) {
	conf, verifier, err := s.discovered(ctx)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, s.client), providerTimeout)
	defer cancel()
	tokens, err := conf.Exchange(ctx, code, oauth2.VerifierOption(a.Verifier))
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused):
		return "", refuse(ReasonProvider, fmt.Errorf("the provider refuses the code: %.60q", refused.ErrorCode))
	case err != nil:
		return "", models.Unavailable("authn.SignIn", errors.New("the provider does not answer"))
	}
	raw, ok := tokens.Extra("id_token").(string)
	if !ok {
		return "", refuse(ReasonProvider, errors.New("the provider gave no ID token"))
	}
	if len(raw) > MaxTokenBytes {
		return "", refuse(ReasonOversized, errors.New("the provider's ID token is too large"))
	}
	token, err := verifier.Verify(ctx, raw)
	if err != nil {
		return "", refuse(ReasonSignature, fmt.Errorf("the provider's ID token does not hold: %w", err))
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(a.Nonce)) != 1 {
		return "", refuse(ReasonState, errors.New("the provider's ID token belongs to another sign-in"))
	}
	if !nameable(token.Subject) {
		return "", refuse(ReasonSubject, fmt.Errorf("sub must be 1 to %d visible ASCII characters", maxSubjectBytes))
	}
	return "user:" + token.Subject, nil
}

// discovered gives the provider's addresses and the check of its tokens.
func (s *SignIn) discovered(ctx context.Context) (*oauth2.Config, *oidc.IDTokenVerifier, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.provider == nil {
		// The provider keeps the context for its later fetches of keys: it must not end.
		found, err := discover(oidc.ClientContext(context.WithoutCancel(ctx), s.client), s.o.Issuer)
		if err != nil {
			return nil, nil, models.Unavailable("authn.SignIn", errors.New("the OpenID Connect provider cannot be reached"))
		}
		s.provider = found
	}
	conf := &oauth2.Config{
		ClientID: s.o.ClientID, ClientSecret: s.o.ClientSecret, RedirectURL: s.o.RedirectURL,
		Endpoint: s.provider.Endpoint(), Scopes: []string{oidc.ScopeOpenID},
	}
	return conf, s.provider.Verifier(&oidc.Config{
		ClientID: s.o.ClientID, Now: s.o.Now, SupportedSigningAlgs: []string{"EdDSA", "ES256", "RS256"},
	}), nil
}

func discover(ctx context.Context, issuer string) (*oidc.Provider, error) {
	return oidc.NewProvider(ctx, issuer)
}

// localPath is where a browser goes on: a path of this site and nothing else.
func localPath(p string) string {
	const start = "/dashboard/scalability"
	if !strings.HasPrefix(p, start) || strings.ContainsAny(p, "\\\r\n\t") || strings.Contains(p, "//") || len(p) > 500 {
		return start
	}
	return p
}

// DiscoverKeys gives the address of a provider's key set.
func DiscoverKeys(ctx context.Context, issuer string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, providerTimeout)
	defer cancel()
	p, err := discover(oidc.ClientContext(ctx, keysClient()), issuer)
	if err != nil {
		return "", fmt.Errorf("authn.DiscoverKeys: %w", err)
	}
	var found struct {
		Keys string `json:"jwks_uri"`
	}
	if err := p.Claims(&found); err != nil || found.Keys == "" {
		return "", errors.New("authn.DiscoverKeys: the provider names no key set")
	}
	return found.Keys, nil
}
