package devstack

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// RedisOptions says where a private Redis lives and what it is for.
type RedisOptions struct {
	Dir      string // its folder, made where missing
	Port     int    // 0: a free one
	Volatile bool   // for tests: keeps nothing on disk
	LogFile  string // empty: redis.log in Dir
}

// Redis is a private Redis on loopback, without a password.
type Redis struct{ server }

// RedisDatabases is how many numbered databases a private Redis has.
const RedisDatabases = 1024

// StartRedis starts a Redis and waits until it answers. ctx bounds the start, not its life.
// A missing installation is a *MissingError.
func StartRedis(ctx context.Context, o RedisOptions) (*Redis, error) {
	var r *Redis
	err := attempts(ctx, o.Port, func(port int) (err error) {
		o.Port = port
		if r, err = prepareRedis(o); err == nil {
			err = r.Start(ctx)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

func prepareRedis(o RedisOptions) (*Redis, error) {
	path, err := inPath("redis-server", "redis")
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("devstack: redis: %w", err)
	}
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	args := []string{
		"--bind", "127.0.0.1", "--port", strconv.Itoa(o.Port), "--dir", dir, "--daemonize", "no",
		"--databases", strconv.Itoa(RedisDatabases), "--save", "", "--appendonly", yesNo(!o.Volatile),
	}
	r := &Redis{}
	r.port = o.Port
	r.spec = childSpec{
		name: "redis", path: path, args: args, env: serverEnv(), dir: dir,
		log: logFile(o.LogFile, dir, "redis"), ready: r.answers,
	}
	return r, nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// Start starts Redis again, after Stop or Kill, on the same port.
func (r *Redis) Start(ctx context.Context) error { return r.start(ctx) }

// URL is the address of database 0.
func (r *Redis) URL() string { return r.DatabaseURL(0) }

// DatabaseURL is the address of one of the RedisDatabases databases.
func (r *Redis) DatabaseURL(n int) string { return fmt.Sprintf("redis://%s/%d", r.Addr(), n) }

func (r *Redis) answers(ctx context.Context) error {
	client := redis.NewClient(&redis.Options{Addr: r.Addr(), MaxRetries: -1})
	defer func() { _ = client.Close() }()
	if err := client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("devstack: redis: %w", err)
	}
	return nil
}
