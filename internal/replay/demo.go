package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
)

// DemoOptions start the demonstration.
type DemoOptions struct {
	FleetURL   string
	APIURL     string
	AdminToken string        // may create weddings and reservations
	Day        time.Duration // how long a day of the platform takes; 0 = 20 min
	Seed       uint64
	Log        *slog.Logger // nil = silent
	HTTP       *http.Client // nil = a time-out of 3 s
}

// Demo offers the load of an endless, generated platform day to the fleet, and books
// its weddings, with a floor of replicas before each ceremony, through the public API.
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
		planner: planner{day: demoDay{o.Day, o.Seed}, api: api, booked: map[string]bool{}, floored: map[string]bool{}},
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

// planner books the demonstration's weddings and their floors.
type planner struct {
	day     demoDay
	api     web
	booked  map[string]bool // by reference
	floored map[string]bool
}

// book creates the weddings that are to come until the end of tomorrow, and the floor
// of each whose guests are about to arrive.
func (p *planner) book(ctx context.Context, now time.Time) error {
	var errs []error
	for _, w := range p.day.around(now) {
		if now.Before(w.End) {
			errs = append(errs, p.wedding(ctx, w))
		}
		if !now.Before(p.prewarm(w)) && now.Before(w.Ceremony) {
			errs = append(errs, p.reserve(ctx, w, now))
		}
	}
	return errors.Join(errs...)
}

// prewarm is when a wedding's floor begins: two and a half hours of the pressed day
// before the ceremony, and time enough for replicas to start.
func (p *planner) prewarm(w demoWedding) time.Time {
	return w.Ceremony.Add(-max(5*p.day.hour()/2, 90*time.Second))
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

// reserve places the floor of one wedding, unless a former run did.
func (p *planner) reserve(ctx context.Context, w demoWedding, now time.Time) error {
	if p.floored[w.Reference] {
		return nil
	}
	placed, err := p.placed(ctx, w.Reference)
	if err == nil && !placed {
		err = p.api.call(ctx, http.MethodPost, "/api/scalability/reservations", map[string]any{
			"service": models.ServiceAPI, "kind": models.ReservationFloor, "replicas": p.day.floor(w),
			"guests": w.Guests, "from": now.UTC().Truncate(time.Second), "until": w.Ceremony.Add(3 * p.day.hour()).UTC().Truncate(time.Second),
			"reason": fmt.Sprintf("wedding %s: %d guests from %s", w.Reference, w.Guests, w.Ceremony.Format("15:04 UTC")),
		}, nil)
	}
	if err != nil {
		return fmt.Errorf("demo floor %s: %w", w.Reference, err)
	}
	p.floored[w.Reference] = true
	return nil
}

// placed looks for a reservation that names the wedding.
func (p *planner) placed(ctx context.Context, reference string) (bool, error) {
	var list struct {
		Items []models.Reservation `json:"items"`
	}
	query := url.Values{"service": {string(models.ServiceAPI)}}
	if err := p.api.call(ctx, http.MethodGet, "/api/scalability/reservations?"+query.Encode(), nil, &list); err != nil {
		return false, err
	}
	for _, r := range list.Items {
		if strings.Contains(r.Reason, "wedding "+reference+":") {
			return true, nil
		}
	}
	return false, nil
}
