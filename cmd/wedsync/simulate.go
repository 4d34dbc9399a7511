package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
	_ "time/tzdata" // a season has weddings in many zones, whatever the machine knows

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/internal/replay"
	"github.com/wedsync/scalability/internal/simulate/report"
	"github.com/wedsync/scalability/internal/simulate/suite"
)

func simulateCommand() *cobra.Command {
	var o simulateFlags
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Hold the engine against other autoscalers under the same load",
		Long: `Plays recorded and generated loads second by second on a model of a service: replicas
that take their time to start, nodes, queues with time-outs, a database's ceiling, metrics
that are late or lost. The engine meets HPA on CPU, HPA/KEDA on the rate, KEDA with a cron
floor, Knative's KPA, AWS-style prediction and static peak provisioning. Every policy's
target is chosen on the first 60 % of a load by one rule; the last 40 % are reported.

Suites: "headline" gives the figures that the goals are about, "full" sweeps every policy
at every target under every load, "faults" is the fault grid alone. With --fleet-users a
season's peak Saturday is played over all nine services instead.

The recorded loads are read from --data: traces/nasa_per_second.txt.gz and
traces/twitter_per_second.txt.gz. docs/simulate.md says where they come from, how each
figure is defined and how the report is read.`,
		Example: `  wedsync simulate --suite headline --json
  wedsync simulate --suite full --seeds 20 --out report
  wedsync simulate --suite full --trace requests_per_minute.csv.gz --policies engine,kpa,hpa-cpu
  wedsync simulate --suite faults --seed 7
  wedsync simulate --fleet-users 1000000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("seed") {
				o.seed = uint64(rand.Uint32()) //nolint:gosec // any number will do; it is printed so that the run can be repeated
			}
			if cmd.Flags().Changed("fleet-users") {
				return o.fleet(cmd)
			}
			return o.run(cmd)
		},
	}
	o.flags(cmd)
	return cmd
}

type simulateFlags struct {
	suite, trace, data, out string
	policies                []string
	targets                 []float64
	seeds, weeks            int
	seed                    uint64
	users                   float64
	json                    bool
}

func (o *simulateFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.suite, "suite", suite.SuiteHeadline, "headline, full or faults")
	f.StringVar(&o.trace, "trace", "", "a trace of your own instead of the recorded ones, in the form that wedsync replay reads")
	f.StringVar(&o.data, "data", dataFolder(), "folder of the recorded loads (default: WEDSYNC_DATA)")
	f.StringSliceVar(&o.policies, "policies", nil, "policies of the full suite and the fault grid (default all: "+strings.Join(suite.Policies(), ", ")+")")
	f.Float64SliceVar(&o.targets, "targets", nil, "target utilisations to sweep (default 0.30 to 0.95)")
	f.IntVar(&o.seeds, "seeds", 1, "how many seeds, for intervals")
	f.IntVar(&o.weeks, "weeks", 10, "how long the wedding season is, from 2 to 24 weeks")
	f.Uint64Var(&o.seed, "seed", 0, "first seed (default: a random one, which is printed)")
	f.StringVar(&o.out, "out", "", "folder for report.html, report.json, runs.csv and equal.csv")
	f.BoolVar(&o.json, "json", false, "print one JSON object instead of a table")
	f.Float64Var(&o.users, "fleet-users", 0, "play a season's peak with so many concurrent users over all services")
}

// dataFolder is where public traces are. It is no setting of any process that serves,
// so internal/config, which alone reads those, does not know it: only this command, the
// tests and the benchmarks use the folder.
func dataFolder() string {
	dir, _ := os.LookupEnv("WEDSYNC_DATA")
	return dir
}

func (o *simulateFlags) run(cmd *cobra.Command) error {
	traces, err := o.traces()
	if err != nil {
		return err
	}
	bar := newBar(cmd.ErrOrStderr())
	found, err := suite.Run(cmd.Context(), suite.Options{
		Suite: o.suite, Traces: traces, Policies: o.policies, Targets: o.targets, Weeks: o.weeks,
		Seed: o.seed, Seeds: o.seeds, Progress: bar.show,
	})
	bar.end()
	if err != nil {
		return err
	}
	if o.out != "" {
		if err := report.Write(o.out, found); err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "written: %s\n", filepath.Join(o.out, report.PageFile))
	}
	return o.print(cmd, found)
}

// print writes the result to the standard output, and what is to be said with it to the
// standard error.
func (o *simulateFlags) print(cmd *cobra.Command, found suite.Report) error {
	fmt.Fprintf(cmd.ErrOrStderr(), "suite %s, seed %d, %d in all\n", found.Suite, found.Seed, found.Seeds)
	for _, n := range found.Notes {
		fmt.Fprintln(cmd.ErrOrStderr(), "-", n)
	}
	out := cmd.OutOrStdout()
	switch {
	case o.json && o.suite == suite.SuiteHeadline:
		return json.NewEncoder(out).Encode(found.Headline)
	case o.json:
		found.Pictures = nil
		return report.JSON(out, found)
	case o.suite == suite.SuiteFaults:
		return printFaults(out, found)
	}
	w := tabwriter.NewWriter(out, 2, 8, 2, ' ', 0)
	fmt.Fprintln(w, "FIGURE\tIS\t95 %\tAT MOST\t")
	for _, g := range found.Goals {
		interval, verdict := "", "missed"
		if g.Interval.Seeds > 1 {
			interval = fmt.Sprintf("%.3f–%.3f", g.Interval.Low, g.Interval.High)
		}
		if g.Met {
			verdict = "met"
		}
		fmt.Fprintf(w, "%s\t%.3f\t%s\t%.3f\t%s\n", g.Name, g.Interval.Value, interval, g.AtMost, verdict)
	}
	return w.Flush()
}

func printFaults(out io.Writer, found suite.Report) error {
	w := tabwriter.NewWriter(out, 2, 8, 2, ' ', 0)
	fmt.Fprintln(w, "FAULT\tPOLICY\tSEED\tHARMFUL REMOVALS\tVIOLATION MINUTES\tREPLICA-HOURS\tDEFICITS")
	for _, f := range found.Faults {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%.0f\t%.0f\t%d\n", f.Fault, f.Policy, f.Seed, f.HarmfulRemovals, f.ViolationMinutes, f.ReplicaHours, f.Deficits)
	}
	return w.Flush()
}

// traces reads the recorded loads: one that was named, or those of the data folder. The
// headline needs them all; the full suite does with what there is.
func (o *simulateFlags) traces() ([]suite.Trace, error) {
	if o.suite == suite.SuiteFaults {
		return nil, nil
	}
	if o.trace != "" {
		name, _, _ := strings.Cut(filepath.Base(o.trace), ".")
		t, err := readTrace(name, o.trace)
		return []suite.Trace{t}, err
	}
	var all []suite.Trace
	for _, name := range []string{suite.Twitter, suite.NASA} {
		path := filepath.Join(o.data, "traces", name+"_per_second.txt.gz")
		t, err := readTrace(name, path)
		switch {
		case err == nil:
			all = append(all, t)
		case o.suite == suite.SuiteHeadline && o.data == "":
			return nil, errors.New("the headline needs the recorded loads: set WEDSYNC_DATA or --data to the folder that has traces/ (docs/simulate.md says where they come from)")
		case o.suite == suite.SuiteHeadline || !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	return all, nil
}

// readTrace turns a trace into counts per second. A missing period has the count of the
// one before; a minute's requests are spread over its seconds, around which the suite
// draws.
func readTrace(name, path string) (suite.Trace, error) {
	t, err := replay.ReadFile(path)
	if err != nil {
		return suite.Trace{}, err
	}
	each := int(t.Period / time.Second)
	out := suite.Trace{Name: name, Start: t.Start, Counts: make([]float64, 0, t.Len()*each)}
	held := 0.0
	for i := range t.Len() {
		if count, ok := t.Count(i); ok {
			held = count / float64(each)
		}
		for range each {
			out.Counts = append(out.Counts, held)
		}
	}
	return out, nil
}

// fleet plays a peak over all services.
func (o *simulateFlags) fleet(cmd *cobra.Command) error {
	bar := newBar(cmd.ErrOrStderr())
	found, err := suite.RunFleet(cmd.Context(), suite.FleetOptions{Users: o.users, Shares: replay.PlatformShares(), Seed: o.seed, Progress: bar.show})
	bar.end()
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if o.json {
		return json.NewEncoder(out).Encode(found)
	}
	fmt.Fprintf(out, "%.0f users at the busiest second of a Saturday with %d weddings, seed %d\n", found.Users, found.Weddings, o.seed)
	w := tabwriter.NewWriter(out, 2, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "SERVICE\tPEAK REQ/S\tPEAK REPLICAS\tVIOLATION MINUTES\tREPLICA-HOURS\tSTATIC PEAK\tDECISIONS/S\t")
	for _, s := range found.Services {
		fmt.Fprintf(w, "%s\t%.0f\t%d\t%.0f\t%.0f\t%.0f\t%.0f\t\n", s.Service, s.PeakRPS, s.PeakReplicas, s.ViolationMinutes, s.ReplicaHours, s.StaticReplicaHours, s.DecisionsPerSecond)
	}
	return w.Flush()
}

// bar shows a person how far a suite is; others see nothing.
type bar struct {
	w     io.Writer
	live  bool
	began time.Time
	shown time.Time
}

func newBar(w io.Writer) *bar { return &bar{w: w, live: isTerminal(w), began: time.Now()} }

func (b *bar) show(done, total int, what string) {
	now := time.Now()
	if !b.live || total == 0 || done < total && now.Sub(b.shown) < 100*time.Millisecond {
		return
	}
	b.shown = now
	_, _ = io.WriteString(b.w, "\r\033[K"+barLine(done, total, now.Sub(b.began), what)) // progress is a courtesy
}

func (b *bar) end() {
	if b.live {
		_, _ = io.WriteString(b.w, "\r\033[K")
	}
}

// barLine is one state of the bar.
func barLine(done, total int, took time.Duration, what string) string {
	const width = 30
	full := width * done / total
	left := (took / time.Duration(max(1, done)) * time.Duration(total-done)).Round(time.Second)
	return fmt.Sprintf("[%s%s] %3d %%  %s left  %s", strings.Repeat("█", full), strings.Repeat("·", width-full), 100*done/total, left, what)
}
