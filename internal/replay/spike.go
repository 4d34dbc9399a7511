package replay

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/wedsync/scalability/models"
)

// SpikeOptions say how a service's load jumps.
type SpikeOptions struct {
	FleetURL string
	Service  models.ServiceName
	Factor   float64       // of the load before; 0 = 3
	BaseRPS  float64       // load of this source before the spike; 0 = multiply what others offer
	BaseFor  time.Duration // how long the base is held first; only with BaseRPS
	HoldFor  time.Duration // how long the spike lasts
	Source   string        // name of the load source; "" = spike
	OnSpike  func(SpikeResult)
	HTTP     *http.Client
}

// SpikeResult says what a spike was.
type SpikeResult struct {
	Base      float64   // requests per second before
	Peak      float64   // requests per second of the spike, all sources
	StartedAt time.Time // the fleet took the load
}

// Spike holds a base load, multiplies it, holds that and takes it away, also when ctx
// ends. Without BaseRPS it multiplies what other sources offer now, or where nobody
// offers any, half of what the ready replicas can serve.
func Spike(ctx context.Context, o SpikeOptions) (SpikeResult, error) {
	if o.Factor == 0 {
		o.Factor = 3
	}
	if o.Source == "" {
		o.Source = "spike"
	}
	if !(o.Factor > 1 && o.Factor <= 1000) {
		return SpikeResult{}, models.Invalid("factor", o.Factor, "must be above 1 and at most 1000")
	}
	if _, err := models.ParseServiceName("service", string(o.Service)); err != nil {
		return SpikeResult{}, err
	}
	w, err := newWeb("fleet address", o.FleetURL, "", o.HTTP)
	if err != nil {
		return SpikeResult{}, err
	}
	t := fleetTarget{w, url.PathEscape(o.Source)}
	res, err := spike(ctx, o, t)
	if clearing := release(ctx, t); clearing != nil && err == nil {
		err = fmt.Errorf("spike: the load ends by itself in seconds: %w", clearing)
	}
	return res, err
}

func spike(ctx context.Context, o SpikeOptions, t fleetTarget) (SpikeResult, error) {
	base, others, err := spikeBase(ctx, o, t)
	if err != nil {
		return SpikeResult{}, fmt.Errorf("spike: %w", err)
	}
	if o.BaseRPS > 0 {
		if err := hold(ctx, o.BaseFor, func() error { return t.offer(ctx, one(o.Service, base)) }); err != nil {
			return SpikeResult{}, fmt.Errorf("spike: base load: %w", err)
		}
	}
	res := SpikeResult{Base: base, Peak: base * o.Factor}
	err = hold(ctx, o.HoldFor, func() error {
		err := t.offer(ctx, one(o.Service, res.Peak-others))
		if err == nil && res.StartedAt.IsZero() {
			res.StartedAt = time.Now()
			if o.OnSpike != nil {
				o.OnSpike(res)
			}
		}
		return err
	})
	if err != nil {
		return res, fmt.Errorf("spike: %w", err)
	}
	return res, nil
}

// spikeBase gives the load to multiply, and how much of it others offer anyway.
func spikeBase(ctx context.Context, o SpikeOptions, t fleetTarget) (base, others float64, err error) {
	if o.BaseRPS > 0 {
		return o.BaseRPS, 0, nil
	}
	var v struct {
		Offered  float64 `json:"offeredRps"`
		Ready    int     `json:"ready"`
		Settings struct {
			CapacityRPS float64 `json:"capacityRps"`
		} `json:"settings"`
	}
	if err := t.call(ctx, http.MethodGet, "/services/"+string(o.Service), nil, &v); err != nil {
		return 0, 0, err
	}
	if v.Offered > 0 {
		return v.Offered, v.Offered, nil
	}
	return max(1, float64(v.Ready)) * v.Settings.CapacityRPS / 2, 0, nil
}

func one(name models.ServiceName, rps float64) map[models.ServiceName]float64 {
	return map[models.ServiceName]float64{name: rps}
}

// hold repeats an offer each second for a time, so that it does not expire. It ends
// early, without an error, when ctx does; three failures in a row are one.
func hold(ctx context.Context, d time.Duration, offer func() error) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	end := time.NewTimer(d)
	defer end.Stop()
	for failed := 0; ; {
		err := offer()
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			failed = 0
		default:
			if failed++; failed == 3 {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-end.C:
			return nil
		case <-tick.C:
		}
	}
}
