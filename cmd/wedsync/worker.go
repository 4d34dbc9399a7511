package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/internal/actuator/fleet"
	"github.com/wedsync/scalability/internal/config"
	"github.com/wedsync/scalability/internal/telemetry"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/worker"
)

// readinessPoll is how often a starting replica is looked at.
const readinessPoll = time.Second

func workerCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "worker",
		Short: "Run the workflows: decide, change, verify, maintain",
		Long: `Works on the task queue of the Temporal that the environment names, and keeps one
autoscaler per service and the maintenance schedules in place. Several may run side by
side; one that dies is taken over by another, or goes on when it is back.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			p, err := open(cmd.Context(), config.Worker)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, p.close()) }()
			return p.runWorker(cmd.Context())
		},
	}
}

// runWorker works until ctx ends.
func (s *parts) runWorker(ctx context.Context) error {
	acts, err := s.activities()
	if err != nil {
		return err
	}
	yearly, err := seasonDefinitions(s.cfg.Wedding.Seasons) //nolint:contextcheck // it looks at the form alone
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.serveTelemetry(ctx, s.store.Check) })
	g.Go(func() error { return s.runAnchor(ctx) })
	g.Go(func() error { return s.watchThreats(ctx) })
	g.Go(func() error {
		return worker.Run(ctx, worker.Options{
			Client: s.temporal, TaskQueue: s.cfg.Temporal.TaskQueue, Activities: acts, Services: models.ServiceNames(),
			Interval: s.cfg.Autoscale.Interval, ContinueEvery: s.cfg.Autoscale.ContinueAsNewEvery,
			AutoScaling: s.cfg.Features.AutoScaling, Seasons: yearly, Namespace: s.cfg.Temporal.Namespace,
			ApprovalWait: s.cfg.Autoscale.ApprovalWait, KillSwitch: s.cfg.Autoscale.KillSwitch,
			MetricsRetentionDays: s.cfg.Monitoring.MetricsRetentionDays, AuditRetentionDays: s.cfg.Security.AuditRetentionDays, Log: s.log,
		})
	})
	return g.Wait()
}

// activities puts the effects together.
func (s *parts) activities() (worker.Activities, error) {
	capacity, err := fleet.NewClient(s.cfg.Fleet.URL, nil)
	if err != nil {
		return worker.Activities{}, err
	}
	observer := &activities.Observer{
		Catalogue: s.store, Signals: s.hot, Claims: s.store, Actuator: capacity, Measurer: capacity, Decisions: s.store,
		Learned: s.store, Rollups: s.store, Spending: s.store,
		Budget:      models.Budget{Hour: s.cfg.Autoscale.BudgetHour, Day: s.cfg.Autoscale.BudgetDay, Month: s.cfg.Autoscale.BudgetMonth},
		WeddingDays: s.cfg.Wedding.DayModeAutoEnable, Emergencies: s.cfg.Wedding.EmergencyResponse, Now: time.Now,
	}
	if s.cfg.Features.WeddingIntelligence {
		observer.Forecaster, observer.Calendar, observer.Usual = s.predict, s.predict, s.predict
	}
	var trail activities.Trail
	if s.trail != nil {
		trail = keeper{s.trail, s.cfg.Database.URL.Reveal(), s.publicKeys, s.cfg.Security.AuditCheckpointCopy.Reveal()}
	}
	told := escalations{s.log, telemetry.NewEscalationMetrics(s.registry).Told}
	seasons, err := s.seasons(capacity, observer, told)
	if err != nil {
		return worker.Activities{}, err
	}
	return worker.Activities{
		Observer: observer, WeddingDay: s.dayKeeper(capacity, told), Seasons: seasons,
		Operator: &activities.Operator{Actuator: capacity, Measurer: capacity, Observer: observer, Now: time.Now, Poll: readinessPoll, Killed: func() bool { return s.cfg.Autoscale.KillSwitch }},
		Recorder: s.recorder(),
		Maintainer: &activities.Maintainer{
			Partitions: s.store, Health: publishedHealth{s.hot, s.healthChecker(s.metricsArrive)}, Snapshots: s.store,
			Decisions: s.store, Writer: s.store, Operations: s.launcher, Weddings: s.predict, Forecasts: s.predict, Feeds: s.poller(), Trail: trail, Now: time.Now,
		},
	}, nil
}

// dayKeeper reads and keeps wedding days. Days start by themselves unless that is switched
// off.
func (s *parts) dayKeeper(capacity activities.Measurer, told escalations) *activities.WeddingDayKeeper {
	k := &activities.WeddingDayKeeper{
		Calendar: s.store, Catalogue: s.store, Learned: s.store, Measurer: capacity, States: s.store, Usage: s.store,
		Claims: s.store, Frozen: s.store, Feeds: s.store, Days: s.store, Escalator: told, Nudge: s.launcher, Now: time.Now,
		Routes: func() (names []string) {
			for _, c := range s.cfg.Monitoring.AlertChannels {
				names = append(names, string(c))
			}
			return names
		},
	}
	if s.cfg.Features.WeddingIntelligence {
		k.Guests = s.predict
	}
	if s.cfg.Wedding.DayModeAutoEnable {
		k.Starter = s.launcher
	}
	return k
}

// metricsArrive is the worker's view of the performance monitor: somebody reports.
func (s *parts) metricsArrive(ctx context.Context) error {
	latest, err := s.hot.Latest(ctx)
	if err == nil && len(latest) == 0 {
		err = errors.New("no service has reported metrics for 30 s")
	}
	return err
}

// recorder counts what it keeps.
func (s *parts) recorder() *activities.Recorder {
	decided, finished := telemetry.NewDecisionMetrics(s.registry), telemetry.NewOperationMetrics(s.registry)
	return &activities.Recorder{
		Decisions: s.store, States: s.store, Evaluations: s.store, Audit: s.audit,
		OnState: func(st models.ScalingState) {
			if e := st.Explanation; e != nil {
				decided.Decided(st.Service, e.Class, e.Direction, st.TickedAt.Sub(e.At))
			}
		},
		OnOutcome: func(in activities.CloseInput) {
			finished.Finished(in.Service, in.Report.Outcome, in.Report.FinishedAt.Sub(in.DecidedAt))
			if in.SpikeSampleAt != nil && in.Report.OrderedAt != nil {
				finished.Responded(in.Service, in.Report.OrderedAt.Sub(*in.SpikeSampleAt))
			}
		},
	}
}
