package suite

import (
	"fmt"
	"math"
	"slices"
)

// Headline is the figures that the goals are about; each ratio is ours by the peer's.
// nil was not run.
type Headline struct {
	Step struct {
		OrderedMaxSeconds *float64 `json:"orderedMaxSeconds"`
	} `json:"step"`
	Wedding struct {
		ViolationsVsKPA          *float64 `json:"violationsVsKPA"`
		CostVsKPA                *float64 `json:"costVsKPA"`
		CostVsHPAEqualViolations *float64 `json:"costVsHPAEqualViolations"`
	} `json:"wedding"`
	Twitter struct {
		ViolationsVsBestReactive *float64 `json:"violationsVsBestReactive"`
		CostVsBestReactive       *float64 `json:"costVsBestReactive"`
	} `json:"twitter"`
	NASA struct {
		ViolationsVsAWSEqualCost *float64 `json:"violationsVsAWSEqualCost"`
	} `json:"nasa"`
	FlipsPerDay struct {
		Engine *float64 `json:"engine"`
		HPA    *float64 `json:"hpa"`
	} `json:"flipsPerDay"`
	Faults struct {
		HarmfulRemovals *int `json:"harmfulRemovals"`
	} `json:"faults"`
}

// Goal is one figure with what it is to be, and whether it is.
type Goal struct {
	Name     string   `json:"name"`
	AtMost   float64  `json:"atMost"`
	Met      bool     `json:"met"`
	Interval Interval `json:"interval"`
	Ours     float64  `json:"ours"`  // sum over the seeds
	Peers    float64  `json:"peers"` // of what it is divided by
	How      string   `json:"how"`
}

// The names of the figures.
const (
	goalStep       = "step.orderedMaxSeconds"
	goalKPA        = "wedding.violationsVsKPA"
	goalKPACost    = "wedding.costVsKPA"
	goalHPACost    = "wedding.costVsHPAEqualViolations"
	goalBest       = "twitter.violationsVsBestReactive"
	goalBestCost   = "twitter.costVsBestReactive"
	goalAWS        = "nasa.violationsVsAWSEqualCost"
	goalFlips      = "flipsPerDay.engine"
	goalFlipsHPA   = "flipsPerDay.hpa"
	goalHarm       = "faults.harmfulRemovals"
	bestViolations = 1 / 2.2
)

// figures collects, seed by seed, what each ratio is made of.
type figures struct {
	over, under map[string][]float64
	last        map[string]uint64 // seed that was summed last
	notes       []string
}

func newFigures() figures {
	return figures{over: map[string][]float64{}, under: map[string][]float64{}, last: map[string]uint64{}}
}

func (f *figures) add(name string, over, under float64) {
	f.over[name] = append(f.over[name], over)
	f.under[name] = append(f.under[name], under)
}

// sum adds to the figures of a seed: what all loads have together.
func (f *figures) sum(seed uint64, name string, over, under float64) {
	if f.last[name] != seed || len(f.over[name]) == 0 {
		f.last[name] = seed
		f.add(name, over, under)
		return
	}
	i := len(f.over[name]) - 1
	f.over[name][i] += over
	f.under[name][i] += under
}

func (f *figures) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(f.notes, text) {
		f.notes = append(f.notes, text)
	}
}

// load takes the figures of one load and seed: rows are the sweeps, chosen the reported
// runs at the chosen targets.
func (f *figures) load(load string, seed uint64, rows, chosen []Row) {
	engine, ok := one(chosen, Engine)
	if !ok {
		return
	}
	if hpa, ok := one(chosen, HPA); ok {
		f.sum(seed, goalFlips, float64(engine.Flips), engine.Days)
		f.sum(seed, goalFlipsHPA, float64(hpa.Flips), hpa.Days)
	}
	switch load {
	case Wedding:
		f.wedding(seed, engine, rows, chosen)
	case Twitter:
		f.twitter(seed, engine, rows, chosen)
	case NASA:
		f.nasa(seed, engine, rows)
	}
}

func one(chosen []Row, policy string) (Row, bool) {
	i := slices.IndexFunc(chosen, func(r Row) bool { return r.Policy == policy })
	if i < 0 {
		return Row{}, false
	}
	return chosen[i], true
}

func (f *figures) wedding(seed uint64, engine Row, rows, chosen []Row) {
	if kpa, ok := one(chosen, KPA); ok {
		f.add(goalKPA, engine.ViolationMinutes, kpa.ViolationMinutes)
		f.add(goalKPACost, engine.ReplicaHours, kpa.ReplicaHours)
		if kpa.ViolationMinutes == 0 {
			f.note("seed %d, wedding: KPA had no violation minute; half a one stands for it", seed)
		}
	}
	least := math.Inf(1)
	for _, p := range []string{HPA, KEDA} {
		sweep := points(of(rows, Wedding, PartReport, p, seed))
		if len(sweep) == 0 {
			continue
		}
		cost, how := costAt(sweep, engine.ViolationMinutes)
		if how == below {
			f.note("seed %d, wedding: no target of %s has as few violations as ours (%.0f); its dearest one stands for it, which favours it", seed, p, engine.ViolationMinutes)
		}
		least = min(least, cost)
	}
	if !math.IsInf(least, 1) {
		f.add(goalHPACost, engine.ReplicaHours, least)
	}
}

func (f *figures) twitter(seed uint64, engine Row, rows, chosen []Row) {
	best, ok := bestReactive(rows, Twitter, seed)
	if !ok {
		return
	}
	if peer, ok := one(chosen, best.Policy); ok {
		f.add(goalBest, engine.ViolationMinutes, peer.ViolationMinutes)
		f.add(goalBestCost, engine.ReplicaHours, peer.ReplicaHours)
		f.note("seed %d, twitter: the best reactive policy on the first part is %s at %.2f", seed, best.Policy, best.Target)
	}
}

func (f *figures) nasa(seed uint64, engine Row, rows []Row) {
	sweep := points(of(rows, NASA, PartReport, AWS, seed))
	if len(sweep) == 0 {
		return
	}
	violations, how := violationsAt(sweep, engine.ReplicaHours)
	if how == below {
		f.note("seed %d, nasa: no target of %s is as cheap as ours; its cheapest one stands for it, which favours it", seed, AWS)
	}
	f.add(goalAWS, engine.ViolationMinutes, violations)
}

// conclude turns what was collected into the headline and its goals.
func (s *run) conclude() {
	h := &s.report.Headline
	for _, g := range []struct {
		name   string
		atMost float64
		to     **float64
		how    string
	}{
		{goalKPA, 0.1, &h.Wedding.ViolationsVsKPA, "violation minutes by KPA's with a scale-down delay of 5 min"},
		{goalKPACost, 1.02, &h.Wedding.CostVsKPA, "replica-hours by KPA's"},
		{goalHPACost, 0.90, &h.Wedding.CostVsHPAEqualViolations, "replica-hours by those of the cheaper of HPA and KEDA at as many violations"},
		{goalBest, bestViolations, &h.Twitter.ViolationsVsBestReactive, "violation minutes by those of the best reactive policy"},
		{goalBestCost, 1.10, &h.Twitter.CostVsBestReactive, "replica-hours by those of the best reactive policy"},
		{goalAWS, 1, &h.NASA.ViolationsVsAWSEqualCost, "violation minutes by those of AWS-style prediction at as many replica-hours"},
	} {
		if len(s.figures.over[g.name]) == 0 {
			continue
		}
		goal := s.goal(g.name, g.how)
		goal.AtMost, goal.Met = g.atMost, goal.Interval.Value <= g.atMost
		*g.to = &goal.Interval.Value
		s.judge(goal)
	}
	s.concludeFlips()
	s.concludeCounts()
	s.report.Notes = append(s.report.Notes, s.figures.notes...)
}

func (s *run) goal(name, how string) Goal {
	over, under := s.figures.over[name], s.figures.under[name]
	g := Goal{Name: name, How: how, Interval: bootstrap(over, under, s.Seed)}
	for i := range over {
		g.Ours, g.Peers = g.Ours+over[i], g.Peers+under[i]
	}
	if g.Ours == 0 && g.Peers == 0 {
		s.figures.note("%s: nothing on either side, which is reported as 0", name)
	}
	return g
}

// judge takes a goal into the report, and says so where it is missed.
func (s *run) judge(g Goal) {
	s.report.Goals = append(s.report.Goals, g)
	if !g.Met {
		s.report.Notes = append(s.report.Notes, fmt.Sprintf("missed: %s is %.3f and is to be at most %.3f (%s)", g.Name, g.Interval.Value, g.AtMost, g.How))
	}
}

// concludeFlips compares changes of direction, which are sums by days and no ratios.
func (s *run) concludeFlips() {
	if len(s.figures.over[goalFlips]) == 0 || len(s.figures.over[goalFlipsHPA]) == 0 {
		return
	}
	peer := s.goal(goalFlipsHPA, "")
	ours := s.goal(goalFlips, "changes of direction a day over all loads, and at most HPA's")
	ours.AtMost, ours.Met = peer.Interval.Value, ours.Interval.Value <= peer.Interval.Value
	s.report.Headline.FlipsPerDay.Engine, s.report.Headline.FlipsPerDay.HPA = &ours.Interval.Value, &peer.Interval.Value
	s.judge(ours)
}

// concludeCounts takes the worst step and the sum of harm.
func (s *run) concludeCounts() {
	count := func(name string, value, atMost float64, how string) {
		s.judge(Goal{Name: name, AtMost: atMost, Met: value <= atMost, How: how, Ours: value, Interval: Interval{value, value, value, s.Seeds}})
	}
	if i := slices.IndexFunc(s.report.Steps, func(p Step) bool { return p.Policy == Engine }); i >= 0 {
		worst := s.report.Steps[i].OrderedMaxSeconds
		s.report.Headline.Step.OrderedMaxSeconds = &worst
		count(goalStep, worst, 5, "seconds until enough is ordered for three times the load, the worst of all phases")
	}
	harm, run := 0, false
	for _, f := range s.report.Faults {
		if f.Policy == Engine {
			harm, run = harm+f.HarmfulRemovals, true
		}
		if f.Policy == Engine && f.Fault == ceilingFault && f.Deficits == 0 {
			s.figures.note("seed %d: the database's ceiling bound and no deficit was said", f.Seed)
		}
	}
	if run {
		s.report.Headline.Faults.HarmfulRemovals = &harm
		count(goalHarm, float64(harm), 0, "replicas removed under a fault that HPA's formula on the true load would have kept")
	}
}

// mergeStep takes the phases of another seed into a policy's step.
func mergeStep(all []Step, next Step) []Step {
	i := slices.IndexFunc(all, func(s Step) bool { return s.Policy == next.Policy })
	if i < 0 {
		return append(all, next)
	}
	s := &all[i]
	n := float64(s.Phases + next.Phases)
	s.OrderedMean = (s.OrderedMean*float64(s.Phases) + next.OrderedMean*float64(next.Phases)) / n
	s.OrderedMaxSeconds = max(s.OrderedMaxSeconds, next.OrderedMaxSeconds)
	s.Phases, s.Missed = s.Phases+next.Phases, s.Missed+next.Missed
	return all
}
