package verification

import (
	"fmt"

	"github.com/wedsync/scalability/models"
)

// Gates of a verified change. Source: docs/adr/0006-scaling-constants.md.
const (
	errorFactor       = 1.5   // new may fail this many times as often as old …
	errorMargin       = 0.005 // … or this much more, whichever allows more …
	errorLimit        = 0.01  // … but not more than this
	errorCritical     = 0.05
	responseFactor    = 1.25 // new may be this much slower than old
	responseCritical  = 2000.0
	fairShare         = 0.5 // new replicas get at least this part of their fair share
	serviceWorse      = 1.10
	connectionsPass   = 0.85
	connectionsLimit  = 0.95
	smallWave         = 10   // up to here every replica must be ready
	readyShare        = 0.95 // beyond, this part of them
	failuresTolerated = 1
)

// Inputs is what a verdict is made from.
type Inputs struct {
	Service      models.Service
	Baseline     *models.Measurement // before the order; nil when it could not be taken
	Measurements []models.Measurement
	Expected     int // spec that was ordered
	Added        int // new replicas that were ordered
}

// Result is a verdict with its reason and the gates behind it.
type Result struct {
	Verdict models.Verdict
	Reason  string
	Checks  []models.Check
}

// Judge applies the gates to each measurement:
//
//	one critical gate, or more than one measurement with a failed gate → rollback
//	else fewer requests on the new replicas than the policy's minimum  → hold
//	else                                                               → keep
//
// Replicas that crash or never start need no traffic to be judged.
func Judge(in Inputs) Result {
	if len(in.Measurements) == 0 {
		return Result{Reason: "nothing was measured"}
	}
	res := Result{}
	failed := 0
	var firstFail, firstCritical string
	for _, m := range in.Measurements {
		bad := false
		for _, c := range gates(in, m) {
			res.Checks = append(res.Checks, c)
			if c.Result == models.CheckCritical && firstCritical == "" {
				firstCritical = c.Reason
			}
			if c.Result == models.CheckFail {
				bad = true
				if firstFail == "" {
					firstFail = c.Reason
				}
			}
		}
		if bad {
			failed++
		}
	}
	requests := newRequests(in.Measurements)
	last := in.Measurements[len(in.Measurements)-1]
	switch {
	case firstCritical != "":
		res.Verdict, res.Reason = models.VerdictRollback, firstCritical
	case failed > failuresTolerated || (failed == 1 && len(in.Measurements) == 1):
		res.Verdict, res.Reason = models.VerdictRollback, fmt.Sprintf("%s (%d of %d measurements failed)", firstFail, failed, len(in.Measurements))
	case requests < in.Service.Policy.MinimumRequests:
		res.Reason = fmt.Sprintf("%d requests reached the new replicas; a verdict needs %d", requests, in.Service.Policy.MinimumRequests)
	default:
		res.Verdict = models.VerdictKeep
		res.Reason = fmt.Sprintf("%d new replicas served %d requests as well as the old ones", last.New.Replicas, requests)
	}
	return res
}

// newRequests sums over windows that follow each other without overlap.
func newRequests(ms []models.Measurement) int64 {
	var n int64
	for _, m := range ms {
		n += m.New.Requests
	}
	return n
}

// gates applies every gate to one measurement, in the order of the list.
func gates(in Inputs, m models.Measurement) []models.Check {
	return []models.Check{
		crashGate(m),
		readyGate(in, m),
		trafficGate(m),
		errorGate(m),
		responseGate(in, m),
		serviceGate(in, m),
		databaseGate(m),
	}
}

func crashGate(m models.Measurement) models.Check {
	c := models.Check{Name: "crashing_replicas", Value: ptr(float64(m.Crashing)), Limit: ptr(0.0)}
	if m.Crashing > 0 {
		c.Result, c.Reason = models.CheckCritical, fmt.Sprintf("%d replicas crash again and again", m.Crashing)
		return c
	}
	c.Result, c.Reason = models.CheckPass, "no replica crashes"
	return c
}

// readyGate wants every replica of a small wave ready, and 95 % of a large one.
func readyGate(in Inputs, m models.Measurement) models.Check {
	missing := max(0, in.Expected-m.Ready)
	tolerated := 0
	if in.Added > smallWave {
		tolerated = int(float64(in.Added) * (1 - readyShare))
	}
	c := models.Check{Name: "ready", Value: ptr(float64(m.Ready)), Limit: ptr(float64(in.Expected - tolerated))}
	if missing > tolerated {
		c.Result, c.Reason = models.CheckFail, fmt.Sprintf("%d of %d replicas are not ready", missing, in.Expected)
		return c
	}
	c.Result, c.Reason = models.CheckPass, fmt.Sprintf("%d of %d replicas are ready", m.Ready, in.Expected)
	return c
}

// trafficGate compares the new replicas' requests with their fair share.
func trafficGate(m models.Measurement) models.Check {
	c := models.Check{Name: "traffic_share", Limit: ptr(fairShare)}
	total := m.New.Requests + m.Old.Requests
	replicas := m.New.Replicas + m.Old.Replicas
	if total < int64(replicas)*10 || m.New.Replicas == 0 || m.Old.Replicas == 0 {
		c.Reason = "too few requests to compare shares"
		return c
	}
	fair := float64(total) * float64(m.New.Replicas) / float64(replicas)
	share := float64(m.New.Requests) / fair
	c.Value = &share
	switch {
	case m.New.Requests == 0:
		c.Result, c.Reason = models.CheckFail, "no request reached the new replicas: the load balancer does not know them"
	case share < fairShare:
		c.Result, c.Reason = models.CheckFail, fmt.Sprintf("the new replicas get %.0f %% of their fair share", share*100)
	default:
		c.Result, c.Reason = models.CheckPass, fmt.Sprintf("the new replicas get %.0f %% of their fair share", share*100)
	}
	return c
}

// errorGate allows max(1.5 × old, old + 0.5 points), never more than 1 %, unless the old
// ones fail more than that themselves.
func errorGate(m models.Measurement) models.Check {
	c := models.Check{Name: "error_rate"}
	if m.New.ErrorRate == nil {
		c.Reason = "no request reached the new replicas"
		return c
	}
	old := 0.0
	if m.Old.ErrorRate != nil {
		old = *m.Old.ErrorRate
	}
	limit := max(old*errorFactor, old+errorMargin)
	if old < errorLimit {
		limit = min(limit, errorLimit)
	}
	c.Value, c.Limit = m.New.ErrorRate, &limit
	got := *m.New.ErrorRate
	text := fmt.Sprintf("new replicas fail %.2f %% of requests, old ones %.2f %%", got*100, old*100)
	switch {
	case got > errorCritical && got > old*errorFactor:
		c.Result, c.Reason = models.CheckCritical, text
	case got > limit:
		c.Result, c.Reason = models.CheckFail, text
	default:
		c.Result, c.Reason = models.CheckPass, text
	}
	return c
}

// responseGate wants the new replicas at most 1.25 times as slow as the old, and within
// the service's objective; where the old ones break it themselves, only the ratio counts.
func responseGate(in Inputs, m models.Measurement) models.Check {
	c := models.Check{Name: "response_time_p95"}
	if m.New.P95MS == nil {
		c.Reason = "no request reached the new replicas"
		return c
	}
	got, limit := *m.New.P95MS, in.Service.SLOResponseTimeMS
	text := fmt.Sprintf("new replicas answer in %.0f ms at p95", got)
	if m.Old.P95MS != nil {
		old := *m.Old.P95MS
		text += fmt.Sprintf(", old ones in %.0f ms", old)
		limit = old * responseFactor
		if old <= in.Service.SLOResponseTimeMS {
			limit = min(max(limit, 1), in.Service.SLOResponseTimeMS)
		}
	}
	c.Value, c.Limit = &got, &limit
	switch {
	case got <= limit:
		c.Result, c.Reason = models.CheckPass, text
	case got > responseCritical:
		c.Result, c.Reason = models.CheckCritical, text
	default:
		c.Result, c.Reason = models.CheckFail, text
	}
	return c
}

// serviceGate wants the whole service no worse than before; better is the point of a
// scale-up and always passes.
func serviceGate(in Inputs, m models.Measurement) models.Check {
	c := models.Check{Name: "service_error_rate"}
	if in.Baseline == nil || in.Baseline.Service.ErrorRate == nil || m.Service.ErrorRate == nil {
		c.Reason = "no comparison with the time before"
		return c
	}
	before, now := *in.Baseline.Service.ErrorRate, *m.Service.ErrorRate
	limit := max(before*serviceWorse, before+errorMargin)
	c.Value, c.Limit = &now, &limit
	text := fmt.Sprintf("the service fails %.2f %% of requests, %.2f %% before", now*100, before*100)
	if now <= limit {
		c.Result, c.Reason = models.CheckPass, text
		return c
	}
	// More load than before makes an old fleet fail too: without a difference between
	// new and old it is no evidence against the new replicas.
	if more := in.Baseline.OfferedRPS != nil && m.OfferedRPS != nil && *m.OfferedRPS > *in.Baseline.OfferedRPS*serviceWorse; more {
		c.Reason = text + ", under more load"
		return c
	}
	c.Result, c.Reason = models.CheckFail, text
	return c
}

func databaseGate(m models.Measurement) models.Check {
	c := models.Check{Name: "database_connections"}
	if m.DatabaseConnections == nil || m.DatabaseMaxConnections == nil || *m.DatabaseMaxConnections <= 0 {
		c.Reason = "the database's connections are not known"
		return c
	}
	share := float64(*m.DatabaseConnections) / float64(*m.DatabaseMaxConnections)
	c.Value, c.Limit = &share, ptr(connectionsPass)
	c.Reason = fmt.Sprintf("%d of %d database connections are in use", *m.DatabaseConnections, *m.DatabaseMaxConnections)
	switch {
	case share >= connectionsLimit:
		c.Result = models.CheckCritical
	case share >= connectionsPass:
		c.Result = models.CheckInconclusive
	default:
		c.Result = models.CheckPass
	}
	return c
}

func ptr[T any](v T) *T { return &v }
