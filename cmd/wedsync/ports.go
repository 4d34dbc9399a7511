package main

import (
	"context"
	"time"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/api"
	"github.com/wedsync/scalability/internal/accesspolicy"
	"github.com/wedsync/scalability/internal/actuator/fleet"
	"github.com/wedsync/scalability/internal/audit"
	"github.com/wedsync/scalability/internal/authn"
	"github.com/wedsync/scalability/internal/health"
	"github.com/wedsync/scalability/internal/hotstore"
	"github.com/wedsync/scalability/internal/ingest"
	"github.com/wedsync/scalability/internal/launch"
	"github.com/wedsync/scalability/internal/loadtest"
	"github.com/wedsync/scalability/internal/predictor"
	"github.com/wedsync/scalability/internal/redecide"
	"github.com/wedsync/scalability/internal/sealed"
	"github.com/wedsync/scalability/internal/store"
	"github.com/wedsync/scalability/internal/telemetry"
	"github.com/wedsync/scalability/internal/threats"
	"github.com/wedsync/scalability/models"
)

// The adapters fit the ports.
var (
	_ activities.Catalogue        = (*store.Store)(nil)
	_ activities.Claims           = (*store.Store)(nil)
	_ activities.DecisionWriter   = (*store.Store)(nil)
	_ activities.DecisionReader   = (*store.Store)(nil)
	_ activities.StateWriter      = (*store.Store)(nil)
	_ activities.EvaluationWriter = (*store.Store)(nil)
	_ activities.LearnedReader    = (*store.Store)(nil)
	_ activities.RollupReader     = (*store.Store)(nil)
	_ activities.SpendingReader   = (*store.Store)(nil)
	_ activities.Partitions       = (*store.Store)(nil)
	_ activities.SnapshotWriter   = (*store.Store)(nil)
	_ activities.SignalReader     = (*hotstore.Store)(nil)
	_ activities.Forecaster       = (*predictor.Predictor)(nil)
	_ activities.CalendarReader   = (*predictor.Predictor)(nil)
	_ activities.UsualReader      = (*predictor.Predictor)(nil)
	_ activities.WeddingPredictor = (*predictor.Predictor)(nil)
	_ activities.ForecastKeeper   = (*predictor.Predictor)(nil)
	_ activities.Actuator         = (*fleet.Client)(nil)
	_ activities.Measurer         = (*fleet.Client)(nil)
	_ activities.Prober           = (*fleet.Client)(nil)
	_ activities.DryRunner        = (*fleet.Client)(nil)

	_ activities.DisturbanceReader = (*fleet.Client)(nil)
	_ activities.OperationFinder   = (*launch.Launcher)(nil)
	_ activities.HealthReader      = publishedHealth{}
	_ activities.Auditor           = (*audit.Writer)(nil)

	_ activities.DayForecaster  = (*predictor.Predictor)(nil)
	_ activities.SeasonKeeper   = (*store.Store)(nil)
	_ activities.PlanKeeper     = (*store.Store)(nil)
	_ activities.ProofKeeper    = (*store.Store)(nil)
	_ activities.SeasonClaims   = (*store.Store)(nil)
	_ activities.CeremonyReader = (*store.Store)(nil)
	_ activities.UsageReader    = (*store.Store)(nil)
	_ activities.LoadTester     = (*loadtest.Tester)(nil)
	_ activities.Escalator      = escalations{}
	_ activities.DayEscalator   = escalations{}
	_ api.Seasons               = (*store.Store)(nil)
	_ api.SeasonRunner          = launches{}
	_ loadtest.LoadSource       = (*fleet.Client)(nil)
	_ loadtest.Measurer         = (*fleet.Client)(nil)

	_ api.Authenticator = (*authn.Gate)(nil)
	_ api.SignIn        = (*authn.SignIn)(nil)
	_ api.Accounts      = (*store.Store)(nil)

	_ api.Alerts        = (*store.Store)(nil)
	_ api.Throttles     = (*hotstore.Throttles)(nil)
	_ threats.Trail     = (*audit.Reader)(nil)
	_ threats.History   = (*audit.Reader)(nil)
	_ threats.Lease     = (*store.Store)(nil)
	_ threats.Alerts    = (*store.Store)(nil)
	_ threats.Revoker   = (*store.Store)(nil)
	_ threats.Claims    = (*store.Store)(nil)
	_ threats.Throttles = (*hotstore.Store)(nil)

	_ api.Policies    = (*accesspolicy.Keeper)(nil)
	_ api.Explainer   = (*accesspolicy.Explainer)(nil)
	_ api.PolicyStore = (*store.Store)(nil)
	_ api.Bindings    = (*store.Store)(nil)

	_ accesspolicy.Records = (*store.Store)(nil)

	_ authn.ServiceKeys = (*store.Store)(nil)
	_ authn.Revocations = (*store.Store)(nil)

	_ activities.WeddingCalendar   = (*store.Store)(nil)
	_ activities.DayClaims         = (*store.Store)(nil)
	_ activities.DayUsage          = (*store.Store)(nil)
	_ activities.WeddingDayWriter  = (*store.Store)(nil)
	_ activities.StatesReader      = (*store.Store)(nil)
	_ activities.GuestLoad         = (*predictor.Predictor)(nil)
	_ activities.WeddingDayStarter = (*launch.Launcher)(nil)
	_ activities.Nudger            = (*launch.Launcher)(nil)

	_ api.WeddingDays      = (*store.Store)(nil)
	_ api.WeddingDayRunner = (*launch.Launcher)(nil)

	_ api.Grantor        = (*hotstore.Grants)(nil)
	_ api.Auditor        = (*audit.Writer)(nil)
	_ api.AuditReader    = (*store.Store)(nil)
	_ api.RateLimiter    = (*hotstore.Limiter)(nil)
	_ api.Ingester       = (*ingest.Engine)(nil)
	_ api.Catalogue      = (*store.Store)(nil)
	_ api.Weddings       = (*store.Store)(nil)
	_ api.Reservations   = (*store.Store)(nil)
	_ api.Decisions      = (*store.Store)(nil)
	_ api.StateReader    = (*store.Store)(nil)
	_ api.Evaluations    = (*store.Store)(nil)
	_ api.Previewer      = (*redecide.Previewer)(nil)
	_ api.MetricsReader  = (*hotstore.Store)(nil)
	_ api.HealthReader   = (*health.Checker)(nil)
	_ api.DatabaseReader = (*store.Store)(nil)
	_ api.Predictor      = (*predictor.Predictor)(nil)
	_ api.Approver       = (*launch.Launcher)(nil)
	_ api.Launcher       = (*launch.Launcher)(nil)
	_ api.PayloadOpener  = (*sealed.Codec)(nil)

	_ redecide.Evaluations = (*store.Store)(nil)
	_ redecide.Claims      = (*store.Store)(nil)

	_ ingest.HotSink        = (*hotstore.Store)(nil)
	_ ingest.RollupSink     = (*store.Store)(nil)
	_ ingest.CapacityReader = capacities{}
	_ ingest.Signaller      = (*launch.Launcher)(nil)
	_ ingest.Observer       = (*telemetry.IngestMetrics)(nil)
)

// capacities tells the spike probe what each service can carry, as of its last
// evaluation.
type capacities struct{ store *store.Store }

// Capacities leaves out services that were never evaluated: of those nobody knows what a
// spike is.
func (c capacities) Capacities(ctx context.Context) (map[models.ServiceName]ingest.Capacity, error) {
	services, err := c.store.Services(ctx)
	if err != nil {
		return nil, err
	}
	states, err := c.store.ScalingStates(ctx)
	if err != nil {
		return nil, err
	}
	ready := map[models.ServiceName]int{}
	for _, s := range states {
		ready[s.Service] = s.Ready
	}
	out := map[models.ServiceName]ingest.Capacity{}
	for _, s := range services {
		if n, evaluated := ready[s.Name]; evaluated {
			out[s.Name] = ingest.Capacity{Ready: n, RPS: s.CapacityRPS, Trigger: s.Policy.PanicUtilisation, Target: s.Policy.TargetUtilisation}
		}
	}
	return out, nil
}

// publishedHealth answers with what an API process published within the last minute,
// and probes by itself when none did.
type publishedHealth struct {
	hot  *hotstore.Store
	self *health.Checker
}

// Health never fails: what cannot be checked is unhealthy.
func (p publishedHealth) Health(ctx context.Context, now time.Time) models.Health {
	if h, err := p.hot.Health(ctx); err == nil && now.Sub(h.CheckedAt) < time.Minute {
		return h
	}
	return p.self.Health(ctx, now)
}
