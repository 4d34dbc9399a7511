package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/wedsync/scalability/models"
)

//go:embed migrations/*.sql
var migrations embed.FS

// partitionsAhead is how many days of partitions stand ready after a migration; from then
// on the maintenance workflow keeps them.
const partitionsAhead = 14

// Migration is one step of the schema and whether this database has it.
type Migration struct {
	Version   int64
	Name      string
	Applied   bool
	AppliedAt time.Time // zero where it is not applied
}

// Migrate brings the schema up to date as its owner, gives the application's role exactly
// the privileges that it needs, and makes the first partitions. It may run again at any
// time; runs side by side wait for each other.
func Migrate(ctx context.Context, ownerURL, appRole string, log *slog.Logger) error {
	const op = "store.Migrate"
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return classify(op, asOwner(ctx, ownerURL, func(db *sql.DB) error {
		quoted, err := boundRole(ctx, db, appRole)
		if err != nil {
			return err
		}
		return alone(ctx, db, func() error {
			if err := up(ctx, db, log); err != nil {
				return err
			}
			return prepare(ctx, db, quoted)
		})
	}))
}

// MigrationStatus lists the migrations of this binary, oldest first.
func MigrationStatus(ctx context.Context, ownerURL string) ([]Migration, error) {
	list := []Migration{}
	err := asOwner(ctx, ownerURL, func(db *sql.DB) error {
		p, err := provider(db)
		if err != nil {
			return err
		}
		states, err := p.Status(ctx)
		for _, st := range states {
			list = append(list, Migration{
				Version: st.Source.Version, Name: path.Base(st.Source.Path),
				Applied: st.State == goose.StateApplied, AppliedAt: st.AppliedAt.UTC(),
			})
		}
		return err
	})
	if err != nil {
		return nil, classify("store.MigrationStatus", err)
	}
	return list, nil
}

// asOwner lends a small pool. Nothing of the application runs in it.
func asOwner(ctx context.Context, url string, do func(*sql.DB) error) error {
	conf, err := pgx.ParseConfig(url)
	if err != nil {
		return models.Invalid("ownerUrl", "", "must be postgres://user:password@host:port/database")
	}
	// One of the functions resolves names in fixed schemas: tables stand in public.
	conf.RuntimeParams["search_path"] = "public"
	conf.RuntimeParams["application_name"] = "wedsync migrate"
	db := stdlib.OpenDB(*conf)
	db.SetMaxOpenConns(2) // the lock, and the work
	if err := db.PingContext(ctx); err != nil {
		return errors.Join(err, db.Close())
	}
	return errors.Join(do(db), db.Close())
}

// boundRole keeps the application from running with a role that row level security does
// not bind, or that could change the tables; it gives the role's name as SQL writes it.
func boundRole(ctx context.Context, db *sql.DB, role string) (quoted string, err error) {
	var bypass, owner bool
	err = db.QueryRowContext(ctx, `
		SELECT quote_ident(rolname), rolsuper OR rolbypassrls, rolname = current_user OR pg_has_role(rolname, current_user, 'MEMBER')
		FROM pg_roles WHERE rolname = $1`, role).Scan(&quoted, &bypass, &owner)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", models.Invalid("appRole", role, "must be a role of this server: create it first, with LOGIN")
	case err != nil:
		return "", err
	case bypass:
		return "", models.Invalid("appRole", role, "must be bound by row level security: neither superuser nor BYPASSRLS")
	case owner:
		return "", models.Invalid("appRole", role, "must neither be the owner of the tables nor a member of it")
	}
	return quoted, nil
}

// migrationLock is the advisory lock that one migration holds; the number is ours.
const migrationLock = 7_326_451_180_264_713

// alone runs while no other process migrates this database.
func alone(ctx context.Context, db *sql.DB, do func() error) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", int64(migrationLock)); err != nil {
		return errors.Join(err, conn.Close())
	}
	err = do()
	// The lock ends with the session too, should this fail.
	_, unlock := conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(migrationLock))
	return errors.Join(err, unlock, conn.Close())
}

func provider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, files, goose.WithDisableGlobalRegistry(true), goose.WithAllowOutofOrder(true))
}

func up(ctx context.Context, db *sql.DB, log *slog.Logger) error {
	p, err := provider(db)
	if err != nil {
		return err
	}
	results, err := p.Up(ctx)
	for _, r := range results {
		log.InfoContext(ctx, "migration applied", "name", path.Base(r.Source.Path), "took", r.Duration)
	}
	return err
}

// prepare sets the application's privileges and makes partitions, in one transaction, so
// that a running application never meets fewer privileges than it has.
func prepare(ctx context.Context, db *sql.DB, role string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // sql.ErrTxDone after the commit
	for _, statement := range privileges(role) {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("privileges: %w", err)
		}
	}
	// Row level security binds the owner, so the owner says in which scope it works.
	if _, err := tx.ExecContext(ctx, "SELECT set_config('wedsync.role', 'system', true), set_config('wedsync.subject', 'migrate', true)"); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "SELECT wedsync_ensure_partitions(now(), $1)", partitionsAhead); err != nil {
		return fmt.Errorf("partitions: %w", err)
	}
	return tx.Commit()
}

// privileges are all that the application's role has. It deletes nothing but contacts,
// feeds and forecasts past retention, changes no entry of the audit log, and reaches partitions by way of their tables alone.
func privileges(role string) []string {
	return []string{
		"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM " + role,
		"REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM " + role,
		"GRANT USAGE ON SCHEMA public TO " + role,
		"GRANT SELECT, INSERT, UPDATE ON seasons, season_plans, season_gates, capacity_certificates TO " + role,
		"GRANT SELECT, INSERT, UPDATE ON services, weddings, reservations, scaling_states, scalability_decisions, replica_starts, role_bindings, service_keys, access_policies TO " + role,
		"GRANT SELECT, INSERT ON scalability_metrics, scaling_evaluations, wedding_predictions, system_health_snapshots, security_audit_logs, service_accounts, revocations TO " + role,
		"GRANT SELECT, INSERT, UPDATE ON wedding_days TO " + role,
		"GRANT SELECT, INSERT, UPDATE, DELETE ON wedding_contacts, calendar_feeds TO " + role, // what nobody needs is forgotten
		"GRANT SELECT, INSERT, UPDATE, DELETE ON hourly_loads, load_forecasts TO " + role,     // policies bound what is deleted to what is old
		"GRANT SELECT ON policy_revisions TO " + role,
		"GRANT SELECT, INSERT ON security_alerts TO " + role,
		"GRANT UPDATE (acknowledged_at, acknowledged_by, note) ON security_alerts TO " + role, // what was found stays as it was found
		"GRANT SELECT, UPDATE ON threat_watch TO " + role,
		"GRANT SELECT, INSERT, UPDATE ON audit_streams TO " + role,
		"GRANT SELECT, INSERT ON audit_checkpoints, audit_partitions TO " + role,
		"GRANT EXECUTE ON FUNCTION wedsync_drop_audit_partition(text, integer) TO " + role,
		"GRANT EXECUTE ON FUNCTION wedsync_ensure_partitions(timestamptz, integer), wedsync_drop_partitions(timestamptz, integer, integer) TO " + role,
	}
}
