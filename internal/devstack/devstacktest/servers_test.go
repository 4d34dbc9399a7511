package devstacktest_test

import (
	"context"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/wedsync/scalability/internal/devstack/devstacktest"
)

func TestMain(m *testing.M) { os.Exit(devstacktest.Main(m)) }

func TestEachTestHasADatabaseOfItsOwn(t *testing.T) {
	for _, name := range []string{"first", "second"} {
		t.Run(name, func(t *testing.T) {
			owner, app := devstacktest.Postgres(t)
			conn, err := pgx.Connect(t.Context(), owner)
			require.NoError(t, err)
			defer conn.Close(context.Background())
			_, err = conn.Exec(t.Context(), "CREATE TABLE thing (id int)")
			require.NoError(t, err, "the owner makes tables, and finds none of another test")

			appConn, err := pgx.Connect(t.Context(), app)
			require.NoError(t, err)
			defer appConn.Close(context.Background())
			_, err = appConn.Exec(t.Context(), "CREATE TABLE other (id int)")
			require.ErrorContains(t, err, "permission denied")
			var super, bypass, owns bool
			require.NoError(t, appConn.QueryRow(t.Context(),
				"SELECT rolsuper, rolbypassrls, rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = current_user").Scan(&super, &bypass, &owns))
			assert.False(t, super || bypass || owns)
		})
	}
}

func TestEachTestHasAnEmptyRedis(t *testing.T) {
	for _, name := range []string{"first", "second"} {
		t.Run(name, func(t *testing.T) {
			options, err := redis.ParseURL(devstacktest.Redis(t))
			require.NoError(t, err)
			c := redis.NewClient(options)
			defer c.Close()
			n, err := c.DBSize(t.Context()).Result()
			require.NoError(t, err)
			assert.Zero(t, n)
			require.NoError(t, c.Set(t.Context(), "key", "value", 0).Err())
		})
	}
}

func TestTemporalServesItsNamespace(t *testing.T) {
	c, err := client.DialContext(t.Context(), client.Options{HostPort: devstacktest.Temporal(t)})
	require.NoError(t, err)
	defer c.Close()
	_, err = c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "default"})
	require.NoError(t, err)
}
