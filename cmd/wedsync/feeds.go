package main

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

func feedsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "feeds",
		Short: "See how old the calendar is; add, change and remove the feeds that it is read from",
		Example: `  wedsync weddings feeds
  wedsync weddings feeds add --url https://booking.example/weddings.ics --format ics --source crm-uk
  wedsync weddings feeds change 0192… --every 300
  wedsync weddings feeds change 0192… --enabled=false`,
		Args: cobra.NoArgs,
	}
	var p platformCall
	p.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var c models.CalendarStatus
		if err := p.ask(cmd, http.MethodGet, "/calendar", nil, &c); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", c.Alarm, oneLine(c.Text))
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
		if len(c.Feeds) > 0 {
			fmt.Fprintln(w, "ID\tSOURCE\tHOST\tEVERY\tENABLED\tREAD\tALARM\tWEDDINGS\tLAST ERROR")
		}
		for _, f := range c.Feeds {
			read := "never"
			if f.LastReadAt != nil {
				read = (time.Duration(f.AgeSeconds) * time.Second).String() + " ago"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%t\t%s\t%s\t%d\t%s\n", f.ID, f.Source, f.Host, time.Duration(f.EverySeconds)*time.Second, f.Enabled, read, f.Alarm, f.Weddings, oneLine(f.LastError))
		}
		return w.Flush()
	}
	cmd.AddCommand(feedAddCommand(), feedChangeCommand(), feedRemoveCommand())
	return cmd
}

func feedFlags(cmd *cobra.Command, in *gen.CalendarFeedInput) {
	in.Region, in.TimeZone, in.EverySeconds, in.Enabled = new(string), new(string), new(int), new(bool)
	f := cmd.Flags()
	f.StringVar(&in.Url, "url", "", "http or https address; it may hold a secret")
	f.StringVar((*string)(&in.Format), "format", "", "ics, csv or jsonl")
	f.StringVar(in.Region, "region", "", "of weddings that name none")
	f.StringVar(in.TimeZone, "time-zone", "", "of times that name none")
	f.IntVar(in.EverySeconds, "every", 900, "seconds between two readings, 60 to 86400")
	f.BoolVar(in.Enabled, "enabled", true, "whether it is read")
}

func feedAddCommand() *cobra.Command {
	var p platformCall
	var in gen.CalendarFeedInput
	cmd := &cobra.Command{
		Use: "add", Short: "Read weddings from an address at intervals", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.feed(cmd, question{method: http.MethodPost, path: "/calendar/feeds", in: in}, http.StatusCreated)
		},
	}
	p.flags(cmd)
	feedFlags(cmd, &in)
	cmd.Flags().StringVar(&in.Source, "source", "", "name of the booking system")
	for _, name := range []string{"url", "format", "source"} {
		_ = cmd.MarkFlagRequired(name) // the flag is there
	}
	return cmd
}

// feed sends what a feed is to be. The answer's address stays unprinted: it may hold a secret.
func (p *platformCall) feed(cmd *cobra.Command, q question, good int) error {
	var f models.CalendarFeed
	q.out = &f
	if err := p.askFor(cmd, q, good); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s from %s, every %s, enabled: %t\n", f.ID, f.Source, f.Host(), time.Duration(f.EverySeconds)*time.Second, f.Enabled)
	return nil
}

func feedChangeCommand() *cobra.Command {
	var p platformCall
	var in gen.CalendarFeedInput
	cmd := &cobra.Command{
		Use: "change ID", Short: "Change a feed, or switch it off and on: what is not given stays", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var list gen.CalendarFeedList
			if err := p.ask(cmd, http.MethodGet, "/calendar/feeds", nil, &list); err != nil {
				return err
			}
			at := slices.IndexFunc(list.Items, func(f models.CalendarFeed) bool { return f.ID == args[0] })
			if at < 0 {
				return models.NotFound("id", args[0])
			}
			was, given := list.Items[at], cmd.Flags().Changed
			in.Source = was.Source
			if !given("url") {
				in.Url = was.URL
			}
			if !given("format") {
				in.Format = gen.CalendarFeedInputFormat(was.Format)
			}
			for name, keep := range map[string]func(){
				"region": func() { *in.Region = was.Region }, "time-zone": func() { *in.TimeZone = was.TimeZone },
				"every": func() { *in.EverySeconds = was.EverySeconds }, "enabled": func() { *in.Enabled = was.Enabled },
			} {
				if !given(name) {
					keep()
				}
			}
			return p.feed(cmd, question{method: http.MethodPut, path: "/calendar/feeds/" + url.PathEscape(args[0]), in: in}, http.StatusOK)
		},
	}
	p.flags(cmd)
	feedFlags(cmd, &in)
	return cmd
}

func feedRemoveCommand() *cobra.Command {
	var p platformCall
	cmd := &cobra.Command{
		Use: "remove ID", Short: "Read a feed no more; its weddings stay", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.askFor(cmd, question{method: http.MethodDelete, path: "/calendar/feeds/" + url.PathEscape(args[0])}, http.StatusNoContent); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "It is read no more; its weddings stay as they are.")
			return nil
		},
	}
	p.flags(cmd)
	return cmd
}
