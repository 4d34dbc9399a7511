package accesspolicy

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/access"
)

// BuiltIn is the name of the policy that is part of the program.
const BuiltIn = "built-in"

// pollEvery is how often the revision is looked at.
const pollEvery = time.Second

// Reader reads the policy that was approved last at a time, and the number of changes so
// far; ok is false where none was approved.
type Reader interface {
	PolicyInForce(ctx context.Context, at time.Time) (p models.AccessPolicy, revision int64, ok bool, err error)
}

// Keeper holds the policy in force. It is safe for concurrent use.
type Keeper struct {
	read Reader
	now  func() time.Time
	log  *slog.Logger
	held atomic.Pointer[inForce]
	mu   sync.Mutex // one load at a time
}

// inForce is a validated policy with where it comes from.
type inForce struct {
	policy   *access.Policy
	id       string
	revision int64
}

// New makes a Keeper that holds the built-in policy until Refresh finds another one.
func New(read Reader, now func() time.Time, log *slog.Logger) (*Keeper, error) {
	p, err := access.New()
	if err != nil {
		return nil, err
	}
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	k := &Keeper{read: read, now: now, log: log}
	k.held.Store(&inForce{policy: p, id: BuiltIn, revision: -1})
	return k, nil
}

// Policy is the policy in force as it was known at most a poll ago.
func (k *Keeper) Policy() *access.Policy { return k.held.Load().policy }

// Fresh reads the policy in force now, for what must not wait for a poll.
func (k *Keeper) Fresh(ctx context.Context) (*access.Policy, error) {
	if err := k.Refresh(ctx); err != nil {
		return nil, err
	}
	return k.Policy(), nil
}

// Refresh takes up the policy in force when it is another one.
func (k *Keeper) Refresh(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	row, revision, ok, err := k.read.PolicyInForce(ctx, k.now())
	if err != nil {
		return fmt.Errorf("accesspolicy.Refresh: %w", err)
	}
	held := k.held.Load()
	id := BuiltIn
	if ok {
		id = row.ID
	}
	if id == held.id {
		if revision != held.revision {
			k.held.Store(&inForce{policy: held.policy, id: id, revision: revision})
		}
		return nil
	}
	next, err := access.New()
	if ok {
		next, err = access.Compile(row.Text)
	}
	if err != nil {
		// It was valid when it was approved: an older program may not know a permission.
		return fmt.Errorf("accesspolicy.Refresh: policy %s: %w", id, err)
	}
	k.held.Store(&inForce{policy: next, id: id, revision: revision})
	k.log.InfoContext(ctx, "another access policy is in force", "policy", id)
	return nil
}

// Run refreshes until ctx ends. A failure is logged once, until it is over.
func (k *Keeper) Run(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		round, cancel := context.WithTimeout(ctx, pollEvery)
		err := k.Refresh(round)
		cancel()
		if err != nil && !failing && ctx.Err() == nil {
			k.log.ErrorContext(ctx, "the access policy could not be read: the one before stays in force", "error", err)
		}
		failing = err != nil
	}
}
