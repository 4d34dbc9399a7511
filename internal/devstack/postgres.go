package devstack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// The roles of a cluster: the owner makes and changes tables, the application reads and
// writes rows and owns nothing, so that row level security binds it.
const (
	OwnerRole = "wedsync_owner"
	AppRole   = "wedsync_app"
	Database  = "wedsync"

	superuser = "wedsync_superuser"
)

// PostgresOptions says where a private Postgres lives and what it is for.
type PostgresOptions struct {
	Dir            string    // its folder, made where missing
	Port           int       // 0: a free one
	MaxConnections int       // 0: 200
	Volatile       bool      // for tests: faster, and a crash may lose all
	LogFile        string    // empty: postgres.log in Dir
	Log            io.Writer // what a person should know; nil: nowhere
}

// Postgres is a private cluster on loopback with a database, its owner and the
// application's role.
type Postgres struct {
	server
	passwords pgPasswords
	account   *syscall.Credential
}

// pgPasswords is what credentials.json of the cluster holds.
type pgPasswords struct {
	Superuser string `json:"superuser"`
	Owner     string `json:"owner"`
	App       string `json:"app"`
}

// StartPostgres starts a cluster, made first where Dir has none, and waits until it
// answers and has its database and roles. ctx bounds the start, not the cluster's life.
// A missing installation is a *MissingError.
func StartPostgres(ctx context.Context, o PostgresOptions) (*Postgres, error) {
	var pg *Postgres
	err := attempts(ctx, o.Port, func(port int) (err error) {
		o.Port = port
		if pg, err = preparePostgres(ctx, o); err == nil {
			err = pg.Start(ctx)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := pg.bootstrap(ctx); err != nil {
		pg.Kill()
		return nil, err
	}
	return pg, nil
}

// preparePostgres makes everything but the process.
func preparePostgres(ctx context.Context, o PostgresOptions) (*Postgres, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("devstack: postgres: %w", err)
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	pg := &Postgres{}
	if pg.account, err = serverAccount(); err != nil {
		return nil, err
	}
	programs, err := findPostgres(ctx, 0)
	if err != nil {
		return nil, err
	}
	at, err := home(ctx, dir, programs.program("postgres"), pg.account, o.Log)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(at, "data")
	if made, err := clusterVersion(data); err != nil {
		return nil, err
	} else if made != 0 && made != programs.major {
		if programs, err = findPostgres(ctx, made); err != nil {
			return nil, err
		}
	}
	if err := pg.passwordsAndCluster(ctx, programs, dir, data, o.Log); err != nil {
		return nil, err
	}
	pg.port = o.Port
	pg.spec = postgresSpec(o, programs, dir, data)
	pg.spec.account, pg.spec.ready = pg.account, pg.answers
	return pg, nil
}

// clusterVersion is the major version that made a cluster, 0 where there is none.
func clusterVersion(data string) (int, error) {
	raw, err := os.ReadFile(filepath.Join(data, "PG_VERSION")) //nolint:gosec // a file of ours
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("devstack: postgres: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		return 0, fmt.Errorf("devstack: postgres: %s is not a cluster: %w", data, err)
	}
	return major, nil
}

func postgresSpec(o PostgresOptions, programs postgresPrograms, dir, data string) childSpec {
	connections := o.MaxConnections
	if connections == 0 {
		connections = 200
	}
	settings := []string{
		"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(o.Port), "unix_socket_directories=",
		"max_connections=" + strconv.Itoa(connections), "password_encryption=scram-sha-256",
		"log_timezone=UTC", "timezone=UTC", "log_line_prefix=%m [%p] %u@%d ", "max_wal_size=512MB",
	}
	if o.Volatile {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum_naptime=5min")
	}
	args := []string{"-D", data}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	lost := syscall.SIGINT // the postmaster ends its processes; SIGKILL would leave that to them
	if o.Volatile {
		lost = syscall.SIGQUIT // at once: there is nothing to save
	}
	return childSpec{
		name: "postgres", path: programs.program("postgres"), args: args, env: serverEnv(), dir: data,
		log:        logFile(o.LogFile, dir, "postgres"),
		stopSignal: syscall.SIGINT, // fast: ends sessions, writes a checkpoint
		lostSignal: lost,
	}
}

// serverEnv is a plain environment: what the user set for his own servers (PGDATA, PGPORT,
// a locale) is not meant for ours.
func serverEnv() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LC_ALL=C", "TZ=UTC"}
}

// passwordsAndCluster reads the cluster's passwords, or makes both.
func (p *Postgres) passwordsAndCluster(ctx context.Context, programs postgresPrograms, dir, data string, out io.Writer) error {
	file := filepath.Join(dir, "credentials.json")
	raw, err := os.ReadFile(file) //nolint:gosec // a file of ours
	made, verr := clusterVersion(data)
	switch {
	case verr != nil:
		return verr
	case err == nil && made != 0:
		if err := json.Unmarshal(raw, &p.passwords); err != nil {
			return fmt.Errorf("devstack: %s: %w", file, err)
		}
		return nil
	case made != 0:
		return fmt.Errorf("devstack: the cluster in %s has no readable passwords in %s (%w): put the file back or remove the cluster", data, file, err)
	}
	p.passwords = pgPasswords{Superuser: password(), Owner: password(), App: password()}
	raw, err = json.MarshalIndent(p.passwords, "", "  ")
	if err != nil {
		return fmt.Errorf("devstack: postgres: %w", err)
	}
	if err := writeFileAtomic(file, append(raw, '\n'), 0o600); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "postgres  makes its cluster, with version %d\n", programs.major)
	return p.initdb(ctx, programs, data)
}

// initdb makes the cluster beside its place and moves it there when it is whole.
func (p *Postgres) initdb(ctx context.Context, programs postgresPrograms, data string) error {
	fresh, pwfile := data+".new", data+".password"
	if err := errors.Join(os.RemoveAll(fresh), os.WriteFile(pwfile, []byte(p.passwords.Superuser+"\n"), 0o600), os.MkdirAll(fresh, 0o700)); err != nil {
		return fmt.Errorf("devstack: initdb: %w", err)
	}
	defer func() { _ = os.Remove(pwfile) }()
	if p.account != nil {
		uid, gid := int(p.account.Uid), int(p.account.Gid)
		if err := errors.Join(os.Chown(fresh, uid, gid), os.Chown(pwfile, uid, gid)); err != nil {
			return fmt.Errorf("devstack: initdb: %w", err)
		}
	}
	cmd := exec.CommandContext(ctx, programs.program("initdb"), "-D", fresh, "-U", superuser, "--pwfile", pwfile, //nolint:gosec // a program that was found installed
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
	cmd.Dir, cmd.Env = filepath.Dir(data), serverEnv()
	cmd.SysProcAttr = attributes(childSpec{account: p.account})
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("devstack: initdb: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	if err := os.Rename(fresh, data); err != nil {
		return fmt.Errorf("devstack: initdb: %w", err)
	}
	return nil
}

// Start starts the cluster again, after Stop or Kill, on the same port.
func (p *Postgres) Start(ctx context.Context) error { return p.start(ctx) }

// OwnerURL connects to the database as its owner, for migrations.
func (p *Postgres) OwnerURL() string { return p.url(OwnerRole, p.passwords.Owner, Database) }

// AppURL connects to the database as the application.
func (p *Postgres) AppURL() string { return p.url(AppRole, p.passwords.App, Database) }

func (p *Postgres) url(role, password, database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(role, password), Host: p.Addr(), Path: "/" + database, RawQuery: "sslmode=disable"}
	return u.String()
}

// answers is the probe: a statement as the superuser.
func (p *Postgres) answers(ctx context.Context) error {
	return p.asSuperuser(ctx, func(conn *pgx.Conn) error { return conn.Ping(ctx) })
}

func (p *Postgres) asSuperuser(ctx context.Context, do func(*pgx.Conn) error) (err error) {
	conn, err := pgx.Connect(ctx, p.url(superuser, p.passwords.Superuser, "postgres"))
	if err != nil {
		return fmt.Errorf("devstack: postgres: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		err = errors.Join(err, conn.Close(ctx))
	}()
	return do(conn)
}
