package devstacktest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wedsync/scalability/internal/devstack"
)

// The servers of this process. They end with it: the kernel signals them when it dies, and
// the next process removes the folders that dead ones left.
var (
	shared    = sync.OnceValues(newFolder)
	postgres  = sync.OnceValues(startPostgres)
	redisOnce = sync.OnceValues(startRedis)
	temporal  = sync.OnceValues(startTemporal)

	redisDatabases atomic.Int64
	running        sync.Map               // name → stopper
	folder         atomic.Pointer[string] // what shared made
)

type stopper interface{ Stop(context.Context) error }

// Postgres is a fresh, empty database: as its owner, for migrations, and as the application.
// It is dropped when the test ends.
func Postgres(t testing.TB) (ownerURL, appURL string) {
	t.Helper()
	pg := PostgresServer(t)
	name := "test_" + random()
	ownerURL, appURL, err := pg.CreateDatabase(t.Context(), name)
	if err != nil {
		t.Fatalf("devstacktest: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := pg.DropDatabase(ctx, name); err != nil {
			t.Logf("devstacktest: %v", err)
		}
	})
	return ownerURL, appURL
}

// PostgresServer is the cluster that the tests of this process share. A test that stops or
// kills one starts its own with devstack.StartPostgres in Dir.
func PostgresServer(t testing.TB) *devstack.Postgres {
	t.Helper()
	return must(t, postgres)
}

// Redis is the URL of an empty database. It is emptied when the test ends.
func Redis(t testing.TB) string {
	t.Helper()
	r := must(t, redisOnce)
	n := redisDatabases.Add(1)
	if n >= devstack.RedisDatabases {
		t.Fatalf("devstacktest: more than %d Redis databases in one process", devstack.RedisDatabases)
	}
	t.Cleanup(func() {
		client := redis.NewClient(&redis.Options{Addr: r.Addr(), DB: int(n)})
		defer func() { _ = client.Close() }()
		if err := client.FlushDB(context.Background()).Err(); err != nil {
			t.Logf("devstacktest: %v", err)
		}
	})
	return r.DatabaseURL(int(n))
}

// Temporal is host:port of the frontend that the tests of this process share, with the
// namespace "default" and the search attributes of the product.
func Temporal(t testing.TB) string {
	t.Helper()
	return must(t, temporal).Addr()
}

// Dir is a folder for a server of one test, which accounts of servers can pass through, as
// they cannot through t.TempDir() when we are root.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(must(t, shared), "own-")
	if err == nil {
		err = os.Chmod(dir, 0o711)
	}
	if err != nil {
		t.Fatalf("devstacktest: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Main is for TestMain: it runs the tests, stops the servers and gives the exit code. It
// is a courtesy: without it the servers end with the process all the same, and the next
// test process removes their folder.
func Main(m *testing.M) int {
	code := m.Run()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var errs []error
	running.Range(func(_, s any) bool {
		errs = append(errs, s.(stopper).Stop(ctx))
		return true
	})
	if dir := folder.Load(); dir != nil {
		errs = append(errs, os.RemoveAll(*dir))
	}
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(os.Stderr, "devstacktest:", err)
		return max(code, 1)
	}
	return code
}

func must[T any](t testing.TB, once func() (T, error)) T {
	t.Helper()
	v, err := once()
	if err != nil {
		t.Fatalf("devstacktest: this test needs a real server: %v", err)
	}
	return v
}

func startPostgres() (*devstack.Postgres, error) {
	return started("postgres", func(ctx context.Context, dir string) (*devstack.Postgres, error) {
		return devstack.StartPostgres(ctx, devstack.PostgresOptions{Dir: dir, Volatile: true})
	})
}

func startRedis() (*devstack.Redis, error) {
	return started("redis", func(ctx context.Context, dir string) (*devstack.Redis, error) {
		return devstack.StartRedis(ctx, devstack.RedisOptions{Dir: dir, Volatile: true})
	})
}

func startTemporal() (*devstack.Temporal, error) {
	return started("temporal", func(ctx context.Context, dir string) (*devstack.Temporal, error) {
		return devstack.StartTemporal(ctx, devstack.TemporalOptions{Dir: dir, Volatile: true})
	})
}

func started[T stopper](name string, start func(context.Context, string) (T, error)) (T, error) {
	var none T
	dir, err := shared()
	if err != nil {
		return none, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	s, err := start(ctx, filepath.Join(dir, name))
	if err != nil {
		return none, err
	}
	running.Store(name, s)
	return s, nil
}

const (
	prefix   = "wedsync-test-"
	lockName = "lock"
)

// newFolder makes the folder of this process, locked as long as it lives, after it has
// removed those that no living process holds.
func newFolder() (string, error) {
	sweep()
	dir, err := os.MkdirTemp("", prefix)
	if err != nil {
		return "", err
	}
	folder.Store(&dir)
	if err := os.Chmod(dir, 0o711); err != nil {
		return "", err
	}
	if !lock(dir, os.O_CREATE) {
		return "", fmt.Errorf("devstacktest: cannot lock %s", dir)
	}
	return dir, nil
}

func sweep() {
	folders, _ := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	for _, dir := range folders {
		if lock(dir, 0) {
			_ = os.RemoveAll(dir)
		}
	}
}

// lock takes the folder's lock and keeps it until this process ends. A folder without a
// lock file is just being made by another process.
func lock(dir string, flags int) bool {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|flags, 0o600)
	if err != nil {
		return false
	}
	fd := int(f.Fd())
	kept.Store(dir, f)
	return syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

var kept sync.Map // a lock file that is collected is closed, and its lock lost

func random() string {
	var b [6]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
