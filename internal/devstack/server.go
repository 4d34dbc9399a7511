package devstack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync/atomic"
	"time"
)

// server is what the three servers and our own processes have in common.
type server struct {
	spec  childSpec
	port  int
	child atomic.Pointer[child] // nil: never started
}

// Addr is host:port on loopback.
func (s *server) Addr() string { return loopback(s.port) }

// PID is the process id, 0 where none runs.
func (s *server) PID() int {
	if c := s.child.Load(); c != nil && !c.ended() {
		return c.pid
	}
	return 0
}

// Stop asks the server to end in good order and waits; it is killed when ctx ends first.
func (s *server) Stop(ctx context.Context) error {
	c := s.child.Load()
	if c == nil {
		return nil
	}
	return c.stop(ctx)
}

// Kill ends the server at once, as a crash would, and waits for its end.
func (s *server) Kill() {
	if c := s.child.Load(); c != nil {
		c.kill()
		<-c.done
	}
}

// launch starts the process and does not wait until it answers.
func (s *server) launch(ctx context.Context) (*child, error) {
	c, err := startChild(ctx, s.spec)
	if err != nil {
		return nil, err
	}
	s.child.Store(c)
	return c, nil
}

// start starts the process and waits until it answers, for 60 s at most; one that does
// not is ended.
func (s *server) start(ctx context.Context) error {
	c, err := s.launch(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := c.awaitReady(ctx); err != nil {
		s.Kill()
		return err
	}
	return nil
}

const startLimit = 60 * time.Second

// attempts starts something on a port that the caller chose, or on free ones: a port that
// was free when we looked may be taken when the server opens it, so that is tried anew.
func attempts(ctx context.Context, port int, start func(port int) error) error {
	if port != 0 {
		return start(port)
	}
	var err error
	for range 3 {
		free, perr := FreePort()
		if perr != nil {
			return perr
		}
		var failed *StartError
		if err = start(free); err == nil || !errors.As(err, &failed) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// FreePort is a TCP port that nobody held on loopback a moment ago.
func FreePort() (int, error) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, fmt.Errorf("devstack: free port: %w", err)
	}
	defer func() { _ = l.Close() }()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.New("devstack: free port: not a TCP address")
	}
	return addr.Port, nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// silent is for libraries that insist on a logger where we report errors ourselves.
func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }
