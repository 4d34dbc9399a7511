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
	partialShare      = 0.80 // of a wave: what came up is kept, the rest does no harm
	capacityPass      = 0.80 // of what an old replica serves
	capacityCritical  = 0.50
	weddingObjective  = 0.5 // of the response time objective, on a wedding day
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
	Lame         int // replicas from before that did not serve then, and need not now
	WeddingDay   bool
}

// Cause names what a verdict other than keep comes from.
type Cause string

// The causes. Crash and start say that what is started now does not run; errors, response
// and capacity that it runs badly; the others that something around it is at fault.
const (
	CauseNone       Cause = ""
	CauseCrash      Cause = "crash"
	CauseStart      Cause = "start"
	CauseTraffic    Cause = "traffic" // the load balancer does not know the new replicas
	CauseErrors     Cause = "errors"
	CauseResponse   Cause = "response"
	CauseCapacity   Cause = "capacity"
	CauseService    Cause = "service" // as a whole it is worse than before
	CauseDatabase   Cause = "database"
	CauseDownstream Cause = "downstream"
)

// Result is a verdict with its reason and the gates behind it.
type Result struct {
	Verdict models.Verdict
	Reason  string
	Cause   Cause
	Checks  []models.Check
}

// Judge applies the gates to each measurement:
//
//	one critical gate                                                    → rollback
//	else a failed gate in more than one measurement, or in all there are → rollback
//	else fewer than half of the planned measurements                     → hold
//	else fewer requests on the new replicas than the policy's minimum    → hold
//	else 80 % of the wave ready and not all that must be, at the end     → partial
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
	last := in.Measurements[taken-1]
	policy := in.Service.Policy
	switch {
	case t.critical.Reason != "":
		res.Verdict, res.Reason, res.Cause = models.VerdictRollback, t.critical.Reason, causeOf(t.critical)
	case t.failed > failuresTolerated || t.failed == taken:
		res.Verdict, res.Reason = models.VerdictRollback, fmt.Sprintf("%s (%d of %d measurements failed)", t.fail.Reason, t.failed, taken)
		res.Cause = causeOf(t.fail)
	case 2*taken < policy.Measurements:
		res.Reason = fmt.Sprintf("%d of %d measurements were taken; a verdict needs half of them", taken, policy.Measurements)
	case requests < max(policy.MinimumRequests, 1):
		res.Reason = fmt.Sprintf("%d requests reached the new replicas; a verdict needs %d", requests, max(policy.MinimumRequests, 1))
	case readyGate(in, last).Result == models.CheckPartial:
		res.Verdict, res.Cause = models.VerdictPartial, CauseStart
		res.Reason = fmt.Sprintf("%s; those that are serve %d requests as well as the old ones", readyGate(in, last).Reason, requests)
	default:
		res.Verdict = models.VerdictKeep
		res.Reason = fmt.Sprintf("%d new replicas served %d requests as well as the old ones", last.New.Replicas, requests)
	}
	return res
}

// tally counts how the measurements came out, and keeps the first gate of each kind.
type tally struct {
	failed         int // measurements with a failed gate
	fail, critical models.Check
}

func (t *tally) count(checks []models.Check) {
	failed := false
	for _, c := range checks {
		switch {
		case c.Result == models.CheckCritical && t.critical.Reason == "":
			t.critical = c
		case c.Result == models.CheckFail:
			failed = true
			if t.fail.Reason == "" {
				t.fail = c
			}
		}
	}
	if failed {
		t.failed++
	}
}

// causeOf is what a gate that failed says of the change.
func causeOf(c models.Check) Cause {
	switch c.Name {
	case gateCrash:
		return CauseCrash
	case gateReady:
		return CauseStart
	case gateTraffic:
		return CauseTraffic
	case gateDatabase, gateDownstream + databaseName:
		return CauseDatabase
	case gateErrors:
		return CauseErrors
	case gateResponse:
		return CauseResponse
	case gateCapacity:
		return CauseCapacity
	case gateServiceErrors, gateServiceResponse:
		return CauseService
	default:
		return CauseDownstream
	}
}

func newRequests(ms []models.Measurement) int64 {
	var n int64
	for _, m := range ms {
		n += m.New.Requests
	}
	return n
}

// gates applies every gate to one measurement. The first in the list that fails names the
// cause: what lies behind the replicas goes before what they show of it.
func gates(in Inputs, m models.Measurement) []models.Check {
	return []models.Check{
		crashGate(in, m),
		readyGate(in, m),
		databaseGate(m),
		downstreamGate(in, m),
		trafficGate(m),
		errorGate(m),
		responseGate(in, m),
		capacityGate(in, m),
		serviceErrorGate(in, m),
		serviceResponseGate(in, m),
	}
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
