package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/wedsync/scalability/internal/audit"
	"github.com/wedsync/scalability/internal/devstack"
	"github.com/wedsync/scalability/internal/store"
	"github.com/wedsync/scalability/models"
)

// prepareDatabase makes the tables, the catalogue and the roles of the five subjects.
func (d *dev) prepareDatabase(ctx context.Context) error {
	quiet := slog.New(slog.DiscardHandler)
	if err := store.Migrate(ctx, d.postgres.OwnerURL(), devstack.AppRole, quiet); err != nil {
		return err
	}
	pool, err := store.Open(ctx, store.Options{
		URL: d.postgres.OwnerURL(), MaxConnections: 2, ConnectionTimeout: 10 * time.Second, QueryTimeout: time.Minute, Log: quiet,
	})
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }() // nothing is left to lose
	trail, err := audit.Open(ctx, audit.Options{URL: d.postgres.OwnerURL(), Process: "dev"})
	if err != nil {
		return err
	}
	defer func() { _ = trail.Close(context.WithoutCancel(ctx)) }() // its rows are committed already
	owner := pool.Audited(trail.Changes()).As(models.Scope{Role: models.ScopeSystem, Subject: "dev"})
	if _, err := owner.SeedServices(ctx, devServices()); err != nil {
		return err
	}
	now := time.Now().UTC()
	for subject, role := range map[string]models.Role{
		"user:admin": models.RoleAdmin, "user:operator": models.RoleOperator, "user:viewer": models.RoleViewer,
		"user:coordinator": models.RoleCoordinator, "svc:metrics-writer": models.RoleMetricsWriter,
	} {
		if err := owner.GrantRole(ctx, models.Binding{Subject: subject, Role: role, ValidFrom: now, CreatedBy: "dev", CreatedAt: now}); err != nil {
			return err
		}
	}
	return nil
}

// devServices is the catalogue with shorter waits: the demonstration presses a day into
// twenty minutes, and a person who watches wants to see a verdict within one.
func devServices() []models.Service {
	services := models.DefaultServices("fleet")
	for i := range services {
		p := &services[i].Policy
		p.SoakSeconds, p.MeasurementIntervalSeconds, p.Measurements = 5, 5, 3
		p.HoldAfterUpSeconds, p.DownStabilisationSeconds, p.DownPeriodSeconds = 60, 60, 20
		p.PanicSeconds, p.ReadyDeadlineSeconds, p.OperationDeadlineSeconds = 20, 90, 300
	}
	return services
}

// allHealthy reads the health of the five components.
func allHealthy(ctx context.Context, url string) (err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	var h models.Health
	if err := json.Unmarshal(raw, &h); err != nil {
		return fmt.Errorf("health: %w", err)
	}
	if h.OverallHealth != models.OverallHealthy {
		return fmt.Errorf("health is %s: %s", h.OverallHealth, raw)
	}
	return nil
}
