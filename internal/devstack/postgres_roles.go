package devstack

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// bootstrap makes the two roles and the database, or brings them in order.
func (p *Postgres) bootstrap(ctx context.Context) error {
	return p.asSuperuser(ctx, func(conn *pgx.Conn) error {
		for role, password := range map[string]string{OwnerRole: p.passwords.Owner, AppRole: p.passwords.App} {
			if err := ensureRole(ctx, conn, role, password); err != nil {
				return err
			}
		}
		var there bool
		if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", Database).Scan(&there); err != nil {
			return fmt.Errorf("devstack: postgres: %w", err)
		}
		if there {
			return nil
		}
		return createDatabase(ctx, conn, Database)
	})
}

// ensureRole makes a role that can log in and nothing else. Passwords are hexadecimal
// digits of ours, so they need no quoting.
func ensureRole(ctx context.Context, conn *pgx.Conn, role, password string) error {
	var there bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role).Scan(&there); err != nil {
		return fmt.Errorf("devstack: postgres: %w", err)
	}
	verb := "CREATE"
	if there {
		verb = "ALTER"
	}
	statement := fmt.Sprintf("%s ROLE %s LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD '%s'",
		verb, quoted(role), password)
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("devstack: postgres: role %s: %w", role, err)
	}
	return nil
}

// createDatabase makes a database of the owner that the application may connect to, and
// nobody else.
func createDatabase(ctx context.Context, conn *pgx.Conn, name string) error {
	database := quoted(name)
	for _, statement := range []string{
		"CREATE DATABASE " + database + " OWNER " + OwnerRole,
		"REVOKE ALL ON DATABASE " + database + " FROM PUBLIC",
		"GRANT CONNECT ON DATABASE " + database + " TO " + AppRole,
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("devstack: postgres: database %s: %w", name, err)
		}
	}
	return nil
}

func quoted(name string) string {
	return pgx.Identifier{name}.Sanitize() //nolint:misspell // a name of pgx
}

// CreateDatabase makes a further, empty database of the owner, say for one test.
func (p *Postgres) CreateDatabase(ctx context.Context, name string) (ownerURL, appURL string, err error) {
	err = p.asSuperuser(ctx, func(conn *pgx.Conn) error { return createDatabase(ctx, conn, name) })
	if err != nil {
		return "", "", err
	}
	return p.url(OwnerRole, p.passwords.Owner, name), p.url(AppRole, p.passwords.App, name), nil
}

// DropDatabase removes a database and ends the sessions in it.
func (p *Postgres) DropDatabase(ctx context.Context, name string) error {
	return p.asSuperuser(ctx, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+quoted(name)+" WITH (FORCE)"); err != nil {
			return fmt.Errorf("devstack: postgres: drop %s: %w", name, err)
		}
		return nil
	})
}
