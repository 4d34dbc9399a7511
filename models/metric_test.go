package models_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/models"
)

func TestMetricValuesAreBounded(t *testing.T) {
	cases := map[string]struct {
		metric models.MetricName
		value  float64
		ok     bool
	}{
		"nothing":                    {models.MetricThroughput, 0, true},
		"much":                       {models.MetricThroughput, 1e12, true},
		"more than any service has":  {models.MetricThroughput, 1.1e12, false},
		"negative":                   {models.MetricThroughput, -0.001, false},
		"not a number":               {models.MetricThroughput, math.NaN(), false},
		"endless":                    {models.MetricThroughput, math.Inf(1), false},
		"endless, downwards":         {models.MetricThroughput, math.Inf(-1), false},
		"an overloaded cpu":          {models.MetricCPU, 1.4, true},
		"a cpu in per cent":          {models.MetricCPU, 100, true},
		"a cpu beyond sense":         {models.MetricCPU, 100.1, false},
		"memory beyond sense":        {models.MetricMemory, 101, false},
		"more errors than requests":  {models.MetricErrorRate, 101, false},
		"a share that is no number":  {models.MetricErrorRate, math.NaN(), false},
		"a response time of minutes": {models.MetricResponseP95, 600_000, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := models.ValidateMetricValue("samples[7].value", c.metric, c.value)
			if c.ok {
				assert.NoError(t, err)
				return
			}
			breach(t, err, "samples[7].value")
		})
	}
}

// cells draws windows with whole numbers, whose sums are exact.
func cell(t *rapid.T, name string) models.Cell {
	c := models.Cell{Service: models.ServiceAPI, Metric: models.MetricThroughput, Start: time.Unix(100, 0)}
	for _, v := range rapid.SliceOfN(rapid.IntRange(0, 1000), 0, 6).Draw(t, name) {
		f := float64(v)
		c = c.Merge(models.Cell{Service: c.Service, Metric: c.Metric, Start: c.Start, Count: 1, Sum: f, Min: f, Max: f, Last: f})
	}
	return c
}

func TestCellsMergeInAnyGrouping(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := cell(t, "a"), cell(t, "b"), cell(t, "c")
		require.Equal(t, a.Merge(b).Merge(c), a.Merge(b.Merge(c)))
	})
}

func TestMergedCellsHoldWhatTheirSamplesHeld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := cell(t, "a"), cell(t, "b")
		m, swapped := a.Merge(b), b.Merge(a)
		require.Equal(t, a.Count+b.Count, m.Count)
		require.InDelta(t, a.Sum+b.Sum, m.Sum, 0)
		swapped.Last = m.Last
		require.Equal(t, m, swapped, "but for the last sample the order does not count")
		mean, ok := m.Mean()
		require.Equal(t, m.Count > 0, ok)
		if !ok {
			return
		}
		require.LessOrEqual(t, m.Min, mean)
		require.GreaterOrEqual(t, m.Max, mean)
		want := b.Last
		if b.Count == 0 {
			want = a.Last
		}
		require.InDelta(t, want, m.Last, 0, "the other one is later")
	})
}

func TestAnEmptyCellChangesNothingAndHasNoMean(t *testing.T) {
	full := models.Cell{Service: models.ServiceAPI, Count: 2, Sum: 10, Min: 4, Max: 6, Last: 6}
	assert.Equal(t, full, full.Merge(models.Cell{Min: -5, Max: 99}))
	assert.Equal(t, full, models.Cell{Min: -5, Max: 99}.Merge(full))
	_, ok := models.Cell{}.Mean()
	assert.False(t, ok)
}
