package verification

import (
	"fmt"
	"math"

	"github.com/wedsync/scalability/models"
)

// Gates of a verified change. Source: docs/adr/0006-scaling-constants.md.
const (
	errorFactor       = 1.5   // new may fail this many times as often as old …
	errorMargin       = 0.005 // … or this much more, whichever allows more …
	errorLimit        = 0.01  // … but not more than this
	errorCritical     = 0.05
	responseFactor    = 1.25 // new may be this much slower than old …
	responseMarginMS  = 10.0 // … or this many milliseconds, which nobody feels
	responseCritical  = 2000.0
	fairShare         = 0.5 // new replicas get at least this part of their fair share
	serviceWorse      = 1.10
	connectionsPass   = 0.85
	connectionsLimit  = 0.95
	smallWave         = 10   // up to here every replica must be ready
	readyShare        = 0.95 // beyond, this part of them
	failuresTolerated = 1
	enoughErrors      = 3  // failed requests that are no accident
	enoughRequests    = 20 // requests that a percentile can be taken of
	enoughShare       = 30 // requests in a fair share that can be compared
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
//	one critical gate                                                   → rollback
//	else a failed gate in more than one measurement, or in all there are → rollback
//	else fewer than half of the planned measurements                     → hold
//	else fewer requests on the new replicas than the policy's minimum    → hold
//	else                                                                 → keep
//
// Replicas that crash or never start need no traffic to be judged; what is counted of
// requests needs enough of them. Measurements follow each other without overlap.
func Judge(in Inputs) Result {
	if len(in.Measurements) == 0 {
		return Result{Reason: "nothing was measured"}
	}
	res := Result{}
	t := tally{}
	for _, m := range in.Measurements {
		checks := gates(in, m)
		res.Checks = append(res.Checks, checks...)
		t.count(checks)
	}
	requests, taken := newRequests(in.Measurements), len(in.Measurements)
	policy := in.Service.Policy
	switch {
	case t.critical != "":
		res.Verdict, res.Reason = models.VerdictRollback, t.critical
	case t.failed > failuresTolerated || t.failed == taken:
		res.Verdict, res.Reason = models.VerdictRollback, fmt.Sprintf("%s (%d of %d measurements failed)", t.fail, t.failed, taken)
	case 2*taken < policy.Measurements:
		res.Reason = fmt.Sprintf("%d of %d measurements were taken; a verdict needs half of them", taken, policy.Measurements)
	case requests < max(policy.MinimumRequests, 1):
		res.Reason = fmt.Sprintf("%d requests reached the new replicas; a verdict needs %d", requests, max(policy.MinimumRequests, 1))
	default:
		res.Verdict = models.VerdictKeep
		res.Reason = fmt.Sprintf("%d new replicas served %d requests as well as the old ones", in.Measurements[taken-1].New.Replicas, requests)
	}
	return res
}

// tally counts how the measurements came out, and keeps the first reasons.
type tally struct {
	failed         int // measurements with a failed gate
	fail, critical string
}

func (t *tally) count(checks []models.Check) {
	failed := false
	for _, c := range checks {
		switch {
		case c.Result == models.CheckCritical && t.critical == "":
			t.critical = c.Reason
		case c.Result == models.CheckFail:
			failed = true
			if t.fail == "" {
				t.fail = c.Reason
			}
		}
	}
	if failed {
		t.failed++
	}
}

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
		crashGate(in, m),
		readyGate(in, m),
		trafficGate(m),
		errorGate(m),
		responseGate(in, m),
		serviceGate(in, m),
		databaseGate(m),
	}
}

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
	c := models.Check{Name: "crashing_replicas", Value: ptr(float64(m.Crashing)), Limit: ptr(float64(before))}
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

// readyGate wants every replica of a small wave ready, and 95 % of a large one; those
// that crashed before are not waited for.
func readyGate(in Inputs, m models.Measurement) models.Check {
	missing := max(0, in.Expected-m.Ready)
	tolerated := in.crashedBefore()
	if in.Added > smallWave {
		tolerated += int(float64(in.Added) * (1 - readyShare))
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
		c.Result, c.Reason = models.CheckFail, "no request reached the new replicas: the load balancer does not know them"
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
	c := models.Check{Name: "error_rate"}
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

// responseGate wants the new replicas at most 1.25 times, or 10 ms, slower than the old,
// and within the service's objective; where the old ones break it themselves, only the
// comparison counts.
func responseGate(in Inputs, m models.Measurement) models.Check {
	c := models.Check{Name: "response_time_p95"}
	got, ok := known(m.New.P95MS)
	if !ok || m.New.Requests < enoughRequests {
		c.Reason = "too few requests reached the new replicas for a percentile"
		return c
	}
	limit := in.Service.SLOResponseTimeMS
	c.Reason = fmt.Sprintf("new replicas answer in %.0f ms at p95", got)
	if old, ok := known(m.Old.P95MS); ok && m.Old.Requests >= enoughRequests {
		c.Reason += fmt.Sprintf(", old ones in %.0f ms", old)
		within := max(old*responseFactor, old+responseMarginMS)
		if old <= limit {
			within = min(within, limit)
		}
		limit = within
	}
	c.Value, c.Limit = &got, &limit
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

// serviceGate wants the whole service no worse than before; better is the point of a
// scale-up and always passes.
func serviceGate(in Inputs, m models.Measurement) models.Check {
	c := models.Check{Name: "service_error_rate"}
	now, measured := known(m.Service.ErrorRate)
	if in.Baseline == nil || !measured {
		c.Reason = "no comparison with the time before"
		return c
	}
	before, measured := known(in.Baseline.Service.ErrorRate)
	if !measured {
		c.Reason = "no comparison with the time before"
		return c
	}
	limit := max(before*serviceWorse, before+errorMargin)
	c.Value, c.Limit = &now, &limit
	c.Reason = fmt.Sprintf("the service fails %.2f %% of requests, %.2f %% before", now*100, before*100)
	switch {
	case now <= limit:
		c.Result = models.CheckPass
	case now*float64(m.Service.Requests) < enoughErrors-0.5:
		c.Reason += ", too few to judge"
	case moreLoad(*in.Baseline, m):
		// More load than before makes an old fleet fail too: without a difference between
		// new and old it is no evidence against the new replicas.
		c.Reason += ", under more load"
	default:
		c.Result = models.CheckFail
	}
	return c
}

func moreLoad(before, now models.Measurement) bool {
	return before.OfferedRPS != nil && now.OfferedRPS != nil && *now.OfferedRPS > *before.OfferedRPS*serviceWorse
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

// known reads a rate or time; one that is no number was not measured.
func known(v *float64) (float64, bool) {
	if v == nil || math.IsNaN(*v) || math.IsInf(*v, 0) || *v < 0 {
		return 0, false
	}
	return *v, true
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func ptr[T any](v T) *T { return &v }
