package devstack_test

import (
	"context"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/wedsync/scalability/internal/devstack"
	"github.com/wedsync/scalability/internal/devstack/devstacktest"
)

func itoa(n int) string { return strconv.Itoa(n) }

func port(t *testing.T, s *devstack.Stack, name string) int {
	t.Helper()
	p, err := s.Port(name, 0)
	require.NoError(t, err)
	return p
}

func asOwner(t *testing.T, url, statement string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	_, err = conn.Exec(ctx, statement)
	return err
}

func TestPostgresComesBackAfterAKillAndItsDataIsFoundByTheNextStart(t *testing.T) {
	t.Parallel()
	root := filepath.Join(devstacktest.Dir(t), ".wedsync")
	s, out := open(t, root)
	pg, err := s.RunPostgres(t.Context(), port(t, s, "postgres"))
	require.NoError(t, err)
	require.NoError(t, s.Publish(devstack.DevFile{Postgres: pg.AppURL()}))
	require.NoError(t, asOwner(t, pg.OwnerURL(), "CREATE TABLE kept AS SELECT 42 AS answer"))

	pid := readDev(t, root).Children["postgres"]
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	eventually(t, "it answers again, with what was committed", func() bool {
		return asOwner(t, pg.OwnerURL(), "SELECT answer FROM kept") == nil
	})
	assert.NotEqual(t, pid, readDev(t, root).Children["postgres"])
	assert.FileExists(t, filepath.Join(root, "logs", "postgres.log"))
	assert.Contains(t, out.String(), "postgres  ready in")
	url, last := pg.OwnerURL(), readDev(t, root).Children["postgres"]
	require.NoError(t, s.Stop())
	assert.False(t, alive(last))

	again, _ := open(t, root)
	pg, err = again.RunPostgres(t.Context(), port(t, again, "postgres"))
	require.NoError(t, err)
	assert.Equal(t, url, pg.OwnerURL(), "same port, same password")
	require.NoError(t, asOwner(t, pg.OwnerURL(), "SELECT answer FROM kept"))
}

func TestRedisKeepsItsDataAcrossStarts(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for i, want := range []string{"", "value"} {
		s, _ := open(t, root)
		r, err := s.RunRedis(t.Context(), port(t, s, "redis"))
		require.NoError(t, err)
		c := redis.NewClient(&redis.Options{Addr: r.Addr()})
		got, _ := c.Get(t.Context(), "key").Result()
		assert.Equal(t, want, got, "start %d", i)
		require.NoError(t, c.Set(t.Context(), "key", "value", 0).Err())
		require.NoError(t, c.Close())
		require.NoError(t, s.Stop())
	}
}

func TestTemporalKeepsItsRunsAcrossAHoldAndTheNextStart(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s, _ := open(t, root)
	temporal, err := s.RunTemporal(t.Context(), port(t, s, "temporal"), port(t, s, "temporal-ui"))
	require.NoError(t, err)
	require.NoError(t, s.Publish(devstack.DevFile{}))
	require.NoError(t, devstack.HTTPReady(temporal.UIURL())(t.Context()))
	c, err := client.Dial(client.Options{HostPort: temporal.Addr()})
	require.NoError(t, err)
	defer c.Close()
	_, err = c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "kept", TaskQueue: "nobody"}, "Nothing")
	require.NoError(t, err)
	found := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := c.DescribeWorkflowExecution(ctx, "kept", "")
		return err == nil
	}
	pid := readDev(t, root).Children["temporal"]
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	eventually(t, "a killed server is back with its runs, on the same port", found)
	require.NoError(t, s.Stop())

	again, _ := open(t, root)
	_, err = again.RunTemporal(t.Context(), port(t, again, "temporal"), port(t, again, "temporal-ui"))
	require.NoError(t, err)
	eventually(t, "the next start finds them", found)
}
