package hotstore

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/internal/devstack/devstacktest"
	"github.com/wedsync/scalability/models"
)

// noon is the start of a minute, so that looking back crosses minutes.
var noon = time.Date(2027, 6, 12, 12, 0, 0, 0, time.UTC)

func cell(metric models.MetricName, at time.Time, count int64, sum float64) models.Cell {
	return models.Cell{Service: models.ServiceAPI, Metric: metric, Start: at, Count: count, Sum: sum}
}

func ptr(v float64) *float64 { return &v }

func save(t *testing.T, s *Store, source string, cells ...models.Cell) {
	t.Helper()
	require.NoError(t, s.SaveSeconds(t.Context(), source, cells))
}

func signals(t *testing.T, s *Store, now time.Time) []models.Signal {
	t.Helper()
	got, err := s.Signals(t.Context(), models.ServiceAPI, now)
	require.NoError(t, err)
	return got
}

func TestSignalsOfAServiceThatSaidNothingAreAbsent(t *testing.T) {
	s := open(t, devstacktest.Redis(t))
	assert.Empty(t, signals(t, s, noon))
	save(t, s, "a")
	save(t, s, "a", cell(models.MetricCPU, noon, 0, 0), cell(models.MetricCPU, noon, 1, math.NaN()), cell(models.MetricCPU, noon, 1, math.Inf(1)))
	assert.Empty(t, signals(t, s, noon), "what is no number is missing")
	n, err := s.client.DBSize(t.Context()).Result()
	require.NoError(t, err)
	assert.Zero(t, n)
}

func TestSignalsSummariseTheLastSeconds(t *testing.T) {
	s := open(t, devstacktest.Redis(t))
	now := noon.Add(10500 * time.Millisecond)
	save(t, s, "a",
		cell(models.MetricThroughput, now.Add(-time.Second), 4, 1200), // 300
		cell(models.MetricThroughput, now.Add(-5*time.Second), 1, 100),
		cell(models.MetricThroughput, now.Add(-50*time.Second), 1, 800),
		cell(models.MetricThroughput, now.Add(-299*time.Second), 1, 2000),
		cell(models.MetricThroughput, now.Add(-302*time.Second), 1, 1e6), // too old
		cell(models.MetricThroughput, now.Add(3*time.Second), 1, 1e6),    // not yet
		cell(models.MetricErrorRate, now.Add(-200*time.Second), 2, 0),
	)
	require.NoError(t, s.SaveSeconds(t.Context(), "a", []models.Cell{
		{Service: models.ServiceAuth, Metric: models.MetricThroughput, Start: now, Count: 1, Sum: 7},
	}))
	assert.Equal(t, []models.Signal{
		{
			Metric: models.MetricThroughput, Avg2: ptr(300), Avg6: ptr(200), Avg60: ptr(400), Avg300: ptr(800),
			Max60: ptr(800), AgeSeconds: 0.5, Completeness: 3.0 / 60,
		},
		{Metric: models.MetricErrorRate, Avg300: ptr(0), AgeSeconds: 199.5},
	}, signals(t, s, now))
	assertLifetime(t, s, secondsKey(models.ServiceAPI, noon.Unix()/60), 360*time.Second)
	assertLifetime(t, s, secondsKey(models.ServiceAPI, noon.Unix()/60-5), 360*time.Second)
}

func TestTheRunningSecondCountsAndIsNotOld(t *testing.T) {
	s := open(t, devstacktest.Redis(t))
	save(t, s, "a", cell(models.MetricCPU, noon, 1, 0.25))
	got := signals(t, s, noon.Add(900*time.Millisecond))
	require.Len(t, got, 1)
	assert.Equal(t, ptr(0.25), got[0].Avg2)
	assert.Zero(t, got[0].AgeSeconds)
}

func TestAFullMinuteIsComplete(t *testing.T) {
	s := open(t, devstacktest.Redis(t))
	for i := range 61 {
		save(t, s, "a", cell(models.MetricCPU, noon.Add(-time.Duration(i)*time.Second), 1, 0.5))
	}
	got := signals(t, s, noon.Add(time.Millisecond))
	require.Len(t, got, 1)
	assert.InDelta(t, 1, got[0].Completeness, 0)
}

func TestASecondThatIsSentAgainReplacesAndSourcesMerge(t *testing.T) {
	s := open(t, devstacktest.Redis(t))
	save(t, s, "api-1", cell(models.MetricThroughput, noon, 1, 100), cell(models.MetricCPU, noon, 1, 0.5))
	save(t, s, "api-1", cell(models.MetricThroughput, noon, 3, 600))
	save(t, s, "api-1", cell(models.MetricThroughput, noon, 3, 600))
	save(t, s, "api|2 x", cell(models.MetricThroughput, noon, 1, 400))
	got := signals(t, s, noon)
	require.Len(t, got, 2)
	assert.Equal(t, ptr(250), got[0].Avg2, "the mean of four samples: 3 of 200 and 1 of 400")
	assert.Equal(t, ptr(0.5), got[1].Avg2, "of the other metric nothing was replaced")
}

func TestForeignFieldsAreIgnored(t *testing.T) {
	s := open(t, devstacktest.Redis(t))
	key := secondsKey(models.ServiceAPI, noon.Unix()/60)
	second := fmt.Sprint(noon.Unix())
	require.NoError(t, s.client.HSet(t.Context(), key,
		"x", "1 1", "12|cpu", "1 1", "x|cpu|a", "1 1", second+"|cpu|a", "1", second+"|cpu|b", "1 NaN",
		second+"|cpu|c", "0 5", second+"|cpu|d", "-1 5", second+"|cpu|e", "x 5", second+"|unknown|a", "1 5").Err())
	assert.Empty(t, signals(t, s, noon))
	save(t, s, "f", cell(models.MetricCPU, noon, 2, 1))
	got := signals(t, s, noon)
	require.Len(t, got, 1)
	assert.Equal(t, ptr(0.5), got[0].Avg2)
}

// TestSignalsFollowTheirDefinition compares with the definition, read literally.
func TestSignalsFollowTheirDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := noon.Add(time.Duration(rapid.Int64Range(0, 999).Draw(t, "ms")) * time.Millisecond)
		var s series
		values := map[int]float64{}
		for range rapid.IntRange(1, 30).Draw(t, "seconds") {
			age := rapid.OneOf(rapid.IntRange(0, 8), rapid.IntRange(0, historySeconds)).Draw(t, "age")
			v := float64(rapid.IntRange(0, 1000).Draw(t, "value"))
			if _, twice := values[age]; !twice {
				values[age] = v
				s.add(age, 2, 2*v)
			}
		}
		got := s.signal(models.MetricCPU, now)
		newest, in60, max60 := historySeconds, 0, -1.0
		for age, v := range values {
			newest = min(newest, age)
			if age <= 60 {
				in60++
				max60 = max(max60, v)
			}
		}
		for window, avg := range map[int]*float64{2: got.Avg2, 6: got.Avg6, 60: got.Avg60, 300: got.Avg300} {
			sum, n := 0.0, 0
			for age, v := range values {
				if start := noon.Add(-time.Duration(age) * time.Second); start.Add(time.Second).After(now.Add(-time.Duration(window) * time.Second)) {
					sum, n = sum+v, n+1
				}
			}
			if n == 0 {
				assert.Nil(t, avg, "window %d", window)
			} else if assert.NotNil(t, avg, "window %d", window) {
				assert.InDelta(t, sum/float64(n), *avg, 1e-9, "window %d", window)
			}
		}
		assert.Equal(t, max60 < 0, got.Max60 == nil)
		if got.Max60 != nil {
			assert.InDelta(t, max60, *got.Max60, 0)
		}
		assert.InDelta(t, min(1, float64(in60)/60), got.Completeness, 1e-12)
		assert.InDelta(t, max(0, now.Sub(noon).Seconds()+float64(newest)-1), got.AgeSeconds, 1e-9)
	})
}

func BenchmarkSignals(b *testing.B) {
	s := open(b, devstacktest.Redis(b))
	for age := range 301 {
		var cells []models.Cell
		for _, m := range models.MetricNames() {
			cells = append(cells, cell(m, noon.Add(-time.Duration(age)*time.Second), 3, 123.456))
		}
		require.NoError(b, s.SaveSeconds(b.Context(), "a", cells))
	}
	b.ResetTimer()
	for b.Loop() {
		if _, err := s.Signals(b.Context(), models.ServiceAPI, noon); err != nil {
			b.Fatal(err)
		}
	}
}
