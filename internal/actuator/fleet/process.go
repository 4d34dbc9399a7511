package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/wedsync/scalability/models"
)

// Options start a fleet process.
type Options struct {
	Address   string               // host:port on loopback
	StatePath string               // file that a restart reads; "" = nothing is kept
	Settings  Settings             // of a new fleet; a state file holds its own
	Report    *ReporterOptions     // nil = nothing is reported
	Log       *slog.Logger         // nil = silent
	OnReady   func(address string) // may be nil; called once it answers
}

// Run serves a fleet until ctx ends, then saves it.
func Run(ctx context.Context, o Options) error {
	if err := checkLoopback(o.Address); err != nil {
		return err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.StatePath != "" {
		if err := os.MkdirAll(filepath.Dir(o.StatePath), 0o700); err != nil {
			return fmt.Errorf("fleet: state folder: %w", err)
		}
	}
	f, err := Open(o.StatePath, o.Settings, nil, o.Log)
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", o.Address)
	if err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	var stepping error
	wg.Go(func() { stepping = f.Run(ctx) })
	if o.Report != nil {
		r := NewReporter(*o.Report, f.Samples, o.Log)
		wg.Go(func() { r.Run(ctx) })
	}
	if o.OnReady != nil {
		o.OnReady(l.Addr().String())
	}
	err = serveHTTP(ctx, l, f.Handler())
	cancel()
	wg.Wait()
	return errors.Join(err, stepping)
}

// serveHTTP serves until ctx ends, and then lets running calls finish.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 75 * time.Second, IdleTimeout: 60 * time.Second, MaxHeaderBytes: 16 << 10,
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		stopped <- srv.Shutdown(end)
	}()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("fleet: %w", err)
	}
	return <-stopped
}

// checkLoopback refuses addresses that others can reach: the fleet knows no credentials.
func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return models.Invalid("fleet address", address, "must be host:port")
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return models.Invalid("fleet address", address, "must be on loopback: the fleet knows no credentials")
	}
	return nil
}
