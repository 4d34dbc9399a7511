package telemetry

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// holds compares the named metrics of a registry with their text form, without HELP
// and TYPE.
func holds(t *testing.T, g prometheus.Gatherer, name string, lines ...string) {
	t.Helper()
	families, err := g.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == name {
			header := "# HELP " + name + " " + f.GetHelp() + "\n# TYPE " + name + " " + strings.ToLower(f.GetType().String()) + "\n"
			require.NoError(t, testutil.GatherAndCompare(g, strings.NewReader(header+strings.Join(lines, "\n")+"\n"), name))
			return
		}
	}
	assert.Empty(t, lines, "%s is not there", name)
}

func TestEscalationsAreCountedFromNothingOn(t *testing.T) {
	r := prometheus.NewRegistry()
	m := NewEscalationMetrics(r)
	m.Told("wedding_day", "critical")
	require.NoError(t, testutil.GatherAndCompare(r, strings.NewReader(`
# HELP wedsync_escalations_total What the preparation of seasons and wedding days had people called for, by its severity.
# TYPE wedsync_escalations_total counter
wedsync_escalations_total{of="season",severity="critical"} 0
wedsync_escalations_total{of="season",severity="warning"} 0
wedsync_escalations_total{of="wedding_day",severity="critical"} 1
wedsync_escalations_total{of="wedding_day",severity="warning"} 0
`)))
}

func TestAPIMetrics(t *testing.T) {
	r := prometheus.NewRegistry()
	m := NewAPIMetrics(r)
	m.Observe("/weddings/:id", http.MethodGet, 200, 20*time.Millisecond)
	m.Observe("/weddings/:id", http.MethodGet, 200, 20*time.Millisecond)
	m.Observe("", "BREW", 404, time.Millisecond)
	m.Observe("", "BREW2", 404, time.Millisecond)
	holds(t, r, "wedsync_api_requests_total",
		`wedsync_api_requests_total{code="200",method="GET",route="/weddings/:id"} 2`,
		`wedsync_api_requests_total{code="404",method="other",route="unmatched"} 2`)
	assert.Equal(t, 2, testutil.CollectAndCount(m.duration))
}

func TestDecisionMetrics(t *testing.T) {
	r := prometheus.NewRegistry()
	m := NewDecisionMetrics(r)
	m.Decided(models.ServiceAPI, models.ClassPanic, models.DirectionUp, time.Millisecond)
	m.Decided(models.ServiceAPI, models.ClassHold, models.DirectionHold, time.Millisecond)
	m.Decided("mine", models.ClassHold, models.DirectionHold, time.Millisecond)
	holds(t, r, "wedsync_decisions_total",
		`wedsync_decisions_total{class="hold",direction="hold",service="api"} 1`,
		`wedsync_decisions_total{class="hold",direction="hold",service="other"} 1`,
		`wedsync_decisions_total{class="panic",direction="up",service="api"} 1`)
}

func TestOperationMetrics(t *testing.T) {
	r := prometheus.NewRegistry()
	m := NewOperationMetrics(r)
	m.Finished(models.ServiceMedia, models.OutcomeRolledBack, time.Minute)
	m.Finished(models.ServiceMedia, models.OutcomeOpen, time.Minute)
	m.Responded(models.ServiceMedia, 1500*time.Millisecond)
	holds(t, r, "wedsync_operations_total",
		`wedsync_operations_total{outcome="open",service="media"} 1`,
		`wedsync_operations_total{outcome="rolled_back",service="media"} 1`)
	assert.Equal(t, 1, testutil.CollectAndCount(m.response))
}

func TestIngestMetrics(t *testing.T) {
	r := prometheus.NewRegistry()
	m := NewIngestMetrics(r)
	m.Received(models.IngestResult{Received: 10, Accepted: 5, Late: 2, Future: 1})
	m.Received(models.IngestResult{Received: 1, Accepted: 5}) // an answer that does not add up moves nothing backwards
	m.Refused(7)
	m.SpikeSignalled(models.ServiceAuth)
	at := time.Date(2027, 6, 12, 12, 0, 0, 0, time.UTC)
	m.Flushed(at, time.Millisecond, nil)
	m.Flushed(at.Add(time.Minute), time.Millisecond, errors.New("redis is down"))
	holds(t, r, "wedsync_ingest_samples_total",
		`wedsync_ingest_samples_total{result="accepted"} 10`, `wedsync_ingest_samples_total{result="duplicate"} 2`,
		`wedsync_ingest_samples_total{result="future"} 1`, `wedsync_ingest_samples_total{result="late"} 2`,
		`wedsync_ingest_samples_total{result="refused"} 7`)
	holds(t, r, "wedsync_ingest_spikes_total", `wedsync_ingest_spikes_total{service="auth"} 1`)
	assert.InDelta(t, float64(at.Unix()), testutil.ToFloat64(m.lastGood), 0.001)
	assert.Equal(t, 2, testutil.CollectAndCount(m.flushes))
}

func TestAllMetricsFollowTheConventions(t *testing.T) {
	r := NewRegistry("api")
	NewAPIMetrics(r).Observe("/x", http.MethodGet, 200, time.Millisecond)
	NewDecisionMetrics(r).Decided(models.ServiceAPI, models.ClassHold, models.DirectionHold, time.Millisecond)
	NewOperationMetrics(r).Finished(models.ServiceAPI, models.OutcomeVerified, time.Second)
	NewIngestMetrics(r).Refused(1)
	wape := 0.2
	forecasts := NewForecastMetrics(r)
	forecasts.Judged(models.ForecastGate{Service: models.ServiceAPI, Trusted: true, WAPE7Days: &wape})
	holds(t, r, "wedsync_forecast_error_ratio", `wedsync_forecast_error_ratio{service="api"} 0.2`)
	forecasts.Judged(models.ForecastGate{Service: models.ServiceAPI})
	holds(t, r, "wedsync_forecast_trusted", `wedsync_forecast_trusted{service="api"} 0`)
	temporal := NewTemporalMetrics(r)
	temporal.Counter("temporal_request").Inc(1)
	temporal.Gauge("temporal_num_pollers").Update(1)
	temporal.Timer("temporal_request_latency").Record(time.Second)
	problems, err := testutil.GatherAndLint(r)
	require.NoError(t, err)
	assert.Empty(t, problems)
	count, err := testutil.GatherAndCount(r, "wedsync_build_info", "go_goroutines", "process_start_time_seconds")
	require.NoError(t, err)
	assert.Equal(t, 3, count)
	assert.Panics(t, func() { NewAPIMetrics(r) }, "two sets of the same metrics in one registry are a mistake of the program")
	assert.NotEmpty(t, Version())
}

func TestAnIncompleteTrailShowsInTheRatioThatIsAlertedOn(t *testing.T) {
	r := prometheus.NewRegistry()
	m := NewAuditMetrics(r)
	value := func(name string) float64 {
		families, err := r.Gather()
		require.NoError(t, err)
		for _, f := range families {
			if f.GetName() == name {
				return f.GetMetric()[0].GetGauge().GetValue()
			}
		}
		t.Fatalf("there is no %s", name)
		return 0
	}
	assert.InDelta(t, 1, value("wedsync_audit_completeness_ratio"), 0)
	m.Counted(1000, 999, 3)
	assert.InDelta(t, 0.999, value("wedsync_audit_completeness_ratio"), 1e-9)
	assert.InDelta(t, 0, value("wedsync_audit_anchored_timestamp_seconds"), 0, "nothing was signed yet")
	m.Anchored(time.UnixMilli(1_800_000_000_500))
	assert.InDelta(t, 1_800_000_000.5, value("wedsync_audit_anchored_timestamp_seconds"), 0)
}
