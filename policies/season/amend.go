package season

import (
	"fmt"
	"math"
	"time"

	"github.com/wedsync/scalability/models"
)

// maxListed bounds how much of an amendment is told by name.
const maxListed = 10

// Compare holds a newer plan against the one that a person agreed to. Less is always
// within; more is within as far as the bounds reach:
//
//	each floor and peak  ≤ ⌈approved · (1 + replica share)⌉
//	cost                 ≤ approved · (1 + cost share)
//
// Weeks that are over do not count.
func Compare(approved, next models.SeasonPlan, b models.SeasonBounds, now time.Time) models.PlanAmendment {
	a := models.PlanAmendment{Verdict: models.AmendmentNone, Beyond: []string{}}
	beyond := 0
	note := func(text string) {
		if beyond++; beyond <= maxListed {
			a.Beyond = append(a.Beyond, text)
		}
	}
	was := index(approved.Weeks)
	for _, w := range next.Weeks {
		if !w.Until.After(now) {
			continue
		}
		old := was[key(w)]
		if w.Floor != old.Floor || w.Peak != old.Peak {
			a.Changed++
		}
		if most := reach(old.Floor, b.ReplicaShare); w.Floor > most {
			note(fmt.Sprintf("%s in the week of %s: floor %d, approved %d, bound %d", w.Service, weekOf(w.From), w.Floor, old.Floor, most))
		}
		if most := reach(old.Peak, b.ReplicaShare); w.Peak > most {
			note(fmt.Sprintf("%s in the week of %s: peak %d, approved %d, bound %d", w.Service, weekOf(w.From), w.Peak, old.Peak, most))
		}
	}
	if most := approved.Cost * (1 + b.CostShare); next.Cost > most+1e-6 {
		note(fmt.Sprintf("cost %.2f, approved %.2f, bound %.2f", next.Cost, approved.Cost, most))
	}
	switch {
	case beyond > 0:
		a.Verdict = models.AmendmentAsk
		a.Text = fmt.Sprintf("%d figures pass the bounds of the approved plan, the first: %s", beyond, a.Beyond[0])
	case a.Changed > 0:
		a.Verdict = models.AmendmentWithin
		a.Text = fmt.Sprintf("%d weeks changed within the bounds; cost %.2f, approved %.2f", a.Changed, next.Cost, approved.Cost)
	default:
		a.Text = "nothing changed"
	}
	return a
}

// Same says whether two plans ask for the same capacity in what is left of the season.
func Same(a, b models.SeasonPlan, now time.Time) bool {
	return Compare(a, b, models.SeasonBounds{}, now).Changed == 0
}

// Clip is how far a plan that waits for a person may be followed meanwhile: each figure up
// to the bound of the approved plan.
func Clip(approved, next models.SeasonPlan, b models.SeasonBounds) models.SeasonPlan {
	was := index(approved.Weeks)
	out := next
	out.Weeks = make([]models.PlanWeek, len(next.Weeks))
	for i, w := range next.Weeks {
		old := was[key(w)]
		w.Peak = min(w.Peak, reach(old.Peak, b.ReplicaShare))
		w.Floor = min(w.Floor, reach(old.Floor, b.ReplicaShare), w.Peak)
		out.Weeks[i] = w
	}
	return out
}

func reach(n int, share float64) int {
	if !(share > 0) {
		return n
	}
	return int(math.Ceil(float64(n)*(1+share) - 1e-9))
}

type weekKey struct {
	service models.ServiceName
	from    int64
}

func key(w models.PlanWeek) weekKey { return weekKey{w.Service, w.From.Unix()} }

func index(weeks []models.PlanWeek) map[weekKey]models.PlanWeek {
	out := make(map[weekKey]models.PlanWeek, len(weeks))
	for _, w := range weeks {
		out[key(w)] = w
	}
	return out
}

// stepAhead is how long before it begins a week's reservation stands.
const stepAhead = 7 * 24 * time.Hour

// Claims are the weeks whose floors are to stand at a time: those that are running, and
// those that begin within a week.
func Claims(p models.SeasonPlan, now time.Time) []models.PlanWeek {
	var out []models.PlanWeek
	for _, w := range p.Weeks {
		if w.Until.After(now) && !w.From.After(now.Add(stepAhead)) {
			out = append(out, w)
		}
	}
	return out
}
