package telemetry

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// receiver is a collector that keeps what it gets.
func receiver(t *testing.T) (string, chan *collector.ExportTraceServiceRequest) {
	got := make(chan *collector.ExportTraceServiceRequest, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var export collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/base/v1/traces" || proto.Unmarshal(body, &export) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		got <- &export
	}))
	t.Cleanup(server.Close)
	return server.URL + "/base", got
}

func TestSpansReachTheCollector(t *testing.T) {
	before := otel.GetTracerProvider()
	t.Cleanup(func() { otel.SetTracerProvider(before) })
	endpoint, got := receiver(t)
	shutdown, err := StartTracing(t.Context(), endpoint, "worker")
	require.NoError(t, err)

	dropped := propagation.MapCarrier{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}
	_, span := otel.Tracer("t").Start(otel.GetTextMapPropagator().Extract(t.Context(), dropped), "the caller did not sample this")
	assert.False(t, span.SpanContext().IsSampled())
	span.End()
	ctx, span := otel.Tracer("t").Start(t.Context(), "decide")
	carrier := propagation.MapCarrier{}
	otel.GetTextMapPropagator().Inject(ctx, carrier)
	assert.Contains(t, carrier["traceparent"], span.SpanContext().TraceID().String())
	span.End()

	stop, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	require.NoError(t, shutdown(stop))
	require.Len(t, got, 1)
	export := <-got
	require.Len(t, export.GetResourceSpans(), 1)
	attributes := map[string]string{}
	for _, a := range export.GetResourceSpans()[0].GetResource().GetAttributes() {
		attributes[a.GetKey()] = a.GetValue().GetStringValue()
	}
	assert.Equal(t, "wedsync-worker", attributes["service.name"])
	assert.Equal(t, "wedsync", attributes["service.namespace"])
	spans := export.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans()
	require.Len(t, spans, 1)
	assert.Equal(t, "decide", spans[0].GetName())
}

func TestWithoutAnEndpointNoSpanIsMade(t *testing.T) {
	before := otel.GetTracerProvider()
	shutdown, err := StartTracing(t.Context(), "", "worker")
	require.NoError(t, err)
	assert.Equal(t, before, otel.GetTracerProvider())
	require.NoError(t, shutdown(t.Context()))
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: 1}))
	carrier := propagation.MapCarrier{}
	otel.GetTextMapPropagator().Inject(ctx, carrier)
	assert.NotEmpty(t, carrier["traceparent"], "a trace of somebody else passes through")
}

func TestABadEndpointIsRefused(t *testing.T) {
	_, err := StartTracing(t.Context(), "http://[::1", "worker")
	require.Error(t, err)
}
