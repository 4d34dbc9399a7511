package replay

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/wedsync/scalability/models"
)

// Saturday is one wedding Saturday from eleven in the morning to the night, at high speed.
// Two services of the fleet, alike in everything, get the same load at the same time: the
// one has the calendar, the other only what it measures.
type Saturday struct {
	Lens models.TimeLens // its origin is eleven o'clock
	Seed uint64
}

// The two services, and how long the day is.
const (
	WithCalendar    = models.ServiceAPI
	WithoutCalendar = models.ServiceSearch

	saturdayLength = 13 * time.Hour
	saturdayTail   = 60 * time.Second // by the clock, in which the day's workflow ends
	saturdayBegin  = 11 * time.Hour   // o'clock
	saturdayBase   = 160.0            // requests per second without guests, at its highest
)

// SaturdayWedding is one of its weddings, in the time of the day.
type SaturdayWedding struct {
	Reference string
	At        time.Duration // after eleven
	Hours     time.Duration
	Guests    int
}

// Weddings are the three of the day, whose guests are there at the same time.
func (s Saturday) Weddings() []SaturdayWedding {
	ref := func(i int) string { return fmt.Sprintf("saturday-%d-%d", s.Lens.Origin.Unix(), i) }
	return []SaturdayWedding{
		{ref(1), 3 * time.Hour, 6 * time.Hour, 180},
		{ref(2), 4 * time.Hour, 6 * time.Hour, 320},
		{ref(3), 4*time.Hour + 30*time.Minute, 6 * time.Hour, 240},
	}
}

// saturdayCourse is the load of one guest, h hours after the ceremony began: they look up
// the way, put their telephones away, and share photographs half an hour later, all at once.
func saturdayCourse(h float64) float64 {
	switch {
	case h < -2 || h >= 6:
		return 0
	case h < 0:
		return 0.8 * (1 + h/2) * (1 + h/2)
	case h < 0.5:
		return 0.3
	case h < 2:
		return 2.6 - 0.5*(h-0.5)
	default:
		return 1.85 * (1 - (h-2)/4)
	}
}

// base is the load without guests.
func (s Saturday) base(at time.Duration) float64 {
	h := (saturdayBegin + at).Hours()
	return 60 + (saturdayBase-60)*math.Exp(-(h-20)*(h-20)/18)
}

// intensity is the expected load at a time of the day.
func (s Saturday) intensity(at time.Duration) float64 {
	sum := s.base(at)
	for _, w := range s.Weddings() {
		sum += float64(w.Guests) * saturdayCourse((at - w.At).Hours())
	}
	return sum
}

// Basis is what the day's workflow is told of the load: what a learned kernel would say of
// such guests, and the load without them. The surge at the photographs is in it, when it
// really comes is not: it may be ten minutes off.
func (s Saturday) Basis() models.DayBasis {
	k := &models.GuestKernel{FromMinutes: -120, StepMinutes: 10}
	for i := range 48 {
		from := float64(k.FromMinutes+i*k.StepMinutes) / 60
		most, sum := 0.0, 0.0
		for j := range 10 {
			v := saturdayCourse(from + (float64(j)+0.5)/60)
			most, sum = math.Max(most, v), sum+v
		}
		k.P50, k.P90 = append(k.P50, sum/10), append(k.P90, math.Max(1.1*most, sum/10))
	}
	b := models.DayBasis{Service: WithCalendar, Kernel: k}
	for at := -3 * time.Hour; at < saturdayLength; at += time.Hour {
		b.Base = append(b.Base, models.BaseHour{At: s.Lens.Origin.Add(at), RPS: math.Max(s.base(at), s.base(at+time.Hour))})
	}
	return b
}

// SaturdayOptions say where the day is played.
type SaturdayOptions struct {
	FleetURL, APIURL, AdminToken string

	Start func(ctx context.Context, date string) error // the workflow of a date
	Tell  func(line string)                            // how far it is
	Log   *slog.Logger
	HTTP  *http.Client
}

// SaturdaySample is one second by the clock.
type SaturdaySample struct {
	At    time.Duration // after eleven
	Load  float64
	Floor int
	Sides [2]SideSample // with and without the calendar
}

// SideSample is one service in a second. A nil figure was not measured.
type SideSample struct {
	Ready, Spec int
	P95MS       *float64
	ErrorRate   *float64
}

// Violates says whether the strict thresholds of a wedding day were passed.
func (s SideSample) Violates() bool {
	t := models.WeddingDayThresholds()
	return s.P95MS != nil && *s.P95MS > t.ResponseTimeMS || s.ErrorRate != nil && *s.ErrorRate > t.ErrorRate
}

// Play books the weddings, starts the workflow of their date and offers the load until the
// day is over. It gives what was sampled, and the day as its workflow left it.
func (s Saturday) Play(ctx context.Context, o SaturdayOptions) (SaturdayResult, error) {
	p, err := s.player(o)
	if err != nil {
		return SaturdayResult{}, err
	}
	date, err := p.book(ctx)
	if err != nil {
		return SaturdayResult{}, err
	}
	if err := o.Start(ctx, date); err != nil {
		return SaturdayResult{}, err
	}
	p.result.Date = date
	err = p.run(ctx)
	_ = release(ctx, p.load)
	if err == nil {
		err = p.conclude(ctx)
	}
	return p.result, err
}

type saturdayPlayer struct {
	Saturday
	fleet, api web
	load       fleetTarget
	tell       func(string)
	log        *slog.Logger
	floors     []models.DayFloor
	result     SaturdayResult
}

func (s Saturday) player(o SaturdayOptions) (*saturdayPlayer, error) {
	fleet, err := newWeb("fleet address", o.FleetURL, "", o.HTTP)
	if err != nil {
		return nil, err
	}
	api, err := newWeb("api address", o.APIURL, o.AdminToken, o.HTTP)
	if err != nil {
		return nil, err
	}
	tell := o.Tell
	if tell == nil {
		tell = func(string) {}
	}
	return &saturdayPlayer{
		Saturday: s, fleet: fleet, api: api, load: fleetTarget{fleet, "saturday"}, tell: tell, log: orSilent(o.Log),
		result: SaturdayResult{Speed: s.Lens.Factor, Weddings: s.Weddings()},
	}, nil
}

// book puts the weddings into the calendar, at the times of the clock.
func (p *saturdayPlayer) book(ctx context.Context) (date string, err error) {
	for _, w := range p.Weddings() {
		var stored models.Wedding
		start := p.Lens.Clock(p.Lens.Origin.Add(w.At)).UTC().Truncate(time.Millisecond)
		err := p.api.call(ctx, http.MethodPost, "/api/scalability/weddings", map[string]any{
			"reference": w.Reference, "timeZone": "UTC", "startsAt": start, "endsAt": start.Add(p.Lens.Span(w.Hours)).Truncate(time.Millisecond),
			"guests": w.Guests, "region": "saturday", "status": models.WeddingConfirmed,
		}, &stored)
		if err != nil {
			return "", fmt.Errorf("saturday: %w", err)
		}
		date = stored.WeddingDate
	}
	return date, nil
}

// run offers the load four times a second and samples each second.
func (p *saturdayPlayer) run(ctx context.Context) error {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	src := rand.NewPCG(p.Seed, 1)
	for n := 0; ; n++ {
		at := p.Lens.Day(time.Now()).Sub(p.Lens.Origin)
		if at >= saturdayLength {
			return nil
		}
		load := distuv.Normal{Mu: 1, Sigma: 0.03, Src: src}.Rand() * p.intensity(max(at, 0))
		if err := p.load.offer(ctx, map[models.ServiceName]float64{WithCalendar: load, WithoutCalendar: load}); err != nil && ctx.Err() == nil {
			p.log.WarnContext(ctx, "saturday's load", "error", err)
		}
		if n%4 == 0 && at >= 0 {
			p.sample(ctx, at, load, n/4)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// sample looks at both services, and now and then at the floors of the day.
func (p *saturdayPlayer) sample(ctx context.Context, at time.Duration, load float64, n int) {
	if n%5 == 0 {
		p.refresh(ctx)
	}
	s := SaturdaySample{At: at, Load: load}
	now := time.Now()
	for _, f := range p.floors {
		if f.Service == WithCalendar && !now.Before(f.From) && now.Before(f.Until) {
			s.Floor = max(s.Floor, f.Replicas)
		}
	}
	for i, name := range []models.ServiceName{WithCalendar, WithoutCalendar} {
		var view struct {
			Spec, Ready int
			Stats       struct {
				Values map[models.MetricName]float64 `json:"values"`
			} `json:"stats"`
		}
		if err := p.fleet.call(ctx, http.MethodGet, "/services/"+string(name), nil, &view); err != nil {
			continue
		}
		side := SideSample{Ready: view.Ready, Spec: view.Spec}
		if v, ok := view.Stats.Values[models.MetricResponseP95]; ok {
			side.P95MS = &v
		}
		if v, ok := view.Stats.Values[models.MetricErrorRate]; ok {
			side.ErrorRate = &v
		}
		s.Sides[i] = side
	}
	p.result.Samples = append(p.result.Samples, s)
	if n%15 == 0 {
		p.tell(fmt.Sprintf("%s  %6.0f req/s  floor %2d  with the calendar %2d of %2d ready, without %2d of %2d", clockOf(at), load, s.Floor,
			s.Sides[0].Ready, s.Sides[0].Spec, s.Sides[1].Ready, s.Sides[1].Spec))
	}
}

func (p *saturdayPlayer) refresh(ctx context.Context) {
	var d models.WeddingDay
	if err := p.api.call(ctx, http.MethodGet, "/api/scalability/wedding-days/"+p.result.Date, nil, &d); err == nil {
		p.floors, p.result.Day = d.Floors, d
	}
}

// conclude waits for the day's own report.
func (p *saturdayPlayer) conclude(ctx context.Context) error {
	for end := time.Now().Add(saturdayTail); time.Now().Before(end); {
		p.refresh(ctx)
		if p.result.Day.Report != nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
	return &models.Error{Kind: models.KindExpired, Op: "saturday", Rule: "the day's workflow wrote no report in time"}
}

// clockOf is a time of the day for people.
func clockOf(at time.Duration) string {
	m := int((saturdayBegin + at).Minutes())
	return fmt.Sprintf("%02d:%02d", m/60%24, m%60)
}
