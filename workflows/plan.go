package workflows

import (
	"math"
	"time"

	"github.com/wedsync/scalability/models"
)

// waveThreshold is the change, in replicas, up to which one wave is taken.
const waveThreshold = 10

// waveBudget is the share of an operation's time that its waves may plan to use; the
// rest is for one extension and for a rollback.
const waveBudget = 0.75

// plan gives the specs to order one after the other, the last of which is the target:
//
//	floor or forecast, and more than 10 replicas  10 % (at least 1), 50 %, 100 % of the change
//	else                                          all at once
//
// What is planned ahead can be tried on a few replicas first; what load asks for now
// cannot wait. Waves that would not be verified within the operation's time are not taken.
func plan(from, target int, class models.Class, svc models.Service) []int {
	change := target - from
	planned := class == models.ClassFloor || class == models.ClassForecast
	if !planned || change <= waveThreshold || !fits(3, svc) {
		return []int{target}
	}
	first := from + max(1, int(math.Ceil(float64(change)*0.10)))
	half := from + int(math.Ceil(float64(change)*0.50))
	return []int{first, half, target}
}

// fits says whether so many waves can start and be verified in the operation's time.
func fits(waves int, svc models.Service) bool {
	p := svc.Policy
	one := svc.StartupP95Seconds + float64(p.SoakSeconds+p.Measurements*p.MeasurementIntervalSeconds)
	return float64(waves)*one <= waveBudget*float64(p.OperationDeadlineSeconds)
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
