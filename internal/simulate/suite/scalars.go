package suite

import (
	"slices"
	"time"

	"github.com/wedsync/scalability/internal/simulate"
)

// Scalar is what a policy's sweep of the reported part comes to at the same terms as all:
// read off its front as costAt and violationsAt do, as a mean over the seeds.
type Scalar struct {
	Load   string `json:"load"`
	Policy string `json:"policy"`
	// CostPerDay is the replica-hours a day at one violation minute a day.
	CostPerDay float64 `json:"costPerDayAtOneViolationADay"`
	// CostReached is false where no target of the sweep has so few violations: the dearest
	// one stands for it.
	CostReached bool `json:"costReached"`
	// ViolationsPerDay is the violation minutes a day at the cost of HPA on CPU at 0.70.
	ViolationsPerDay float64 `json:"violationsPerDayAtHPACost"`
	// ViolationsReached is false where no target is as cheap: the cheapest stands for it.
	ViolationsReached bool `json:"violationsReached"`
	Seeds             int  `json:"seeds"`
}

// scalars reads them off the rows of one load and seed, where HPA was swept as well.
func (s *run) scalars(load string, seed uint64, rows []Row) {
	hpa, ok := at(of(rows, load, PartReport, HPA, seed), usual)
	if !ok || !(hpa.Days > 0) {
		return
	}
	for _, p := range Policies() {
		sweep := points(of(rows, load, PartReport, p, seed))
		if len(sweep) < 2 {
			continue
		}
		cost, costHow := costAt(sweep, allowed*hpa.Days)
		violations, violationsHow := violationsAt(sweep, hpa.ReplicaHours)
		x := s.scalarOf(load, p)
		n := float64(x.Seeds)
		x.CostPerDay = (x.CostPerDay*n + cost/hpa.Days) / (n + 1)
		x.ViolationsPerDay = (x.ViolationsPerDay*n + violations/hpa.Days) / (n + 1)
		x.CostReached = x.CostReached && costHow == within
		x.ViolationsReached = x.ViolationsReached && violationsHow == within
		x.Seeds++
	}
}

func (s *run) scalarOf(load, policy string) *Scalar {
	i := slices.IndexFunc(s.report.Scalars, func(x Scalar) bool { return x.Load == load && x.Policy == policy })
	if i < 0 {
		s.report.Scalars = append(s.report.Scalars, Scalar{Load: load, Policy: policy, CostReached: true, ViolationsReached: true})
		i = len(s.report.Scalars) - 1
	}
	return &s.report.Scalars[i]
}

// Decisions is how long our decisions took, on this machine and beside whatever else it
// did: the only figures of a report that another run does not repeat.
type Decisions struct {
	Count     int     `json:"count"`
	PerSecond float64 `json:"perSecond"` // one after the other
	P50Micros float64 `json:"p50Micros"`
	P99Micros float64 `json:"p99Micros"`
}

// timed plays a day once more and times the decisions alone.
func timed(day simulate.Scenario) Decisions {
	var took []time.Duration
	total := time.Duration(0)
	simulate.Run(day, simulate.NewEngine(simulate.EngineOptions{Calendar: true, Took: func(d time.Duration) {
		took, total = append(took, d), total+d
	}}))
	if len(took) == 0 {
		return Decisions{}
	}
	slices.Sort(took)
	micros := func(share int) float64 { return float64(took[len(took)*share/100].Nanoseconds()) / 1000 }
	return Decisions{Count: len(took), PerSecond: float64(len(took)) / max(total.Seconds(), 1e-9), P50Micros: micros(50), P99Micros: micros(99)}
}
