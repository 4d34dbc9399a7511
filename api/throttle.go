package api

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wedsync/scalability/models"
)

// How refused calls are slowed while threat detection asks for it. Nothing of this touches a
// call with a good credential but one: from a throttled network whose refused calls are used
// up, only credentials that worked here before are looked at.
const (
	ruleThrottled = "throttled"

	throttledShare = 10                     // a throttled network has this part of the limit for refused calls
	delayFirst     = 100 * time.Millisecond // of the first refused call of an account, doubled with each
	delayMost      = 2 * time.Second
	delayedAtOnce  = 256 // callers that wait at a time; more are answered at once
	suspectsMost   = 10_000
	provenFor      = time.Hour
)

// suspects is what this process remembers of refused calls, and of credentials that worked.
// It is bounded: what does not fit is forgotten, which makes a caller wait less, or be asked
// to come back.
type suspects struct {
	seed    maphash.Seed
	waiting chan struct{}

	mu        sync.Mutex
	refused   map[string]refusals  // by account
	exhausted map[string]time.Time // by network: until when
	proven    map[uint64]time.Time // by credential: when it worked
}

type refusals struct {
	count int
	until time.Time
}

func newSuspects() *suspects {
	return &suspects{
		seed: maphash.MakeSeed(), waiting: make(chan struct{}, delayedAtOnce),
		refused: map[string]refusals{}, exhausted: map[string]time.Time{}, proven: map[uint64]time.Time{},
	}
}

// keep puts a value into a map that is emptied when it is full.
func keep[K comparable, V any](m map[K]V, k K, v V) {
	if _, known := m[k]; !known && len(m) >= suspectsMost {
		clear(m)
	}
	m[k] = v
}

// worked notes a credential that was good.
func (s *suspects) worked(credential string, now time.Time) {
	key := maphash.String(s.seed, credential)
	s.mu.Lock()
	defer s.mu.Unlock()
	keep(s.proven, key, now)
}

// shut says until when a network is not listened to, unless the credential worked before;
// zero where it is.
func (s *suspects) shut(network, credential string, now time.Time) time.Time {
	key := maphash.String(s.seed, credential)
	s.mu.Lock()
	defer s.mu.Unlock()
	until := s.exhausted[network]
	if at, ok := s.proven[key]; !now.Before(until) || ok && now.Sub(at) < provenFor {
		return time.Time{}
	}
	return until
}

func (s *suspects) exhaust(network string, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keep(s.exhausted, network, until)
}

// delay is how long the next refused call of an account waits, in a throttle that ends at a
// time: twice as long as the one before.
func (s *suspects) delay(account string, until time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.refused[account]
	if !r.until.Equal(until) {
		r = refusals{until: until}
	}
	r.count++
	keep(s.refused, account, r)
	return min(delayMost, delayFirst<<min(r.count-1, 8))
}

// wait holds an answer back, as long as not too many are.
func (s *suspects) wait(ctx context.Context, d time.Duration) {
	select {
	case s.waiting <- struct{}{}:
	default:
		return
	}
	defer func() { <-s.waiting }()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-draining(ctx):
	}
}

// noteRefusal keeps, for whoever reads the trail, what the refused credential said of itself:
// claims that nothing vouches for.
func noteRefusal(e *models.AuditEntry, refusal *models.Error) {
	e.Context[models.ContextRefusal] = refusal.Rule
	if said := refusal.Presented; said != nil {
		if said.Subject != "" {
			e.Context[models.ContextClaimedSubject] = cut(said.Subject, 300)
		}
		if said.Abuse != "" {
			e.Context[models.ContextAbuse] = said.Abuse
		}
	}
}

// credential is what a call is shown by.
func (s *server) credential(c *gin.Context) string {
	if bearer := c.GetHeader("Authorization"); bearer != "" {
		return bearer
	}
	return s.cookie(c, sessionCookie)
}

// holdBack refuses a call before its credential is looked at, where its network is under
// suspicion and has used up what it may get wrong.
func (s *server) holdBack(c *gin.Context, k *call, e *models.AuditEntry) error {
	if s.Throttles == nil {
		return nil
	}
	until := s.suspects.shut(models.NetworkOf(s.remoteIP(c)), s.credential(c), k.at)
	if until.IsZero() {
		return nil
	}
	left := int(until.Sub(k.at)/time.Second) + 1
	err := s.exhausted(c, models.Quota{Limit: s.throttledLimit(), ResetSeconds: left}, e)
	e.Rule = ruleThrottled
	return err
}

func (s *server) throttledLimit() int { return max(1, s.RateLimit/throttledShare) }

// suspect counts a refused call from a network under suspicion.
func (s *server) suspect(c *gin.Context, k *call) {
	if s.Throttles == nil {
		return
	}
	network := models.NetworkOf(s.remoteIP(c))
	if network == "" || s.Throttles.NetworkThrottle(c.Request.Context(), network, k.at).IsZero() {
		return
	}
	q, err := s.Limiter.Take(c.Request.Context(), "throttled:"+network, s.throttledLimit(), s.RateWindow)
	if err == nil && q.Remaining == 0 {
		s.suspects.exhaust(network, k.at.Add(time.Duration(max(1, q.ResetSeconds))*time.Second))
	}
}

// slowDown holds the answer to a refused credential back while its account is under attack. It
// comes after the row in the trail, so that nothing is seen later for it.
func (s *server) slowDown(c *gin.Context, k *call, claimed string) {
	if s.Throttles == nil || claimed == "" || k.identity.Subject != "" {
		return
	}
	if until := s.Throttles.AccountThrottle(c.Request.Context(), claimed, k.at); !until.IsZero() {
		s.suspects.wait(c.Request.Context(), s.suspects.delay(claimed, until))
	}
}
