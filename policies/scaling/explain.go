package scaling

import "github.com/wedsync/scalability/models"

// sentence says in one line what is done and what decided it.
func (d *decision) sentence() string {
	e := &d.out
	l := d.line()
	name := string(e.Service)
	if name == "" {
		name = "the service"
	}
	if d.obs.Replicas == nil {
		return l.s("Keep ").s(name).s(" as it is: ").s(e.BindingReason).s(".").text()
	}
	l = deed(l, name, e).s(": ")
	if e.Class == models.ClassPanic {
		l = l.s("spike, ")
	}
	reason := e.BindingReason
	if need := d.driver.why; e.Deficit != nil && need != "" && need != reason {
		l = l.s(need).s("; ")
	}
	l = l.s(reason)
	for _, s := range e.Shaping {
		if s.Effect != reason && shapes(s.Rule, e) {
			l = l.s("; ").s(s.Effect)
			break
		}
	}
	if e.Approval != nil {
		l = l.s("; somebody has to agree, since ").s(e.Approval.Reason)
	}
	return l.s(".").text()
}

// shapes says whether a rule shaped what is done, so that the sentence has to name it.
func shapes(rule string, e *models.Explanation) bool {
	switch rule {
	case "up_step":
		return e.Class == models.ClassReactive || e.Class == models.ClassForecast
	case "down_step", "passed":
		return e.Class == models.ClassSteady && e.Direction == models.DirectionDown
	default:
		return false
	}
}

// deed is what is done, with the need where that is another number.
func deed(l line, name string, e *models.Explanation) line {
	if e.Direction == models.DirectionHold {
		l = l.s("Keep ").s(name).s(" at ").n(e.Current)
	} else {
		l = l.s("Scale ").s(name).s(" ").n(e.Current).s("→").n(e.Desired)
	}
	switch {
	case e.Deficit != nil:
		return l.s(" (wanted ").n(e.Raw).s(")")
	case e.Raw != e.Desired && e.Raw > 0:
		return l.s(" (need ").n(e.Raw).s(")")
	default:
		return l
	}
}
