package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wedsync/scalability/internal/audit"
	"github.com/wedsync/scalability/internal/authn"
	"github.com/wedsync/scalability/internal/config"
	"github.com/wedsync/scalability/internal/devstack"
)

func devCommand() *cobra.Command {
	var root string
	var noDemo, anyPorts bool
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Bring everything up on this machine, with a demonstration",
		Long: `Starts a private Postgres, Redis and Temporal with its web interface, makes the tables,
and runs API, worker, a modelled fleet and a demonstration load, all on loopback and with
their data in one folder. Each of them is started again when it dies.

When all is ready the addresses are printed and written to dev.json in that folder, with a
token for each role. Ctrl-C stops everything; the next start finds its data again. Settings
of the environment, such as AUTOSCALE_INTERVAL_SECONDS, are passed on.`,
		Example: "  wedsync dev\n  wedsync dev --no-demo",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if _, err := config.ForProcess(config.Inspect); err != nil {
				return fmt.Errorf("the configuration is not usable:\n%w", err)
			}
			stack, err := devstack.Open(root, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, stack.Stop()) }()
			d := dev{stack: stack, out: cmd.OutOrStdout(), demo: !noDemo, anyPorts: anyPorts}
			if err := d.start(cmd.Context()); err != nil {
				return err
			}
			stack.Wait(cmd.Context())
			fmt.Fprintln(d.out, "stopping …")
			return nil
		},
	}
	cmd.Flags().StringVar(&root, "root", devRoot, "folder of the data")
	cmd.Flags().BoolVar(&anyPorts, "any-ports", false, "listen on any free ports instead of the well-known ones")
	cmd.Flags().BoolVar(&noDemo, "no-demo", false, "start without the demonstration's load and weddings")
	return cmd
}

// The well-known ports; one that is taken gives way to the next free one.
const (
	portAPI           = 8080
	portTemporal      = 7233
	portTemporalUI    = 8233
	portPostgres      = 55432
	portRedis         = 56379
	portFleet         = 8090
	portAPIMetrics    = 9464
	portWorkerMetrics = 9465
)

// dev is one start of the development stack.
type dev struct {
	stack    *devstack.Stack
	out      io.Writer
	demo     bool
	anyPorts bool
	extra    []string // of the children's environment, over what the user set

	ports      map[string]int
	secret     string
	pseudonyms string
	tokens     devstack.DevTokens
	postgres   *devstack.Postgres
	redis      *devstack.Redis
	temporal   *devstack.Temporal
}

const (
	devIssuer   = "wedsync-dev"
	devAudience = "wedsync-scalability"
	// devTokenLife is longer than anybody leaves a development stack running; each start
	// signs new ones.
	devTokenLife = 30 * 24 * time.Hour
)

// start brings everything up, in the order in which one part needs the other.
func (d *dev) start(ctx context.Context) error {
	began := time.Now()
	fmt.Fprintf(d.out, "WedSync Scalability, with its data in %s\n", d.stack.Root())
	for _, step := range []func(context.Context) error{
		d.choosePorts, d.signTokens, d.makeAuditKey, d.startServers, d.prepareDatabase, d.startProcesses, d.awaitHealth,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	file := d.file()
	if err := d.stack.Publish(file); err != nil {
		return err
	}
	if d.demo {
		demo := devstack.Process{Name: "demo", Args: []string{"demo", "--root", d.stack.Root()}, Env: d.env("METRICS_ADDRESS=127.0.0.1:0")}
		if err := d.stack.RunProcess(ctx, demo); err != nil {
			return err
		}
	}
	fmt.Fprintf(d.out, "\nready in %.0f s\n\n", time.Since(began).Seconds())
	if err := file.Table(d.out); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "\n  To sign in, paste the token of a role from %s/dev.json (tokens.viewer, say).\n\nCtrl-C stops everything.\n", d.stack.Root())
	return nil
}

func (d *dev) choosePorts(context.Context) error {
	d.ports = map[string]int{}
	for _, p := range []struct {
		name      string
		preferred int
	}{
		{"api", portAPI}, {"temporal", portTemporal}, {"temporal-ui", portTemporalUI}, {"postgres", portPostgres},
		{"redis", portRedis}, {"fleet", portFleet}, {"api-metrics", portAPIMetrics}, {"worker-metrics", portWorkerMetrics},
	} {
		if d.anyPorts {
			p.preferred = 0
		}
		port, err := d.stack.Port(p.name, p.preferred)
		if err != nil {
			return err
		}
		d.ports[p.name] = port
	}
	return nil
}

// signTokens makes the token of each role with the stack's own secret.
func (d *dev) signTokens(context.Context) (err error) {
	if d.secret, err = d.stack.Secret("token"); err != nil {
		return err
	}
	if d.pseudonyms, err = d.stack.Secret("pseudonym"); err != nil {
		return err
	}
	now := time.Now()
	for _, t := range []struct {
		to            *string
		subject, kind string
	}{
		{&d.tokens.Admin, "admin", authn.KindUser},
		{&d.tokens.Operator, "operator", authn.KindUser},
		{&d.tokens.Viewer, "viewer", authn.KindUser},
		{&d.tokens.Coordinator, "coordinator", authn.KindUser},
		{&d.tokens.MetricsWriter, "metrics-writer", authn.KindService},
	} {
		*t.to, err = authn.Issue([]byte(d.secret), authn.Claims{
			Subject: t.subject, Kind: t.kind, Issuer: devIssuer, Audience: devAudience, IssuedAt: now, ExpiresAt: now.Add(devTokenLife),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// makeAuditKey makes the key that signs the audit trail's checkpoints, once: beside the
// database, and not in it.
func (d *dev) makeAuditKey(context.Context) error {
	file := d.auditFile("signing.key")
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	key, _, err := audit.GenerateKey()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(key+"\n"), 0o600)
}

func (d *dev) auditFile(name string) string {
	return filepath.Join(d.stack.Root(), "audit", name)
}

func (d *dev) startServers(ctx context.Context) (err error) {
	if d.postgres, err = d.stack.RunPostgres(ctx, d.ports["postgres"]); err != nil {
		return err
	}
	if d.redis, err = d.stack.RunRedis(ctx, d.ports["redis"]); err != nil {
		return err
	}
	d.temporal, err = d.stack.RunTemporal(ctx, d.ports["temporal"], d.ports["temporal-ui"])
	return err
}

func (d *dev) url(port string) string { return fmt.Sprintf("http://127.0.0.1:%d", d.ports[port]) }

func (d *dev) address(port string) string { return fmt.Sprintf("127.0.0.1:%d", d.ports[port]) }

// startProcesses starts our own processes: the fleet first, so that there is capacity to
// look at, then the API, then the worker.
func (d *dev) startProcesses(ctx context.Context) error {
	for _, p := range []devstack.Process{
		{Name: "fleet", Args: []string{"fleet"}, Env: d.env(), Ready: devstack.HTTPReady(d.url("fleet") + "/healthz")},
		{Name: "api", Args: []string{"api"}, Env: d.env("METRICS_ADDRESS=" + d.address("api-metrics")), Ready: devstack.HTTPReady(d.url("api") + "/api/openapi.yaml")},
		{Name: "worker", Args: []string{"worker"}, Env: d.env("METRICS_ADDRESS=" + d.address("worker-metrics")), Ready: devstack.HTTPReady(d.url("worker-metrics") + "/healthz")},
	} {
		if err := d.stack.RunProcess(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// healthLimit is how long the five components may take; what is not well by then is told
// and the stack is left to recover.
const healthLimit = time.Minute

// awaitHealth waits until the first metrics have arrived and all autoscalers run.
func (d *dev) awaitHealth(ctx context.Context) error {
	probe := devstack.HTTPReady(d.url("api") + "/api/scalability/health")
	healthy := func(ctx context.Context) error {
		if err := probe(ctx); err != nil {
			return err
		}
		return allHealthy(ctx, d.url("api")+"/api/scalability/health")
	}
	limit, cancel := context.WithTimeout(ctx, healthLimit)
	defer cancel()
	var err error
	for limit.Err() == nil {
		if err = healthy(limit); err == nil {
			return nil
		}
		select {
		case <-limit.Done():
		case <-time.After(250 * time.Millisecond):
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	fmt.Fprintf(d.out, "note: not all components are healthy after %v: %v; look into %s/logs\n", healthLimit, err, d.stack.Root())
	return nil
}

func (d *dev) file() devstack.DevFile {
	return devstack.DevFile{
		API: d.url("api"), Dashboard: d.url("api") + "/dashboard/scalability", Temporal: d.temporal.Addr(), TemporalUI: d.temporal.UIURL(),
		Postgres: d.postgres.AppURL(), Redis: d.redis.URL(), Fleet: d.url("fleet"), Tokens: d.tokens,
	}
}

// env is the environment of a child: what the user set, and over it what the stack knows.
func (d *dev) env(more ...string) []string {
	own := append([]string{
		"WEDSYNC_ENV=development", "WEDSYNC_SITE_URL=" + d.url("api"), "API_ADDRESS=" + d.address("api"),
		"DATABASE_URL=" + d.postgres.AppURL(), "REDIS_URL=" + d.redis.URL(),
		"TEMPORAL_ADDRESS=" + d.temporal.Addr(), "TEMPORAL_NAMESPACE=" + d.temporal.Namespace(), "TEMPORAL_UI_URL=" + d.temporal.UIURL(),
		"FLEET_ADDRESS=" + d.address("fleet"), "FLEET_URL=" + d.url("fleet"), "FLEET_STATE_FILE=" + d.stack.Root() + "/fleet/state.json",
		"AUTH_TOKEN_SECRET=" + d.secret, "AUTH_JWKS_URL=", "AUTH_ISSUER=" + devIssuer, "AUTH_AUDIENCE=" + devAudience,
		"AUTH_METRICS_WRITER_TOKEN=" + d.tokens.MetricsWriter, "WEDDING_PSEUDONYM_KEY=" + d.pseudonyms,
		"AUDIT_SIGNING_KEY_FILE=" + d.auditFile("signing.key"), "AUDIT_CHECKPOINT_COPY=" + d.auditFile("checkpoints"), "AUDIT_SIGNING_KEY=",
	}, more...)
	var env []string
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); name != "DATABASE_OWNER_URL" {
			env = append(env, pair)
		}
	}
	if os.Getenv("DATABASE_MAX_CONNECTIONS") == "" {
		env = append(env, "DATABASE_MAX_CONNECTIONS=40") // of the 200 that the private Postgres allows
	}
	if os.Getenv("SEASON_LOAD_TEST") == "" {
		env = append(env, "SEASON_LOAD_TEST=fleet") // nobody else's machines
	}
	return append(append(env, own...), d.extra...)
}
