package threats

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
)

const (
	responder = "svc:worker"
	// revocationLife is longer than any token lives.
	revocationLife = 10 * 365 * 24 * time.Hour
	mostThrottles  = 1000
)

// settle keeps what was found and then answers it. What cannot be kept or done now stays for
// the next round.
func (w *Watcher) settle(ctx context.Context, now time.Time) error {
	var left []models.Threat
	var errs []error
	for _, t := range w.pending {
		if err := w.see(ctx, t, now); err != nil {
			left, errs = append(left, t), append(errs, err)
		}
	}
	w.pending = left
	return errors.Join(errs...)
}

// see keeps one alert, tells of it when it is new, and does what it asks for.
func (w *Watcher) see(ctx context.Context, t models.Threat, now time.Time) error {
	if t.RaisedAt.IsZero() {
		t.RaisedAt = now.UTC().Truncate(time.Microsecond)
	}
	isNew, err := w.o.Alerts.RaiseAlert(ctx, t)
	if err != nil {
		return err
	}
	if isNew {
		level := slog.LevelWarn
		if t.Severity == models.ThreatCritical {
			level = slog.LevelError
		}
		w.o.Log.Log(ctx, level, "threat detected", "alert", t.ID, "rule", t.Rule, "kind", t.Kind, "severity", t.Severity,
			"subject", t.Subject, "claimed", t.Claimed, "network", t.Network, "response", t.Response)
		if w.o.OnThreat != nil {
			w.o.OnThreat(t)
		}
	}
	w.throttle(t)
	if t.Response == models.RespondRevokeSubject {
		return w.revoke(ctx, t, now)
	}
	return nil
}

// revoke ends what a subject was given until now. A subject that only a refused credential
// named is never touched, whatever the alert says.
func (w *Watcher) revoke(ctx context.Context, t models.Threat, now time.Time) error {
	if t.Claimed || !strings.HasPrefix(t.Subject, "user:") && !strings.HasPrefix(t.Subject, "svc:") {
		return nil
	}
	now = now.UTC().Truncate(time.Microsecond)
	err := w.o.Revoker.Revoke(ctx, models.Revocation{
		ID: "threat-" + t.ID, Subject: t.Subject, Reason: "threat detection: " + string(t.Rule) + " (" + t.Kind + "), alert " + t.ID,
		CreatedBy: responder, CreatedAt: now, Until: now.Add(revocationLife),
	})
	if models.KindOf(err) == models.KindConflict {
		return nil // it was done
	}
	return err
}

// throttle notes what is slowed down, as long as it is.
func (w *Watcher) throttle(t models.Threat) {
	if t.RespondUntil == nil || !t.RespondUntil.After(w.o.Now()) {
		return
	}
	x := models.Throttle{From: t.At, Until: *t.RespondUntil}
	switch t.Response {
	case models.RespondDelayAccount:
		x.Account = t.Subject
	case models.RespondThrottleNetwork:
		x.Network = t.Network
	default:
		return
	}
	if x.Account == "" && x.Network == "" {
		return
	}
	same := func(o models.Throttle) bool { return o.Account == x.Account && o.Network == x.Network }
	if i := slices.IndexFunc(w.throttles, same); i >= 0 {
		if x.Until.After(w.throttles[i].Until) {
			w.throttles[i].Until, w.published = x.Until, time.Time{}
		}
		return
	}
	if len(w.throttles) >= mostThrottles {
		w.throttles = slices.Delete(w.throttles, 0, 1)
	}
	w.throttles, w.published = append(w.throttles, x), time.Time{}
}

// publish tells the API processes what to slow down: when it changed, and every few seconds,
// so that a Redis that forgot learns it again.
func (w *Watcher) publish(ctx context.Context, now time.Time) {
	before := len(w.throttles)
	w.throttles = slices.DeleteFunc(w.throttles, func(t models.Throttle) bool { return !t.Until.After(now) })
	if len(w.throttles) == before && now.Sub(w.published) < publishEach {
		return
	}
	if err := w.o.Throttles.PutThrottles(ctx, w.throttles); err != nil {
		w.o.Log.DebugContext(ctx, "throttles are not published", "error", err)
		return
	}
	w.published = now
}
