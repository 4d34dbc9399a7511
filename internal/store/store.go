package store

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/wedsync/scalability/models"
)

// Options says which database is used, and how much of it.
type Options struct {
	URL               string        // as the application's role
	MaxConnections    int           // 0: 10
	ConnectionTimeout time.Duration // to get a connection, from the pool or new; 0: 30 s
	QueryTimeout      time.Duration // for one transaction; 0: 60 s
	Contacts          Sealer        // nil: contacts are refused
	Log               *slog.Logger  // nil: nowhere
}

// Sealer encrypts what must not be read in the database, bound to what it belongs to.
type Sealer interface {
	Seal(plain, belongsTo []byte) (keyID string, sealed []byte, err error)
	Current() (keyID string) // of the key that seals
	Open(keyID string, sealed, belongsTo []byte) ([]byte, error)
}

// Bounds of the pool that are nobody's to choose.
const (
	idleLimit     = 5 * time.Minute
	lifetimeLimit = 30 * time.Minute
	checkTimeout  = 2 * time.Second
	slowAfter     = time.Second
)

// Store is a pool of connections, and the scope that is used where a context has none.
type Store struct {
	pool           *sql.DB
	db             *gorm.DB
	scope          models.Scope
	trail          Trail // nil: changes are not audited
	contacts       Sealer
	connectTimeout time.Duration
	queryTimeout   time.Duration
	log            *slog.Logger
}

// Open connects, once, within the connection timeout. It refuses a role that row level
// security does not bind.
func Open(ctx context.Context, o Options) (*Store, error) {
	const op = "store.Open"
	o = o.withDefaults()
	conf, err := pgx.ParseConfig(o.URL)
	if err != nil {
		// The cause may hold the password.
		return nil, &models.Error{Kind: models.KindInvalid, Op: op, Field: "url", Rule: "must be postgres://user:password@host:port/database"}
	}
	conf.ConnectTimeout = o.ConnectionTimeout
	if conf.RuntimeParams["application_name"] == "" {
		conf.RuntimeParams["application_name"] = "wedsync"
	}
	pool := stdlib.OpenDB(*conf, stdlib.OptionAfterConnect(readTimesAsUTC))
	pool.SetMaxOpenConns(o.MaxConnections)
	pool.SetMaxIdleConns(o.MaxConnections)
	pool.SetConnMaxIdleTime(idleLimit)
	pool.SetConnMaxLifetime(lifetimeLimit)
	s := &Store{pool: pool, connectTimeout: o.ConnectionTimeout, queryTimeout: o.QueryTimeout, contacts: o.Contacts, log: o.Log}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(classify(op, err), pool.Close())
	}
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.MaxConnections <= 0 {
		o.MaxConnections = 10
	}
	if o.ConnectionTimeout <= 0 {
		o.ConnectionTimeout = 30 * time.Second
	}
	if o.QueryTimeout <= 0 {
		o.QueryTimeout = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// start reaches the server and sets GORM up over the pool.
func (s *Store) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.connectTimeout)
	defer cancel()
	if err := refuseBypass(ctx, s.pool); err != nil {
		return err
	}
	registerSerializers()
	db, err := gorm.Open(postgres.New(postgres.Config{Conn: s.pool}), &gorm.Config{
		SkipDefaultTransaction: true, // the scope needs one of our own
		DisableAutomaticPing:   true,
		QueryFields:            true, // a column that a newer migration adds is no surprise
		Logger:                 logger.Discard,
		NowFunc:                now,
	})
	if err != nil {
		return err
	}
	s.db = db
	return guard(db)
}

// now has the precision that the database keeps.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// refuseBypass asks the server who we are.
func refuseBypass(ctx context.Context, pool *sql.DB) error {
	var role string
	var bypass bool
	err := pool.QueryRowContext(ctx, "SELECT rolname, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user").Scan(&role, &bypass)
	if err != nil {
		return err
	}
	if bypass {
		return models.Invalid("url", role, "must name a role that row level security binds: neither superuser nor BYPASSRLS")
	}
	return nil
}

// readTimesAsUTC makes times that are read the same on every machine.
func readTimesAsUTC(_ context.Context, conn *pgx.Conn) error {
	conn.TypeMap().RegisterType(&pgtype.Type{
		Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
	return nil
}

// As is the same pool with a scope for the calls whose context has none.
func (s *Store) As(scope models.Scope) *Store {
	other := *s
	other.scope = scope
	return &other
}

// Close ends the pool, for every Store that shares it.
func (s *Store) Close() error { return classify("store.Close", s.pool.Close()) }

// Check says whether the metrics can be read, within two seconds.
func (s *Store) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	ctx = models.WithScope(ctx, models.Scope{Role: models.ScopeSystem, Subject: "health"})
	return s.read(ctx, "store.Check", func(tx *gorm.DB) error {
		_, err := exec(tx, "SELECT FROM scalability_metrics LIMIT 1")
		return err
	})
}

// milliseconds is a duration as a setting of Postgres, at least 1: 0 would be no limit.
func milliseconds(d time.Duration) string {
	return strconv.FormatInt(max(d.Milliseconds(), 1), 10)
}
