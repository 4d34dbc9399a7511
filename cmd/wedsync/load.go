package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/internal/config"
	"github.com/wedsync/scalability/internal/devstack"
	"github.com/wedsync/scalability/internal/replay"
	"github.com/wedsync/scalability/models"
)

// devRoot is where `wedsync dev` keeps its data by default.
const devRoot = ".wedsync"

// targets are the addresses that load goes to: flags first, then the environment, then
// the running `wedsync dev`.
type targets struct {
	root, fleet, api string
}

func (t *targets) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.fleet, "fleet", "", "address of the modelled fleet (default: FLEET_URL, or the running wedsync dev)")
	cmd.Flags().StringVar(&t.root, "root", devRoot, "folder of the running wedsync dev")
}

// resolve fills the addresses that no flag gave, and answers with the running stack's
// file, empty where none runs.
func (t *targets) resolve(cfg config.Config) devstack.DevFile {
	dev, err := readDevFile(filepath.Join(t.root, "dev.json"))
	pick := func(to *string, variable, fromEnv, fromDev string) {
		switch {
		case *to != "":
		case given(cfg, variable) || err != nil:
			*to = fromEnv
		default:
			*to = fromDev
		}
	}
	pick(&t.fleet, "FLEET_URL", cfg.Fleet.URL, dev.Fleet)
	pick(&t.api, "WEDSYNC_SITE_URL", cfg.SiteURL, dev.API)
	return dev
}

// given says whether the environment sets a variable.
func given(cfg config.Config, variable string) bool {
	return slices.ContainsFunc(cfg.Effective(), func(s config.Setting) bool {
		return s.Name == variable && s.Source == config.SourceEnvironment
	})
}

func readDevFile(path string) (devstack.DevFile, error) {
	var f devstack.DevFile
	raw, err := os.ReadFile(path) //nolint:gosec // a file of ours
	if err != nil {
		return f, err
	}
	return f, json.Unmarshal(raw, &f)
}

func replayCommand() *cobra.Command {
	var o replayFlags
	cmd := &cobra.Command{
		Use:   "replay --trace FILE",
		Short: "Replay a trace of request counts as load of the fleet",
		Long: `Reads counts per second or per minute and offers them to the modelled fleet, which
serves them and reports what it measures through the public API. Two forms are read, plain
or .gz: a CSV with the header "period,count" and a UTC time per line, or one column with a
count per second.

With --only-metrics there is no fleet: the counts are posted to the API as throughput.`,
		Example: `  wedsync replay --trace requests_per_minute.csv.gz --from "1998-06-10 14:00" --to "1998-06-10 18:00" --speed 60
  wedsync replay --trace nasa_per_second.txt.gz --from 36h --to 37h --speed 10 --scale 100`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	o.flags(cmd)
	return cmd
}

type replayFlags struct {
	targets
	trace, from, to string
	speed, scale    float64
	smooth          time.Duration
	seed            uint64
	apiShare        bool
	onlyMetrics     bool
}

func (o *replayFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	o.targets.flags(cmd)
	f.StringVar(&o.trace, "trace", "", "file with the counts (required)")
	f.StringVar(&o.from, "from", "", `begin of the part to replay: a UTC time such as "1998-06-10 14:00", or an offset such as 36h`)
	f.StringVar(&o.to, "to", "", "end of the part to replay")
	f.Float64Var(&o.speed, "speed", 1, "seconds of the trace per second")
	f.Float64Var(&o.scale, "scale", 1, "factor on the load; counts are smoothed, scaled and drawn anew, never multiplied")
	f.DurationVar(&o.smooth, "smooth", 0, "width of the mean before scaling (default 20s)")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the draw")
	f.BoolVar(&o.apiShare, "api-only", false, "load the api service alone, not the services behind it too")
	f.BoolVar(&o.onlyMetrics, "only-metrics", false, "post the counts to the API as throughput, without a fleet")
	_ = cmd.MarkFlagRequired("trace")
}

func (o *replayFlags) run(cmd *cobra.Command) error {
	cfg, err := config.ForProcess(config.Inspect)
	if err != nil {
		return err
	}
	dev := o.resolve(cfg)
	token := dev.Tokens.MetricsWriter
	if given(cfg, "AUTH_METRICS_WRITER_TOKEN") {
		token = cfg.Auth.MetricsWriterToken.Reveal()
	}
	if o.onlyMetrics {
		if token == "" {
			return errors.New("AUTH_METRICS_WRITER_TOKEN is not set: metrics need a token that may write them")
		}
		o.fleet = ""
	}
	trace, err := replay.ReadFile(o.trace)
	if err != nil {
		return err
	}
	if trace, err = trace.Select(o.from, o.to); err != nil {
		return err
	}
	if trace, err = trace.Scale(replay.Scaling{Factor: o.scale, Smooth: o.smooth, Seed: o.seed}); err != nil {
		return err
	}
	opts := replay.Options{
		Trace: trace, Speed: o.speed, FleetURL: o.fleet, APIURL: o.api, Token: token,
		Progress: cmd.ErrOrStderr(), Live: isTerminal(cmd.ErrOrStderr()),
	}
	if !o.apiShare {
		opts.Shares = replay.PlatformShares()
	}
	_, err = replay.Run(cmd.Context(), opts)
	return err
}

// isTerminal says whether a person watches.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func spikeCommand() *cobra.Command {
	var t targets
	var service string
	var factor, base float64
	var seconds int
	cmd := &cobra.Command{
		Use:   "spike",
		Short: "Multiply the load of one service for a while",
		Long: `Multiplies the load that others offer to a service of the modelled fleet, or a base
load of its own, and takes it away again.`,
		Example: "  wedsync spike --service media --factor 3 --seconds 60",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.ForProcess(config.Inspect)
			if err != nil {
				return err
			}
			t.resolve(cfg)
			out := cmd.OutOrStdout()
			_, err = replay.Spike(cmd.Context(), replay.SpikeOptions{
				FleetURL: t.fleet, Service: models.ServiceName(service), Factor: factor, BaseRPS: base,
				HoldFor: time.Duration(seconds) * time.Second,
				OnSpike: func(r replay.SpikeResult) {
					fmt.Fprintf(out, "%s: %.0f → %.0f requests/s for %d s\n", service, r.Base, r.Peak, seconds)
				},
			})
			return err
		},
	}
	t.flags(cmd)
	cmd.Flags().StringVar(&service, "service", "api", "service whose load jumps")
	cmd.Flags().Float64Var(&factor, "factor", 3, "how many times the load before")
	cmd.Flags().Float64Var(&base, "base", 0, "load to multiply, requests per second (default: what others offer now)")
	cmd.Flags().IntVar(&seconds, "seconds", 60, "how long it lasts")
	return cmd
}

func demoCommand() *cobra.Command {
	var t targets
	var day time.Duration
	var seed uint64
	var tokenFile string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Offer the load of an endless platform day with weddings to the fleet",
		Long: `Presses a day of the platform into minutes and repeats it: its own load, and three
weddings a day, which are booked through the API, with a floor of replicas before each.
It needs a running wedsync dev, or a file with a token that may create weddings.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, log, err := load(config.Inspect)
			if err != nil {
				return err
			}
			token := t.resolve(cfg).Tokens.Admin
			if tokenFile != "" {
				raw, err := os.ReadFile(tokenFile) //nolint:gosec // the operator's own file
				if err != nil {
					return fmt.Errorf("--token-file: %w", err)
				}
				token = strings.TrimSpace(string(raw))
			}
			return replay.Demo(cmd.Context(), replay.DemoOptions{
				FleetURL: t.fleet, APIURL: t.api, AdminToken: token, Day: day, Seed: seed, Log: log,
			})
		},
	}
	t.flags(cmd)
	cmd.Flags().DurationVar(&day, "day", 20*time.Minute, "how long a day takes, from 1m to 24h")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "seed of the load and the weddings")
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "file with a token that may create weddings (default: the running wedsync dev's)")
	cmd.AddCommand(saturdayCommand())
	return cmd
}
