package backfill

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/wedsync/scalability/models"
)

// Bounds of one question: a server answers at most 11,000 points.
const (
	step     = 5 * time.Minute
	chunk    = 14 * 24 * time.Hour
	patience = time.Minute
)

// Query is what a server is asked.
type Query struct {
	URL         string // http://host:9090
	Query       string // PromQL that gives one series in requests per second
	From, Until time.Time
	Progress    func(done, total int) // nil: nobody looks
}

// Prometheus reads the load of [From, Until) from a server that speaks the HTTP API of
// Prometheus, two weeks at a time.
func Prometheus(ctx context.Context, q Query) ([]models.HourlyLoad, error) {
	if !q.Until.After(q.From) {
		return nil, models.Invalid("to", q.Until.Format(time.RFC3339), "must be after from")
	}
	client, err := api.NewClient(api.Config{Address: q.URL})
	if err != nil {
		return nil, models.Invalid("prometheus", q.URL, "must be the address of a server, as in http://127.0.0.1:9090")
	}
	server, all := v1.NewAPI(client), hours{}
	total := int((q.Until.Sub(q.From) + chunk - 1) / chunk)
	for i := range total {
		from := q.From.Add(time.Duration(i) * chunk)
		until := from.Add(chunk)
		if until.After(q.Until) {
			until = q.Until
		}
		if err := ask(ctx, server, q.Query, v1.Range{Start: from, End: until.Add(-time.Second), Step: step}, all); err != nil {
			return nil, err
		}
		if q.Progress != nil {
			q.Progress(i+1, total)
		}
	}
	if len(all) == 0 {
		return nil, models.Invalid("query", q.Query, "gives nothing in that time")
	}
	return all.list(), nil
}

func ask(ctx context.Context, server v1.API, query string, r v1.Range, to hours) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	got, _, _, err := server.QueryRange(ctx, query, r)
	if err != nil {
		return fmt.Errorf("backfill.Prometheus: %w", err)
	}
	matrix, ok := got.(model.Matrix)
	if !ok || len(matrix) > 1 {
		return models.Invalid("query", query, fmt.Sprintf("must give one series, as sum(rate(…)) does, not %s of %d", got.Type(), len(matrix)))
	}
	for _, series := range matrix {
		for _, p := range series.Values {
			if !load(float64(p.Value)) {
				return models.Invalid("value at "+p.Timestamp.Time().UTC().Format(time.RFC3339), p.Value, "must be a number of requests per second, from 0 up")
			}
			to.add(p.Timestamp.Time(), float64(p.Value))
		}
	}
	return nil
}
