package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/wedsync/scalability/api"
	"github.com/wedsync/scalability/internal/accesspolicy"
	"github.com/wedsync/scalability/internal/config"
	"github.com/wedsync/scalability/internal/health"
	"github.com/wedsync/scalability/internal/ingest"
	"github.com/wedsync/scalability/internal/telemetry"
	"github.com/wedsync/scalability/internal/tlsfiles"
	"github.com/wedsync/scalability/models"
)

func apiCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "api",
		Short: "Serve the HTTP API, the live stream and the dashboard",
		Long: `Serves the API against the Postgres, Redis and Temporal that the environment names.
Several may run side by side. "wedsync config" shows the configuration in effect.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			p, err := open(cmd.Context(), config.API)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, p.close()) }()
			return p.runAPI(cmd.Context())
		},
	}
}

// runAPI serves until ctx ends.
func (s *parts) runAPI(ctx context.Context) error {
	engine := s.ingestEngine()
	checker := s.healthChecker(engine.Check)
	policies, err := accesspolicy.New(s.store, time.Now, s.log)
	if err != nil {
		return err
	}
	if err := policies.Refresh(ctx); err != nil {
		return err
	}
	handler, err := s.apiHandler(engine, checker, policies) //nolint:contextcheck // what it opens ends with close, not with this context
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", s.cfg.API.Address)
	if err != nil {
		return fmt.Errorf("api: %w", err)
	}
	if cert := s.cfg.API.TLSCertFile; cert != "" {
		secured, err := tlsfiles.Server(cert, s.cfg.API.TLSKeyFile)
		if err != nil {
			return errors.Join(fmt.Errorf("API_TLS_CERT_FILE: %w", err), listener.Close())
		}
		secured.NextProtos = []string{"h2", "http/1.1"}
		listener = tls.NewListener(listener, secured)
	}
	s.log.InfoContext(ctx, "api is listening", "address", listener.Addr().String())
	// Ingestion outlives the requests that feed it, so that their samples are flushed.
	ingestCtx, stopIngest := context.WithCancel(context.WithoutCancel(ctx))
	defer stopIngest()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return engine.Run(ingestCtx) })
	g.Go(func() error {
		defer stopIngest()
		return api.Serve(ctx, listener, handler, s.cfg.API.ShutdownGrace)
	})
	g.Go(func() error { return s.serveTelemetry(ctx, s.store.Check) })
	g.Go(func() error { refreshHealth(ctx, checker); return nil })
	g.Go(func() error { return s.runAnchor(ctx) })
	g.Go(func() error { policies.Run(ctx); return nil })
	return g.Wait()
}

func (s *parts) ingestEngine() *ingest.Engine {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return ingest.New(ingest.Options{
		Hot: s.hot, Rollups: s.store.As(models.Scope{Role: models.ScopeIngest, Subject: "ingest"}),
		Capacities: capacities{s.store}, Signals: s.launcher,
		Source:  fmt.Sprintf("%s-%d-%d", host, os.Getpid(), time.Now().UnixMilli()),
		MaxPast: s.cfg.Ingest.MaxPast, MaxFuture: s.cfg.Ingest.MaxFuture, Now: time.Now, Log: s.log,
		Metrics: telemetry.NewIngestMetrics(s.registry), Enabled: s.cfg.Features.Monitoring,
	})
}

// healthChecker probes the five components; monitor is the process's own probe of the
// performance monitor.
func (s *parts) healthChecker(monitor health.Probe) *health.Checker {
	return health.New(health.Options{
		Probes: health.Probes{
			ScalingEngine: s.launcher.Check, LoadPredictor: s.predict.Check, PerformanceMonitor: monitor,
			RBACManager: s.checkAccess, Database: s.store.Check,
		},
		Timeout: healthTimeout, MaxAge: healthMaxAge, Logger: s.log,
		Publish: func(ctx context.Context, h models.Health) {
			if err := s.hot.PutHealth(ctx, h); err != nil {
				s.log.DebugContext(ctx, "health was not published", "error", err)
			}
		},
	})
}

// checkAccess is well when roles can be read and the trail can be written: without either every
// call is refused.
func (s *parts) checkAccess(ctx context.Context) error {
	if s.trail != nil {
		if err := s.trail.Check(); err != nil {
			return err
		}
	}
	_, err := s.store.Grants(ctx, "user:health-check", time.Now())
	return err
}

// refreshHealth keeps the published health fresh, whether anybody asks or not.
func refreshHealth(ctx context.Context, c *health.Checker) {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for now := time.Now(); ; {
		c.Health(ctx, now)
		select {
		case <-ctx.Done():
			return
		case now = <-tick.C:
		}
	}
}
