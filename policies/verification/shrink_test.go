package verification_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/verification"
)

func shrunk(ready int, requests int64, errorRate, p95 float64) models.Measurement {
	return models.Measurement{Ready: ready, Service: models.CohortStats{Replicas: ready, Requests: requests, ErrorRate: &errorRate, P95MS: &p95}}
}

func quiet(ready int) models.Measurement {
	return models.Measurement{Ready: ready, Service: models.CohortStats{Replicas: ready}}
}

func TestJudgeShrink(t *testing.T) {
	svc := models.Service{Name: models.ServiceAPI, SLOResponseTimeMS: 500, Policy: models.DefaultScalingPolicy(models.TierStandard)}
	calm, ill, slow := shrunk(10, 1000, 0.001, 80), shrunk(10, 1000, 0.04, 80), shrunk(10, 1000, 0.001, 800)
	for name, c := range map[string]struct {
		baseline *models.Measurement
		measured []models.Measurement
		want     models.Verdict
		reason   string
	}{
		"nothing was measured":                 {&calm, nil, models.VerdictHold, "nothing was measured"},
		"the service serves as before":         {&calm, []models.Measurement{shrunk(9, 600, 0.001, 90), shrunk(9, 600, 0.002, 95)}, models.VerdictKeep, "as well as"},
		"slower but within the objective":      {&calm, []models.Measurement{shrunk(9, 600, 0.001, 480)}, models.VerdictKeep, "as well as"},
		"one measurement over the objective":   {&calm, []models.Measurement{shrunk(9, 600, 0.001, 90), shrunk(9, 600, 0.001, 501)}, models.VerdictRollback, "501 ms"},
		"errors rise past the margin":          {&calm, []models.Measurement{shrunk(9, 600, 0.02, 90)}, models.VerdictRollback, "2.00 %"},
		"errors were there before":             {&ill, []models.Measurement{shrunk(9, 600, 0.045, 90)}, models.VerdictKeep, "as well as"},
		"errors were there and grow past 5 %":  {&ill, []models.Measurement{shrunk(9, 600, 0.051, 90)}, models.VerdictRollback, "5.10 %"},
		"slow before and as slow now":          {&slow, []models.Measurement{shrunk(9, 600, 0.001, 900)}, models.VerdictKeep, "as well as"},
		"slow before and a quarter slower now": {&slow, []models.Measurement{shrunk(9, 600, 0.001, 1001)}, models.VerdictRollback, "1001 ms"},
		"a remaining replica is gone":          {&calm, []models.Measurement{shrunk(8, 600, 0.001, 90)}, models.VerdictRollback, "not ready"},
		"too few requests":                     {&calm, []models.Measurement{shrunk(9, 100, 0, 90), shrunk(9, 99, 0, 90)}, models.VerdictHold, "199 requests"},
		"no request at all":                    {nil, []models.Measurement{quiet(9), quiet(9)}, models.VerdictHold, "0 requests"},
		"no baseline and good":                 {nil, []models.Measurement{shrunk(9, 600, 0.004, 90)}, models.VerdictKeep, "as well as"},
		"no baseline and errors":               {nil, []models.Measurement{shrunk(9, 600, 0.006, 90)}, models.VerdictRollback, "0.60 %"},
	} {
		t.Run(name, func(t *testing.T) {
			got := verification.JudgeShrink(verification.ShrinkInputs{Service: svc, Baseline: c.baseline, Measurements: c.measured, Expected: 9})
			assert.Equal(t, c.want, got.Verdict, got.Reason)
			assert.Contains(t, got.Reason, c.reason)
			assert.Len(t, got.Checks, 3*len(c.measured))
		})
	}
}

func TestWorseMeasurementsNeverTurnAShrinkIntoASuccess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		svc := models.Service{SLOResponseTimeMS: 500, Policy: models.DefaultScalingPolicy(models.TierStandard)}
		before := shrunk(10, 1000, rapid.Float64Range(0, 0.2).Draw(t, "errors before"), rapid.Float64Range(1, 3000).Draw(t, "p95 before"))
		errs, p95 := rapid.Float64Range(0, 1).Draw(t, "errors"), rapid.Float64Range(1, 5000).Draw(t, "p95")
		judge := func(errs, p95 float64) models.Verdict {
			return verification.JudgeShrink(verification.ShrinkInputs{
				Service: svc, Baseline: &before, Expected: 9, Measurements: []models.Measurement{shrunk(9, 1000, errs, p95)},
			}).Verdict
		}
		if judge(errs, p95) == models.VerdictKeep {
			return
		}
		worseErrs := errs + rapid.Float64Range(0, 0.5).Draw(t, "more errors")
		worseP95 := p95 + rapid.Float64Range(0, 1000).Draw(t, "slower")
		assert.Equal(t, models.VerdictRollback, judge(worseErrs, worseP95))
	})
}
