package threats

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/threats"
)

const (
	pollEvery   = time.Second
	leaseFor    = 4 * time.Second  // after which another process takes over
	tickTimeout = 30 * time.Second // of one round; a long one loses the lease, which another one then takes
	farthest    = 24 * time.Hour   // how far back is looked after everybody was away
	historyFor  = 28 * 24 * time.Hour
	historyWait = 10 * time.Minute // for the weeks before to be summed up
	freezeEvery = 5 * time.Second
	publishEach = 5 * time.Second
	restored    = 1000 // alerts that a takeover reads
)

// Options put a Watcher together.
type Options struct {
	Holder    string // names this process
	Settings  threats.Settings
	Trail     Trail
	History   History
	Lease     Lease
	Alerts    Alerts
	Revoker   Revoker
	Throttles Throttles
	Claims    Claims
	Now       func() time.Time
	Log       *slog.Logger
	OnThreat  func(models.Threat)                       // each new alert; may be nil
	OnWatched func(watching bool, behind time.Duration) // each round; may be nil
}

// Watcher looks for threats while it holds the lease.
type Watcher struct {
	o Options

	detector *threats.Detector // nil: another process watches, or nobody yet
	at       models.TrailPosition
	seen     time.Time // the trail was looked at up to here, and what it gave was kept
	pending  []models.Threat
	past     chan models.Behaviour
	stopPast context.CancelFunc

	freeze    bool
	frozenAt  time.Time // when freeze was read
	throttles []models.Throttle
	published time.Time
	failing   bool // the last round
}

// New makes a Watcher.
func New(o Options) *Watcher {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Watcher{o: o}
}

// Run watches until ctx ends. Nothing that fails ends it: the next round tries again.
func (w *Watcher) Run(ctx context.Context) {
	defer w.rest()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := w.round(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !w.failing {
			w.o.Log.WarnContext(ctx, "the audit trail could not be watched for threats; this is tried again each second", "error", err)
		}
		w.failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// round is one look: it keeps the lease, reads what is new, and sees to what was found.
func (w *Watcher) round(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, tickTimeout)
	defer cancel()
	now := w.o.Now()
	before, held, err := w.o.Lease.WatchThreats(ctx, w.o.Holder, leaseFor, w.seen)
	if err != nil {
		return err
	}
	if !held {
		w.rest()
		w.watched(false, 0)
		return nil
	}
	if w.detector == nil {
		if err := w.begin(ctx, before, now); err != nil {
			w.rest()
			return err
		}
	} else if err := w.look(ctx, now); err != nil {
		return err
	}
	err = w.settle(ctx, now)
	w.publish(ctx, now)
	if len(w.pending) == 0 {
		w.seen = now
	}
	w.watched(true, now.Sub(w.seen))
	return err
}

func (w *Watcher) watched(watching bool, behind time.Duration) {
	if w.o.OnWatched != nil {
		w.o.OnWatched(watching, behind)
	}
}

// rest forgets everything: whoever has the lease knows better.
func (w *Watcher) rest() {
	if w.stopPast != nil {
		w.stopPast()
	}
	w.detector, w.at, w.seen, w.pending, w.past, w.stopPast, w.throttles = nil, nil, time.Time{}, nil, nil, nil, nil
}

// begin takes over from where the trail was seen to: the rules' windows before it are looked
// at again, and what was raised then is not raised anew.
func (w *Watcher) begin(ctx context.Context, before, now time.Time) error {
	since := before
	if earliest := now.Add(-farthest); since.Before(earliest) {
		w.o.Log.WarnContext(ctx, "nobody watched the audit trail for long; what is older than a day is not looked at", "since", before)
		since = earliest
	}
	if since.After(now) {
		since = now
	}
	since = since.Add(-w.o.Settings.Lookback())
	known, err := w.o.Alerts.SecurityAlerts(ctx, models.ThreatFilter{Since: since.Add(-w.o.Settings.UnusualQuiet), Limit: restored})
	if err != nil {
		return err
	}
	rows, at, err := w.o.Trail.Begin(ctx, since)
	if err != nil {
		return err
	}
	w.detector, w.at = threats.New(w.o.Settings), at
	slices.Reverse(known) // oldest first
	for _, t := range known {
		w.detector.Raised(t)
		w.throttle(t)
		if t.Response == models.RespondRevokeSubject && t.RaisedAt.After(since) {
			w.pending = append(w.pending, t) // it may not have come to that
		}
	}
	w.readFreeze(ctx, now)
	w.observe(rows, now)
	w.recall(ctx, since)
	w.o.Log.InfoContext(ctx, "this process watches the audit trail for threats", "since", since, "rows", len(rows))
	return nil
}

// recall sums the weeks before up beside the watch, which does not wait for it: until it is
// there nothing is unusual of anybody.
func (w *Watcher) recall(ctx context.Context, until time.Time) {
	ctx, w.stopPast = context.WithTimeout(context.WithoutCancel(ctx), historyWait)
	past := make(chan models.Behaviour, 1)
	w.past = past
	go func() {
		b, err := w.o.History.Behaviour(ctx, until.Add(-historyFor), until)
		if err != nil {
			if ctx.Err() == nil {
				w.o.Log.WarnContext(ctx, "the weeks before could not be read from the audit trail: habits are learned anew", "error", err)
			}
			return
		}
		past <- b
	}()
}

// look takes what was committed since the last look.
func (w *Watcher) look(ctx context.Context, now time.Time) error {
	select {
	case b := <-w.past:
		w.detector.Learn(b)
	default:
	}
	w.readFreeze(ctx, now)
	rows, gaps, err := w.o.Trail.Next(ctx, w.at)
	if err != nil {
		return err
	}
	w.observe(rows, now)
	for _, g := range gaps {
		w.pending = append(w.pending, w.detector.Missing(g)...)
	}
	return nil
}

// observe shows the detector what is new. A row that says it is of a time to come, because a
// clock was wrong, is of now: it would hold windows open, and alerts back, until then.
func (w *Watcher) observe(rows []models.AuditEntry, now time.Time) {
	for _, e := range rows {
		if e.At.After(now) {
			e.At = now
		}
		w.pending = append(w.pending, w.detector.Observe(e, threats.Surroundings{ChangeFreeze: w.freeze})...)
	}
}

// readFreeze keeps what was known where it cannot be read: it makes an alert worse or better,
// not more or fewer of them.
func (w *Watcher) readFreeze(ctx context.Context, now time.Time) {
	if now.Sub(w.frozenAt) < freezeEvery {
		return
	}
	w.frozenAt = now
	claims, err := w.o.Claims.Reservations(ctx, "", &now)
	if err != nil {
		w.o.Log.DebugContext(ctx, "whether changes are frozen could not be read", "error", err)
		return
	}
	w.freeze = slices.ContainsFunc(claims, func(r models.Reservation) bool { return r.Kind == models.ReservationFreeze && r.ActiveAt(now) })
}
