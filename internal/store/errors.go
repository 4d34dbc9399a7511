package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/wedsync/scalability/models"
)

// classify gives an error its kind. What the server did not answer is unavailable.
func classify(op string, err error) error {
	if err == nil {
		return nil
	}
	var known *models.Error
	if errors.As(err, &known) {
		if known.Op != "" {
			return err
		}
		named := *known
		named.Op = op
		return &named
	}
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		return fromServer(op, answer)
	}
	if lost(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return models.Unavailable(op, err)
	}
	return fmt.Errorf("%s: %w", op, err)
}

// lost says that the connection, not the statement, is at fault.
func lost(err error) bool {
	var network net.Error
	var connect *pgconn.ConnectError
	var answer *pgconn.PgError
	switch {
	case errors.As(err, &answer):
		return kindOf(answer.Code) == models.KindUnavailable
	case errors.As(err, &network), errors.As(err, &connect), pgconn.Timeout(err):
		return true
	}
	for _, end := range []error{driver.ErrBadConn, sql.ErrConnDone, sql.ErrTxDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, end) {
			return true
		}
	}
	return pgconn.SafeToRetry(err) // a connection that pgx closed itself after an earlier failure
}

// fromServer keeps what the server said as the cause.
func fromServer(op string, answer *pgconn.PgError) error {
	e := &models.Error{Kind: kindOf(answer.Code), Op: op, Err: answer}
	switch {
	case answer.Code == "42P01" || answer.Code == "42883" || answer.Code == "42703":
		e.Rule = "the schema is missing or too old: run wedsync migrate"
	case e.Kind == models.KindConflict:
		e.Field, e.Rule = fieldOf(answer.ConstraintName), "is taken already"
	case answer.Code == "23503":
		e.Field, e.Rule = fieldOf(answer.ConstraintName), "does not exist"
	case answer.Code == "22021" || answer.Code == "22P05":
		e.Rule = ruleText
	case answer.Code == "42501":
		e.Rule = "is not allowed in this scope"
	}
	return e
}

// kindOf maps SQLSTATE, by code and else by class.
func kindOf(code string) models.Kind {
	switch code {
	case "23505":
		return models.KindConflict
	case "23503":
		return models.KindNotFound
	case "42501":
		return models.KindForbidden
	case "25006", // read only: a standby took over the address
		"40001", "40P01", // serialisation, deadlock: another attempt helps
		"42P01", "42883", "42703", // no table, function or column: migrations did not run yet
		"55P03", // lock timeout
		"0A000": // a cached plan that a migration made void; it is made anew
		return models.KindUnavailable
	}
	if len(code) != 5 {
		return models.KindInternal
	}
	switch code[:2] {
	case "08", "28", "3D", "53", "57", "58": // connection, sign-in, database, resources, operator, system
		return models.KindUnavailable
	case "22", "23": // the data, a rule of the table
		return models.KindInvalid
	default:
		return models.KindInternal
	}
}

// fieldOf names the JSON field that a constraint is about.
func fieldOf(constraint string) string {
	switch constraint {
	case "weddings_reference_key":
		return "reference"
	case "wedding_predictions_wedding_fkey", "wedding_contacts_wedding_fkey":
		return "weddingId"
	case "calendar_feeds_source_key":
		return "source"
	case "services_pkey":
		return "name"
	default:
		return "id"
	}
}

// untouched explains an UPDATE that met no row although the row can be read: row level
// security keeps the scope from changing it.
func untouched(field string, value any) error {
	e := models.Invalid(field, value, "may not be changed in this scope")
	e.Kind = models.KindForbidden
	return e
}

// asConflict finds a conflict in an error chain.
func asConflict(err error, e **models.Error) bool {
	return errors.As(err, e) && (*e).Kind == models.KindConflict
}
