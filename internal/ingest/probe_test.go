package ingest

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/models"
)

// play reports one load a second, or none where it is silent, and probes after each.
func (r *rig) play(loads ...float64) {
	r.t.Helper()
	for _, l := range loads {
		r.clock.pass(time.Second)
		if l >= 0 {
			r.load(l)
		}
		r.probeNow()
	}
}

const silent = -1.0

func TestSpikesAreSeenAsSoonAsTheyAreCertain(t *testing.T) {
	for _, c := range []struct {
		name  string
		loads []float64 // one a second; ready capacity 200, spike above 190, clearly above 285
		after int       // index of the load that makes it signal, -1 never
		rps   float64
		first int // index of the first sample above the threshold
	}{
		{"a threefold jump, at its first sample", []float64{130, 130, 130, 390}, 3, 390, 3},
		{"a jump of three quarters, at its second", []float64{120, 120, 210, 210, 210}, 3, 210, 2},
		{"a slow climb, when two seconds are above", []float64{150, 170, 180, 191, 195}, 4, 193, 3},
		{"one noisy second near the threshold", []float64{150, 150, 200, 150, 150, 150}, -1, 0, 0},
		{"one noisy second after silence", []float64{silent, 200, silent, silent}, -1, 0, 0},
		{"high but within capacity", []float64{185, 189, 190, 190, 190, 190, 190}, -1, 0, 0},
		{"samples every third second", []float64{100, silent, silent, 210, silent, silent, 210, silent, silent, 220}, 6, 210, 3},
		{"a spike with a dip is counted from after the dip", []float64{130, 200, 170, 205, 220}, 4, 212.5, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			for i, l := range c.loads {
				r.play(l)
				if c.after < 0 || i < c.after {
					require.Empty(t, r.scaler.seen(), "no spike after %v", c.loads[:i+1])
				}
				if i == c.after {
					require.Len(t, r.scaler.seen(), 1)
				}
			}
			if c.after < 0 {
				return
			}
			s := r.scaler.seen()[0]
			assert.Equal(t, models.ServiceAPI, s.Service)
			assert.InDelta(t, c.rps, s.RPS, 1e-9)
			assert.Equal(t, noon.Add(time.Duration(c.first+1)*time.Second), s.FirstSampleAt)
			assert.Equal(t, noon.Add(time.Duration(c.after+1)*time.Second), s.SeenAt)
			assert.Contains(t, s.Reason, "190")
		})
	}
}

func TestASpikeIsSignalledEveryTwoSecondsWhileItLasts(t *testing.T) {
	r := newRig(t)
	r.play(130, 390, 390, 390, 390, 390)
	spikes := r.scaler.seen()
	require.Len(t, spikes, 3)
	for i, s := range spikes {
		assert.Equal(t, noon.Add(2*time.Second), s.FirstSampleAt, "the onset stays that of the spike")
		assert.Equal(t, noon.Add(time.Duration(2+2*i)*time.Second), s.SeenAt)
	}
	assert.Equal(t, []models.ServiceName{"api", "api", "api"}, r.heard.spikes)

	r.play(130, 130, 130, 130, 130, 130)
	before := len(r.scaler.seen())
	r.play(130, 130, 390)
	spikes = r.scaler.seen()
	require.Len(t, spikes, before+1)
	assert.Equal(t, noon.Add(15*time.Second), spikes[before].FirstSampleAt, "a new spike has an onset of its own")
}

func TestASilentServiceHasNoSpike(t *testing.T) {
	r := newRig(t)
	r.play(390, silent, silent, silent, silent, silent)
	before := len(r.scaler.seen())
	assert.Positive(t, before)
	r.play(silent, silent, silent, silent)
	assert.Len(t, r.scaler.seen(), before, "six seconds without a sample say nothing of the load")
}

func TestNewCapacityEndsASpike(t *testing.T) {
	r := newRig(t)
	r.play(390)
	require.Len(t, r.scaler.seen(), 1)
	r.plant.of = map[models.ServiceName]Capacity{models.ServiceAPI: {Ready: 6, RPS: 100, Trigger: 0.95}}
	r.play(390, 390, 390, 390)
	assert.Len(t, r.scaler.seen(), 1)
}

func TestTheSecondsStandInTheHotStoreBeforeTheSignal(t *testing.T) {
	r := newRig(t)
	r.take(models.Sample{Service: models.ServiceMedia, Metric: models.MetricCPU, Value: 1, Timestamp: noon})
	r.load(390)
	r.probeNow()
	assert.Equal(t, []string{"saved api", "signalled api"}, r.journal.lines, "of that service, and no other")
}

func TestADeadStoreDoesNotHoldASignalUp(t *testing.T) {
	r := newRig(t)
	r.hotDB.set(true)
	r.load(390)
	r.probeNow()
	assert.Len(t, r.scaler.seen(), 1)
	r.hotDB.set(false)
	r.flush()
	assert.Len(t, r.hotDB.cells, 1, "what could not be saved then is saved later")
}

func TestASignalThatFailedIsTriedAgainWhileTheSpikeLasts(t *testing.T) {
	r := newRig(t)
	r.scaler.away = true
	r.load(390)
	r.probeNow()
	assert.Equal(t, 1, r.scaler.tries)
	r.clock.pass(100 * time.Millisecond)
	r.lookNow()
	assert.Equal(t, 1, r.scaler.tries, "not at every batch")
	r.clock.pass(400 * time.Millisecond)
	r.scaler.away = false
	r.lookNow()
	require.Len(t, r.scaler.seen(), 1)
	assert.Equal(t, noon, r.scaler.seen()[0].FirstSampleAt)

	r = newRig(t)
	r.scaler.away = true
	r.play(390)
	r.scaler.away = false
	r.play(100, 100, 100, 100, 100, 100)
	tries := r.scaler.tries
	r.play(100, 100)
	assert.Equal(t, tries, r.scaler.tries, "a spike that is over is not signalled")
}

func TestAHangingAutoscalerBlocksNeitherIngestionNorTheOtherServices(t *testing.T) {
	r := newRig(t)
	r.plant.of[models.ServiceMedia] = Capacity{Ready: 1, RPS: 10, Trigger: 0.95}
	r.readCapacities(t.Context(), noon)
	r.scaler.hang = true
	ctx, stop := context.WithCancel(t.Context())
	r.load(390)
	r.look(ctx, noon) // returns although the signal hangs
	require.Eventually(t, func() bool { r.scaler.mu.Lock(); defer r.scaler.mu.Unlock(); return r.scaler.tries == 1 }, 5*time.Second, time.Millisecond)
	r.load(390)
	r.clock.pass(3 * time.Second)
	r.look(ctx, r.clock.now())
	r.take(models.Sample{Service: models.ServiceMedia, Metric: models.MetricThroughput, Value: 99, Timestamp: r.clock.now()})
	r.look(ctx, r.clock.now())
	require.Eventually(t, func() bool { r.scaler.mu.Lock(); defer r.scaler.mu.Unlock(); return r.scaler.tries == 2 }, 5*time.Second, time.Millisecond,
		"one signal a service is under way, and media has its own")
	stop()
	r.probe.signalling.Wait()
}

func TestCapacitiesThatCannotBeReadStayKnownForAMinute(t *testing.T) {
	r := newRig(t)
	r.play(100)
	r.plant.mu.Lock()
	r.plant.away = true
	r.plant.mu.Unlock()
	r.clock.pass(50 * time.Second)
	r.play(390)
	assert.Len(t, r.scaler.seen(), 1)
	r.clock.pass(10 * time.Second)
	r.play(390)
	assert.Len(t, r.scaler.seen(), 1, "after a minute nobody knows what is ready")
	r.plant.away = false
	r.play(390)
	assert.Len(t, r.scaler.seen(), 2)
}

func TestOnlyServicesWithKnownCapacityAreProbed(t *testing.T) {
	for name, c := range map[string]Capacity{
		"no capacity": {Ready: 2, Trigger: 0.95}, "no trigger": {Ready: 2, RPS: 100},
		"not a number": {Ready: 2, RPS: math.NaN(), Trigger: 0.95}, "infinite": {Ready: 2, RPS: math.Inf(1), Trigger: 0.95},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.plant.of = map[models.ServiceName]Capacity{models.ServiceAPI: c}
			r.play(1e6, 1e6, 1e6)
			assert.Empty(t, r.scaler.seen())
		})
	}
	r := newRig(t)
	r.plant.of = nil
	r.play(1e6)
	assert.Empty(t, r.scaler.seen())
}

func TestThresholdIsTheLowerOfOutrunAndTwiceTheNeed(t *testing.T) {
	for _, c := range []struct {
		name string
		cap  Capacity
		want float64
	}{
		{"nothing ready", Capacity{Ready: 0, RPS: 100, Trigger: 0.95}, 0},
		{"outrun comes first", Capacity{Ready: 4, RPS: 100, Trigger: 0.95, Target: 0.7}, 380},
		{"one replica that needs a second", Capacity{Ready: 1, RPS: 100, Trigger: 0.95, Target: 0.65}, 65},
		{"a high trigger", Capacity{Ready: 3, RPS: 100, Trigger: 2}, 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.InDelta(t, c.want, c.cap.threshold(), 1e-9)
			if c.cap.Ready == 0 {
				return
			}
			// The published condition, just above and just below.
			u := c.cap.Target
			if u == 0 {
				u = 1
			}
			fires := func(load float64) bool {
				return load > c.cap.Trigger*float64(c.cap.Ready)*c.cap.RPS || math.Ceil(load/(c.cap.RPS*u))/float64(c.cap.Ready) >= 2
			}
			assert.True(t, fires(c.want+1e-6))
			assert.False(t, fires(c.want-1e-6))
		})
	}
}

func TestSurgeProperties(t *testing.T) {
	second := rapid.OneOf(rapid.Float64Range(0, 1000), rapid.Just(math.NaN()))
	draw := func(rt *rapid.T) (r recent) {
		for i := range r {
			r[i] = second.Draw(rt, "second")
		}
		return r
	}
	t.Run("more load in any second never ends a spike", rapid.MakeCheck(func(rt *rapid.T) {
		r, threshold := draw(rt), rapid.Float64Range(1, 500).Draw(rt, "threshold")
		_, _, before := r.surge(threshold)
		i := rapid.IntRange(0, len(r)-1).Draw(rt, "which")
		r[i] += rapid.Float64Range(0, 1000).Draw(rt, "more")
		if _, _, after := r.surge(threshold); before {
			assert.True(rt, after)
		}
	}))
	t.Run("load that never passes the threshold is no spike", rapid.MakeCheck(func(rt *rapid.T) {
		r := draw(rt)
		for i := range r {
			r[i] = math.Min(r[i], 500)
		}
		_, _, spike := r.surge(500.000001)
		assert.False(rt, spike)
	}))
	t.Run("the rate is finite and a spike has a reason", rapid.MakeCheck(func(rt *rapid.T) {
		r := draw(rt)
		rate, reason, spike := r.surge(rapid.Float64Range(0, 500).Draw(rt, "threshold"))
		assert.False(rt, math.IsNaN(rate) || math.IsInf(rate, 0))
		assert.Equal(rt, spike, spike && reason != "")
	}))
}
