package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

func seasonCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "season",
		Short: "Plan a season, agree to its plan, and see how its preparation stands",
		Long: `Speaks to the API, with a token that may manage for what changes something.

A season is prepared from 35 days ahead: its load is forecast, a plan waits for a person,
gates prove that it can be met, and each week's floors are reserved.`,
		Example: `  wedsync season plan northern-summer-2027 --from 2027-03-20 --until 2027-10-31 --zone Europe/London
  wedsync season plan northern-summer-2027
  wedsync season approve northern-summer-2027 --reason "as we discussed on Monday"
  wedsync season status northern-summer-2027
  wedsync season amend northern-summer-2027 --service api --week 2027-06-12 --peak 60 --reason "two fairs"
  wedsync season skip-gate northern-summer-2027 load_test --reason "shown by the test of May"`,
	}
	cmd.AddCommand(seasonPlanCommand(), seasonStatusCommand(), seasonAmendCommand(),
		seasonAnswerCommand("approve", "Agree to the plan that waits", cobra.ExactArgs(1)),
		seasonAnswerCommand("reject", "Say no to the plan that waits", cobra.ExactArgs(1)),
		seasonAnswerCommand("skip-gate", "Leave a gate out: quota, load_test, game_day, freeze or rehearsal", cobra.ExactArgs(2)),
		seasonAnswerCommand("cancel", "End the preparation and release what it reserved", cobra.ExactArgs(1)))
	return cmd
}

// ask sends one request that is answered with 200 or 202.
func (p *platformCall) ask(cmd *cobra.Command, method, path string, in, out any) error {
	return p.askFor(cmd, question{method, path, in, out}, http.StatusOK, http.StatusAccepted)
}

// question is one request of the API: in is its body unless nil, out takes the answer.
type question struct {
	method, path string
	in, out      any
}

// askFor sends one request, and reads the answer where its status is one of good.
func (p *platformCall) askFor(cmd *cobra.Command, q question, good ...int) error {
	var body io.Reader
	if q.in != nil {
		raw, err := json.Marshal(q.in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(cmd.Context(), q.method, q.path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	return p.do(cmd.Context(), req, q.out, good...)
}

func seasonPath(id string) string { return "/seasons/" + url.PathEscape(id) }

func seasonPlanCommand() *cobra.Command {
	var p platformCall
	var start gen.SeasonStart
	var o amendment
	var name string
	var version int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "plan ID",
		Short: "Show the capacity plan of a season, or with --from and --until begin its preparation",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if start.From != "" || start.Until != "" {
				start.Id, start.Name, start.Bounds = args[0], orAbsent(name), o.givenBounds(cmd)
				return p.begin(cmd, start)
			}
			path := seasonPath(args[0]) + "/plan"
			if cmd.Flags().Changed("version") {
				path += "?version=" + strconv.Itoa(version)
			}
			var plan models.SeasonPlan
			if err := p.ask(cmd, http.MethodGet, path, nil, &plan); err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), plan)
			}
			return showPlan(cmd.OutOrStdout(), plan)
		},
	}
	p.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&start.From, "from", "", "first day, as 2027-03-20")
	f.StringVar(&start.Until, "until", "", "last day, as 2027-10-31")
	f.StringVar(&start.TimeZone, "zone", "UTC", "zone of its days")
	f.StringVar(&name, "name", "", "for people (default: the ID)")
	f.IntVar(&version, "version", 0, "of the plan that is shown (default: the one that waits, else the one in effect)")
	f.BoolVar(&asJSON, "json", false, "print the plan as JSON")
	o.bounds(cmd)
	return cmd
}

// begin starts a preparation.
func (p *platformCall) begin(cmd *cobra.Command, start gen.SeasonStart) error {
	for flag, value := range map[string]string{"--from": start.From, "--until": start.Until} {
		if value == "" {
			return models.Invalid(flag, "", "is required to begin a preparation")
		}
	}
	var run models.WorkflowRun
	if err := p.ask(cmd, http.MethodPost, "/seasons", start, &run); err != nil {
		return err
	}
	if run.AlreadyRunning {
		return fmt.Errorf("%s is prepared already, and goes on with its own days: see wedsync season status %s", start.Id, start.Id)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s runs; its plan follows within a minute: wedsync season plan %s\n", run.WorkflowID, start.Id)
	return nil
}

func showPlan(out io.Writer, p models.SeasonPlan) error {
	fmt.Fprintf(out, "plan %d, %s: %s\n", p.Version, p.Status, oneLine(p.Sentence))
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "SERVICE\tWEEK\tFLOOR\tPEAK\tWEDDINGS\tGUESTS\tCOST\tHELD BY")
	for _, x := range p.Weeks {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%.2f\t%s\n", x.Service, x.From.UTC().Add(12*time.Hour).Format(time.DateOnly), x.Floor, x.Peak, x.Weddings, x.Guests, x.Cost, orNothing(x.Bound))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, d := range p.Deficits {
		fmt.Fprintf(out, "deficit: %s\n", oneLine(d.Text))
		for _, r := range d.Remedies {
			fmt.Fprintf(out, "  – %s\n", oneLine(r))
		}
	}
	return nil
}

func seasonStatusCommand() *cobra.Command {
	var p platformCall
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status [ID]",
		Short: "Show how the preparation of a season stands, or list the seasons",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				var s models.Season
				if err := p.ask(cmd, http.MethodGet, seasonPath(args[0]), nil, &s); err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), s)
				}
				return showSeason(cmd.OutOrStdout(), s)
			}
			var list gen.SeasonList
			if err := p.ask(cmd, http.MethodGet, "/seasons", nil, &list); err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), list.Items)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "SEASON\tPHASE\tOUTCOME\tSENTENCE")
			for _, s := range list.Items {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.ID, s.Phase, orNothing(string(s.Outcome)), oneLine(s.Sentence))
			}
			return w.Flush()
		},
	}
	p.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func showSeason(out io.Writer, s models.Season) error {
	fmt.Fprintf(out, "%s: %s %s\n%s\nplans: approved %d, in effect %d, waiting %d\n", s.ID, s.Phase, s.Outcome, oneLine(s.Sentence), s.Approved, s.Effective, s.Proposed)
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, g := range s.Gates {
		fmt.Fprintf(w, "gate %s\t%s\tattempt %d\t%s\n", g.Gate, g.Status, g.Attempts, oneLine(g.Text))
		for _, r := range g.Remedies {
			fmt.Fprintf(w, "\t\t\t– %s\n", oneLine(r))
		}
	}
	for _, c := range s.Proofs {
		fmt.Fprintf(w, "certificate %s\t%.1f requests/s a replica\t%d replicas\tuntil %s\n", c.Service, c.CapacityRPS, c.MaxReplicas, c.ExpiresAt.Format("2006-01-02"))
	}
	return w.Flush()
}

// seasonAnswerCommand is a person's word to a preparation.
func seasonAnswerCommand(action, short string, args cobra.PositionalArgs) *cobra.Command {
	var p platformCall
	var reason string
	var version int
	use := action + " ID"
	if action == "skip-gate" {
		use += " GATE"
	}
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  args,
		RunE: func(cmd *cobra.Command, args []string) error {
			in := map[string]any{"reason": reason}
			if len(args) == 2 {
				in["gate"] = args[1]
			}
			if version > 0 {
				in["version"] = version
			}
			var answer models.SeasonAnswer
			if err := p.ask(cmd, http.MethodPost, seasonPath(args[0])+"/"+action, in, &answer); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), oneLine(answer.Text))
			return nil
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record")
	if action == "approve" || action == "reject" {
		cmd.Flags().IntVar(&version, "version", 0, "of the plan, so that no other is meant (default: the one that waits)")
	}
	_ = cmd.MarkFlagRequired("reason") // the flag is there
	return cmd
}
