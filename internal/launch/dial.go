package launch

import (
	"fmt"
	"log/slog"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
	tlog "go.temporal.io/sdk/log"
)

// DialOptions say which Temporal is used and what is told of it.
type DialOptions struct {
	Address   string // host:port of the frontend
	Namespace string
	Log       *slog.Logger          // nil: silent
	Metrics   client.MetricsHandler // nil: none
	Tracing   bool                  // spans, by the global OpenTelemetry provider
}

// Dial makes a client that connects at its first call, and again whenever the connection
// is lost: a process starts and goes on while Temporal is away.
func Dial(o DialOptions) (client.Client, error) {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	options := client.Options{
		HostPort: o.Address, Namespace: o.Namespace, MetricsHandler: o.Metrics, Logger: tlog.NewStructuredLogger(log),
	}
	if o.Tracing {
		tracing, err := opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{})
		if err != nil {
			return nil, fmt.Errorf("launch.Dial: %w", err)
		}
		options.Interceptors = []interceptor.ClientInterceptor{tracing}
	}
	c, err := client.NewLazyClient(options)
	if err != nil {
		return nil, fmt.Errorf("launch.Dial: %w", err)
	}
	return c, nil
}
