package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/models"
)

// server is a fleet and an API that write down what they were told.
type server struct {
	mu       sync.Mutex
	down     bool
	loads    []map[models.ServiceName]float64
	cleared  int
	offered  float64 // what GET /services says
	posts    []string
	bodies   []map[string]any
	weddings map[string]bool
	tokens   map[string]bool
}

func start(t *testing.T) (*server, string) {
	t.Helper()
	s := &server{weddings: map[string]bool{}, tokens: map[string]bool{}}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return s, srv.URL
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[r.Header.Get("Authorization")] = true
	if s.down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	switch route := r.Method + " " + strings.Join(strings.Split(r.URL.Path, "/")[:2], "/"); {
	case route == "PUT /load":
		rates := map[models.ServiceName]float64{}
		_ = json.NewDecoder(r.Body).Decode(&rates)
		s.loads = append(s.loads, rates)
	case route == "DELETE /load":
		s.cleared++
	case route == "GET /services":
		_ = json.NewEncoder(w).Encode(map[string]any{"offeredRps": s.offered, "ready": 4, "settings": map[string]any{"capacityRps": 100}})
	case r.Method == http.MethodGet:
		_ = json.NewEncoder(w).Encode(map[string]any{"items": []any{}})
	default:
		s.post(w, r)
	}
}

func (s *server) post(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	_ = json.NewDecoder(r.Body).Decode(&body)
	if strings.HasSuffix(r.URL.Path, "/weddings") {
		ref, _ := body["reference"].(string)
		if s.weddings[ref] {
			w.WriteHeader(http.StatusConflict)
			return
		}
		s.weddings[ref] = true
	}
	s.posts = append(s.posts, r.URL.Path)
	s.bodies = append(s.bodies, body)
	w.WriteHeader(http.StatusCreated)
}

func (s *server) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestRunOffersTheTraceAndTakesItAway(t *testing.T) {
	s, url := start(t)
	var out bytes.Buffer
	res, err := Run(t.Context(), Options{
		Trace: read(t, "minutes.csv"), Speed: 1200, FleetURL: url, Progress: &out, Log: quiet(),
		Shares: map[models.ServiceName]float64{models.ServiceAPI: 1, models.ServiceAuth: 0.2}, tick: 50 * time.Millisecond,
	})
	require.NoError(t, err)
	assert.True(t, res.Done)
	assert.Equal(t, 6*time.Minute, res.Covered)
	assert.Equal(t, 1, s.cleared)
	require.GreaterOrEqual(t, len(s.loads), 5)
	assert.InDelta(t, 100, s.loads[0][models.ServiceAPI], 1e-9)
	assert.InDelta(t, 20, s.loads[0][models.ServiceAuth], 1e-9)
	peak := 0.0
	for _, l := range s.loads {
		peak = max(peak, l[models.ServiceAPI])
	}
	assert.InDelta(t, 300, peak, 60)
	assert.Contains(t, out.String(), "1998-06-10 15:28:00")
	assert.Contains(t, out.String(), "done: 6m0s of the trace")
}

func TestRunEndsWithItsContext(t *testing.T) {
	s, url := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(120*time.Millisecond, cancel)
	res, err := Run(ctx, Options{Trace: read(t, "minutes.csv"), FleetURL: url, Log: quiet(), tick: 20 * time.Millisecond})
	require.NoError(t, err)
	assert.False(t, res.Done)
	assert.Positive(t, res.Offered)
	assert.Equal(t, 1, s.cleared, "the load is taken away although the context has ended")
}

func TestRunOutlastsAFleetThatGoesAway(t *testing.T) {
	s, url := start(t)
	time.AfterFunc(60*time.Millisecond, func() { s.set(func() { s.down = true }) })
	time.AfterFunc(160*time.Millisecond, func() { s.set(func() { s.down = false }) })
	res, err := Run(t.Context(), Options{Trace: read(t, "minutes.csv"), Speed: 900, FleetURL: url, Log: quiet(), tick: 20 * time.Millisecond})
	require.NoError(t, err)
	assert.True(t, res.Done)
	assert.Positive(t, res.Failed)
	assert.Greater(t, res.Offered, res.Failed)
}

func TestRunRefusesWhatCannotWork(t *testing.T) {
	s, url := start(t)
	tr := read(t, "minutes.csv")
	for name, o := range map[string]Options{
		"no address":      {Trace: tr},
		"strange address": {Trace: tr, FleetURL: "fleet"},
		"negative speed":  {Trace: tr, FleetURL: url, Speed: -1},
		"no trace":        {FleetURL: url},
	} {
		_, err := Run(t.Context(), o)
		assert.Equal(t, models.KindInvalid, models.KindOf(err), name)
	}
	s.down = true
	_, err := Run(t.Context(), Options{Trace: tr, FleetURL: url, Log: quiet()})
	require.ErrorContains(t, err, "503", "a target that is away at the start is an error")
}

func TestRunPostsSamplesWithoutAFleet(t *testing.T) {
	s, url := start(t)
	_, err := Run(t.Context(), Options{
		Trace: read(t, "column.txt.gz"), Speed: 50, APIURL: url, Token: "tok", Log: quiet(),
		Shares: PlatformShares(), tick: 20 * time.Millisecond,
	})
	require.NoError(t, err)
	require.NotEmpty(t, s.bodies)
	assert.Equal(t, "/api/scalability/metrics", s.posts[0])
	samples := s.bodies[0]["samples"].([]any)
	require.Len(t, samples, 9)
	first := samples[0].(map[string]any)
	assert.Equal(t, "api", first["service"])
	assert.Equal(t, "throughput", first["metric"])
	at, err := time.Parse(time.RFC3339Nano, first["timestamp"].(string))
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), at, time.Minute)
	assert.True(t, s.tokens["Bearer tok"])
}

func TestSpikeMultipliesWhatIsThere(t *testing.T) {
	for _, c := range []struct {
		name        string
		others      float64
		base        float64
		first, last float64 // what the spike's own source offers
	}{
		{"on top of others", 120, 0, 240, 240},
		{"nobody offers any: half of four replicas", 0, 0, 600, 600},
		{"with its own base", 120, 50, 50, 150},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, url := start(t)
			s.offered = c.others
			told := 0
			res, err := Spike(t.Context(), SpikeOptions{
				FleetURL: url, Service: models.ServiceAPI, BaseRPS: c.base, BaseFor: 20 * time.Millisecond,
				HoldFor: 20 * time.Millisecond, OnSpike: func(SpikeResult) { told++ },
			})
			require.NoError(t, err)
			assert.InDelta(t, 3*res.Base, res.Peak, 1e-9)
			assert.False(t, res.StartedAt.IsZero())
			assert.Equal(t, 1, told)
			assert.InDelta(t, c.first, s.loads[0][models.ServiceAPI], 1e-9)
			assert.InDelta(t, c.last, s.loads[len(s.loads)-1][models.ServiceAPI], 1e-9)
			assert.Equal(t, 1, s.cleared)
		})
	}
	_, err := Spike(t.Context(), SpikeOptions{FleetURL: "http://127.0.0.1:1", Service: "nope"})
	assert.Equal(t, models.KindInvalid, models.KindOf(err))
}

func TestDemoLoadStaysWhereAFleetCanFollow(t *testing.T) {
	d := demoDay{length: 20 * time.Minute, seed: 1}
	low, high := math.Inf(1), 0.0
	for day := range int64(60) {
		for minute := range 20 * 6 {
			at := d.begin(1_480_000 + day).Add(time.Duration(minute) * 10 * time.Second)
			low, high = min(low, d.intensity(at)), max(high, d.intensity(at))
		}
	}
	t.Logf("front door %.0f to %.0f req/s", low, high)
	assert.Greater(t, low, 3*65.0, "about four replicas of the api")
	assert.Less(t, high, 25*65.0, "about 25 replicas of the api")
	assert.Greater(t, high/low, 3.0)
}

func TestDemoIsTheSameForASeed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := demoDay{length: time.Duration(rapid.IntRange(60, 86400).Draw(t, "day")) * time.Second, seed: rapid.Uint64().Draw(t, "seed")}
		at := time.Unix(rapid.Int64Range(1_700_000_000, 1_900_000_000).Draw(t, "at"), 0)
		again := demoDay{length: d.length, seed: d.seed}
		require.Equal(t, d.load(at), again.load(at))
		require.Equal(t, d.around(at), again.around(at))
		require.Len(t, d.load(at), 9)
		seen := map[string]bool{}
		for _, w := range d.around(at) {
			require.False(t, seen[w.Reference])
			seen[w.Reference] = true
			_, err := models.Wedding{
				Reference: w.Reference, TimeZone: w.Zone, StartsAt: w.Ceremony, EndsAt: w.End,
				Guests: w.Guests, Region: w.Region, Status: models.WeddingConfirmed,
			}.Normalise(time.LoadLocation)
			require.NoError(t, err)
		}
	})
}

func TestGuestsComeAndGoWithoutAJump(t *testing.T) {
	assert.InDelta(t, 0, guestLoad(-2), 1e-9)
	assert.InDelta(t, demoPerHead, guestLoad(0), 1e-9)
	assert.InDelta(t, guestLoad(2), guestLoad(2.0001), 1e-3)
	assert.InDelta(t, 0, guestLoad(6), 1e-9)
	assert.Zero(t, guestLoad(7))
}

func TestDemoBooksOnceAlsoAfterARestart(t *testing.T) {
	s, url := start(t)
	d := demoDay{length: 20 * time.Minute, seed: 1}
	w := d.wedding(160_000)
	plan := func() *planner {
		api, err := newWeb("api", url, "admin-token", nil)
		require.NoError(t, err)
		return &planner{day: d, api: api, booked: map[string]bool{}}
	}
	p := plan()
	s.down = true
	require.Error(t, p.book(t.Context(), w.Ceremony.Add(-time.Minute)))
	s.down = false
	for range 2 {
		require.NoError(t, p.book(t.Context(), w.Ceremony.Add(-time.Minute)))
	}
	weddings := len(s.weddings)
	assert.GreaterOrEqual(t, weddings, 9, "those whose guests are there, and those of a day")
	require.NoError(t, plan().book(t.Context(), w.Ceremony.Add(-30*time.Second)), "a restart knows nothing")
	assert.Len(t, s.weddings, weddings)
	assert.True(t, s.tokens["Bearer admin-token"])
}

func TestDemoRunsWithoutAFleetOrAnAPI(t *testing.T) {
	s, url := start(t)
	s.down = true
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	time.AfterFunc(500*time.Millisecond, func() { s.set(func() { s.down = false }) })
	require.NoError(t, Demo(ctx, DemoOptions{FleetURL: url, APIURL: url, AdminToken: "x", Log: quiet()}))
	assert.NotEmpty(t, s.loads)
	assert.Positive(t, s.loads[0][models.ServiceAnalytics])
	assert.Equal(t, 1, s.cleared)
	err := Demo(t.Context(), DemoOptions{FleetURL: url, APIURL: url, Day: time.Second})
	var invalid *models.Error
	require.ErrorAs(t, err, &invalid)
	assert.Equal(t, "day", invalid.Field)
}
