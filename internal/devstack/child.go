package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// childSpec is how one process is started, known to be ready, and stopped.
type childSpec struct {
	name       string
	path       string
	args       []string
	env        []string // the whole environment
	dir        string   // working directory
	log        string   // file that takes both output streams
	account    *syscall.Credential
	stopSignal syscall.Signal              // asks it to stop; zero: SIGTERM
	lostSignal syscall.Signal              // what it gets when we die; zero: SIGKILL
	ready      func(context.Context) error // one probe; nil: ready once started
}

// child is one running process.
type child struct {
	spec childSpec
	pid  int
	born time.Time
	done chan struct{}
	err  error // how it ended; valid after done is closed
}

// startChild starts a process in its own process group. ctx does not bound its life.
func startChild(ctx context.Context, spec childSpec) (*child, error) {
	out, err := os.OpenFile(spec.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("devstack: log of %s: %w", spec.name, err)
	}
	defer func() { _ = out.Close() }()                                              // the process has its own copy
	cmd := exec.CommandContext(context.WithoutCancel(ctx), spec.path, spec.args...) //nolint:gosec // running programs is what this package is for
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = spec.env, spec.dir, out, out
	cmd.SysProcAttr = attributes(spec)
	c := &child{spec: spec, done: make(chan struct{})}
	started := make(chan error)
	go c.live(cmd, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("devstack: start %s: %w", spec.name, err)
	}
	return c, nil
}

// live starts the process and waits for its end on one locked thread: the kernel sends the
// parent-death signal when the *thread* that forked dies, so that thread must live as long
// as the child does.
func (c *child) live(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	c.pid, c.born = cmd.Process.Pid, time.Now()
	started <- nil
	c.err = cmd.Wait()
	close(c.done)
}

func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// stop asks the process to end and waits; when ctx ends first, it is killed.
func (c *child) stop(ctx context.Context) error {
	if c.ended() {
		return nil
	}
	sig := c.spec.stopSignal
	if sig == 0 {
		sig = syscall.SIGTERM
	}
	if err := syscall.Kill(c.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("devstack: stop %s: %w", c.spec.name, err)
	}
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		c.kill()
		<-c.done
		return fmt.Errorf("devstack: %s (pid %d) did not stop in time and was killed: %w", c.spec.name, c.pid, ctx.Err())
	}
}

// kill ends the process and its group at once.
func (c *child) kill() {
	if !c.ended() {
		_ = syscall.Kill(-c.pid, syscall.SIGKILL)
	}
}

// awaitReady probes until the process answers. It gives up when the process ends or ctx
// does, with the last lines of its log.
func (c *child) awaitReady(ctx context.Context) error {
	if c.spec.ready == nil {
		return nil
	}
	last := errors.New("not probed yet")
	for {
		if last = c.probe(ctx, last); last == nil {
			return nil
		}
		select {
		case <-c.done:
			return &StartError{Name: c.spec.name, Err: fmt.Errorf("it ended: %w", endOf(c.err)), LogFile: c.spec.log, Tail: Tail(c.spec.log, 20)}
		case <-ctx.Done():
			return &StartError{Name: c.spec.name, Err: fmt.Errorf("%w; last answer: %w", ctx.Err(), last), LogFile: c.spec.log, Tail: Tail(c.spec.log, 20)}
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// probe asks once, bounded; where ctx has ended it keeps what was known before.
func (c *child) probe(ctx context.Context, before error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	err := c.spec.ready(ctx)
	if err != nil && ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return before
	}
	return err
}

// StartError says that a child did not become ready, with the end of its log.
type StartError struct {
	Name    string
	Err     error
	LogFile string
	Tail    []string
}

func (e *StartError) Error() string {
	msg := fmt.Sprintf("devstack: %s did not become ready: %v", e.Name, e.Err)
	if len(e.Tail) > 0 {
		msg += "\n  the end of " + e.LogFile + ":\n    " + strings.Join(e.Tail, "\n    ")
	}
	return msg
}

func (e *StartError) Unwrap() error { return e.Err }

// endOf names how a process ended: exit status 0 is an end too.
func endOf(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}
