package authn_test

import (
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/authn"
	"github.com/wedsync/scalability/models"
)

const (
	issuer   = "https://id.wedsync.example"
	audience = "wedsync-scalability"
)

var (
	now    = time.Date(2027, 6, 12, 12, 0, 0, 0, time.UTC)
	secret = []byte("a shared secret of more than 32 bytes, for tests")
)

func verifier(t *testing.T) *authn.Verifier {
	t.Helper()
	v, err := authn.New(authn.Options{Secret: secret, Issuer: issuer, Audience: audience, Now: func() time.Time { return now }})
	require.NoError(t, err)
	t.Cleanup(v.Close)
	return v
}

// good is a token body that is accepted; with changes one thing of it.
func good() jwt.MapClaims {
	return jwt.MapClaims{
		"sub": "ada", "iss": issuer, "aud": audience, "jti": "t1",
		"iat": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix(),
	}
}

func with(change map[string]any) jwt.MapClaims {
	c := good()
	maps.Copy(c, change)
	return c
}

func without(name string) jwt.MapClaims {
	c := good()
	delete(c, name)
	return c
}

func signed(t testing.TB, method jwt.SigningMethod, key any, header map[string]any, c jwt.Claims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, c)
	maps.Copy(token.Header, header)
	s, err := token.SignedString(key)
	require.NoError(t, err)
	return s
}

func hs256(t testing.TB, c jwt.Claims) string {
	return signed(t, jwt.SigningMethodHS256, secret, nil, c)
}

func TestVerifyAccepts(t *testing.T) {
	cases := map[string]struct {
		claims jwt.MapClaims
		want   models.Identity
	}{
		"a user": {good(), models.Identity{Subject: "user:ada", Kind: "user", TokenID: "t1", ExpiresAt: now.Add(time.Hour)}},
		"a user by kind": {with(map[string]any{"kind": "user"}),
			models.Identity{Subject: "user:ada", Kind: "user", TokenID: "t1", ExpiresAt: now.Add(time.Hour)}},
		"a service": {with(map[string]any{"kind": "service", "sub": "reporter"}),
			models.Identity{Subject: "svc:reporter", Kind: "service", TokenID: "t1", ExpiresAt: now.Add(time.Hour)}},
		"one audience of several": {with(map[string]any{"aud": []string{"other", audience}}),
			models.Identity{Subject: "user:ada", Kind: "user", TokenID: "t1", ExpiresAt: now.Add(time.Hour)}},
		"a subject that looks like a role stays a user": {with(map[string]any{"sub": "role:scalability_admin"}),
			models.Identity{Subject: "user:role:scalability_admin", Kind: "user", TokenID: "t1", ExpiresAt: now.Add(time.Hour)}},
		"a subject that looks like a service stays a user": {with(map[string]any{"sub": "svc:reporter"}),
			models.Identity{Subject: "user:svc:reporter", Kind: "user", TokenID: "t1", ExpiresAt: now.Add(time.Hour)}},
		"a role claim is carried as claimed": {with(map[string]any{"role": "scalability_admin"}),
			models.Identity{Subject: "user:ada", Kind: "user", TokenID: "t1", ExpiresAt: now.Add(time.Hour), ClaimedRole: "scalability_admin"}},
		"a role claim of another form too": {with(map[string]any{"role": []string{"a", "b"}}),
			models.Identity{Subject: "user:ada", Kind: "user", TokenID: "t1", ExpiresAt: now.Add(time.Hour), ClaimedRole: `["a","b"]`}},
		"expired within the leeway": {with(map[string]any{"exp": now.Add(-29 * time.Second).Unix()}),
			models.Identity{Subject: "user:ada", Kind: "user", TokenID: "t1", ExpiresAt: now.Add(-29 * time.Second)}},
		"issued by a clock that is ahead within the leeway": {with(map[string]any{"iat": now.Add(29 * time.Second).Unix()}),
			models.Identity{Subject: "user:ada", Kind: "user", TokenID: "t1", ExpiresAt: now.Add(time.Hour)}},
	}
	v := verifier(t)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for _, scheme := range []string{"", "Bearer ", "bearer  "} {
				got, err := v.Verify(t.Context(), scheme+hs256(t, c.claims))
				require.NoError(t, err)
				want := c.want
				want.IssuedAt = time.Unix(c.claims["iat"].(int64), 0).UTC()
				assert.Equal(t, want, got)
			}
		})
	}
}

func TestVerifyRefuses(t *testing.T) {
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(hs256(t, good()), ".")[1] + "."
	head, rest, _ := strings.Cut(hs256(t, good()), ".")
	body, signature, _ := strings.Cut(rest, ".")
	otherBody := strings.Split(hs256(t, with(map[string]any{"sub": "eve"})), ".")[1]
	cases := map[string]struct {
		bearer string
		want   authn.Reason
	}{
		"nothing":                         {"", authn.ReasonMissing},
		"only the scheme":                 {"Bearer ", authn.ReasonMissing},
		"only blanks":                     {"   ", authn.ReasonMissing},
		"another scheme":                  {"Basic YWRhOnB3", authn.ReasonMalformed},
		"both dots missing":               {head + body + signature, authn.ReasonMalformed},
		"one dot missing":                 {head + "." + body + signature, authn.ReasonMalformed},
		"a dot too many":                  {head + "." + body + "." + signature + ".", authn.ReasonMalformed},
		"only dots":                       {"..", authn.ReasonMalformed},
		"not base64":                      {"!." + body + "." + signature, authn.ReasonMalformed},
		"header is no JSON":               {"eA." + body + "." + signature, authn.ReasonMalformed},
		"exp is a word":                   {hs256(t, with(map[string]any{"exp": "soon"})), authn.ReasonMalformed},
		"exp is missing":                  {hs256(t, without("exp")), authn.ReasonMalformed},
		"exp is null":                     {hs256(t, with(map[string]any{"exp": nil})), authn.ReasonMalformed},
		"exp is beyond calendars":         {hs256(t, with(map[string]any{"exp": 9e14})), authn.ReasonMalformed},
		"jti is too long":                 {hs256(t, with(map[string]any{"jti": strings.Repeat("j", 256)})), authn.ReasonMalformed},
		"critical extension":              {signed(t, jwt.SigningMethodHS256, secret, map[string]any{"crit": []string{"b64"}, "b64": false}, good()), authn.ReasonMalformed},
		"expired":                         {hs256(t, with(map[string]any{"exp": now.Add(-30 * time.Second).Unix()})), authn.ReasonExpired},
		"issued in the future":            {hs256(t, with(map[string]any{"iat": now.Add(31 * time.Second).Unix()})), authn.ReasonNotYetValid},
		"valid in the future":             {hs256(t, with(map[string]any{"nbf": now.Add(31 * time.Second).Unix()})), authn.ReasonNotYetValid},
		"algorithm none":                  {unsigned, authn.ReasonAlgorithm},
		"algorithm none with a signature": {unsigned + signature, authn.ReasonAlgorithm},
		"algorithm HS512":                 {signed(t, jwt.SigningMethodHS512, secret, nil, good()), authn.ReasonAlgorithm},
		"algorithm unknown":               {base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"hs256"}`)) + "." + body + "." + signature, authn.ReasonAlgorithm},
		"algorithm missing":               {base64.RawURLEncoding.EncodeToString([]byte(`{}`)) + "." + body + "." + signature, authn.ReasonAlgorithm},
		"issuer of somebody else":         {hs256(t, with(map[string]any{"iss": "https://evil.example"})), authn.ReasonIssuer},
		"issuer with a suffix":            {hs256(t, with(map[string]any{"iss": issuer + ".evil.example"})), authn.ReasonIssuer},
		"issuer missing":                  {hs256(t, without("iss")), authn.ReasonIssuer},
		"audience of others":              {hs256(t, with(map[string]any{"aud": []string{"billing"}})), authn.ReasonAudience},
		"audience missing":                {hs256(t, without("aud")), authn.ReasonAudience},
		"audience empty":                  {hs256(t, with(map[string]any{"aud": []string{}})), authn.ReasonAudience},
		"another secret":                  {signed(t, jwt.SigningMethodHS256, []byte("another secret of more than thirty-two bytes"), nil, good()), authn.ReasonSignature},
		"empty secret":                    {signed(t, jwt.SigningMethodHS256, []byte{}, nil, good()), authn.ReasonSignature},
		"signature missing":               {head + "." + body + ".", authn.ReasonSignature},
		"body exchanged":                  {head + "." + otherBody + "." + signature, authn.ReasonSignature},
		"key id is a path":                {signed(t, jwt.SigningMethodHS256, secret, map[string]any{"kid": "../../dev/null"}, good()), authn.ReasonSignature},
		"key id is a query":               {signed(t, jwt.SigningMethodHS256, secret, map[string]any{"kid": "x' UNION SELECT 'k"}, good()), authn.ReasonSignature},
		"key id is a number":              {signed(t, jwt.SigningMethodHS256, secret, map[string]any{"kid": 1}, good()), authn.ReasonSignature},
		"key set of its own":              {signed(t, jwt.SigningMethodHS256, secret, map[string]any{"jku": "https://evil.example/jwks"}, good()), authn.ReasonSignature},
		"key of its own":                  {signed(t, jwt.SigningMethodHS256, secret, map[string]any{"jwk": map[string]any{"kty": "oct"}}, good()), authn.ReasonSignature},
		"just over the size":              {strings.Repeat("a", authn.MaxTokenBytes+1), authn.ReasonOversized},
		"far over the size":               {"Bearer " + strings.Repeat("a.", 1<<20), authn.ReasonOversized},
		"signed but oversized":            {hs256(t, with(map[string]any{"pad": strings.Repeat("p", authn.MaxTokenBytes)})), authn.ReasonOversized},
		"subject missing":                 {hs256(t, without("sub")), authn.ReasonSubject},
		"subject empty":                   {hs256(t, with(map[string]any{"sub": ""})), authn.ReasonSubject},
		"subject too long":                {hs256(t, with(map[string]any{"sub": strings.Repeat("s", 256)})), authn.ReasonSubject},
		"subject breaks the line":         {hs256(t, with(map[string]any{"sub": "ada\nadmin"})), authn.ReasonSubject},
		"subject looks like another":      {hs256(t, with(map[string]any{"sub": "аda"})), authn.ReasonSubject},
		"kind unknown":                    {hs256(t, with(map[string]any{"kind": "role"})), authn.ReasonSubject},
	}
	v := verifier(t)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := v.Verify(t.Context(), c.bearer)
			require.Error(t, err)
			assert.Equal(t, c.want, authn.ReasonOf(err), err.Error())
			assert.Equal(t, models.KindUnauthorised, models.KindOf(err))
			assert.Zero(t, got)
			if len(c.bearer) > 40 {
				assert.NotContains(t, err.Error(), c.bearer, "an error never shows the token")
				assert.NotContains(t, err.Error(), signature)
			}
		})
	}
}

func TestAnExpiredForgeryIsAForgery(t *testing.T) {
	token := signed(t, jwt.SigningMethodHS256, []byte("another secret of more than thirty-two bytes"), nil,
		with(map[string]any{"exp": now.Add(-time.Hour).Unix()}))
	_, err := verifier(t).Verify(t.Context(), token)
	assert.Equal(t, authn.ReasonSignature, authn.ReasonOf(err), "claims are not read before the signature holds")
}

func TestTheTokenOfLargestSizeIsRead(t *testing.T) {
	pad := 0
	for {
		token := hs256(t, with(map[string]any{"pad": strings.Repeat("p", pad)}))
		if len(token) > authn.MaxTokenBytes-4 {
			_, err := verifier(t).Verify(t.Context(), "Bearer "+token)
			require.NoError(t, err)
			return
		}
		pad += max(1, (authn.MaxTokenBytes-len(token))*3/4-8)
	}
}

func TestNewRefuses(t *testing.T) {
	cases := map[string]authn.Options{
		"no key source":     {Issuer: issuer, Audience: audience},
		"two key sources":   {Secret: secret, JWKSURL: "https://id.example/jwks", Issuer: issuer, Audience: audience},
		"a short secret":    {Secret: secret[:31], Issuer: issuer, Audience: audience},
		"no issuer":         {Secret: secret, Audience: audience},
		"no audience":       {Secret: secret, Issuer: issuer},
		"a negative leeway": {Secret: secret, Issuer: issuer, Audience: audience, Leeway: -1},
		"no address":        {JWKSURL: "jwks", Issuer: issuer, Audience: audience},
	}
	for name, o := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := authn.New(o)
			require.Error(t, err)
			assert.NotContains(t, err.Error(), string(secret[:31]))
		})
	}
}

func TestReasonOf(t *testing.T) {
	assert.Equal(t, authn.ReasonNone, authn.ReasonOf(nil))
	assert.Equal(t, authn.ReasonNone, authn.ReasonOf(errors.New("x")))
	assert.Equal(t, authn.ReasonNone, authn.ReasonOf(models.Invalid("a", "b", "expired")))
}

func TestIssueAndVerifyAgree(t *testing.T) {
	v := verifier(t)
	claims := authn.Claims{Subject: "reporter", Kind: authn.KindService, Issuer: issuer, Audience: audience,
		Role: "metrics_writer", IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
	first, err := authn.Issue(secret, claims)
	require.NoError(t, err)
	got, err := v.Verify(t.Context(), first)
	require.NoError(t, err)
	assert.Equal(t, "svc:reporter", got.Subject)
	assert.Equal(t, "metrics_writer", got.ClaimedRole)
	assert.Equal(t, now.Add(time.Hour), got.ExpiresAt)
	assert.NotEmpty(t, got.TokenID)

	second, err := authn.Issue(secret, claims)
	require.NoError(t, err)
	other, err := v.Verify(t.Context(), second)
	require.NoError(t, err)
	assert.NotEqual(t, got.TokenID, other.TokenID)
}

func TestIssueRefuses(t *testing.T) {
	fine := authn.Claims{Subject: "ada", Issuer: issuer, Audience: audience, IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
	cases := map[string]struct {
		secret []byte
		change func(*authn.Claims)
	}{
		"a short secret":         {secret[:31], func(*authn.Claims) {}},
		"no subject":             {secret, func(c *authn.Claims) { c.Subject = "" }},
		"an unknown kind":        {secret, func(c *authn.Claims) { c.Kind = "robot" }},
		"no issuer":              {secret, func(c *authn.Claims) { c.Issuer = "" }},
		"no audience":            {secret, func(c *authn.Claims) { c.Audience = "" }},
		"an expiry at the issue": {secret, func(c *authn.Claims) { c.ExpiresAt = c.IssuedAt }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			claims := fine
			c.change(&claims)
			_, err := authn.Issue(c.secret, claims)
			require.Error(t, err)
		})
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(hs256(f, good()))
	f.Add("Bearer " + hs256(f, with(map[string]any{"role": map[string]any{"a": 1}})))
	f.Add("..")
	f.Add(signed(f, jwt.SigningMethodHS256, secret, map[string]any{"kid": nil}, good()))
	v, err := authn.New(authn.Options{Secret: secret, Issuer: issuer, Audience: audience, Now: func() time.Time { return now }})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, bearer string) {
		checkAnswer(t, v, bearer)
		// The same bytes as a body that is signed: what claims can do.
		method := jwt.SigningMethodHS256
		text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(bearer))
		signature, err := method.Sign(text, secret)
		require.NoError(t, err)
		checkAnswer(t, v, text+"."+base64.RawURLEncoding.EncodeToString(signature))
	})
}

// checkAnswer holds what is true of every answer.
func checkAnswer(t *testing.T, v *authn.Verifier, bearer string) {
	id, err := v.Verify(context.Background(), bearer)
	if err != nil {
		assert.NotEqual(t, authn.ReasonNone, authn.ReasonOf(err), "a refusal has a reason")
		assert.Zero(t, id)
		return
	}
	assert.Regexp(t, `^(user|svc):[!-~]{1,255}$`, id.Subject)
	assert.False(t, id.ExpiresAt.Before(now.Add(-authn.DefaultLeeway)))
	_, err = id.ExpiresAt.MarshalJSON()
	assert.NoError(t, err)
}
