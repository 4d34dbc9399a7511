package authn

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/wedsync/scalability/models"
)

// What is read of the database is given again for a second, so that a revocation holds
// within two in every process.
const (
	recentFor     = time.Second
	recentTimeout = time.Second
	recentMax     = 10_000
)

// recent reads through a memory of one second. Callers that need the newest ask for it.
type recent[T any] struct {
	read  func(ctx context.Context, key string) (T, error)
	now   func() time.Time
	group singleflight.Group

	mu   sync.Mutex
	held map[string]heldValue[T]
}

type heldValue[T any] struct {
	value T
	at    time.Time // not after the read began
}

func newRecent[T any](read func(context.Context, string) (T, error), now func() time.Time) *recent[T] {
	return &recent[T]{read: read, now: now, held: map[string]heldValue[T]{}}
}

// get gives a value that was read at most a second ago, or an error: an old value is never
// given in place of one that cannot be read.
func (r *recent[T]) get(ctx context.Context, key string) (T, error) {
	if v, ok := r.remembered(key); ok {
		return v, nil
	}
	done := r.group.DoChan(key, func() (any, error) {
		// The read outlives the caller that began it: others wait for it too.
		round, cancel := context.WithTimeout(context.WithoutCancel(ctx), recentTimeout)
		defer cancel()
		at := r.now()
		v, err := r.read(round, key)
		if err == nil {
			r.remember(key, heldValue[T]{v, at})
		}
		return v, err
	})
	select {
	case res := <-done:
		v, _ := res.Val.(T)
		return v, res.Err
	case <-ctx.Done():
		var none T
		return none, models.Unavailable("authn", errors.Join(errors.New("the read took too long"), ctx.Err()))
	}
}

func (r *recent[T]) remembered(key string) (T, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h, ok := r.held[key]
	age := r.now().Sub(h.at)
	return h.value, ok && age >= 0 && age < recentFor
}

func (r *recent[T]) remember(key string, v heldValue[T]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.held) >= recentMax {
		clear(r.held) // a flood of keys costs reads, never memory
	}
	r.held[key] = v
}
