package season

import (
	"time"

	"github.com/wedsync/scalability/models"
)

const (
	// daily is the time between two forecasts.
	daily = 24 * time.Hour
	// retry is how soon a forecast that failed is tried again.
	retry = time.Hour
	// settle is how long changes of the calendar are gathered before they are planned for.
	settle = 15 * time.Minute
	// approvalParts divide the wait for a person: after each but the last, a reminder.
	approvalParts = 3
	// windDown is how long after the last day the report is made: late guests go home.
	windDown = 24 * time.Hour
)

// Action is what the preparation does next.
type Action string

// The actions. The zero value waits.
const (
	Wait     Action = ""
	Plan     Action = "plan"     // forecast and cost
	Remind   Action = "remind"   // nobody has answered yet
	Lapse    Action = "lapse"    // nobody answered in time: escalate, and go on waiting
	Gate     Action = "gate"     // run it
	Miss     Action = "miss"     // there is no time left for it: escalate
	Reserve  Action = "reserve"  // bring the reservations to the plan
	WindDown Action = "winddown" // release and report
	Close    Action = "close"    // nobody ever agreed
)

// Step is the next action: at once, or a wait until At at the latest.
type Step struct {
	Action Action
	Gate   models.GateName
	At     time.Time
}

// View is all that the next step depends on.
type View struct {
	Now         time.Time
	From, Until time.Time
	Version     int // of the last plan made; 0: none
	Approved    int // version that a person agreed to; 0: none
	PlannedAt   time.Time
	PlanFailed  bool       // the last attempt
	Recalendar  *time.Time // when the calendar was first said to have changed since
	Replan      bool       // a person changed the plan
	Ask         *Ask
	Gates       []models.SeasonGate
	Reserve     bool // the plan in effect moved since reservations were brought to it
	ReservedAt  time.Time
}

// Ask is a plan that waits for a person.
type Ask struct {
	Version   int       `json:"version"`
	AskedAt   time.Time `json:"askedAt"`
	ExpiresAt time.Time `json:"expiresAt"`
	Reminders int       `json:"reminders"`
	Lapsed    bool      `json:"lapsed"`
}

// lead is when each gate is due before the season, and how long before it at the latest
// it is of use.
func lead(g models.GateName) (due, least time.Duration) {
	switch g {
	case models.GateQuota:
		return 28 * daily, 2 * daily // a provider needs days to answer
	case models.GateLoadTest:
		return 21 * daily, daily // what it shows has to be mended
	case models.GateGameDay:
		return 14 * daily, daily
	case models.GateFreeze:
		return 7 * daily, 0
	case models.GateRehearsal:
		return daily, 0
	default:
		return 0, 0
	}
}

// Due is when a gate is due.
func Due(from time.Time, g models.GateName) time.Time {
	due, _ := lead(g)
	return from.Add(-due)
}

// PlanFrom is how long before its first day a season's preparation begins.
const PlanFrom = 35 * daily

// Next says what to do now. The order is that of need: what a person waits for, the plan,
// reservations, gates in their order, time. A gate that is due but not agreed to yet is
// caught up after the approval, while there is time left for it to be of use.
func Next(v View) Step {
	switch {
	case v.Approved == 0 && !v.Now.Before(v.Until):
		return Step{Action: Close}
	case v.Approved > 0 && !v.Now.Before(v.Until.Add(windDown)):
		return Step{Action: WindDown}
	}
	over := !v.Now.Before(v.Until)
	if !over && !v.Now.Before(v.planAt()) {
		return Step{Action: Plan}
	}
	if a := v.Ask; a != nil && !a.Lapsed {
		switch {
		case !v.Now.Before(a.ExpiresAt):
			return Step{Action: Lapse}
		case a.Reminders < approvalParts-1 && !v.Now.Before(a.reminderAt()):
			return Step{Action: Remind}
		}
	}
	if v.Approved > 0 {
		if s, ok := v.approved(over); ok {
			return s
		}
	}
	return Step{Action: Wait, At: v.wakeAt(over)}
}

// approved are the steps that need a plan that a person agreed to.
func (v View) approved(over bool) (Step, bool) {
	if !over && (v.Reserve || !v.Now.Before(v.ReservedAt.Add(daily))) {
		return Step{Action: Reserve}, true
	}
	for _, g := range v.Gates {
		switch {
		case v.tooLate(g):
			return Step{Action: Miss, Gate: g.Gate}, true
		case !over && v.open(g) && !v.Now.Before(v.gateAt(g)):
			return Step{Action: Gate, Gate: g.Gate}, true
		}
	}
	return Step{}, false
}

// open says whether a gate is still to be run.
func (v View) open(g models.SeasonGate) bool {
	return g.Status == models.GateWaiting || g.Status == models.GateFailed
}

// gateAt is when a gate is run: when it is due, and a failed one the day after.
func (v View) gateAt(g models.SeasonGate) time.Time {
	if g.Status == models.GateFailed {
		return g.FinishedAt.Add(daily)
	}
	return Due(v.From, g.Gate)
}

// tooLate says whether a gate that was never passed would no longer be of use.
func (v View) tooLate(g models.SeasonGate) bool {
	_, least := lead(g.Gate)
	return v.open(g) && v.Now.After(v.From.Add(-least))
}

// planAt is when the next forecast is due.
func (v View) planAt() time.Time {
	switch {
	case v.Replan || v.Version == 0 && !v.PlanFailed:
		return v.Now
	case v.PlanFailed:
		return v.PlannedAt.Add(retry)
	case v.Recalendar != nil:
		return earlier(v.Recalendar.Add(settle), v.PlannedAt.Add(daily))
	default:
		return v.PlannedAt.Add(daily)
	}
}

func (a Ask) reminderAt() time.Time {
	part := a.ExpiresAt.Sub(a.AskedAt) / approvalParts
	return a.AskedAt.Add(time.Duration(a.Reminders+1) * part)
}

// wakeAt is when something happens next, if nobody speaks before.
func (v View) wakeAt(over bool) time.Time {
	end := v.Until
	if v.Approved > 0 {
		end = end.Add(windDown)
	}
	at := end
	if !over {
		at = earlier(at, v.planAt())
	}
	if a := v.Ask; a != nil && !a.Lapsed {
		at = earlier(at, a.ExpiresAt)
		if a.Reminders < approvalParts-1 {
			at = earlier(at, a.reminderAt())
		}
	}
	if v.Approved == 0 {
		return at
	}
	if !over {
		at = earlier(at, v.ReservedAt.Add(daily))
	}
	for _, g := range v.Gates {
		if v.open(g) {
			_, least := lead(g.Gate)
			at = earlier(earlier(at, v.gateAt(g)), v.From.Add(-least).Add(time.Second))
		}
	}
	return at
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
