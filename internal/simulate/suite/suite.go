package suite

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/wedsync/scalability/internal/simulate"
	"github.com/wedsync/scalability/models"
)

// The suites.
const (
	SuiteHeadline = "headline" // what the goals are read from
	SuiteFull     = "full"     // every policy at every target under every load
	SuiteFaults   = "faults"   // the fault grid alone
)

// Options say what is run. Zero values are the defaults.
type Options struct {
	Suite    string
	Traces   []Trace
	Policies []string  // of the full suite and the fault grid; nil = all
	Targets  []float64 // utilisations that are swept; nil = from 0.30 to 0.95
	Weeks    int       // of the wedding season; 0 = 10
	Seed     uint64
	Seeds    int // 1
	Workers  int // runs at a time; 0 = one a core
	Progress Progress
}

func (o Options) withDefaults() Options {
	if o.Suite == "" {
		o.Suite = SuiteHeadline
	}
	if len(o.Policies) == 0 {
		o.Policies = Policies()
	}
	if len(o.Targets) == 0 {
		o.Targets = targets()
	}
	if o.Weeks == 0 {
		o.Weeks = 10
	}
	o.Seeds = max(1, o.Seeds)
	return o
}

func (o Options) validate() error {
	if !slices.Contains([]string{SuiteHeadline, SuiteFull, SuiteFaults}, o.Suite) {
		return models.Invalid("suite", o.Suite, "must be headline, full or faults")
	}
	for _, p := range o.Policies {
		if !slices.Contains(Policies(), p) {
			return models.Invalid("policies", p, "must be of "+strings.Join(Policies(), ", "))
		}
	}
	for _, t := range o.Targets {
		if !(t >= 0.1 && t <= 0.95) {
			return models.Invalid("targets", t, "must be from 0.1 to 0.95")
		}
	}
	if o.Weeks < 2 || o.Weeks > 24 {
		return models.Invalid("weeks", o.Weeks, "must be from 2 to 24")
	}
	if o.Seeds > 1000 {
		return models.Invalid("seeds", o.Seeds, "must be at most 1000")
	}
	return nil
}

// Report is all that a suite found.
type Report struct {
	Suite    string    `json:"suite"`
	Seed     uint64    `json:"seed"` // the first one
	Seeds    int       `json:"seeds"`
	Headline Headline  `json:"headline"`
	Goals    []Goal    `json:"goals"`
	Rows     []Row     `json:"rows"` // every run, tuned parts too
	Chosen   []Row     `json:"chosen"`
	Steps    []Step    `json:"steps"`
	Faults   []Fault   `json:"faults"`
	Scalars  []Scalar  `json:"scalars"`
	Decision Decisions `json:"decision"`
	Pictures []Picture `json:"pictures"`
	Notes    []string  `json:"notes"`
}

// Picture is the course of one policy over the busiest day of a load.
type Picture struct {
	Load    string            `json:"load"`
	Policy  string            `json:"policy"`
	Target  float64           `json:"target"`
	Replica float64           `json:"replicaRps"` // what one replica serves, requests per second
	Minutes []simulate.Minute `json:"minutes"`
}

// Run runs a suite.
func Run(ctx context.Context, o Options) (Report, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return Report{}, err
	}
	sources := []source{weddings(o.Weeks)}
	for _, t := range o.Traces {
		s, err := recorded(t, sizingOf(t))
		if err != nil {
			return Report{}, err
		}
		sources = append(sources, s)
	}
	s := &run{Options: o, figures: newFigures(), report: Report{Suite: o.Suite, Seed: o.Seed, Seeds: o.Seeds}}
	if o.Suite == SuiteFaults {
		sources = sources[:1]
	}
	s.bench = newBench(o.Workers, s.planned(sources), o.Progress)
	for i := range o.Seeds {
		if err := s.seed(ctx, sources, o.Seed+uint64(i), i == 0); err != nil {
			return Report{}, err
		}
	}
	s.conclude()
	return s.report, nil
}

type run struct {
	Options
	bench   *bench
	figures figures
	report  Report
}

// seed runs all that one seed has. Loads are made one after the other: each is some ten
// million bytes.
func (s *run) seed(ctx context.Context, sources []source, seed uint64, first bool) error {
	for _, src := range sources {
		h, err := src.make(seed)
		if err != nil {
			return fmt.Errorf("load %s: %w", src.name, err)
		}
		if s.Suite != SuiteFaults {
			if err := s.contest(ctx, h, first); err != nil {
				return err
			}
		}
		if src.name == Wedding {
			day := busiestDay(h.report)
			if err := s.faults(ctx, day); err != nil {
				return err
			}
			if first {
				s.report.Decision = timed(day)
			}
		}
	}
	if s.Suite == SuiteFaults {
		return nil
	}
	return s.steps(ctx, seed)
}

// contest sweeps, tunes and reports one load under one seed.
func (s *run) contest(ctx context.Context, h halves, first bool) error {
	c := s.contestOf(h.report.Name)
	full, sought := c.tuned, []string(nil)
	if s.Suite == SuiteHeadline {
		full, sought = slices.DeleteFunc(slices.Clone(c.tuned), ours), slices.DeleteFunc(slices.Clone(c.tuned), peer)
	}
	rows, err := s.bench.run(ctx, append(sweepJobs(PartTune, full, s.Targets, &h.tune), sweepJobs(PartReport, c.swept, s.Targets, &h.report)...))
	if err != nil {
		return err
	}
	for _, p := range sought {
		found, err := s.seek(ctx, p, rows, &h.tune)
		if err != nil {
			return err
		}
		rows = append(rows, found...)
	}
	chosen, err := s.chosen(ctx, c, rows, &h.report)
	if err != nil {
		return err
	}
	s.report.Rows = append(append(s.report.Rows, rows...), chosen...)
	s.report.Chosen = append(s.report.Chosen, chosen...)
	s.figures.load(h.report.Name, h.report.Seed, rows, chosen)
	s.scalars(h.report.Name, h.report.Seed, rows)
	if !first {
		return nil
	}
	return s.pictures(ctx, c, chosen, busiestDay(h.report))
}

func sweepJobs(part string, policies []string, targets []float64, scenario *simulate.Scenario) []job {
	var jobs []job
	for _, p := range policies {
		for _, t := range targets {
			jobs = append(jobs, job{part: part, policy: p, target: t, scenario: scenario})
		}
	}
	return jobs
}

// contest says which policies meet under a load: tuned on its first part, and swept on
// the reported one for a comparison at equal cost or equal violations.
type contest struct {
	tuned, swept []string
	drawn        []string // in pictures
}

func (s *run) contestOf(load string) contest {
	if s.Suite == SuiteFull {
		return contest{tuned: s.Policies, swept: s.Policies, drawn: s.Policies}
	}
	switch load {
	case Wedding:
		return contest{[]string{Engine, KPA, HPA}, []string{HPA, KEDA}, []string{Engine, KPA, HPA}}
	case NASA:
		return contest{[]string{Engine, HPA}, []string{AWS}, []string{Engine, HPA}}
	default:
		return contest{append([]string{Engine}, reactive()...), nil, []string{Engine, HPA, KPA}}
	}
}

// chosen runs the reported part at the targets that the first part chose.
func (s *run) chosen(ctx context.Context, c contest, rows []Row, report *simulate.Scenario) ([]Row, error) {
	picked := pick(c.tuned, rows, report.Name, report.Seed)
	jobs := make([]job, 0, len(picked))
	for _, p := range picked {
		jobs = append(jobs, job{part: PartReport, policy: p.Policy, target: p.Target, scenario: report})
	}
	return s.bench.run(ctx, jobs)
}

// pictures runs the busiest day again and keeps its course.
func (s *run) pictures(ctx context.Context, c contest, chosen []Row, day simulate.Scenario) error {
	var jobs []job
	for _, r := range chosen {
		if slices.Contains(c.drawn, r.Policy) {
			jobs = append(jobs, job{part: PartReport, policy: r.Policy, target: r.Target, scenario: &day, pictured: true})
		}
	}
	rows, err := s.bench.run(ctx, jobs)
	for _, r := range rows {
		s.report.Pictures = append(s.report.Pictures, Picture{day.Name, r.Policy, r.Target, day.Service.CapacityRPS, r.Minutes})
	}
	return err
}

// faults runs the fault grid.
func (s *run) faults(ctx context.Context, day simulate.Scenario) error {
	grid := faultGrid(day)
	var jobs []job
	for i := range grid {
		jobs = append(jobs, sweepJobs(PartReport, s.faulty(), []float64{day.Service.Policy.TargetUtilisation}, &grid[i])...)
	}
	rows, err := s.bench.run(ctx, jobs)
	for _, r := range rows {
		s.report.Faults = append(s.report.Faults, faultOf(r))
	}
	return err
}

// faulty are the policies of the fault grid.
func (s *run) faulty() []string {
	if s.Suite == SuiteHeadline {
		return []string{Engine}
	}
	return s.Policies
}

// steps runs the step at all phases, and keeps the worst over the seeds.
func (s *run) steps(ctx context.Context, seed uint64) error {
	rows, err := s.bench.run(ctx, stepJobs(s.stepped(), steps(seed)))
	if err != nil {
		return err
	}
	for _, p := range s.stepped() {
		s.report.Steps = mergeStep(s.report.Steps, stepResult(p, rows))
	}
	return nil
}

func (s *run) stepped() []string {
	if s.Suite == SuiteHeadline {
		return []string{Engine, HPA}
	}
	return s.Policies
}

// planned counts the runs of all seeds, for the progress.
func (s *run) planned(sources []source) int {
	grid := len(s.faulty()) * len(faultGrid(simulate.Scenario{Load: make([]float64, 60)}))
	if s.Suite == SuiteFaults {
		return s.Seeds * grid
	}
	each, once := grid+len(s.stepped())*stepPhases, 0
	for _, src := range sources {
		c := s.contestOf(src.name)
		each += (len(c.tuned)+len(c.swept))*len(s.Targets) + len(c.tuned)
		if s.Suite == SuiteHeadline {
			each -= len(s.Targets) - seekPlanned
		}
		once += len(c.drawn)
	}
	return s.Seeds*each + once
}
