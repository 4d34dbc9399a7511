package authn_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/authn"
	"github.com/wedsync/scalability/models"
)

// provider is an identity provider's key endpoint.
type provider struct {
	url     string
	body    atomic.Pointer[[]byte]
	status  atomic.Int64
	fetches atomic.Int64
}

func newProvider(t *testing.T) *provider {
	p := &provider{}
	p.status.Store(http.StatusOK)
	p.publish(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.fetches.Add(1)
		w.WriteHeader(int(p.status.Load()))
		_, _ = w.Write(*p.body.Load())
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

type published struct {
	id  string
	key any
	use jwkset.USE
}

func (p *provider) publish(t *testing.T, keys ...published) {
	t.Helper()
	set := jwkset.JWKSMarshal{Keys: []jwkset.JWKMarshal{}}
	for _, k := range keys {
		jwk, err := jwkset.NewJWKFromKey(k.key, jwkset.JWKOptions{
			Marshal:  jwkset.JWKMarshalOptions{Private: true}, // also a symmetric key, as a careless provider would
			Metadata: jwkset.JWKMetadataOptions{KID: k.id, USE: k.use},
		})
		require.NoError(t, err)
		set.Keys = append(set.Keys, jwk.Marshal())
	}
	body, err := json.Marshal(set)
	require.NoError(t, err)
	p.body.Store(&body)
}

func (p *provider) verifier(t *testing.T) *authn.Verifier {
	t.Helper()
	v, err := authn.New(authn.Options{JWKSURL: p.url, Issuer: issuer, Audience: audience, Now: func() time.Time { return now }})
	require.NoError(t, err)
	t.Cleanup(v.Close)
	return v
}

type keyring struct {
	rsa     *rsa.PrivateKey
	ecdsa   *ecdsa.PrivateKey
	p384    *ecdsa.PrivateKey
	ed25519 ed25519.PrivateKey
	oct     []byte
}

func newKeyring(t *testing.T) keyring {
	t.Helper()
	var k keyring
	var err error
	k.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	k.ecdsa, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	k.p384, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	_, k.ed25519, err = ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	k.oct = bytes.Repeat([]byte("k"), 32)
	return k
}

func (k keyring) published() []published {
	return []published{
		{"rsa", k.rsa.Public(), jwkset.UseSig}, {"ecdsa", k.ecdsa.Public(), ""}, {"ed25519", k.ed25519.Public(), jwkset.UseSig},
		{"p384", k.p384.Public(), jwkset.UseSig}, {"encryption", k.ecdsa.Public(), jwkset.UseEnc}, {"oct", k.oct, jwkset.UseSig},
	}
}

func TestVerifyByKeySet(t *testing.T) {
	keys := newKeyring(t)
	p := newProvider(t)
	p.publish(t, keys.published()...)
	v := p.verifier(t)
	kid := func(id string) map[string]any { return map[string]any{"kid": id} }
	cases := map[string]struct {
		token string
		want  authn.Reason
	}{
		"RS256":                      {signed(t, jwt.SigningMethodRS256, keys.rsa, kid("rsa"), good()), authn.ReasonNone},
		"ES256":                      {signed(t, jwt.SigningMethodES256, keys.ecdsa, kid("ecdsa"), good()), authn.ReasonNone},
		"EdDSA":                      {signed(t, jwt.SigningMethodEdDSA, keys.ed25519, kid("ed25519"), good()), authn.ReasonNone},
		"RS512 is not listed":        {signed(t, jwt.SigningMethodRS512, keys.rsa, kid("rsa"), good()), authn.ReasonAlgorithm},
		"PS256 is not listed":        {signed(t, jwt.SigningMethodPS256, keys.rsa, kid("rsa"), good()), authn.ReasonAlgorithm},
		"ES384 is not listed":        {signed(t, jwt.SigningMethodES384, keys.p384, kid("p384"), good()), authn.ReasonAlgorithm},
		"none":                       {signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, kid("rsa"), good()), authn.ReasonAlgorithm},
		"HS256 by a published oct":   {signed(t, jwt.SigningMethodHS256, keys.oct, kid("oct"), good()), authn.ReasonAlgorithm},
		"HS256 by the public key":    {signed(t, jwt.SigningMethodHS256, pemOf(t, keys.rsa.Public()), kid("rsa"), good()), authn.ReasonAlgorithm},
		"no key id":                  {signed(t, jwt.SigningMethodRS256, keys.rsa, nil, good()), authn.ReasonSignature},
		"key id of another key":      {signed(t, jwt.SigningMethodES256, keys.ecdsa, kid("rsa"), good()), authn.ReasonSignature},
		"key id of a like key":       {signed(t, jwt.SigningMethodRS256, keys.rsa, kid("ecdsa"), good()), authn.ReasonSignature},
		"key id of encryption":       {signed(t, jwt.SigningMethodES256, keys.ecdsa, kid("encryption"), good()), authn.ReasonSignature},
		"key id is a list":           {signed(t, jwt.SigningMethodRS256, keys.rsa, map[string]any{"kid": []string{"rsa"}}, good()), authn.ReasonSignature},
		"key id is an address":       {signed(t, jwt.SigningMethodRS256, keys.rsa, kid("https://evil.example/k"), good()), authn.ReasonSignature},
		"key set of its own":         {signed(t, jwt.SigningMethodRS256, keys.rsa, map[string]any{"kid": "rsa", "jku": "https://evil.example"}, good()), authn.ReasonSignature},
		"claims are checked as well": {signed(t, jwt.SigningMethodRS256, keys.rsa, kid("rsa"), with(map[string]any{"aud": "billing"})), authn.ReasonAudience},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := v.Verify(t.Context(), c.token)
			assert.Equal(t, c.want, authn.ReasonOf(err))
			if c.want == authn.ReasonNone {
				require.NoError(t, err)
			} else {
				require.Error(t, err)
			}
		})
	}
	assert.LessOrEqual(t, p.fetches.Load(), int64(2), "unknown key ids do not make a stampede on the provider")
}

func TestASecretTokenIsRefusedWhereKeysCountAndTheReverse(t *testing.T) {
	keys := newKeyring(t)
	p := newProvider(t)
	p.publish(t, keys.published()...)
	_, err := p.verifier(t).Verify(t.Context(), hs256(t, good()))
	assert.Equal(t, authn.ReasonAlgorithm, authn.ReasonOf(err))
	_, err = verifier(t).Verify(t.Context(), signed(t, jwt.SigningMethodRS256, keys.rsa, nil, good()))
	assert.Equal(t, authn.ReasonAlgorithm, authn.ReasonOf(err))
}

func TestANewKeyIsFetchedWhenATokenNamesIt(t *testing.T) {
	keys := newKeyring(t)
	p := newProvider(t)
	p.publish(t, published{"old", keys.ed25519.Public(), jwkset.UseSig})
	v := p.verifier(t)
	p.publish(t, published{"new", keys.ecdsa.Public(), jwkset.UseSig})
	_, err := v.Verify(t.Context(), signed(t, jwt.SigningMethodES256, keys.ecdsa, map[string]any{"kid": "new"}, good()))
	require.NoError(t, err)
	_, err = v.Verify(t.Context(), signed(t, jwt.SigningMethodEdDSA, keys.ed25519, map[string]any{"kid": "old"}, good()))
	assert.Equal(t, authn.ReasonSignature, authn.ReasonOf(err), "a key that was withdrawn no longer counts")
}

// Whoever makes tokens up may have the provider asked once, and holds up nobody.
func TestUnknownKeyIDsMakeNoStampede(t *testing.T) {
	keys := newKeyring(t)
	p := newProvider(t)
	p.publish(t, keys.published()...)
	v := p.verifier(t)
	for i := range 200 {
		_, err := v.Verify(t.Context(), signed(t, jwt.SigningMethodEdDSA, keys.ed25519, map[string]any{"kid": fmt.Sprintf("k%d", i)}, good()))
		require.Equal(t, authn.ReasonSignature, authn.ReasonOf(err))
	}
	assert.LessOrEqual(t, p.fetches.Load(), int64(2))
	_, err := v.Verify(t.Context(), signed(t, jwt.SigningMethodRS256, keys.rsa, map[string]any{"kid": "rsa"}, good()))
	require.NoError(t, err, "known keys stay in use meanwhile")
}

// The provider's clock may be half a minute ahead of the one by which is revoked.
func TestATokenOfAClockThatIsAheadDoesNotOutliveARevocation(t *testing.T) {
	keys := newKeyring(t)
	p := newProvider(t)
	p.publish(t, keys.published()...)
	at := func(iat time.Time) models.Identity {
		id, err := p.verifier(t).Verify(t.Context(), signed(t, jwt.SigningMethodRS256, keys.rsa, map[string]any{"kid": "rsa"}, with(map[string]any{"iat": iat.Unix()})))
		require.NoError(t, err)
		return id
	}
	ahead := at(now.Add(29 * time.Second))
	assert.True(t, models.Revocation{Subject: ahead.Subject, CreatedAt: now}.Ends(ahead))
	fresh := at(now)
	assert.False(t, models.Revocation{Subject: fresh.Subject, CreatedAt: now.Add(-31 * time.Second)}.Ends(fresh), "whoever signs in later is let in")
}

func TestAKeySetIsReadToItsBound(t *testing.T) {
	keys := newKeyring(t)
	p := newProvider(t)
	p.publish(t, keys.published()...)
	padded := append(bytes.Repeat([]byte(" "), 1<<20), *p.body.Load()...)
	p.body.Store(&padded)
	var failures atomic.Int64
	v, err := authn.New(authn.Options{JWKSURL: p.url, Issuer: issuer, Audience: audience, Now: func() time.Time { return now }, OnKeysError: func(error) { failures.Add(1) }})
	require.NoError(t, err)
	t.Cleanup(v.Close)
	assert.Equal(t, int64(1), failures.Load())
	_, err = v.Verify(t.Context(), signed(t, jwt.SigningMethodRS256, keys.rsa, map[string]any{"kid": "rsa"}, good()))
	assert.Equal(t, models.KindUnavailable, models.KindOf(err))
}

func TestAProviderThatIsDownIsUnavailableAndNotARefusal(t *testing.T) {
	keys := newKeyring(t)
	p := newProvider(t)
	p.publish(t, keys.published()...)
	p.status.Store(http.StatusBadGateway)
	var failures atomic.Int64
	v, err := authn.New(authn.Options{JWKSURL: p.url, Issuer: issuer, Audience: audience,
		Now: func() time.Time { return now }, OnKeysError: func(error) { failures.Add(1) }})
	require.NoError(t, err, "the process starts without the provider")
	t.Cleanup(v.Close)
	assert.Equal(t, int64(1), failures.Load())

	p.status.Store(http.StatusServiceUnavailable)
	token := signed(t, jwt.SigningMethodRS256, keys.rsa, map[string]any{"kid": "rsa"}, good())
	_, err = v.Verify(t.Context(), token)
	assert.Equal(t, models.KindUnavailable, models.KindOf(err))
	assert.Equal(t, authn.ReasonNone, authn.ReasonOf(err))
}

func TestARedirectOfTheKeySetIsNotFollowed(t *testing.T) {
	keys := newKeyring(t)
	evil := newProvider(t)
	evil.publish(t, keys.published()...)
	server := httptest.NewServer(http.RedirectHandler(evil.url, http.StatusFound))
	t.Cleanup(server.Close)
	v, err := authn.New(authn.Options{JWKSURL: server.URL, Issuer: issuer, Audience: audience, Now: func() time.Time { return now }})
	require.NoError(t, err)
	t.Cleanup(v.Close)
	_, err = v.Verify(t.Context(), signed(t, jwt.SigningMethodRS256, keys.rsa, map[string]any{"kid": "rsa"}, good()))
	assert.Equal(t, models.KindUnavailable, models.KindOf(err))
	assert.Zero(t, evil.fetches.Load())
}

func pemOf(t *testing.T, key crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}
