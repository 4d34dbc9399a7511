package ingest

import (
	"errors"
	"fmt"
	"time"

	"github.com/wedsync/scalability/models"
)

// dropped stands for a sample that is late or future.
const dropped int16 = -1

// admit checks a whole batch before any of it is entered, and gives the series of each
// sample. Of age = now − timestamp:
//
//	no timestamp, or age > 1 h, or age < −5 min   the batch is refused: that clock is broken
//	age > MaxPast                                 late: a sender that was cut off for a moment
//	age < −MaxFuture                              future: a clock that is somewhat ahead
//	else                                          accepted
func (e *Engine) admit(samples []models.Sample, now time.Time) ([]int16, models.IngestResult, error) {
	result := models.IngestResult{Received: len(samples)}
	switch {
	case len(samples) == 0:
		return nil, result, models.Invalid("samples", "0 samples", fmt.Sprintf("must have 1 to %d samples", MaxSamples))
	case len(samples) > MaxSamples:
		err := models.Invalid("samples", fmt.Sprintf("%d samples", len(samples)), fmt.Sprintf("must have 1 to %d samples", MaxSamples))
		err.Kind = models.KindTooLarge
		return nil, result, err
	}
	places := make([]int16, len(samples))
	for i := range samples {
		s := &samples[i]
		series, err := e.names.series(s)
		if err == nil {
			err = e.checkTime(s.Timestamp, now)
		}
		if err != nil {
			return nil, result, named(i, err)
		}
		places[i] = series
		switch age := now.Sub(s.Timestamp); {
		case age > e.opts.MaxPast:
			places[i] = dropped
			result.Late++
		case age < -e.opts.MaxFuture:
			places[i] = dropped
			result.Future++
		default:
			result.Accepted++
		}
	}
	return places, result, nil
}

// checkTime refuses what no clock that is nearly right can say. Where the window of
// accepted samples is set wider than the bounds, the window is the bound.
func (e *Engine) checkTime(at, now time.Time) *models.Error {
	past, ahead := max(MaxAge, e.opts.MaxPast), max(MaxAhead, e.opts.MaxFuture)
	if at.IsZero() {
		return models.Invalid("timestamp", "", "is required")
	}
	if age := now.Sub(at); age > past || age < -ahead {
		return models.Invalid("timestamp", at.UTC().Format(time.RFC3339Nano),
			fmt.Sprintf("must be at most %s old and %s ahead of the server's clock", past, ahead))
	}
	return nil
}

// asBreach gives the error of a check in models its own type back.
func asBreach(err error) *models.Error {
	var breach *models.Error
	if errors.As(err, &breach) {
		return breach
	}
	return &models.Error{Err: err}
}

// named says which sample of the batch a breach is in.
func named(i int, err *models.Error) *models.Error {
	err.Field = fmt.Sprintf("samples[%d].%s", i, err.Field)
	return err
}

// names numbers the services and metrics, so that a series is one small number:
// service × metrics + metric, in the orders of models.
type names struct {
	services   []models.ServiceName
	metrics    []models.MetricName
	service    map[models.ServiceName]int
	metric     map[models.MetricName]int
	throughput int
}

func newNames() names {
	n := names{
		services: models.ServiceNames(), metrics: models.MetricNames(),
		service: map[models.ServiceName]int{}, metric: map[models.MetricName]int{},
	}
	for i, s := range n.services {
		n.service[s] = i
	}
	for i, m := range n.metrics {
		n.metric[m] = i
	}
	n.throughput = n.metric[models.MetricThroughput]
	return n
}

// series finds the number of a sample's series and checks its value.
func (n names) series(s *models.Sample) (int16, *models.Error) {
	service, ok := n.service[s.Service]
	if !ok {
		_, err := models.ParseServiceName("service", string(s.Service))
		return 0, asBreach(err)
	}
	metric, ok := n.metric[s.Metric]
	if !ok {
		_, err := models.ParseMetricName("metric", string(s.Metric))
		return 0, asBreach(err)
	}
	if err := models.ValidateMetricValue("value", s.Metric, s.Value); err != nil {
		return 0, asBreach(err)
	}
	return int16(service*len(n.metrics) + metric), nil //nolint:gosec // 9 services × 7 metrics
}

func (n names) of(series int) (models.ServiceName, models.MetricName) {
	return n.services[series/len(n.metrics)], n.metrics[series%len(n.metrics)]
}
