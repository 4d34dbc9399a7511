package devstack_test

import (
	"encoding/json"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/devstack"
)

func TestKilledChildComesBackAndDevFileFollows(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s, out := open(t, root)
	addr := freeAddr(t)
	require.NoError(t, s.RunProcess(t.Context(), helper(t, s, "web", addr)))
	require.NoError(t, s.Publish(devstack.DevFile{API: "http://" + addr, Tokens: devstack.DevTokens{Admin: "a"}}))

	before := readDev(t, root)
	assert.Equal(t, "http://"+addr, before.API)
	assert.Equal(t, "a", before.Tokens.Admin)
	assert.Equal(t, os.Getpid(), before.PID)
	require.NotZero(t, before.Children["web"])
	info, err := os.Stat(filepath.Join(root, "dev.json"))
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), "it holds tokens")

	for range 2 {
		pid := readDev(t, root).Children["web"]
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		eventually(t, "a new pid is published", func() bool {
			now := readDev(t, root).Children["web"]
			return now != 0 && now != pid
		})
		eventually(t, "it answers at its address again", func() bool { return answers(addr) })
	}
	assert.Contains(t, out.String(), "ended: signal: killed; starting it again in 200ms")
	eventually(t, "the terminal says so", func() bool { return strings.Contains(out.String(), "web runs again") })
}

func TestHeldChildStaysStoppedUntilReleased(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s, _ := open(t, root)
	addr := freeAddr(t)
	require.NoError(t, s.RunProcess(t.Context(), helper(t, s, "web", addr)))
	require.NoError(t, s.Publish(devstack.DevFile{}))

	hold := filepath.Join(root, "hold", "web")
	require.NoError(t, os.WriteFile(hold, nil, 0o600))
	eventually(t, "it is not among the children", func() bool { return readDev(t, root).Children["web"] == 0 })
	assert.Never(t, func() bool { return answers(addr) }, 700*time.Millisecond, 50*time.Millisecond)
	stops, err := os.ReadFile(filepath.Join(root, "stops"))
	require.NoError(t, err)
	assert.Equal(t, "web\n", string(stops), "it was asked to stop, not killed")

	require.NoError(t, os.Remove(hold))
	eventually(t, "it is back", func() bool { return answers(addr) && readDev(t, root).Children["web"] != 0 })
}

func TestStopEndsAllInReverseOrder(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s, _ := open(t, root)
	for _, name := range []string{"first", "second", "third"} {
		require.NoError(t, s.RunProcess(t.Context(), helper(t, s, name, freeAddr(t))))
	}
	require.NoError(t, s.Publish(devstack.DevFile{}))
	children := readDev(t, root).Children
	require.Len(t, children, 3)

	require.NoError(t, s.Stop())
	stops, err := os.ReadFile(filepath.Join(root, "stops"))
	require.NoError(t, err)
	assert.Equal(t, "third\nsecond\nfirst\n", string(stops))
	for name, pid := range children {
		assert.False(t, alive(pid), name)
	}
	assert.NoFileExists(t, filepath.Join(root, "dev.json"))
	assert.NoFileExists(t, filepath.Join(root, "children.json"))
	require.NoError(t, s.Stop(), "a second stop has nothing to do")
	require.Error(t, s.RunProcess(t.Context(), helper(t, s, "late", freeAddr(t))))
}

func TestStopKillsTheDeafAndSaysSo(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s, _ := open(t, root)
	require.NoError(t, s.RunProcess(t.Context(), devstack.Process{Name: "deaf", Env: append(os.Environ(), "DEVSTACK_HELPER=deaf")}))
	require.NoError(t, s.Publish(devstack.DevFile{}))
	pid := readDev(t, root).Children["deaf"]
	eventually(t, "it ignores the signal", func() bool { return ignoresTerm(pid) })
	require.ErrorContains(t, s.Stop(), "deaf")
	assert.False(t, alive(pid))
	assert.NoFileExists(t, filepath.Join(root, "dev.json"))
}

// ignoresTerm reads the mask of ignored signals.
func ignoresTerm(pid int) bool {
	out, _ := exec.Command("sh", "-c", "grep SigIgn /proc/$0/status | cut -f2", itoa(pid)).Output()
	mask := strings.TrimSpace(string(out))
	return len(mask) > 4 && strings.ContainsAny(mask[len(mask)-4:len(mask)-3], "4567cdef") // bit 15 of 1..64
}

func TestFailedStartShowsTheEndOfTheLog(t *testing.T) {
	t.Parallel()
	s, _ := open(t, t.TempDir())
	p := helper(t, s, "web", freeAddr(t))
	good := p.Env
	p.Env = append(os.Environ(), "DEVSTACK_HELPER=broken")
	err := s.RunProcess(t.Context(), p)
	var failed *devstack.StartError
	require.ErrorAs(t, err, &failed)
	assert.Contains(t, err.Error(), "the reason is in the log")
	assert.Contains(t, err.Error(), "exit status 3")

	p.Env = good
	require.NoError(t, s.RunProcess(t.Context(), p), "what did not start may be started again")
	require.ErrorContains(t, s.RunProcess(t.Context(), p), "runs already")
	require.ErrorContains(t, s.RunProcess(t.Context(), devstack.Process{Name: "../web"}), "no name")
}

func TestSecondStackOnAFolderIsRefusedAndToldWhoHasIt(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	first, _ := open(t, root)
	require.NoError(t, first.Publish(devstack.DevFile{API: "http://127.0.0.1:1"}))
	_, err := devstack.Open(root, &terminal{})
	var locked *devstack.LockedError
	require.ErrorAs(t, err, &locked)
	assert.Equal(t, devstack.LockedError{Root: root, PID: os.Getpid(), API: "http://127.0.0.1:1"}, *locked)
	assert.Contains(t, err.Error(), root)
	assert.FileExists(t, filepath.Join(root, "dev.json"), "the refused one leaves the files of the other")
	require.NoError(t, first.Stop())
	open(t, root)
}

func TestKilledSupervisorLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	root, addr := t.TempDir(), freeAddr(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "DEVSTACK_HELPER=stack", "HELPER_ROOT="+root, "HELPER_ADDR="+addr)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	eventually(t, "the supervised process answers", func() bool { return answers(addr) })
	eventually(t, "dev.json is there", func() bool { _, err := os.Stat(filepath.Join(root, "dev.json")); return err == nil })
	pid := readDev(t, root).Children["web"]

	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	eventually(t, "its child dies with it", func() bool { return !alive(pid) })
	s, _ := open(t, root)
	assert.NoFileExists(t, filepath.Join(root, "dev.json"), "what it says is not true any more")
	require.NoError(t, s.RunProcess(t.Context(), helper(t, s, "web", addr)))
}

func TestStaleChildrenAreEndedAndNamed(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	start := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "DEVSTACK_HELPER=sleep")
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		return cmd
	}
	stale, other := start(), start()
	raw, err := json.Marshal(map[string]any{
		"worker":  map[string]any{"pid": stale.Process.Pid, "started": devstack.StartOf(stale.Process.Pid)},
		"another": map[string]any{"pid": other.Process.Pid, "started": "another time"},
		"gone":    map[string]any{"pid": 1 << 22, "started": "x"},
		"nothing": map[string]any{},
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(root, "children.json"), raw, 0o600))

	_, out := open(t, root)
	assert.False(t, alive(stale.Process.Pid))
	assert.True(t, alive(other.Process.Pid), "a later process with the same number is not ours")
	assert.Contains(t, out.String(), "ending worker (pid "+itoa(stale.Process.Pid)+"), left behind")
	assert.NotContains(t, out.String(), "another")
}

func TestPortsAreRememberedAndTakenOnesNamed(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	busy := taken.Addr().(*net.TCPAddr).Port

	s, out := open(t, root)
	port, err := s.Port("api", busy)
	require.NoError(t, err)
	assert.Greater(t, port, busy, "the next free one")
	assert.Contains(t, out.String(), "port "+itoa(busy)+" is taken by devstack.test (pid "+itoa(os.Getpid())+"); api uses "+itoa(port))
	other, err := s.Port("metrics", port)
	require.NoError(t, err)
	assert.NotEqual(t, port, other, "a port is given once")
	assert.Contains(t, out.String(), "is taken by api of this stack; metrics uses "+itoa(other))
	anyPort, err := s.Port("any", 0)
	require.NoError(t, err)
	assert.NotZero(t, anyPort)
	require.NoError(t, s.Stop())

	require.NoError(t, taken.Close())
	again, out := open(t, root)
	same, err := again.Port("api", busy)
	require.NoError(t, err)
	assert.Equal(t, port, same, "a second start uses the same port")
	same, err = again.Port("any", 0)
	require.NoError(t, err)
	assert.Equal(t, anyPort, same)
	assert.Empty(t, out.String())
}

func TestSecretsAreMadeOnceAndKeptPrivate(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s, _ := open(t, root)
	token, err := s.Secret("token")
	require.NoError(t, err)
	assert.Len(t, token, 64)
	other, err := s.Secret("other")
	require.NoError(t, err)
	assert.NotEqual(t, token, other)
	info, err := os.Stat(filepath.Join(root, "secrets.json"))
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	require.NoError(t, s.Stop())

	again, _ := open(t, root)
	same, err := again.Secret("token")
	require.NoError(t, err)
	assert.Equal(t, token, same)
}

func TestTableHasTheAddressesAndNoPassword(t *testing.T) {
	t.Parallel()
	out := &terminal{}
	require.NoError(t, devstack.DevFile{
		API: "http://127.0.0.1:8080", Dashboard: "http://127.0.0.1:8080/dashboard/scalability", Postgres: "postgres://app:hunter2@127.0.0.1:55432/wedsync",
		Tokens: devstack.DevTokens{Admin: "hunter2"},
	}.Table(out))
	assert.Contains(t, out.String(), "http://127.0.0.1:8080/api/docs")
	assert.Contains(t, out.String(), "127.0.0.1:55432/wedsync")
	assert.NotContains(t, out.String(), "hunter2")
	assert.NotContains(t, out.String(), "Fleet", "what is not there has no row")
}

func TestHTTPReadyWantsA200(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := &http.Server{Handler: http.NotFoundHandler()}
	go func() { _ = srv.Serve(l) }()
	defer srv.Close()
	require.ErrorContains(t, devstack.HTTPReady("http://"+l.Addr().String())(t.Context()), "404")
}
