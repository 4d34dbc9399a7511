package loadtest

import (
	"context"

	"github.com/wedsync/scalability/models"
)

// LoadSource is a modelled fleet that load can be offered to.
type LoadSource interface {
	SetLoad(ctx context.Context, source string, rates map[models.ServiceName]float64) error
}

// Measurer measures a service.
type Measurer interface {
	Measure(ctx context.Context, req models.MeasureRequest) (models.Measurement, error)
}

// source names the load of tests beside that of others.
const source = "season-load-test"

// windowSeconds is what a look measures over.
const windowSeconds = 5

// Fleet is a target and a gauge over a modelled fleet.
type Fleet struct {
	Load  LoadSource
	Gauge Measurer
}

// Offer adds load to what others offer; the fleet forgets it within seconds.
func (f Fleet) Offer(ctx context.Context, service models.ServiceName, rps float64) error {
	return f.Load.SetLoad(ctx, source, map[models.ServiceName]float64{service: rps})
}

// Stop ends it.
func (f Fleet) Stop(ctx context.Context) error { return f.Load.SetLoad(ctx, source, nil) }

// Look measures the last seconds.
func (f Fleet) Look(ctx context.Context, service models.ServiceName) (models.LoadTestSample, error) {
	m, err := f.Gauge.Measure(ctx, models.MeasureRequest{Service: service, WindowSeconds: windowSeconds})
	if err != nil {
		return models.LoadTestSample{}, err
	}
	s := models.LoadTestSample{P95MS: m.Service.P95MS, ErrorRate: m.Service.ErrorRate, Ready: m.Ready, CapacityRPS: m.Service.CapacityRPS}
	if s.CapacityRPS == nil {
		s.CapacityRPS = m.New.CapacityRPS // without a baseline all replicas are new
	}
	if m.OfferedRPS != nil {
		s.OfferedRPS = *m.OfferedRPS
	}
	if m.DatabaseConnections != nil && m.DatabaseMaxConnections != nil && *m.DatabaseMaxConnections > 0 {
		share := float64(*m.DatabaseConnections) / float64(*m.DatabaseMaxConnections)
		s.DatabaseShare = &share
	}
	return s, nil
}
