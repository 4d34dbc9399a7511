package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/api"
	"github.com/wedsync/scalability/internal/calendar"
	"github.com/wedsync/scalability/internal/config"
	"github.com/wedsync/scalability/internal/launch"
	"github.com/wedsync/scalability/internal/sealed"
	"github.com/wedsync/scalability/internal/store"
	"github.com/wedsync/scalability/internal/telemetry"
	"github.com/wedsync/scalability/models"
)

// The adapters fit the ports.
var (
	_ api.Contacts         = (*store.Store)(nil)
	_ api.CalendarFeeds    = (*store.Store)(nil)
	_ api.CalendarImporter = (*calendar.Importer)(nil)
	_ api.CalendarNotifier = calendarNotifier{}

	_ activities.FeedPoller = (*calendar.Poller)(nil)
	_ calendar.Planner      = (*store.Store)(nil)
	_ calendar.Feeds        = (*store.Store)(nil)
	_ calendar.Source       = (*calendar.Fetcher)(nil)
	_ store.Sealer          = (*sealed.Box)(nil)
)

// contactBox encrypts contacts; nil where there is no key, and contacts are refused.
func contactBox(w config.Wedding) (store.Sealer, error) {
	if !w.ContactKeys.IsSet() {
		return nil, nil //nolint:nilnil // without a key there is nothing to encrypt with, and storage says so
	}
	keys, err := sealed.ParseKeys(w.ContactKeys.Reveal())
	if err != nil {
		return nil, config.Problem{Variable: "WEDDING_CONTACT_KEYS", Allowed: "id:key,id:key with keys of 32 bytes in base64"}
	}
	return sealed.NewBox(keys)
}

// pseudonyms are made from the secret of the installation; nil where it has none.
func pseudonyms(w config.Wedding) *calendar.Pseudonyms {
	if !w.PseudonymKey.IsSet() {
		return nil
	}
	return calendar.NewPseudonyms([]byte(w.PseudonymKey.Reveal()))
}

// importer takes weddings from files and feeds.
func (s *parts) importer() *calendar.Importer {
	notify := s.notifier()
	return &calendar.Importer{
		Planner: s.store, Anonymous: s.cfg.Environment != config.Production, Pseudonyms: pseudonyms(s.cfg.Wedding), Now: time.Now,
		Changed: func(ctx context.Context, changes []models.CalendarChange) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), notifyTimeout)
			defer cancel()
			if err := notify.CalendarChanged(ctx, changes); err != nil {
				s.log.WarnContext(ctx, "changes of the calendar were not told", "changes", len(changes), "error", err)
			}
		},
	}
}

// notifyTimeout bounds how long an import waits for those who plan by it.
const notifyTimeout = 10 * time.Second

// poller reads the calendar feeds.
func (s *parts) poller() *calendar.Poller {
	aged := telemetry.NewCalendarMetrics(s.registry)
	return &calendar.Poller{
		Feeds: s.store, Importer: s.importer(), Now: time.Now, Log: s.log,
		Source: calendar.NewFetcher(calendar.FetchOptions{
			AllowLoopback: s.cfg.Environment == config.Development, AllowPrivate: s.cfg.Wedding.FeedsPrivate,
		}),
		Observe: func(f models.CalendarFeed, age time.Duration, alarm models.CalendarAlarm) {
			aged.Aged(f.Source, age, alarm)
		},
	}
}

// calendarNotifier tells those who plan by the calendar what has changed: the autoscalers,
// where the change is near enough to count in a decision.
type calendarNotifier struct {
	launcher *launch.Launcher
	seasons  func(context.Context) ([]models.Season, error)
	log      *slog.Logger
	now      func() time.Time
}

func (s *parts) notifier() calendarNotifier {
	return calendarNotifier{launcher: s.launcher, seasons: s.store.Seasons, log: s.log, now: time.Now}
}

// Changes of weddings that begin within two days, or are not over, are worth a look at
// once; all others are found by the next forecast.
const (
	nearAhead = 48 * time.Hour
	nearAfter = 12 * time.Hour
)

// CalendarChanged wakes each autoscaler once, however many weddings changed, and tells the
// days of the week ahead and the seasons that are prepared.
func (n calendarNotifier) CalendarChanged(ctx context.Context, changes []models.CalendarChange) error {
	return errors.Join(n.wakeAutoscalers(ctx, changes), n.tellDays(ctx, changes), n.tellSeasons(ctx, changes))
}

// tellSeasons tells each open season once that a wedding of its time is not what it was. It
// reads as the platform: whoever changed a wedding need not see every season.
func (n calendarNotifier) tellSeasons(ctx context.Context, changes []models.CalendarChange) error {
	ctx = models.WithScope(ctx, models.Scope{Role: models.ScopeSystem, Subject: "calendar"})
	seasons, err := n.seasons(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range seasons {
		touches := func(w models.Wedding) bool { return w.ID != "" && w.StartsAt.Before(s.Until) && w.EndsAt.After(s.From) }
		touched := 0
		for _, c := range changes {
			if touches(c.Before) || touches(c.After) {
				touched++
			}
		}
		if touched == 0 || s.Outcome != models.SeasonOpen {
			continue
		}
		err := n.launcher.CalendarChanged(ctx, s.ID, fmt.Sprintf("weddings that changed: %d", touched))
		if models.KindOf(err) != models.KindNotFound { // a season that ended meanwhile needs no telling
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// daysAhead is how far ahead a date's workflow may run.
const daysAhead = 9 * 24 * time.Hour

// tellDays tells each date once of each kind of change: it reads the calendar anyway.
func (n calendarNotifier) tellDays(ctx context.Context, changes []models.CalendarChange) error {
	now := n.now()
	near := func(w models.Wedding) bool {
		return w.ID != "" && w.StartsAt.Before(now.Add(daysAhead)) && w.EndsAt.After(now.Add(-nearAfter))
	}
	told := map[string]bool{}
	var errs []error
	for _, c := range changes {
		key := strings.Join([]string{string(c.Kind), c.Before.WeddingDate, c.Before.Region, c.After.WeddingDate, c.After.Region}, "/")
		if told[key] || !near(c.Before) && !near(c.After) {
			continue
		}
		told[key] = true
		before := &c.Before
		if before.ID == "" {
			before = nil
		}
		errs = append(errs, n.launcher.WeddingChanged(ctx, before, c.After, "the calendar"))
	}
	return errors.Join(errs...)
}

func (n calendarNotifier) wakeAutoscalers(ctx context.Context, changes []models.CalendarChange) error {
	now := n.now()
	near := ""
	for _, c := range changes {
		for _, w := range []models.Wedding{c.Before, c.After} {
			if w.ID != "" && w.StartsAt.Before(now.Add(nearAhead)) && w.EndsAt.After(now.Add(-nearAfter)) {
				near = w.ID
			}
		}
	}
	if near == "" {
		return nil
	}
	var errs []error
	for _, service := range models.ServiceNames() {
		err := n.launcher.NudgeAutoscale(ctx, service, "wedding:"+near)
		if models.KindOf(err) != models.KindNotFound { // an autoscaler that does not run needs no waking
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
