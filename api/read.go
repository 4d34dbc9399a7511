package api

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
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
	out := gen.Status{At: now, Health: s.Health.Health(ctx, now), Services: services, Gaps: gaps}
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
	}, s.now())
	s.reply(c, http.StatusOK, prediction, err)
}

// reply answers with a value, or with the problem that an error is.
func (s *server) reply(c *gin.Context, code int, v any, err error) {
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(code, v)
}

func valueOr[T any](p *T, fallback T) T {
	if p == nil {
		return fallback
	}
	return *p
}

// paged cuts a list that was read with one entry more than the limit, and gives the
// cursor of the next page where there is one.
func paged[T any](items []T, limit int, at func(T) models.Cursor) ([]T, *string) {
	if items == nil {
		items = []T{}
	}
	if len(items) <= limit {
		return items, nil
	}
	next := formatCursor(at(items[limit-1]))
	return items[:limit], &next
}

// cursorID is what an ID in a cursor may look like.
var cursorID = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._:-]{0,63}$`)

// formatCursor packs a position; to callers it is opaque.
func formatCursor(c models.Cursor) string {
	return base64.RawURLEncoding.EncodeToString([]byte(c.At.UTC().Format(time.RFC3339Nano) + "|" + c.ID))
}

// parseCursor accepts only what formatCursor makes.
func parseCursor(text *string) (*models.Cursor, error) {
	if text == nil {
		return nil, nil //nolint:nilnil // no cursor is the first page
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(*text)
	at, id, ok := strings.Cut(string(raw), "|")
	if err == nil && ok && cursorID.MatchString(id) {
		if t, err := parseTime(at); err == nil {
			if cur := (models.Cursor{At: t.UTC(), ID: id}); formatCursor(cur) == *text {
				return &cur, nil
			}
		}
	}
	return nil, models.Invalid("cursor", *text, "must be the nextCursor of a page")
}
