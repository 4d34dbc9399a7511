package ingest

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/wedsync/scalability/models"
)

// Bounds and rhythms.
const (
	MaxSamples = 10_000          // of one batch
	MaxAge     = time.Hour       // a timestamp further back is refused, not late
	MaxAhead   = 5 * time.Minute // a timestamp further ahead is refused, not future
	WindowSecs = 10              // length of a rollup

	flushPeriod    = time.Second
	probePeriod    = 500 * time.Millisecond // besides the wake-up by each batch
	hotTimeout     = time.Second            // of one write to the hot store
	rollupTimeout  = 5 * time.Second        // of one write of rollups
	closingTimeout = 5 * time.Second        // of the last flush
)

// Options configure an Engine.
type Options struct {
	Hot        HotSink
	Rollups    RollupSink
	Capacities CapacityReader // nil: spikes are not probed
	Signals    Signaller      // nil: spikes are not probed
	Source     string         // this process, unique per start
	MaxPast    time.Duration  // older samples are late: counted and dropped; 0 = 10 s
	MaxFuture  time.Duration  // samples further ahead are future: counted and dropped; 0 = 5 s
	Now        func() time.Time
	Log        *slog.Logger // nil = silent
	Metrics    Observer     // nil = nobody hears
	Enabled    bool         // SCALABILITY_MONITORING_ENABLED
}

// Engine aggregates samples, stores the aggregates and sees spikes. Ingest does no
// I/O; Run does all of it. It is safe for concurrent use.
type Engine struct {
	opts  Options
	names names
	wake  chan struct{} // tells the probe that a service's load has changed

	mu      sync.Mutex // guards the fields below; never held during I/O
	book    book
	spool   spool
	probe   probe
	stopped bool // Run has ended: what came in now would be lost

	hotWrites sync.Mutex // one write to the hot store at a time, so that no older second replaces a newer
	hot       outlet
	rollups   outlet
}

// New makes an Engine; Run has to be started for anything to be stored.
func New(o Options) *Engine {
	if o.MaxPast <= 0 {
		o.MaxPast = 10 * time.Second
	}
	if o.MaxFuture <= 0 {
		o.MaxFuture = 5 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = deaf{}
	}
	n := newNames()
	return &Engine{
		opts: o, names: n, wake: make(chan struct{}, 1),
		book: newBook(n), spool: spool{limit: spoolRows}, probe: newProbe(),
		hot: outlet{name: "hot store"}, rollups: outlet{name: "rollups"},
	}
}

// Run flushes and probes until ctx ends, then stores what is open and refuses further
// samples. The loops are apart, so that a store that hangs delays none of the others.
func (e *Engine) Run(ctx context.Context) error {
	if !e.opts.Enabled {
		<-ctx.Done()
		return nil
	}
	var loops sync.WaitGroup
	loops.Go(func() { e.every(ctx, flushPeriod, nil, e.flushHot) })
	loops.Go(func() { e.every(ctx, flushPeriod, nil, e.flushRollups) })
	if e.opts.Capacities != nil && e.opts.Signals != nil {
		loops.Go(func() { e.every(ctx, capacityPeriod, nil, e.readCapacities) })
		loops.Go(func() { e.every(ctx, probePeriod, e.wake, e.look) })
	}
	loops.Wait()
	e.probe.signalling.Wait()
	return e.close(ctx)
}

// every repeats a step at each tick and each wake-up until ctx ends.
func (e *Engine) every(ctx context.Context, period time.Duration, wake <-chan struct{}, step func(context.Context, time.Time)) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		step(ctx, e.opts.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-wake:
		}
	}
}

// Ingest counts every sample of a batch as accepted, late or future, or refuses the
// batch with an error that names the sample and the field; then nothing is counted.
func (e *Engine) Ingest(_ context.Context, samples []models.Sample) (models.IngestResult, error) {
	if !e.opts.Enabled {
		return models.IngestResult{}, switchedOff("ingest.Ingest")
	}
	places, result, err := e.admit(samples, e.opts.Now())
	if err != nil {
		e.opts.Metrics.Refused(len(samples))
		return models.IngestResult{}, err
	}
	load, err := e.enter(samples, places, result)
	if err != nil {
		return models.IngestResult{}, err
	}
	e.opts.Metrics.Received(result)
	if load {
		select {
		case e.wake <- struct{}{}:
		default: // a wake-up is waiting already
		}
	}
	return result, nil
}

// enter puts the admitted samples into the book; load says whether throughput was
// among them.
func (e *Engine) enter(samples []models.Sample, places []int16, result models.IngestResult) (load bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped {
		return false, &models.Error{Kind: models.KindUnavailable, Op: "ingest.Ingest", Rule: "this process is stopping; send again"}
	}
	for i := range samples {
		if places[i] == dropped {
			continue
		}
		series := int(places[i])
		e.book.add(series, samples[i].Timestamp.UnixNano(), samples[i].Value)
		load = load || series%len(e.names.metrics) == e.names.throughput
	}
	e.book.ledger.count(result)
	return load, nil
}

// Ledger gives the balance of all samples so far.
func (e *Engine) Ledger() Ledger {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.book.ledger
	l.Open = e.book.open()
	l.Spooled, l.Dropped = e.spool.samples, e.spool.dropped
	return l
}

func switchedOff(op string) error {
	return &models.Error{
		Kind: models.KindUnavailable, Op: op, Field: "SCALABILITY_MONITORING_ENABLED", Value: "false",
		Rule: "monitoring is switched off",
	}
}

// deaf is the Observer of an engine that nobody listens to.
type deaf struct{}

func (deaf) Received(models.IngestResult)            {}
func (deaf) Refused(int)                             {}
func (deaf) Flushed(time.Time, time.Duration, error) {}
func (deaf) SpikeSignalled(models.ServiceName)       {}
