package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/internal/actuator/fleet"
	"github.com/wedsync/scalability/internal/config"
)

func fleetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "fleet",
		Short: "Run a modelled fleet of the nine services (development and tests)",
		Long: `Models replicas with start-up times, queues, a shared database ceiling and injected
failures, and reports their metrics to the API. It is capacity to practise on: it listens
on loopback alone, since it knows no credentials.

  curl -X PUT  $FLEET_URL/services/api/faults -H 'Content-Type: application/json' \
       -d '{"faults": [{"kind": "crash"}]}'        new replicas crash
  curl -X DELETE $FLEET_URL/services/api/faults      and no longer`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, log, err := load(config.Fleet)
			if err != nil {
				return err
			}
			err = fleet.Run(cmd.Context(), fleet.Options{
				Address: cfg.Fleet.Address, StatePath: cfg.Fleet.StateFile, Settings: fleet.DefaultSettings(), Log: log,
				Report: &fleet.ReporterOptions{
					APIURL: cfg.SiteURL, Token: cfg.Auth.MetricsWriterToken.Reveal(), Interval: cfg.Monitoring.SamplingInterval,
				},
				OnReady: func(address string) { log.InfoContext(cmd.Context(), "fleet is listening", "address", address) },
			})
			if err != nil {
				return fmt.Errorf("fleet: %w", err)
			}
			return nil
		},
	}
}
