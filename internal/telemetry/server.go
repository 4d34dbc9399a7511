package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Time-outs of the metrics server.
const (
	readTimeout    = 5 * time.Second
	scrapeTimeout  = 10 * time.Second
	writeTimeout   = 15 * time.Second
	idleTimeout    = time.Minute
	healthTimeout  = 2 * time.Second
	stopGrace      = 5 * time.Second
	maxHeaderBytes = 16 << 10
	maxScrapes     = 4 // at the same time
)

// Serve answers /metrics from the gatherer and /healthz from healthy (nil: always
// well) on addr until ctx ends, lets open requests finish for 5 s, and returns nil.
// An error means that it could not listen or stopped by itself.
func Serve(ctx context.Context, addr string, g prometheus.Gatherer, healthy func(context.Context) error) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("telemetry.Serve: %w", err)
	}
	return serve(ctx, listener, g, healthy)
}

func serve(ctx context.Context, l net.Listener, g prometheus.Gatherer, healthy func(context.Context) error) error {
	server := &http.Server{
		Handler: handler(g, healthy), ReadHeaderTimeout: readTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("telemetry.Serve: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return errors.Join(fmt.Errorf("telemetry.Serve: stop: %w", err), server.Close())
	}
	return nil
}

// handler routes the two paths; everything else is 404, other methods 405.
func handler(g prometheus.Gatherer, healthy func(context.Context) error) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(g, promhttp.HandlerOpts{
		Timeout: scrapeTimeout, MaxRequestsInFlight: maxScrapes, ErrorHandling: promhttp.ContinueOnError,
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
		defer cancel()
		answer(w, check(ctx, healthy))
	})
	return mux
}

// check runs healthy, which may not look at its context, within the context's time.
func check(ctx context.Context, healthy func(context.Context) error) error {
	if healthy == nil {
		return nil
	}
	result := make(chan error, 1)
	go func() { result <- healthy(ctx) }()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func answer(w http.ResponseWriter, err error) {
	code, body := http.StatusOK, map[string]string{"status": "ok"}
	if err != nil {
		code = http.StatusServiceUnavailable
		body = map[string]string{"status": "unavailable", "reason": newRedactor().scrub(err.Error())}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client is gone; nobody is left to tell
}
