// Command wedsync is the scalability control plane of the wedding platform: one binary
// that is the API, the worker, the modelled fleet, the development stack and the tools
// around them. It is the only place where ports meet adapters.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the build: -ldflags "-X main.version=…".
var version = "development"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := root().ExecuteContext(ctx); err != nil && !errors.Is(err, context.Canceled) {
		var code exitCode
		if errors.As(err, &code) {
			os.Exit(int(code))
		}
		fmt.Fprintln(os.Stderr, "wedsync:", err)
		os.Exit(1)
	}
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "wedsync",
		Short: "Capacity for the weddings of thousands of couples, before it is needed",
		Long: `WedSync Scalability watches the services of a wedding platform, knows the weddings
that are coming, decides how much capacity each service needs, and gets it through
durable, verified changes.

Start with "wedsync dev": it brings everything up on this machine.`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.AddCommand(
		devCommand(), apiCommand(), workerCommand(), fleetCommand(), migrateCommand(),
		replayCommand(), demoCommand(), spikeCommand(), simulateCommand(), forecastCommand(), decisionsCommand(), weddingsCommand(), seasonCommand(), weddingDayCommand(), accessCommand(), auditCommand(), keysCommand(), securityCommand(), tokenCommand(), configCommand(),
	)
	return cmd
}
