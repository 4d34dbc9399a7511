package hotstore

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wedsync/scalability/models"
)

// Lifetimes of the single values.
const (
	latestLifetime     = 30 * time.Second
	healthLifetime     = 60 * time.Second
	predictionLifetime = 3600 * time.Second

	healthKey = "system:health:status"
)

// SaveLatest keeps the newest values of services in one round trip. Metrics that are not
// in a report stay as another process reported them, until they are 30 s older than the
// newest.
func (s *Store) SaveLatest(ctx context.Context, latest []models.LatestMetrics) error {
	if len(latest) == 0 {
		return nil
	}
	_, err := s.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for _, l := range latest {
			pairs := make([]any, 0, 2*len(l.Values))
			for metric, value := range l.Values {
				pairs = append(pairs, string(metric), latestValue(l.At, value))
			}
			if len(pairs) > 0 {
				p.HSet(ctx, latestKey(l.Service), pairs...)
				p.Expire(ctx, latestKey(l.Service), latestLifetime)
			}
		}
		return nil
	})
	return failed("hotstore.SaveLatest", err)
}

// Latest gives the newest metrics of every service that reported in the last 30 s, in the
// order of models.ServiceNames.
func (s *Store) Latest(ctx context.Context) ([]models.LatestMetrics, error) {
	names := models.ServiceNames()
	found := make([]*redis.MapStringStringCmd, len(names))
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, name := range names {
			found[i] = p.HGetAll(ctx, latestKey(name))
		}
		return nil
	})
	if err != nil {
		return nil, failed("hotstore.Latest", err)
	}
	out := make([]models.LatestMetrics, 0, len(names))
	for i, name := range names {
		if l := readLatest(name, found[i].Val()); len(l.Values) > 0 {
			out = append(out, l)
		}
	}
	return out, nil
}

// readLatest leaves out what is too old beside the newest value.
func readLatest(service models.ServiceName, fields map[string]string) models.LatestMetrics {
	out := models.LatestMetrics{Service: service, Values: map[models.MetricName]float64{}}
	times := map[models.MetricName]time.Time{}
	for _, metric := range models.MetricNames() {
		at, value, ok := parseLatestValue(fields[string(metric)])
		if !ok {
			continue
		}
		out.Values[metric], times[metric] = value, at
		if at.After(out.At) {
			out.At = at
		}
	}
	for metric, at := range times {
		if out.At.Sub(at) > latestLifetime {
			delete(out.Values, metric)
		}
	}
	return out
}

// PutHealth keeps the last health for 60 s.
func (s *Store) PutHealth(ctx context.Context, h models.Health) error {
	return s.setJSON(ctx, "hotstore.PutHealth", healthKey, h, healthLifetime)
}

// Health reads the last health; KindNotFound when none was published in 60 s.
func (s *Store) Health(ctx context.Context) (models.Health, error) {
	var h models.Health
	err := s.getJSON(ctx, "hotstore.Health", healthKey, &h)
	return h, err
}

// PutPrediction keeps the newest prediction of a wedding for an hour.
func (s *Store) PutPrediction(ctx context.Context, p models.WeddingPrediction) error {
	return s.setJSON(ctx, "hotstore.PutPrediction", predictionKey(p.WeddingID), p, predictionLifetime)
}

// Prediction reads the newest prediction of a wedding; KindNotFound when there is none.
func (s *Store) Prediction(ctx context.Context, weddingID string) (models.WeddingPrediction, error) {
	var p models.WeddingPrediction
	err := s.getJSON(ctx, "hotstore.Prediction", predictionKey(weddingID), &p)
	return p, err
}

func latestKey(service models.ServiceName) string { return "metrics:" + string(service) + ":latest" }

func predictionKey(weddingID string) string { return "prediction:" + weddingID }

func latestValue(at time.Time, value float64) string {
	return strconv.FormatInt(at.UnixNano(), 10) + " " + strconv.FormatFloat(value, 'g', -1, 64)
}

func parseLatestValue(text string) (at time.Time, value float64, ok bool) {
	first, rest, _ := strings.Cut(text, " ")
	ns, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return time.Time{}, 0, false
	}
	value, err = strconv.ParseFloat(rest, 64)
	return time.Unix(0, ns).UTC(), value, err == nil && !math.IsNaN(value) && !math.IsInf(value, 0)
}
