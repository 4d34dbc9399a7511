package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/internal/config"
	"github.com/wedsync/scalability/internal/telemetry"
)

func configCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the configuration in effect, secrets masked",
		Long: `Reads the environment as every other command does and prints each variable with its
value in effect and where it comes from. Secrets are masked. A value that would stop
the start is an error that names the variable and what is allowed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.ForProcess(config.Inspect)
			if err != nil {
				return err
			}
			for _, w := range cfg.Warnings() {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(cfg.Effective())
			}
			return printSettings(cmd.OutOrStdout(), cfg.Effective())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON instead of a table")
	return cmd
}

func printSettings(out io.Writer, settings []config.Setting) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	group := ""
	for _, s := range settings {
		if s.Group != group {
			group = s.Group
			fmt.Fprintf(w, "\n# %s\t\t\n", group)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, s.Value, s.Source)
	}
	return w.Flush()
}

// load reads the configuration for a process and makes its logger; warnings are logged.
func load(p config.Process) (config.Config, *slog.Logger, error) {
	cfg, err := config.ForProcess(p)
	if err != nil {
		return cfg, nil, fmt.Errorf("the configuration is not usable:\n%w", err)
	}
	logger := telemetry.NewLogger(os.Stderr, cfg.Telemetry.LogLevel, string(p))
	for _, w := range cfg.Warnings() {
		logger.Warn("configuration", "variable", w.Variable, "warning", w.Message)
	}
	return cfg, logger, nil
}
