package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/internal/actuator/fleet"
	"github.com/wedsync/scalability/internal/loadtest"
	"github.com/wedsync/scalability/models"
)

// seasons puts the effects of a season's preparation together.
func (s *parts) seasons(capacity *fleet.Client, observer *activities.Observer, told escalations) (*activities.Seasons, error) {
	out := &activities.Seasons{
		Catalogue: s.store, Measurer: capacity, Learned: s.store, Days: s.predict, Keeper: s.store, Plans: s.store, Proofs: s.store,
		Claims: s.store, Nudger: s.launcher, Actuator: capacity, Observer: observer, Ceremony: s.store, Usage: s.store, Audit: s.audit,
		Escalator: told, Zone: time.LoadLocation, Now: time.Now, Poll: readinessPoll,
	}
	o := loadtest.Options{Ceremony: s.store.CeremonyAt, MaxRPS: float64(s.cfg.Wedding.LoadTestMaxRPS), Now: time.Now}
	switch s.cfg.Wedding.LoadTest {
	case "off":
		return out, nil
	case "fleet":
		fleet := loadtest.Fleet{Load: capacity, Gauge: capacity}
		o.Target, o.Gauge, out.PreScale = fleet, fleet, true
	default: // a test installation has its own replicas: none are ordered for it
		site := loadtest.NewWeb(s.cfg.Wedding.LoadTest)
		o.Target, o.Gauge = site, site
	}
	tester, err := loadtest.New(o)
	if err != nil {
		return nil, err
	}
	out.Tester = tester
	return out, nil
}

// escalations have operators hear of what seasons and wedding days need them for: by the log
// and by a metric, which their alerting reads.
type escalations struct {
	log  *slog.Logger
	told func(of, severity string)
}

// EscalateSeason writes one line.
func (e escalations) EscalateSeason(ctx context.Context, s models.SeasonEscalation) error {
	level := slog.LevelWarn
	if s.Severity == activities.SeverityCritical {
		level = slog.LevelError
	}
	e.told("season", s.Severity)
	e.log.Log(ctx, level, "a season's preparation needs somebody", "season", s.SeasonID, "what", s.What, "text", s.Text, "remedies", strings.Join(s.Remedies, "; "))
	return nil
}

// EscalateDay writes one line.
func (e escalations) EscalateDay(ctx context.Context, d models.WeddingDay, n models.DayNote) error {
	level, severity := slog.LevelWarn, activities.SeverityWarning
	if n.Level == models.FlagPage {
		level, severity = slog.LevelError, activities.SeverityCritical
	}
	e.told("wedding_day", severity)
	e.log.Log(ctx, level, "a wedding day needs somebody", "date", d.Date, "region", d.Region, "phase", d.Phase, "at", n.At, "text", n.Text)
	return nil
}

// seasonDefinitions reads WEDDING_SEASONS, whose form was checked.
func seasonDefinitions(text string) ([]activities.SeasonDefinition, error) {
	var out []activities.SeasonDefinition
	if text == "" {
		return nil, nil
	}
	for one := range strings.SplitSeq(text, ",") {
		name, rest, _ := strings.Cut(one, "=")
		days, zone, _ := strings.Cut(rest, "@")
		first, last, _ := strings.Cut(days, "..")
		d := activities.SeasonDefinition{Name: name, First: first, Last: last, TimeZone: zone}
		if _, err := (&activities.Seasons{}).DefineSeason(context.Background(), d, time.Now()); err != nil {
			return nil, fmt.Errorf("WEDDING_SEASONS: %s: %w", name, err)
		}
		out = append(out, d)
	}
	return out, nil
}
