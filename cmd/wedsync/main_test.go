package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// run executes a command line and gives what it printed.
func run(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := root()
	var out, errOut bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&errOut)
	cmd.SetArgs(args)
	err = cmd.ExecuteContext(t.Context())
	return out.String(), errOut.String(), err
}

func TestEveryCommandExplainsItself(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		assert.NotEmpty(t, c.Short, c.CommandPath())
		assert.NotContains(t, c.Short, ".", "%s: a short help is a phrase", c.CommandPath())
		if c.HasSubCommands() {
			for _, sub := range c.Commands() {
				walk(sub)
			}
			return
		}
		assert.NotNil(t, c.RunE, "%s does nothing", c.CommandPath())
	}
	walk(root())
	out, _, err := run(t, "--help")
	require.NoError(t, err)
	for _, name := range []string{"dev", "api", "worker", "fleet", "migrate", "replay", "demo", "spike", "simulate", "decisions", "access", "token", "config"} {
		assert.Contains(t, out, "\n  "+name+" ")
	}
}

func TestConfigShowsNoSecret(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://app:hunter22@127.0.0.1/wedsync")
	t.Setenv("AUTH_TOKEN_SECRET", strings.Repeat("s3cr3t", 8))
	out, _, err := run(t, "config")
	require.NoError(t, err)
	assert.Contains(t, out, "SCALABILITY_CPU_THRESHOLD_WARNING")
	assert.NotContains(t, out, "hunter22")
	assert.NotContains(t, out, "s3cr3t")
}

func TestABadValueNamesTheVariableAndWhatIsAllowed(t *testing.T) {
	t.Setenv("SCALABILITY_ERROR_RATE_THRESHOLD", "five")
	_, _, err := run(t, "worker")
	require.Error(t, err)
	assert.Contains(t, err.Error(), "SCALABILITY_ERROR_RATE_THRESHOLD")
	assert.Contains(t, err.Error(), "a number from 0 to 1")
	assert.Contains(t, err.Error(), "DATABASE_URL is not set")
}

func TestTokensAreNotSignedInProduction(t *testing.T) {
	t.Setenv("WEDSYNC_ENV", "production")
	t.Setenv("AUTH_TOKEN_SECRET", strings.Repeat("x", 40))
	t.Setenv("AUTH_ISSUER", "here")
	_, _, err := run(t, "token", "--subject", "anna")
	require.ErrorContains(t, err, "production")
	t.Setenv("WEDSYNC_ENV", "development")
	out, _, err := run(t, "token", "--subject", "anna")
	require.NoError(t, err)
	assert.Len(t, strings.Split(strings.TrimSpace(out), "."), 3)
}

func TestBadArgumentsOfAccessAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no prefix":    {[]string{"access", "grant", "anna", "scalability_admin"}, "SUBJECT"},
		"nobody":       {[]string{"access", "grant", "user:", "scalability_admin"}, "SUBJECT"},
		"unknown role": {[]string{"access", "revoke", "user:anna", "king"}, "ROLE"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := run(t, c.args...)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestReplayNamesTheFileItCannotRead(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.csv")
	_, _, err := run(t, "replay", "--trace", missing, "--root", t.TempDir())
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.Contains(t, err.Error(), missing)
}
