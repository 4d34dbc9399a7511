package devstack

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The files of a stack's folder.
const (
	lockFile     = "dev.lock"      // held and named by the process that runs the stack
	devFile      = "dev.json"      // DevFile; there while the stack is ready
	childrenFile = "children.json" // what runs, so that a later start finds what was left behind
	portsFile    = "ports.json"
	secretsFile  = "secrets.json"
	logFolder    = "logs"
	holdFolder   = "hold" // hold/NAME: the child NAME is kept stopped while the file is there
)

// Stack is a folder with the data of private servers and of our own processes, and the
// processes that run on it, each kept alive until Stop. One process at a time holds it.
type Stack struct {
	root   string
	binary string
	lock   *os.File

	mu        sync.Mutex // guards what follows
	out       io.Writer
	units     []*unit // in order of start
	published *DevFile
	handed    map[int]string // ports given out, and to whom
	stopped   bool
}

// Open takes the folder root, made where missing, for this process, and ends what an
// earlier one left running. Where another process holds it, the error is a *LockedError.
// What a person should know is written to out, one line each.
func Open(root string, out io.Writer) (*Stack, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("devstack: %w", err)
	}
	binary, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("devstack: %w", err)
	}
	for _, dir := range []string{root, filepath.Join(root, logFolder), filepath.Join(root, holdFolder)} {
		if err := makeDir(dir); err != nil {
			return nil, err
		}
	}
	lock, err := takeLock(root)
	if err != nil {
		return nil, err
	}
	s := &Stack{root: root, binary: binary, lock: lock, out: out, handed: map[int]string{}}
	if err := errors.Join(s.forgetHolds(), removeFile(s.path(devFile)), s.endStale()); err != nil {
		return nil, errors.Join(err, giveLock(lock))
	}
	return s, nil
}

// LockedError says that another process runs the stack in the folder.
type LockedError struct {
	Root string
	PID  int    // 0 where it is not known
	API  string // empty where it is not ready
}

func (e *LockedError) Error() string {
	msg := fmt.Sprintf("`wedsync dev` runs already on %s", e.Root)
	if e.PID != 0 {
		msg += fmt.Sprintf(" (pid %d)", e.PID)
	}
	if e.API != "" {
		msg += ", its API at " + e.API
	}
	return msg + ": stop it with Ctrl-C where it runs, or start this one on another folder with --root"
}

// takeLock holds the folder until the file is closed, which the end of the process does
// too, and writes our pid into it.
func takeLock(root string) (*os.File, error) {
	path := filepath.Join(root, lockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // a file of ours
	if err != nil {
		return nil, fmt.Errorf("devstack: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer func() { _ = f.Close() }()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("devstack: lock %s: %w", path, err)
		}
		locked := &LockedError{Root: root}
		raw, _ := io.ReadAll(io.LimitReader(f, 32))
		locked.PID, _ = strconv.Atoi(strings.TrimSpace(string(raw)))
		var d DevFile
		if readJSON(filepath.Join(root, devFile), &d) == nil {
			locked.API = d.API
		}
		return nil, locked
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	}
	if err != nil {
		return nil, fmt.Errorf("devstack: lock %s: %w", path, errors.Join(err, f.Close()))
	}
	return f, nil
}

// giveLock gives the folder up. It unlocks before it closes: a process that is just being
// started has a copy of the descriptor, with which the lock would last.
func giveLock(f *os.File) error {
	return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
}

// forgetHolds removes switches that an earlier run left: they would keep a start waiting.
func (s *Stack) forgetHolds() error {
	left, err := filepath.Glob(s.path(holdFolder, "*"))
	for _, file := range left {
		err = errors.Join(err, removeFile(file))
	}
	return err
}

// Root is the folder, absolute.
func (s *Stack) Root() string { return s.root }

// Folder is a folder of the stack, made where missing, say for the data of a process.
func (s *Stack) Folder(name string) (string, error) {
	dir := s.path(name)
	return dir, makeDir(dir)
}

func (s *Stack) path(parts ...string) string {
	return filepath.Join(append([]string{s.root}, parts...)...)
}

// Secret is 256 random bits in hexadecimal digits, made when a name is first asked for
// and the same ever after.
func (s *Stack) Secret(name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	secrets := map[string]string{}
	if err := readJSON(s.path(secretsFile), &secrets); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if v := secrets[name]; v != "" {
		return v, nil
	}
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	secrets[name] = hex.EncodeToString(b[:])
	return secrets[name], writeJSON(s.path(secretsFile), secrets)
}

// Wait returns when ctx ends, and meanwhile keeps the log files small.
func (s *Stack) Wait(ctx context.Context) {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			logs, _ := filepath.Glob(s.path(logFolder, "*.log"))
			for _, l := range logs {
				if err := rotate(l, logLimit); err != nil {
					s.say("note: %v", err)
				}
			}
		}
	}
}

const logLimit = 20 << 20 // bytes of one log file; the one before it is kept beside it

// Bounds of a stop: of one child, and of all. A child that takes longer is killed; each
// has its second, also when those before took all of the time.
const (
	stopOne   = 5 * time.Second
	stopAll   = 14 * time.Second
	stopLeast = time.Second
)

// Stop stops all children, the last started first, and gives the folder up. After a stop
// without an error nothing of the stack runs, and dev.json is gone.
func (s *Stack) Stop() error {
	s.mu.Lock()
	units, was := slices.Clone(s.units), s.stopped
	s.stopped, s.published = true, nil
	s.mu.Unlock()
	if was {
		return nil
	}
	errs := []error{removeFile(s.path(devFile))}
	deadline := time.Now().Add(stopAll)
	for _, u := range slices.Backward(units) {
		errs = append(errs, u.end(context.Background(), min(stopOne, max(stopLeast, time.Until(deadline)))))
	}
	errs = append(errs, removeFile(s.path(childrenFile)), giveLock(s.lock))
	return errors.Join(errs...)
}

// say writes one line to the terminal.
func (s *Stack) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprintf(s.out, format+"\n", args...)
}

// removeFile removes a file; one that is not there is removed.
func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("devstack: %w", err)
	}
	return nil
}

func readJSON(path string, into any) error {
	raw, err := os.ReadFile(path) //nolint:gosec // a file of ours
	if err != nil {
		return fmt.Errorf("devstack: %w", err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("devstack: %s: %w", path, err)
	}
	return nil
}

// writeJSON replaces a file that only we may read.
func writeJSON(path string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("devstack: %s: %w", path, err)
	}
	return writeFileAtomic(path, append(raw, '\n'), 0o600)
}
