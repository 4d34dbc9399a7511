package hotstore

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/wedsync/scalability/models"
)

const (
	throttlesKey      = "security:throttles"
	throttlesLifetime = 60 * time.Second // the watcher writes them again every few seconds
	throttlesFresh    = time.Second
)

// PutThrottles tells all API processes which refused calls are slowed down.
func (s *Store) PutThrottles(ctx context.Context, all []models.Throttle) error {
	if all == nil {
		all = []models.Throttle{}
	}
	return s.setJSON(ctx, "hotstore.PutThrottles", throttlesKey, all, throttlesLifetime)
}

// Throttles say what is slowed down, from a memory that is read anew when it is a second old.
// Only refused calls ask, so no good call waits for it. While Redis is away what was known holds until it ends by
// itself, in each process.
type Throttles struct {
	store *Store
	group singleflight.Group
	redis gate

	mu       sync.Mutex
	read     time.Time
	networks map[string]time.Time
	accounts map[string]time.Time
}

// Throttles makes a reader of what PutThrottles wrote.
func (s *Store) Throttles() *Throttles { return &Throttles{store: s} }

// NetworkThrottle is until when refused calls from a network are few; zero: they are not
// counted apart.
func (t *Throttles) NetworkThrottle(ctx context.Context, network string, now time.Time) time.Time {
	return t.until(ctx, now, func() time.Time { return t.networks[network] })
}

// AccountThrottle is until when refused calls for an account are slow; zero: they are not.
func (t *Throttles) AccountThrottle(ctx context.Context, account string, now time.Time) time.Time {
	return t.until(ctx, now, func() time.Time { return t.accounts[account] })
}

func (t *Throttles) until(ctx context.Context, now time.Time, of func() time.Time) time.Time {
	t.mu.Lock()
	stale := now.Sub(t.read) >= throttlesFresh || now.Before(t.read)
	if stale {
		t.read = now
	}
	until := of()
	t.mu.Unlock()
	if stale {
		t.refresh(ctx)
		t.mu.Lock()
		until = of()
		t.mu.Unlock()
	}
	if !now.Before(until) {
		return time.Time{}
	}
	return until
}

// refresh reads them.
func (t *Throttles) refresh(ctx context.Context) {
	if !t.redis.pass(time.Now()) {
		return
	}
	_, _, _ = t.group.Do("", func() (any, error) {
		var all []models.Throttle
		err := t.store.getJSON(context.WithoutCancel(ctx), "hotstore.Throttles", throttlesKey, &all)
		switch {
		case models.KindOf(err) == models.KindUnavailable:
			if t.redis.failed(time.Now()) {
				t.store.log.WarnContext(ctx, "throttles cannot be read: those that are known hold until they end", "error", err)
			}
			return nil, nil
		case err != nil && models.KindOf(err) != models.KindNotFound:
			return nil, nil
		}
		t.redis.answered()
		networks, accounts := map[string]time.Time{}, map[string]time.Time{}
		for _, x := range all {
			if x.Network != "" {
				networks[x.Network] = x.Until
			}
			if x.Account != "" {
				accounts[x.Account] = x.Until
			}
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.networks, t.accounts = networks, accounts
		return nil, nil
	})
}
