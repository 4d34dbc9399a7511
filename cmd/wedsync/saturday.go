package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/internal/config"
	"github.com/wedsync/scalability/internal/devstack"
	"github.com/wedsync/scalability/internal/launch"
	"github.com/wedsync/scalability/internal/replay"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

func saturdayCommand() *cobra.Command {
	var o saturdayFlags
	cmd := &cobra.Command{
		Use:   "saturday",
		Short: "Play a wedding Saturday at high speed, with the calendar and without",
		Long: `Brings a stack of its own up, books three weddings whose guests are there at the same
time, starts the WeddingDay workflow of their date, and plays thirteen hours of that day in
minutes. Two services that are alike get the same load at the same time: one has the
calendar, the other only what it measures. It prints what both came to, and writes a page
with the course of the day.

Autoscaling, verification, start-up times and the workflow run at the speed of the day. What
watches the stream of metrics runs by the clock, which is told in the result. The weddings
are in the calendar at the times of the clock; the decision's own floors and forecasts are
switched off, since their hours are those of the clock too: what stands ready for guests are
the reservations of the workflow.`,
		Example: "  wedsync demo saturday\n  wedsync demo saturday --minutes 8 --html saturday.html",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	cmd.Flags().Float64Var(&o.minutes, "minutes", 7, "how long the day takes, from 4 to 60")
	cmd.Flags().StringVar(&o.html, "html", "saturday.html", "file for the page")
	cmd.Flags().StringVar(&o.json, "json", "", "file for the figures")
	cmd.Flags().StringVar(&o.root, "root", "", "folder of the stack's data and logs, kept afterwards (default: a temporary one)")
	cmd.Flags().Uint64Var(&o.seed, "seed", 1, "seed of the load")
	return cmd
}

type saturdayFlags struct {
	minutes          float64
	html, json, root string
	seed             uint64
}

// saturdayHours are the hours of the day that are played.
const saturdayHours = 13

func (o saturdayFlags) run(cmd *cobra.Command) (err error) {
	if !(o.minutes >= 4 && o.minutes <= 60) {
		return models.Invalid("--minutes", o.minutes, "must be from 4 to 60")
	}
	if _, err := config.ForProcess(config.Inspect); err != nil {
		return fmt.Errorf("the configuration is not usable:\n%w", err)
	}
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	root := o.root
	if root == "" {
		if root, err = os.MkdirTemp("", "wedsync-saturday-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	}
	fmt.Fprintln(out, "bringing a stack up …")
	stack, err := devstack.Open(root, io.Discard)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Stop()) }()
	d := dev{stack: stack, out: io.Discard, anyPorts: true, extra: []string{
		"AUTOSCALE_INTERVAL_SECONDS=1", "SCALABILITY_WEDDING_INTELLIGENCE_ENABLED=false", "WEDDING_DAY_MODE_AUTO_ENABLE=false", "RATE_LIMIT_REQUESTS=10000",
	}}
	if err := d.start(ctx); err != nil {
		return err
	}
	result, err := o.play(ctx, d.file(), out)
	if err != nil {
		return err
	}
	result.Print(out)
	return o.write(result, out)
}

// play prepares the two services and lets the day pass.
func (o saturdayFlags) play(ctx context.Context, file devstack.DevFile, out io.Writer) (replay.SaturdayResult, error) {
	speed := saturdayHours * 60 / o.minutes
	for _, name := range []models.ServiceName{replay.WithCalendar, replay.WithoutCalendar} {
		if err := twin(ctx, file, name, speed); err != nil {
			return replay.SaturdayResult{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	c, err := launch.Dial(launch.DialOptions{Address: file.Temporal, Namespace: "default"})
	if err != nil {
		return replay.SaturdayResult{}, err
	}
	defer c.Close()
	launcher := launch.New(launch.Options{Client: c, TaskQueue: "wedsync", Namespace: "default", UIURL: file.TemporalUI})
	day := replay.Saturday{Lens: models.TimeLens{Origin: time.Now().UTC().Truncate(time.Second).Add(5 * time.Second), Factor: speed}, Seed: o.seed}
	fmt.Fprintf(out, "the day takes %.1f minutes; dashboard %s, workflows %s\n", o.minutes, file.Dashboard, file.TemporalUI)
	return day.Play(ctx, replay.SaturdayOptions{
		FleetURL: file.Fleet, APIURL: file.API, AdminToken: file.Tokens.Admin,
		Tell: func(line string) { fmt.Fprintln(out, line) },
		Start: func(ctx context.Context, date string) error {
			_, err := launcher.RunWeddingDay(ctx, workflows.WeddingDayInput{Date: date, Lens: day.Lens, Basis: []models.DayBasis{day.Basis()}}, "the demonstration")
			return err
		},
	})
}

// twin makes a service one of two that are alike, with all times as short as the day is.
func twin(ctx context.Context, file devstack.DevFile, name models.ServiceName, speed float64) error {
	seconds := func(s float64) int { return max(1, int(s/speed+0.5)) }
	var svc models.Service
	path := file.API + "/api/scalability/services/" + string(name)
	if err := speak(ctx, call{http.MethodGet, path, file.Tokens.Admin, nil}, &svc); err != nil {
		return err
	}
	svc.Tier, svc.CapacityRPS, svc.MinReplicas, svc.MaxReplicas, svc.AbsoluteMaxReplicas = models.TierStandard, 100, 3, 80, 100
	svc.StartupP50Seconds, svc.StartupP95Seconds, svc.ConnectionsPerReplica, svc.CostPerReplicaHour, svc.Zones = 90/speed, 150/speed, 1, 0.12, 1
	p := models.DefaultScalingPolicy(models.TierStandard)
	p.HoldAfterUpSeconds, p.DownStabilisationSeconds, p.DownPeriodSeconds, p.PanicSeconds = seconds(600), seconds(300), 1, 1
	p.SuspectHoldSeconds = seconds(900)
	p.DownStepShare = 0.25 // a verified step takes seconds of the clock, which are minutes of this day
	p.ReadyDeadlineSeconds, p.SoakSeconds, p.MeasurementIntervalSeconds, p.Measurements, p.MinimumRequests, p.OperationDeadlineSeconds = 20, 0, 1, 1, 20, 60
	svc.Policy = p
	if err := speak(ctx, call{http.MethodPut, path, file.Tokens.Admin, svc}, nil); err != nil {
		return err
	}
	return speak(ctx, call{http.MethodPost, file.Fleet + "/services/" + string(name) + "/configure", "", map[string]any{
		"capacityRps": 100, "startupP50Seconds": 90 / speed, "startupP95Seconds": 150 / speed, "connectionsPerReplica": 1, "baseLatencyMs": 40, "queuePerReplica": 200,
	}}, nil)
}

// call is one JSON call; nil sends no body.
type call struct {
	method, url, token string
	in                 any
}

// speak sends a call and decodes the answer into out, when it is not nil.
func speak(ctx context.Context, c call, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var body io.Reader
	if c.in != nil {
		raw, err := json.Marshal(c.in)
		if err != nil {
			return err
		}
		body = strings.NewReader(string(raw))
	}
	req, err := http.NewRequestWithContext(ctx, c.method, c.url, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %.200s", c.method, c.url, res.Status, raw)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(raw, out)
}

// write keeps the page and the figures.
func (o saturdayFlags) write(r replay.SaturdayResult, out io.Writer) (err error) {
	if o.json != "" {
		raw, err := json.MarshalIndent(struct {
			replay.SaturdayResult
			Summary replay.SaturdaySummary `json:"summary"`
		}{r, r.Summary()}, "", "  ")
		if err == nil {
			err = os.WriteFile(filepath.Clean(o.json), append(raw, '\n'), 0o600)
		}
		if err != nil {
			return err
		}
	}
	f, err := os.Create(filepath.Clean(o.html))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	fmt.Fprintf(out, "\nThe course of the day is in %s.\n", o.html)
	return r.HTML(f)
}
