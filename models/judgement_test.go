package models_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wedsync/scalability/models"
)

func ordinary() models.Thresholds {
	return models.Thresholds{
		Warning:  models.ThresholdSet{ResponseTimeMS: 1000, ErrorRate: 0.05, CPU: 0.75, Memory: 0.8, HealthScore: 70},
		Critical: models.ThresholdSet{ResponseTimeMS: 2000, ErrorRate: 0.1, CPU: 0.9, Memory: 0.95, HealthScore: 50},
	}
}

func TestStrictThresholdsHoldWhileACeremonyWindowIsOpen(t *testing.T) {
	noon := time.Date(2027, 6, 12, 12, 0, 0, 0, time.UTC)
	span := func(from, until int) models.TimeSpan {
		return models.TimeSpan{From: noon.Add(time.Duration(from) * time.Hour), Until: noon.Add(time.Duration(until) * time.Hour)}
	}
	days := []models.WeddingDay{
		{Windows: []models.TimeSpan{span(-9, -6), span(0, 3)}, Thresholds: models.WeddingDayThresholds()},
		{Windows: []models.TimeSpan{span(2, 5)}, Thresholds: models.ThresholdSet{CPU: 0.5}},
	}
	busy := map[models.MetricName]float64{models.MetricCPU: 0.72, models.MetricResponseP95: 600, models.MetricErrorRate: 0.02}
	for _, c := range []struct {
		name   string
		at     time.Time
		values map[models.MetricName]float64
		strict bool
		level  models.JudgedLevel
		breach int
	}{
		{"before, busy as on any day", noon.Add(-time.Hour), busy, false, models.LevelOK, 0},
		{"between two windows", noon.Add(-5 * time.Hour), busy, false, models.LevelOK, 0},
		{"open, busy", noon, busy, true, models.LevelCritical, 3},
		{"open, at rest", noon, map[models.MetricName]float64{models.MetricCPU: 0.6, models.MetricMemory: 0.6}, true, models.LevelOK, 0},
		{"two days open, the stricter counts", noon.Add(2 * time.Hour), map[models.MetricName]float64{models.MetricCPU: 0.6}, true, models.LevelCritical, 1},
		{"the window's end is not part of it", noon.Add(5 * time.Hour), busy, false, models.LevelOK, 0},
		{"an ordinary warning", noon.Add(-time.Hour), map[models.MetricName]float64{models.MetricCPU: 0.8}, false, models.LevelWarning, 1},
		{"an ordinary alarm is no warning too", noon.Add(-time.Hour), map[models.MetricName]float64{models.MetricErrorRate: 0.2}, false, models.LevelCritical, 1},
		{"nothing reported is not well", noon, nil, true, models.LevelUnknown, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := ordinary().InForce(days, c.at)
			assert.Equal(t, c.strict, s.Strict)
			assert.Equal(t, c.strict, s.Until != nil)
			assert.Equal(t, c.strict, s.Warning == nil)
			got := s.Judge(c.values)
			assert.Equal(t, c.level, got.Level)
			assert.Len(t, got.Breaches, c.breach)
		})
	}
}

func TestThePlatformStandsAsItsWorstPart(t *testing.T) {
	well := models.Health{ScalingEngine: true, LoadPredictor: true, PerformanceMonitor: true, RBACManager: true, Database: true}
	three := models.Health{ScalingEngine: true, LoadPredictor: true, PerformanceMonitor: true}
	ok, unknown, bad := models.Judgement{Level: models.LevelOK}, models.Judgement{}, models.Judgement{Level: models.LevelCritical}
	strict := ordinary().InForce([]models.WeddingDay{{Windows: []models.TimeSpan{{Until: time.Now().Add(time.Hour)}}, Thresholds: models.WeddingDayThresholds()}}, time.Now())
	for _, c := range []struct {
		name     string
		standing models.PlatformJudgement
		health   models.Health
		services []models.ServiceStatus
		want     models.JudgedLevel
	}{
		{"all well", strict, well, []models.ServiceStatus{{Judgement: &ok}}, models.LevelOK},
		{"one not known", strict, well, []models.ServiceStatus{{Judgement: &ok}, {Judgement: &unknown}}, models.LevelUnknown},
		{"one bad", strict, well, []models.ServiceStatus{{Judgement: &bad}, {Judgement: &unknown}}, models.LevelCritical},
		{"three of five on an ordinary day", ordinary().InForce(nil, time.Now()), three, nil, models.LevelWarning},
		{"three of five on a wedding day", strict, three, nil, models.LevelCritical},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, c.standing.Overall(c.health, c.services).Level) })
	}
}
