package hotstore

import (
	"context"
	_ "embed" // the script is part of the program
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wedsync/scalability/models"
)

//go:embed take.lua
var takeText string

// LimiterOptions configure a Limiter.
type LimiterOptions struct {
	Replicas int // of the process that limits; below 1 counts as 1
}

// Limiter lets at most a number of requests of a key through in any window, exactly, for
// all processes that share the Redis, by the clock of Redis.
//
// While Redis is away each process counts for itself, against the limit divided by the
// replicas and at least 1; it never opens. It tries Redis once a second and returns to it
// by itself. Neither log is carried over: in a window in which Redis went or came back, a
// key gets at most twice the limit through.
type Limiter struct {
	store    *Store
	script   *redis.Script
	replicas int
	redis    gate
	local    *localLimiter
}

// Limiter makes a rate limiter.
func (s *Store) Limiter(o LimiterOptions) *Limiter {
	return &Limiter{
		store: s, script: redis.NewScript(takeText), replicas: max(1, o.Replicas),
		local: newLocalLimiter(localKeys),
	}
}

// Take counts one request of a key. The error says that the caller's time ran out or that
// limit or window are none; a Redis that is away is not an error.
func (l *Limiter) Take(ctx context.Context, key string, limit int, window time.Duration) (models.Quota, error) {
	if limit < 1 {
		return models.Quota{}, models.Invalid("limit", limit, "must be at least 1")
	}
	if window < time.Millisecond {
		return models.Quota{}, models.Invalid("window", window, "must be at least 1ms")
	}
	key = fmt.Sprintf("ratelimit:%d:%s", window.Milliseconds(), key)
	if l.redis.pass(time.Now()) {
		quota, err := l.shared(ctx, key, limit, window)
		if err == nil {
			if l.redis.answered() {
				l.store.log.InfoContext(ctx, "rate limiter is back on redis")
			}
			return quota, nil
		}
		if ctx.Err() != nil { // says nothing about Redis
			return models.Quota{}, models.Unavailable("hotstore.Take", ctx.Err())
		}
		if l.redis.failed(time.Now()) {
			l.store.log.WarnContext(ctx, "rate limiter counts in this process: redis is away", "error", err, "replicas", l.replicas)
		}
	}
	return l.local.take(key, max(1, limit/l.replicas), window, time.Now()), nil
}

// shared counts in Redis.
func (l *Limiter) shared(ctx context.Context, key string, limit int, window time.Duration) (models.Quota, error) {
	r, err := l.script.Run(ctx, l.store.client, []string{key}, limit, window.Microseconds()).Int64Slice()
	if err != nil {
		return models.Quota{}, err
	}
	if len(r) != 3 {
		return models.Quota{}, fmt.Errorf("script gave %d values", len(r))
	}
	return quota(r[0] == 1, limit, int(r[1]), window, time.Duration(r[2])*time.Microsecond), nil
}

func quota(allowed bool, limit, counted int, window, reset time.Duration) models.Quota {
	return models.Quota{
		Allowed: allowed, Limit: limit, Remaining: max(0, limit-counted),
		WindowSeconds: wholeSeconds(window), ResetSeconds: wholeSeconds(reset),
	}
}

// wholeSeconds rounds up: who waits that long gets in.
func wholeSeconds(d time.Duration) int {
	return int(max(0, (d+time.Second-1)/time.Second))
}
