package devstack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/devstack"
	"github.com/wedsync/scalability/internal/devstack/devstacktest"
)

// TestMain makes the test binary play the processes that are supervised.
func TestMain(m *testing.M) {
	if mode := os.Getenv("DEVSTACK_HELPER"); mode != "" {
		os.Exit(play(mode))
	}
	os.Exit(devstacktest.Main(m))
}

func play(mode string) int {
	switch mode {
	case "serve": // answers, and writes its name down when it is asked to stop
		l, err := net.Listen("tcp", os.Getenv("HELPER_ADDR"))
		if err != nil {
			fmt.Println(err)
			return 1
		}
		go func() { _ = http.Serve(l, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})) }()
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		<-stop
		f, err := os.OpenFile(os.Getenv("HELPER_STOPS"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, _ = f.WriteString(os.Getenv("HELPER_NAME") + "\n")
			_ = f.Close()
		}
		return 0
	case "deaf": // does not stop when it is asked to
		signal.Ignore(syscall.SIGTERM)
		time.Sleep(time.Hour)
	case "sleep":
		time.Sleep(time.Hour)
	case "broken":
		fmt.Println("the reason is in the log")
		return 3
	case "stack": // a supervisor
		s, err := devstack.Open(os.Getenv("HELPER_ROOT"), os.Stdout)
		if err == nil {
			err = s.RunProcess(context.Background(), devstack.Process{Name: "web", Env: append(os.Environ(), "DEVSTACK_HELPER=serve")})
		}
		if err == nil {
			err = s.Publish(devstack.DevFile{API: "http://" + os.Getenv("HELPER_ADDR")})
		}
		fmt.Println("published", err)
		time.Sleep(time.Hour)
	}
	return 2
}

// terminal keeps what a stack says.
type terminal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (t *terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.Write(p)
}

func (t *terminal) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}

// open opens a stack that is stopped when the test ends.
func open(t *testing.T, root string) (*devstack.Stack, *terminal) {
	t.Helper()
	out := &terminal{}
	s, err := devstack.Open(root, out)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop() })
	return s, out
}

// helper is a process that answers at addr.
func helper(t *testing.T, s *devstack.Stack, name, addr string) devstack.Process {
	t.Helper()
	return devstack.Process{
		Name: name, Ready: devstack.HTTPReady("http://" + addr),
		Env: append(os.Environ(), "DEVSTACK_HELPER=serve", "HELPER_NAME="+name, "HELPER_ADDR="+addr, "HELPER_STOPS="+filepath.Join(s.Root(), "stops")),
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	port, err := devstack.FreePort()
	require.NoError(t, err)
	return fmt.Sprintf("127.0.0.1:%d", port)
}

func readDev(t *testing.T, root string) devstack.DevFile {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "dev.json"))
	require.NoError(t, err)
	var d devstack.DevFile
	require.NoError(t, json.Unmarshal(raw, &d), string(raw))
	return d
}

func answers(addr string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return devstack.HTTPReady("http://"+addr)(ctx) == nil
}

func alive(pid int) bool {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(raw), ") Z")
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 20*time.Second, 20*time.Millisecond, what)
}
