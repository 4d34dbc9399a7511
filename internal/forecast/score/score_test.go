package score_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wedsync/scalability/internal/forecast/score"
)

func TestScorersByHand(t *testing.T) {
	actual, forecast := []float64{10, 20, 0}, []float64{12, 15, 0}
	low, high := []float64{9, 21, 0}, []float64{13, 25, 0}
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"sMAPE", score.SMAPE(actual, forecast), (200*2.0/22 + 200*5.0/35) / 3},
		{"scale", score.Scale([]float64{1, 2, 4, 8}, 2), (3.0 + 6) / 2},
		{"MASE", score.MASE(actual, forecast, 2), 7.0 / 3 / 2},
		{"OWA", score.OWA(9, 1, 18, 4), (0.5 + 0.25) / 2},
		{"MSIS", score.MSIS(actual, low, high, 0.05, 2), (4 + 4 + 40*1 + 0) / 3.0 / 2},
		{"coverage", score.Coverage(actual, low, high), 2.0 / 3},
		{"WAPE", score.WAPE(actual, forecast), 7.0 / 30},
		{"accuracy", score.Accuracy(actual, forecast), 100 * 23.0 / 30},
		{"bias", score.Bias(actual, forecast), -3.0 / 30},
		{"pinball of the median is half the error", score.Pinball(actual, forecast, 0.5), 7.0 / 6},
		{"pinball above", score.Pinball([]float64{10}, []float64{12}, 0.9), 0.2},
		{"pinball below", score.Pinball([]float64{12}, []float64{10}, 0.9), 1.8},
		{"skill", score.Skill(1, 4), 0.75},
	} {
		t.Run(c.name, func(t *testing.T) { assert.InDelta(t, c.want, c.got, 1e-9) })
	}
}

func TestATallyTellsGroupsApart(t *testing.T) {
	nan := math.NaN()
	records := []score.Record{
		{Actual: 100, Forecast: 90, Day: 80, Week: nan, Low: 80, High: 120, Q10: 85, Q50: 95, Q90: 110, Q95: 115, Lead: 1, Event: true},
		{Actual: 100, Forecast: 130, Day: 90, Week: 100, Low: 110, High: 150, Q10: 115, Q50: 130, Q90: 140, Q95: 145, Lead: 2},
		{Actual: 50, Forecast: 50, Day: nan, Week: nan, Low: nan, High: nan, Lead: 2},
		{Actual: 1e9, Forecast: 0, Filled: true},
	}
	all := score.TallyOf(records, nil)
	assert.Equal(t, 3, all.Hours, "what was filled is not judged")
	assert.InDelta(t, 40.0/250, all.WAPE, 1e-9)
	assert.InDelta(t, 84, all.Accuracy(), 1e-9)
	assert.InDelta(t, 40.0/30, all.MASE24, 1e-9)
	assert.InDelta(t, 20.0/250, all.Bias, 1e-9)
	assert.InDelta(t, 0.5, all.Coverage, 1e-9, "of those with an interval")
	assert.InDelta(t, 40/(250.0/3), all.Width, 1e-9)
	event := score.TallyOf(records, func(r score.Record) bool { return r.Event })
	assert.InDelta(t, 0.1, event.WAPE, 1e-9)
	assert.InDelta(t, 0.015, event.Pinball.P10, 1e-9)
	none := score.TallyOf(nil, nil)
	assert.Zero(t, none.Hours)
	assert.True(t, math.IsNaN(none.WAPE) && math.IsNaN(none.Coverage) && math.IsNaN(none.Pinball.P95))
	assert.True(t, math.IsNaN(score.TallyOf(records[2:3], nil).Width), "without intervals there is no width")
}
