package verification

import (
	"fmt"

	"github.com/wedsync/scalability/models"
)

// Situation is the service at the moment a rollback is planned.
type Situation struct {
	BaselineSpec int // spec before the change
	CurrentSpec  int
	NeedNow      int  // replicas that measured demand and active floors ask for now
	Harmful      int  // new replicas that are to go; the others are healthy and stay
	DatabaseCap  *int // replicas that the database has connections for, where it is the cause
}

// RollbackTarget says to which spec a change that did harm is taken back:
//
//	max(baseline, need of the moment, what is healthy or fits the database), ≤ current
//
// so never below what there was and never below the need. Which replicas go is the
// caller's choice: the unhealthy ones first.
func RollbackTarget(s Situation) (target int, reason string) {
	keep, why := max(0, s.CurrentSpec-s.Harmful), "healthy"
	if s.DatabaseCap != nil {
		keep, why = min(s.CurrentSpec, max(0, *s.DatabaseCap)), "what the database has connections for"
	}
	target, reason = s.BaselineSpec, fmt.Sprintf("back to the %d replicas before the change", s.BaselineSpec)
	if keep > target {
		target, reason = keep, fmt.Sprintf("back to %d, %s; %d were there before the change", keep, why, s.BaselineSpec)
	}
	if s.NeedNow > target {
		target, reason = s.NeedNow, fmt.Sprintf("back to %d, the need of the moment; %d were there before the change", s.NeedNow, s.BaselineSpec)
	}
	if target > s.CurrentSpec {
		return s.CurrentSpec, fmt.Sprintf("kept at %d: the need of the moment is %d", s.CurrentSpec, s.NeedNow)
	}
	return target, reason
}

// RestoredInputs is what the verdict over a rollback is made from.
type RestoredInputs struct {
	Baseline     *models.Measurement // before the change; nil when it could not be taken
	Measurements []models.Measurement
	Ready        int // replicas that were ready before and are to be again
}

// JudgeRestored says whether a service is back to what it was before a change, by a tenth:
//
//	nothing measured                                         → hold
//	more than half of the measurements worse than before     → rollback: it is not
//	else                                                     → keep: it is
//
// Under more load than before only the replicas are compared.
func JudgeRestored(in RestoredInputs) Result {
	res := Result{Reason: "nothing was measured after the rollback"}
	worse, why, compared := 0, "", len(in.Measurements)
	for _, m := range in.Measurements {
		bad := false
		for _, c := range restoredGates(in, m) {
			res.Checks = append(res.Checks, c)
			bad = bad || c.Result == models.CheckFail
			if c.Result == models.CheckFail && why == "" {
				why = c.Reason
			}
		}
		if bad {
			worse++
		}
	}
	switch {
	case compared == 0: // nothing is claimed
	case 2*worse > compared:
		res.Verdict, res.Cause = models.VerdictRollback, CauseService
		res.Reason = fmt.Sprintf("after the rollback %s (%d of %d measurements)", why, worse, compared)
	default:
		res.Verdict, res.Reason = models.VerdictKeep, fmt.Sprintf("the service is as before, by %d of %d measurements", compared-worse, compared)
	}
	return res
}

func restoredGates(in RestoredInputs, m models.Measurement) []models.Check {
	ready := models.Check{Name: gateReady, Result: models.CheckPass, Value: ptr(float64(m.Ready)), Limit: ptr(float64(in.Ready))}
	ready.Reason = fmt.Sprintf("%d replicas are ready, %d before", m.Ready, in.Ready)
	if m.Ready < in.Ready {
		ready.Result = models.CheckFail
	}
	as := Inputs{Baseline: in.Baseline}
	return []models.Check{ready, serviceErrorGate(as, m), serviceResponseGate(as, m)}
}
