package hotstore

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/wedsync/scalability/models"
)

const (
	grantsFresh    = time.Second     // an answer this young is given again
	grantsHold     = 2 * time.Second // a revocation holds within this
	grantsTimeout  = time.Second     // of one read of the bindings
	grantsMax      = 10_000          // subjects remembered in a process
	grantsLifetime = 900 * time.Second
)

// Grantor reads the roles that a subject holds now, from the database.
type Grantor interface {
	Grants(ctx context.Context, subject string, now time.Time) (models.Grants, error)
}

// Grants reads the roles of subjects through a memory of one second in this process, so
// that a revocation holds within two. When the database cannot be read nobody has a
// role: the error is passed on and the caller denies.
//
// What was read is also written to rbac:permissions:<subject> with its revision, for
// people and tools to look at. It is never read back to allow something: a process that
// stalled between its read and its write would bring a revoked role back to all others.
type Grants struct {
	store *Store
	next  Grantor
	group singleflight.Group
	redis gate

	mu   sync.Mutex
	held map[string]heldGrants
}

// heldGrants were read at a time not before at.
type heldGrants struct {
	grants models.Grants
	at     time.Time
}

func (h heldGrants) fresh(now time.Time) bool {
	age := now.Sub(h.at)
	return age >= 0 && age < grantsFresh
}

// stalled says that the process slept between the read and its use by this caller.
func (h heldGrants) stalled(now time.Time) bool { return now.Sub(h.at) >= grantsHold }

// CachedGrants puts the memory before a reader of the bindings.
func (s *Store) CachedGrants(next Grantor) *Grants {
	return &Grants{store: s, next: next, held: map[string]heldGrants{}}
}

// Grants gives the roles of a subject, read less than a second before now or, where
// callers share one read, less than two.
func (g *Grants) Grants(ctx context.Context, subject string, now time.Time) (models.Grants, error) {
	if h, ok := g.remembered(subject); ok && h.fresh(now) {
		return h.grants, nil
	}
	done := g.group.DoChan(subject, func() (any, error) {
		// The read outlives the caller that started it: others wait for it too.
		round, cancel := context.WithTimeout(context.WithoutCancel(ctx), grantsTimeout)
		defer cancel()
		return g.read(round, subject, now)
	})
	select {
	case r := <-done:
		h, _ := r.Val.(heldGrants)
		if r.Err == nil && h.stalled(now) {
			return models.Grants{}, models.Unavailable("hotstore.Grants", errors.New("the read took too long"))
		}
		return h.grants, r.Err
	case <-ctx.Done():
		return models.Grants{}, models.Unavailable("hotstore.Grants", ctx.Err())
	}
}

// FreshGrants asks the database, and remembers the answer for the others.
func (g *Grants) FreshGrants(ctx context.Context, subject string, now time.Time) (models.Grants, error) {
	round, cancel := context.WithTimeout(ctx, grantsTimeout)
	defer cancel()
	h, err := g.read(round, subject, now)
	return h.grants, err
}

// read asks the database, remembers the answer and publishes it.
func (g *Grants) read(ctx context.Context, subject string, now time.Time) (heldGrants, error) {
	grants, err := g.next.Grants(ctx, subject, now)
	if err != nil {
		return heldGrants{}, err
	}
	h := heldGrants{grants, now}
	g.remember(subject, h)
	g.publish(ctx, subject, grants)
	return h, nil
}

func (g *Grants) remembered(subject string) (heldGrants, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	h, ok := g.held[subject]
	return h, ok
}

// remember keeps an answer unless the memory is full of fresh ones.
func (g *Grants) remember(subject string, h heldGrants) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.held[subject]; !known && len(g.held) >= grantsMax {
		for s, old := range g.held {
			if !old.fresh(h.at) {
				delete(g.held, s)
			}
		}
		if len(g.held) >= grantsMax {
			return
		}
	}
	g.held[subject] = h
}

// publish writes what was read; without Redis nothing is lost.
func (g *Grants) publish(ctx context.Context, subject string, grants models.Grants) {
	if !g.redis.pass(time.Now()) {
		return
	}
	err := g.store.setJSON(ctx, "hotstore.Grants", grantsKey(subject), grants, grantsLifetime)
	if err == nil {
		g.redis.answered()
		return
	}
	if g.redis.failed(time.Now()) {
		g.store.log.WarnContext(ctx, "grants are not published to redis", "error", err)
	}
}

func grantsKey(subject string) string { return "rbac:permissions:" + subject }
