package verification

import (
	"fmt"

	"github.com/wedsync/scalability/models"
)

// ShrinkInputs is what the verdict over a scale-in is made from. There are no new
// replicas: the service after is judged against the service before.
type ShrinkInputs struct {
	Service      models.Service
	Baseline     *models.Measurement // before the order; nil when it could not be taken
	Measurements []models.Measurement
	Expected     int // spec that was ordered
}

// JudgeShrink applies the gates of a scale-in to each measurement:
//
//	one measurement with a failed gate                       → rollback
//	else fewer requests than the policy's minimum in all     → hold
//	else                                                     → keep
//
// One failure is enough, also where more load than before explains it: the capacity
// that was removed is what such load needs.
func JudgeShrink(in ShrinkInputs) Result {
	if len(in.Measurements) == 0 {
		return Result{Reason: "nothing was measured"}
	}
	res := Result{}
	var requests int64
	var breach string
	for _, m := range in.Measurements {
		requests += m.Service.Requests
		for _, c := range shrinkGates(in, m) {
			res.Checks = append(res.Checks, c)
			if (c.Result == models.CheckFail || c.Result == models.CheckCritical) && breach == "" {
				breach = c.Reason
			}
		}
	}
	switch {
	case breach != "":
		res.Verdict, res.Reason = models.VerdictRollback, breach
	case requests < in.Service.Policy.MinimumRequests:
		res.Reason = fmt.Sprintf("%d requests arrived; a verdict needs %d", requests, in.Service.Policy.MinimumRequests)
	default:
		res.Verdict = models.VerdictKeep
		res.Reason = fmt.Sprintf("%d replicas served %d requests as well as more did before", in.Expected, requests)
	}
	return res
}

func shrinkGates(in ShrinkInputs, m models.Measurement) []models.Check {
	return []models.Check{remainingGate(in, m), shrinkErrorGate(in, m), shrinkResponseGate(in, m)}
}

// remainingGate wants the replicas that were to stay to serve.
func remainingGate(in ShrinkInputs, m models.Measurement) models.Check {
	c := models.Check{Name: "ready", Value: ptr(float64(m.Ready)), Limit: ptr(float64(in.Expected))}
	if m.Ready < in.Expected {
		c.Result, c.Reason = models.CheckFail, fmt.Sprintf("%d of the %d remaining replicas are not ready", in.Expected-m.Ready, in.Expected)
		return c
	}
	c.Result, c.Reason = models.CheckPass, fmt.Sprintf("%d replicas are ready", m.Ready)
	return c
}

// shrinkErrorGate allows max(1.5 × before, before + 0.5 points); above 5 % nothing is
// allowed but what was there before.
func shrinkErrorGate(in ShrinkInputs, m models.Measurement) models.Check {
	c := models.Check{Name: "service_error_rate"}
	if m.Service.ErrorRate == nil {
		c.Reason = "no request arrived"
		return c
	}
	before := 0.0
	if in.Baseline != nil && in.Baseline.Service.ErrorRate != nil {
		before = *in.Baseline.Service.ErrorRate
	}
	limit := max(before*errorFactor, before+errorMargin)
	limit = max(before, min(limit, errorCritical))
	got := *m.Service.ErrorRate
	c.Value, c.Limit = &got, &limit
	c.Reason = fmt.Sprintf("the service fails %.2f %% of requests, %.2f %% before", got*100, before*100)
	switch {
	case got <= limit:
		c.Result = models.CheckPass
	case got > errorCritical:
		c.Result = models.CheckCritical
	default:
		c.Result = models.CheckFail
	}
	return c
}

// shrinkResponseGate wants the service within its objective. Where it broke it before,
// it may be at most 1.25 times as slow as then.
func shrinkResponseGate(in ShrinkInputs, m models.Measurement) models.Check {
	c := models.Check{Name: "response_time_p95"}
	if m.Service.P95MS == nil {
		c.Reason = "no request arrived"
		return c
	}
	got, limit := *m.Service.P95MS, in.Service.SLOResponseTimeMS
	text := fmt.Sprintf("the service answers in %.0f ms at p95", got)
	if in.Baseline != nil && in.Baseline.Service.P95MS != nil {
		before := *in.Baseline.Service.P95MS
		text += fmt.Sprintf(", %.0f ms before", before)
		if before > limit {
			limit = before * responseFactor
		}
	}
	c.Value, c.Limit, c.Reason = &got, &limit, text
	switch {
	case got <= limit:
		c.Result = models.CheckPass
	case got > responseCritical:
		c.Result = models.CheckCritical
	default:
		c.Result = models.CheckFail
	}
	return c
}
