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

// What may be asked of an interval: beyond these, sixty days of errors say nothing.
const (
	LeastQuantile = 0.025
	MostQuantile  = 0.99
	maxQuantiles  = 20
)

// Options configure a Predictor.
type Options struct {
	History           History
	Minutes           Minutes // nil: decisions have forecasts by the hour alone
	Calendar          Calendar
	Catalogue         Catalogue
	Archive           Archive
	Cache             Cache
	Rollups           Rollups                   // nil: hours are not kept
	Ledger            Ledger                    // nil: forecasts are not stored
	OnGate            func(models.ForecastGate) // nil: nobody is told
	Now               func() time.Time          // for Check, Days and Hours, and no minute after it is taken; nil is time.Now
	Weddings          bool                      // SCALABILITY_WEDDING_INTELLIGENCE_ENABLED
	SeasonMultipliers bool                      // WEDDING_SEASON_MULTIPLIERS_ENABLED
	Zone              *time.Location            // whose clock days and weeks follow; nil is UTC
	Holiday           func(day time.Time) bool  // nil: none
	Feeds             Feeds                     // nil: weddings come from nowhere else
	Log               *slog.Logger              // nil = silent
}

// Predictor forecasts load. It is safe for concurrent use. What it reads it reads as
// the platform itself, whoever asks; what a caller may not see it leaves out.
type Predictor struct {
	opts  Options
	group singleflight.Group

	mu       sync.Mutex
	models   map[modelKey]known[*model]
	views    map[modelKey]known[*view]
	learners map[models.ServiceName]*learner
	alone    map[models.ServiceName]int64 // hour in which no service was found that it is like
	past     map[models.ServiceName]known[map[int64]float64]
	records  map[models.ServiceName]known[record]
	trusted  map[models.ServiceName]bool
	weddings known[[]models.Wedding]
	minutes  map[models.ServiceName]*minutely
	asked    map[models.ServiceName]time.Time // for all minutes, last
	busy     map[models.ServiceName]bool      // being read
	reading  chan struct{}                    // room for services whose minutes are read anew
}

// New makes a Predictor.
func New(o Options) *Predictor {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	return &Predictor{
		opts: o, models: map[modelKey]known[*model]{}, views: map[modelKey]known[*view]{}, learners: map[models.ServiceName]*learner{}, alone: map[models.ServiceName]int64{},
		past: map[models.ServiceName]known[map[int64]float64]{}, records: map[models.ServiceName]known[record]{}, trusted: map[models.ServiceName]bool{},
		minutes: map[models.ServiceName]*minutely{}, asked: map[models.ServiceName]time.Time{}, busy: map[models.ServiceName]bool{}, reading: make(chan struct{}, minutesOnce),
	}
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
	for i, q := range req.Quantiles {
		if !(q >= LeastQuantile && q <= MostQuantile) {
			return models.Prediction{}, models.Invalid(fmt.Sprintf("quantiles[%d]", i), q, fmt.Sprintf("must be from %g to %g", LeastQuantile, MostQuantile))
		}
	}
	if len(req.Quantiles) > maxQuantiles {
		return models.Prediction{}, models.Invalid("quantiles", len(req.Quantiles), fmt.Sprintf("must be at most %d", maxQuantiles))
	}
	service, err := p.opts.Catalogue.Service(asPlatform(ctx), req.Service)
	if err != nil {
		return models.Prediction{}, fmt.Errorf("predictor.Predict: %w", err)
	}
	v, err := p.view(ctx, service, now, req.IncludeWeddingContext && p.opts.Weddings)
	if err != nil {
		return models.Prediction{}, fmt.Errorf("predictor.Predict: %w", err)
	}
	out := v.predict(req)
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
func (v *view) predict(req models.PredictionRequest) models.Prediction {
	out := models.Prediction{Service: v.service.Name, HistoryHours: len(v.simple.actual), Points: []models.PredictionPoint{}}
	filled, guested := 0, false
	for i := range req.TimeHorizonHours {
		h := v.running + 1 + int64(i)
		in := v.at(h)
		if !req.IncludeWeddingContext {
			in = in.without()
		}
		guested = guested || len(in.shares) > 0
		if in.filled {
			filled++
		}
		out.Points = append(out.Points, v.point(h, in, req.Quantiles))
	}
	out.Method, out.Reason = v.methodWith(guested), v.reason(guested, filled)
	if len(out.Points) > 0 && out.Points[0].Assumed {
		out.Reason += "; how far off that may be is assumed until two weeks were measured"
	}
	if out.Method == models.MethodNone {
		out.Points = []models.PredictionPoint{}
	}
	return out
}

func (v *view) point(h int64, in hour, quantiles []float64) models.PredictionPoint {
	p := models.PredictionPoint{
		At: timeOf(h), Base: in.base, Season: in.season, Holiday: in.holiday, Weddings: in.shares, P50: in.expected(),
		P90: in.upper(0.90), P95: in.upper(0.95), P99: in.upper(0.99), Method: in.method, Assumed: in.guessed,
	}
	p.Replicas = replicas(v.service, p.P50)
	for _, q := range quantiles {
		if rps, ok := in.quantile(q); ok {
			p.Quantiles = append(p.Quantiles, models.QuantileLoad{Quantile: q, RPS: rps})
		}
	}
	return p
}

// methodWith is the method of the coming hours.
func (v *view) methodWith(guested bool) models.PredictionMethod {
	if v.learned() {
		return v.at(v.running + 1).method
	}
	return v.simple.methodWith(guested)
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
func (v *view) reason(guested bool, filled int) string {
	if !v.learned() {
		return v.simple.reason(guested, filled)
	}
	var s string
	switch v.methodWith(guested) {
	case models.MethodCohort:
		s = fmt.Sprintf("%.1f days of history: services like it stand in", v.history)
	case models.MethodSeasonalNaive:
		s = "the same hours of last week, which did better than the models over the last days"
	default:
		s = fmt.Sprintf("models of %.0f days of history", v.history)
	}
	if w := v.wape(); !math.IsNaN(w) {
		s += fmt.Sprintf(", off by %.0f %% an hour ahead over the last 7 days", 100*w)
	}
	switch {
	case !guested:
	case v.assumed:
		s += "; " + v.simple.guestReason()
	default:
		s += fmt.Sprintf("; what guests bring is learned from %d weddings", v.course.Events)
	}
	return s
}

// reason says in a sentence how a forecast was made.
func (m *model) reason(guested bool, filled int) string {
	s := m.why()
	switch m.methodWith(guested) {
	case models.MethodNone:
		return s + ", and no wedding is in the calendar"
	case models.MethodCalendarOnly:
		s += ": the weddings of the calendar, on the load that the least replicas are held for"
	default:
	}
	if filled > 0 {
		s += fmt.Sprintf("; %d hours that are missing there come from earlier weeks or other days", filled)
	}
	if m.seasonal {
		s += "; with the multipliers of month and weekday"
	}
	if guested {
		s += "; " + m.guestReason()
	}
	return s
}

func (m *model) guestReason() string {
	if m.fitted {
		return fmt.Sprintf("the load of a guest is fitted at %.1f requests/s at the ceremony", m.scale*peakPerGuest*share(m.service))
	}
	return fmt.Sprintf("the load of a guest is assumed to be %.1f requests/s at the ceremony", peakPerGuest*share(m.service))
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
