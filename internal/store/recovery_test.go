package store

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/wedsync/scalability/internal/devstack"
	"github.com/wedsync/scalability/internal/devstack/devstacktest"
	"github.com/wedsync/scalability/models"
)

// ownServer is a Postgres of this test, with the schema.
func ownServer(t *testing.T) (pg *devstack.Postgres, dir string) {
	t.Helper()
	dir = devstacktest.Dir(t)
	pg, err := devstack.StartPostgres(t.Context(), devstack.PostgresOptions{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(pg.Kill)
	require.NoError(t, Migrate(t.Context(), pg.OwnerURL(), devstack.AppRole, nil))
	return pg, dir
}

// start waits, too, until the processes of a killed server are gone.
func start(t *testing.T, pg *devstack.Postgres) {
	t.Helper()
	var err error
	for range 50 {
		if err = pg.Start(t.Context()); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	require.NoError(t, err)
}

// A crash of Postgres in the middle of use: errors that say unavailable, and then, when
// it is back, answers again, without anybody's help.
func TestThePoolRecoversWhenPostgresComesBack(t *testing.T) {
	pg, dir := ownServer(t)
	refusesTheSuperuser(t, pg, dir)
	s, err := Open(t.Context(), Options{URL: pg.AppURL(), MaxConnections: 4, ConnectionTimeout: 2 * time.Second, QueryTimeout: 5 * time.Second})
	require.NoError(t, err)
	defer s.Close()
	s = s.As(system)
	_, err = s.SeedServices(t.Context(), models.DefaultServices("fleet"))
	require.NoError(t, err)

	stop := map[string]func(){
		"killed":  pg.Kill,
		"stopped": func() { require.NoError(t, pg.Stop(context.Background())) },
	}
	for name, end := range stop {
		// Fill the pool, so that each connection has to be found dead.
		var wg sync.WaitGroup
		inFlight := make([]error, 4)
		for i := range inFlight {
			wg.Go(func() {
				inFlight[i] = s.read(context.Background(), "store.Test", func(tx *gorm.DB) error { _, err := exec(tx, "SELECT pg_sleep(4)"); return err })
			})
		}
		require.Eventually(t, func() bool { return s.pool.Stats().InUse == 4 }, 5*time.Second, time.Millisecond)
		time.Sleep(100 * time.Millisecond) // the statements are on their way
		end()
		wg.Wait()
		for _, err := range inFlight {
			require.Error(t, err)
			assert.Equal(t, models.KindUnavailable, models.KindOf(err), "%s: %v", name, err)
		}
		_, err = s.Services(t.Context())
		assertError(t, err, models.KindUnavailable, "")
		assertError(t, s.Check(t.Context()), models.KindUnavailable, "")
		st, err := s.DatabaseStatus(t.Context())
		require.NoError(t, err)
		assert.False(t, st.Reachable)

		start(t, pg)
		all, err := s.Services(t.Context())
		require.NoError(t, err, "%s: the first call after the return", name)
		assert.Len(t, all, 9)
	}

	// Idle connections that die with a fast restart, unnoticed.
	require.NoError(t, s.Check(t.Context()))
	pg.Kill()
	start(t, pg)
	require.NoError(t, s.Check(t.Context()))
}

// refusesTheSuperuser: row level security would be off unnoticed.
func refusesTheSuperuser(t *testing.T, pg *devstack.Postgres, dir string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "credentials.json"))
	require.NoError(t, err)
	var passwords map[string]string
	require.NoError(t, json.Unmarshal(raw, &passwords))
	u, err := url.Parse(pg.AppURL())
	require.NoError(t, err)
	u.User = url.UserPassword("wedsync_superuser", passwords["superuser"])
	_, err = Open(t.Context(), Options{URL: u.String()})
	assertError(t, err, models.KindInvalid, "url")
	require.ErrorContains(t, err, "BYPASSRLS")

	u.User = url.UserPassword(devstack.AppRole, "wrong")
	_, err = Open(t.Context(), Options{URL: u.String()})
	assertError(t, err, models.KindUnavailable, "")
	assert.NotContains(t, err.Error(), "wrong")
}
