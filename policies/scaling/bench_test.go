package scaling_test

import (
	"slices"
	"testing"
	"time"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

// saturday is an evaluation as a busy one is: a calendar of ten weddings, a forecast with
// its record, reservations, limits, seven signals and a full memory.
func saturday() scaling.Inputs {
	in := with(serving(14, 700), calendar(10), trusted(900, nil), reserve(floor(22), most(40)), quota(40),
		database(models.DatabaseLimit{MaxConnections: 200, Reserved: 20, PerReplica: 4}))
	o := &in.Observation
	o.Signals = append(o.Signals, signal(models.MetricMemory, 0.5), signal(models.MetricResponseP95, 120), signal(models.MetricConnections, 60))
	o.Limits.Budget = &models.Budget{Hour: 5, Day: 80, SpentDay: 30}
	o.UsualRPS, o.Disturbance = val(650), &models.Disturbance{FallingServices: 1}
	o.Learned = &models.Learned{CapacityP50RPS: 101, CapacityP10RPS: 96, CertifiedAt: ago(240 * time.Hour), StartupP50Seconds: 9, StartupP95Seconds: 22}
	in.State.Ring = nil
	for i := range 60 {
		in.State.Ring = append(in.State.Ring, scaling.Recommendation{At: now.Add(time.Duration(i-61) * 15 * time.Second), N: 90 - i})
	}
	return in
}

// BenchmarkDecide reports the time of a decision in the mean and at the 99th percentile,
// each decision timed by itself.
func BenchmarkDecide(b *testing.B) {
	for name, in := range map[string]scaling.Inputs{"calm": serving(14, 700), "saturday": saturday()} {
		b.Run(name, func(b *testing.B) {
			took := make([]time.Duration, 0, 1<<20)
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				scaling.Decide(in)
				if len(took) < cap(took) {
					took = append(took, time.Since(start))
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
		})
	}
}

// TestADecisionAllocatesNoMoreWithALongerHistory: what is remembered is bounded.
func TestADecisionAllocatesNoMoreWithALongerHistory(t *testing.T) {
	after := func(evaluations int) (scaling.Inputs, float64) {
		in := with(saturday(), func(in *scaling.Inputs) { in.State = scaling.State{} })
		for i := range evaluations {
			in.Now = now.Add(time.Duration(i) * time.Second)
			in.Observation.At = in.Now
			_, in.State = scaling.Decide(in)
		}
		return in, testing.AllocsPerRun(50, func() { scaling.Decide(in) })
	}
	_, short := after(2_000)
	in, long := after(8_000)
	if long > short {
		t.Errorf("%v allocations after 8000 evaluations, %v after 2000", long, short)
	}
	if len(in.State.Ring) > 96 || len(in.State.Demand) > 96 {
		t.Errorf("%d and %d needs are remembered", len(in.State.Ring), len(in.State.Demand))
	}
}
