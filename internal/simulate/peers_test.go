package simulate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// seen is a view of a service with a record of samples, each a value for a second.
func seen(spec, ready, second int, samples ...[signals]float64) View {
	m := newMetrics(nil, 0)
	for _, s := range samples {
		m.record(s, true)
	}
	return View{Now: noon.Add(time.Duration(second) * time.Second), Second: second, Spec: spec, Ready: ready, Pending: spec - ready, Service: testService(), Metrics: m}
}

// rates is a record of seconds with the same rate.
func rates(seconds int, rps float64) [][signals]float64 {
	out := make([][signals]float64, seconds)
	for i := range out {
		out[i][Throughput] = rps
	}
	return out
}

func uses(seconds int, share float64) [][signals]float64 {
	out := make([][signals]float64, seconds)
	for i := range out {
		out[i][CPU] = share
	}
	return out
}

func TestHPAOnCPU(t *testing.T) {
	for name, c := range map[string]struct {
		use         float64
		spec, ready int
		want        int
	}{
		"10 × 0.9 ÷ 0.7 = 12.86":                      {0.9, 10, 10, 13},
		"within 10 % of 0.7":                          {0.76, 10, 10, 10},
		"10 × 0.35 ÷ 0.7 = 5":                         {0.35, 10, 10, 5},
		"just under the tolerance":                    {0.64, 10, 10, 10},
		"saturated: 1 ÷ 0.7 = 1.43 times":             {1, 10, 10, 15},
		"those that start count as idle upwards":      {1, 20, 10, 20},
		"10 × 1 ÷ 0.7 = 14.3 of which 11 are there":   {1, 11, 10, 15},
		"downwards only the ready ones count":         {0.35, 12, 10, 5},
		"none ready":                                  {0, 3, 0, 3},
		"growth that the starting ones already are":   {0.8, 12, 10, 12},
		"a rest of a replica is a whole one, not two": {0.84, 5, 5, 6},
	} {
		assert.Equal(t, c.want, hpaOnCPU(c.use, 0.7, c.spec, c.ready), name)
	}
}

func TestHPABehavesAsByDefault(t *testing.T) {
	var m memory
	v := seen(10, 10, 0)
	assert.Equal(t, 20, m.behave(v, 90), "at most doubled in 15 s")
	v.Spec = 2
	m = memory{}
	assert.Equal(t, 6, m.behave(v, 90), "or four more")
	v.Spec = 10
	m = memory{}
	for i := range 20 {
		assert.Equal(t, 10, m.behave(v, 4), "the largest of 300 s, sync %d", i)
	}
	assert.Equal(t, 4, m.behave(v, 4), "then all at once")
	v.Service.MinReplicas = 6
	assert.Equal(t, 6, m.behave(v, 1))
	v.Service.MaxReplicas = 11
	assert.Equal(t, 11, m.behave(v, 15))
}

func TestHPASeesTheLastScrapeAndHoldsWithoutOne(t *testing.T) {
	h := NewHPA(0.7)
	h.(beginner).begin(Scenario{})
	saturated := append(uses(30, 0.7), uses(17, 1)...) // from second 30 on
	assert.Equal(t, 10, h.Desired(seen(10, 10, 46, saturated[:46]...)), "the scrape of second 45 cannot be read yet")
	assert.Equal(t, 15, h.Desired(seen(10, 10, 47, saturated...)), "now it can: ⌈10 ÷ 0.7⌉")
	assert.Equal(t, 10, h.Desired(seen(10, 10, 62)), "no metric, no change")
}

func TestKEDAOnTheRate(t *testing.T) {
	for name, c := range map[string]struct {
		rate float64
		spec int
		want int
	}{
		"1000 ÷ 70 = 14.3":   {1000, 10, 15},
		"within 10 %":        {750, 10, 10},
		"down":               {350, 10, 5},
		"nothing is zero":    {0, 10, 0},
		"from nothing":       {100, 0, 2},
		"exactly":            {1400, 10, 20},
		"just over the rest": {1401, 10, 21},
	} {
		assert.Equal(t, c.want, hpaOnRate(c.rate, 70, c.spec), name)
	}
}

func TestKEDATakesAnEmptyAnswerForZero(t *testing.T) {
	k := NewKEDA(70)
	k.(beginner).begin(Scenario{Service: testService()})
	v := seen(10, 10, 600)
	for range 20 {
		assert.Equal(t, 10, k.Desired(v))
	}
	assert.Equal(t, 1, k.Desired(v), "after 300 s")
	assert.InDelta(t, 0.7, k.(targeted).target(), 1e-9)
}

func TestCronTriggersCountOnTheirDays(t *testing.T) {
	c := Cron{Days: []time.Weekday{time.Saturday}, From: 10 * time.Hour, Until: 26 * time.Hour, Replicas: 8}
	for at, want := range map[time.Time]bool{
		noon:                         true,
		noon.Add(-3 * time.Hour):     false,
		noon.Add(13 * time.Hour):     true, // one o'clock on Sunday
		noon.Add(14 * time.Hour):     false,
		noon.Add(24 * time.Hour):     false,
		noon.Add(-11 * time.Hour):    false, // one o'clock on Saturday is Friday's night
		noon.Add(7 * 24 * time.Hour): true,
	} {
		assert.Equal(t, want, c.activeAt(at), at)
	}
	zone := c
	zone.Location = time.FixedZone("", 3*3600)
	assert.True(t, zone.activeAt(noon.Add(-5*time.Hour)), "seven is ten there")

	k := NewKEDACron(70, []Cron{c})
	k.(beginner).begin(Scenario{Service: testService()})
	assert.Equal(t, 8, k.Desired(seen(4, 4, 0, rates(60, 100)...)))
	held := NewKEDACron(70, []Cron{{Days: c.Days, Until: 24 * time.Hour, Replicas: 31}})
	held.(beginner).begin(Scenario{Service: testService()})
	assert.Equal(t, 29, held.Desired(seen(29, 29, 0, rates(60, 100)...)), "HPA's tolerance holds a floor of 31 off")
}

func TestKPAInCalmAndInPanic(t *testing.T) {
	fresh := func() *kpa {
		k := NewKPA(0.7).(*kpa)
		k.begin(Scenario{})
		return k
	}
	v := seen(10, 10, 100)
	assert.Equal(t, 12, fresh().tick(800, 800, v), "⌈800 ÷ 70⌉")
	assert.Equal(t, 12, fresh().tick(800, 1300, v), "⌈1300 ÷ 70⌉ = 19 is not twice 10")
	assert.Equal(t, 20, fresh().tick(800, 1400, v), "20 is")
	assert.Equal(t, 5, fresh().tick(100, 100, v), "at most halved")

	k := fresh()
	assert.Equal(t, 29, k.tick(800, 2000, v))
	v.Second = 102
	assert.Equal(t, 29, k.tick(800, 500, v), "in panic nothing goes")
	v.Second = 160
	assert.Equal(t, 29, k.tick(800, 500, v))
	v.Second = 162
	assert.Equal(t, 12, k.tick(800, 500, v), "calm for 60 s")
}

func TestKPADelaysScaleIn(t *testing.T) {
	k := NewKPAWithDelay(0.7, 5*time.Minute)
	k.(beginner).begin(Scenario{})
	assert.Equal(t, 10, k.Desired(seen(10, 10, 1000, rates(70, 700)...)))
	assert.Equal(t, 10, k.Desired(seen(10, 10, 1002, rates(70, 350)...)))
	assert.Equal(t, 10, k.Desired(seen(10, 10, 1300, rates(70, 350)...)))
	assert.Equal(t, 5, k.Desired(seen(10, 10, 1302, rates(70, 350)...)))
	assert.Equal(t, 7, k.Desired(seen(7, 7, 1304)), "without metrics it stays")
}

func TestAWSTracksItsTarget(t *testing.T) {
	a := NewAWSPredictive(0.7)
	a.(beginner).begin(Scenario{})
	want := func(n, spec, minute int, rps float64, why string) {
		t.Helper()
		assert.Equal(t, n, a.Desired(seen(spec, spec, 60*minute, rates(120, rps)...)), why)
	}
	want(10, 10, 2, 700, "at its target")
	want(10, 10, 3, 1000, "one point above")
	want(10, 10, 4, 1000, "two")
	want(15, 10, 5, 1000, "three: ⌈1000 ÷ 70⌉")
	for m := range 14 {
		want(15, 15, 6+m, 300, "fewer than fifteen points below")
	}
	want(5, 15, 20, 300, "fifteen: ⌈300 ÷ 70⌉")
	want(5, 5, 21, 330, "within 90 %")
}

func TestAWSForecastsTheHourFromTheSameHours(t *testing.T) {
	// Eight days; the hour before noon had 700 requests/s, all others 70. The last one was
	// twice that.
	var history []float64
	for d := range 8 {
		for m := range 1440 {
			v := 70.0
			if m/60 == 11 {
				v = 700
				if d == 7 {
					v = 1400
				}
			}
			history = append(history, v)
		}
	}
	view := func(minute int) View {
		v := seen(1, 1, 0)
		v.Metrics = newMetrics(history, 0)
		v.Second = minute * 60
		for range minute * 60 {
			v.Metrics.record([signals]float64{Throughput: 70}, true)
		}
		return v
	}
	a := NewAWSPredictive(0.7)
	a.(beginner).begin(Scenario{})
	// All days: (7·700 + 1400) ÷ 8 = 787.5; same weekday a week before: 700. Half each.
	assert.Equal(t, 1, a.Desired(view(10*60+54)))
	assert.Equal(t, 11, a.Desired(view(10*60+55)), "⌈743.75 ÷ 70⌉ five minutes before the hour")
	assert.Equal(t, 11, a.Desired(view(11*60+54)))
}

func TestTheProbeFollowsTheIngestionsRule(t *testing.T) {
	p := testService().Policy // target 0.70, trigger 0.95
	at := func(ready int, seconds ...float64) *models.Spike {
		var samples [][signals]float64
		for _, s := range seconds {
			samples = append(samples, rates(1, s)...)
		}
		samples = append(samples, rates(engineLag, 0)...) // not arrived yet
		return probe(seen(ready, ready, 100, samples...), p)
	}
	// Ten ready: 950 outruns them.
	assert.Nil(t, at(10, 700, 700, 700, 700, 700, 940))
	assert.Nil(t, at(10, 700, 700, 700, 700, 700, 1100), "one second a little above")
	require.NotNil(t, at(10, 700, 700, 700, 700, 900, 1100))
	require.NotNil(t, at(10, 700, 700, 700, 700, 700, 1425), "one second far above")
	assert.InDelta(t, 1425, at(10, 700, 700, 700, 700, 700, 1425).RPS, 1e-9)
	require.NotNil(t, at(10, 960, 960, 960, 960, 960, 960))
	// Two ready: twice as many are needed above 100 · 0.7 · 3 = 210, which is the same as
	// 190 outrun; one ready: above 70.
	assert.Nil(t, at(1, 69, 69, 69, 69, 69, 69))
	require.NotNil(t, at(1, 71, 71, 71, 71, 71, 71))
	require.NotNil(t, at(0, 1, 1), "with nothing ready any load is one")
	assert.Nil(t, at(0, 0, 0))
	assert.Nil(t, probe(seen(1, 1, 0), p), "no sample, no spike")
}
