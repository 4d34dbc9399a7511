package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/wedsync/scalability/api"
	"github.com/wedsync/scalability/internal/accesspolicy"
	"github.com/wedsync/scalability/internal/authn"
	"github.com/wedsync/scalability/internal/config"
	"github.com/wedsync/scalability/internal/health"
	"github.com/wedsync/scalability/internal/hotstore"
	"github.com/wedsync/scalability/internal/ingest"
	"github.com/wedsync/scalability/internal/redecide"
	"github.com/wedsync/scalability/internal/telemetry"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/web"
)

// apiHandler puts the HTTP surface together.
func (s *parts) apiHandler(engine *ingest.Engine, checker *health.Checker, policies *accesspolicy.Keeper) (http.Handler, error) {
	gate, signIn, err := s.authentication()
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
		Auth: gate, Accounts: s.store, NewKey: authn.NewServiceKey, Grants: s.hot.CachedGrants(s.store), Policies: policies, Explainer: &accesspolicy.Explainer{Records: s.store}, PolicyStore: s.store, Bindings: s.store, Audit: s.audit, Trail: s.store, Alerts: s.store,
		Limiter: s.hot.Limiter(hotstore.LimiterOptions{Replicas: s.cfg.RateLimit.Replicas}), Ingest: engine,
		Catalogue: s.store, Weddings: s.store, Contacts: s.store, Importer: s.importer(), Feeds: s.store, Notifier: s.notifier(),
		KeepContacts: s.cfg.Environment == config.Production, Reservations: s.store, Decisions: s.store, States: s.store,
		Evaluations: s.store, Previewer: &redecide.Previewer{Evaluations: s.store, Claims: s.store},
		Metrics: s.hot, Health: checker, Database: s.store, Predictor: s.predict, Ahead: s.predict,
		Approver: launches{s.launcher, s.trail}, Launcher: launches{s.launcher, s.trail}, WeddingDays: s.store, DayRunner: launches{s.launcher, s.trail},
		Seasons: s.store, SeasonRunner: launches{s.launcher, s.trail},
		Dashboard: dashboard, SiteURL: s.cfg.SiteURL, TemporalUI: s.cfg.Temporal.UIURL, TemporalNamespace: s.cfg.Temporal.Namespace,
		RateLimit: s.cfg.RateLimit.Requests, SignInLimit: s.cfg.RateLimit.SignIns, IngestRateLimit: s.cfg.RateLimit.IngestRequests, RateWindow: s.cfg.RateLimit.Window,
		TrustedProxies: s.cfg.API.TrustedProxies, RBAC: s.cfg.Features.RBAC, Thresholds: thresholdsOf(s.cfg.Thresholds), Now: time.Now, Log: s.log,
		Observe: telemetry.NewAPIMetrics(s.registry).Observe, Tracing: s.cfg.Telemetry.OTLPEndpoint != "",
	}
	if signIn != nil {
		surface.SignIn = signIn
	}
	if s.detectsThreats() {
		surface.Throttles = s.hot.Throttles()
	}
	if s.codec != nil {
		surface.Payloads = s.codec
	}
	return api.New(surface)
}

// thresholdsOf are those of ordinary days: the environment's where it has any, else those of
// the alert table. A critical one is never below its warning.
func thresholdsOf(t config.Thresholds) models.Thresholds {
	warning := models.ThresholdSet{
		ResponseTimeMS: float64(t.ResponseTime.Milliseconds()), ErrorRate: t.ErrorRate, CPU: t.CPUWarning / 100, Memory: t.MemoryWarning / 100, HealthScore: 70,
	}
	return models.Thresholds{Warning: warning, Critical: models.ThresholdSet{
		ResponseTimeMS: max(2000, warning.ResponseTimeMS), ErrorRate: max(0.1, warning.ErrorRate), CPU: t.CPUCritical / 100, Memory: t.MemoryCritical / 100, HealthScore: 50,
	}}
}

// authentication says whose word counts: bearer tokens, service keys and, where a provider
// is configured, browsers that signed in.
func (s *parts) authentication() (*authn.Gate, *authn.SignIn, error) {
	a := s.cfg.Auth
	if a.Discovery {
		found, err := authn.DiscoverKeys(context.Background(), a.Issuer)
		if err != nil {
			return nil, nil, fmt.Errorf("AUTH_DISCOVERY: %w", err)
		}
		a.JWKSURL = found
	}
	verifier, err := authn.New(authn.Options{
		Secret: []byte(a.TokenSecret.Reveal()), JWKSURL: a.JWKSURL, Issuer: a.Issuer, Audience: a.Audience,
		OnKeysError: func(err error) { s.log.Warn("the key set could not be fetched", "error", err) },
	})
	if err != nil {
		return nil, nil, err
	}
	s.closers = append(s.closers, func(context.Context) error { verifier.Close(); return nil })
	o := authn.GateOptions{Tokens: verifier, Keys: s.store, Revocations: s.store}
	if a.OIDCIssuer == "" {
		return authn.NewGate(o), nil, nil
	}
	if o.Sessions, err = authn.NewSessions([]byte(a.SessionSecret.Reveal()), a.SessionLifetime, nil); err != nil {
		return nil, nil, fmt.Errorf("AUTH_SESSION_SECRET: %w", err)
	}
	return authn.NewGate(o), authn.NewSignIn(authn.SignInOptions{
		Issuer: a.OIDCIssuer, ClientID: a.OIDCClientID, ClientSecret: a.OIDCClientSecret.Reveal(),
		RedirectURL: s.cfg.SiteURL + "/auth/callback", Sessions: o.Sessions,
	}), nil
}
