package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
)

// series writes a sample with all labels of the bridge, of which only some are set.
func series(name string, set map[string]string, value string) string {
	labels := []string{"activity_type", "cause", "failure_reason", "namespace", "operation", "poller_type", "status_code", "task_queue", "worker_type", "workflow_type"}
	parts := make([]string, len(labels))
	for i, l := range labels {
		parts[i] = fmt.Sprintf("%s=%q", l, set[l])
	}
	return name + "{" + strings.Join(parts, ",") + "} " + value
}

func TestTemporalCountersAddPerTags(t *testing.T) {
	r := prometheus.NewRegistry()
	root := NewTemporalMetrics(r).WithTags(map[string]string{"namespace": "default", "operation": "none"})
	one := root.WithTags(map[string]string{"operation": "StartWorkflowExecution"})
	one.Counter("temporal_request").Inc(2)
	one.Counter("temporal_request").Inc(3)
	one.WithTags(map[string]string{"status_code": "UNAVAILABLE"}).Counter("temporal_request").Inc(1)
	root.Counter("temporal_request").Inc(1)
	holds(t, r, "temporal_request_total",
		series("temporal_request_total", map[string]string{"namespace": "default", "operation": "StartWorkflowExecution"}, "5"),
		series("temporal_request_total", map[string]string{"namespace": "default", "operation": "StartWorkflowExecution", "status_code": "UNAVAILABLE"}, "1"),
		series("temporal_request_total", map[string]string{"namespace": "default", "operation": "none"}, "1"))
}

func TestTemporalTagsWithoutBoundAreDropped(t *testing.T) {
	r := prometheus.NewRegistry()
	h := NewTemporalMetrics(r)
	for i := range 100 {
		h.WithTags(map[string]string{"workflow_id": fmt.Sprint(i), "run_id": fmt.Sprint(i)}).Counter("signals").Inc(1)
	}
	holds(t, r, "temporal_signals_total", series("temporal_signals_total", nil, "100"))
}

func TestTemporalGaugesAndTimers(t *testing.T) {
	r := prometheus.NewRegistry()
	h := NewTemporalMetrics(r).WithTags(map[string]string{"worker_type": "ActivityWorker"})
	h.Gauge("temporal_worker_task_slots_used").Update(7)
	h.Gauge("temporal_worker_task_slots_used").Update(3)
	h.Timer("temporal_activity_execution_latency").Record(1500 * time.Millisecond)
	holds(t, r, "temporal_worker_task_slots_used", series("temporal_worker_task_slots_used", map[string]string{"worker_type": "ActivityWorker"}, "3"))
	families, err := r.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == "temporal_activity_execution_latency_seconds" {
			h := f.GetMetric()[0].GetHistogram()
			assert.Equal(t, uint64(1), h.GetSampleCount())
			assert.InDelta(t, 1.5, h.GetSampleSum(), 1e-9)
			return
		}
	}
	t.Fatal("the timer is not there")
}

func TestTemporalMetricsNeverStopTheWork(t *testing.T) {
	r := prometheus.NewRegistry()
	h := NewTemporalMetrics(r)
	h.Counter("falls").Inc(-1)
	holds(t, r, "temporal_falls_total", series("temporal_falls_total", nil, "0"))
	h.Counter("kind").Inc(1)
	h.Gauge("kind_total").Update(1) // the name is a counter's
	h.Counter("odd name-é!").Inc(1)
	h.WithTags(map[string]string{"operation": "\xff"}).Counter("bytes").Inc(1)
	_, err := r.Gather()
	require.NoError(t, err)
	assert.Equal(t, "temporal_odd_name____total", metricName("odd name-é!", "_total"))
	assert.Equal(t, "temporal_x_total", metricName("temporal_x_total", "_total"))
}

func TestTemporalMetricsFromManyGoroutines(t *testing.T) {
	r := prometheus.NewRegistry()
	h := NewTemporalMetrics(r)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 100 {
				h.WithTags(map[string]string{"operation": fmt.Sprint(i % 2)}).Counter(fmt.Sprintf("c%d", j%5)).Inc(1)
			}
		})
	}
	all.Wait()
	count, err := testutil.GatherAndCount(r)
	require.NoError(t, err)
	assert.Equal(t, 10, count)
}

// TestTheTemporalClientReportsThroughTheBridge makes a call that fails on a server
// that is not there and finds it counted.
func TestTheTemporalClientReportsThroughTheBridge(t *testing.T) {
	r := prometheus.NewRegistry()
	c, err := client.NewLazyClient(client.Options{HostPort: "127.0.0.1:1", MetricsHandler: NewTemporalMetrics(r),
		Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{})
	require.Error(t, err)
	count, err := testutil.GatherAndCount(r, "temporal_request_total", "temporal_request_latency_seconds", "temporal_request_failure_total")
	require.NoError(t, err)
	assert.GreaterOrEqual(t, count, 3)
}
