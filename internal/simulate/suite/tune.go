package suite

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/wedsync/scalability/internal/simulate"
)

// allowed is how many violation minutes a day a tuned policy may have.
const allowed = 1.0

// usual is the target that budgets are taken from: what most deployments of HPA run at.
const usual = 0.70

// tuned chooses a peer's target from its runs on the first part of a load: the cheapest
// that keeps to the allowed violations; where none does, the fewest violations for the
// budget, which is what HPA costs at its usual target on the same part. This is what an
// operator does who has the load's past, and it is the same for all.
func tuned(runs []Row, budget float64) (Row, bool) {
	var good []Row
	for _, r := range runs {
		if r.ViolationMinutes <= allowed*r.Days {
			good = append(good, r)
		}
	}
	if len(good) > 0 {
		return slices.MinFunc(good, cheaper), true
	}
	return matched(runs, budget)
}

// budget is the cost of HPA at its usual target on the first part of a load.
func budget(rows []Row, load string, seed uint64) float64 {
	if r, ok := at(of(rows, load, PartTune, HPA, seed), usual); ok {
		return r.ReplicaHours
	}
	return math.Inf(1)
}

// matched chooses the fewest violations that can be had for at most so much; where
// nothing is as cheap, the cheapest.
func matched(runs []Row, cost float64) (Row, bool) {
	var good []Row
	for _, r := range runs {
		if r.ReplicaHours <= cost {
			good = append(good, r)
		}
	}
	if len(good) > 0 {
		return fewest(good)
	}
	if len(runs) == 0 {
		return Row{}, false
	}
	return slices.MinFunc(runs, cheaper), true
}

func fewest(runs []Row) (Row, bool) {
	if len(runs) == 0 {
		return Row{}, false
	}
	return slices.MinFunc(runs, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.ViolationMinutes, b.ViolationMinutes), cheaper(a, b))
	}), true
}

func cheaper(a, b Row) int {
	return cmp.Or(cmp.Compare(a.ReplicaHours, b.ReplicaHours), cmp.Compare(a.ViolationMinutes, b.ViolationMinutes))
}

// How much more than the peer that we are held against a chosen target may cost on the
// first part. The goals allow 2 and 10 %; two points of each are left, since the parts
// differ.
const (
	matchKPA      = 1.00
	matchReactive = 1.08
)

// pick chooses a target for each policy of a contest: peers by the common rule, and so
// are we where cost is compared by reading it off a front; where a goal allows a cost,
// the fewest violations for it.
func pick(policies []string, rows []Row, load string, seed uint64) []Row {
	var out []Row
	for _, p := range policies {
		runs := of(rows, load, PartTune, p, seed)
		best, ok := tuned(runs, budget(rows, load, seed))
		if reference, matches := against(rows, load, seed); matches && ours(p) {
			best, ok = matched(runs, reference)
		}
		if ok {
			out = append(out, best)
		}
	}
	return out
}

func ours(policy string) bool { return policy == Engine || policy == EngineNoCalendar }
func peer(policy string) bool { return !ours(policy) }

// seekPlanned is how many runs a search takes.
const seekPlanned = 6

// seek looks for our target without running them all, since our decisions take longer
// than any peer's: a higher target costs less and fails more, so the border of what the
// rule accepts lies between two neighbours, and each round of two runs leaves a third
// of the targets. The rule then chooses among what was run, as it does among a sweep.
func (s *run) seek(ctx context.Context, policy string, rows []Row, part *simulate.Scenario) ([]Row, error) {
	cost, matches := against(rows, part.Name, part.Seed)
	good := func(r Row) bool { // low targets are good by the common rule, high ones where a cost is matched
		if matches {
			return r.ReplicaHours > cost
		}
		return r.ViolationMinutes <= allowed*r.Days
	}
	sorted := slices.Sorted(slices.Values(s.Targets))
	low, high := -1, len(sorted) // the border lies between: low is good, high is not
	var out []Row
	for high-low > 1 {
		a := low + (high-low+2)/3
		b := min(max(low+2*(high-low)/3, a+1), high-1)
		found, err := s.bench.run(ctx, sweepJobs(PartTune, []string{policy}, slices.Compact([]float64{sorted[a], sorted[max(a, b)]}), part))
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
		for i, r := range found {
			at := []int{a, max(a, b)}[i]
			if good(r) {
				low = max(low, at)
			} else {
				high = min(high, at)
			}
		}
	}
	s.bench.planned(len(out) - seekPlanned)
	return out, nil
}

// against is the cost that a goal allows us on the first part of a load.
func against(rows []Row, load string, seed uint64) (float64, bool) {
	switch load {
	case NASA:
		return 0, false
	case Wedding:
		kpa, ok := tuned(of(rows, load, PartTune, KPA, seed), budget(rows, load, seed))
		return matchKPA * kpa.ReplicaHours, ok
	}
	best, ok := bestReactive(rows, load, seed)
	return matchReactive * best.ReplicaHours, ok
}

// bestReactive is, of the tuned reactive peers, the one that the common rule prefers on
// the first part.
func bestReactive(rows []Row, load string, seed uint64) (Row, bool) {
	var each []Row
	for _, p := range reactive() {
		if r, ok := tuned(of(rows, load, PartTune, p, seed), budget(rows, load, seed)); ok {
			each = append(each, r)
		}
	}
	return tuned(each, math.Inf(1))
}
