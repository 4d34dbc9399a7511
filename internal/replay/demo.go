package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/wedsync/scalability/models"
)

// DemoOptions start the demonstration.
type DemoOptions struct {
	FleetURL   string
	APIURL     string
	AdminToken string        // may create weddings
	Day        time.Duration // how long a day of the platform takes; 0 = 20 min
	Seed       uint64
	Log        *slog.Logger // nil = silent
	HTTP       *http.Client // nil = a time-out of 3 s
}

// Demo offers the load of an endless, generated platform day to the fleet, and books
// its weddings through the public API: what capacity their guests need is for the
// platform to find.
// It tolerates both being away, goes on where a former run stopped, and books nothing
// twice. It ends with ctx, and takes its load away.
func Demo(ctx context.Context, o DemoOptions) error {
	if o.Day == 0 {
		o.Day = 20 * time.Minute
	}
	if o.Day < time.Minute || o.Day > 24*time.Hour {
		return models.Invalid("day", o.Day, "must be from 1m to 24h")
	}
	fleet, err := newWeb("fleet address", o.FleetURL, "", o.HTTP)
	if err != nil {
		return err
	}
	api, err := newWeb("api address", o.APIURL, o.AdminToken, o.HTTP)
	if err != nil {
		return err
	}
	d := demo{
		day: demoDay{o.Day, o.Seed}, load: fleetTarget{fleet, "demo"}, log: orSilent(o.Log),
		planner: planner{day: demoDay{o.Day, o.Seed}, api: api, booked: map[string]bool{}},
	}
	planned := make(chan struct{})
	go func() {
		defer close(planned)
		d.plan(ctx)
	}()
	d.run(ctx)
	<-planned
	_ = release(ctx, d.load) // the load ends by itself in seconds, with or without a fleet
	return nil
}

type demo struct {
	day     demoDay
	load    target
	planner planner
	log     *slog.Logger
}

// run offers the load each second.
func (d *demo) run(ctx context.Context) {
	d.every(ctx, time.Second, "demonstration load", func(now time.Time) error {
		return d.load.offer(ctx, d.day.load(now))
	})
}

// plan books what is due, every 10 s.
func (d *demo) plan(ctx context.Context) {
	d.every(ctx, 10*time.Second, "demonstration weddings", func(now time.Time) error {
		return d.planner.book(ctx, now)
	})
}

// every repeats a step until ctx ends, and logs when it begins or ceases to fail.
func (d *demo) every(ctx context.Context, period time.Duration, what string, step func(now time.Time) error) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	failing := false
	for now := time.Now(); ; {
		err := step(now)
		if ctx.Err() != nil {
			return
		}
		if (err != nil) != failing {
			failing = err != nil
			d.log.WarnContext(ctx, "demonstration", "part", what, "failing", failing, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case now = <-tick.C:
		}
	}
}

// planner books the demonstration's weddings.
type planner struct {
	day    demoDay
	api    web
	booked map[string]bool // by reference
}

// book creates the weddings that are not over, until this time tomorrow.
func (p *planner) book(ctx context.Context, now time.Time) error {
	var errs []error
	for _, w := range p.day.around(now) {
		if now.Before(w.End) {
			errs = append(errs, p.wedding(ctx, w))
		}
	}
	return errors.Join(errs...)
}

// wedding creates one wedding; one that exists already is fine.
func (p *planner) wedding(ctx context.Context, w demoWedding) error {
	if p.booked[w.Reference] {
		return nil
	}
	err := p.api.call(ctx, http.MethodPost, "/api/scalability/weddings", map[string]any{
		"reference": w.Reference, "timeZone": w.Zone, "startsAt": w.Ceremony, "endsAt": w.End,
		"guests": w.Guests, "region": w.Region, "status": models.WeddingConfirmed,
	}, nil)
	var refused *statusError
	if err != nil && (!errors.As(err, &refused) || refused.status != http.StatusConflict) {
		return fmt.Errorf("demo wedding %s: %w", w.Reference, err)
	}
	p.booked[w.Reference] = true
	return nil
}
