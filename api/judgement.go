package api

import (
	"context"
	"sync"
	"time"

	"github.com/wedsync/scalability/models"
)

// strictKept is how long the wedding days of which a window is open are remembered: the
// live stream asks each second.
const strictKept = 10 * time.Second

// strictness remembers wedding days whose thresholds are strict. Their windows are times, so
// that what was read last goes on to count, and to end, while the database is away.
type strictness struct {
	mu   sync.Mutex
	days []models.WeddingDay
	at   time.Time
}

// standing says which thresholds are in force, whoever asks: the dates of others are not
// told.
func (s *server) standing(ctx context.Context, now time.Time) (in models.PlatformJudgement, known bool) {
	k := &s.strict
	k.mu.Lock()
	defer k.mu.Unlock()
	known = true
	if age := now.Sub(k.at); age < 0 || age >= strictKept {
		ctx = models.WithScope(ctx, models.Scope{Role: models.ScopeViewer, Subject: "process:thresholds"})
		days, err := s.WeddingDays.StrictDays(ctx, now)
		if known = err == nil; known {
			k.days, k.at = days, now
		}
	}
	return s.Thresholds.InForce(k.days, now), known
}

// judge holds services against the thresholds in force.
func judge(in models.PlatformJudgement, services []models.ServiceStatus) {
	for i := range services {
		j := in.Judge(services[i].Metrics)
		services[i].Judgement = &j
	}
}
