//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// kills is how often the API is killed under load: a few times by default, fifty to report
// of it (WEDSYNC_E2E_KILLS=50 make e2e).
func kills(t *testing.T) int {
	text := os.Getenv("WEDSYNC_E2E_KILLS")
	if text == "" {
		return 4
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, "WEDSYNC_E2E_KILLS must be a number")
	return n
}

// verifyTrail runs the command as an operator would; it finds the stack, its key and the copies
// of its checkpoints.
func (s *stack) verifyTrail(t *testing.T) (code int, out string) {
	t.Helper()
	cmd := exec.Command("../bin/wedsync", "audit", "verify", "--root", s.root)
	raw, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return cmd.ProcessState.ExitCode(), string(raw)
}

// TestNoAnswerIsWithoutItsRowHoweverOftenTheAPIIsKilled kills an API of its own under load
// from 16 callers, at random moments.
func TestNoAnswerIsWithoutItsRowHoweverOftenTheAPIIsKilled(t *testing.T) {
	s := shared
	port := freePort(t)
	require.NoError(t, s.read())
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", s.Children["api"]))
	require.NoError(t, err)
	env := append(strings.Split(strings.Trim(string(raw), "\x00"), "\x00"),
		fmt.Sprintf("API_ADDRESS=127.0.0.1:%d", port), "METRICS_ADDRESS=127.0.0.1:0")
	api := s.at(fmt.Sprintf("http://127.0.0.1:%d", port))

	var mu sync.Mutex
	answered := map[string]int{}
	ctx, stop := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for ctx.Err() == nil {
				id := uuid.NewString()
				status, err := api.get(ctx, "viewer", "/api/scalability/services", id)
				if err != nil {
					time.Sleep(5 * time.Millisecond)
					continue
				}
				mu.Lock()
				answered[id] = status
				mu.Unlock()
			}
		})
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(answered)
	}
	for range kills(t) {
		cmd := exec.Command("../bin/wedsync", "api")
		cmd.Env = env
		require.NoError(t, cmd.Start())
		before := count()
		eventually(t, time.Minute, "the API answers", func() bool { return count() > before+20 })
		time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
		require.NoError(t, cmd.Process.Signal(syscall.SIGKILL))
		_ = cmd.Wait()
	}
	stop()
	callers.Wait()

	kept := map[string]bool{}
	s.asSystem(t, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "SELECT request_id FROM security_audit_logs WHERE at > now() - interval '1 hour' AND action LIKE 'scalability:%'")
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
		for _, id := range ids {
			kept[id] = true
		}
		return err
	})
	lost := 0
	for id, status := range answered {
		if status != http.StatusServiceUnavailable && !kept[id] {
			lost++
		}
	}
	assert.Zero(t, lost, "of %d answered requests %d have no row", len(answered), lost)
	t.Logf("%d kills, %d answered requests, each with its row", kills(t), len(answered))
	code, out := s.verifyTrail(t)
	assert.Zero(t, code, out)
}

// get calls with a request id and gives the status of a whole answer.
func (s *stack) get(ctx context.Context, role, path, id string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.API+path, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+s.Tokens[role])
	req.Header.Set("X-Request-Id", id)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

func TestWithoutPostgresChangesAnswer503AndNothingHappens(t *testing.T) {
	s := shared
	claim := map[string]any{"service": "search", "kind": "floor", "replicas": 2, "from": time.Now().UTC().Format(time.RFC3339),
		"until": time.Now().Add(time.Hour).UTC().Format(time.RFC3339), "reason": "while the trail cannot be written"}
	release := s.hold(t, "postgres")
	t.Cleanup(release)
	eventually(t, time.Minute, "a change answers 503", func() bool {
		status, _, err := s.try(t.Context(), "operator", http.MethodPost, "/api/scalability/services/search/pause", map[string]any{"reason": "an outage"})
		return err == nil && status == http.StatusServiceUnavailable
	})
	status, body, err := s.try(t.Context(), "operator", http.MethodPost, "/api/scalability/reservations", claim)
	require.NoError(t, err)
	assert.Equal(t, http.StatusServiceUnavailable, status, body)
	release()
	const claims = "/api/scalability/reservations?service=search"
	eventually(t, 2*time.Minute, "Postgres answers", func() bool {
		status, _, err := s.try(t.Context(), "operator", http.MethodGet, claims, nil)
		return err == nil && status == http.StatusOK
	})
	s.recovers(t, s.pids(t))
	// A pause may have been taken before Postgres was gone.
	status, body = s.call(t, "operator", http.MethodPost, "/api/scalability/services/search/resume", map[string]any{"reason": "the outage is over"}, nil)
	assert.Equal(t, http.StatusOK, status, body)
	var page struct {
		Items []struct {
			Reason string `json:"reason"`
		} `json:"items"`
	}
	s.call(t, "operator", http.MethodGet, claims, nil, &page)
	for _, r := range page.Items {
		assert.NotEqual(t, claim["reason"], r.Reason, "what was refused did not happen")
	}
	code, out := s.verifyTrail(t)
	assert.Zero(t, code, out)
}
