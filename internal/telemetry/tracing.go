package telemetry

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const exportTimeout = 10 * time.Second

// StartTracing sends the spans of this process to a collector (OTLP over HTTP; path
// v1/traces is added to the endpoint) in the background; with an empty endpoint no
// span is made. Either way trace context is passed on. A trace that somebody else
// began is kept or dropped as they decided; our own are kept. The returned function
// sends what is left and stops; call it once, with a deadline.
func StartTracing(ctx context.Context, endpoint, process string) (shutdown func(context.Context) error, err error) {
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	if endpoint == "" {
		return func(context.Context) error { return nil }, nil
	}
	target, err := url.JoinPath(endpoint, "v1", "traces")
	if err != nil {
		return nil, fmt.Errorf("telemetry.StartTracing: %w", err)
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(target), otlptracehttp.WithTimeout(exportTimeout))
	if err != nil {
		return nil, fmt.Errorf("telemetry.StartTracing: %w", err)
	}
	about, err := resource.Merge(resource.Default(), resource.NewSchemaless(
		attribute.String("service.namespace", "wedsync"), attribute.String("service.name", "wedsync-"+process),
		attribute.String("service.version", Version()),
	))
	if err != nil {
		return nil, fmt.Errorf("telemetry.StartTracing: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())))
	otel.SetTracerProvider(provider)
	return provider.Shutdown, nil
}
