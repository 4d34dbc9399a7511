package suite

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests need the zones, whatever the machine has

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/simulate"
	"github.com/wedsync/scalability/models"
)

// short is a trace of half a day that doubles each hour.
func short() Trace {
	t := Trace{Name: "hours", Counts: make([]float64, 12*3600)}
	for i := range t.Counts {
		t.Counts[i] = 40 + 40*math.Floor(math.Mod(float64(i)/1800, 2))
	}
	return t
}

// contestOn runs one contest on a short trace.
func contestOn(t *testing.T, o Options, name string) *run {
	t.Helper()
	trace := short()
	src, err := recorded(trace, sizing{capacity: 20, factor: 10, smooth: 20})
	require.NoError(t, err)
	h, err := src.make(o.Seed)
	require.NoError(t, err)
	h.tune.Name, h.report.Name = name, name
	s := &run{Options: o.withDefaults(), figures: newFigures(), bench: newBench(2, 0, o.Progress)}
	require.NoError(t, s.contest(t.Context(), h, true))
	return s
}

func TestTheSameOptionsGiveTheSameFigures(t *testing.T) {
	o := Options{Suite: SuiteFull, Policies: []string{HPA, KPA, KEDA}, Targets: []float64{0.6, 0.8}, Seed: 4}
	a, b := contestOn(t, o, "hours"), contestOn(t, o, "hours")
	assert.Equal(t, a.report.Rows, b.report.Rows)
	assert.Len(t, a.report.Rows, 3*2*2+3)
	assert.Len(t, a.report.Pictures, 3)
	assert.NotEmpty(t, a.report.Pictures[0].Minutes)
	for _, r := range a.report.Rows {
		assert.Empty(t, r.Minutes, "the course of a run is kept for pictures alone")
	}
}

func TestTargetsAreChosenWithoutTheReportedPart(t *testing.T) {
	row := func(part string, target, cost, violations float64) Row {
		return Row{Load: Twitter, Part: part, Policy: HPA, Target: target, Result: simulate.Result{ReplicaHours: cost, ViolationMinutes: violations, Days: 10}}
	}
	rows := []Row{
		row(PartTune, 0.6, 100, 0), row(PartTune, 0.7, 80, 8), row(PartTune, 0.8, 60, 40),
		row(PartReport, 0.6, 100, 0), row(PartReport, 0.7, 80, 999), row(PartReport, 0.8, 60, 0),
	}
	got := pick([]string{HPA}, rows, Twitter, 0)
	require.Len(t, got, 1)
	assert.InDelta(t, 0.7, got[0].Target, 1e-9, "the cheapest with at most one violation minute a day on the first part")
}

func TestATargetIsChosenByOneRule(t *testing.T) {
	row := func(cost, violations float64) Row {
		return Row{Result: simulate.Result{ReplicaHours: cost, ViolationMinutes: violations, Days: 10}}
	}
	for name, c := range map[string]struct {
		rows   []Row
		budget float64
		want   float64
	}{
		"cheapest of those that keep to it": {[]Row{row(100, 0), row(80, 10), row(60, 11)}, 1000, 80},
		"none keeps to it: for the budget":  {[]Row{row(100, 30), row(80, 50), row(60, 70)}, 85, 80},
		"none is as cheap as the budget":    {[]Row{row(100, 30), row(80, 50)}, 10, 80},
	} {
		got, ok := tuned(c.rows, c.budget)
		assert.True(t, ok)
		assert.InDelta(t, c.want, got.ReplicaHours, 1e-9, name)
	}
	_, ok := tuned(nil, 1)
	assert.False(t, ok)
	got, _ := matched([]Row{row(100, 0), row(80, 10), row(79, 5)}, 85)
	assert.InDelta(t, 79, got.ReplicaHours, 1e-9, "the fewest violations for the money")
}

func TestTheReportedPartFollowsTheTunedOne(t *testing.T) {
	load := make([]float64, 10*86400)
	for i := range load {
		load[i] = float64(i)
	}
	begin := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	h := split("x", begin, []float64{7, 7}, load, service(50))
	assert.Len(t, h.tune.Load, 6*86400)
	first := h.report.ReportFrom
	assert.InDelta(t, 6*86400, h.report.Load[first], 1e-9, "what is reported begins where tuning ended")
	assert.Equal(t, begin.Add(6*24*time.Hour), h.report.Start.Add(time.Duration(first)*time.Second))
	assert.Len(t, h.report.History, 2+(6*86400-first)/60, "all that came before is history")
	assert.Len(t, h.report.Load, 4*86400+first)
	assert.Equal(t, learned-120, h.tune.ReportFrom, "what is tuned on has three days of past behind it")
	known := split("x", begin, make([]float64, 21*1440), load, service(50))
	assert.Equal(t, lead, known.tune.ReportFrom, "a load with a past is tuned on from the beginning")
	brief := split("x", begin, nil, load[:86400], service(50))
	assert.Less(t, brief.tune.ReportFrom, len(brief.tune.Load), "some of a short load counts all the same")
}

func TestTheFaultGridHasEachFaultOfTheDesign(t *testing.T) {
	src, err := weddings(2).make(3)
	require.NoError(t, err)
	day := busiestDay(src.report)
	assert.InDelta(t, 48*3600, len(day.Load), 12*3600)
	at := day.Start.Add(time.Duration(busiest(day.Load)) * time.Second)
	assert.Contains(t, []time.Weekday{time.Saturday, time.Friday, time.Sunday}, at.Weekday(), "%s", at)
	names := map[string]bool{}
	for _, s := range faultGrid(day) {
		names[s.Name] = true
		assert.True(t, s.Faults.Any() || s.DatabaseConnections > 0, s.Name)
		for _, l := range s.Faults.MetricLoss {
			assert.True(t, l.From >= 0 && l.Until <= len(s.Load), s.Name)
		}
	}
	assert.Len(t, names, 13)
}

func TestTheStepIsAtEachPhaseOfAMinute(t *testing.T) {
	all := steps(1)
	phases := map[int]bool{}
	for _, s := range all {
		phases[s.StepAt%60] = true
	}
	assert.Len(t, phases, 60)
	got := stepResult(HPA, []Row{
		{Policy: HPA, Result: simulate.Result{OrderedAfterSeconds: pointer(4)}},
		{Policy: HPA, Result: simulate.Result{OrderedAfterSeconds: pointer(10)}},
		{Policy: KPA},
	})
	assert.Equal(t, Step{Policy: HPA, OrderedMaxSeconds: 10, OrderedMean: 7, Phases: 2}, got)
	missed := stepResult(KPA, []Row{{Policy: KPA}})
	assert.InDelta(t, stepWatched, missed.OrderedMaxSeconds, 1e-9, "what is never ordered counts as the time watched")
	merged := mergeStep([]Step{got}, Step{Policy: HPA, OrderedMaxSeconds: 20, OrderedMean: 10, Phases: 1})
	assert.Equal(t, []Step{{Policy: HPA, OrderedMaxSeconds: 20, OrderedMean: 8, Phases: 3}}, merged)
}

func pointer(v float64) *float64 { return &v }

func TestGoalsAreJudgedAndLossesSaid(t *testing.T) {
	s := &run{Options: Options{Seed: 1, Seeds: 2}, figures: newFigures()}
	for range 2 {
		s.figures.add(goalKPA, 1, 20)
		s.figures.add(goalKPACost, 103, 100)
		s.figures.add(goalFlips, 10, 14)
		s.figures.add(goalFlipsHPA, 20, 14)
	}
	s.report.Faults = []Fault{{Fault: "x", Policy: Engine, HarmfulRemovals: 2}, {Fault: "x", Policy: HPA, HarmfulRemovals: 50}}
	s.conclude()
	h := s.report.Headline
	require.NotNil(t, h.Wedding.ViolationsVsKPA)
	assert.InDelta(t, 0.05, *h.Wedding.ViolationsVsKPA, 1e-9)
	assert.Nil(t, h.NASA.ViolationsVsAWSEqualCost, "what was not run is null")
	assert.Equal(t, 2, *h.Faults.HarmfulRemovals)
	met := map[string]bool{}
	for _, g := range s.report.Goals {
		met[g.Name] = g.Met
	}
	assert.Equal(t, map[string]bool{goalKPA: true, goalKPACost: false, goalFlips: true, goalHarm: false}, met)
	text := strings.Join(s.report.Notes, "\n")
	assert.Contains(t, text, "missed: wedding.costVsKPA is 1.030")
	assert.Contains(t, text, "missed: faults.harmfulRemovals")
	raw, err := json.Marshal(h)
	require.NoError(t, err)
	assert.JSONEq(t, `{"step":{"orderedMaxSeconds":null},"wedding":{"violationsVsKPA":0.05,"costVsKPA":1.03,"costVsHPAEqualViolations":null},
		"twitter":{"violationsVsBestReactive":null,"costVsBestReactive":null},"nasa":{"violationsVsAWSEqualCost":null},
		"flipsPerDay":{"engine":0.7142857142857143,"hpa":1.4285714285714286},"faults":{"harmfulRemovals":2}}`, string(raw))
}

func TestChangesOfDirectionAreSummedOverTheLoadsOfASeed(t *testing.T) {
	f := newFigures()
	for _, seed := range []uint64{0, 1} {
		for range 3 {
			f.sum(seed, goalFlips, 10, 2)
		}
	}
	assert.Equal(t, []float64{30, 30}, f.over[goalFlips])
	assert.Equal(t, []float64{6, 6}, f.under[goalFlips])
}

func TestRunRefusesWhatItDoesNotKnow(t *testing.T) {
	for name, o := range map[string]Options{
		"a suite":      {Suite: "all"},
		"a policy":     {Policies: []string{"vpa"}},
		"a target":     {Targets: []float64{1.5}},
		"too short":    {Traces: []Trace{{Name: "x", Counts: make([]float64, 60)}}},
		"many a seed":  {Seeds: 5000},
		"a year":       {Weeks: 52},
		"not a number": {Targets: []float64{math.NaN()}},
	} {
		_, err := Run(t.Context(), o)
		assert.Equal(t, models.KindInvalid, models.KindOf(err), name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Run(ctx, Options{Suite: SuiteFaults, Policies: []string{HPA}})
	require.ErrorIs(t, err, context.Canceled)
}

func TestTheFaultSuiteRunsTheGridAlone(t *testing.T) {
	var done, total int
	r, err := Run(t.Context(), Options{Suite: SuiteFaults, Policies: []string{HPA, KEDA}, Weeks: 2, Seed: 2, Progress: func(d, all int, _ string) { done, total = d, all }})
	require.NoError(t, err)
	assert.Len(t, r.Faults, 26)
	assert.Equal(t, 26, done)
	assert.Equal(t, done, total, "the progress knows how much there is to do")
	assert.Empty(t, r.Rows)
}

func TestASearchFindsWhatASweepDoes(t *testing.T) {
	src, err := recorded(short(), sizing{capacity: 20, factor: 10, smooth: 20})
	require.NoError(t, err)
	h, err := src.make(1)
	require.NoError(t, err)
	for _, load := range []string{NASA, Twitter} { // by the common rule, and matched to a cost
		h.tune.Name, h.tune.ReportFrom = load, lead // on a short load all that counts is little
		s := &run{Options: Options{}.withDefaults(), bench: newBench(2, 0, nil)}
		peers, err := s.bench.run(t.Context(), sweepJobs(PartTune, reactive(), s.Targets, &h.tune))
		require.NoError(t, err)
		swept, err := s.bench.run(t.Context(), sweepJobs(PartTune, []string{Engine}, s.Targets, &h.tune))
		require.NoError(t, err)
		sought, err := s.seek(t.Context(), Engine, peers, &h.tune)
		require.NoError(t, err)
		assert.LessOrEqual(t, len(sought), seekPlanned+1)
		want := pick([]string{Engine}, append(swept, peers...), load, 1)
		got := pick([]string{Engine}, append(sought, peers...), load, 1)
		assert.InDelta(t, want[0].Target, got[0].Target, 0.051, "%s: the same, or its neighbour where the two are as good", load)
		assert.InDelta(t, want[0].ViolationMinutes, got[0].ViolationMinutes, 1, load)
	}
}
