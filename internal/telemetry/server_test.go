package telemetry

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type served struct {
	url   string
	stop  context.CancelFunc
	ended chan error
}

func start(t *testing.T, healthy func(context.Context) error) served {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	s := served{url: "http://" + l.Addr().String(), stop: stop, ended: make(chan error, 1)}
	go func() { s.ended <- serve(ctx, l, NewRegistry("api"), healthy) }()
	t.Cleanup(stop)
	return s
}

func call(t *testing.T, method, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func TestServeAnswersMetricsAndHealth(t *testing.T) {
	s := start(t, nil)
	code, body := call(t, http.MethodGet, s.url+"/metrics")
	assert.Equal(t, http.StatusOK, code)
	assert.Contains(t, body, `wedsync_build_info{process="api"`)
	code, body = call(t, http.MethodGet, s.url+"/healthz")
	assert.Equal(t, http.StatusOK, code)
	assert.JSONEq(t, `{"status":"ok"}`, body)
	code, _ = call(t, http.MethodGet, s.url+"/debug/pprof/")
	assert.Equal(t, http.StatusNotFound, code)
	code, _ = call(t, http.MethodPost, s.url+"/metrics")
	assert.Equal(t, http.StatusMethodNotAllowed, code)
}

func TestHealthSaysWhyWithoutSecrets(t *testing.T) {
	s := start(t, func(context.Context) error { return errors.New("dial postgres://app:hunter2@db: refused") })
	code, body := call(t, http.MethodGet, s.url+"/healthz")
	assert.Equal(t, http.StatusServiceUnavailable, code)
	assert.JSONEq(t, `{"status":"unavailable","reason":"dial postgres://app:***@db: refused"}`, body)
}

func TestHealthThatHangsIsUnavailable(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	hang := make(chan struct{})
	defer close(hang)
	err := check(ctx, func(context.Context) error { <-hang; return nil })
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestServeEndsWithItsContextAndLetsRequestsFinish(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := start(t, func(context.Context) error { close(entered); <-leave; return nil })
	code := make(chan int, 1)
	go func() {
		resp, err := http.Get(s.url + "/healthz")
		if err != nil {
			code <- 0
			return
		}
		defer resp.Body.Close()
		code <- resp.StatusCode
	}()
	<-entered
	s.stop()
	select {
	case err := <-s.ended:
		t.Fatalf("ended with a request open: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	close(leave)
	assert.Equal(t, http.StatusOK, <-code)
	assert.NoError(t, <-s.ended)
}

func TestServeReportsAnAddressThatIsTaken(t *testing.T) {
	s := start(t, nil)
	err := Serve(t.Context(), strings.TrimPrefix(s.url, "http://"), NewRegistry("api"), nil)
	require.ErrorContains(t, err, "telemetry.Serve")
}

func TestServeBoundsTheRequestHeader(t *testing.T) {
	s := start(t, nil)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Pad: "+strings.Repeat("p", 64<<10)+"\r\n\r\n")
	require.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	assert.Contains(t, line, "431")
}
