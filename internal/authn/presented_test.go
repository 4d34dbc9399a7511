package authn_test

import (
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/authn"
	"github.com/wedsync/scalability/models"
)

// saidOf is what a refusal kept of the credential.
func saidOf(t *testing.T, err error) models.Presented {
	t.Helper()
	require.Error(t, err)
	var refusal *models.Error
	require.ErrorAs(t, err, &refusal)
	if refusal.Presented == nil {
		return models.Presented{}
	}
	assert.NotContains(t, err.Error(), "user:ada", "what was claimed is in no message")
	return *refusal.Presented
}

func TestARefusalKeepsWhatTheTokenSaidOfItself(t *testing.T) {
	other := []byte("another secret of more than thirty-two bytes")
	v := verifier(t)
	cases := map[string]struct {
		token string
		want  models.Presented
	}{
		"a signature of another":  {signed(t, jwt.SigningMethodHS256, other, nil, good()), models.Presented{Subject: "user:ada"}},
		"a service's":             {signed(t, jwt.SigningMethodHS256, other, nil, with(map[string]any{"kind": "service"})), models.Presented{Subject: "svc:ada"}},
		"another algorithm":       {signed(t, jwt.SigningMethodHS512, secret, nil, good()), models.Presented{Subject: "user:ada", Abuse: "algorithm"}},
		"no algorithm":            {signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, good()), models.Presented{Subject: "user:ada", Abuse: "algorithm"}},
		"a key of its own":        {signed(t, jwt.SigningMethodHS256, secret, map[string]any{"jwk": map[string]any{}}, good()), models.Presented{Subject: "user:ada", Abuse: "own key"}},
		"a key id that is a path": {signed(t, jwt.SigningMethodHS256, secret, map[string]any{"kid": "../../dev/null"}, good()), models.Presented{Subject: "user:ada", Abuse: "key id"}},
		"a key id that asks":      {signed(t, jwt.SigningMethodHS256, secret, map[string]any{"kid": "x' UNION SELECT 'k"}, good()), models.Presented{Subject: "user:ada", Abuse: "key id"}},
		"an old key id":           {signed(t, jwt.SigningMethodHS256, secret, map[string]any{"kid": "2027-05_a"}, good()), models.Presented{Subject: "user:ada"}},
		"expired":                 {hs256(t, with(map[string]any{"exp": now.Add(-1e12).Unix()})), models.Presented{Subject: "user:ada"}},
		"a name like no name":     {signed(t, jwt.SigningMethodHS256, other, nil, with(map[string]any{"sub": "ada\nadmin"})), models.Presented{}},
		"a name without end":      {signed(t, jwt.SigningMethodHS256, other, nil, with(map[string]any{"sub": strings.Repeat("s", 256)})), models.Presented{}},
		"no token":                {"not.a.token", models.Presented{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			id, err := v.Verify(t.Context(), c.token)
			assert.Equal(t, c.want, saidOf(t, err))
			assert.Zero(t, id, "whatever it says, it speaks for nobody")
		})
	}
}

func TestARefusedServiceKeyKeepsWhoseItWouldBe(t *testing.T) {
	r := &records{}
	key, _ := aKey(t, r)
	g, _, _ := gate(t, r)
	_, err := g.Verify(t.Context(), "Bearer "+key+"x")
	assert.Equal(t, models.Presented{Subject: "svc:collector"}, saidOf(t, err))
	_, err = g.Verify(t.Context(), "Bearer wsk_unknown_secret")
	assert.Equal(t, models.Presented{Subject: "key:unknown"}, saidOf(t, err))

	r.revoked = []models.Revocation{{Subject: "svc:collector", CreatedAt: now}}
	g, _, _ = gate(t, r)
	_, err = g.Verify(t.Context(), "Bearer "+key)
	assert.Equal(t, models.Presented{Subject: "svc:collector"}, saidOf(t, err))
	assert.Equal(t, authn.ReasonRevoked, authn.ReasonOf(err))
}
