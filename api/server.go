package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/contrib/instrumentation/github.com/gin-gonic/gin/otelgin"

	"github.com/wedsync/scalability/api/gen"
	"github.com/wedsync/scalability/models"
)

// Config is what the HTTP surface works with. Ports, Policy, Dashboard, Now and Log are
// needed; the rest has a meaning when it is zero.
type Config struct {
	Auth         Authenticator
	SignIn       SignIn // nil: people bring bearer tokens
	Accounts     Accounts
	NewKey       func() (key, id string, hash []byte, err error) // of a service account
	Grants       Grantor
	Policies     Policies
	Explainer    Explainer
	PolicyStore  PolicyStore
	Bindings     Bindings
	Audit        Auditor
	Trail        AuditReader
	Alerts       Alerts
	Throttles    Throttles // nil: threats are not looked for
	Limiter      RateLimiter
	Ingest       Ingester
	Catalogue    Catalogue
	Weddings     Weddings
	Contacts     Contacts
	Importer     CalendarImporter
	Feeds        CalendarFeeds
	Notifier     CalendarNotifier // may be nil: nobody plans by the calendar
	Reservations Reservations
	Decisions    Decisions
	States       StateReader
	Evaluations  Evaluations
	Previewer    Previewer
	Metrics      MetricsReader
	Health       HealthReader
	Database     DatabaseReader
	Predictor    Predictor
	Ahead        Ahead
	Approver     Approver
	Launcher     Launcher
	WeddingDays  WeddingDays
	DayRunner    WeddingDayRunner
	Seasons      Seasons
	SeasonRunner SeasonRunner

	Dashboard         fs.FS  // index.html and what it loads
	SiteURL           string // the public address; with https browsers are told to stay there
	TemporalUI        string // for links
	TemporalNamespace string
	RateLimit         int // calls of a subject in RateWindow; 0 = 100
	SignInLimit       int // sign-ins from an address in RateWindow; 0 = 20
	IngestRateLimit   int // metric batches of a subject in RateWindow; 0 = 6000
	RateWindow        time.Duration
	LiveInterval      time.Duration     // between two events of the live stream; 0 = 1 s
	KeepContacts      bool              // production alone keeps them
	TrustedProxies    []netip.Prefix    // whose X-Forwarded-For is read; none: nobody's
	RBAC              bool              // false: every signed-in caller may do everything
	Thresholds        models.Thresholds // of ordinary days
	Now               func() time.Time
	Log               *slog.Logger
	Observe           func(route, method string, code int, took time.Duration) // may be nil
	Tracing           bool
	Payloads          PayloadOpener // opens what workflows carry; nil: nothing is sealed
}

// server answers the routes of openapi.yaml.
type server struct {
	Config
	routes map[string]route // by key
	inputs map[string]input // what openapi.yaml says of a route's input, by key
	schema map[string]*rule // component schemas, by name
	read   *reader
	live   *hub
	pages  map[string]page

	sameOrigin *http.CrossOriginProtection // for browsers that have a session
	suspects   *suspects
	strict     strictness
}

var _ gen.ServerInterface = (*server)(nil)

// New makes the handler of the whole HTTP surface.
func New(c Config) (http.Handler, error) {
	engine, err := newEngine(c)
	if err != nil {
		return nil, fmt.Errorf("api.New: %w", err)
	}
	return engine, nil
}

func newEngine(c Config) (*gin.Engine, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	s := &server{Config: c, routes: map[string]route{}, sameOrigin: http.NewCrossOriginProtection(), suspects: newSuspects()}
	for _, r := range routes() {
		s.routes[r.key()] = r
	}
	if err := s.readSpecification(); err != nil {
		return nil, err
	}
	if err := s.loadPages(); err != nil {
		return nil, err
	}
	s.read = &reader{Config: c}
	s.live = newHub(c.LiveInterval, s.snapshot)
	return s.engine(), nil
}

// engine puts the chain and the routes together. The order of the chain is the order
// in which a request is judged.
func (s *server) engine() *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false
	e.ForwardedByClientIP = false // Gin reads only the first of several headers; see remoteIP
	e.UseEscapedPath = true       // a workflow's ID has slashes: autoscale%2Fapi is one segment
	e.UnescapePathValues = true
	if s.Tracing {
		e.Use(otelgin.Middleware("wedsync-api"))
	}
	e.Use(s.identifyRequest, s.observe, s.recoverPanic, s.secureHeaders, s.bound, s.shareWithTemporalUI)
	e.NoRoute(func(c *gin.Context) {
		s.fail(c, &httpError{status: http.StatusNotFound, detail: "There is nothing at this path."})
	})
	e.NoMethod(func(c *gin.Context) {
		s.fail(c, &httpError{status: http.StatusMethodNotAllowed, detail: "Allowed here: " + c.Writer.Header().Get("Allow") + "."})
	})
	s.registerPages(e)
	s.registerSignIn(e)
	gen.RegisterHandlersWithOptions(e.Group("", s.guard, s.validate), s, gen.GinServerOptions{
		// What the generated code would refuse was refused by validate, with the field.
		ErrorHandler: func(c *gin.Context, err error, status int) { s.fail(c, &httpError{status: status, err: err}) },
	})
	return e
}

func (c Config) withDefaults() Config {
	if c.RateLimit == 0 {
		c.RateLimit = 100
	}
	if c.SignInLimit == 0 {
		c.SignInLimit = 20
	}
	if c.IngestRateLimit == 0 {
		c.IngestRateLimit = 6000
	}
	if c.RateWindow == 0 {
		c.RateWindow = time.Minute
	}
	if c.LiveInterval == 0 {
		c.LiveInterval = time.Second
	}
	return c
}

// check refuses a configuration with a hole: a nil port would panic at the first call.
func (c Config) check() error {
	var errs []error
	for _, p := range []struct {
		name string
		nils bool
	}{
		{"Auth", c.Auth == nil}, {"Grants", c.Grants == nil}, {"Policies", c.Policies == nil}, {"Audit", c.Audit == nil}, {"Trail", c.Trail == nil}, {"Alerts", c.Alerts == nil},
		{"Limiter", c.Limiter == nil}, {"Ingest", c.Ingest == nil}, {"Catalogue", c.Catalogue == nil},
		{"Weddings", c.Weddings == nil}, {"Contacts", c.Contacts == nil}, {"Importer", c.Importer == nil}, {"Feeds", c.Feeds == nil}, {"Reservations", c.Reservations == nil}, {"Decisions", c.Decisions == nil},
		{"States", c.States == nil}, {"Evaluations", c.Evaluations == nil}, {"Previewer", c.Previewer == nil}, {"Metrics", c.Metrics == nil}, {"Health", c.Health == nil},
		{"Database", c.Database == nil}, {"Predictor", c.Predictor == nil}, {"Ahead", c.Ahead == nil}, {"Approver", c.Approver == nil}, {"Launcher", c.Launcher == nil},
		{"WeddingDays", c.WeddingDays == nil}, {"DayRunner", c.DayRunner == nil},
		{"Seasons", c.Seasons == nil}, {"SeasonRunner", c.SeasonRunner == nil},
		{"Dashboard", c.Dashboard == nil}, {"Now", c.Now == nil}, {"Log", c.Log == nil},
	} {
		if p.nils {
			errs = append(errs, fmt.Errorf("%s is missing", p.name))
		}
	}
	if c.RateLimit < 1 || c.IngestRateLimit < 1 || c.RateWindow < time.Second {
		errs = append(errs, errors.New("rate limits must be at least 1 in a window of at least 1 s"))
	}
	return errors.Join(errs...)
}

// now is the time of an answer, as precise as the database keeps it.
func (s *server) now() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

// Bounds on a connection. There is no bound on the time to write an answer, which
// would end live streams: each request has a deadline of its own.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 60 * time.Second
	idleTimeout       = 120 * time.Second
	maxHeaderBytes    = 32 << 10
)

type drainKey struct{}

// draining is closed when the server has begun to stop; nil where Serve does not run.
func draining(ctx context.Context) <-chan struct{} {
	done, _ := ctx.Value(drainKey{}).(<-chan struct{})
	return done
}

// Serve answers on a listener until ctx ends. It then takes no new connections, ends
// live streams at once and gives other requests the grace to end.
func Serve(ctx context.Context, l net.Listener, h http.Handler, grace time.Duration) error {
	requests := context.WithoutCancel(ctx) // they may outlive ctx by the grace
	drain, startDraining := context.WithCancel(requests)
	defer startDraining()
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(requests, drainKey{}, drain.Done())
		},
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("api.Serve: %w", err)
	case <-ctx.Done():
	}
	startDraining()
	stop, cancel := context.WithTimeout(requests, grace)
	defer cancel()
	if err := srv.Shutdown(stop); err != nil {
		return errors.Join(fmt.Errorf("api.Serve: requests were cut off after %s: %w", grace, err), srv.Close())
	}
	return nil
}

// temporalURL opens a workflow in the Temporal UI.
func (c Config) temporalURL(workflowID string) string {
	return c.TemporalUI + "/namespaces/" + escapeSegment(c.TemporalNamespace) + "/workflows/" + escapeSegment(workflowID)
}

// autoscaleID is the workflow ID of a service's autoscaler. The name belongs to the
// workflows' contract, which this room does not import; a test holds the two equal.
func autoscaleID(service models.ServiceName) string { return "autoscale/" + string(service) }
