package api

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

// TestStatusJudgesByStrictThresholdsWhileAWindowIsOpen goes on when the days cannot be read,
// and ends with the window.
func TestStatusJudgesByStrictThresholdsWhileAWindowIsOpen(t *testing.T) {
	p, now := newPlatform(), noon
	p.latest[0].Values[models.MetricCPU] = 0.72
	h := p.handler(t, func(c *Config) { c.Now = func() time.Time { return now } })
	status := func() gen.Status {
		return get[gen.Status](t, h, request{path: base + "/status", as: "viewer"}, 200)
	}
	got := status()
	assert.False(t, got.Judgement.Strict)
	assert.Equal(t, models.LevelOK, got.Judgement.Level)
	require.NotNil(t, got.Services[0].Judgement)
	assert.Equal(t, models.LevelOK, got.Services[0].Judgement.Level)

	day := aWeddingDay()
	day.Windows = []models.TimeSpan{{From: noon.Add(-time.Hour), Until: noon.Add(time.Minute)}}
	day.Thresholds = models.WeddingDayThresholds()
	p.strict = []models.WeddingDay{day}
	assert.False(t, status().Judgement.Strict, "read a moment ago")
	now = noon.Add(30 * time.Second)
	got = status()
	assert.True(t, got.Judgement.Strict)
	assert.Equal(t, models.LevelCritical, got.Judgement.Level)
	assert.Contains(t, got.Judgement.Text, "a wedding day")
	assert.Equal(t, []models.Breach{{Metric: models.MetricCPU, Value: 0.72, Limit: 0.7, Level: models.LevelCritical}}, got.Services[0].Judgement.Breaches)
	assert.Equal(t, models.ScopeViewer, p.scope("StrictDays").Role, "which thresholds hold does not depend on who asks")

	p.fails("StrictDays", models.Unavailable("store", errors.New("away")))
	now = noon.Add(50 * time.Second)
	got = status()
	assert.True(t, got.Judgement.Strict, "what was read last counts")
	assert.Contains(t, got.Gaps, "Whether strict thresholds hold could not be read; what was read last counts.")
	now = noon.Add(time.Minute)
	assert.False(t, status().Judgement.Strict, "and ends with its window")
}
