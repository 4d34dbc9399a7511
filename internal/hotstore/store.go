package hotstore

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/wedsync/scalability/models"
)

// defaultTimeout bounds connecting, writing and reading, each.
const defaultTimeout = 300 * time.Millisecond

// Options configure a Store.
type Options struct {
	URL     string        // redis://[user:password@]host:port/database, or rediss:// with TLS
	Timeout time.Duration // of connecting, writing and reading, each; zero is 300 ms
	Log     *slog.Logger  // nil discards
	TLS     *tls.Config   // of rediss://; nil: the system's certificates
}

// Store is a connection pool to one Redis. It is safe for concurrent use.
type Store struct {
	client *redis.Client
	log    *slog.Logger
}

// Open makes a store. Redis need not be up: calls fail until it is, and recover by
// themselves. There are no retries: a dead Redis costs milliseconds, a hung one the
// time-out, and what is kept here is sent anew a second later anyway.
func Open(o Options) (*Store, error) {
	opts, err := redis.ParseURL(o.URL)
	if err != nil {
		// The cause may quote the URL with its password.
		return nil, models.Invalid("redis url", "", "must be redis://host:port/database or rediss://…")
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	opts.DialTimeout, opts.ReadTimeout, opts.WriteTimeout, opts.PoolTimeout = o.Timeout, o.Timeout, o.Timeout, o.Timeout
	if opts.TLSConfig != nil && o.TLS != nil {
		settings := o.TLS.Clone()
		settings.ServerName = opts.TLSConfig.ServerName
		opts.TLSConfig = settings
	}
	opts.MaxRetries, opts.DialerRetries = -1, 1
	opts.ContextTimeoutEnabled = true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	redis.SetLogger(clientLog{o.Log})
	return &Store{client: redis.NewClient(opts), log: o.Log}, nil
}

// Check says whether Redis answers.
func (s *Store) Check(ctx context.Context) error {
	return failed("hotstore.Check", s.client.Ping(ctx).Err())
}

// Close ends the connections.
func (s *Store) Close() error {
	if err := s.client.Close(); err != nil {
		return fmt.Errorf("hotstore.Close: %w", err)
	}
	return nil
}

// setJSON keeps a value for a time.
func (s *Store) setJSON(ctx context.Context, op, key string, v any, lifetime time.Duration) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return failed(op, s.client.Set(ctx, key, raw, lifetime).Err())
}

// getJSON reads a value; one that expired or was never kept is KindNotFound.
func (s *Store) getJSON(ctx context.Context, op, key string, v any) error {
	raw, err := s.client.Get(ctx, key).Bytes()
	if errors.Is(err, redis.Nil) {
		return models.NotFound("key", key)
	}
	if err != nil {
		return failed(op, err)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("%s: %s: %w", op, key, err)
	}
	return nil
}

// failed classifies an error of Redis; all mean that it cannot be had now.
func failed(op string, err error) error {
	if err == nil {
		return nil
	}
	return models.Unavailable(op, err)
}

// clientLog brings what the client library writes into our log: it repeats what the
// errors of the calls say, so it is for debugging.
type clientLog struct{ log *slog.Logger }

// Printf writes one line.
func (c clientLog) Printf(ctx context.Context, format string, v ...any) {
	c.log.DebugContext(ctx, "redis client", "text", fmt.Sprintf(format, v...))
}
