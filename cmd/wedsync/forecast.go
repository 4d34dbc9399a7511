package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/internal/forecast/evaluate"
)

func forecastCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "forecast",
		Short: "See what is forecast and how good forecasts are, and give them a past",
	}
	cmd.AddCommand(forecastShowCommand(), forecastAccuracyCommand(), evaluateCommand(), backfillCommand())
	return cmd
}

func evaluateCommand() *cobra.Command {
	var o evaluateFlags
	cmd := &cobra.Command{
		Use:   "evaluate",
		Short: "Judge the forecasts on public data, beside published methods",
		Long: `Forecasts public data with what was known at each origin, and scores the forecasts: the
hourly series of the M4 competition, the electricity of Victoria, the traffic on I-94, the
web site of the World Cup 1998 with its matches, and weddings laid on real loads, with the
calendar and without.

Suites: "headline" is all of it; "m4", "day-ahead", "worldcup" and "weddings" are its parts.

The data are read from --data: m4-hourly/, day-ahead/ and worldcup98/. docs/forecast.md
says where they come from, how each figure is defined and how the report is read.`,
		Example: `  wedsync forecast evaluate --suite headline --json
  wedsync forecast evaluate --suite m4 --every 8
  wedsync forecast evaluate --out report`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&o.suite, "suite", evaluate.SuiteHeadline, strings.Join(evaluate.Suites(), ", "))
	f.StringVar(&o.data, "data", dataFolder(), "folder of the public data (default: WEDSYNC_DATA)")
	f.StringVar(&o.out, "out", "", "folder for "+evaluate.PageFile+" and "+evaluate.JSONFile)
	f.IntVar(&o.every, "every", 1, "take each n-th series of M4 only, for a quick look")
	f.IntVar(&o.seeds, "seeds", evaluate.DefaultSeeds, "how many times weddings are drawn")
	f.BoolVar(&o.json, "json", false, "print the headline's figures as one JSON object instead of tables")
	return cmd
}

type evaluateFlags struct {
	suite, data, out string
	every, seeds     int
	json             bool
}

func (o *evaluateFlags) run(cmd *cobra.Command) error {
	if o.data == "" {
		return errors.New("the evaluation needs public data: set WEDSYNC_DATA or --data to the folder (docs/forecast.md says where they come from)")
	}
	bar := newBar(cmd.ErrOrStderr())
	found, err := evaluate.Run(cmd.Context(), evaluate.Options{
		Suite: o.suite, Data: o.data, Every: o.every, Seeds: o.seeds, Progress: bar.show,
	})
	bar.end()
	if err != nil {
		return err
	}
	if o.out != "" {
		if err := found.WriteTo(o.out); err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "written: %s\n", filepath.Join(o.out, evaluate.PageFile))
	}
	if o.json {
		for _, note := range found.Notes() {
			fmt.Fprintln(cmd.ErrOrStderr(), note)
		}
		return json.NewEncoder(cmd.OutOrStdout()).Encode(found.Headline())
	}
	return found.Write(cmd.OutOrStdout())
}
