//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
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
)

// route is one row of the table: who may call it and what they get. Those who may not
// get 403; those who are nobody get 401.
type route struct {
	method, path, body string
	allowed            string // roles, separated by blanks
	status             int    // for those who may
}

const (
	people    = "admin operator viewer coordinator"
	operators = "admin operator"
	admins    = "admin"
	nowhere   = "01990000-0000-7000-8000-000000000000" // an ID that names nothing
)

// routes change nothing: bodies are refused by validation or name what does not exist.
func routes() []route {
	base := "/api/scalability"
	return []route{
		{"GET", base + "/metrics/realtime", "", people, 200},
		{"POST", base + "/metrics", `{"samples":[]}`, "admin metricsWriter", 400},
		{"GET", base + "/status?includeDatabase=true&includeScaling=true", "", people, 200},
		{"GET", base + "/decisions?limit=10", "", people, 200},
		{"GET", base + "/decisions/" + nowhere, "", people, 404},
		{"POST", base + "/decisions/" + nowhere + "/approve", `{"reason":"nobody waits"}`, operators, 404},
		{"POST", base + "/decisions/" + nowhere + "/reject", `{"reason":"nobody waits"}`, operators, 404},
		{"POST", base + "/decisions/preview", `{"service":"api","changes":{"rps":-1}}`, people, 400},
		{"GET", base + "/savings", "", people, 200},
		{"GET", base + "/audit?limit=2", "", admins, 200},
		{"POST", base + "/predictions", `{"timeHorizonHours":24,"includeWeddingContext":true}`, people, 200},
		{"GET", base + "/services", "", people, 200},
		{"GET", base + "/services/api", "", people, 200},
		{"PUT", base + "/services/api", `{"name":"api"}`, admins, 400},
		{"GET", base + "/services/api/explanation", "", people, 200},
		{"GET", base + "/services/api/evaluations?limit=10", "", people, 200},
		{"POST", base + "/services/api/scale", `{"replicas":0,"reason":"none"}`, operators, 400},
		{"POST", base + "/services/api/pause", `{"reason":""}`, operators, 400},
		{"POST", base + "/services/api/resume", `{"reason":""}`, operators, 400},
		{"POST", base + "/services/api/override", `{"kind":"nothing"}`, operators, 400},
		{"GET", base + "/weddings", "", people, 200},
		{"POST", base + "/weddings", `{"reference":""}`, admins, 400},
		{"GET", base + "/weddings/" + nowhere, "", people, 404},
		{"PUT", base + "/weddings/" + nowhere, `{"reference":""}`, admins, 400},
		{"POST", base + "/weddings/" + nowhere + "/priority", `{}`, admins, 400},
		{"POST", base + "/weddings/" + nowhere + "/extend", `{}`, admins, 400},
		{"GET", base + "/wedding-days?limit=5", "", people, 200},
		{"POST", base + "/wedding-days", `{"date":"someday"}`, operators, 400},
		{"POST", base + "/wedding-days/2031-06-14/raise-floor", `{"replicas":5,"until":"2031-06-14T20:00:00Z","reason":"nobody is there"}`, operators, 404},
		{"POST", base + "/wedding-days/2031-06-14/cancel", `{"reason":"nobody is there"}`, admins, 404},
		{"GET", base + "/reservations", "", people, 200},
		{"POST", base + "/reservations", `{"service":"api"}`, operators, 400},
		{"GET", base + "/reservations/" + nowhere, "", people, 404},
		{"DELETE", base + "/reservations/" + nowhere, "", operators, 404},
		{"GET", base + "/access/explain?subject=user:nobody&permission=scalability:read", "", admins, 200},
		{"GET", base + "/access/bindings", "", admins, 200},
		{"POST", base + "/access/bindings", `{"subject":""}`, admins, 400},
		{"POST", base + "/access/bindings/revoke", `{"subject":""}`, admins, 400},
		{"GET", base + "/access/policies", "", admins, 200},
		{"POST", base + "/access/policies", `{"text":"p, nobody","reason":"a typo"}`, admins, 400},
		{"GET", base + "/access/policies/" + nowhere, "", admins, 404},
		{"POST", base + "/access/policies/" + nowhere + "/approve", `{"reason":"nobody waits"}`, admins, 404},
		{"POST", base + "/access/policies/" + nowhere + "/reject", `{"reason":"nobody waits"}`, admins, 404},
		{"GET", base + "/service-accounts", "", admins, 200},
		{"POST", base + "/service-accounts", `{"name":"A"}`, admins, 400},
		{"POST", base + "/service-accounts/nobody-there/keys", `{}`, admins, 404},
		{"DELETE", base + "/service-accounts/nobody-there/keys/none", "", admins, 404},
		{"GET", base + "/revocations", "", admins, 200},
		{"POST", base + "/revocations", `{"reason":"none"}`, admins, 400},
		{"GET", base + "/security/alerts?limit=2", "", admins, 200},
		{"POST", base + "/security/alerts/none/acknowledge", `{"note":"nobody raised it"}`, admins, 404},
		{"POST", base + "/payloads/decode", `{"payloads":[]}`, operators, 200},
		{"GET", base + "/workflows", "", people, 200},
		{"POST", base + "/workflows", `{"kind":"nothing"}`, operators, 400},
		{"GET", base + "/workflows/autoscale%2Fapi", "", people, 200},
		{"POST", base + "/workflows/autoscale%2Fapi/signal", `{"signal":"nothing"}`, operators, 400},
		{"POST", base + "/workflows/scale%2Fapi%2F" + nowhere + "/cancel", `{"reason":"none"}`, operators, 404},
	}
}

func TestEveryRouteAnswersEveryCallerAsTheTableSaysAndAuditsIt(t *testing.T) {
	s := shared
	nobody := s.badTokens(t)
	for _, r := range routes() {
		for _, role := range []string{"admin", "operator", "viewer", "coordinator", "metricsWriter"} {
			want, decision := http.StatusForbidden, "deny"
			if contains(r.allowed, role) {
				want, decision = r.status, "allow"
			}
			t.Run(fmt.Sprintf("%s %s as %s", r.method, r.path, role), func(t *testing.T) {
				s.answersAndAudits(t, r, s.Tokens[role], want, decision)
			})
		}
		for who, token := range nobody {
			t.Run(fmt.Sprintf("%s %s with %s", r.method, r.path, who), func(t *testing.T) {
				s.answersAndAudits(t, r, token, http.StatusUnauthorized, "deny")
			})
		}
	}
}

func contains(list, word string) bool {
	for w := range strings.FieldsSeq(list) {
		if w == word {
			return true
		}
	}
	return false
}

// answersAndAudits makes one call and finds its one row in the audit log.
func (s *stack) answersAndAudits(t *testing.T, r route, token string, status int, decision string) {
	t.Helper()
	id := uuid.NewString()
	req, err := http.NewRequestWithContext(t.Context(), r.method, s.API+r.path, strings.NewReader(r.body))
	require.NoError(t, err)
	req.Header.Set("X-Request-Id", id)
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, 2000))
	assert.Equal(t, status, res.StatusCode, string(body))
	assert.Equal(t, id, res.Header.Get("X-Request-Id"))
	var rows []string
	s.asSystem(t, func(ctx context.Context, tx pgx.Tx) error {
		found, err := tx.Query(ctx, "SELECT decision FROM security_audit_logs WHERE request_id = $1 AND action NOT LIKE 'command.%'", id)
		if err != nil {
			return err
		}
		rows, err = pgx.CollectRows(found, pgx.RowTo[string])
		return err
	})
	assert.Equal(t, []string{decision}, rows, "the answer has exactly one audit row; a command has two more")
}

// asSystem reads the database as the application in the platform's own scope.
func (s *stack) asSystem(t *testing.T, do func(context.Context, pgx.Tx) error) {
	t.Helper()
	ctx := t.Context()
	if s.db == nil || s.db.Ping(ctx) != nil { // tests stop Postgres
		conn, err := pgx.Connect(ctx, s.Postgres)
		require.NoError(t, err)
		s.db = conn
	}
	tx, err := s.db.Begin(ctx)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(ctx) }()
	_, err = tx.Exec(ctx, "SELECT set_config('wedsync.role', 'system', true), set_config('wedsync.subject', 'e2e', true)")
	require.NoError(t, err)
	require.NoError(t, do(ctx, tx))
}

// badTokens are tokens that speak for nobody, signed with the stack's own secret where
// that is not what is wrong with them.
func (s *stack) badTokens(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.root, "secrets.json"))
	require.NoError(t, err)
	var secrets map[string]string
	require.NoError(t, json.Unmarshal(raw, &secrets))
	good := func() jwt.MapClaims {
		var claims jwt.MapClaims
		_, _, err := jwt.NewParser().ParseUnverified(s.Tokens["admin"], &claims)
		require.NoError(t, err)
		return claims
	}
	sign := func(method jwt.SigningMethod, key any, change func(jwt.MapClaims)) string {
		claims := good()
		change(claims)
		token, err := jwt.NewWithClaims(method, claims).SignedString(key)
		require.NoError(t, err)
		return token
	}
	key := []byte(secrets["token"])
	keep := func(jwt.MapClaims) {}
	return map[string]string{
		"no token":                "",
		"an expired token":        sign(jwt.SigningMethodHS256, key, func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Hour).Unix() }),
		"algorithm none":          sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, keep),
		"another algorithm":       sign(jwt.SigningMethodHS512, key, keep),
		"a wrong audience":        sign(jwt.SigningMethodHS256, key, func(c jwt.MapClaims) { c["aud"] = "somebody-else" }),
		"a wrong issuer":          sign(jwt.SigningMethodHS256, key, func(c jwt.MapClaims) { c["iss"] = "somebody-else" }),
		"a signature of another":  sign(jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), keep),
		"something else entirely": "not.a.token",
	}
}

// exec changes rows as the application in the platform's own scope.
func (s *stack) exec(t *testing.T, statement string) {
	t.Helper()
	s.asSystem(t, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
		return tx.Commit(ctx)
	})
}

// count reads one number.
func (s *stack) count(t *testing.T, query string) (n int) {
	t.Helper()
	s.asSystem(t, func(ctx context.Context, tx pgx.Tx) error { return tx.QueryRow(ctx, query).Scan(&n) })
	return n
}
