package ingest

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/models"
)

func TestABatchThatBreaksARuleChangesNothing(t *testing.T) {
	good := sample(models.MetricCPU, 0.5, noon)
	with := func(change func(*models.Sample)) []models.Sample {
		s := good
		change(&s)
		return []models.Sample{good, s}
	}
	for _, c := range []struct {
		name    string
		batch   []models.Sample
		kind    models.Kind
		field   string
		value   string
		because string
	}{
		{"no samples", nil, models.KindInvalid, "samples", "0 samples", "1 to 10000"},
		{"too many samples", slices.Repeat([]models.Sample{good}, 10_001), models.KindTooLarge, "samples", "10001 samples", "1 to 10000"},
		{"unknown service", with(func(s *models.Sample) { s.Service = "cake" }), models.KindInvalid, "samples[1].service", "cake", "one of api"},
		{"no service", with(func(s *models.Sample) { s.Service = "" }), models.KindInvalid, "samples[1].service", "", "one of api"},
		{"unknown metric", with(func(s *models.Sample) { s.Metric = "joy" }), models.KindInvalid, "samples[1].metric", "joy", "throughput"},
		{"not a number", with(func(s *models.Sample) { s.Value = math.NaN() }), models.KindInvalid, "samples[1].value", "NaN", "from 0 to 100"},
		{"infinite", with(func(s *models.Sample) { s.Metric, s.Value = models.MetricThroughput, math.Inf(1) }), models.KindInvalid, "samples[1].value", "+Inf", "1e12"},
		{"negative", with(func(s *models.Sample) { s.Value = -1 }), models.KindInvalid, "samples[1].value", "-1", "from 0"},
		{"huge", with(func(s *models.Sample) { s.Metric, s.Value = models.MetricThroughput, 1e300 }), models.KindInvalid, "samples[1].value", "1e+300", "1e12"},
		{"no time", with(func(s *models.Sample) { s.Timestamp = time.Time{} }), models.KindInvalid, "samples[1].timestamp", "", "required"},
		{"an hour old", with(func(s *models.Sample) { s.Timestamp = noon.Add(-time.Hour - 1) }), models.KindInvalid, "samples[1].timestamp", "2027-06-12T10:59:59.999999999Z", "1h0m0s old"},
		{"from next week", with(func(s *models.Sample) { s.Timestamp = noon.Add(168 * time.Hour) }), models.KindInvalid, "samples[1].timestamp", "2027-06-19T12:00:00Z", "5m0s ahead"},
		{"from the year 9000", with(func(s *models.Sample) { s.Timestamp = time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC) }), models.KindInvalid, "samples[1].timestamp", "9000-01-01T00:00:00Z", "ahead"},
		{"from the year 1", with(func(s *models.Sample) { s.Timestamp = time.Time{}.Add(1) }), models.KindInvalid, "samples[1].timestamp", "0001-01-01T00:00:00.000000001Z", "old"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			got, err := r.Ingest(t.Context(), c.batch)
			assert.Equal(t, models.IngestResult{}, got)
			var refusal *models.Error
			require.ErrorAs(t, err, &refusal)
			assert.Equal(t, c.kind, refusal.Kind)
			assert.Equal(t, c.field, refusal.Field)
			assert.Equal(t, c.value, refusal.Value)
			assert.Contains(t, refusal.Rule, c.because)
			assert.Zero(t, r.Ledger())
			assert.Equal(t, len(c.batch), r.heard.refused)
			r.clock.pass(time.Minute)
			r.flush()
			assert.Empty(t, r.hotDB.cells)
			assert.Empty(t, r.sink.rows)
		})
	}
}

func TestLateAndFutureSamplesAreCountedAndDropped(t *testing.T) {
	r := newRig(t)
	got := r.take(
		sample(models.MetricCPU, 0.1, noon.Add(-10*time.Second)),
		sample(models.MetricCPU, 0.9, noon.Add(-10*time.Second-1)),
		sample(models.MetricCPU, 0.9, noon.Add(-time.Hour)),
		sample(models.MetricCPU, 0.2, noon.Add(5*time.Second)),
		sample(models.MetricCPU, 0.9, noon.Add(5*time.Second+1)),
		sample(models.MetricCPU, 0.9, noon.Add(5*time.Minute)),
	)
	assert.Equal(t, models.IngestResult{Received: 6, Accepted: 2, Late: 2, Future: 2}, got)
	assert.Equal(t, got, r.heard.received)
	r.flush()
	for _, c := range r.hotDB.cells {
		assert.NotEqual(t, 0.9, c.Max, "a dropped sample counts nowhere")
	}
	assert.Len(t, r.hotDB.cells, 2)
}

func TestAWiderWindowWidensWhatIsTaken(t *testing.T) {
	r := newRig(t)
	r.opts.MaxPast = 2 * time.Hour
	got := r.take(sample(models.MetricCPU, 0.5, noon.Add(-90*time.Minute)))
	assert.Equal(t, 1, got.Accepted)
	_, err := r.Ingest(t.Context(), []models.Sample{sample(models.MetricCPU, 0.5, noon.Add(-121*time.Minute))})
	assert.ErrorContains(t, err, "2h0m0s old")
}

func TestASecondIsWrittenWholeEachTimeItChanges(t *testing.T) {
	r := newRig(t)
	r.take(sample(models.MetricCPU, 0.4, noon.Add(900*time.Millisecond)), sample(models.MetricCPU, 0.6, noon.Add(100*time.Millisecond)))
	r.flush()
	name := slotName{models.ServiceAPI, models.MetricCPU, noon}
	assert.Equal(t, models.Cell{Service: models.ServiceAPI, Metric: models.MetricCPU, Start: noon, Count: 2, Sum: 1, Min: 0.4, Max: 0.6, Last: 0.4}, r.hotDB.cells[name],
		"last is by the time of the sample, not of its arrival")
	assert.Equal(t, map[string]bool{"test-1": true}, r.hotDB.sources)
	r.flush()
	assert.Equal(t, 1, r.hotDB.writes, "nothing has changed, so nothing is written")

	r.clock.pass(9 * time.Second)
	r.take(sample(models.MetricCPU, 0.2, noon))
	r.flush()
	assert.Equal(t, int64(3), r.hotDB.cells[name].Count, "a straggler is added to the whole second")
}

func TestTheLatestValuesLeaveOutWhatIsNoLongerReported(t *testing.T) {
	r := newRig(t)
	r.take(sample(models.MetricCPU, 0.5, noon), sample(models.MetricMemory, 0.3, noon))
	r.take(sample(models.MetricCPU, 0.4, noon.Add(-time.Second)))
	r.flush()
	assert.Equal(t, models.LatestMetrics{Service: models.ServiceAPI, At: noon, Values: map[models.MetricName]float64{models.MetricCPU: 0.5, models.MetricMemory: 0.3}},
		r.hotDB.latest[models.ServiceAPI], "an older sample that comes later is not the latest")

	later := r.clock.pass(31 * time.Second)
	r.take(sample(models.MetricCPU, 0.7, later))
	r.flush()
	assert.Equal(t, map[models.MetricName]float64{models.MetricCPU: 0.7}, r.hotDB.latest[models.ServiceAPI].Values)
	assert.Len(t, r.hotDB.latest, 1, "a service that reports nothing has no latest values")
}

func TestWindowsCloseAfterTheirGraceAndStragglersMakeCorrectionRows(t *testing.T) {
	r := newRig(t)
	r.take(sample(models.MetricQueueDepth, 4, noon), sample(models.MetricQueueDepth, 8, noon.Add(3*time.Second)))
	r.clock.pass(11 * time.Second)
	r.flush()
	assert.Empty(t, r.sink.rows, "the window ended a second ago")
	r.clock.pass(time.Second)
	r.flush()
	row := models.MetricRollup{Timestamp: noon, Service: models.ServiceAPI, Metric: models.MetricQueueDepth, WindowSecs: 10, SampleCount: 2, Sum: 12, Min: 4, Max: 8, Last: 8, Source: "test-1"}
	assert.Equal(t, []models.MetricRollup{row}, r.sink.rows)

	r.take(sample(models.MetricQueueDepth, 6, noon.Add(9*time.Second)))
	r.flush()
	correction := models.MetricRollup{Timestamp: noon, Service: models.ServiceAPI, Metric: models.MetricQueueDepth, WindowSecs: 10, SampleCount: 1, Sum: 6, Min: 6, Max: 6, Last: 6, Source: "test-1"}
	assert.Equal(t, []models.MetricRollup{row, correction}, r.sink.rows)
	r.flush()
	assert.Len(t, r.sink.rows, 2)
}

func TestTheHotStoreIsMadeWholeAfterAnOutage(t *testing.T) {
	r := newRig(t)
	r.hotDB.set(true)
	for range 40 {
		r.load(50)
		r.flush()
		r.clock.pass(time.Second)
	}
	require.ErrorIs(t, r.Check(t.Context()), errAway)
	assert.Equal(t, models.KindUnavailable, models.KindOf(r.Check(t.Context())))
	assert.Empty(t, r.hotDB.cells)
	r.hotDB.set(false)
	r.flush()
	assert.Len(t, r.hotDB.cells, 40, "every second of the outage is delivered")
	assert.Len(t, r.hotDB.latest, 1)
	require.NoError(t, r.Check(t.Context()))
	r.clock.pass(time.Minute)
	r.flush()
	assert.Empty(t, r.book.seconds, "what is saved and old is forgotten")
}

func TestAnOutageOfTheHotStoreKeepsNoMoreThanAMinute(t *testing.T) {
	r := newRig(t)
	r.hotDB.set(true)
	for range 200 {
		r.load(50)
		r.flush()
		r.clock.pass(time.Second)
	}
	assert.LessOrEqual(t, len(r.book.seconds), 62)
}

func TestRollupsWaitForTheirStoreAndTheOldestMakeRoom(t *testing.T) {
	r := newRig(t)
	r.spool.limit = 3
	r.sink.set(true)
	for range 5 {
		r.load(50)
		r.load(60)
		r.clock.pass(10 * time.Second)
	}
	r.clock.pass(2 * time.Second)
	r.flush()
	require.ErrorIs(t, r.Check(t.Context()), errAway)
	assert.Equal(t, Ledger{Received: 10, Accepted: 10, Spooled: 6, Dropped: 4}, r.Ledger())
	calls := r.sink.calls
	r.flush()
	assert.Equal(t, calls+1, r.sink.calls, "one attempt a flush")

	r.sink.set(false)
	r.flush()
	require.NoError(t, r.Check(t.Context()))
	assert.Equal(t, Ledger{Received: 10, Accepted: 10, Stored: 6, Dropped: 4}, r.Ledger())
	require.Len(t, r.sink.rows, 3)
	assert.Equal(t, noon.Add(20*time.Second), r.sink.rows[0].Timestamp, "the newest survive, oldest first")
}

// TestTheLedgerBalances holds received = accepted + late + future and accepted =
// stored + open + spooled + dropped, whatever comes in and whichever store is away.
func TestTheLedgerBalances(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t)
		r.spool.limit = 4
		services, metrics := models.ServiceNames(), models.MetricNames()
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			r.hotDB.set(rapid.Bool().Draw(rt, "hot store away"))
			r.sink.set(rapid.Bool().Draw(rt, "rollups away"))
			batch := make([]models.Sample, rapid.IntRange(0, 8).Draw(rt, "samples"))
			for i := range batch {
				batch[i] = models.Sample{
					Service: rapid.SampledFrom(services[:2]).Draw(rt, "service"), Metric: rapid.SampledFrom(metrics[:2]).Draw(rt, "metric"),
					Value:     rapid.Float64Range(-1, 101).Draw(rt, "value"),
					Timestamp: r.clock.now().Add(time.Duration(rapid.IntRange(-3700, 310).Draw(rt, "age")) * time.Second / 10),
				}
			}
			before := r.Ledger()
			got, err := r.Ingest(context.Background(), batch)
			after := r.Ledger()
			if err != nil {
				assert.Equal(rt, before, after, "a refused batch changes nothing")
			} else {
				assert.Equal(rt, got.Received, got.Accepted+got.Late+got.Future)
				assert.Equal(rt, int64(len(batch)), after.Received-before.Received)
			}
			if rapid.Bool().Draw(rt, "flush") {
				r.flush()
			}
			r.clock.pass(time.Duration(rapid.IntRange(0, 9000).Draw(rt, "pause")) * time.Millisecond)
			l := r.Ledger()
			assert.Equal(rt, l.Received, l.Accepted+l.Late+l.Future)
			assert.Equal(rt, l.Accepted, l.Stored+l.Open+l.Spooled+l.Dropped)
			assert.Equal(rt, l.Stored, r.sink.samples(), "stored is what the store holds")
		}
	})
}

// TestBatchesFromManySendersAreAllStored runs the engine's own loops.
func TestBatchesFromManySendersAreAllStored(t *testing.T) {
	r := newRig(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	var senders sync.WaitGroup
	for s := range 8 {
		senders.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(s), 1))
			for range 50 {
				at := r.clock.pass(20 * time.Millisecond)
				batch := make([]models.Sample, 20)
				for i := range batch {
					batch[i] = models.Sample{
						Service: models.ServiceNames()[rng.IntN(9)], Metric: models.MetricNames()[rng.IntN(7)],
						Value: rng.Float64(), Timestamp: at.Add(-time.Duration(rng.IntN(2000)) * time.Millisecond),
					}
				}
				if got, err := r.Ingest(ctx, batch); assert.NoError(t, err) {
					assert.Equal(t, 20, got.Accepted)
				}
			}
		})
	}
	senders.Wait()
	stop()
	require.NoError(t, <-ended)
	assert.Equal(t, Ledger{Received: 8000, Accepted: 8000, Stored: 8000}, r.Ledger())
	assert.Equal(t, int64(8000), r.sink.samples())
	_, err := r.Ingest(t.Context(), []models.Sample{sample(models.MetricCPU, 0.5, r.clock.now())})
	assert.Equal(t, models.KindUnavailable, models.KindOf(err), "what comes after the end would be lost")
}

func TestAnEndWithAStoreAwaySaysWhatIsLost(t *testing.T) {
	r := newRig(t)
	r.sink.set(true)
	r.load(50)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	err := r.Run(ctx)
	require.ErrorIs(t, err, errAway)
	assert.ErrorContains(t, err, "1 samples are not stored")
}

func TestSwitchedOffMonitoringNamesItsSwitch(t *testing.T) {
	r := newRig(t)
	r.opts.Enabled = false
	_, err := r.Ingest(t.Context(), []models.Sample{sample(models.MetricCPU, 0.5, noon)})
	for _, err := range []error{err, r.Check(t.Context())} {
		var refusal *models.Error
		require.ErrorAs(t, err, &refusal)
		assert.Equal(t, models.KindUnavailable, refusal.Kind)
		assert.Equal(t, "SCALABILITY_MONITORING_ENABLED", refusal.Field)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	assert.NoError(t, r.Run(ctx))
}

func TestHealthNeedsLoopsThatTurn(t *testing.T) {
	r := newRig(t)
	require.ErrorContains(t, r.Check(t.Context()), "no flush yet")
	r.flush()
	require.NoError(t, r.Check(t.Context()), "nothing to store is no fault")
	r.clock.pass(16 * time.Second)
	require.ErrorContains(t, r.Check(t.Context()), "no flush for 16s")
	r.flush()
	require.NoError(t, r.Check(t.Context()))
}

func TestAWriteThatTheEndCutShortIsNoFaultOfTheStore(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	o := outlet{name: "hot store", alive: noon}
	o.note(ctx, New(Options{}).opts.Log, context.Canceled)
	require.NoError(t, o.check(noon))
	o.note(t.Context(), New(Options{}).opts.Log, errors.New("refused"))
	assert.Error(t, o.check(noon))
}

func BenchmarkIngest(b *testing.B) {
	batch := make([]models.Sample, 0, 1000)
	for i := range 1000 {
		batch = append(batch, models.Sample{
			Service: models.ServiceNames()[i%9], Metric: models.MetricNames()[i%7], Value: float64(i%100) / 100,
			Timestamp: noon.Add(-time.Duration(i%1000) * time.Millisecond),
		})
	}
	r := newRig(b)
	b.ReportAllocs()
	for b.Loop() {
		r.take(batch...)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(batch)), "ns/sample")
}
