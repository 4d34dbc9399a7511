//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// stack is one `wedsync dev` with what it wrote into dev.json.
type stack struct {
	API        string            `json:"api"`
	Dashboard  string            `json:"dashboard"`
	Temporal   string            `json:"temporal"`
	TemporalUI string            `json:"temporalUI"`
	Fleet      string            `json:"fleet"`
	Tokens     map[string]string `json:"tokens"`
	PID        int               `json:"pid"`
	Children   map[string]int    `json:"children"`

	Postgres string `json:"postgres"`

	root string // the folder with its data
	cmd  *exec.Cmd
	done chan error
	db   *pgx.Conn // of asSystem
}

// shared is the stack that all tests of a run use, started once.
var shared *stack

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	root, err := os.MkdirTemp("", "wedsync-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(root)
	if err := os.Chmod(root, 0o755); err != nil { // Postgres runs as another user when we are root
		return 1, err
	}
	// Tests call what they may not, and with bad tokens, again and again: detection would end
	// their sessions, as it should. It has a stack of its own.
	s, err := startStack(filepath.Join(root, ".wedsync"), "SECURITY_THREAT_DETECTION_ENABLED=false")
	if err != nil {
		return 1, err
	}
	shared = s
	// Tests that run side by side wait for the stack, not for a processor.
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		return 1, errors.Join(err, s.stop())
	}
	code := m.Run()
	if code != 0 {
		s.dumpLogs(os.Stderr)
	}
	return code, s.stop()
}

// freshStack starts a stack of one test's own, which is stopped with it.
func freshStack(t *testing.T, env ...string) *stack {
	t.Helper()
	root, err := os.MkdirTemp("", "wedsync-e2e-own-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(root, 0o755)) // Postgres runs as another user when we are root
	s, err := startStack(filepath.Join(root, ".wedsync"), env...)
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			s.dumpLogs(os.Stderr)
		}
		assert.NoError(t, s.stop())
		_ = os.RemoveAll(root)
	})
	return s
}

func startStack(root string, env ...string) (*stack, error) {
	binary, err := filepath.Abs("../bin/wedsync")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(binary, "dev", "--no-demo", "--any-ports", "--root", root)
	// A fast loop, so that a test sees several ticks; the policies are shortened per
	// test through the API, as an operator would.
	cmd.Env = append(os.Environ(), "AUTOSCALE_INTERVAL_SECONDS=5", "AUTOSCALE_APPROVAL_SECONDS=20", "RATE_LIMIT_REQUESTS=100000")
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s (make build makes it): %w", binary, err)
	}
	s := &stack{root: root, cmd: cmd, done: make(chan error, 1)}
	go func() { s.done <- cmd.Wait() }()
	deadline := time.After(3 * time.Minute)
	for {
		select {
		case err := <-s.done:
			return nil, fmt.Errorf("wedsync dev ended before it was ready: %w", err)
		case <-deadline:
			return nil, errors.Join(errors.New("wedsync dev was not ready in 3 minutes"), s.stop())
		case <-time.After(200 * time.Millisecond):
			if s.read() == nil {
				return s, nil
			}
		}
	}
}

// read takes what dev.json says now; child processes change when they are restarted.
func (s *stack) read() error {
	raw, err := os.ReadFile(filepath.Join(s.root, "dev.json"))
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, s)
}

func (s *stack) stop() error {
	_ = s.cmd.Process.Signal(os.Interrupt)
	select {
	case err := <-s.done:
		return err
	case <-time.After(30 * time.Second):
		_ = s.cmd.Process.Kill()
		return errors.New("wedsync dev did not stop in 30 s")
	}
}

func (s *stack) dumpLogs(w io.Writer) {
	logs, _ := filepath.Glob(filepath.Join(s.root, "logs", "*.log"))
	for _, l := range logs {
		raw, _ := os.ReadFile(l)
		lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
		fmt.Fprintf(w, "--- %s\n%s\n", filepath.Base(l), strings.Join(lines[max(0, len(lines)-25):], "\n"))
	}
}

// kill sends SIGKILL to one child and returns its pid.
func (s *stack) kill(t *testing.T, name string) int {
	t.Helper()
	require.NoError(t, s.read())
	pid := s.Children[name]
	require.NotZero(t, pid, "dev.json names no child %q", name)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	return pid
}

// hold keeps a child stopped until the returned function is called.
func (s *stack) hold(t *testing.T, name string) (release func()) {
	t.Helper()
	file := filepath.Join(s.root, "hold", name)
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	return func() { _ = os.Remove(file) }
}

// call sends a request as a role ("" for nobody) and decodes the answer into out when
// it is not nil. It returns the status and the body.
func (s *stack) call(t *testing.T, role, method, path string, in, out any) (int, string) {
	t.Helper()
	// A cleanup calls too, when the context of its test has ended.
	status, body, err := s.try(context.WithoutCancel(t.Context()), role, method, path, in)
	require.NoError(t, err)
	if out != nil && status < 300 {
		require.NoError(t, json.Unmarshal([]byte(body), out), body)
	}
	return status, body
}

func (s *stack) try(ctx context.Context, role, method, path string, in any) (int, string, error) {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return 0, "", err
		}
		body = bytes.NewReader(raw)
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.API+path, body)
	if err != nil {
		return 0, "", err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if role != "" {
		req.Header.Set("Authorization", "Bearer "+s.Tokens[role])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 8<<20))
	return res.StatusCode, string(raw), err
}

// decisions lists the newest decisions of a service.
func (s *stack) decisions(t *testing.T, service string, limit int) []models.Decision {
	t.Helper()
	var page struct {
		Items []models.Decision `json:"items"`
	}
	status, body := s.call(t, "admin", http.MethodGet, fmt.Sprintf("/api/scalability/decisions?service=%s&limit=%d", service, limit), nil, &page)
	require.Equal(t, 200, status, body)
	return page.Items
}

// settled waits until a decision has an outcome.
func (s *stack) settled(t *testing.T, id string, within time.Duration) models.Decision {
	t.Helper()
	var d models.Decision
	eventually(t, within, "decision "+id+" has an outcome", func() bool {
		status, body, err := s.try(t.Context(), "admin", http.MethodGet, "/api/scalability/decisions/"+id, nil)
		return err == nil && status == 200 && json.Unmarshal([]byte(body), &d) == nil && d.Outcome != models.OutcomeOpen
	})
	return d
}

// eventually polls until ok, and fails with what was waited for.
func eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for time.Now().Before(deadline) {
		if ok() {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	require.Fail(t, "timed out after "+within.String(), what)
}
