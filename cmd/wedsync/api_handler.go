package main

import (
	"context"
	"net/http"
	"time"

	"github.com/wedsync/scalability/api"
	"github.com/wedsync/scalability/internal/authn"
	"github.com/wedsync/scalability/internal/health"
	"github.com/wedsync/scalability/internal/hotstore"
	"github.com/wedsync/scalability/internal/ingest"
	"github.com/wedsync/scalability/internal/redecide"
	"github.com/wedsync/scalability/internal/telemetry"
	"github.com/wedsync/scalability/policies/access"
	"github.com/wedsync/scalability/web"
)

// apiHandler puts the HTTP surface together.
func (s *parts) apiHandler(engine *ingest.Engine, checker *health.Checker) (http.Handler, error) {
	verifier, err := authn.New(authn.Options{
		Secret: []byte(s.cfg.Auth.TokenSecret.Reveal()), JWKSURL: s.cfg.Auth.JWKSURL,
		Issuer: s.cfg.Auth.Issuer, Audience: s.cfg.Auth.Audience,
		OnKeysError: func(err error) { s.log.Warn("the key set could not be fetched", "error", err) },
	})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func(context.Context) error { verifier.Close(); return nil })
	policy, err := access.New()
	if err != nil {
		return nil, err
	}
	dashboard, err := web.Dashboard()
	if err != nil {
		return nil, err
	}
	if !s.cfg.Features.RBAC {
		s.log.Warn("SCALABILITY_RBAC_ENABLED is false: every signed-in caller may do everything")
	}
	surface := api.Config{
		Auth: verifier, Grants: s.hot.CachedGrants(s.store), Policy: policy, Audit: s.audit,
		Limiter: s.hot.Limiter(hotstore.LimiterOptions{Replicas: 1}), Ingest: engine,
		Catalogue: s.store, Weddings: s.store, Reservations: s.store, Decisions: s.store, States: s.store,
		Evaluations: s.store, Previewer: &redecide.Previewer{Evaluations: s.store, Claims: s.store},
		Metrics: s.hot, Health: checker, Database: s.store, Predictor: s.predict,
		Approver: s.launcher, Launcher: s.launcher,
		Dashboard: dashboard, SiteURL: s.cfg.SiteURL, TemporalUI: s.cfg.Temporal.UIURL, TemporalNamespace: s.cfg.Temporal.Namespace,
		RateLimit: s.cfg.RateLimit.Requests, IngestRateLimit: s.cfg.RateLimit.IngestRequests, RateWindow: s.cfg.RateLimit.Window,
		RBAC: s.cfg.Features.RBAC, Now: time.Now, Log: s.log,
		Observe: telemetry.NewAPIMetrics(s.registry).Observe, Tracing: s.cfg.Telemetry.OTLPEndpoint != "",
	}
	if s.codec != nil {
		surface.Payloads = s.codec
	}
	return api.New(surface)
}
