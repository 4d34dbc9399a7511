package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

// GetHealth answers anybody, without detail. It may be cached for some seconds.
func (s *server) GetHealth(c *gin.Context) {
	h := s.Health.Health(c.Request.Context(), s.now())
	code := http.StatusOK
	if h.OverallHealth != models.OverallHealthy && h.OverallHealth != models.OverallDegraded {
		code = http.StatusServiceUnavailable
	}
	c.Header("Cache-Control", "public, max-age=5")
	c.JSON(code, h)
}

// GetStatus says how all services are; what could not be read is named.
func (s *server) GetStatus(c *gin.Context, p gen.GetStatusParams) {
	ctx := c.Request.Context()
	now := s.now()
	services, gaps, err := s.read.services(ctx)
	if err != nil {
		s.fail(c, err)
		return
	}
	health := s.Health.Health(ctx, now)
	standing, known := s.standing(ctx, now)
	if !known {
		gaps = append(gaps, "Whether strict thresholds hold could not be read; what was read last counts.")
	}
	judge(standing, services)
	standing = standing.Overall(health, services)
	out := gen.Status{At: now, Health: health, Judgement: standing, Services: services, Gaps: append(gaps, s.calendarGaps(ctx, now)...)}
	if gates := s.Predictor.Gates(ctx, now); len(gates) > 0 {
		out.Forecasts = &gates
	}
	if isTrue(p.IncludeScaling) {
		sum := summarise(services)
		out.Scaling = &sum
	}
	if isTrue(p.IncludeDatabase) {
		db, err := s.Database.DatabaseStatus(ctx)
		if err != nil {
			out.Gaps = append(out.Gaps, "The state of the database could not be read.")
		} else {
			out.Database = &db
		}
	}
	c.JSON(http.StatusOK, out)
}

func isTrue(b *bool) bool { return b != nil && *b }

// summarise adds up what was evaluated.
func summarise(services []models.ServiceStatus) gen.ScalingSummary {
	sum := gen.ScalingSummary{Paused: []models.ServiceName{}, Changing: []models.ServiceName{}, Short: []models.ServiceName{}}
	for _, st := range services {
		x := st.Scaling
		if x == nil {
			continue
		}
		sum.Spec += x.Spec
		sum.Ready += x.Ready
		sum.Pending += x.Pending
		sum.Desired += x.Desired
		if sum.OldestTickAt == nil || x.TickedAt.Before(*sum.OldestTickAt) {
			sum.OldestTickAt = &x.TickedAt
		}
		if x.Paused {
			sum.Paused = append(sum.Paused, st.Service)
		}
		if x.Operation != "" {
			sum.Changing = append(sum.Changing, st.Service)
		}
		if x.Explanation != nil && x.Explanation.Deficit != nil {
			sum.Short = append(sum.Short, st.Service)
		}
	}
	return sum
}

// reader puts together what is known of the services. It remembers what it read last,
// for times in which the database is away; a metric it never remembers.
type reader struct {
	Config
	mu        sync.Mutex
	catalogue []models.Service
	states    []models.ScalingState
}

// services gives the status of each service of the catalogue, in its order, and a
// sentence for each thing that could not be read. It fails when nothing could be.
func (r *reader) services(ctx context.Context) ([]models.ServiceStatus, []string, error) {
	catalogue, errCatalogue := r.Catalogue.Services(ctx)
	states, errStates := r.States.ScalingStates(ctx)
	metrics, errMetrics := r.Metrics.Latest(ctx)
	if errCatalogue != nil && errStates != nil && errMetrics != nil {
		return nil, nil, models.Unavailable("status", errors.Join(errCatalogue, errStates, errMetrics))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	gaps := []string{}
	if errCatalogue != nil {
		gaps = append(gaps, "The catalogue could not be read; it is shown as it was last.")
		catalogue = r.catalogue
	}
	if errStates != nil {
		gaps = append(gaps, "The last evaluations could not be read; they are shown as they were last.")
		states = r.states
	}
	if errMetrics != nil {
		gaps = append(gaps, "The metrics could not be read.")
		metrics = nil
	}
	r.catalogue, r.states = catalogue, states
	out := make([]models.ServiceStatus, 0, len(catalogue))
	for _, svc := range catalogue {
		out = append(out, r.status(svc, states, metrics))
	}
	return out, gaps, nil
}

func (r *reader) status(svc models.Service, states []models.ScalingState, metrics []models.LatestMetrics) models.ServiceStatus {
	st := models.ServiceStatus{
		Service: svc.Name, Tier: svc.Tier, CapacityRPS: svc.CapacityRPS, Min: svc.MinReplicas, Max: svc.MaxReplicas,
		Metrics: map[models.MetricName]float64{}, TemporalURL: r.temporalURL(autoscaleID(svc.Name)),
	}
	if i := slices.IndexFunc(states, func(x models.ScalingState) bool { return x.Service == svc.Name }); i >= 0 {
		state := states[i]
		st.Scaling = &state
	}
	if i := slices.IndexFunc(metrics, func(m models.LatestMetrics) bool { return m.Service == svc.Name }); i >= 0 {
		st.Metrics, st.MetricAt = metrics[i].Values, &metrics[i].At
	}
	return st
}

// ListDecisions gives a page of decisions, newest first.
func (s *server) ListDecisions(c *gin.Context, p gen.ListDecisionsParams) {
	f := models.DecisionFilter{Service: valueOr(p.Service, ""), Since: valueOr(p.Since, time.Time{}), Until: valueOr(p.Until, time.Time{})}
	if p.Outcome != nil {
		o := models.Outcome(*p.Outcome)
		if *p.Outcome == "open" {
			o = models.OutcomeOpen
		}
		f.Outcome = &o
	}
	limit := valueOr(p.Limit, 10)
	f.Limit = limit + 1 // one more says whether there is a next page
	var err error
	if f.Before, err = parseCursor(p.Cursor); err != nil {
		s.fail(c, err)
		return
	}
	items, err := s.Decisions.Decisions(c.Request.Context(), f)
	if err != nil {
		s.fail(c, err)
		return
	}
	page := gen.DecisionPage{}
	page.Items, page.NextCursor = paged(items, limit, func(d models.Decision) models.Cursor { return models.Cursor{At: d.CreatedAt, ID: d.ID} })
	c.JSON(http.StatusOK, page)
}

// GetDecision gives one decision with all that is known of it.
func (s *server) GetDecision(c *gin.Context, id gen.IDPath) {
	d, err := s.Decisions.Decision(c.Request.Context(), id)
	s.reply(c, http.StatusOK, d, err)
}

// PostPrediction forecasts load.
func (s *server) PostPrediction(c *gin.Context) {
	q, err := decode[gen.PredictionQuery](c)
	if err != nil {
		s.fail(c, err)
		return
	}
	prediction, err := s.Predictor.Predict(c.Request.Context(), models.PredictionRequest{
		Service:               valueOr(q.Service, models.ServiceAPI),
		TimeHorizonHours:      valueOr(q.TimeHorizonHours, 24),
		IncludeWeddingContext: valueOr(q.IncludeWeddingContext, true),
		Quantiles:             valueOr(q.Quantiles, nil),
	}, s.now())
	s.reply(c, http.StatusOK, prediction, err)
}

// GetPredictionAccuracy says how the forecasts did.
func (s *server) GetPredictionAccuracy(c *gin.Context, p gen.GetPredictionAccuracyParams) {
	out, err := s.Predictor.Accuracy(c.Request.Context(), valueOr(p.Service, models.ServiceAPI), valueOr(p.Days, 7), s.now())
	s.reply(c, http.StatusOK, out, err)
}

func valueOr[T any](p *T, fallback T) T {
	if p == nil {
		return fallback
	}
	return *p
}

// ListEvaluations gives a page of evaluations of a service, newest first.
func (s *server) ListEvaluations(c *gin.Context, service gen.ServicePath, p gen.ListEvaluationsParams) {
	limit := valueOr(p.Limit, 10)
	f := models.EvaluationFilter{
		Service: service, Since: valueOr(p.Since, time.Time{}), Until: valueOr(p.Until, time.Time{}), Limit: limit + 1,
	}
	before, err := parseCursor(p.Cursor)
	if err == nil && before != nil {
		f.Before = before.At
		if before.ID != string(service) {
			err = models.Invalid("cursor", *p.Cursor, "must be the nextCursor of a page of this service")
		}
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	items, err := s.Evaluations.Evaluations(c.Request.Context(), f)
	if err != nil {
		s.fail(c, err)
		return
	}
	page := gen.EvaluationPage{}
	page.Items, page.NextCursor = paged(items, limit, func(e models.Evaluation) models.Cursor { return models.Cursor{At: e.At, ID: string(e.Service)} })
	c.JSON(http.StatusOK, page)
}

// maxSavingsDays bounds what one question reads.
const maxSavingsDays = 366

// GetSavings compares what was provisioned with holding the peak all the time. The future
// is not a part of the period: nothing of it is missing.
func (s *server) GetSavings(c *gin.Context, p gen.GetSavingsParams) {
	now := s.now()
	until := valueOr(p.Until, now).UTC()
	if until.After(now) {
		until = now
	}
	since := valueOr(p.Since, until.Add(-24*time.Hour)).UTC()
	if !since.Before(until) || until.Sub(since) > maxSavingsDays*24*time.Hour {
		s.fail(c, models.Invalid("since", since.Format(time.RFC3339), fmt.Sprintf("must be before until and before now, by at most %d days", maxSavingsDays)))
		return
	}
	out, err := s.Evaluations.Savings(c.Request.Context(), since, until)
	s.reply(c, http.StatusOK, out, err)
}

// PreviewDecision says what would be decided.
func (s *server) PreviewDecision(c *gin.Context) {
	q, err := decode[gen.PreviewQuery](c)
	if err != nil {
		s.fail(c, err)
		return
	}
	req := models.PreviewRequest{Service: q.Service}
	if ch := q.Changes; ch != nil {
		req.Changes = models.PreviewChanges{
			Now: ch.Now, RPS: ch.Rps, CPU: ch.Cpu, Memory: ch.Memory, ResponseTimeMS: ch.ResponseTimeMs, ErrorRate: ch.ErrorRate,
			QueueDepth: ch.QueueDepth, Replicas: ch.Replicas, MinReplicas: ch.MinReplicas, MaxReplicas: ch.MaxReplicas,
		}
		if m := models.Mode(valueOr(ch.Mode, "")); m != "" {
			if m == "normal" {
				m = models.ModeNormal
			}
			req.Changes.Mode = &m
		}
		req.Changes.Reservations, err = s.supposed(c, q)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	e, err := s.Previewer.Preview(c.Request.Context(), req)
	s.reply(c, http.StatusOK, e, err)
}

// supposedFor is how long a reservation of a preview counts before and after, where nobody
// said so.
const supposedFor = 24 * time.Hour

// supposed makes the reservations of a preview, each held to the rules of a real one. Nil:
// none were given.
func (s *server) supposed(c *gin.Context, q gen.PreviewQuery) ([]models.Reservation, error) {
	if q.Changes.Reservations == nil {
		return nil, nil
	}
	at := valueOr(q.Changes.Now, s.now()).UTC()
	claims := []models.Reservation{}
	var errs []error
	for i, r := range *q.Changes.Reservations {
		claim := s.claim(c, q.Service, valueOr(r.Reason, "a preview"))
		claim.ID, claim.Kind = fmt.Sprintf("preview-%d", i+1), r.Kind
		claim.Replicas, claim.Guests = valueOr(r.Replicas, 0), valueOr(r.Guests, 0)
		claim.From, claim.Until = valueOr(r.From, at.Add(-supposedFor)).UTC(), valueOr(r.Until, at.Add(supposedFor)).UTC()
		var breach *models.Error
		if err := claim.Validate(); errors.As(err, &breach) {
			breach.Field = fmt.Sprintf("changes.reservations[%d].%s", i, breach.Field)
			errs = append(errs, breach)
		}
		claims = append(claims, claim)
	}
	return claims, errors.Join(errs...)
}
