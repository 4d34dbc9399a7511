//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// provider starts the OpenID Connect provider of e2e/oidc; each start has new keys.
func provider(t *testing.T, port int, redirect string) (stop func()) {
	t.Helper()
	cmd := exec.Command("node", "provider.mjs", strconv.Itoa(port), redirect)
	cmd.Dir = "oidc"
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(stop)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == "ready" {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return stop
		}
	}
	require.Fail(t, "the provider ended before it was ready")
	return stop
}

var form = regexp.MustCompile(`<form[^>]*action="([^"]+)"`)

// signIn goes through the provider's pages as a person does, and gives their browser.
func signIn(t *testing.T, api, name string) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar, Timeout: 15 * time.Second}
	res, err := browser.Get(api + "/auth/sign-in?returnTo=/dashboard/scalability")
	require.NoError(t, err)
	for range 3 { // the name, then the consent
		page, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		if strings.HasPrefix(res.Request.URL.String(), api) {
			require.Equal(t, "/dashboard/scalability", res.Request.URL.Path, "signed in: %s", res.Request.URL)
			require.Empty(t, res.Request.URL.RawQuery)
			return browser
		}
		action := form.FindStringSubmatch(string(page))
		require.NotNil(t, action, "a form at %s: %s", res.Request.URL, page)
		answers := url.Values{"prompt": {"login"}, "login": {name}, "password": {"any"}}
		if !strings.Contains(string(page), `name="login"`) {
			answers = url.Values{"prompt": {"consent"}}
		}
		res, err = browser.PostForm(action[1], answers)
		require.NoError(t, err)
	}
	require.Fail(t, "the provider asks without end")
	return nil
}

func status(t *testing.T, browser *http.Client, method, address string, header http.Header) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	require.NoError(t, err)
	for name, values := range header {
		req.Header[name] = values
	}
	res, err := browser.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(body)
}

func TestPeopleSignInAtARealProviderAndOutAgain(t *testing.T) {
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is not installed: the OpenID Connect provider cannot be started")
	}
	install := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--silent")
	install.Dir = "oidc"
	out, err := install.CombinedOutput()
	require.NoError(t, err, string(out))

	s := shared
	port, idp := freePort(t), freePort(t)
	redirect := fmt.Sprintf("http://127.0.0.1:%d/auth/callback", port)
	stop := provider(t, idp, redirect)
	api := s.anotherAPI(t, port, fmt.Sprintf("AUTH_OIDC_ISSUER=http://127.0.0.1:%d", idp), "AUTH_OIDC_CLIENT_ID=wedsync",
		"AUTH_SESSION_SECRET="+strings.Repeat("e2e-session-", 4))

	browser := signIn(t, api, "ada")
	var session struct{ Subject string }
	code, body := status(t, browser, http.MethodGet, api+"/auth/session", nil)
	require.Equal(t, http.StatusOK, code)
	require.NoError(t, json.Unmarshal([]byte(body), &session))
	assert.Equal(t, "user:ada", session.Subject)

	code, body = status(t, browser, http.MethodGet, api+"/api/scalability/services", nil)
	assert.Equal(t, http.StatusForbidden, code, "whoever signs in has no role yet: %s", body)
	s.exec(t, `INSERT INTO role_bindings (subject, role, valid_from, created_by, created_at) VALUES ('user:ada', 'scalability_viewer', now(), 'e2e', now())`)
	eventually(t, 5*time.Second, "the role counts", func() bool {
		code, _ := status(t, browser, http.MethodGet, api+"/api/scalability/services", nil)
		return code == http.StatusOK
	})
	code, _ = status(t, browser, http.MethodGet, api+"/api/scalability/services", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}})
	assert.Equal(t, http.StatusOK, code, "reading by another site is for the browser to forbid")
	code, _ = status(t, browser, http.MethodPost, api+"/api/scalability/services/api/pause", http.Header{"Sec-Fetch-Site": {"cross-site"}})
	assert.Equal(t, http.StatusUnauthorized, code, "another site changes nothing")

	// The provider comes back with other keys: new sign-ins hold, old sessions go on.
	stop()
	provider(t, idp, redirect)
	second := signIn(t, api, "ben")
	code, _ = status(t, browser, http.MethodGet, api+"/api/scalability/services", nil)
	assert.Equal(t, http.StatusOK, code)

	// Signing out ends the session in every process, whoever kept the cookie.
	kept := signInCookie(t, browser, api)
	code, _ = status(t, browser, http.MethodPost, api+"/auth/sign-out", nil)
	assert.Equal(t, http.StatusNoContent, code)
	thief := &http.Client{}
	eventually(t, 3*time.Second, "the kept cookie is of no use", func() bool {
		code, _ := status(t, thief, http.MethodGet, api+"/api/scalability/services", http.Header{"Cookie": {kept}})
		return code == http.StatusUnauthorized
	})
	code, _ = status(t, second, http.MethodGet, api+"/auth/session", nil)
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, 2, s.count(t, `SELECT count(*) FROM security_audit_logs WHERE action = 'sign_in' AND decision = 'allow' AND actor IN ('user:ada', 'user:ben')`))
	assert.Equal(t, 1, s.count(t, `SELECT count(*) FROM security_audit_logs WHERE action = 'sign_out' AND actor = 'user:ada'`))
}

func signInCookie(t *testing.T, browser *http.Client, api string) string {
	t.Helper()
	u, err := url.Parse(api)
	require.NoError(t, err)
	for _, c := range browser.Jar.Cookies(u) {
		if c.Name == "wedsync-session" {
			return c.Name + "=" + c.Value
		}
	}
	require.Fail(t, "no session")
	return ""
}

// TestTwoAPIProcessesShareQuotasAndRevocations starts two API processes beside the first.
func TestTwoAPIProcessesShareQuotasAndRevocations(t *testing.T) {
	s := shared
	one := s.at(s.anotherAPI(t, freePort(t), "RATE_LIMIT_REQUESTS=100"))
	two := s.at(s.anotherAPI(t, freePort(t), "RATE_LIMIT_REQUESTS=100"))

	// A program gets a key, and calls through both.
	var made struct{ ID, Key string }
	code, body := s.call(t, "admin", http.MethodPost, "/api/scalability/service-accounts", map[string]any{"name": "e2e-quota", "description": "counts its calls"}, nil)
	require.Equal(t, http.StatusCreated, code, body)
	code, body = s.call(t, "admin", http.MethodPost, "/api/scalability/service-accounts/e2e-quota/keys", map[string]any{"validDays": 1}, &made)
	require.Equal(t, http.StatusCreated, code, body)
	s.exec(t, `INSERT INTO role_bindings (subject, role, valid_from, created_by, created_at) VALUES ('svc:e2e-quota', 'scalability_viewer', now(), 'e2e', now())`)
	// An address of its own: the refused calls of other tests used this machine's other one up.
	client := from(t, "127.77.0.2")
	ask := func(api string) (int, http.Header) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api+"/api/scalability/services/api", nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+made.Key)
		res, err := client.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		return res.StatusCode, res.Header
	}
	eventually(t, 5*time.Second, "the role counts", func() bool { code, _ := ask(s.API); return code == http.StatusOK })

	answers := make(chan int, 300)
	for i := range 300 {
		go func() {
			code, header := ask([]string{one.API, two.API}[i%2])
			assert.Equal(t, "100", header.Get("X-RateLimit-Limit"))
			assert.Equal(t, "60", header.Get("X-RateLimit-Window"))
			assert.Equal(t, `"default";q=100;w=60`, header.Get("RateLimit-Policy"))
			assert.Regexp(t, `^"default";r=\d+;t=\d+$`, header.Get("RateLimit"))
			if code == http.StatusTooManyRequests {
				assert.Regexp(t, `^([1-9]|[1-5]\d|60)$`, header.Get("Retry-After"))
				assert.Contains(t, header.Get("RateLimit"), `r=0;`)
			}
			answers <- code
		}()
	}
	seen := map[int]int{}
	for range 300 {
		seen[<-answers]++
	}
	// What eventually asked counted too, at the first API and for the same subject.
	before := s.count(t, `SELECT count(*) FROM security_audit_logs WHERE actor = 'svc:e2e-quota' AND decision = 'allow'`)
	assert.Equal(t, 100, before, "exactly a hundred passed in the window, over three processes")
	assert.Equal(t, 300, seen[http.StatusOK]+seen[http.StatusTooManyRequests], "%v", seen)

	// The key is ended at the first API; the second refuses it within two seconds.
	code, body = s.call(t, "admin", http.MethodDelete, "/api/scalability/service-accounts/e2e-quota/keys/"+made.ID, nil, nil)
	require.Equal(t, http.StatusOK, code, body)
	began := time.Now()
	eventually(t, 2*time.Second, "the second API refuses the key", func() bool { code, _ := ask(two.API); return code == http.StatusUnauthorized })
	t.Logf("an ended key was refused by another process after %s", time.Since(began).Round(10*time.Millisecond))

	// So is a subject all of whose tokens are revoked, also with Redis stopped.
	code, body = s.call(t, "admin", http.MethodPost, "/api/scalability/service-accounts/e2e-quota/keys", map[string]any{}, &made)
	require.Equal(t, http.StatusCreated, code, body)
	stopRedis(t, s)
	eventually(t, 10*time.Second, "the new key opens the second API", func() bool {
		code, _ := ask(two.API)
		return code == http.StatusOK || code == http.StatusTooManyRequests
	})
	// What is risky does not wait: the second API has just seen the role, and sees at once that it is gone.
	s.exec(t, `INSERT INTO role_bindings (subject, role, valid_from, created_by, created_at) VALUES ('svc:e2e-quota', 'scalability_admin', now(), 'e2e', now())`)
	risky := func() int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, two.API+"/api/scalability/services/api", strings.NewReader(`{"name":"api"}`))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+made.Key)
		req.Header.Set("Content-Type", "application/json")
		res, err := client.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		return res.StatusCode
	}
	require.Equal(t, http.StatusBadRequest, risky(), "an administrator gets as far as the body, which is wrong")
	code, body = s.call(t, "admin", http.MethodPost, "/api/scalability/access/bindings/revoke", map[string]any{"subject": "svc:e2e-quota", "role": "scalability_admin", "reason": "a rehearsal"}, nil)
	require.Equal(t, http.StatusNoContent, code, body)
	assert.Equal(t, http.StatusForbidden, risky(), "at once, in another process, without Redis")

	code, body = s.call(t, "admin", http.MethodPost, "/api/scalability/revocations", map[string]any{"subject": "svc:e2e-quota", "reason": "a lost laptop"}, nil)
	require.Equal(t, http.StatusCreated, code, body)
	began = time.Now()
	eventually(t, 2*time.Second, "the second API refuses the subject", func() bool { code, _ := ask(two.API); return code == http.StatusUnauthorized })
	t.Logf("a revoked subject was refused by another process after %s, without Redis", time.Since(began).Round(10*time.Millisecond))
}

// from is a client that calls from an address of this machine.
func from(t *testing.T, address string) *http.Client {
	transport := &http.Transport{DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}).DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// stopRedis stops Redis for the rest of a test.
func stopRedis(t *testing.T, s *stack) {
	t.Helper()
	release := s.hold(t, "redis")
	s.kill(t, "redis")
	t.Cleanup(func() {
		release()
		eventually(t, time.Minute, "Redis is back", func() bool {
			return s.read() == nil && s.Children["redis"] != 0
		})
	})
}
