package fleet

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/models"
)

var began = time.Date(2026, 6, 13, 12, 0, 0, 0, time.UTC)

func newPlant(t require.TestingT, change func(*Settings)) *Plant {
	s := DefaultSettings()
	if change != nil {
		change(&s)
	}
	p, err := NewPlant(s, began)
	require.NoError(t, err)
	return p
}

// run steps a plant under a load of the api for some seconds.
func run(p *Plant, rps float64, seconds int) {
	end := p.Now().Add(time.Duration(seconds) * time.Second)
	p.SetLoad("test", map[models.ServiceName]float64{models.ServiceAPI: rps}, end.Add(time.Second))
	p.Step(end)
}

// order moves the api's spec, unconditionally.
func order(t require.TestingT, p *Plant, desired int, victims ...string) models.ReplicaSet {
	set, err := p.Describe(models.ServiceAPI)
	require.NoError(t, err)
	res, err := p.Apply(models.ApplyRequest{
		Service: models.ServiceAPI, ExpectedSpec: set.Spec, Desired: desired,
		Key: fmt.Sprintf("to-%d-%d-%d", desired, set.Generation, p.Now().UnixNano()), Victims: victims,
	})
	require.NoError(t, err)
	return res.Observed
}

func view(t require.TestingT, p *Plant) ServiceView {
	v, err := p.View(models.ServiceAPI)
	require.NoError(t, err)
	return v
}

func measure(t require.TestingT, p *Plant, baseline []string, window int) models.Measurement {
	m, err := p.Measure(models.MeasureRequest{Service: models.ServiceAPI, Baseline: baseline, WindowSeconds: window})
	require.NoError(t, err)
	return m
}

func TestRequestsAreConserved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPlant(t, nil)
		for range rapid.IntRange(1, 6).Draw(t, "phases") {
			if rapid.Bool().Draw(t, "faulty") {
				require.NoError(t, p.SetFaults(models.ServiceAPI, []Fault{rapid.SampledFrom([]Fault{
					{Kind: FaultCrash, AfterSeconds: 2, Share: 0.5}, {Kind: FaultErrors, ErrorShare: 0.3},
					{Kind: FaultSlow, CapacityFactor: 0.2, LatencyFactor: 3}, {Kind: FaultNever}, {Kind: FaultCrash},
				}).Draw(t, "fault")}))
			}
			order(t, p, rapid.IntRange(0, 60).Draw(t, "spec"))
			run(p, rapid.Float64Range(0, 5000).Draw(t, "rps"), rapid.IntRange(1, 25).Draw(t, "seconds"))
			got := view(t, p).Totals
			sum := got.Served + got.Failed + got.Queued
			require.InDelta(t, got.Offered, sum, 1e-6*(1+got.Offered), "offered %v, served %v, failed %v, queued %v", got.Offered, got.Served, got.Failed, got.Queued)
			for _, v := range []float64{got.Served, got.Failed, got.Queued} {
				require.GreaterOrEqual(t, v, 0.0)
			}
		}
	})
}

func TestMoreReplicasNeverRaiseUtilisationOrResponseTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rps := rapid.Float64Range(1, 3000).Draw(t, "rps")
		few := rapid.IntRange(1, 30).Draw(t, "few")
		more := few + rapid.IntRange(1, 12).Draw(t, "added")
		at := func(n int) map[models.MetricName]float64 {
			p := newPlant(t, func(s *Settings) { s.Services[0].InitialReplicas, s.DatabaseConnections = n, 10000 })
			run(p, rps, 20)
			v := view(t, p).Stats.Values
			v[models.MetricQueueDepth] /= float64(n) // each may hold a queue, so the sum may grow
			return v
		}
		a, b := at(few), at(more)
		for _, m := range []models.MetricName{models.MetricCPU, models.MetricResponseP95, models.MetricQueueDepth, models.MetricErrorRate} {
			require.LessOrEqual(t, b[m], a[m]+1e-9, "%s with %d replicas %v, with %d %v", m, few, a[m], more, b[m])
		}
	})
}

func TestTheSameSeedAndCallsGiveTheSameRun(t *testing.T) {
	story := func(seed uint64, stride time.Duration) any {
		p := newPlant(t, func(s *Settings) { s.Seed = seed })
		require.NoError(t, p.SetFaults(models.ServiceAPI, []Fault{{Kind: FaultSlow, StartupFactor: 3, Share: 0.5}}))
		order(t, p, 20)
		p.SetLoad("test", map[models.ServiceName]float64{models.ServiceAPI: 900}, began.Add(time.Hour))
		for end := began.Add(40 * time.Second); p.Now().Before(end); {
			p.Step(p.Now().Add(stride))
		}
		v := view(t, p)
		return []any{v, measure(t, p, nil, 30)}
	}
	first, again := story(7, 100*time.Millisecond), story(7, 100*time.Millisecond)
	assert.Equal(t, first, again)
	assert.Equal(t, first, story(7, 5*time.Second), "how often it is stepped does not matter")
	assert.NotEqual(t, story(7, time.Second), story(8, time.Second))
}

func TestStartUpTimesFollowTheCatalogue(t *testing.T) {
	p := newPlant(t, func(s *Settings) { s.DatabaseConnections = 100000 })
	order(t, p, 2000)
	run(p, 0, 40)
	run(p, 0, 50)
	run(p, 0, 60)
	var seconds []float64
	for _, r := range view(t, p).Replicas[4:] {
		if r.ReadyAt != nil {
			seconds = append(seconds, r.ReadyAt.Sub(r.OrderedAt).Seconds())
		}
	}
	require.Greater(t, len(seconds), 1990)
	slices.Sort(seconds)
	assert.InDelta(t, 8, seconds[len(seconds)/2], 0.5, "median")
	assert.InDelta(t, 20, seconds[len(seconds)*95/100], 2, "95th percentile")
}

func TestLoadShowsInTheMetrics(t *testing.T) {
	for _, c := range []struct {
		name         string
		rps          float64
		cpu          float64
		p95Min, pMax float64
		errorMin     float64
		errorMax     float64
		queued       bool
	}{
		{"idle", 4, 0.01, 60, 100, 0, 0, false},
		{"at target", 260, 0.65, 60, 110, 0, 0, false},
		{"nearly full", 390, 0.975, 200, 1300, 0, 0, false},
		{"double overload", 800, 1, 1500, 5001, 0.45, 0.55, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlant(t, nil)
			run(p, c.rps, 30)
			v := view(t, p).Stats.Values
			assert.InDelta(t, c.rps, v[models.MetricThroughput], 1e-6)
			assert.InDelta(t, c.cpu, v[models.MetricCPU], 1e-6)
			assert.GreaterOrEqual(t, v[models.MetricResponseP95], c.p95Min)
			assert.LessOrEqual(t, v[models.MetricResponseP95], c.pMax)
			assert.GreaterOrEqual(t, v[models.MetricErrorRate], c.errorMin)
			assert.LessOrEqual(t, v[models.MetricErrorRate], c.errorMax)
			assert.Equal(t, c.queued, v[models.MetricQueueDepth] > 1)
			assert.InDelta(t, 16, v[models.MetricConnections], 0, "4 replicas with 4 connections")
		})
	}
}

func TestWhatCannotBeKnownIsAbsentNotZero(t *testing.T) {
	p := newPlant(t, nil)
	run(p, 0, 2)
	v := view(t, p).Stats.Values
	assert.Contains(t, v, models.MetricThroughput, "no load is a measured zero")
	assert.NotContains(t, v, models.MetricResponseP95, "no request has no response time")
	assert.NotContains(t, v, models.MetricErrorRate)
	order(t, p, 0)
	run(p, 10, 2)
	v = view(t, p).Stats.Values
	assert.NotContains(t, v, models.MetricCPU, "no replica has no utilisation")
	m := measure(t, p, nil, 1)
	assert.Nil(t, m.New.ErrorRate)
	assert.Nil(t, m.New.P95MS)
}

func TestInjectedFaultsShowInAMeasurement(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault *Fault
		check func(t *testing.T, m models.Measurement)
	}{
		{"healthy", nil, func(t *testing.T, m models.Measurement) {
			assert.Empty(t, m.Unhealthy)
			assert.InDelta(t, *m.Old.P95MS, *m.New.P95MS, 0.01**m.Old.P95MS)
			assert.Zero(t, *m.New.ErrorRate)
			assert.Equal(t, 8, m.Ready)
			assert.InDelta(t, 100, *m.New.CapacityRPS, 1, "what a replica serves while it works")
			assert.Len(t, m.New.SamplesMS, 60, "bounded")
			assert.InDelta(t, *m.New.P95MS, m.New.SamplesMS[0], 0.2**m.New.P95MS)
			assert.Empty(t, m.New.Downstreams)
		}},
		{"crash", &Fault{Kind: FaultCrash}, func(t *testing.T, m models.Measurement) {
			assert.Len(t, m.Unhealthy, 4)
			assert.Equal(t, 4, m.Crashing)
			assert.Equal(t, 4, m.Ready)
			assert.Zero(t, m.New.Requests)
		}},
		{"crash while serving", &Fault{Kind: FaultCrash, AfterSeconds: 30}, func(t *testing.T, m models.Measurement) {
			assert.Len(t, m.Unhealthy, 4)
			assert.Positive(t, m.New.Requests)
		}},
		{"half of them crash", &Fault{Kind: FaultCrash, Count: 2}, func(t *testing.T, m models.Measurement) {
			assert.Len(t, m.Unhealthy, 2)
			assert.Equal(t, 6, m.Ready)
		}},
		{"never start", &Fault{Kind: FaultNever}, func(t *testing.T, m models.Measurement) {
			assert.Len(t, m.Unhealthy, 4)
			assert.Equal(t, 4, m.Ready)
			assert.Zero(t, m.Crashing)
		}},
		{"errors", &Fault{Kind: FaultErrors, ErrorShare: 0.2}, func(t *testing.T, m models.Measurement) {
			assert.InDelta(t, 0.2, *m.New.ErrorRate, 1e-9)
			assert.Zero(t, *m.Old.ErrorRate)
			assert.InDelta(t, 0.1, *m.Service.ErrorRate, 0.01)
			assert.Len(t, m.Unhealthy, 4)
		}},
		{"slow to answer", &Fault{Kind: FaultSlow, LatencyFactor: 4}, func(t *testing.T, m models.Measurement) {
			assert.InDelta(t, 4, *m.New.P95MS / *m.Old.P95MS, 0.5)
			assert.Empty(t, m.Unhealthy)
		}},
		{"little capacity", &Fault{Kind: FaultSlow, CapacityFactor: 0.25}, func(t *testing.T, m models.Measurement) {
			assert.Greater(t, *m.New.P95MS, 3**m.Old.P95MS)
			assert.InDelta(t, 25, *m.New.CapacityRPS, 1)
			assert.Len(t, m.Unhealthy, 4, "what serves less than 80 % is named")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlant(t, nil)
			baseline := view(t, p).IDs()
			if c.fault != nil {
				require.NoError(t, p.SetFaults(models.ServiceAPI, []Fault{*c.fault}))
			}
			order(t, p, 8)
			require.NoError(t, p.SetFaults(models.ServiceAPI, nil))
			for range 3 {
				run(p, 300, 30)
			}
			c.check(t, measure(t, p, baseline, 20))
		})
	}
}

func TestFaultsEnd(t *testing.T) {
	p := newPlant(t, nil)
	require.NoError(t, p.SetFaults(models.ServiceAPI, []Fault{{Kind: FaultNever, TTLSeconds: 10}, {Kind: FaultApplyError, Count: 2}}))
	_, first := p.callFault(models.ServiceAPI, FaultApplyError)
	_, other := p.callFault(models.ServiceAPI, FaultDescribeError)
	_, second := p.callFault(models.ServiceAPI, FaultApplyError)
	_, third := p.callFault(models.ServiceAPI, FaultApplyError)
	assert.Equal(t, models.KindUnavailable, models.KindOf(first))
	require.NoError(t, other)
	require.Error(t, second)
	require.NoError(t, third, "used up")
	p.Step(began.Add(11 * time.Second))
	assert.Empty(t, view(t, p).Faults)
	order(t, p, 6)
	p.Step(p.Now().Add(time.Minute))
	assert.Equal(t, 6, view(t, p).Ready)
}

func TestReplicasBeyondTheDatabaseCeilingComeUpAndFail(t *testing.T) {
	p := newPlant(t, func(s *Settings) { s.DatabaseConnections, s.DatabaseReserved = 60, 10 })
	before := view(t, p).IDs()
	// The other services hold 20 of 50, so 7 of the api's replicas find 4 each.
	order(t, p, 10)
	run(p, 400, 60)
	run(p, 400, 30)
	v := view(t, p)
	assert.Equal(t, 10, v.Ready, "they come up")
	assert.Len(t, v.DatabaseBlocked, 3)
	m := measure(t, p, before, 20)
	assert.InDelta(t, 0.5, *m.New.ErrorRate, 0.01, "3 of 6 fail everything")
	assert.Zero(t, *m.Old.ErrorRate, "who was first keeps its connections")
	assert.ElementsMatch(t, v.DatabaseBlocked, m.Unhealthy)
	assert.Equal(t, 48, *m.DatabaseConnections)
	assert.Equal(t, 60, *m.DatabaseMaxConnections)

	order(t, p, 7, v.DatabaseBlocked...)
	run(p, 400, 25)
	assert.Zero(t, *measure(t, p, before, 20).New.ErrorRate)
}

func TestLimitsCountWhatOthersOrdered(t *testing.T) {
	p := newPlant(t, func(s *Settings) { s.Services[0].Quota = 30 })
	order(t, p, 9)
	l, err := p.Limits(models.ServiceAuth)
	require.NoError(t, err)
	assert.Equal(t, &models.DatabaseLimit{MaxConnections: 200, Reserved: 20, OtherUsers: 9*4 + 16, PerReplica: 2}, l.Database)
	assert.Nil(t, l.Quota)
	l, err = p.Limits(models.ServiceDatabase)
	require.NoError(t, err)
	assert.Nil(t, l.Database, "the database needs no connections to itself")
	l, err = p.Limits(models.ServiceAPI)
	require.NoError(t, err)
	assert.Equal(t, 30, *l.Quota)
}

func TestRemovalTakesVictimsThenUnreadyThenNewest(t *testing.T) {
	p := newPlant(t, nil)
	old := view(t, p).IDs()
	require.NoError(t, p.SetFaults(models.ServiceAPI, []Fault{{Kind: FaultNever, Count: 1}}))
	grown := order(t, p, 7).IDs()
	stuck := grown[4]
	p.Step(p.Now().Add(time.Minute))
	left := order(t, p, 5, old[0]).IDs()
	assert.ElementsMatch(t, []string{old[1], old[2], old[3], grown[5], grown[6]}, left, "the victim and the one that never started are gone")
	assert.NotContains(t, left, stuck)
	assert.Equal(t, []string{old[1], old[2], old[3]}, order(t, p, 3).IDs(), "then the newest")
}

func TestLoadEndsWithItsSource(t *testing.T) {
	p := newPlant(t, nil)
	load := map[models.ServiceName]float64{models.ServiceAPI: 100}
	p.SetLoad("a", load, began.Add(5*time.Second))
	p.SetLoad("b", load, began.Add(time.Minute))
	p.Step(began.Add(3 * time.Second))
	assert.InDelta(t, 200, view(t, p).Stats.Values[models.MetricThroughput], 1e-9)
	p.Step(began.Add(7 * time.Second))
	assert.InDelta(t, 100, view(t, p).Stats.Values[models.MetricThroughput], 1e-9, "a fell silent")
	p.SetLoad("b", nil, time.Time{})
	p.Step(began.Add(9 * time.Second))
	assert.InDelta(t, 0, view(t, p).Stats.Values[models.MetricThroughput], 0)
}

func TestAStandingFleetReportsNothing(t *testing.T) {
	p := newPlant(t, nil)
	_, none := p.Samples(began)
	assert.Empty(t, none, "no second was closed yet")
	run(p, 50, 3)
	at, some := p.Samples(p.Now())
	assert.Equal(t, p.Now(), at)
	assert.NotEmpty(t, some)
	for _, s := range some {
		require.NoError(t, models.ValidateMetricValue("value", s.Metric, s.Value))
	}
	_, late := p.Samples(p.Now().Add(3 * time.Second))
	assert.Empty(t, late)
}

func TestAResponseTimeIsAQuantile(t *testing.T) {
	l := latency{set: ServiceSettings{TimeoutSeconds: 5}}
	assert.Nil(t, l.p95())
	l.spread(1000, 0, 40, 0)
	assert.InDelta(t, 40*math.Exp(0.5*1.6449-0.125), *l.p95(), 6)
	l.dropped(100)
	assert.InDelta(t, 5000, *l.p95(), 0, "more than 5 % of the callers waited for the time-out")
}
