package simulate

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

var noon = time.Date(2027, 6, 12, 12, 0, 0, 0, time.UTC) // a Saturday

func testService() models.Service {
	return models.Service{
		Name: models.ServiceAPI, Tier: models.TierStandard, CapacityRPS: 100, MinReplicas: 1, MaxReplicas: 1000, AbsoluteMaxReplicas: 1000,
		StartupP50Seconds: 45, StartupP95Seconds: 90, SLOResponseTimeMS: 1000, Policy: models.DefaultScalingPolicy(models.TierStandard),
	}
}

func testPlant(replicas int, change ...func(*Scenario)) *plant {
	s := &Scenario{Service: testService(), Replicas: replicas, TimeoutSeconds: 10, Seed: 7}
	for _, c := range change {
		c(s)
	}
	return newPlant(s)
}

func TestTheQueueIsServedInOrder(t *testing.T) {
	p := testPlant(1)
	f := p.step(250, 0)
	assert.InDelta(t, 100, f.served, 1e-9)
	assert.InDelta(t, 150, p.waiting, 1e-9)
	f = p.step(30, 0)
	assert.InDelta(t, 100, f.waits[1], 1e-9, "the older ones first")
	assert.Zero(t, f.waits[0])
	assert.Zero(t, f.late, "one second is within the objective")
	f = p.step(0, 0)
	assert.InDelta(t, 50, f.waits[2], 1e-9)
	assert.InDelta(t, 30, f.waits[1], 1e-9)
	assert.InDelta(t, 50, f.late, 1e-9)
	assert.Zero(t, p.waiting)
	assert.False(t, p.step(10, 0).queued)
}

func TestWhoWaitsTooLongFailsAndSomeComeAgain(t *testing.T) {
	p := testPlant(1)
	p.step(2000, 0)
	for range 10 {
		p.step(0, 0)
	}
	assert.InDelta(t, 1100, p.totals.served, 1e-9, "eleven seconds' worth")
	assert.InDelta(t, 900, p.totals.failed, 1e-9)
	assert.Zero(t, p.waiting)
	for i := range 5 {
		f := p.step(0, 0)
		if i < 4 {
			assert.Zero(t, f.arrived)
		} else {
			assert.InDelta(t, 270, f.arrived, 1e-9, "30 % after 5 s")
		}
	}
	assert.InDelta(t, 270, p.totals.retried, 1e-9)
}

func TestStartUpTimesHaveTheirPercentiles(t *testing.T) {
	p := testPlant(1)
	var times []int
	for range 20000 {
		times = append(times, p.startup())
	}
	slices.Sort(times)
	assert.InDelta(t, 45, times[10000], 1.5)
	assert.InDelta(t, 90, times[19000], 4)
}

func TestReplicasBecomeReadyAndGoNewestFirst(t *testing.T) {
	p := testPlant(4)
	p.order(10)
	assert.Equal(t, 6, p.pending())
	for range 10 {
		p.step(0, 0)
	}
	p.order(12)
	p.order(9)
	assert.Equal(t, 4, p.ready, "what is not ready yet goes first")
	for range 1000 {
		p.step(0, 0)
	}
	assert.Equal(t, 9, p.ready)
	assert.Zero(t, p.pending())
	p.order(3)
	assert.Equal(t, 3, p.ready)
}

func TestStartsAreRememberedFromOrderToReady(t *testing.T) {
	p := testPlant(1, func(s *Scenario) { s.ReplicasPerNode = 1 })
	_, _, ok := p.starts.Percentiles()
	assert.False(t, ok)
	p.order(101)
	for range 600 {
		p.step(0, 0)
	}
	require.Equal(t, 101, p.ready)
	p50, p95, ok := p.starts.Percentiles()
	assert.True(t, ok)
	assert.Greater(t, p50, 45.0+60, "the node counts")
	assert.GreaterOrEqual(t, p95, p50)
	p.starts.took(7, 1000)
	p50, p95, _ = p.starts.Percentiles()
	assert.InDelta(t, 7, p50, 1e-9, "the last fifty")
	assert.InDelta(t, 7, p95, 1e-9)
}

func TestWhatDoesNotFitWaitsForANode(t *testing.T) {
	p := testPlant(6, func(s *Scenario) {
		s.ReplicasPerNode, s.Service.StartupP50Seconds, s.Service.StartupP95Seconds = 4, 1, 1
	})
	p.order(14) // two places on the second node, and two nodes more
	early, late := 0, 0
	for _, x := range p.starting {
		if x.due <= 1 {
			early += x.n
		} else {
			late += x.n
			assert.True(t, x.due >= 61 && x.due <= 181, "%d", x.due)
		}
	}
	assert.Equal(t, 2, early)
	assert.Equal(t, 6, late)
	for range 200 {
		p.step(0, 0)
	}
	assert.Equal(t, 14, p.ready)
	p.order(4)
	for range 500 {
		p.step(0, 0)
	}
	p.order(14)
	assert.LessOrEqual(t, p.starting[len(p.starting)-1].due, p.second+1, "the nodes are still there")
	p.order(4)
	for range 700 {
		p.step(0, 0)
	}
	p.order(14)
	assert.Greater(t, p.starting[len(p.starting)-1].due, p.second+60, "given back after ten minutes")
}

func TestReplicasWithoutAConnectionFailTheirShare(t *testing.T) {
	p := testPlant(10, func(s *Scenario) { s.DatabaseConnections, s.Service.ConnectionsPerReplica = 32, 4 })
	f := p.step(500, 0)
	assert.InDelta(t, 100, f.failed, 1e-9, "two of ten have none")
	assert.InDelta(t, 400, f.served, 1e-9)
	assert.InDelta(t, 800, f.capacity, 1e-9)
}

func TestStartsThatFailAreTriedAgain(t *testing.T) {
	p := testPlant(1, func(s *Scenario) { s.Faults.StartFailures = 0.5 })
	p.order(101)
	crashed := 0
	for range 3000 {
		p.step(0, 0)
		crashed = max(crashed, p.crashing)
		require.Equal(t, p.spec, p.ready+p.pending()+p.crashing)
	}
	assert.Positive(t, crashed)
	assert.Equal(t, 101, p.ready)
	p.order(151)
	for range 60 {
		p.step(0, 0)
	}
	p.order(101)
	assert.Zero(t, p.crashing, "crashed ones are removed with the others")
	assert.Equal(t, 101, p.ready)
}

func TestAnOutageLooksLikeALullAndComesBackStronger(t *testing.T) {
	f := Faults{Outages: []Outage{Outage{From: 10, Until: 20}.withDefaults()}}
	load := make([]float64, 1000)
	for i := range load {
		load[i] = 100
	}
	for at, want := range map[int][2]float64{9: {100, 0}, 10: {20, 0.1}, 19: {20, 0.1}, 20: {200, 0}, 319: {200, 0}, 320: {100, 0}} {
		got, errors := f.reach(load, at)
		assert.InDelta(t, want[0], got, 1e-9, at)
		assert.InDelta(t, want[1], errors, 1e-9, at)
	}
}

func TestACalendarIsWrongAboutWhatIsToCome(t *testing.T) {
	past := Window{Start: noon.Add(-48 * time.Hour), End: noon.Add(-40 * time.Hour), Guests: 100}
	next := Window{Start: noon, End: noon.Add(8 * time.Hour), Guests: 100}
	calendar := []Window{past, next}
	begin := noon.Add(-12 * time.Hour)
	late := next
	late.Start, late.End = next.Start.Add(2*time.Hour), next.End.Add(2*time.Hour)
	many := next
	many.Guests = 300
	for name, c := range map[string]struct {
		fault CalendarFault
		want  []Window
	}{
		"right":       {CalendarFault{}, calendar},
		"missing":     {CalendarFault{Missing: true}, []Window{past}},
		"two h late":  {CalendarFault{Shift: 2 * time.Hour}, []Window{past, late}},
		"three times": {CalendarFault{Guests: 3}, []Window{past, many}},
	} {
		assert.Equal(t, c.want, c.fault.Apply(calendar, begin), name)
	}
	assert.Equal(t, 100, next.Guests)
}

func TestLostSamplesAreMissingAndNotZero(t *testing.T) {
	m := newMetrics([]float64{5, 6}, 600)
	for i := range 120 {
		m.record([signals]float64{Throughput: 100}, i%2 == 0 && i < 100)
	}
	mean, ok := m.Mean(Throughput, 60, 0)
	assert.True(t, ok)
	assert.InDelta(t, 100, mean, 1e-9)
	assert.Equal(t, 20, m.Samples(60, 0))
	assert.Equal(t, 21, m.Age(0), "the newest is of second 98")
	assert.Equal(t, 21, m.Age(5))
	assert.Equal(t, 31, m.Age(30), "what had arrived 30 s ago")
	_, ok = m.Mean(Throughput, 10, 0)
	assert.False(t, ok)
	_, ok = m.At(Throughput, 0)
	assert.False(t, ok)
	assert.Equal(t, []float64{5, 6, 100, 100}, m.Minutes())
	assert.Equal(t, 2, m.MinutesBeforeStart())
	for range 60 {
		m.record([signals]float64{}, false)
	}
	last := m.Minutes()[4]
	assert.NotEqual(t, last, last, "a minute without a sample is not a number") //nolint:testifylint // NaN is the one value that differs from itself
}

func TestMetricsLookBackOverALongRun(t *testing.T) {
	m := newMetrics(nil, 0)
	for i := range 3 * kept {
		m.record([signals]float64{Throughput: float64(i)}, true)
	}
	mean, ok := m.Mean(Throughput, 3600, 60)
	require.True(t, ok)
	assert.InDelta(t, float64(3*kept-60)-1800.5, mean, 1e-6)
	_, ok = m.At(Throughput, kept)
	assert.False(t, ok)
}
