package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/wedsync/scalability/models"
)

// loadTTL is how long an offered load lasts when its source falls silent.
const loadTTL = 5 * time.Second

// saveEvery is how often the state is saved besides at each order.
const saveEvery = 3 * time.Second

// Fleet is a plant that is stepped by the clock, saved to a file and safe for
// concurrent use.
type Fleet struct {
	path  string // "" = not saved
	clock func() time.Time
	log   *slog.Logger

	mu    sync.Mutex
	plant *Plant
	dirty bool // an answered order is not on disk yet

	saving sync.Mutex // one save at a time, so that an old one never replaces a new one
}

// Open reads the state file, or begins a new fleet with the settings. A nil clock is
// the machine's.
func Open(path string, s Settings, clock func() time.Time, log *slog.Logger) (*Fleet, error) {
	if clock == nil {
		clock = time.Now
	}
	p, err := loadPlant(path, s, clock().UTC())
	if path == "" {
		p, err = NewPlant(s, clock().UTC())
	}
	if err != nil {
		return nil, err
	}
	return &Fleet{path: path, clock: clock, log: log, plant: p}, nil
}

// use steps the plant to now and lends it out.
func (f *Fleet) use(fn func(p *Plant) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plant.Step(f.clock().UTC())
	return fn(f.plant)
}

// Run steps the fleet and saves it until ctx ends.
func (f *Fleet) Run(ctx context.Context) error {
	tick := time.NewTicker(f.plant.settings.tick())
	defer tick.Stop()
	saved, failing := f.clock(), false
	for {
		select {
		case <-ctx.Done():
			return f.save()
		case <-tick.C:
		}
		_ = f.use(func(*Plant) error { return nil }) // stepping is the purpose; the function cannot fail
		if f.clock().Sub(saved) < saveEvery {
			continue
		}
		saved = f.clock()
		err := f.save()
		if (err != nil) != failing {
			failing = err != nil
			f.log.WarnContext(ctx, "fleet state file", "failing", failing, "error", err)
		}
	}
}

// save writes the state as it is now.
func (f *Fleet) save() error {
	if f.path == "" {
		return nil
	}
	f.saving.Lock()
	defer f.saving.Unlock()
	f.mu.Lock()
	st, err := f.plant.snapshot()
	f.dirty = false
	f.mu.Unlock()
	if err == nil {
		err = saveState(f.path, st)
	}
	if err != nil {
		f.mu.Lock()
		f.dirty = true
		f.mu.Unlock()
	}
	return err
}

// Apply orders capacity and answers when the order is on disk. Where it cannot be
// saved the answer is KindUnavailable: the order may stand, and the same key again is
// safe.
func (f *Fleet) Apply(req models.ApplyRequest) (res models.ApplyResult, err error) {
	unsaved := false
	err = f.use(func(p *Plant) error {
		res, err = p.Apply(req)
		f.dirty = f.dirty || err == nil
		unsaved = f.dirty
		return err
	})
	if err != nil {
		return models.ApplyResult{}, err
	}
	if unsaved {
		if err := f.save(); err != nil {
			return models.ApplyResult{}, models.Unavailable("fleet.Apply", err)
		}
	}
	return res, nil
}

// ServiceView is all that can be seen of one service.
type ServiceView struct {
	models.ReplicaSet
	Stats    Stats           `json:"stats"`
	Totals   Totals          `json:"totals"`
	Orders   OrderCount      `json:"orders"`
	Offered  float64         `json:"offeredRps"` // by the load sources now
	Settings ServiceSettings `json:"settings"`
	Faults   []Fault         `json:"faults"`
	// DatabaseBlocked lists ready replicas that found no database connection left.
	DatabaseBlocked []string `json:"databaseBlocked"`
}

// View gives everything about one service.
func (p *Plant) View(name models.ServiceName) (ServiceView, error) {
	svc, err := p.find(name)
	if err != nil {
		return ServiceView{}, err
	}
	set, err := p.Describe(name)
	if err != nil {
		return ServiceView{}, err
	}
	v := ServiceView{
		ReplicaSet: set, Stats: svc.stats, Totals: svc.totals, Orders: svc.orders, Offered: p.offered(name),
		Settings: svc.set, Faults: svc.faults.active(p.now), DatabaseBlocked: []string{},
	}
	v.Totals.Queued = svc.queued()
	for _, r := range svc.ready() {
		if !r.Connected {
			v.DatabaseBlocked = append(v.DatabaseBlocked, r.ID)
		}
	}
	return v, nil
}

// Samples gives the metrics of the last closed second of every service, and when it
// ended; none where the fleet was not stepped for two seconds before now.
func (p *Plant) Samples(now time.Time) (at time.Time, out []models.Sample) {
	for _, svc := range p.services {
		if svc.stats.At.IsZero() || now.Sub(svc.stats.At) > 2*time.Second {
			continue
		}
		at = svc.stats.At
		for _, m := range models.MetricNames() {
			if v, ok := svc.stats.Values[m]; ok {
				out = append(out, models.Sample{Service: svc.set.Service, Metric: m, Value: v, Timestamp: at})
			}
		}
	}
	return at, out
}

// Samples gives the metrics of the last closed second without stepping the fleet, so
// that one that stands still reports nothing.
func (f *Fleet) Samples() (time.Time, []models.Sample) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.plant.Samples(f.clock().UTC())
}

// callFault gives the delay and the error that injection asks of a call.
func (p *Plant) callFault(name models.ServiceName, kind FaultKind) (delay time.Duration, err error) {
	svc, err := p.find(name)
	if err != nil {
		return 0, err
	}
	wants := func(f Fault) bool { return f.Kind == kind || f.Kind == FaultLatency }
	for _, f := range svc.faults.take(p.now, wants, p.rng.Float64) {
		if f.Kind == FaultLatency {
			delay += time.Duration(f.DelayMS * float64(time.Millisecond))
			continue
		}
		err = models.Unavailable("fleet", fmt.Errorf("injected fault %s", f.Kind))
	}
	return delay, err
}
