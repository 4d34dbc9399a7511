package launch

import (
	"crypto/tls"
	"fmt"
	"log/slog"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	tlog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
)

// DialOptions say which Temporal is used and what is told of it.
type DialOptions struct {
	Address   string // host:port of the frontend
	Namespace string
	Log       *slog.Logger           // nil: silent
	Metrics   client.MetricsHandler  // nil: none
	Tracing   bool                   // spans, by the global OpenTelemetry provider
	TLS       *tls.Config            // nil: in the clear
	Codec     converter.PayloadCodec // seals what workflows carry; nil: in the clear
}

// Converter is how payloads are written and read under a codec, which may be nil.
func Converter(codec converter.PayloadCodec) converter.DataConverter {
	if codec == nil {
		return converter.GetDefaultDataConverter()
	}
	return converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), codec)
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
		DataConverter: Converter(o.Codec), ConnectionOptions: client.ConnectionOptions{TLS: o.TLS},
	}
	if o.Codec != nil {
		// The text of a failure may quote what an activity was given.
		options.FailureConverter = temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
			DataConverter: options.DataConverter, EncodeCommonAttributes: true,
		})
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
