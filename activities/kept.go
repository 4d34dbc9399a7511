package activities

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/wedsync/scalability/models"
)

// slowTimeout bounds a read of what is kept: it may outlive the observation that began
// it, which goes on with the last copy.
const slowTimeout = 20 * time.Second

// patience is how long a copy is not taken while a newer one is on its way. It ends before
// the time of the part, so that the copy is not taken for a gap.
const patience = 3 * partTimeout / 4

// forever is longer than any copy lives.
const forever = time.Duration(math.MaxInt64)

// kept remembers a slow part of each service: there is one of each, so it is bounded. The
// zero value is empty.
type kept[T any] struct {
	mu sync.Mutex
	of map[models.ServiceName]*copied[T]
}

// copied is one part as it was last read.
type copied[T any] struct {
	value   T
	at      time.Time
	known   bool
	reading *reading[T] // under way; nil: none
}

// reading is one read, for all who wait for it.
type reading[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// asked says whose part is wanted, when, how old a copy may be to be taken as it is, and
// how old where a newer one cannot be had.
type asked struct {
	service       models.ServiceName
	now           time.Time
	fresh, usable time.Duration
}

// get gives a part. A fresh copy is given at once, and so is one that is only usable while
// a newer one is read beside it, so that nobody who is in a hurry waits. With no fresh time
// at all each call waits for a reading. Without a usable copy a failure is the answer.
func (k *kept[T]) get(ctx context.Context, a asked, read func(context.Context) (T, error)) (T, error) {
	k.mu.Lock()
	c := k.part(a.service)
	age := a.now.Sub(c.at)
	if c.known && age < a.fresh {
		defer k.mu.Unlock()
		return c.value, nil
	}
	old, usable := c.value, c.known && age < a.usable
	r := c.reading
	if r == nil {
		r = &reading[T]{done: make(chan struct{})}
		c.reading = r
		go k.renew(context.WithoutCancel(ctx), c, r, a.now, read)
	}
	k.mu.Unlock()
	if usable && a.fresh > 0 {
		return old, nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var err error
	select {
	case <-r.done:
		if r.err == nil {
			return r.value, nil
		}
		err = r.err
	case <-ctx.Done():
		err = ctx.Err()
	}
	if usable {
		return old, nil
	}
	var none T
	return none, err
}

// part gives the entry of a service.
func (k *kept[T]) part(s models.ServiceName) *copied[T] {
	if k.of == nil {
		k.of = map[models.ServiceName]*copied[T]{}
	}
	if k.of[s] == nil {
		k.of[s] = &copied[T]{}
	}
	return k.of[s]
}

// renew reads a part and keeps what was read; a failure keeps the copy before.
func (k *kept[T]) renew(ctx context.Context, c *copied[T], r *reading[T], now time.Time, read func(context.Context) (T, error)) {
	ctx, cancel := context.WithTimeout(ctx, slowTimeout)
	defer cancel()
	r.value, r.err = read(ctx)
	if r.err == nil {
		r.err = carriable(r.value) // what cannot travel must not replace what can
	}
	k.mu.Lock()
	if r.err == nil {
		c.value, c.at, c.known = r.value, now, true
	}
	c.reading = nil
	k.mu.Unlock()
	close(r.done)
}
