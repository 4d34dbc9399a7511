package devstack

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const installScript = "../../deploy/install-deps.sh"

func TestScriptAndPackageAgreeOnVersions(t *testing.T) {
	raw, err := os.ReadFile(installScript)
	require.NoError(t, err)
	version := regexp.MustCompile(`(?m)^temporal_version=(\S+)`).FindSubmatch(raw)
	require.NotNil(t, version)
	assert.Equal(t, TemporalCLIVersion, string(version[1]))
	oldest := regexp.MustCompile(`(?m)^oldest_postgres=(\d+)`).FindSubmatch(raw)
	require.NotNil(t, oldest)
	assert.Equal(t, "15", string(oldest[1]))
	assert.Equal(t, 15, oldestPostgres)
	assert.Contains(t, string(raw), temporalModule+"/cmd/temporal")
}

// sandbox is a machine that has what a test puts there: an own PATH, an own root folder
// and a cache. Stand-ins append what they are called with to the file calls.
type sandbox struct {
	t   *testing.T
	dir string
}

func newSandbox(t *testing.T) sandbox {
	s := sandbox{t, t.TempDir()}
	for _, d := range []string{"bin", "usr/sbin", "cache/bin"} {
		require.NoError(t, os.MkdirAll(filepath.Join(s.dir, d), 0o755))
	}
	for _, tool := range []string{"sh", "sed", "awk", "dirname", "readlink", "sort", "tr", "mkdir", "tee", "rm", "chmod", "cat", "env", "cp"} {
		path, err := exec.LookPath(tool)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, filepath.Join(s.dir, "bin", tool)))
	}
	s.program("bin/id", "echo 1000")
	return s
}

// program puts a shell script at a path of the sandbox.
func (s sandbox) program(path, body string) {
	s.t.Helper()
	at := filepath.Join(s.dir, path)
	require.NoError(s.t, os.MkdirAll(filepath.Dir(at), 0o755))
	_ = os.Remove(at)
	require.NoError(s.t, os.WriteFile(at, []byte("#!/bin/sh\n"+body+"\n"), 0o755))
}

func (s sandbox) postgres(path, version string) {
	s.program(path+"/initdb", "exit 0")
	s.program(path+"/postgres", "echo 'postgres (PostgreSQL) "+version+"'")
}

func (s sandbox) temporal(version string) {
	s.program("cache/bin/temporal", "exit 0")
	require.NoError(s.t, os.WriteFile(filepath.Join(s.dir, "cache/bin/.temporal-"+version), nil, 0o600))
}

// run runs the script and gives what it said and whether it succeeded.
func (s sandbox) run(args ...string) (string, bool) {
	s.t.Helper()
	cmd := exec.Command("/bin/sh", append([]string{installScript}, args...)...)
	cmd.Env = []string{"PATH=" + filepath.Join(s.dir, "bin"), "HOME=" + s.dir, "DEPS_ROOT=" + s.dir,
		"WEDSYNC_CACHE_DIR=" + filepath.Join(s.dir, "cache"), "SANDBOX=" + s.dir}
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

func (s sandbox) calls() string {
	raw, _ := os.ReadFile(filepath.Join(s.dir, "calls"))
	return string(raw)
}

func TestScriptSaysNothingWhereAllIsThere(t *testing.T) {
	for name, at := range map[string]string{
		"Debian": "usr/lib/postgresql/15/bin", "Red Hat": "usr/pgsql-16/bin", "Alpine": "usr/libexec/postgresql17", "SUSE": "usr/lib/postgresql16/bin", "PATH": "bin",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSandbox(t)
			s.postgres(at, "16.4 (some build)")
			s.program("bin/redis-server", "exit 0")
			s.temporal(TemporalCLIVersion)
			out, ok := s.run()
			assert.True(t, ok, out)
			assert.Empty(t, out)
		})
	}
}

func TestScriptNamesWhatIsMissingAndWhatToRun(t *testing.T) {
	apt := func(s sandbox) {
		s.program("bin/apt-get", "exit 1")
		s.program("bin/apt-cache", "echo 'postgresql-13 - old'; echo 'postgresql-16 - x'; echo 'postgresql-9 - older'; echo 'postgresql-16-cron - no'")
	}
	cases := map[string]struct {
		machine func(s sandbox)
		args    []string
		want    []string
		not     []string
	}{
		"no package manager": {func(sandbox) {}, nil, []string{"PostgreSQL 15 or newer, Redis", "no package manager"}, nil},
		"apt without root": {apt, nil, []string{"PostgreSQL 15 or newer, Redis: not installed", "Run as root",
			"apt-get update && env DEBIAN_FRONTEND=noninteractive apt-get install", "postgresql-16 redis-server"}, nil},
		"an old Postgres is none": {func(s sandbox) {
			apt(s)
			s.postgres("usr/lib/postgresql/13/bin", "13.2")
			s.program("bin/redis-server", "")
		}, nil,
			[]string{"PostgreSQL 15 or newer: not installed"}, []string{"Redis"}},
		"only what is asked for": {apt, []string{"--only", "redis"}, []string{"redis-server"}, []string{"PostgreSQL", "Temporal"}},
		"dnf":                    {func(s sandbox) { s.program("bin/dnf", "exit 1") }, nil, []string{"dnf install -y", "postgresql-server", "redis"}, []string{"|"}},
		"temporal without Go":    {func(sandbox) {}, []string{"--only", "temporal"}, []string{"no `go` in PATH"}, []string{"Redis"}},
		"temporal of another version": {func(s sandbox) { s.temporal("v1.0.0") }, []string{"--only", "temporal"},
			[]string{"no `go` in PATH"}, nil},
		"an unknown server": {func(sandbox) {}, []string{"--only", "nginx"}, []string{"usage:"}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSandbox(t)
			c.machine(s)
			out, ok := s.run(c.args...)
			assert.False(t, ok, out)
			for _, w := range c.want {
				assert.Contains(t, out, w)
			}
			for _, n := range c.not {
				assert.NotContains(t, out, n)
			}
		})
	}
}

// aptMachine is a Debian whose apt-get notes what it finds around it and installs Redis.
func aptMachine(t *testing.T, installs string) sandbox {
	s := newSandbox(t)
	s.postgres("usr/lib/postgresql/15/bin", "15.1")
	s.temporal(TemporalCLIVersion)
	s.program("bin/id", "echo 0")
	s.program("bin/apt-cache", "exit 0")
	s.program("bin/systemctl", `echo "systemctl $*" >>"$SANDBOX/calls"`)
	s.program("installed/redis-server", "exit 0")
	s.program("bin/apt-get", `echo "apt-get $*" >>"$SANDBOX/calls"
if [ "$1" = install ]; then
  sh "$SANDBOX/usr/sbin/policy-rc.d"; echo "policy $?" >>"$SANDBOX/calls"
  cat "$SANDBOX/etc/postgresql-common/createcluster.d/wedsync-install.conf" >>"$SANDBOX/calls"
  `+installs+`
fi`)
	return s
}

func TestScriptInstallsWithoutStartingServices(t *testing.T) {
	s := aptMachine(t, `cp "$SANDBOX/installed/redis-server" "$SANDBOX/bin/"`)
	out, ok := s.run()
	require.True(t, ok, out)
	lines := strings.Split(strings.TrimSpace(s.calls()), "\n")
	require.Len(t, lines, 5, s.calls())
	assert.Equal(t, "apt-get update -q", lines[0])
	assert.Contains(t, lines[1], "--no-install-recommends")
	assert.Contains(t, lines[1], "redis-server")
	assert.Equal(t, []string{"policy 101", "create_main_cluster = false", "systemctl disable redis-server"}, lines[2:])
	assert.NoFileExists(t, filepath.Join(s.dir, "usr/sbin/policy-rc.d"), "what kept services from starting is gone")
	assert.NoFileExists(t, filepath.Join(s.dir, "etc/postgresql-common/createcluster.d/wedsync-install.conf"))

	out, ok = s.run()
	assert.True(t, ok)
	assert.Empty(t, out, "a second run finds all there")
}

func TestScriptLeavesNothingBehindWhenInstallingFails(t *testing.T) {
	s := aptMachine(t, `echo "E: no space left"; exit 100`)
	s.program("usr/sbin/policy-rc.d", "exit 101 # the operator's own")
	out, ok := s.run()
	require.False(t, ok)
	assert.Contains(t, out, "E: no space left")
	assert.Contains(t, out, "apt-get could not install redis")
	raw, err := os.ReadFile(filepath.Join(s.dir, "usr/sbin/policy-rc.d"))
	require.NoError(t, err, "a policy of the operator stays")
	assert.Contains(t, string(raw), "the operator's own")
	assert.NoFileExists(t, filepath.Join(s.dir, "etc/postgresql-common/createcluster.d/wedsync-install.conf"))
}

func TestScriptTakesTheNameThatTheReleaseHas(t *testing.T) {
	s := newSandbox(t)
	s.program("bin/id", "echo 0")
	s.program("installed/redis-server", "exit 0")
	s.program("bin/dnf", `case "$*" in *valkey*) cp "$SANDBOX/installed/redis-server" "$SANDBOX/bin/" ;; *) echo "no match"; exit 1 ;; esac`)
	out, ok := s.run("--only", "redis")
	assert.True(t, ok, out)
}
