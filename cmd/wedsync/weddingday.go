package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

func weddingDayCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "wedding-day",
		Short: "See how a wedding day stands, start it, extend or end its weddings, raise its floors",
		Long: `Speaks to the API. A day is named by the date of its ceremonies, in the venues' own zones;
dates of the week ahead start by themselves.`,
		Example: `  wedsync wedding-day list
  wedsync wedding-day show 2027-06-12
  wedsync wedding-day extend 2027-06-12 --wedding 0192… --until 2027-06-13T02:00:00+01:00 --reason "the band plays on"
  wedsync wedding-day raise-floor 2027-06-12 --service media --replicas 12 --hours 3 --reason "a live stream"
  wedsync wedding-day end 2027-06-12 --wedding 0192… --reason "all have left"`,
	}
	cmd.AddCommand(dayListCommand(), dayShowCommand(), dayStartCommand(), dayExtendCommand(), dayEndCommand(), dayRaiseCommand(), dayCancelCommand())
	return cmd
}

// dayCall is a call about one day.
type dayCall struct {
	platformCall
	region, reason, wedding string
}

// command makes one that takes a date and, where it changes something, a reason.
func (d *dayCall) command(use, short string, reasoned bool, run func(cmd *cobra.Command, date string) error) *cobra.Command {
	cmd := &cobra.Command{
		Use: use + " DATE", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return run(cmd, args[0]) },
	}
	d.flags(cmd)
	cmd.Flags().StringVar(&d.region, "region", "", "of a day that is one region's (default: that of all)")
	if reasoned {
		cmd.Flags().StringVar(&d.reason, "reason", "", "why, for the record")
		_ = cmd.MarkFlagRequired("reason") // the flag is there
	}
	return cmd
}

func (d *dayCall) path(date, action string) string {
	path := "/wedding-days/" + url.PathEscape(date) + action
	if d.region != "" {
		path += "?" + url.Values{"region": {d.region}}.Encode()
	}
	return path
}

// say sends a command, and prints what the day answers.
func (d *dayCall) say(cmd *cobra.Command, date, action string, in any) error {
	var answer models.WeddingDayAnswer
	if err := d.ask(cmd, http.MethodPost, d.path(date, action), in, &answer); err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), oneLine(answer.Text))
	return nil
}

func dayListCommand() *cobra.Command {
	var p platformCall
	var from, until string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List wedding days by date, from today on", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" {
				from = time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly) // it is yesterday somewhere
			}
			q := url.Values{"from": {from}}
			if until != "" {
				q.Set("until", until)
			}
			var list gen.WeddingDayList
			if err := p.ask(cmd, http.MethodGet, "/wedding-days?"+q.Encode(), nil, &list); err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), list.Items)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "DATE\tREGION\tPHASE\tWEDDINGS\tGUESTS\tHOW IT STANDS")
			for _, x := range list.Items {
				fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\n", x.Date, orNothing(oneLine(x.Region)), x.Phase, x.Weddings, x.Guests, oneLine(x.Text))
			}
			return w.Flush()
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&from, "from", "", "first date (default: yesterday)")
	cmd.Flags().StringVar(&until, "until", "", "last date")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func dayShowCommand() *cobra.Command {
	var d dayCall
	var asJSON bool
	cmd := d.command("show", "Show a day's phase, floors, check-list, what happened and its report", false, func(cmd *cobra.Command, date string) error {
		var day models.WeddingDay
		if err := d.ask(cmd, http.MethodGet, d.path(date, ""), nil, &day); err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), day)
		}
		return showDay(cmd.OutOrStdout(), day)
	})
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func showDay(out io.Writer, d models.WeddingDay) error {
	fmt.Fprintf(out, "%s: %s\n%s\n", d.Date, d.Phase, oneLine(d.Text))
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, s := range d.Windows {
		fmt.Fprintf(w, "strict thresholds\t%s\tuntil %s\n", clockOf(s.From), clockOf(s.Until))
	}
	for _, f := range d.Floors {
		fmt.Fprintf(w, "floor %s\t%s\tuntil %s\t%d replicas\t%d guests\n", f.Service, clockOf(f.From), clockOf(f.Until), f.Replicas, f.Guests)
	}
	for _, c := range d.Checks {
		fmt.Fprintf(w, "check %s\t%s\t%s\t%s\n", c.Name, orNothing(string(c.Verdict)), oneLine(c.Text), oneLine(c.Remedy))
	}
	if d.Report != nil {
		for _, u := range d.Report.Services {
			fmt.Fprintf(w, "use %s\tpromised %d replicas, %.1f h\tused %d, %.1f h\tcost %.2f\t%d minutes above a strict threshold\n",
				u.Service, u.PeakFloor, u.PromisedHours, u.PeakReplicas, u.UsedHours, u.Cost, u.ViolationMinutes)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, n := range d.Notes {
		fmt.Fprintf(out, "%s %s%s\n", clockOf(n.At), map[models.FlagLevel]string{models.FlagWarning: "warning: ", models.FlagPage: "page: "}[n.Level], oneLine(n.Text))
	}
	return nil
}

func clockOf(t time.Time) string { return t.UTC().Format("02 Jan 15:04 MST") }

func dayStartCommand() *cobra.Command {
	var d dayCall
	return d.command("start", "Start the workflow of a date", false, func(cmd *cobra.Command, date string) error {
		in := gen.WeddingDayStart{Date: date}
		if d.region != "" {
			in.Region = &d.region
		}
		var run models.WorkflowRun
		if err := d.ask(cmd, http.MethodPost, "/wedding-days", in, &run); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), started(run))
		return nil
	})
}

// started says whether a run was started or is one that ran already.
func started(run models.WorkflowRun) string {
	if run.AlreadyRunning {
		return run.WorkflowID + " runs already, and goes on as it is"
	}
	return run.WorkflowID + " runs"
}

func dayExtendCommand() *cobra.Command {
	var d dayCall
	var until string
	cmd := d.command("extend", "Let a wedding last longer, by at most 12 hours", true, func(cmd *cobra.Command, date string) error {
		at, err := momentOf("--until", until, 0)
		if err != nil {
			return err
		}
		return d.say(cmd, date, "/extend", gen.WeddingExtension{WeddingId: d.wedding, Until: at, Reason: d.reason})
	})
	cmd.Flags().StringVar(&d.wedding, "wedding", "", "ID of the wedding (wedsync weddings list --json)")
	cmd.Flags().StringVar(&until, "until", "", "when the last guest leaves, as 2027-06-13T02:00:00+01:00")
	_, _ = cmd.MarkFlagRequired("wedding"), cmd.MarkFlagRequired("until") // the flags are there
	return cmd
}

func dayEndCommand() *cobra.Command {
	var d dayCall
	cmd := d.command("end", "End a wedding now, or all of the day", true, func(cmd *cobra.Command, date string) error {
		in := gen.WeddingEnd{Reason: d.reason}
		if d.wedding != "" {
			in.WeddingId = &d.wedding
		}
		return d.say(cmd, date, "/end", in)
	})
	cmd.Flags().StringVar(&d.wedding, "wedding", "", "ID of the wedding (default: all of the day)")
	return cmd
}

func dayRaiseCommand() *cobra.Command {
	var d dayCall
	var service string
	var replicas int
	var hours float64
	cmd := d.command("raise-floor", "Keep at least so many replicas of a service, for at most 24 hours", true, func(cmd *cobra.Command, date string) error {
		name, err := models.ParseServiceName("--service", service)
		if err != nil {
			return err
		}
		until := time.Now().Add(time.Duration(hours * float64(time.Hour))).UTC().Truncate(time.Second)
		return d.say(cmd, date, "/raise-floor", gen.FloorRaise{Service: &name, Replicas: replicas, Until: until, Reason: d.reason})
	})
	cmd.Flags().StringVar(&service, "service", string(models.ServiceAPI), "whose floor")
	cmd.Flags().IntVar(&replicas, "replicas", 0, "that are kept at least")
	cmd.Flags().Float64Var(&hours, "hours", 1, "for how long, from now")
	_ = cmd.MarkFlagRequired("replicas") // the flag is there
	return cmd
}

func dayCancelCommand() *cobra.Command {
	var d dayCall
	return d.command("cancel", "End a day's workflow and release what it reserved; the calendar stays", true, func(cmd *cobra.Command, date string) error {
		var got gen.WorkflowReceipt
		if err := d.ask(cmd, http.MethodPost, d.path(date, "/cancel"), gen.WorkflowCancel{Reason: d.reason}, &got); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), oneLine(got.Text))
		return nil
	})
}
