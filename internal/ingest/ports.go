package ingest

import (
	"context"
	"time"

	"github.com/wedsync/scalability/models"
)

// HotSink keeps the newest seconds and values where decisions are made from.
type HotSink interface {
	SaveSeconds(ctx context.Context, source string, cells []models.Cell) error
	SaveLatest(ctx context.Context, latest []models.LatestMetrics) error
}

// RollupSink keeps closed ten-second windows.
type RollupSink interface {
	SaveRollups(ctx context.Context, rollups []models.MetricRollup) error
}

// CapacityReader gives the ready replicas and the capacity of each service, as of the
// last evaluation; a service that is absent is not probed.
type CapacityReader interface {
	Capacities(ctx context.Context) (map[models.ServiceName]Capacity, error)
}

// Capacity is what the probe compares load with.
type Capacity struct {
	Ready   int
	RPS     float64 // of one replica at 100 %
	Trigger float64 // share of ready capacity above which load is a spike
	Target  float64 // share of its capacity that a replica is run at; 0 = 1
}

// Signaller wakes a service's Autoscale workflow.
type Signaller interface {
	SignalSpike(ctx context.Context, s models.Spike) error
}

// Observer hears what becomes of samples; each method returns at once.
type Observer interface {
	Received(r models.IngestResult)
	Refused(samples int)
	Flushed(at time.Time, took time.Duration, err error)
	SpikeSignalled(service models.ServiceName)
}
