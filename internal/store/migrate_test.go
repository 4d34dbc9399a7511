package store

import (
	"context"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm/schema"

	"github.com/wedsync/scalability/internal/devstack"
	"github.com/wedsync/scalability/internal/devstack/devstacktest"
	"github.com/wedsync/scalability/models"
)

func TestMigrateMayRunAgainAndSideBySide(t *testing.T) {
	ownerURL, appURL := devstacktest.Postgres(t)
	before, err := MigrationStatus(t.Context(), ownerURL)
	require.NoError(t, err)
	files, err := fs.Glob(migrations, "migrations/*.sql")
	require.NoError(t, err)
	require.Len(t, before, len(files))
	for _, m := range before {
		assert.False(t, m.Applied, m.Name)
		assert.Zero(t, m.AppliedAt)
	}

	var wg sync.WaitGroup
	errs := make([]error, 3)
	for i := range errs {
		wg.Go(func() { errs[i] = Migrate(context.Background(), ownerURL, devstack.AppRole, nil) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}

	after, err := MigrationStatus(t.Context(), ownerURL)
	require.NoError(t, err)
	for i, m := range after {
		if i > 0 {
			assert.Greater(t, m.Version, after[i-1].Version, "in order, each once")
		}
		assert.True(t, m.Applied, m.Name)
		assert.WithinDuration(t, time.Now(), m.AppliedAt, time.Hour)
	}
	require.NoError(t, open(t, appURL).Check(t.Context()), "the application can use what was made")
}

func TestMigrateTellsWhatItApplied(t *testing.T) {
	ownerURL, _ := devstacktest.Postgres(t)
	var text strings.Builder
	require.NoError(t, Migrate(t.Context(), ownerURL, devstack.AppRole, slog.New(slog.NewTextHandler(&text, nil))))
	assert.Contains(t, text.String(), "00001_core.sql")
	text.Reset()
	require.NoError(t, Migrate(t.Context(), ownerURL, devstack.AppRole, slog.New(slog.NewTextHandler(&text, nil))))
	assert.Empty(t, text.String())
}

func TestMigrateRefusesAnApplicationThatIsNotBound(t *testing.T) {
	ownerURL, _ := devstacktest.Postgres(t)
	for name, role := range map[string]string{
		"the owner": devstack.OwnerRole, "a superuser": "wedsync_superuser", "nobody": "no_such_role",
	} {
		t.Run(name, func(t *testing.T) {
			err := Migrate(t.Context(), ownerURL, role, nil)
			require.Error(t, err)
			assert.Equal(t, models.KindInvalid, models.KindOf(err))
			assert.ErrorContains(t, err, role)
		})
	}
	list, err := MigrationStatus(t.Context(), ownerURL)
	require.NoError(t, err)
	assert.False(t, list[0].Applied, "nothing was changed")
}

func TestUnusableAddressesAreRefusedWithoutTheirPassword(t *testing.T) {
	_, err := Open(t.Context(), Options{URL: "postgres://app:hunter2@host:port/db"})
	require.Error(t, err)
	assert.Equal(t, models.KindInvalid, models.KindOf(err))
	assert.NotContains(t, err.Error(), "hunter2")
	err = Migrate(t.Context(), "postgres://app:hunter2@host:port/db", "app", nil)
	require.Error(t, err)
	assert.Equal(t, models.KindInvalid, models.KindOf(err))
	assert.NotContains(t, err.Error(), "hunter2")
}

func TestOpenNeedsAServer(t *testing.T) {
	port, err := devstack.FreePort()
	require.NoError(t, err)
	_, err = Open(t.Context(), Options{URL: "postgres://a:b@127.0.0.1:" + strconv.Itoa(port) + "/c", ConnectionTimeout: time.Second})
	require.Error(t, err)
	assert.Equal(t, models.KindUnavailable, models.KindOf(err))
}

// Every field of a row has its column, and every column its field: GORM and the
// migrations cannot drift apart unseen.
func TestModelsAndTablesAgree(t *testing.T) {
	ownerURL, _ := database(t)
	conn := connect(t, ownerURL)
	registerSerializers()
	for _, row := range []interface{ TableName() string }{
		models.Service{}, models.Wedding{}, models.Reservation{}, models.ScalingState{}, models.Decision{},
		models.WeddingPrediction{}, models.HealthSnapshot{}, models.MetricRollup{}, models.AuditEntry{}, models.Binding{}, models.CalendarFeed{}, contactRow{}, models.Season{}, models.SeasonPlan{}, models.SeasonGate{}, models.CapacityProof{}, evaluation{},
	} {
		t.Run(row.TableName(), func(t *testing.T) {
			s, err := schema.Parse(row, &sync.Map{}, schema.NamingStrategy{})
			require.NoError(t, err)
			rows, err := conn.Query(t.Context(), "SELECT column_name FROM information_schema.columns WHERE table_name = $1", row.TableName())
			require.NoError(t, err)
			columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
			require.NoError(t, err)
			assert.ElementsMatch(t, s.DBNames, columns)
		})
	}
}

func TestTheIndexesOfTheGuideAreThere(t *testing.T) {
	ownerURL, _ := database(t)
	conn := connect(t, ownerURL)
	for _, want := range []string{"idx_scalability_metrics_timestamp", "idx_scalability_decisions_created_at", "idx_wedding_predictions_date"} {
		var found bool
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT to_regclass($1) IS NOT NULL", want).Scan(&found))
		assert.True(t, found, want)
	}
}
