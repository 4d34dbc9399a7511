package authn_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/authn"
	"github.com/wedsync/scalability/models"
)

// records stand for the database.
type records struct {
	keys    map[string]models.ServiceKey
	revoked []models.Revocation
	broken  error
	reads   atomic.Int64
}

func (r *records) ServiceKey(_ context.Context, id string) (models.ServiceKey, error) {
	r.reads.Add(1)
	k, ok := r.keys[id]
	if !ok {
		return k, models.NotFound("id", id)
	}
	return k, r.broken
}

func (r *records) Revocations(context.Context, time.Time) ([]models.Revocation, error) {
	r.reads.Add(1)
	return r.revoked, r.broken
}

// clock is a time that tests move.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func gate(t *testing.T, r *records) (*authn.Gate, *authn.Sessions, *clock) {
	t.Helper()
	c := &clock{now}
	v, err := authn.New(authn.Options{Secret: secret, Issuer: issuer, Audience: audience, Now: c.now})
	require.NoError(t, err)
	t.Cleanup(v.Close)
	sessions, err := authn.NewSessions([]byte(strings.Repeat("session", 6)), time.Hour, c.now)
	require.NoError(t, err)
	return authn.NewGate(authn.GateOptions{Tokens: v, Sessions: sessions, Keys: r, Revocations: r, Now: c.now}), sessions, c
}

// aKey is a key of the collector, and what its holder presents.
func aKey(t *testing.T, r *records) (presented, id string) {
	t.Helper()
	presented, id, hash, err := authn.NewServiceKey()
	require.NoError(t, err)
	if r.keys == nil {
		r.keys = map[string]models.ServiceKey{}
	}
	r.keys[id] = models.ServiceKey{ID: id, Account: "collector", Hash: hash, CreatedAt: now.Add(-time.Hour), ExpiresAt: now.Add(time.Hour)}
	return presented, id
}

func TestTheHolderOfAServiceKeyIsItsAccount(t *testing.T) {
	r := &records{}
	g, _, _ := gate(t, r)
	for range 50 { // whatever the random bytes are
		presented, id := aKey(t, r)
		got, err := g.Verify(t.Context(), "Bearer "+presented)
		require.NoError(t, err, presented)
		assert.Equal(t, "svc:collector", got.Subject)
		assert.Equal(t, id, got.TokenID)
		assert.Equal(t, authn.KindService, got.Kind)
	}
}

func TestAServiceKeyThatDoesNotOpenIsRefusedWithItsReason(t *testing.T) {
	r := &records{}
	g, _, c := gate(t, r)
	presented, id := aKey(t, r)
	other, _ := aKey(t, r)
	past := now.Add(-time.Minute)
	revoked, revokedID := aKey(t, r)
	k := r.keys[revokedID]
	k.RevokedAt = &past
	r.keys[revokedID] = k
	cases := map[string]struct {
		presented string
		want      authn.Reason
	}{
		"of nobody":             {"wsk_nobody_" + strings.Repeat("x", 43), authn.ReasonSignature},
		"another one's secret":  {"wsk_" + id + "_" + other[strings.LastIndex(other, "_")+1:], authn.ReasonSignature},
		"cut":                   {presented[:len(presented)-1], authn.ReasonSignature},
		"without a secret":      {"wsk_" + id, authn.ReasonMalformed},
		"with an empty secret":  {"wsk_" + id + "_", authn.ReasonSignature},
		"with a very long name": {"wsk_" + strings.Repeat("x", 100) + "_x", authn.ReasonMalformed},
		"revoked":               {revoked, authn.ReasonRevoked},
	}
	for name, tc := range cases {
		_, err := g.Verify(t.Context(), tc.presented)
		assert.Equal(t, tc.want, authn.ReasonOf(err), name)
	}
	c.at = now.Add(time.Hour)
	_, err := g.Verify(t.Context(), presented)
	assert.Equal(t, authn.ReasonExpired, authn.ReasonOf(err))
}

func TestARevocationHoldsWithinASecond(t *testing.T) {
	r := &records{}
	g, sessions, c := gate(t, r)
	token, err := authn.Issue(secret, authn.Claims{Subject: "ada", Issuer: issuer, Audience: audience, TokenID: "t1", IssuedAt: now, ExpiresAt: now.Add(time.Hour)})
	require.NoError(t, err)
	session, id, err := sessions.Issue(t.Context(), "user:ada")
	require.NoError(t, err)
	key, _ := aKey(t, r)
	all := func() (refused []string) {
		for name, check := range map[string]func() (models.Identity, error){
			"token":   func() (models.Identity, error) { return g.Verify(t.Context(), token) },
			"session": func() (models.Identity, error) { return g.Session(t.Context(), session) },
			"key":     func() (models.Identity, error) { return g.Verify(t.Context(), key) },
		} {
			if _, err := check(); err != nil {
				assert.Equal(t, authn.ReasonRevoked, authn.ReasonOf(err), name)
				refused = append(refused, name)
			}
		}
		return refused
	}
	for name, tc := range map[string]struct {
		revocation models.Revocation
		want       []string
	}{
		"one token":             {models.Revocation{TokenID: "t1"}, []string{"token"}},
		"one session":           {models.Revocation{TokenID: id.TokenID}, []string{"session"}},
		"a person":              {models.Revocation{Subject: "user:ada", CreatedAt: now}, []string{"session", "token"}},
		"a program":             {models.Revocation{Subject: "svc:collector", CreatedAt: now}, []string{"key"}},
		"a person, before that": {models.Revocation{Subject: "user:ada", CreatedAt: now.Add(-time.Hour)}, nil},
		"somebody else":         {models.Revocation{Subject: "user:ben", CreatedAt: now}, nil},
	} {
		r.revoked = nil
		c.at = c.at.Add(time.Second)
		assert.Empty(t, all(), name)
		r.revoked = []models.Revocation{tc.revocation}
		c.at = c.at.Add(time.Second)
		assert.ElementsMatch(t, tc.want, all(), name)
	}
}

// What is risky does not wait for the second to pass.
func TestARecheckSeesARevocationAtOnce(t *testing.T) {
	r := &records{}
	g, _, _ := gate(t, r)
	token, err := authn.Issue(secret, authn.Claims{Subject: "ada", Issuer: issuer, Audience: audience, TokenID: "t1", IssuedAt: now, ExpiresAt: now.Add(time.Hour)})
	require.NoError(t, err)
	ada, err := g.Verify(t.Context(), token)
	require.NoError(t, err)
	key, id := aKey(t, r)
	program, err := g.Verify(t.Context(), key)
	require.NoError(t, err)
	for _, who := range []models.Identity{ada, program} {
		require.NoError(t, g.Recheck(t.Context(), who))
	}

	r.revoked = []models.Revocation{{Subject: "user:ada", CreatedAt: now}}
	assert.Equal(t, authn.ReasonRevoked, authn.ReasonOf(g.Recheck(t.Context(), ada)))
	require.NoError(t, g.Recheck(t.Context(), program))
	_, err = g.Verify(t.Context(), token)
	require.NoError(t, err, "elsewhere it holds for a second")

	ended := r.keys[id]
	ended.RevokedAt = &ended.CreatedAt
	r.keys[id] = ended
	assert.Equal(t, authn.ReasonRevoked, authn.ReasonOf(g.Recheck(t.Context(), program)))
	r.broken = errors.New("postgres is away")
	assert.Equal(t, models.KindUnavailable, models.KindOf(g.Recheck(t.Context(), ada)))
}

func TestATokenThatDoesNotSayWhenItWasIssuedMayBeOlderThanARevocation(t *testing.T) {
	at := models.Revocation{Subject: "user:ada", CreatedAt: now}
	for name, c := range map[string]struct {
		id   models.Identity
		want bool
	}{
		"undated":         {models.Identity{Subject: "user:ada"}, true},
		"of before":       {models.Identity{Subject: "user:ada", IssuedAt: now.Add(-time.Second)}, true},
		"of the second":   {models.Identity{Subject: "user:ada", IssuedAt: now}, true},
		"of after":        {models.Identity{Subject: "user:ada", IssuedAt: now.Add(time.Second)}, false},
		"of another kind": {models.Identity{Subject: "svc:ada"}, false},
	} {
		assert.Equal(t, c.want, at.Ends(c.id), name)
	}
}

func TestWithoutTheRecordNobodyIsLetIn(t *testing.T) {
	r := &records{}
	g, _, c := gate(t, r)
	key, _ := aKey(t, r)
	_, err := g.Verify(t.Context(), key)
	require.NoError(t, err)
	reads := r.reads.Load()
	_, err = g.Verify(t.Context(), key)
	require.NoError(t, err)
	assert.Equal(t, reads, r.reads.Load(), "what was read is good for a second")
	r.broken = errors.New("postgres is away")
	c.at = c.at.Add(time.Second)
	_, err = g.Verify(t.Context(), key)
	assert.Equal(t, models.KindUnavailable, models.KindOf(err), "not a refusal, and not a yes")
}
