package predictor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/wedsync/scalability/models"
)

// MaxHorizonHours bounds how far ahead is predicted.
const MaxHorizonHours = 168

// Options configure a Predictor.
type Options struct {
	History           History
	Calendar          Calendar
	Catalogue         Catalogue
	Archive           Archive
	Cache             Cache
	Now               func() time.Time // for Check alone; nil is time.Now
	Weddings          bool             // SCALABILITY_WEDDING_INTELLIGENCE_ENABLED
	SeasonMultipliers bool             // WEDDING_SEASON_MULTIPLIERS_ENABLED
	Log               *slog.Logger     // nil = silent
}

// Predictor forecasts load. It is safe for concurrent use. What it reads it reads as
// the platform itself, whoever asks; what a caller may not see it leaves out.
type Predictor struct {
	opts  Options
	group singleflight.Group

	mu       sync.Mutex
	models   map[modelKey]known[*model]
	past     map[models.ServiceName]known[map[int64]float64]
	weddings known[[]models.Wedding]
}

// New makes a Predictor.
func New(o Options) *Predictor {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Predictor{opts: o, models: map[modelKey]known[*model]{}, past: map[models.ServiceName]known[map[int64]float64]{}}
}

// Predict forecasts the coming full hours of a service; the first point is the hour
// that begins next. Without a service it is the api, the platform's front door.
func (p *Predictor) Predict(ctx context.Context, req models.PredictionRequest, now time.Time) (models.Prediction, error) {
	if req.TimeHorizonHours < 1 || req.TimeHorizonHours > MaxHorizonHours {
		return models.Prediction{}, models.Invalid("timeHorizonHours", req.TimeHorizonHours, fmt.Sprintf("must be from 1 to %d", MaxHorizonHours))
	}
	if req.Service == "" {
		req.Service = models.ServiceAPI
	}
	if _, err := models.ParseServiceName("service", string(req.Service)); err != nil {
		return models.Prediction{}, err
	}
	service, err := p.opts.Catalogue.Service(asPlatform(ctx), req.Service)
	if err != nil {
		return models.Prediction{}, fmt.Errorf("predictor.Predict: %w", err)
	}
	m, err := p.model(ctx, req.Service, now, req.IncludeWeddingContext && p.opts.Weddings)
	if err != nil {
		return models.Prediction{}, fmt.Errorf("predictor.Predict: %w", err)
	}
	out := m.predict(service, req.TimeHorizonHours)
	out.IssuedAt = now.UTC()
	if req.IncludeWeddingContext && !p.opts.Weddings {
		out.Reason += "; wedding intelligence is switched off"
	}
	if err := p.conceal(ctx, &out); err != nil {
		return models.Prediction{}, fmt.Errorf("predictor.Predict: %w", err)
	}
	out.Peak = highest(out.Points)
	return out, nil
}

// predict makes the points of the coming hours.
func (m *model) predict(service models.Service, hours int) models.Prediction {
	out := models.Prediction{Service: m.service, HistoryHours: len(m.actual), Points: []models.PredictionPoint{}}
	filled, guested := 0, false
	for i := range hours {
		hour := m.running + 1 + int64(i)
		base, stands := m.baseOf(service, hour)
		point := models.PredictionPoint{At: timeOf(hour), Base: base, Weddings: m.shares(hour), P50: base}
		for _, s := range point.Weddings {
			point.P50 += s.RPS
			guested = true
		}
		point.P90, point.P95, point.P99 = m.upper(point.P50, 0.90), m.upper(point.P50, 0.95), m.upper(point.P50, 0.99)
		point.Replicas = replicas(service, point.P50)
		out.Points = append(out.Points, point)
		if stands {
			filled++
		}
	}
	out.Method, out.Reason = m.methodWith(guested), m.reason(guested, filled)
	if out.Method == models.MethodNone {
		out.Points = []models.PredictionPoint{}
	}
	return out
}

// methodWith names the method of a forecast that has guests in it, or has none.
func (m *model) methodWith(guested bool) models.PredictionMethod {
	if m.method == models.MethodNone && guested {
		return models.MethodCalendarOnly
	}
	return m.method
}

// baseOf is the load without guests. Where nothing was measured it is assumed to be
// what the least replicas serve at the target utilisation, which is what an operator
// holds them for.
func (m *model) baseOf(service models.Service, hour int64) (rps float64, filled bool) {
	if m.method == models.MethodNone {
		return float64(service.MinReplicas) * service.CapacityRPS * service.Policy.TargetUtilisation * m.season(hour), false
	}
	return m.base(hour)
}

// reason says in a sentence how a forecast was made.
func (m *model) reason(guested bool, filled int) string {
	s := m.why()
	switch m.methodWith(guested) {
	case models.MethodNone:
		return s + ", and no wedding is in the calendar"
	case models.MethodCalendarOnly:
		s += ": the weddings of the calendar, on the load that the least replicas are held for"
	case models.MethodRecentLevel, models.MethodSeasonalNaive:
	}
	if filled > 0 {
		s += fmt.Sprintf("; %d hours that are missing there come from earlier weeks or other days", filled)
	}
	if m.seasonal {
		s += "; with the multipliers of month and weekday"
	}
	switch {
	case guested && m.fitted:
		s += fmt.Sprintf("; the load of a guest is fitted at %.1f requests/s at the ceremony", m.scale*peakPerGuest*share(m.service))
	case guested:
		s += fmt.Sprintf("; the load of a guest is assumed to be %.1f requests/s at the ceremony", peakPerGuest*share(m.service))
	}
	return s
}

func (m *model) upper(p50, q float64) *float64 {
	rps, ok := m.quantile(p50, q)
	if !ok {
		return nil
	}
	return &rps
}

// Forecast gives the largest load expected in [now, now+within], or nil when there is
// nothing to say or forecasts are switched off. It is trusted where the method has
// shown on this service's own history that it can be.
func (p *Predictor) Forecast(ctx context.Context, service models.Service, now time.Time, within time.Duration) (*models.ForecastPoint, error) {
	if !p.opts.Weddings {
		return nil, nil
	}
	m, err := p.model(ctx, service.Name, now, true)
	if err != nil {
		return nil, fmt.Errorf("predictor.Forecast: %w", err)
	}
	p50, guested := m.largest(service, now, within)
	method := m.methodWith(guested)
	if method == models.MethodNone {
		return nil, nil
	}
	f := models.ForecastPoint{P50: p50, P95: p50, P99: p50, IssuedAt: now.UTC(), Model: string(method)}
	f.Trusted, f.Reason = m.trust()
	if p95, ok := m.quantile(p50, 0.95); ok {
		f.P95 = p95
		f.P99, _ = m.quantile(p50, 0.99)
	}
	return &f, nil
}

// forecastStep is how finely the course of the guests is looked at: their load changes
// within minutes, the base is that of the hour.
const forecastStep = time.Minute

// largest is the highest sum of base and guests in [now, now+within].
func (m *model) largest(service models.Service, now time.Time, within time.Duration) (p50 float64, guested bool) {
	within = min(max(within, 0), MaxHorizonHours*time.Hour)
	coming := m.around(now, now.Add(within))
	for after := time.Duration(0); ; after = min(after+forecastStep, within) {
		at := now.Add(after)
		rps, _ := m.baseOf(service, hourOf(at))
		for _, w := range coming {
			load := m.scale * guestLoad(w, m.service, at)
			rps += load
			guested = guested || load > 0
		}
		p50 = math.Max(p50, rps)
		if after == within {
			return p50, guested
		}
	}
}

// around gives the weddings whose guests may be there between two times.
func (m *model) around(from, until time.Time) []models.Wedding {
	var out []models.Wedding
	for _, w := range m.weddings {
		if w.EndsAt.After(from) && w.StartsAt.Add(-longestArrival*time.Hour).Before(until) {
			out = append(out, w)
		}
	}
	return out
}

// replicas is how many serve a load at the target utilisation, at least the minimum.
// It is not capped: what cannot be had is to be seen.
func replicas(s models.Service, rps float64) int {
	room := s.CapacityRPS * s.Policy.TargetUtilisation
	if !(room > 0) {
		return s.MinReplicas
	}
	return max(s.MinReplicas, int(math.Ceil(rps/room-1e-9)))
}

func highest(points []models.PredictionPoint) *models.PredictionPoint {
	var top *models.PredictionPoint
	for i := range points {
		if top == nil || points[i].P50 > top.P50 {
			top = &points[i]
		}
	}
	if top == nil {
		return nil
	}
	found := *top
	return &found
}

// Check says whether history and calendar can be read.
func (p *Predictor) Check(ctx context.Context) error {
	ctx, now := asPlatform(ctx), p.opts.Now().UTC()
	_, history := p.opts.History.HourlyLoad(ctx, models.ServiceAPI, now.Add(-time.Hour), now)
	_, calendar := p.opts.Calendar.Weddings(ctx, models.WeddingFilter{From: now, Until: now.Add(time.Hour), Limit: 1})
	if err := errors.Join(history, calendar); err != nil {
		return models.Unavailable("predictor.Check", err)
	}
	return nil
}
