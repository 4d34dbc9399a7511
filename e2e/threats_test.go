//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// alerts lists what was found, newest first.
func (s *stack) alerts(t *testing.T) (found []models.Threat) {
	t.Helper()
	var page struct {
		Items []models.Threat `json:"items"`
	}
	status, body := s.call(t, "admin", http.MethodGet, "/api/scalability/security/alerts", nil, &page)
	require.Equal(t, http.StatusOK, status, body)
	return page.Items
}

// raised waits for an alert of a rule about somebody, and gives it.
func (s *stack) raised(t *testing.T, rule models.ThreatRule, subject string) (found models.Threat) {
	t.Helper()
	eventually(t, 15*time.Second, string(rule)+" about "+subject+" is raised", func() bool {
		for _, a := range s.alerts(t) {
			if a.Rule == rule && a.Subject == subject {
				found = a
				return true
			}
		}
		return false
	})
	return found
}

// with makes a call with a token and gives its status.
func (s *stack) with(t *testing.T, token, path string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.API+path, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// reissued is a role's token under another ID, signed by a key.
func (s *stack) reissued(t *testing.T, role string, key []byte) (token, subject string) {
	t.Helper()
	var claims jwt.MapClaims
	_, _, err := jwt.NewParser().ParseUnverified(s.Tokens[role], &claims)
	require.NoError(t, err)
	claims["jti"], claims["iat"] = uuid.NewString(), time.Now().Add(-time.Second).Unix()
	token, err = jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(key)
	require.NoError(t, err)
	name, err := claims.GetSubject()
	require.NoError(t, err)
	return token, "user:" + name
}

func TestAttacksAreToldAndAnsweredWithinSeconds(t *testing.T) {
	s := freshStack(t)
	raw, err := os.ReadFile(filepath.Join(s.root, "secrets.json"))
	require.NoError(t, err)
	var secrets map[string]string
	require.NoError(t, json.Unmarshal(raw, &secrets))
	const harmless, reserved = "/api/scalability/services", "/api/scalability/audit"

	// Somebody guesses at the operator's account, and then has a good token.
	for range 6 {
		bad, _ := s.reissued(t, "operator", []byte(strings.Repeat("x", 32)))
		require.Equal(t, http.StatusUnauthorized, s.with(t, bad, harmless))
	}
	good, operator := s.reissued(t, "operator", []byte(secrets["token"]))
	require.Equal(t, http.StatusOK, s.with(t, good, harmless))
	hit := s.raised(t, models.ThreatSuccessAfterFailures, operator)
	assert.Equal(t, models.ThreatCritical, hit.Severity)
	assert.LessOrEqual(t, hit.RaisedAt.Sub(hit.At), 5*time.Second)
	require.Len(t, hit.Evidence, 7)
	s.asSystem(t, func(ctx context.Context, tx pgx.Tx) error {
		var refused, claimed int
		err := tx.QueryRow(ctx, `SELECT count(*) FILTER (WHERE actor = 'anonymous' AND rule = 'signature'), count(*) FILTER (WHERE context ->> 'claimedSubject' = $2)
			FROM security_audit_logs WHERE id = ANY($1)`, hit.Evidence, operator).Scan(&refused, &claimed)
		assert.Equal(t, []int{6, 6}, []int{refused, claimed}, "the evidence is in the trail")
		return err
	})
	require.Equal(t, http.StatusOK, s.with(t, good, harmless), "that is for a person to decide")

	// A viewer looks how far the token goes.
	_, viewer := s.reissued(t, "viewer", []byte(secrets["token"]))
	require.Equal(t, http.StatusOK, s.with(t, s.Tokens["viewer"], harmless))
	for range 5 {
		require.Equal(t, http.StatusForbidden, s.with(t, s.Tokens["viewer"], reserved))
	}
	reached := s.raised(t, models.ThreatEscalation, viewer)
	assert.Equal(t, models.RespondRevokeSubject, reached.Response)
	assert.LessOrEqual(t, reached.RaisedAt.Sub(reached.At), 5*time.Second)
	eventually(t, 10*time.Second, "the viewer's token is revoked", func() bool {
		return s.with(t, s.Tokens["viewer"], harmless) == http.StatusUnauthorized
	})

	// Somebody acknowledges, once, and the trail has all of it.
	path := "/api/scalability/security/alerts/" + reached.ID + "/acknowledge"
	status, body := s.call(t, "admin", http.MethodPost, path, map[string]string{"note": "an end-to-end test"}, nil)
	require.Equal(t, http.StatusOK, status, body)
	status, _ = s.call(t, "admin", http.MethodPost, path, map[string]string{"note": "again"}, nil)
	assert.Equal(t, http.StatusConflict, status)
	for _, action := range []string{"change.raise.alert", "change.acknowledge.alert", "change.revoke"} {
		assert.Positive(t, s.count(t, "SELECT count(*) FROM security_audit_logs WHERE action = '"+action+"'"), action)
	}
}
