package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"

	"github.com/wedsync/scalability/internal/audit"
	"github.com/wedsync/scalability/internal/config"
	"github.com/wedsync/scalability/internal/holidays"
	"github.com/wedsync/scalability/internal/hotstore"
	"github.com/wedsync/scalability/internal/launch"
	"github.com/wedsync/scalability/internal/predictor"
	"github.com/wedsync/scalability/internal/sealed"
	"github.com/wedsync/scalability/internal/store"
	"github.com/wedsync/scalability/internal/telemetry"
	"github.com/wedsync/scalability/internal/tlsfiles"
	"github.com/wedsync/scalability/models"
)

// healthTimeout bounds one round of health probes, healthMaxAge how long its answer
// is given again.
const (
	healthTimeout = 3 * time.Second
	healthMaxAge  = 5 * time.Second
)

// parts is what API and worker have in common: configuration, telemetry and the
// clients of the three servers.
type parts struct {
	cfg      config.Config
	log      *slog.Logger
	registry *prometheus.Registry
	store    *store.Store // in the scope of the platform itself
	hot      *hotstore.Store
	audit    recorder
	trail    *audit.Writer // the recorder, where the trail is on
	anchor   *audit.Anchor // nil: no key signs checkpoints
	temporal client.Client
	codec    *sealed.Codec // nil: payloads are in the clear
	launcher *launch.Launcher
	predict  *predictor.Predictor

	publicKeys []string // check what anchor signs, and what was signed before

	closers []func(context.Context) error
}

// recorder keeps audit entries; both rooms declare it as their port.
type recorder interface {
	Record(ctx context.Context, e models.AuditEntry) error
}

// open connects a process to its servers. Postgres has to answer at the start; Redis
// and Temporal may come later. Close ends what was opened, also after an error.
func open(ctx context.Context, p config.Process) (*parts, error) {
	cfg, log, err := load(p)
	if err != nil {
		return nil, err
	}
	s := &parts{cfg: cfg, log: log, registry: telemetry.NewRegistry(string(p))}
	for _, step := range []func(context.Context, string) error{s.openTracing, s.openStores, s.openAudit, s.openTemporal} {
		if err := step(ctx, string(p)); err != nil {
			return nil, errors.Join(err, s.close()) //nolint:contextcheck // closing outlives the context of the start
		}
	}
	holiday, err := holidays.Of(cfg.Wedding.Holidays)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("WEDDING_HOLIDAY_COUNTRIES: %w", err), s.close()) //nolint:contextcheck // as above
	}
	zone, err := time.LoadLocation(cfg.Wedding.ForecastZone)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("FORECAST_TIME_ZONE: %w", err), s.close()) //nolint:contextcheck // as above
	}
	s.predict = predictor.New(predictor.Options{
		Zone: zone, Holiday: holiday, Feeds: s.store,
		History: s.store, Minutes: s.store, Calendar: s.store, Catalogue: s.store, Archive: s.store, Cache: s.hot, Now: time.Now,
		Rollups: s.store, Ledger: s.store, OnGate: telemetry.NewForecastMetrics(s.registry).Judged,
		Weddings: cfg.Features.WeddingIntelligence, SeasonMultipliers: cfg.Wedding.SeasonMultipliers, Log: log,
	})
	return s, nil
}

func (s *parts) openTracing(ctx context.Context, process string) error {
	stop, err := telemetry.StartTracing(ctx, s.cfg.Telemetry.OTLPEndpoint, process)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, stop)
	return nil
}

func (s *parts) openStores(ctx context.Context, process string) error {
	contacts, err := contactBox(s.cfg.Wedding)
	if err != nil {
		return err
	}
	pool, err := store.Open(ctx, store.Options{
		Contacts: contacts,
		URL:      s.cfg.Database.URL.Reveal(), MaxConnections: s.cfg.Database.MaxConnections,
		ConnectionTimeout: s.cfg.Database.ConnectionTimeout, QueryTimeout: s.cfg.Database.QueryTimeout, Log: s.log,
	})
	if err != nil {
		return err
	}
	s.closers = append(s.closers, func(context.Context) error { return pool.Close() })
	s.store = pool.As(models.Scope{Role: models.ScopeSystem, Subject: process})
	secured, err := tlsfiles.Client(tlsfiles.ClientFiles{CA: s.cfg.Redis.TLSCAFile})
	if err != nil {
		return fmt.Errorf("REDIS_TLS_CA_FILE: %w", err)
	}
	s.hot, err = hotstore.Open(hotstore.Options{URL: s.cfg.Redis.URL.Reveal(), Log: s.log, TLS: secured})
	if err != nil {
		return err
	}
	s.closers = append(s.closers, func(context.Context) error { return s.hot.Close() })
	return nil
}

func (s *parts) openTemporal(context.Context, string) error {
	dial, codec, err := dialOptions(s.cfg.Temporal)
	if err != nil {
		return err
	}
	dial.Log, dial.Metrics, dial.Tracing = s.log, telemetry.NewTemporalMetrics(s.registry), s.cfg.Telemetry.OTLPEndpoint != ""
	if s.temporal, err = launch.Dial(dial); err != nil {
		return err
	}
	s.codec = codec
	s.closers = append(s.closers, func(context.Context) error { s.temporal.Close(); return nil })
	s.launcher = launch.New(launch.Options{
		Client: s.temporal, TaskQueue: s.cfg.Temporal.TaskQueue, Namespace: s.cfg.Temporal.Namespace, UIURL: s.cfg.Temporal.UIURL,
		Interval: s.cfg.Autoscale.Interval, ContinueEvery: s.cfg.Autoscale.ContinueAsNewEvery,
		MetricsRetentionDays: s.cfg.Monitoring.MetricsRetentionDays, AuditRetentionDays: s.cfg.Security.AuditRetentionDays,
		WeddingDays: s.cfg.Wedding.DayModeAutoEnable, Codec: dial.Codec, Log: s.log,
	})
	return nil
}

// dialOptions say how Temporal is reached, and what seals what it keeps; nil: nothing does.
func dialOptions(t config.Temporal) (launch.DialOptions, *sealed.Codec, error) {
	o := launch.DialOptions{Address: t.Address, Namespace: t.Namespace}
	if t.TLS {
		secured, err := tlsfiles.Client(tlsfiles.ClientFiles{CA: t.TLSCAFile, Cert: t.TLSCertFile, Key: t.TLSKeyFile, ServerName: t.TLSServerName})
		if err != nil {
			return o, nil, fmt.Errorf("TEMPORAL_TLS: %w", err)
		}
		o.TLS = secured
	}
	if !t.PayloadKeys.IsSet() {
		return o, nil, nil
	}
	keys, err := sealed.ParseKeys(t.PayloadKeys.Reveal())
	if err != nil {
		return o, nil, fmt.Errorf("TEMPORAL_PAYLOAD_KEYS: %w", err)
	}
	codec, err := sealed.New(keys)
	if err != nil {
		return o, nil, fmt.Errorf("TEMPORAL_PAYLOAD_KEYS: %w", err)
	}
	o.Codec = codec
	return o, codec, nil
}

// serveTelemetry answers /metrics and /healthz until ctx ends.
func (s *parts) serveTelemetry(ctx context.Context, healthy func(context.Context) error) error {
	return telemetry.Serve(ctx, s.cfg.Telemetry.MetricsAddress, s.registry, healthy)
}

// close ends what was opened, newest first, and gives each a bounded time.
func (s *parts) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i](ctx))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	return nil
}
