package store

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/devstack"
	"github.com/wedsync/scalability/internal/devstack/devstacktest"
	"github.com/wedsync/scalability/models"
)

func TestMain(m *testing.M) { os.Exit(devstacktest.Main(m)) }

var system = models.Scope{Role: models.ScopeSystem, Subject: "test"}

// noon is a time of the tests, with the precision that Postgres keeps.
var noon = time.Date(2027, 6, 12, 12, 0, 0, 123456000, time.UTC)

// database is a fresh one with the schema.
func database(t *testing.T) (ownerURL, appURL string) {
	t.Helper()
	ownerURL, appURL = devstacktest.Postgres(t)
	require.NoError(t, Migrate(t.Context(), ownerURL, devstack.AppRole, nil))
	return ownerURL, appURL
}

func open(t *testing.T, url string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{URL: url, MaxConnections: 8, ConnectionTimeout: 10 * time.Second, QueryTimeout: 20 * time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// fresh is a store of an empty, migrated database, in scope system.
func fresh(t *testing.T) *Store {
	t.Helper()
	_, appURL := database(t)
	return open(t, appURL).As(system)
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// try runs one statement in a scope, in a transaction that is undone, and gives how many
// rows it met, or the SQLSTATE of its refusal.
func try(t *testing.T, conn *pgx.Conn, scope models.Scope, statement string, args ...any) (rows int64, code string) {
	t.Helper()
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback(t.Context())) }()
	if scope.Role != "" {
		_, err = tx.Exec(t.Context(), "SELECT set_config('wedsync.role', $1, true), set_config('wedsync.subject', $2, true)", string(scope.Role), scope.Subject)
		require.NoError(t, err)
	}
	tag, err := tx.Exec(t.Context(), statement, args...)
	if err != nil {
		var answer *pgconn.PgError
		require.ErrorAs(t, err, &answer)
		return 0, answer.Code
	}
	return tag.RowsAffected(), ""
}

func aService() models.Service { return models.DefaultServices("fleet")[0] }

func aWedding(reference, coordinator string) models.Wedding {
	w, err := models.Wedding{
		Reference: "any", TimeZone: "Europe/London", StartsAt: noon, EndsAt: noon.Add(10 * time.Hour),
		Guests: 120, Region: "eu-west", Status: models.WeddingConfirmed, Coordinator: coordinator,
	}.Normalise(time.LoadLocation)
	if err != nil {
		panic(err)
	}
	w.Reference = reference
	return w
}

func aReservation(id string) models.Reservation {
	return models.Reservation{
		ID: id, Service: models.ServiceAPI, Kind: models.ReservationFloor, Replicas: 5, From: noon, Until: noon.Add(time.Hour),
		Holder: "user:olga", Reason: "a test", CreatedAt: noon, CreatedBy: "user:olga",
	}
}

func aDecision(id string, status models.DecisionStatus) models.Decision {
	return models.Decision{
		ID: id, Service: models.ServiceAPI, CreatedAt: noon, ExpiresAt: noon.Add(time.Minute), RequestedBy: "user:olga",
		Class: models.ClassFloor, Direction: models.DirectionUp, FromReplicas: 2, ToReplicas: 5, Sentence: "5 replicas", Status: status,
	}
}

func verified(id string) models.OutcomeReport {
	return models.OutcomeReport{DecisionID: id, Outcome: models.OutcomeVerified, Reason: "serves well", FinishedAt: noon.Add(2 * time.Minute)}
}
