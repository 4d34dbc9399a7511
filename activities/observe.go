package activities

import (
	"context"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

// observeTimeout bounds an observation as a whole: its activity has a second more.
const observeTimeout = 4 * time.Second

// Observer reads everything that a decision about one service is made from. What is not
// wired is not observed, and no gap.
type Observer struct {
	Catalogue  Catalogue
	Signals    SignalReader
	Forecaster Forecaster // nil: no forecast
	Claims     Claims
	Actuator   Actuator
	Measurer   Measurer
	Decisions  DecisionReader
	Learned    LearnedReader  // nil: the catalogue's figures count
	Calendar   CalendarReader // nil: capacity for guests comes from reservations alone
	Usual      UsualReader    // nil: nobody knows what is usual at this hour
	Rollups    RollupReader   // nil: no copy at rest, and no largest minute of seven days
	Spending   SpendingReader // nil: nobody knows what was spent
	Budget     models.Budget  // limits of one service; zero ones do not bind
	// WeddingDays lets a calendar with guests switch the mode.
	WeddingDays bool
	// Emergencies lets people declare one.
	Emergencies bool
	Now         func() time.Time

	memory memory
}

// memory is what changes slowly, as it was last read.
type memory struct {
	learned   kept[models.Learned]
	calendar  kept[*models.Calendar]
	usual     kept[*float64]
	peak      kept[*float64]
	spent     kept[models.Budget]
	templates templates
}

// How long what was read counts as new, and for how long it counts at all where it cannot
// be read again. The calendar is asked each time, since a wedding that was cancelled is to
// count at once, and its last copy counts for ever: the decision looks at its age.
const (
	learnedFresh, learnedUsable = time.Minute, time.Hour
	usualFresh, usualUsable     = 5 * time.Minute, time.Hour
	peakFresh, peakUsable       = time.Hour, 24 * time.Hour
	spentFresh, spentUsable     = 5 * time.Minute, time.Hour
)

// ObserveInput names the service, and the decision in flight whose outcome is asked for.
type ObserveInput struct {
	Service  models.ServiceName `json:"service"`
	InFlight string             `json:"inFlight,omitempty"`
}

// Observe reads all parts side by side. A part that fails becomes a gap; the catalogue
// entry of a service that could not be read is the zero Service.
func (o *Observer) Observe(ctx context.Context, in ObserveInput) (models.Observation, error) {
	ctx, cancel := context.WithTimeout(ctx, observeTimeout)
	defer cancel()
	now := o.Now()
	obs := models.Observation{At: now, Signals: []models.Signal{}, Reservations: []models.Reservation{}, Requests: []models.DecisionRequest{}}
	g := &gatherer{ctx: ctx}
	read(g, "the catalogue", func(ctx context.Context) (models.Service, error) { return o.Catalogue.Service(ctx, in.Service) },
		func(svc models.Service) { obs.Service = svc })
	read(g, "the replicas", func(ctx context.Context) (models.ReplicaSet, error) { return o.Actuator.Describe(ctx, in.Service) },
		func(set models.ReplicaSet) { obs.Replicas = &set })
	seen := false
	read(g, "the metrics", func(ctx context.Context) ([]models.Signal, error) { return o.Signals.Signals(ctx, in.Service, now) },
		func(s []models.Signal) { obs.Signals, seen = append(obs.Signals, s...), true })
	read(g, "the reservations", func(ctx context.Context) ([]models.Reservation, error) {
		return o.Claims.ActiveReservations(ctx, in.Service, now)
	}, func(rs []models.Reservation) { obs.Reservations = append(obs.Reservations, rs...) })
	read(g, "the requests", func(ctx context.Context) ([]models.DecisionRequest, error) {
		return o.Claims.OpenRequests(ctx, in.Service)
	},
		func(rs []models.DecisionRequest) { obs.Requests = append(obs.Requests, rs...) })
	if in.InFlight != "" {
		read(g, "the decision in flight", func(ctx context.Context) (models.Decision, error) { return o.Decisions.Decision(ctx, in.InFlight) },
			func(d models.Decision) { obs.Operation = &models.OperationRef{DecisionID: d.ID, Outcome: d.Outcome} })
	}
	past := o.readPast(g, in.Service, now) //nolint:contextcheck // the gatherer has it
	obs.Gaps = g.wait()
	obs.Requests = slices.DeleteFunc(obs.Requests, func(r models.DecisionRequest) bool { return torn(obs, r) })
	obs.Learned, obs.UsualRPS = past.learned, past.usual
	o.derive(ctx, &obs, past, seen)
	return obs, nil
}

// tornFor is how long after it was made a request may be seen without its reservation.
const tornFor = 10 * time.Second

// torn says whether a request that was made a moment ago is seen without its reservation:
// they are committed together, but the two reads may fall on either side of that. Answered
// now, it would be told that its reservation is not active; the next observation has both.
func torn(obs models.Observation, r models.DecisionRequest) bool {
	return obs.At.Sub(r.CreatedAt) < tornFor &&
		!slices.ContainsFunc(obs.Reservations, func(c models.Reservation) bool { return c.ID == r.ReservationID })
}

// past is what the record says of a service.
type past struct {
	learned *models.Learned
	usual   *float64
	peak    *float64 // largest minute of throughput of seven days
	spent   models.Budget
}

// readPast reads what changes slowly. Without what was learned the catalogue's figures
// count, so its absence is no gap.
func (o *Observer) readPast(g *gatherer, service models.ServiceName, now time.Time) *past {
	p, m := &past{}, &o.memory
	if o.Learned != nil {
		read(g, "", func(ctx context.Context) (models.Learned, error) {
			return m.learned.get(ctx, asked{service, now, learnedFresh, learnedUsable}, func(ctx context.Context) (models.Learned, error) {
				return o.Learned.Learned(ctx, service, now)
			})
		}, func(l models.Learned) {
			if l != (models.Learned{}) {
				p.learned = &l
			}
		})
	}
	if o.Usual != nil {
		read(g, "what is usual at this hour", func(ctx context.Context) (*float64, error) {
			return m.usual.get(ctx, asked{service, now, usualFresh, usualUsable}, func(ctx context.Context) (*float64, error) {
				return o.Usual.Usual(ctx, service, now)
			})
		}, func(v *float64) { p.usual = v })
	}
	if o.Rollups != nil {
		read(g, "the largest load of seven days", func(ctx context.Context) (*float64, error) {
			return m.peak.get(ctx, asked{service, now, peakFresh, peakUsable}, func(ctx context.Context) (*float64, error) {
				return o.Rollups.LargestMinute(ctx, service, now)
			})
		}, func(v *float64) { p.peak = v })
	}
	if b := o.Budget; o.Spending != nil && (b.Day > 0 || b.Month > 0) {
		read(g, "what was spent", func(ctx context.Context) (models.Budget, error) {
			return m.spent.get(ctx, asked{service, now, spentFresh, spentUsable}, func(ctx context.Context) (models.Budget, error) {
				return o.Spending.Spent(ctx, service, now)
			})
		}, func(v models.Budget) { p.spent = v })
	}
	return p
}

// derive reads what depends on the parts that were read, and puts together what is made
// from several of them.
func (o *Observer) derive(ctx context.Context, obs *models.Observation, p *past, seen bool) {
	if obs.Service.Name == "" {
		return
	}
	svc, at := obs.Service, obs.At
	g := &gatherer{ctx: ctx}
	read(g, "the limits", func(ctx context.Context) (models.Limits, error) { return o.Measurer.Limits(ctx, svc) },
		func(l models.Limits) { obs.Limits = l })
	if !seen && o.Rollups != nil {
		// That the hot store could not be read is a gap already; where there is no copy
		// either, the metrics are missing.
		read(g, "", func(ctx context.Context) ([]models.Signal, error) { return o.Rollups.SignalsAtRest(ctx, svc.Name, at) },
			func(s []models.Signal) { obs.Signals = append(obs.Signals, s...) })
	}
	obs.Gaps = append(obs.Gaps, o.readCalendar(ctx, obs)...)
	if o.Forecaster != nil {
		// A forecast only ever raises: without one nothing is unsafe, so its absence is
		// no gap.
		lead := scaling.LeadOf(*obs)
		read(g, "", func(ctx context.Context) (*models.ForecastPoint, error) {
			return o.Forecaster.Forecast(ctx, svc, at, lead)
		},
			func(f *models.ForecastPoint) { obs.Forecast = f })
	}
	o.readDisturbance(ctx, g, obs)
	obs.Gaps = append(obs.Gaps, g.wait()...)
	o.complete(obs, p)
}

// readCalendar reads who is coming, while the other reads go on: how far ahead a forecast
// has to look depends on it. Where it cannot be read its last copy counts, with the age it
// has; only without one is it a gap.
func (o *Observer) readCalendar(ctx context.Context, obs *models.Observation) []string {
	if o.Calendar == nil {
		return nil
	}
	svc, at := obs.Service, obs.At
	g := &gatherer{ctx: ctx}
	read(g, "the calendar", func(ctx context.Context) (*models.Calendar, error) {
		return o.memory.calendar.get(ctx, asked{svc.Name, at, 0, forever}, func(ctx context.Context) (*models.Calendar, error) {
			return o.Calendar.Calendar(ctx, svc, at)
		})
	}, func(c *models.Calendar) { obs.Calendar = c })
	return g.wait()
}

// complete puts what the record says to the parts it belongs to.
func (o *Observer) complete(obs *models.Observation, p *past) {
	for i := range obs.Signals {
		if s := &obs.Signals[i]; s.Metric == models.MetricThroughput && s.Max7Days == nil {
			s.Max7Days = p.peak
		}
	}
	if b := o.Budget; b != (models.Budget{}) && obs.Limits.Budget == nil {
		b.SpentDay, b.SpentMonth = p.spent.SpentDay, p.spent.SpentMonth
		obs.Limits.Budget = &b
	}
	obs.Mode = o.mode(*obs)
}

// mode is how much the service may not fail now: people who declare an emergency come
// before the calendar. A freeze is a reservation, and needs no mode.
func (o *Observer) mode(obs models.Observation) models.Mode {
	mode := models.ModeNormal
	if o.WeddingDays && obs.Calendar != nil {
		mode = scaling.ModeAt(*obs.Calendar, obs.At)
	}
	if o.Emergencies {
		mode = scaling.Declared(obs.Reservations, mode, obs.At)
	}
	return mode
}

// Decider runs the decision as a local activity, so that the recorded value replays.
type Decider struct{}

// DecideResult is a decision and what the next one needs to remember.
type DecideResult struct {
	Explanation models.Explanation `json:"explanation"`
	State       scaling.State      `json:"state"`
}

// Decide calls the policy.
func (Decider) Decide(_ context.Context, in scaling.Inputs) (DecideResult, error) {
	e, s := scaling.Decide(in)
	return DecideResult{Explanation: e, State: s}, nil
}
