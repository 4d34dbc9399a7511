package ingest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

var (
	noon    = time.Date(2027, 6, 12, 12, 0, 0, 0, time.UTC)
	errAway = errors.New("away")
)

// clock is the time of a test.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
	return c.at
}

// hotStore keeps what is saved, as Redis does: a second is replaced, not added to.
type hotStore struct {
	mu      sync.Mutex
	away    bool
	cells   map[slotName]models.Cell
	latest  map[models.ServiceName]models.LatestMetrics
	sources map[string]bool
	writes  int
	journal *journal
}

type slotName struct {
	service models.ServiceName
	metric  models.MetricName
	start   time.Time
}

func (h *hotStore) SaveSeconds(_ context.Context, source string, cells []models.Cell) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.away {
		return errAway
	}
	h.writes++
	h.sources[source] = true
	for _, c := range cells {
		h.cells[slotName{c.Service, c.Metric, c.Start}] = c
		h.journal.add("saved " + string(c.Service))
	}
	return nil
}

func (h *hotStore) SaveLatest(_ context.Context, latest []models.LatestMetrics) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.away {
		return errAway
	}
	for _, l := range latest {
		h.latest[l.Service] = l
	}
	return nil
}

func (h *hotStore) set(away bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.away = away
}

// rollupStore keeps rows.
type rollupStore struct {
	mu    sync.Mutex
	away  bool
	rows  []models.MetricRollup
	calls int
}

func (r *rollupStore) SaveRollups(_ context.Context, rows []models.MetricRollup) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if r.away {
		return errAway
	}
	r.rows = append(r.rows, rows...)
	return nil
}

func (r *rollupStore) set(away bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = away
}

func (r *rollupStore) samples() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return samplesIn(r.rows)
}

// autoscaler takes signals, unless it is away.
type autoscaler struct {
	mu      sync.Mutex
	away    bool
	hang    bool
	spikes  []models.Spike
	tries   int
	journal *journal
}

func (a *autoscaler) SignalSpike(ctx context.Context, s models.Spike) error {
	a.mu.Lock()
	a.tries++
	away, hang := a.away, a.hang
	if !away && !hang {
		a.spikes = append(a.spikes, s)
		a.journal.add("signalled " + string(s.Service))
	}
	a.mu.Unlock()
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	if away {
		return errAway
	}
	return nil
}

func (a *autoscaler) seen() []models.Spike {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]models.Spike{}, a.spikes...)
}

type plant struct {
	mu   sync.Mutex
	away bool
	of   map[models.ServiceName]Capacity
}

func (p *plant) Capacities(context.Context) (map[models.ServiceName]Capacity, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away {
		return nil, errAway
	}
	return p.of, nil
}

type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

// observer counts what it hears.
type observer struct {
	mu       sync.Mutex
	received models.IngestResult
	refused  int
	good     int
	failed   int
	spikes   []models.ServiceName
}

func (o *observer) Received(r models.IngestResult) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.received.Received += r.Received
	o.received.Accepted += r.Accepted
	o.received.Late += r.Late
	o.received.Future += r.Future
}

func (o *observer) Refused(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refused += n
}

func (o *observer) Flushed(_ time.Time, _ time.Duration, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.failed++
		return
	}
	o.good++
}

func (o *observer) SpikeSignalled(s models.ServiceName) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.spikes = append(o.spikes, s)
}

// rig is an engine on fakes, stepped by hand: two ready replicas of the api, of 100
// requests/s each, spike above 190.
type rig struct {
	*Engine
	t       testing.TB
	clock   *clock
	hotDB   *hotStore
	sink    *rollupStore
	scaler  *autoscaler
	plant   *plant
	heard   *observer
	journal *journal
}

func newRig(t testing.TB) *rig {
	j := &journal{}
	r := &rig{
		t: t, clock: &clock{at: noon}, sink: &rollupStore{}, scaler: &autoscaler{journal: j}, heard: &observer{}, journal: j,
		hotDB: &hotStore{cells: map[slotName]models.Cell{}, latest: map[models.ServiceName]models.LatestMetrics{}, sources: map[string]bool{}, journal: j},
		plant: &plant{of: map[models.ServiceName]Capacity{models.ServiceAPI: {Ready: 2, RPS: 100, Trigger: 0.95}}},
	}
	r.Engine = New(Options{
		Hot: r.hotDB, Rollups: r.sink, Capacities: r.plant, Signals: r.scaler, Source: "test-1",
		MaxPast: 10 * time.Second, MaxFuture: 5 * time.Second, Now: r.clock.now, Metrics: r.heard, Enabled: true,
	})
	return r
}

func sample(m models.MetricName, v float64, at time.Time) models.Sample {
	return models.Sample{Service: models.ServiceAPI, Metric: m, Value: v, Timestamp: at}
}

// take ingests and expects no refusal.
func (r *rig) take(samples ...models.Sample) models.IngestResult {
	r.t.Helper()
	got, err := r.Ingest(context.Background(), samples)
	require.NoError(r.t, err)
	return got
}

// load reports the api's throughput now.
func (r *rig) load(rps float64) {
	r.t.Helper()
	r.take(sample(models.MetricThroughput, rps, r.clock.now()))
}

// probeNow does one turn of the probe and waits for its signals.
func (r *rig) probeNow() {
	r.readCapacities(context.Background(), r.clock.now())
	r.lookNow()
}

func (r *rig) lookNow() {
	r.look(context.Background(), r.clock.now())
	r.probe.signalling.Wait()
}

func (r *rig) flush() {
	r.flushHot(context.Background(), r.clock.now())
	r.flushRollups(context.Background(), r.clock.now())
}
