package ingest

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/wedsync/scalability/models"
)

const (
	capacityPeriod = time.Second
	capacityKept   = time.Minute     // a capacity that cannot be read again stays known this long
	signalTimeout  = 2 * time.Second // of one signal
	debounce       = 2 * time.Second // between two signals of one service
	retryAfter     = probePeriod     // of a signal that failed
)

// probe is what the engine knows of spikes. Its owner locks it.
type probe struct {
	capacities map[models.ServiceName]Capacity
	readAt     time.Time // of capacities
	unreadable bool      // the last attempt to read them failed
	watches    map[models.ServiceName]watch
	signalling sync.WaitGroup
}

// watch follows one service's spike.
type watch struct {
	onset     time.Time // first sample above the threshold; zero = calm
	notBefore time.Time // of the next signal
	busy      bool      // a signal is under way
	failing   bool      // the last signal failed
	told      time.Time // onset of the spike that was last logged
}

func newProbe() probe { return probe{watches: map[models.ServiceName]watch{}} }

// readCapacities refreshes what load is compared with. While it cannot be read, the
// last known one counts for a minute.
func (e *Engine) readCapacities(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, signalTimeout)
	defer cancel()
	read, err := e.opts.Capacities.Capacities(ctx)
	e.mu.Lock()
	changed := e.probe.unreadable != (err != nil)
	e.probe.unreadable = err != nil
	switch {
	case err == nil:
		e.probe.capacities, e.probe.readAt = maps.Clone(read), now
	case now.Sub(e.probe.readAt) > capacityKept:
		e.probe.capacities = nil
	}
	e.mu.Unlock()
	if changed && !errors.Is(err, context.Canceled) {
		e.opts.Log.WarnContext(ctx, "capacities for the spike probe", "readable", err == nil, "error", err)
	}
}

// look probes every service and signals the spikes that are due, each on its own, so
// that neither a dead store nor a dead Temporal delays the next look.
func (e *Engine) look(ctx context.Context, now time.Time) {
	for _, s := range e.due(now) {
		e.probe.signalling.Go(func() { e.signal(ctx, s) })
	}
}

// due finds the spikes to signal now and marks them as under way.
func (e *Engine) due(now time.Time) []models.Spike {
	e.mu.Lock()
	defer e.mu.Unlock()
	var spikes []models.Spike
	for i, service := range e.names.services {
		capacity, ok := e.probe.capacities[service]
		if !ok || !capacity.known() {
			continue
		}
		series := i*len(e.names.metrics) + e.names.throughput
		load, newest := e.book.load(series, now)
		threshold := capacity.threshold()
		rate, reason, spike := load.surge(threshold)
		w := e.probe.watches[service]
		switch {
		case spike && w.onset.IsZero():
			w.onset = e.book.onset(series, newest, threshold)
		case !spike && !(load[0] > threshold):
			w.onset = time.Time{}
		}
		if spike && !w.busy && !now.Before(w.notBefore) {
			w.busy = true
			spikes = append(spikes, models.Spike{Service: service, SeenAt: now.UTC(), FirstSampleAt: w.onset, RPS: rate, Reason: reason})
		}
		e.probe.watches[service] = w
	}
	return spikes
}

// signal wakes a service's autoscaler, after its seconds stand where the decision will
// read them. A failure is tried again while the spike lasts.
func (e *Engine) signal(ctx context.Context, s models.Spike) {
	e.saveHot(ctx, s.SeenAt, e.names.service[s.Service])
	limited, cancel := context.WithTimeout(ctx, signalTimeout)
	defer cancel()
	err := e.opts.Signals.SignalSpike(limited, s)

	now := e.opts.Now()
	e.mu.Lock()
	w := e.probe.watches[s.Service]
	changed := w.failing != (err != nil)
	first := !w.told.Equal(s.FirstSampleAt)
	w.busy, w.failing = false, err != nil
	w.notBefore = now.Add(retryAfter)
	if err == nil {
		w.notBefore, w.told = s.SeenAt.Add(debounce), s.FirstSampleAt
	}
	e.probe.watches[s.Service] = w
	e.mu.Unlock()

	switch {
	case err == nil:
		e.opts.Metrics.SpikeSignalled(s.Service)
		level := slog.LevelDebug // a spike that lasts is signalled every two seconds: once is enough to read
		if first {
			level = slog.LevelInfo
		}
		e.opts.Log.Log(ctx, level, "spike signalled", "service", s.Service, "rps", s.RPS, "firstSampleAt", s.FirstSampleAt, "reason", s.Reason)
	case changed && ctx.Err() == nil:
		e.opts.Log.WarnContext(ctx, "spike is not signalled", "service", s.Service, "error", err)
	}
}
