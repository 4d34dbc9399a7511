package devstack

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"

	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"
	tlog "go.temporal.io/sdk/log"
)

const (
	// TemporalCLIVersion is the pinned version of the development server.
	TemporalCLIVersion = "v1.5.1"
	temporalModule     = "github.com/temporalio/cli"
)

// searchAttributes are the keyword search attributes that the workflows set.
func searchAttributes() []string {
	return []string{"WedsyncService", "WedsyncWeddingDate", "WedsyncSeverity", "WedsyncOutcome"}
}

// TemporalOptions says where a private Temporal lives and what it is for.
type TemporalOptions struct {
	Dir       string // its folder, made where missing
	Binary    string // the temporal program; empty: FindTemporal
	Port      int    // of the frontend; 0: a free one
	UIPort    int    // of the web interface; 0: a free one
	Namespace string // empty: "default"
	Volatile  bool   // for tests: keeps nothing on disk
	LogFile   string // empty: temporal.log in Dir
}

// Temporal is a private development server with its web interface, on loopback.
type Temporal struct {
	server
	uiPort    int
	namespace string
}

// StartTemporal starts a server and waits until it serves the namespace with the search
// attributes of the product. ctx bounds the start, not the server's life. A missing program
// is a *MissingError.
func StartTemporal(ctx context.Context, o TemporalOptions) (*Temporal, error) {
	var t *Temporal
	uiPort := o.UIPort
	err := attempts(ctx, o.Port, func(port int) (err error) {
		o.Port = port
		if o.UIPort = uiPort; uiPort == 0 {
			if o.UIPort, err = FreePort(); err != nil {
				return err
			}
		}
		if t, err = prepareTemporal(o); err == nil {
			err = t.Start(ctx)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

func prepareTemporal(o TemporalOptions) (*Temporal, error) {
	if o.Binary == "" {
		found, err := FindTemporal()
		if err != nil {
			return nil, err
		}
		o.Binary = found
	}
	if o.Namespace == "" {
		o.Namespace = "default"
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("devstack: temporal: %w", err)
	}
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	t := &Temporal{uiPort: o.UIPort, namespace: o.Namespace}
	t.port = o.Port
	t.spec = childSpec{
		name: "temporal", path: o.Binary, args: temporalArgs(o, dir), env: serverEnv(), dir: dir,
		log: logFile(o.LogFile, dir, "temporal"), ready: t.answers,
	}
	return t, nil
}

func temporalArgs(o TemporalOptions, dir string) []string {
	args := []string{
		"server", "start-dev", "--headless=false", "--ip", "127.0.0.1", "--port", strconv.Itoa(o.Port),
		"--ui-port", strconv.Itoa(o.UIPort), "--namespace", o.Namespace, "--log-level", "error",
	}
	for _, a := range searchAttributes() {
		args = append(args, "--search-attribute", a+"=Keyword")
	}
	if !o.Volatile {
		args = append(args, "--db-filename", filepath.Join(dir, "temporal.db"))
	}
	return args
}

// Start starts the server again, after Stop or Kill, on the same ports.
func (t *Temporal) Start(ctx context.Context) error { return t.start(ctx) }

// UIURL is the address of the web interface.
func (t *Temporal) UIURL() string { return "http://" + loopback(t.uiPort) }

// Namespace is the namespace that was made at the start.
func (t *Temporal) Namespace() string { return t.namespace }

// answers asks for the search attributes of the namespace: they come last.
func (t *Temporal) answers(ctx context.Context) error {
	c, err := client.DialContext(ctx, client.Options{HostPort: t.Addr(), Namespace: t.namespace, Logger: tlog.NewStructuredLogger(silent())})
	if err != nil {
		return fmt.Errorf("devstack: temporal: %w", err)
	}
	defer c.Close()
	got, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: t.namespace})
	if err != nil {
		return fmt.Errorf("devstack: temporal: %w", err)
	}
	for _, a := range searchAttributes() {
		if _, ok := got.GetCustomAttributes()[a]; !ok {
			return fmt.Errorf("devstack: temporal: search attribute %s is not there", a)
		}
	}
	return nil
}

// FindTemporal is the temporal program: of the places it may be in, the first that holds
// TemporalCLIVersion, or else the first that holds any.
func FindTemporal() (string, error) {
	places := temporalPlaces()
	var found []string
	for _, p := range places {
		if info, err := os.Stat(p); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			found = append(found, p)
		}
	}
	if i := slices.IndexFunc(found, isPinned); i >= 0 {
		return found[i], nil
	}
	if len(found) > 0 {
		return found[0], nil
	}
	return "", missing("the Temporal server (temporal)", "temporal", append(places, "PATH")...)
}

func temporalPlaces() []string {
	var folders []string
	if dir := os.Getenv("WEDSYNC_CACHE_DIR"); dir != "" {
		folders = append(folders, filepath.Join(dir, "bin"))
	}
	if dir, err := os.UserCacheDir(); err == nil {
		folders = append(folders, filepath.Join(dir, "wedsync", "bin"))
	}
	if dir := os.Getenv("GOPATH"); dir != "" {
		folders = append(folders, filepath.Join(dir, "bin"))
	}
	if dir, err := os.UserHomeDir(); err == nil {
		folders = append(folders, filepath.Join(dir, "go", "bin"))
	}
	var places []string
	for _, f := range folders {
		places = append(places, filepath.Join(f, "temporal"))
	}
	if path, err := exec.LookPath("temporal"); err == nil {
		places = append(places, path)
	}
	return slices.Compact(places)
}

// isPinned reads the module version that `go install` wrote into the program.
func isPinned(path string) bool {
	info, err := buildinfo.ReadFile(path)
	return err == nil && info.Main.Path == temporalModule && info.Main.Version == TemporalCLIVersion
}
