package devstack

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"
)

// DevFile is what dev.json says: where everything is, a token for each role, and what
// runs now. Publish sets PID and Children.
type DevFile struct {
	API        string         `json:"api"`
	Dashboard  string         `json:"dashboard"`
	Temporal   string         `json:"temporal"` // host:port
	TemporalUI string         `json:"temporalUI"`
	Postgres   string         `json:"postgres"` // with the application's password
	Redis      string         `json:"redis"`
	Fleet      string         `json:"fleet"`
	Tokens     DevTokens      `json:"tokens"`
	PID        int            `json:"pid"`
	Children   map[string]int `json:"children"`
}

// DevTokens has a bearer token for each role.
type DevTokens struct {
	Admin         string `json:"admin"`
	Operator      string `json:"operator"`
	Viewer        string `json:"viewer"`
	Coordinator   string `json:"coordinator"`
	MetricsWriter string `json:"metricsWriter"`
}

// Table writes the addresses for a person, without passwords.
func (d DevFile) Table(out io.Writer) error {
	database := d.Postgres
	if u, err := url.Parse(d.Postgres); err == nil {
		database = u.Redacted()
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, row := range [][2]string{
		{"Dashboard", d.Dashboard}, {"API", d.API}, {"API reference", d.API + "/api/docs"}, {"Temporal UI", d.TemporalUI},
		{"Temporal", d.Temporal}, {"PostgreSQL", database}, {"Redis", d.Redis}, {"Fleet", d.Fleet},
	} {
		if row[1] != "" {
			_, _ = fmt.Fprintf(w, "  %s\t%s\n", row[0], row[1])
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("devstack: %w", err)
	}
	return nil
}

// Publish writes dev.json, and again whenever a child changes, until Stop removes it.
func (s *Stack) Publish(d DevFile) error {
	s.mu.Lock()
	s.published = &d
	s.mu.Unlock()
	return s.record()
}

// process is a process that is told from a later one with the same number.
type process struct {
	PID     int    `json:"pid"`
	Started string `json:"started"`
}

// record writes what runs now into children.json and, once published, into dev.json.
func (s *Stack) record() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	children, pids := map[string]process{}, map[string]int{}
	for _, u := range s.units {
		if pid := u.srv.PID(); pid != 0 {
			children[u.name()], pids[u.name()] = process{pid, startOf(pid)}, pid
		}
	}
	err := writeJSON(s.path(childrenFile), children)
	if s.published == nil {
		return err
	}
	d := *s.published
	d.PID, d.Children = os.Getpid(), pids
	return errors.Join(err, writeJSON(s.path(devFile), d))
}

// changed records, for those who have nobody to return an error to.
func (s *Stack) changed() {
	if err := s.record(); err != nil {
		s.say("note: %v", err)
	}
}

// endStale ends the children that an earlier run left behind when it was killed. Where
// the kernel signals children on the death of their parent they are on their way out.
func (s *Stack) endStale() error {
	left := map[string]process{}
	err := readJSON(s.path(childrenFile), &left)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		s.say("note: what an earlier start left running is not known: %v", err)
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		p := left[name]
		if !p.lives() {
			continue
		}
		s.say("ending %s (pid %d), left behind by an earlier start", name, p.PID)
		if err := p.end(name); err != nil {
			return err
		}
	}
	return removeFile(s.path(childrenFile))
}

// lives says whether it is the same process that still runs.
func (p process) lives() bool {
	return p.PID > 1 && p.Started != "" && startOf(p.PID) == p.Started
}

// end asks a process that is not our child to end, and kills it after some seconds.
func (p process) end(name string) error {
	ask := syscall.SIGTERM
	if name == "postgres" {
		ask = syscall.SIGINT // as when we stop it: SIGTERM would wait for its clients
	}
	for _, sig := range []syscall.Signal{ask, syscall.SIGKILL} {
		if err := syscall.Kill(p.PID, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("devstack: end %s (pid %d): %w", name, p.PID, err)
		}
		for deadline := time.Now().Add(stopOne); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if !p.lives() {
				return nil
			}
		}
	}
	return fmt.Errorf("devstack: %s (pid %d), left behind by an earlier start, cannot be ended", name, p.PID)
}
