package threats

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/threats"
)

// platform stands behind all ports, for several watchers.
type platform struct {
	mu        sync.Mutex
	rows      []models.AuditEntry // as they were committed
	gaps      []models.TrailGap
	holder    string
	until     time.Time
	seen      time.Time
	alerts    []models.Threat
	revoked   map[string]models.Revocation
	throttles []models.Throttle
	frozen    bool
	broken    map[string]error
	past      models.Behaviour
}

func newPlatform() *platform {
	return &platform{seen: time.Now(), revoked: map[string]models.Revocation{}, broken: map[string]error{}}
}

func (p *platform) fails(what string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken[what] = err
}

func (p *platform) commit(rows ...models.AuditEntry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rows = append(p.rows, rows...)
}

func (p *platform) WatchThreats(_ context.Context, holder string, lease time.Duration, seen time.Time) (time.Time, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken["lease"] != nil || p.holder != holder && time.Now().Before(p.until) {
		return time.Time{}, false, p.broken["lease"]
	}
	before := p.seen
	p.holder, p.until = holder, time.Now().Add(lease)
	if seen.After(p.seen) {
		p.seen = seen
	}
	return before, true, nil
}

func (p *platform) Begin(_ context.Context, since time.Time) (rows []models.AuditEntry, at models.TrailPosition, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.rows {
		if !e.At.Before(since) {
			rows = append(rows, e)
		}
	}
	return rows, models.TrailPosition{"s": int64(len(p.rows))}, p.broken["trail"]
}

func (p *platform) Next(_ context.Context, at models.TrailPosition) ([]models.AuditEntry, []models.TrailGap, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.broken["trail"]; err != nil {
		return nil, nil, err
	}
	rows, gaps := slices.Clone(p.rows[at["s"]:]), p.gaps
	at["s"], p.gaps = int64(len(p.rows)), nil
	return rows, gaps, nil
}

func (p *platform) Behaviour(context.Context, time.Time, time.Time) (models.Behaviour, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.past, p.broken["past"]
}

func (p *platform) RaiseAlert(_ context.Context, t models.Threat) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.broken["alerts"]; err != nil {
		return false, err
	}
	if slices.ContainsFunc(p.alerts, func(o models.Threat) bool { return o.ID == t.ID }) {
		return false, nil
	}
	p.alerts = append(p.alerts, t)
	return true, nil
}

func (p *platform) SecurityAlerts(context.Context, models.ThreatFilter) ([]models.Threat, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := slices.Clone(p.alerts)
	slices.Reverse(all)
	return all, p.broken["alerts"]
}

func (p *platform) Revoke(_ context.Context, r models.Revocation) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.broken["revoke"]; err != nil {
		return err
	}
	if _, there := p.revoked[r.Subject]; there {
		return &models.Error{Kind: models.KindConflict}
	}
	p.revoked[r.Subject] = r
	return r.Validate()
}

func (p *platform) PutThrottles(_ context.Context, all []models.Throttle) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.throttles = slices.Clone(all)
	return p.broken["throttles"]
}

func (p *platform) Reservations(context.Context, models.ServiceName, *time.Time) ([]models.Reservation, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.frozen {
		return nil, nil
	}
	return []models.Reservation{{Kind: models.ReservationFreeze, From: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Hour)}}, nil
}

// rules of the alerts that were raised.
func (p *platform) rules() []models.ThreatRule {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := []models.ThreatRule{}
	for _, a := range p.alerts {
		out = append(out, a.Rule)
	}
	return out
}

// view is what there is at a moment.
type view struct {
	holder    string
	seen      time.Time
	alerts    []models.Threat
	revoked   map[string]models.Revocation
	throttles []models.Throttle
}

func (p *platform) view() view {
	p.mu.Lock()
	defer p.mu.Unlock()
	return view{p.holder, p.seen, slices.Clone(p.alerts), maps.Clone(p.revoked), slices.Clone(p.throttles)}
}

// watch starts a watcher; stop ends it as a kill would: without giving the lease up.
func (p *platform) watch(t *testing.T, name string) (stop func()) {
	t.Helper()
	w := New(Options{Holder: name, Settings: threats.Defaults(), Trail: p, History: p, Lease: p, Alerts: p, Revoker: p, Throttles: p, Claims: p})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	return func() { cancel(); <-done }
}

func guesses(n int, who string) (rows []models.AuditEntry) {
	for i := range n {
		rows = append(rows, models.AuditEntry{
			ID: fmt.Sprintf("%s-%d-%d", who, time.Now().UnixNano(), i), At: time.Now(), Actor: "anonymous", Action: "scalability:read", Decision: models.AuditDeny,
			Rule: "signature", RemoteIP: "203.0.113.9", Context: map[string]string{models.ContextClaimedSubject: who, models.ContextRefusal: "signature"},
		})
	}
	return rows
}

func escalation(who string) models.AuditEntry {
	return models.AuditEntry{ID: "x-" + who, At: time.Now(), Actor: who, Action: "scalability:policy", Decision: models.AuditDeny, Rule: models.RulePrivilegeEscalation, RemoteIP: "192.0.2.7"}
}

// pass lets time go by, and then everybody come to rest.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// bubble runs a test with a clock of its own, which stands while everybody works.
func bubble(t *testing.T, do func(t *testing.T, p *platform)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { do(t, newPlatform()) })
}

func TestAnAttackIsToldAndAnsweredWithinSeconds(t *testing.T) {
	bubble(t, func(t *testing.T, p *platform) {
		defer p.watch(t, "one")()
		pass(3 * time.Second)
		p.commit(guesses(10, "user:anna")...)
		p.commit(escalation("user:eve"))
		pass(2 * time.Second)
		assert.ElementsMatch(t, []models.ThreatRule{models.ThreatBruteForce, models.ThreatEscalation}, p.rules())
		require.Contains(t, p.view().revoked, "user:eve")
		assert.Len(t, p.view().revoked, 1, "and nobody of whom an attacker spoke")
		assert.Contains(t, p.view().revoked["user:eve"].Reason, "privilege_escalation")
		require.Len(t, p.view().throttles, 1)
		assert.Equal(t, "user:anna", p.view().throttles[0].Account)
		pass(16 * time.Minute)
		assert.Empty(t, p.view().throttles, "it ends by itself")
	})
}

func TestOneOfTwoWatchesAndTheOtherTakesOverWithoutALoss(t *testing.T) {
	bubble(t, func(t *testing.T, p *platform) {
		stop := p.watch(t, "one")
		pass(2 * time.Second)
		defer p.watch(t, "two")()
		pass(2 * time.Second)
		assert.Equal(t, "one", p.view().holder)
		p.commit(guesses(6, "user:anna")...) // the first part is seen by one …
		pass(2 * time.Second)
		stop()
		p.commit(guesses(6, "user:anna")...) // … and the rest by nobody at first
		pass(10 * time.Second)
		assert.Equal(t, "two", p.view().holder)
		assert.Equal(t, []models.ThreatRule{models.ThreatBruteForce}, p.rules())
		p.commit(guesses(6, "user:anna")...)
		pass(2 * time.Second)
		assert.Len(t, p.rules(), 1, "once")
	})
}

func TestWhatHappenedWhileEverybodyWasAwayIsSeen(t *testing.T) {
	bubble(t, func(t *testing.T, p *platform) {
		p.watch(t, "one")()
		p.commit(guesses(12, "user:anna")...)
		pass(3 * time.Hour)
		p.commit(escalation("user:eve"))
		pass(3 * time.Hour)
		defer p.watch(t, "two")()
		pass(2 * time.Second)
		assert.ElementsMatch(t, []models.ThreatRule{models.ThreatBruteForce, models.ThreatEscalation}, p.rules())
		assert.Contains(t, p.view().revoked, "user:eve")
		assert.Empty(t, p.view().throttles, "a delay that would have ended is none")
	})
}

func TestWhatCannotBeKeptOrDoneIsTriedAgain(t *testing.T) {
	for _, what := range []string{"alerts", "revoke", "trail", "lease", "throttles", "past"} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T, p *platform) {
				defer p.watch(t, "one")()
				pass(2 * time.Second)
				p.fails(what, errors.New("away"))
				p.commit(escalation("user:eve"))
				p.commit(guesses(10, "user:anna")...)
				pass(20 * time.Second)
				if what == "alerts" || what == "revoke" || what == "trail" {
					assert.Less(t, p.view().seen, time.Now().Add(-15*time.Second), "it is not noted as seen")
					assert.Empty(t, p.view().revoked)
				}
				p.fails(what, nil)
				pass(8 * time.Second)
				assert.ElementsMatch(t, []models.ThreatRule{models.ThreatEscalation, models.ThreatBruteForce}, p.rules(), "once each")
				assert.Contains(t, p.view().revoked, "user:eve")
				assert.Len(t, p.view().throttles, 1)
			})
		})
	}
}

func TestARevocationThatACrashPreventedIsMade(t *testing.T) {
	bubble(t, func(t *testing.T, p *platform) {
		stop := p.watch(t, "one")
		pass(2 * time.Second)
		p.fails("revoke", errors.New("away"))
		p.commit(escalation("user:eve"))
		pass(3 * time.Second)
		require.Len(t, p.rules(), 1)
		stop()
		p.fails("revoke", nil)
		pass(10 * time.Second)
		assert.Empty(t, p.view().revoked)
		defer p.watch(t, "two")()
		pass(2 * time.Second)
		assert.Contains(t, p.view().revoked, "user:eve")
		assert.Len(t, p.rules(), 1)
	})
}

// The detector never asks for it and the database refuses it; nobody's word ends a session all
// the same.
func TestNoSessionEndsOnANameThatARefusedCredentialGave(t *testing.T) {
	bubble(t, func(t *testing.T, p *platform) {
		p.alerts = append(p.alerts, models.Threat{
			ID: "a1", Rule: models.ThreatEscalation, Kind: "token abuse", Severity: models.ThreatCritical, Subject: "user:anna", Claimed: true,
			At: time.Now(), RaisedAt: time.Now(), Response: models.RespondRevokeSubject,
		})
		defer p.watch(t, "one")()
		pass(3 * time.Second)
		assert.Empty(t, p.view().revoked)
	})
}

// A process whose clock is a day ahead writes rows of tomorrow: they neither keep windows open
// until then nor hide what comes after.
func TestAClockThatIsAheadNeitherHidesAttacksNorMakesThem(t *testing.T) {
	bubble(t, func(t *testing.T, p *platform) {
		defer p.watch(t, "one")()
		pass(2 * time.Second)
		ahead := guesses(5, "user:anna")
		for i := range ahead {
			ahead[i].At = ahead[i].At.Add(24 * time.Hour)
		}
		tomorrow := escalation("user:eve")
		tomorrow.At = tomorrow.At.Add(24 * time.Hour)
		p.commit(append(ahead, tomorrow)...)
		pass(20 * time.Minute)
		require.Equal(t, []models.ThreatRule{models.ThreatEscalation}, p.rules())
		p.commit(guesses(5, "user:anna")...)
		pass(2 * time.Second)
		assert.Len(t, p.rules(), 1, "the first five are twenty minutes old")
		again := escalation("user:eve")
		again.ID = "again"
		p.commit(again)
		pass(2 * time.Second)
		assert.Equal(t, []models.ThreatRule{models.ThreatEscalation, models.ThreatEscalation}, p.rules())
	})
}

func TestAGapInTheTrailIsTold(t *testing.T) {
	bubble(t, func(t *testing.T, p *platform) {
		defer p.watch(t, "one")()
		pass(2 * time.Second)
		p.mu.Lock()
		p.gaps = []models.TrailGap{{Stream: "api-7", After: 3, Before: 5, At: time.Now()}}
		p.mu.Unlock()
		pass(2 * time.Second)
		assert.Equal(t, []models.ThreatRule{models.ThreatAuditIntegrity}, p.rules())
	})
}

func TestTheWeeksBeforeAreLearnedBesideTheWatchAndAFreezeCounts(t *testing.T) {
	bubble(t, func(t *testing.T, p *platform) {
		for d := range 28 {
			p.past.Habits = append(p.past.Habits, models.Habit{
				Subject: "user:olga", Permission: models.PermissionRead, Hour: time.Now().Add(-time.Duration(28-d) * 24 * time.Hour), Allowed: true, Peak: 4,
			})
		}
		p.frozen = true
		defer p.watch(t, "one")()
		pass(3 * time.Second)
		p.commit(models.AuditEntry{ID: "first", At: time.Now(), Actor: "user:olga", Action: string(models.PermissionManage), Decision: models.AuditAllow, RemoteIP: "192.0.2.7"})
		pass(2 * time.Second)
		require.Len(t, p.view().alerts, 1)
		assert.Equal(t, models.ThreatUnusual, p.view().alerts[0].Rule)
		assert.Equal(t, models.ThreatCritical, p.view().alerts[0].Severity)
		assert.Equal(t, []string{"first"}, p.view().alerts[0].Evidence)
	})
}
