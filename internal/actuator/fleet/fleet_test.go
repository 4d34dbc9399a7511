package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/actuator/actuatortest"
	"github.com/wedsync/scalability/models"
)

// clock is a hand that tests turn.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// serve runs a fleet behind a real HTTP server.
func serve(t *testing.T, path string, c *clock) (*Fleet, *Client) {
	t.Helper()
	f, err := Open(path, DefaultSettings(), c.Now, quiet())
	require.NoError(t, err)
	srv := httptest.NewServer(f.Handler())
	t.Cleanup(srv.Close)
	client, err := NewClient(srv.URL, srv.Client())
	require.NoError(t, err)
	return f, client
}

func TestConformance(t *testing.T) {
	actuatortest.Run(t, func(t *testing.T) actuatortest.Subject {
		c := &clock{now: began}
		_, client := serve(t, filepath.Join(t.TempDir(), "fleet.json"), c)
		return actuatortest.Subject{Actuator: client, Service: models.ServiceAPI, Unknown: "nowhere", Victims: true, Now: c.Now}
	})
}

func TestARestartFindsEverythingAgain(t *testing.T) {
	c := &clock{now: began}
	path := filepath.Join(t.TempDir(), "fleet.json")
	_, client := serve(t, path, c)
	require.NoError(t, client.SetFaults(t.Context(), models.ServiceAPI, Fault{Kind: FaultNever, Count: 1}, Fault{Kind: FaultApplyError, Count: 1, Share: 1e-9}))
	kappa := 120.0
	require.NoError(t, client.Configure(t.Context(), models.ServiceAPI, ServiceChange{CapacityRPS: &kappa}))
	req := models.ApplyRequest{Service: models.ServiceAPI, ExpectedSpec: 4, Desired: 9, Key: "op-1"}
	_, err := client.Apply(t.Context(), req)
	require.NoError(t, err)
	before, err := client.View(t.Context(), models.ServiceAPI)
	require.NoError(t, err)

	c.advance(time.Minute)
	_, again := serve(t, path, c)
	after, err := again.View(t.Context(), models.ServiceAPI)
	require.NoError(t, err)
	assert.Equal(t, before.IDs(), after.IDs())
	assert.Equal(t, before.Spec, after.Spec)
	assert.Equal(t, before.Generation, after.Generation)
	assert.Equal(t, before.Orders, after.Orders)
	assert.Equal(t, before.Faults, after.Faults)
	assert.InDelta(t, 120, after.Settings.CapacityRPS, 0)

	res, err := again.Apply(t.Context(), req)
	require.NoError(t, err)
	assert.Equal(t, models.ApplyNoOp, res.Outcome, "the key is remembered")
	c.advance(time.Minute)
	after, err = again.View(t.Context(), models.ServiceAPI)
	require.NoError(t, err)
	assert.Equal(t, 8, after.Ready, "start-ups went on, but for the replica that was told never to start")
	assert.Equal(t, 1, after.Orders.Applied)
	assert.Equal(t, 1, after.Orders.DistinctKeys)
}

func TestAnOrderThatCannotBeSavedIsNotAnswered(t *testing.T) {
	c := &clock{now: began}
	dir := filepath.Join(t.TempDir(), "state")
	require.NoError(t, os.Mkdir(dir, 0o700))
	_, client := serve(t, filepath.Join(dir, "fleet.json"), c)
	require.NoError(t, os.RemoveAll(dir))
	req := models.ApplyRequest{Service: models.ServiceAPI, ExpectedSpec: 4, Desired: 5, Key: "k"}
	for range 2 {
		_, err := client.Apply(t.Context(), req)
		require.Equal(t, models.KindUnavailable, models.KindOf(err), "%v", err)
	}
	require.NoError(t, os.Mkdir(dir, 0o700))
	res, err := client.Apply(t.Context(), req)
	require.NoError(t, err)
	assert.Equal(t, models.ApplyNoOp, res.Outcome)
	assert.Equal(t, 5, res.Observed.Spec)
	assert.FileExists(t, filepath.Join(dir, "fleet.json"))
}

func TestABrokenStateFileIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fleet.json")
	for _, text := range []string{"", "{", `{"version":9}`, `{"version":1,"random":"AAAA"}`} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := Open(path, DefaultSettings(), nil, quiet())
		require.ErrorContains(t, err, path)
	}
}

// TestKilledWhileItTakesOrders kills a fleet process at twenty points of a stream of
// orders. Every order that was answered must stand after the restart, and the one that
// was not must be carried out exactly once when it is sent again.
func TestKilledWhileItTakesOrders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fleet.json")
	sent := 0 // orders that were answered
	spec := func(n int) int { return 4 + n%20 }
	next := func() models.ApplyRequest {
		return models.ApplyRequest{Service: models.ServiceAPI, ExpectedSpec: spec(sent), Desired: spec(sent + 1), Key: fmt.Sprint("order-", sent)}
	}
	cut := 0 // kills that hit an order on its way
	for round := range 20 {
		cmd, client := startProcess(t, path)
		time.AfterFunc(time.Duration(3+2*round)*time.Millisecond, func() { _ = cmd.Process.Kill() })
		for {
			_, err := client.Apply(t.Context(), next())
			if err != nil {
				require.Equal(t, models.KindUnavailable, models.KindOf(err), "%v", err)
				break
			}
			sent++
		}
		_ = cmd.Wait()

		cmd, client = startProcess(t, path)
		v, err := client.View(t.Context(), models.ServiceAPI)
		require.NoError(t, err)
		require.Contains(t, []int{spec(sent), spec(sent + 1)}, v.Spec, "an answered order is never lost")
		if v.Spec != spec(sent) {
			cut++
		}
		res, err := client.Apply(t.Context(), next())
		require.NoError(t, err)
		sent++
		require.Equal(t, spec(sent), res.Observed.Spec)
		require.Len(t, res.Observed.Replicas, spec(sent))
		v, err = client.View(t.Context(), models.ServiceAPI)
		require.NoError(t, err)
		require.Equal(t, sent, v.Orders.Applied, "each order changed the spec once")
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Logf("%d orders, %d of them cut off between the change and the answer", sent, cut)
}

// startProcess runs this test binary as a fleet process.
func startProcess(t *testing.T, path string) (*exec.Cmd, *Client) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHelperFleetProcess$")
	cmd.Env = append(os.Environ(), "FLEET_TEST_STATE="+path)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	var address string
	_, err = fmt.Fscanln(out, &address)
	require.NoError(t, err)
	client, err := NewClient("http://"+address, nil)
	require.NoError(t, err)
	return cmd, client
}

func TestHelperFleetProcess(t *testing.T) {
	path := os.Getenv("FLEET_TEST_STATE")
	if path == "" {
		t.Skip("runs in a process of its own only")
	}
	_ = Run(t.Context(), Options{
		Address: "127.0.0.1:0", StatePath: path, Settings: DefaultSettings(), Log: quiet(),
		OnReady: func(address string) { fmt.Println(address) },
	})
}

func TestHostileCallsAreRefusedByName(t *testing.T) {
	c := &clock{now: began}
	_, client := serve(t, "", c)
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
		says                     string
	}{
		{"malformed", "PUT", "/load/x", `{"api":`, 400, "body"},
		{"unknown service in a load", "PUT", "/load/x", `{"apy":1}`, 400, "apy"},
		{"negative load", "PUT", "/load/x", `{"api":-1}`, 400, "from 0 to 10000000"},
		{"huge load", "PUT", "/load/x", `{"api":1e300}`, 400, "from 0 to 10000000"},
		{"strange source", "PUT", "/load/X!", `{"api":1}`, 400, "source"},
		{"not a number", "PUT", "/load/x", `{"api":"many"}`, 400, "float64"},
		{"two documents", "PUT", "/load/x", `{} {}`, 400, "one JSON document"},
		{"unknown field", "POST", "/services/api/apply", `{"desird":3}`, 400, "desird"},
		{"other service in the body", "POST", "/services/api/apply", `{"service":"auth"}`, 400, "service of the path"},
		{"too many replicas", "POST", "/services/api/apply", `{"key":"k","expectedSpec":4,"desired":100000}`, 400, "desired"},
		{"unknown service", "GET", "/services/nope", "", 404, "service"},
		{"window too long", "POST", "/services/api/measure", `{"windowSeconds":121}`, 400, "windowSeconds"},
		{"unknown fault", "PUT", "/services/api/faults", `{"faults":[{"kind":"melt"}]}`, 400, "must be one of crash"},
		{"share above one", "PUT", "/services/api/faults", `{"faults":[{"kind":"crash","share":2}]}`, 400, "share"},
		{"slow without how", "PUT", "/services/api/faults", `{"faults":[{"kind":"slow"}]}`, 400, "startupFactor"},
		{"no capacity", "POST", "/services/api/configure", `{"capacityRps":0}`, 400, "capacityRps"},
		{"large body", "PUT", "/load/x", `{"api":` + strings.Repeat(" ", 2<<20) + `1}`, 413, "1 MiB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), tc.method, client.base+tc.path, strings.NewReader(tc.body))
			require.NoError(t, err)
			req.Header.Set("Content-Type", "application/json")
			res, err := client.http.Do(req)
			require.NoError(t, err)
			defer res.Body.Close()
			text, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			assert.Equal(t, tc.status, res.StatusCode, "%s", text)
			assert.Contains(t, string(text), tc.says)
			assert.Equal(t, "application/problem+json", res.Header.Get("Content-Type"))
		})
	}
	v, err := client.View(t.Context(), models.ServiceAPI)
	require.NoError(t, err)
	assert.Equal(t, 4, v.Spec)
	assert.InDelta(t, 0, v.Offered, 0)
	assert.Empty(t, v.Faults)
}

func TestInjectedActuatorFailures(t *testing.T) {
	c := &clock{now: began}
	_, client := serve(t, "", c)
	require.NoError(t, client.SetFaults(t.Context(), models.ServiceAPI, Fault{Kind: FaultDescribeError, Count: 1}, Fault{Kind: FaultApplyError, Count: 1}))
	_, err := client.Describe(t.Context(), models.ServiceAPI)
	assert.Equal(t, models.KindUnavailable, models.KindOf(err))
	req := models.ApplyRequest{Service: models.ServiceAPI, ExpectedSpec: 4, Desired: 6, Key: "k"}
	_, err = client.Apply(t.Context(), req)
	assert.Equal(t, models.KindUnavailable, models.KindOf(err))
	res, err := client.Apply(t.Context(), req)
	require.NoError(t, err)
	assert.Equal(t, models.ApplyApplied, res.Outcome, "the failed order changed nothing")

	require.NoError(t, client.SetFaults(t.Context(), models.ServiceAPI, Fault{Kind: FaultLatency, DelayMS: 50}))
	start := time.Now()
	_, err = client.Describe(t.Context(), models.ServiceAPI)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(start), 50*time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	_, err = client.Describe(ctx, models.ServiceAPI)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestHealthSaysWhenTheFleetStandsStill(t *testing.T) {
	c := &clock{now: began}
	_, client := serve(t, "", c)
	require.NoError(t, client.Healthy(t.Context()))
	c.advance(6 * time.Second)
	assert.Equal(t, models.KindUnavailable, models.KindOf(client.Healthy(t.Context())))
}

func TestClientRefusesWhatIsNotAFleet(t *testing.T) {
	_, err := NewClient("ftp://x", nil)
	require.Error(t, err)
	for name, h := range map[string]http.HandlerFunc{
		"html":     func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"bad gate": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"endless":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte(" "), maxAnswer+10)) },
	} {
		srv := httptest.NewServer(h)
		client, err := NewClient(srv.URL, srv.Client())
		require.NoError(t, err)
		_, err = client.Describe(t.Context(), models.ServiceAPI)
		assert.Equal(t, models.KindUnavailable, models.KindOf(err), name)
		srv.Close()
	}
}

func TestRunRefusesAddressesOfOthers(t *testing.T) {
	for _, a := range []string{"0.0.0.0:0", ":7400", "10.0.0.1:80", "nonsense"} {
		err := Run(t.Context(), Options{Address: a, Settings: DefaultSettings(), Log: quiet()})
		assert.Equal(t, models.KindInvalid, models.KindOf(err), a)
	}
}

// apiDouble takes samples, or fails on demand.
type apiDouble struct {
	status  atomic.Int64
	mu      sync.Mutex
	samples []models.Sample
	token   string
}

func (a *apiDouble) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s := a.status.Load(); s != 0 {
		w.WriteHeader(int(s))
		return
	}
	var body struct {
		Samples []models.Sample `json:"samples"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.samples = append(a.samples, body.Samples...)
	a.token = r.Header.Get("Authorization")
	w.WriteHeader(http.StatusAccepted)
}

func TestReporterKeepsTenSecondsWhileTheAPIIsDown(t *testing.T) {
	api := &apiDouble{}
	srv := httptest.NewServer(api)
	defer srv.Close()
	second := 0
	var logged bytes.Buffer
	r := NewReporter(ReporterOptions{APIURL: srv.URL + "/", Token: "secret"}, func() (time.Time, []models.Sample) {
		at := began.Add(time.Duration(second) * time.Second)
		return at, []models.Sample{{Service: models.ServiceAPI, Metric: models.MetricThroughput, Value: float64(second), Timestamp: at}}
	}, slog.New(slog.NewTextHandler(&logged, nil)))
	tick := func() { second++; r.report(t.Context(), began.Add(time.Duration(second)*time.Second)) }

	tick()
	r.report(t.Context(), began.Add(1500*time.Millisecond)) // the same second is not sent twice
	require.Len(t, api.samples, 1)
	assert.Equal(t, "Bearer secret", api.token)
	for _, status := range []int64{500, 429} {
		api.status.Store(status)
		for range 8 {
			tick()
		}
	}
	api.status.Store(0)
	tick()
	assert.Len(t, api.samples, 1+11, "the last 10 s and the present one")
	assert.Equal(t, ReportCount{Sent: 12, Dropped: 6}, r.Count())
	assert.Equal(t, 2, strings.Count(logged.String(), "\n"), "two changes of state, two lines: %s", logged.String())
	assert.NotContains(t, logged.String(), "secret")

	api.status.Store(400)
	tick()
	api.status.Store(0)
	tick()
	assert.Equal(t, 1, r.Count().Rejected, "what is refused for good is not sent again")
	assert.Len(t, api.samples, 13)
}

func TestRunServesReportsAndStops(t *testing.T) {
	api := &apiDouble{}
	srv := httptest.NewServer(api)
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan string, 1), make(chan error, 1)
	path := filepath.Join(t.TempDir(), "deep", "fleet.json")
	go func() {
		done <- Run(ctx, Options{
			Address: "127.0.0.1:0", StatePath: path, Settings: DefaultSettings(), Log: quiet(),
			Report:  &ReporterOptions{APIURL: srv.URL, Interval: 100 * time.Millisecond},
			OnReady: func(a string) { ready <- a },
		})
	}()
	client, err := NewClient("http://"+<-ready, nil)
	require.NoError(t, err)
	require.NoError(t, client.Healthy(ctx))
	require.NoError(t, client.SetLoad(ctx, "test", map[models.ServiceName]float64{models.ServiceAPI: 120}))
	require.Eventually(t, func() bool {
		api.mu.Lock()
		defer api.mu.Unlock()
		for _, s := range api.samples {
			if s.Service == models.ServiceAPI && s.Metric == models.MetricThroughput && s.Value > 100 {
				return true
			}
		}
		return false
	}, 10*time.Second, 50*time.Millisecond)
	cancel()
	require.NoError(t, <-done)
	assert.FileExists(t, path)
}
