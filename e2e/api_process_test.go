//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// anotherAPI starts one more API process on the stack's servers, with changes to the
// environment of the first, and gives its address.
func (s *stack) anotherAPI(t *testing.T, port int, changes ...string) string {
	t.Helper()
	require.NoError(t, s.read())
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", s.Children["api"]))
	require.NoError(t, err)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	env := strings.Split(string(bytes.Trim(raw, "\x00")), "\x00")
	env = append(env, "API_ADDRESS="+address, "METRICS_ADDRESS=127.0.0.1:0", "WEDSYNC_SITE_URL=http://"+address)
	cmd := exec.Command("../bin/wedsync", "api")
	cmd.Env = append(env, changes...) // of a repeated name the last counts
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	eventually(t, time.Minute, "another API answers", func() bool {
		res, err := http.Get("http://" + address + "/api/scalability/health")
		if err != nil {
			return false
		}
		return res.Body.Close() == nil
	})
	return "http://" + address
}

// freePort is one that nobody listens on now.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// at is the stack as seen through another API process.
func (s *stack) at(api string) *stack {
	other := *s
	other.API = api
	return &other
}
