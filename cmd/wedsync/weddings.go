package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/internal/calendar"
	"github.com/wedsync/scalability/internal/config"
	"github.com/wedsync/scalability/models"
)

func weddingsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "weddings",
		Short: "Take weddings from files and calendars, list, book, change and cancel them, make some up",
		Example: `  wedsync weddings import season.csv --source crm-uk --dry-run
  wedsync weddings import https://booking.example/weddings.ics --source crm-uk
  wedsync weddings list --from 2027-06-01 --until 2027-07-01 --region london
  wedsync weddings generate --count 3000 --from 2027-03-20 --until 2027-10-31 --format ics`,
	}
	cmd.AddCommand(weddingsImportCommand(), feedsCommand(), weddingsListCommand(), weddingsShowCommand(),
		weddingsBookCommand(), weddingsChangeCommand(), weddingsCancelCommand(), weddingsGenerateCommand(), weddingsAnonymiseCommand())
	return cmd
}

// platformCall is a call of the API by its address and a token, which come from flags, the
// environment or the running wedsync dev.
type platformCall struct {
	targets
	tokenFile string
}

func (p *platformCall) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.root, "root", devRoot, "folder of the running wedsync dev")
	cmd.Flags().StringVar(&p.api, "api", "", "address of the API (default: WEDSYNC_SITE_URL, or the running wedsync dev)")
	cmd.Flags().StringVar(&p.tokenFile, "token-file", "", "file with a bearer token (default: the running wedsync dev's)")
}

// do sends a request and reads the answer into out, where its status is one of good.
func (p *platformCall) do(ctx context.Context, req *http.Request, out any, good ...int) error {
	cfg, err := config.ForProcess(config.Inspect)
	if err != nil {
		return err
	}
	token := p.resolve(cfg).Tokens.Admin
	if p.tokenFile != "" {
		raw, err := os.ReadFile(p.tokenFile)
		if err != nil {
			return fmt.Errorf("--token-file: %w", err)
		}
		token = strings.TrimSpace(string(raw))
	}
	if token == "" {
		return errors.New("no token: give --token-file, or start wedsync dev")
	}
	target, err := url.Parse(p.api + "/api/scalability" + req.URL.String())
	if err != nil {
		return models.Invalid("--api", p.api, "must be an address such as http://127.0.0.1:8080")
	}
	req = req.WithContext(ctx)
	req.URL, req.Host = target, target.Host
	req.Header.Set("Authorization", "Bearer "+token)
	client := &http.Client{Timeout: time.Minute}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("the API did not answer: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // it was read
	body, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return err
	}
	for _, code := range good {
		if res.StatusCode == code && out == nil {
			return nil
		}
		if res.StatusCode == code {
			return json.Unmarshal(body, out)
		}
	}
	return problemIn(res.StatusCode, body)
}

// problemIn says what an answer that was not good says.
func problemIn(code int, body []byte) error {
	var p gen.Problem
	if err := json.Unmarshal(body, &p); err != nil || p.Title == "" {
		return fmt.Errorf("the API answered %d", code)
	}
	detail := p.Title
	if p.Detail != nil {
		detail = *p.Detail
	}
	if p.Errors != nil && len(*p.Errors) > 0 {
		faults := make([]string, 0, len(*p.Errors))
		for _, e := range *p.Errors {
			value := ""
			if e.Value != nil {
				value = fmt.Sprintf(" %q", *e.Value)
			}
			faults = append(faults, e.Field+value+" "+e.Rule)
		}
		detail = strings.Join(faults, "; ")
	}
	return fmt.Errorf("the API answered %d: %s (request %s)", code, oneLine(detail), p.RequestId)
}

type importFlags struct {
	platformCall
	format, source, region, zone string
	dryRun, whole, asJSON        bool
}

func weddingsImportCommand() *cobra.Command {
	var o importFlags
	cmd := &cobra.Command{
		Use:   "import FILE|URL|-",
		Short: "Take weddings from iCalendar, CSV or JSON lines",
		Long: `Sends a file, or what an address answers, to the API. The same source and reference are the
same wedding, so a repetition changes nothing. All rows are checked first; where one cannot
be taken it is named with its line, and nothing is changed.

Outside production references become pseudonyms, and contacts and free text are dropped.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.source, "source", "", "name of the booking system (required)")
	f.StringVar(&o.format, "format", "", "ics, csv or jsonl (default: by the file's name or its first line)")
	f.StringVar(&o.region, "region", "", "region of weddings that name none")
	f.StringVar(&o.zone, "time-zone", "", "zone of times that name none")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would change, and change nothing")
	f.BoolVar(&o.whole, "whole", false, "the file is all that the source has: what it does not name is cancelled")
	f.BoolVar(&o.asJSON, "json", false, "print the report as JSON")
	_ = cmd.MarkFlagRequired("source")
	return cmd
}

func (o *importFlags) run(cmd *cobra.Command, from string) error {
	data, err := readFrom(cmd, from)
	if err != nil {
		return err
	}
	format, err := o.formatOf(from, data)
	if err != nil {
		return err
	}
	q := url.Values{"source": {o.source}, "dryRun": {strconv.FormatBool(o.dryRun)}, "whole": {strconv.FormatBool(o.whole)}}
	for name, value := range map[string]string{"region": o.region, "timeZone": o.zone} {
		if value != "" {
			q.Set(name, value)
		}
	}
	req, err := http.NewRequestWithContext(cmd.Context(), http.MethodPost, "/weddings/import?"+q.Encode(), bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", map[models.CalendarFormat]string{
		models.FormatICS: "text/calendar", models.FormatCSV: "text/csv", models.FormatJSONL: "application/x-ndjson",
	}[format])
	var report models.ImportReport
	if err := o.do(cmd.Context(), req, &report, http.StatusOK, http.StatusUnprocessableEntity); err != nil {
		return err
	}
	return printReport(cmd.OutOrStdout(), report, o.asJSON)
}

func (o *importFlags) formatOf(from string, data []byte) (models.CalendarFormat, error) {
	if o.format != "" {
		return models.ParseCalendarFormat("--format", o.format)
	}
	if u, err := url.Parse(from); err == nil && u.Scheme != "" {
		from = u.Path
	}
	return calendar.Guess(from, data)
}

// readFrom reads a file, standard input or an address.
func readFrom(cmd *cobra.Command, from string) ([]byte, error) {
	switch {
	case from == "-":
		return io.ReadAll(io.LimitReader(cmd.InOrStdin(), calendar.MaxBytes+1))
	case strings.HasPrefix(from, "http://"), strings.HasPrefix(from, "https://"):
		// The operator may read from wherever this machine may.
		got, err := calendar.NewFetcher(calendar.FetchOptions{AllowPrivate: true}).Fetch(cmd.Context(), models.CalendarFeed{URL: from})
		return got.Data, err
	default:
		return os.ReadFile(from) //nolint:gosec // the operator's own file
	}
}

// printReport writes what an import did; an error where rows could not be taken.
func printReport(out io.Writer, r models.ImportReport, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(r); err != nil {
			return err
		}
	} else {
		for _, n := range r.Notes {
			fmt.Fprintf(out, "note: line %d %s: %s\n", n.Line, n.Reference, oneLine(n.Text))
		}
		for _, f := range r.Faults {
			fmt.Fprintf(out, "line %d %s: %s %q %s\n", f.Line, f.Reference, f.Field, f.Value, oneLine(f.Rule))
		}
		verb := map[bool]string{true: "stored", false: "not stored"}[r.Applied]
		fmt.Fprintf(out, "%d read, %s: %d created, %d changed, %d as they were, %d cancelled, %d older than what is known\n",
			r.Read, verb, r.Created, r.Changed, r.Unchanged, r.Cancelled, r.Stale)
		if r.Anonymised {
			fmt.Fprintf(out, "stored under pseudonyms; %d contacts were dropped\n", r.ContactsDropped)
		}
	}
	if r.Faulty > 0 {
		return fmt.Errorf("%d of %d weddings cannot be taken; nothing was changed", r.Faulty, r.Read)
	}
	return nil
}

func weddingsListCommand() *cobra.Command {
	var p platformCall
	var asJSON bool
	values := map[string]*string{"from": new(string), "until": new(string), "region": new(string), "status": new(string), "coordinator": new(string), "source": new(string)}
	limit := 50
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List weddings by their start, earliest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := url.Values{}
			for name, v := range values {
				if *v == "" {
					continue
				}
				value := *v
				if day, err := time.Parse(time.DateOnly, value); err == nil && (name == "from" || name == "until") {
					value = day.Format(time.RFC3339)
				}
				q.Set(name, value)
			}
			if limit < 1 {
				return models.Invalid("--limit", limit, "must be at least 1")
			}
			found, more, err := p.weddings(cmd.Context(), q, limit)
			if err != nil {
				return err
			}
			if more {
				fmt.Fprintf(cmd.ErrOrStderr(), "there are more than these %d: give a larger --limit\n", limit)
			}
			return printWeddings(cmd.OutOrStdout(), found, asJSON)
		},
	}
	p.flags(cmd)
	f := cmd.Flags()
	f.StringVar(values["from"], "from", "", "not over before this date or time")
	f.StringVar(values["until"], "until", "", "begun before this date or time")
	f.StringVar(values["region"], "region", "", "of this region")
	f.StringVar(values["status"], "status", "", "tentative, confirmed or cancelled (default: all but the cancelled)")
	f.StringVar(values["coordinator"], "coordinator", "", "of this coordinator, as user:anna")
	f.StringVar(values["source"], "source", "", "from this booking system or feed")
	f.IntVar(&limit, "limit", limit, "how many at most")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// weddings reads pages until there are enough, and says whether there are more.
func (p *platformCall) weddings(ctx context.Context, q url.Values, limit int) (all []models.Wedding, more bool, err error) {
	for len(all) < limit {
		q.Set("limit", strconv.Itoa(min(limit-len(all), 100)))
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "/weddings?"+q.Encode(), nil)
		if err != nil {
			return nil, false, err
		}
		var page gen.WeddingPage
		if err := p.do(ctx, req, &page, http.StatusOK); err != nil {
			return nil, false, err
		}
		all = append(all, page.Items...)
		if more = page.NextCursor != nil; !more {
			break
		}
		q.Set("cursor", *page.NextCursor)
	}
	return all, more, nil
}

func printWeddings(out io.Writer, found []models.Wedding, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(append([]models.Wedding{}, found...))
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "DATE\tSTART\tEND\tGUESTS\tSTATUS\tTYPE\tTIER\tREGION\tSOURCE\tREFERENCE")
	for _, m := range found {
		start, end := m.StartsAt, m.EndsAt
		if loc, err := time.LoadLocation(m.TimeZone); err == nil {
			start, end = start.In(loc), end.In(loc)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", m.WeddingDate, start.Format("15:04 MST"), end.Format("02 Jan 15:04"),
			m.Guests, m.Status, m.Type, m.Tier, oneLine(m.Region), m.Source, oneLine(m.Reference))
	}
	return w.Flush()
}
