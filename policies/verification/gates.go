package verification

import (
	"fmt"
	"math"
	"slices"

	"github.com/wedsync/scalability/models"
)

// Names of gates in the record. The one of what lies behind a service ends in its name.
const (
	gateCrash           = "crashing_replicas"
	gateReady           = "ready"
	gateTraffic         = "traffic_share"
	gateErrors          = "error_rate"
	gateResponse        = "response_time_p95"
	gateCapacity        = "capacity"
	gateServiceErrors   = "service_error_rate"
	gateServiceResponse = "service_response_p95"
	gateDatabase        = "database_connections"
	gateDownstream      = "downstream:"
	databaseName        = "database"
)

// crashedBefore counts replicas that crashed already when the change began: they are no
// work of it.
func (in Inputs) crashedBefore() int {
	if in.Baseline == nil {
		return 0
	}
	return in.Baseline.Crashing
}

func crashGate(in Inputs, m models.Measurement) models.Check {
	before := in.crashedBefore()
	c := models.Check{Name: gateCrash, Value: ptr(float64(m.Crashing)), Limit: ptr(float64(before))}
	switch n := m.Crashing - before; {
	case n > 0:
		c.Result, c.Reason = models.CheckCritical, fmt.Sprintf("%s again and again", count(n, "replica crashes", "replicas crash"))
	case before > 0:
		c.Result, c.Reason = models.CheckPass, "no more replicas crash than before"
	default:
		c.Result, c.Reason = models.CheckPass, "no replica crashes"
	}
	return c
}

// Enough is how many of a wave must be ready before it is judged: all of up to ten, 95 %
// of more.
func Enough(added int) int {
	if added <= smallWave {
		return added
	}
	return added - int(float64(added)*(1-readyShare))
}

// Partial says whether so much of a wave is missing that it is not complete, and so little
// that the rest is worth keeping.
func Partial(added, missing int) bool {
	return added > 0 && missing > 0 && float64(added-missing) >= partialShare*float64(added)
}

// readyGate wants every replica of a small wave ready, and 95 % of a large one; those
// that did not serve before are not waited for. From 80 % on the wave is there in part.
func readyGate(in Inputs, m models.Measurement) models.Check {
	missing := max(0, in.Expected-m.Ready)
	before := max(in.Lame, in.crashedBefore())
	tolerated := before + max(0, in.Added-Enough(in.Added))
	c := models.Check{Name: gateReady, Value: ptr(float64(m.Ready)), Limit: ptr(float64(in.Expected - tolerated))}
	if missing > tolerated {
		c.Result, c.Reason = models.CheckFail, fmt.Sprintf("%d of %d replicas are not ready", missing, in.Expected)
		if Partial(in.Added, missing-before) {
			c.Result = models.CheckPartial
		}
		return c
	}
	c.Result, c.Reason = models.CheckPass, fmt.Sprintf("%d of %d replicas are ready", m.Ready, in.Expected)
	return c
}

// trafficGate compares the new replicas' requests with their fair share.
func trafficGate(m models.Measurement) models.Check {
	c := models.Check{Name: gateTraffic, Limit: ptr(fairShare)}
	total := m.New.Requests + m.Old.Requests
	replicas := m.New.Replicas + m.Old.Replicas
	if m.New.Replicas <= 0 || m.Old.Replicas <= 0 {
		c.Reason = "there is nothing to share with"
		return c
	}
	fair := float64(total) * float64(m.New.Replicas) / float64(replicas)
	if fair < enoughShare {
		c.Reason = "too few requests to compare shares"
		return c
	}
	share := float64(m.New.Requests) / fair
	c.Value = &share
	switch {
	case m.New.Requests == 0:
		c.Result, c.Reason = models.CheckCritical, "no request reached the new replicas: the load balancer does not know them"
	case share < fairShare:
		c.Result, c.Reason = models.CheckFail, fmt.Sprintf("the new replicas get %.0f %% of their fair share", share*100)
	default:
		c.Result, c.Reason = models.CheckPass, fmt.Sprintf("the new replicas get %.0f %% of their fair share", share*100)
	}
	return c
}

// errorGate allows max(1.5 × old, old + 0.5 points), never more than 1 %, unless the old
// ones fail more than that themselves. Fewer than three failed requests are an accident.
func errorGate(m models.Measurement) models.Check {
	c := models.Check{Name: gateErrors}
	got, ok := known(m.New.ErrorRate)
	if !ok {
		c.Reason = "no request reached the new replicas"
		return c
	}
	old, _ := known(m.Old.ErrorRate)
	limit := max(old*errorFactor, old+errorMargin)
	if old < errorLimit {
		limit = min(limit, errorLimit)
	}
	c.Value, c.Limit = &got, &limit
	c.Reason = fmt.Sprintf("new replicas fail %.2f %% of requests, old ones %.2f %%", got*100, old*100)
	switch {
	case got <= limit:
		c.Result = models.CheckPass
	case got*float64(m.New.Requests) < enoughErrors-0.5: // a rate counts whole requests
		c.Reason += ", too few to judge"
	case got > errorCritical && got > old*errorFactor:
		c.Result = models.CheckCritical
	default:
		c.Result = models.CheckFail
	}
	return c
}

// responseGate wants the new replicas within the service's objective, half of it on a
// wedding day, and not slower than the old: with 20 samples each, that a rank test is not
// sure (98 %) of a difference of more than a quarter; with fewer, at most 1.25 times. Ten
// milliseconds are felt by nobody. Where the old ones break the objective themselves, only
// the comparison counts.
func responseGate(in Inputs, m models.Measurement) models.Check {
	c := models.Check{Name: gateResponse}
	got, ok := known(m.New.P95MS)
	if !ok || m.New.Requests < enoughRequests {
		c.Reason = "too few requests reached the new replicas for a percentile"
		return c
	}
	limit := in.objective()
	c.Reason = fmt.Sprintf("new replicas answer in %.0f ms at p95", got)
	slower := false
	if old, ok := known(m.Old.P95MS); ok && m.Old.Requests >= enoughRequests {
		c.Reason += fmt.Sprintf(", old ones in %.0f ms", old)
		if old > limit {
			limit = math.Inf(1)
		}
		if shift, allowed, ok := slowdown(m.New.SamplesMS, m.Old.SamplesMS); ok {
			slower = shift > allowed
			c.Reason += fmt.Sprintf("; by ranks at least %.0f ms slower, %.0f ms are allowed", max(0, shift), allowed)
		} else {
			limit = min(limit, max(old*responseFactor, old+responseMarginMS))
		}
	}
	c.Value = &got
	if !math.IsInf(limit, 1) {
		c.Limit = &limit
	}
	switch {
	case got <= limit && !slower:
		c.Result = models.CheckPass
	case got > responseCritical:
		c.Result = models.CheckCritical
	default:
		c.Result = models.CheckFail
	}
	return c
}

func (in Inputs) objective() float64 {
	if in.WeddingDay {
		return in.Service.SLOResponseTimeMS * weddingObjective
	}
	return in.Service.SLOResponseTimeMS
}

// capacityGate wants a new replica to serve at least 80 % of what an old one does, or of
// what the catalogue says where the old ones were not measured.
func capacityGate(in Inputs, m models.Measurement) models.Check {
	c := models.Check{Name: gateCapacity}
	got, ok := known(m.New.CapacityRPS)
	if !ok || m.New.Requests < enoughShare {
		c.Reason = "what a new replica can serve was not measured"
		return c
	}
	usual, measured := known(m.Old.CapacityRPS)
	if !measured || usual <= 0 {
		usual = in.Service.CapacityRPS
	}
	if usual <= 0 {
		c.Reason = "there is nothing to compare the capacity with"
		return c
	}
	c.Value, c.Limit = &got, ptr(capacityPass*usual)
	c.Reason = fmt.Sprintf("a new replica can serve %.0f requests/s, an old one %.0f", got, usual)
	switch {
	case got >= capacityPass*usual:
		c.Result = models.CheckPass
	case got < capacityCritical*usual:
		c.Result = models.CheckCritical
	default:
		c.Result = models.CheckFail
	}
	return c
}

// downstreamGate wants the new replicas to fail at nothing that the old ones reach.
func downstreamGate(in Inputs, m models.Measurement) models.Check {
	c := models.Check{Name: gateDownstream, Result: models.CheckPass, Reason: "nothing behind the new replicas fails that did not before"}
	rate, ok := known(m.New.ErrorRate)
	if !ok || rate*float64(m.New.Requests) < enoughErrors-0.5 {
		c.Result, c.Reason = models.CheckInconclusive, "too few requests failed to say where"
		return c
	}
	for _, d := range m.New.Downstreams {
		before := in.Baseline != nil && slices.Contains(in.Baseline.Service.Downstreams, d)
		if before || slices.Contains(m.Old.Downstreams, d) {
			continue
		}
		c.Name, c.Result = gateDownstream+d, models.CheckFail
		if rate > errorCritical {
			c.Result = models.CheckCritical
		}
		c.Reason = fmt.Sprintf("new replicas fail %.2f %% of requests at %s, which the old ones reach", rate*100, d)
		return c
	}
	return c
}
