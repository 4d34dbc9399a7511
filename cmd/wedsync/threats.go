package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/wedsync/scalability/internal/audit"
	"github.com/wedsync/scalability/internal/config"
	"github.com/wedsync/scalability/internal/telemetry"
	"github.com/wedsync/scalability/internal/threats"
	rules "github.com/wedsync/scalability/policies/threats"
)

// detectsThreats says whether the trail is watched: it is switched on, and there is a trail.
func (s *parts) detectsThreats() bool {
	return s.cfg.Security.ThreatDetection && s.cfg.Security.AuditLogging
}

// watchThreats watches the audit trail until ctx ends. A reader that cannot be had yet is
// tried for again.
func (s *parts) watchThreats(ctx context.Context) error {
	if !s.detectsThreats() {
		s.log.WarnContext(ctx, "nobody watches the audit trail for threats", "variables", "SECURITY_THREAT_DETECTION_ENABLED, RBAC_AUDIT_LOGGING_ENABLED")
		return nil
	}
	reader, err := audit.NewReader(ctx, s.cfg.Database.URL.Reveal(), "threats")
	for err != nil {
		s.log.WarnContext(ctx, "the audit trail cannot be read yet", "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(5 * time.Second):
		}
		reader, err = audit.NewReader(ctx, s.cfg.Database.URL.Reveal(), "threats")
	}
	defer reader.Close()
	m := telemetry.NewThreatMetrics(s.registry)
	threats.New(threats.Options{
		Holder: processName(config.Worker), Settings: rules.Defaults(), Trail: reader, History: reader, Lease: s.store, Alerts: s.store,
		Revoker: s.store, Throttles: s.hot, Claims: s.store, Now: time.Now, Log: s.log, OnThreat: m.Raised, OnWatched: m.Watched,
	}).Run(ctx)
	return nil
}

// processName is that of one process among all that ever ran.
func processName(p config.Process) string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s-%s-%d-%d", p, host, os.Getpid(), time.Now().UnixMilli())
}
