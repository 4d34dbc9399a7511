package hotstore

import (
	"sync"
	"time"

	"github.com/wedsync/scalability/models"
)

const (
	localKeys     = 10_000      // keys that one process counts apart
	sweepInterval = time.Second // at most this often all keys are looked at
	overflowKey   = "overflow"  // no key of Take: those have a prefix
)

// localLimiter is the exact sliding window of one process. Memory is bounded: idle keys
// are dropped when there are many, and beyond that new keys share one window, so that a
// flood of names cannot open it.
type localLimiter struct {
	maxKeys int

	mu    sync.Mutex
	logs  map[string]*takeLog
	swept time.Time
}

// takeLog has the times of the requests let through in its window, oldest first.
type takeLog struct {
	window time.Duration
	times  []time.Time
}

func newLocalLimiter(maxKeys int) *localLimiter {
	return &localLimiter{maxKeys: maxKeys, logs: map[string]*takeLog{}}
}

func (l *localLimiter) take(key string, limit int, window time.Duration, now time.Time) models.Quota {
	l.mu.Lock()
	defer l.mu.Unlock()
	log := l.log(key, window, now)
	log.drop(now)
	allowed := len(log.times) < limit
	if allowed {
		log.times = append(log.times, now)
	}
	return quota(allowed, limit, len(log.times), window, log.times[0].Add(window).Sub(now))
}

// log finds the log of a key or makes it where there is room.
func (l *localLimiter) log(key string, window time.Duration, now time.Time) *takeLog {
	if log := l.logs[key]; log != nil {
		return log
	}
	if len(l.logs) >= l.maxKeys {
		l.sweep(now)
	}
	if len(l.logs) >= l.maxKeys {
		key = overflowKey
	}
	log := l.logs[key]
	if log == nil {
		log = &takeLog{window: window}
		l.logs[key] = log
	}
	log.window = max(log.window, window)
	return log
}

// sweep drops the keys without a request in their window.
func (l *localLimiter) sweep(now time.Time) {
	if now.Sub(l.swept) < sweepInterval {
		return
	}
	l.swept = now
	for key, log := range l.logs {
		if log.drop(now); len(log.times) == 0 {
			delete(l.logs, key)
		}
	}
}

// drop forgets the requests that left the window (now − window, now].
func (t *takeLog) drop(now time.Time) {
	n := 0
	for n < len(t.times) && !t.times[n].After(now.Add(-t.window)) {
		n++
	}
	t.times = append(t.times[:0], t.times[n:]...)
}
