package verification

import "fmt"

// Situation is the service at the moment a rollback is planned.
type Situation struct {
	BaselineSpec int // spec before the change
	CurrentSpec  int
	NeedNow      int // replicas that measured demand and active floors ask for now
}

// RollbackTarget says to which spec a change that did harm is taken back: never below
// the baseline, never below the need of the moment, and never above the current spec.
// Which replicas go is the caller's choice: the unhealthy ones first.
func RollbackTarget(s Situation) (target int, reason string) {
	target, reason = s.BaselineSpec, fmt.Sprintf("back to the %d replicas before the change", s.BaselineSpec)
	if s.NeedNow > target {
		target, reason = s.NeedNow, fmt.Sprintf("back to %d, the need of the moment; %d were there before the change", s.NeedNow, s.BaselineSpec)
	}
	if target > s.CurrentSpec {
		target, reason = s.CurrentSpec, fmt.Sprintf("kept at %d: the need of the moment is %d", s.CurrentSpec, s.NeedNow)
	}
	return target, reason
}
