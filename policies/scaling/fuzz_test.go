package scaling_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

// FuzzDecide: whatever the numbers are, Decide answers, within the bounds, with a
// record that can be stored.
func FuzzDecide(f *testing.F) {
	f.Add(640.0, 0.5, 100.0, 0.65, 2.0, 10, 20, 2, 30)
	f.Add(math.NaN(), math.Inf(1), 0.0, math.NaN(), math.NaN(), 10, -1, 0, 0)
	f.Add(math.MaxFloat64, 1e9, math.SmallestNonzeroFloat64, 1e-300, math.Inf(1), math.MaxInt, math.MaxInt, math.MinInt, math.MaxInt)
	f.Add(-1.0, -1.0, -1.0, -0.1, -1.0, -1, -1, -1, -1)
	f.Add(math.Inf(-1), 0.96, math.Inf(1), math.Inf(1), 0.0, 0, math.MaxInt, 1, math.MaxInt)
	f.Fuzz(func(t *testing.T, load, cpu, capacity, share, factor float64, spec, claim, low, high int) {
		in := with(serving(0, 0), reserve(floor(claim), floor(claim), most(max(1, claim/2))), spike(load, now),
			database(models.DatabaseLimit{MaxConnections: spec, OtherUsers: claim, Reserved: low, PerReplica: high}))
		o := &in.Observation
		o.Replicas = &models.ReplicaSet{Service: models.ServiceAPI, Spec: spec, Ready: low}
		o.Signals = []models.Signal{signal(models.MetricThroughput, load), signal(models.MetricCPU, cpu), signal(models.MetricQueueDepth, capacity)}
		o.Forecast = &models.ForecastPoint{P50: load / 2, P70: cpu * load, P95: load, P99: capacity, LookAheadP90: load, VerifiedP70: load, Trusted: true, IssuedAt: now, WAPE7Days: &cpu, HistoryDays: &capacity}
		windows(at(time.Duration(claim)*time.Second, claim), at(time.Duration(spec)*time.Minute, spec))(&in)
		o.Calendar.BaseRPS, o.Calendar.Kernel.P90[12], o.Calendar.Kernel.StepMinutes = load, cpu, 1+low&0xff
		o.Learned.CapacityP50RPS, o.Learned.CapacityP10RPS, o.Learned.StartupP95Seconds = capacity, cpu, share
		o.Limits.Budget = &models.Budget{Hour: load, Day: capacity, SpentDay: cpu}
		o.Limits.Downstream = []models.DownstreamLimit{{Name: "mail", RPS: load, Calls: cpu}}
		o.Mode, o.UsualRPS = []models.Mode{models.ModeNormal, models.ModeWeddingDay, models.ModeEmergency}[uint(claim)%3], &load
		o.Signals = append(o.Signals, signal(models.MetricMemory, cpu), signal(models.MetricResponseP95, load))
		in.State.SuspectNeed = spec
		if !math.IsNaN(load+share) && !math.IsInf(load+share, 0) { // a memory comes from a store
			in.State.PanicRPS, in.State.Decay = load, &scaling.Decay{At: now, Share: share}
		}
		o.Reservations[0].Guests, o.Reservations[1].Guests = 1, claim
		s := &o.Service
		s.CapacityRPS, s.CostPerReplicaHour = capacity, load
		s.MinReplicas, s.MaxReplicas, s.AbsoluteMaxReplicas = low, high, high
		s.Policy.TargetUtilisation, s.Policy.UpFactor, s.Policy.DownStepShare = share, factor, factor
		s.Policy.UpStep, s.Policy.DeadBandUp, s.Policy.DeadBandDown = spec, share, share

		e, state := scaling.Decide(in)
		require.NotEmpty(t, e.Text)
		if e.Desired != e.Current {
			assert.GreaterOrEqual(t, e.Desired, 0)
			assert.LessOrEqual(t, e.Desired, high, e.Text)
		}
		_, err := json.Marshal(struct {
			E models.Explanation
			S scaling.State
		}{e, state})
		require.NoError(t, err, "a decision that cannot be stored is none")
		again, _ := scaling.Decide(in)
		assert.Equal(t, e.InputsHash, again.InputsHash)
		assert.GreaterOrEqual(t, scaling.NeedNow(in.Observation), 1)
	})
}

func TestANumberThatIsNoneHoldsAndIsKeptOutOfTheRecord(t *testing.T) {
	for name, v := range map[string]float64{"NaN": math.NaN(), "infinite": math.Inf(1), "negative": -1, "endless": math.Inf(-1)} {
		t.Run(name, func(t *testing.T) {
			in := serving(10, 100)
			in.Observation.Signals = []models.Signal{signal(models.MetricThroughput, v), signal(models.MetricCPU, v)}
			in.Observation.Forecast = &models.ForecastPoint{P95: v, Trusted: true, IssuedAt: now}
			e, _ := scaling.Decide(in)
			assert.Equal(t, 10, e.Desired, e.Text)
			assert.Equal(t, models.ClassFailsafe, e.Class)
			_, err := json.Marshal(e)
			require.NoError(t, err)
		})
	}
	in := serving(10, 640)
	in.Observation.Signals[0] = signal(models.MetricThroughput, math.MaxFloat64)
	e, _ := scaling.Decide(in)
	assert.Equal(t, 30, e.Desired, "a number too large for an int is much, not little: %s", e.Text)
}
