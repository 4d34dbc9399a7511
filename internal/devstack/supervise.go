package devstack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"sync"
	"time"
)

// Process is one of our own processes.
type Process struct {
	Name  string                      // such as "api": names its log and its hold switch
	Path  string                      // its program; empty: the one that runs now
	Args  []string                    // such as {"api"}
	Env   []string                    // the whole environment; nil: that of this process
	Ready func(context.Context) error // one probe; nil: ready once started
}

// RunPostgres starts the stack's Postgres on a port and keeps it alive until Stop. Like
// all Run methods it returns when the child answers, within a minute, or with the reason
// why not; ctx bounds the start, not the child's life.
func (s *Stack) RunPostgres(ctx context.Context, port int) (*Postgres, error) {
	began := time.Now()
	pg, err := preparePostgres(ctx, PostgresOptions{
		Dir: s.path("postgres"), Port: port, Log: sayer{s}, LogFile: s.log("postgres"),
	})
	if err != nil {
		return nil, err
	}
	if err := s.run(ctx, &pg.server, began); err != nil {
		return nil, err
	}
	return pg, pg.bootstrap(ctx)
}

// RunRedis starts the stack's Redis on a port and keeps it alive until Stop.
func (s *Stack) RunRedis(ctx context.Context, port int) (*Redis, error) {
	r, err := prepareRedis(RedisOptions{Dir: s.path("redis"), Port: port, LogFile: s.log("redis")})
	if err != nil {
		return nil, err
	}
	return r, s.run(ctx, &r.server, time.Now())
}

// RunTemporal starts the stack's Temporal on two ports and keeps it alive until Stop.
func (s *Stack) RunTemporal(ctx context.Context, port, uiPort int) (*Temporal, error) {
	t, err := prepareTemporal(TemporalOptions{Dir: s.path("temporal"), Port: port, UIPort: uiPort, LogFile: s.log("temporal")})
	if err != nil {
		return nil, err
	}
	return t, s.run(ctx, &t.server, time.Now())
}

var processName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// RunProcess starts one of our own processes and keeps it alive until Stop.
func (s *Stack) RunProcess(ctx context.Context, p Process) error {
	if !processName.MatchString(p.Name) {
		return fmt.Errorf("devstack: %q is no name of a process", p.Name)
	}
	if p.Path == "" {
		p.Path = s.binary
	}
	if p.Env == nil {
		p.Env = os.Environ()
	}
	return s.run(ctx, &server{spec: childSpec{
		name: p.Name, path: p.Path, args: p.Args, env: p.Env, log: s.log(p.Name), ready: p.Ready,
	}}, time.Now())
}

// HTTPReady is a probe: the address answers 200.
func HTTPReady(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return fmt.Errorf("devstack: %w", err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("devstack: %w", err)
		}
		defer func() { _ = res.Body.Close() }()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("devstack: %s answers %s", url, res.Status)
		}
		return nil
	}
}

func (s *Stack) log(name string) string { return s.path(logFolder, name+".log") }

// run starts a child, waits until it answers, and from then on has it kept alive. began
// is when the work on it began.
func (s *Stack) run(ctx context.Context, srv *server, began time.Time) error {
	u := &unit{stack: s, srv: srv, hold: s.path(holdFolder, srv.spec.name)}
	if err := s.add(u); err != nil {
		return err
	}
	c, err := srv.launch(ctx)
	if err != nil {
		s.drop(u)
		return err
	}
	s.changed()
	said := u.sayWhileWaiting(began)
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	err = c.awaitReady(ctx)
	said()
	if err != nil {
		err = errors.Join(err, u.end(ctx, stopOne))
		s.drop(u)
		return err
	}
	s.say("%-9s ready in %.1f s", u.name(), time.Since(began).Seconds())
	u.keepFrom(ctx, c)
	return nil
}

func (s *Stack) add(u *unit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errors.New("devstack: the stack is stopped")
	}
	for _, other := range s.units {
		if other.name() == u.name() {
			return fmt.Errorf("devstack: %s runs already", u.name())
		}
	}
	s.units = append(s.units, u)
	return nil
}

// drop forgets a child that did not start.
func (s *Stack) drop(u *unit) {
	s.mu.Lock()
	s.units = slices.DeleteFunc(s.units, func(other *unit) bool { return other == u })
	s.mu.Unlock()
	s.changed()
}

// unit is one child with what keeps it alive.
type unit struct {
	stack *Stack
	srv   *server
	hold  string // while this file is there, the child is kept stopped
	stop  context.CancelFunc
	work  sync.WaitGroup
}

func (u *unit) name() string { return u.srv.spec.name }

// sayWhileWaiting says every five seconds that a start is under way, until it is told.
func (u *unit) sayWhileWaiting(began time.Time) (stop func()) {
	done := make(chan struct{})
	u.work.Go(func() {
		tick := time.NewTicker(5 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				u.stack.say("%-9s is starting, for %.0f s now", u.name(), time.Since(began).Seconds())
			}
		}
	})
	return func() { close(done) }
}

// keepFrom keeps a running child alive until end.
func (u *unit) keepFrom(ctx context.Context, c *child) {
	ctx, u.stop = context.WithCancel(context.WithoutCancel(ctx))
	u.work.Go(func() { u.keep(ctx, c) })
}

// end stops keeping the child alive, and the child.
func (u *unit) end(ctx context.Context, within time.Duration) error {
	if u.stop != nil {
		u.stop()
	}
	u.work.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	return u.srv.Stop(ctx)
}

// The pause before a child that ended is started again: it doubles up to a limit, and is
// the shortest again once the child has lived for a while.
const (
	firstPause = 200 * time.Millisecond
	mostPause  = 5 * time.Second
	longLife   = 30 * time.Second
	lookEvery  = 200 * time.Millisecond // at the hold switch
)

// keep starts the child again whenever it ends, and holds it while its switch is there.
func (u *unit) keep(ctx context.Context, c *child) {
	pause := firstPause
	for {
		switch u.watch(ctx, c) {
		case watchOver:
			return
		case watchHeld:
			u.holdDown(ctx)
			pause = firstPause
		case watchEnded:
			if c != nil && time.Since(c.born) > longLife {
				pause = firstPause
			}
			if c != nil {
				u.stack.changed()
				u.stack.say("%s (pid %d) ended: %v; starting it again in %v", u.name(), c.pid, endOf(c.err), pause)
			}
			sleep(ctx, pause)
			pause = min(2*pause, mostPause)
		}
		if ctx.Err() != nil {
			return
		}
		c = u.relaunch(ctx)
	}
}

// watched is why watching a child ended.
type watched int

const (
	watchOver  watched = iota // the stack stops
	watchHeld                 // the hold switch is there
	watchEnded                // the child ended, or could not be started (nil)
)

func (u *unit) watch(ctx context.Context, c *child) watched {
	ended := make(<-chan struct{})
	if c != nil {
		ended = c.done
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if ctx.Err() != nil {
			return watchOver
		}
		if u.held() {
			return watchHeld
		}
		if c == nil {
			return watchEnded
		}
		select {
		case <-ctx.Done():
		case <-ended:
			return watchEnded
		case <-tick.C:
		}
	}
}

func (u *unit) held() bool {
	_, err := os.Stat(u.hold)
	return err == nil
}

// holdDown stops the child and returns when its switch is gone or ctx ends.
func (u *unit) holdDown(ctx context.Context) {
	u.stack.say("holding %s until %s is removed", u.name(), u.hold)
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopOne)
	defer cancel()
	if err := u.srv.Stop(limit); err != nil {
		u.stack.say("note: %v", err)
	}
	u.stack.changed()
	for ctx.Err() == nil && u.held() {
		sleep(ctx, lookEvery)
	}
}

// relaunch starts the child again; nil where that failed. Whether it answers is only
// told: a server that recovers for long, or a process whose servers are away, is not
// helped by being killed.
func (u *unit) relaunch(ctx context.Context) *child {
	c, err := u.srv.launch(ctx)
	if err != nil {
		u.stack.say("note: %v", err)
		return nil
	}
	u.stack.changed()
	u.work.Go(func() {
		limit, cancel := context.WithTimeout(ctx, startLimit)
		defer cancel()
		err := c.awaitReady(limit)
		switch {
		case c.ended() || ctx.Err() != nil: // told by others
		case err != nil:
			u.stack.say("%s runs again (pid %d) but is not ready: %v", u.name(), c.pid, errors.Unwrap(err))
		default:
			u.stack.say("%s runs again (pid %d), ready in %.1f s", u.name(), c.pid, time.Since(c.born).Seconds())
		}
	})
	return c
}

// sleep waits, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// sayer gives what is written to it to the stack's terminal.
type sayer struct{ stack *Stack }

func (w sayer) Write(p []byte) (int, error) {
	w.stack.mu.Lock()
	defer w.stack.mu.Unlock()
	return w.stack.out.Write(p)
}
