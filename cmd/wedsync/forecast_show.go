package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

func forecastShowCommand() *cobra.Command {
	var p platformCall
	var service string
	hours, calendar, asJSON := 24, true, false
	cmd := &cobra.Command{
		Use: "show", Short: "Show what is forecast of a service's coming hours, and why", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			name, err := models.ParseServiceName("--service", service)
			if err != nil {
				return err
			}
			var got models.Prediction
			in := gen.PredictionQuery{Service: &name, TimeHorizonHours: &hours, IncludeWeddingContext: &calendar}
			if err := p.ask(cmd, http.MethodPost, "/predictions", in, &got); err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), got)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", orNothing(string(got.Method)), oneLine(got.Reason))
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "HOUR\tEXPECTED\tP90\tP95\tBASE\tSEASON\tHOLIDAY\tWEDDINGS\tREPLICAS\tMETHOD")
			for _, pt := range got.Points {
				guests := 0.0
				for _, s := range pt.Weddings {
					guests += s.RPS
				}
				mark := ""
				if pt.Assumed {
					mark = ", interval assumed"
				}
				fmt.Fprintf(w, "%s\t%.0f\t%s\t%s\t%.0f\t%.0f\t%.0f\t%.0f\t%d\t%s%s\n", clockOf(pt.At), pt.P50, loadOrNothing(pt.P90), loadOrNothing(pt.P95),
					pt.Base, pt.Season, pt.Holiday, guests, pt.Replicas, pt.Method, mark)
			}
			return w.Flush()
		},
	}
	p.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&service, "service", string(models.ServiceAPI), "whose load")
	f.IntVar(&hours, "hours", hours, "how many, 1 to 168")
	f.BoolVar(&calendar, "weddings", calendar, "with the guests of the calendar")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func loadOrNothing(v *float64) string {
	if v == nil {
		return "–"
	}
	return strconv.FormatFloat(*v, 'f', 0, 64)
}

func forecastAccuracyCommand() *cobra.Command {
	var p platformCall
	var service string
	days, asJSON := 7, false
	cmd := &cobra.Command{
		Use: "accuracy", Short: "Show how a service's forecasts did, and whether decisions look at them", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			name, err := models.ParseServiceName("--service", service)
			if err != nil {
				return err
			}
			var got models.ForecastAccuracy
			q := url.Values{"service": {string(name)}, "days": {strconv.Itoa(days)}}
			if err := p.ask(cmd, http.MethodGet, "/predictions/accuracy?"+q.Encode(), nil, &got); err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), got)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n", oneLine(got.Gate.Reason))
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "HOURS AHEAD\tOF\tSCORED\tACCURACY\tBIAS\tIN 95 %\tAGAINST LAST WEEK")
			for _, r := range got.Rows {
				fmt.Fprintf(w, "%d\t%s\t%d\t%s\t%s\t%s\t%s\n", r.LeadHours, r.Group, r.Hours, figureOf(r.Accuracy, 1), figureOf(percentOf(r.Bias), 1), figureOf(percentOf(r.Coverage), 1), figureOf(r.MASE168, 2))
			}
			return w.Flush()
		},
	}
	p.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&service, "service", string(models.ServiceAPI), "whose forecasts")
	f.IntVar(&days, "days", days, "of the past")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func percentOf(v *float64) *float64 {
	if v == nil {
		return nil
	}
	share := 100 * *v
	return &share
}

func figureOf(v *float64, digits int) string {
	if v == nil {
		return "–"
	}
	return strconv.FormatFloat(*v, 'f', digits, 64)
}
