package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/internal/backfill"
	"github.com/wedsync/scalability/internal/store"
	"github.com/wedsync/scalability/models"
)

// backfillRows are stored at once.
const backfillRows = 2000

func backfillCommand() *cobra.Command {
	var o backfillFlags
	cmd := &cobra.Command{
		Use:   "backfill",
		Short: "Load the past of a service, so that forecasts need not wait for it",
		Long: `Loads the load of the past, joined to hours, into the database that DATABASE_URL names, or
that of the running wedsync dev. Hours that this platform measured itself stay as they are;
loading the same again changes nothing.

A CSV file has lines of a time (RFC 3339 with an offset, or seconds since 1970) and a load
in requests per second; its first line may name the columns timestamp and rps. A
Prometheus query has to give one series. A bad value ends the command before anything is
stored, and is named with its line. That hours were loaded is in the audit trail.

A service that had under two weeks to learn from learns what was loaded within a minute; the
models of any other do at their next fit, of the night, or at once in the worker that runs the
job: POST /workflows {"kind":"maintenance","job":"refit"}.`,
		Example: `  wedsync forecast backfill --csv api-2026.csv --service api
  wedsync forecast backfill --prometheus http://127.0.0.1:9090 --service api \
    --query 'sum(rate(http_requests_total{job="api"}[5m]))' --from 2026-06-01T00:00:00Z --to 2027-06-01T00:00:00Z`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&o.root, "root", devRoot, "folder of the running wedsync dev")
	f.StringVar(&o.service, "service", "", "the service whose load it is")
	f.StringVar(&o.csv, "csv", "", "file with times and loads")
	f.StringVar(&o.prometheus, "prometheus", "", "address of a server that speaks the HTTP API of Prometheus")
	f.StringVar(&o.query, "query", "", "PromQL that gives one series in requests per second")
	f.StringVar(&o.from, "from", "", "begin, as in 2026-06-01T00:00:00Z")
	f.StringVar(&o.to, "to", "", "end (default: now)")
	cmd.MarkFlagsOneRequired("csv", "prometheus")
	cmd.MarkFlagsMutuallyExclusive("csv", "prometheus")
	cmd.MarkFlagsRequiredTogether("prometheus", "query", "from")
	_ = cmd.MarkFlagRequired("service")
	return cmd
}

type backfillFlags struct {
	archive
	service, csv, prometheus, query, from, to string
}

func (o *backfillFlags) run(cmd *cobra.Command) error {
	service, err := models.ParseServiceName("--service", o.service)
	if err != nil {
		return err
	}
	hours, source, err := o.read(cmd)
	if err != nil {
		return err
	}
	return o.change(cmd, func(ctx context.Context, st *store.Store) error {
		bar, changed := newBar(cmd.ErrOrStderr()), 0
		for start := 0; start < len(hours); start += backfillRows {
			end := min(start+backfillRows, len(hours))
			n, err := st.LoadHours(ctx, service, source, hours[start:end])
			if err != nil {
				bar.end()
				return err
			}
			changed += n
			bar.show(end, len(hours), "hours stored")
		}
		bar.end()
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %d hours from %s to %s, %d new or changed\n", service, len(hours),
			hours[0].Hour.Format(time.RFC3339), hours[len(hours)-1].Hour.Format(time.RFC3339), changed)
		return nil
	})
}

// read gives the hours, and where they come from.
func (o *backfillFlags) read(cmd *cobra.Command) ([]models.HourlyLoad, string, error) {
	now := time.Now()
	if o.csv != "" {
		file, err := os.Open(o.csv)
		if err != nil {
			return nil, "", err
		}
		defer func() { _ = file.Close() }() // it was read only
		hours, err := backfill.CSV(file, now)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", o.csv, err)
		}
		return hours, "csv:" + filepath.Base(o.csv), nil
	}
	q := backfill.Query{URL: o.prometheus, Query: o.query, Until: now}
	var err error
	if q.From, err = time.Parse(time.RFC3339, o.from); err != nil {
		return nil, "", models.Invalid("--from", o.from, "must be a time with an offset, as in 2026-06-01T00:00:00Z")
	}
	if o.to != "" {
		if q.Until, err = time.Parse(time.RFC3339, o.to); err != nil {
			return nil, "", models.Invalid("--to", o.to, "must be a time with an offset, as in 2027-06-01T00:00:00Z")
		}
	}
	bar := newBar(cmd.ErrOrStderr())
	q.Progress = func(done, total int) { bar.show(done, total, "read") }
	hours, err := backfill.Prometheus(cmd.Context(), q)
	bar.end()
	return hours, "prometheus", err
}
