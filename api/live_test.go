package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// tick is the interval of the streams of these tests.
const tick = 20 * time.Millisecond

// signedIn lets anybody in whose header is their subject, until a time.
type signedIn struct{ until time.Time }

func (s signedIn) Verify(_ context.Context, bearer string) (models.Identity, error) {
	return models.Identity{Subject: bearer, Kind: "user", ExpiresAt: s.until}, nil
}

func (s signedIn) Session(ctx context.Context, cookie string) (models.Identity, error) {
	return s.Verify(ctx, cookie)
}

func (signedIn) Recheck(context.Context, models.Identity) error { return nil }

func liveServer(t *testing.T, p *platform, life time.Duration) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(p.handler(t, func(c *Config) {
		c.LiveInterval, c.Auth = tick, signedIn{noon.Add(life)}
	}))
	t.Cleanup(srv.Close)
	return srv
}

// follow opens a stream; its events come on a channel that is closed with the stream.
func follow(t *testing.T, url, subject string) (*http.Response, <-chan models.LiveSnapshot) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+base+"/metrics/realtime", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", subject)
	req.Header.Set("Accept", "text/event-stream")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	events := make(chan models.LiveSnapshot, 1000)
	go func() {
		defer close(events)
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 1<<20)
		named := false
		for lines.Scan() {
			line := lines.Text()
			data, ok := strings.CutPrefix(line, "data: ")
			switch {
			case line == "event: snapshot":
				named = true
			case ok && named:
				var s models.LiveSnapshot
				if json.Unmarshal([]byte(data), &s) == nil {
					events <- s
				}
				named = false
			}
		}
	}()
	return res, events
}

// next waits for an event.
func next(t *testing.T, events <-chan models.LiveSnapshot) models.LiveSnapshot {
	t.Helper()
	select {
	case s, ok := <-events:
		require.True(t, ok, "the stream ended")
		return s
	case <-time.After(10 * time.Second):
		require.Fail(t, "no event")
		return models.LiveSnapshot{}
	}
}

// ended waits for the end of a stream.
func ended(t *testing.T, events <-chan models.LiveSnapshot) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case _, ok := <-events:
			if !ok {
				return
			}
		case <-deadline:
			require.Fail(t, "the stream goes on")
		}
	}
}

func TestAStreamBeginsWithTheRecentDecisionsAndThenTellsChangesOnly(t *testing.T) {
	p := newPlatform()
	p.decided[0].Explanation = &models.Explanation{Text: "long", Approval: &models.Approval{Permission: models.PermissionScaleStandard, Reason: "it is large"}}
	p.decided[0].Evidence = &models.Evidence{}
	srv := liveServer(t, p, time.Hour)
	res, events := follow(t, srv.URL, "user:viewer")
	require.Equal(t, 200, res.StatusCode)
	assert.Equal(t, "text/event-stream; charset=utf-8", res.Header.Get("Content-Type"))
	assert.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	assert.Len(t, p.entries(), 1)

	first := next(t, events)
	require.Len(t, first.Decisions, 1)
	assert.Nil(t, first.Decisions[0].Explanation)
	assert.Equal(t, "it is large", first.Decisions[0].Approval.Reason, "who follows sees that it waits")
	assert.Nil(t, first.Decisions[0].Evidence)
	require.Len(t, first.Services, 1)
	assert.Equal(t, models.OverallHealthy, first.Health.OverallHealth)
	assert.Equal(t, models.ScopeViewer, p.scope("Decisions").Role)
	assert.Empty(t, next(t, events).Decisions, "what did not change is not told again")

	p.mu.Lock()
	p.decided = []models.Decision{{ID: "d2", CreatedAt: noon}, {ID: decision, Outcome: models.OutcomeVerified, CreatedAt: noon}}
	p.mu.Unlock()
	var told []models.Decision
	for len(told) == 0 {
		told = next(t, events).Decisions
	}
	require.Len(t, told, 2)
	assert.Equal(t, []string{"d2", decision}, []string{told[0].ID, told[1].ID})
	assert.Equal(t, models.OutcomeVerified, told[1].Outcome)
}

func TestAStreamGoesOnWhileTheDatabaseIsAway(t *testing.T) {
	p := newPlatform()
	srv := liveServer(t, p, time.Hour)
	_, events := follow(t, srv.URL, "user:viewer")
	next(t, events)
	for _, m := range []string{"Services", "ScalingStates", "Decisions"} {
		p.fails(m, errors.New("down"))
	}
	p.mu.Lock()
	p.health.Database = false
	p.health = p.health.WithOverall()
	p.mu.Unlock()
	for {
		s := next(t, events)
		if s.Health.OverallHealth == models.OverallDegraded {
			require.Len(t, s.Services, 1, "what was known last is shown")
			break
		}
	}
}

func TestAllStreamsShareOneReader(t *testing.T) {
	p := newPlatform()
	srv := liveServer(t, p, time.Hour)
	_, first := follow(t, srv.URL, "user:viewer")
	_, second := follow(t, srv.URL, "user:operator")
	for range 10 {
		next(t, first)
		next(t, second)
	}
	p.mu.Lock()
	reads := 0
	for _, c := range p.calls {
		if c == "Latest" {
			reads++
		}
	}
	p.mu.Unlock()
	assert.Less(t, reads, 18, "two streams of ten events do not read twenty times")
}

func TestAStreamEndsWithItsToken(t *testing.T) {
	srv := liveServer(t, newPlatform(), 100*time.Millisecond)
	_, events := follow(t, srv.URL, "user:viewer")
	next(t, events)
	ended(t, events)
}

// ending is what callers are known by, until it is ended.
type ending struct {
	signedIn
	err atomic.Pointer[models.Error]
}

func (e *ending) Recheck(context.Context, models.Identity) error {
	if err := e.err.Load(); err != nil {
		return err
	}
	return nil
}

func TestAStreamEndsWhenItsTokenIsRevoked(t *testing.T) {
	for _, rbac := range []bool{true, false} {
		auth := &ending{signedIn: signedIn{noon.Add(time.Hour)}}
		srv := httptest.NewServer(newPlatform().handler(t, func(c *Config) { c.LiveInterval, c.Auth, c.RBAC = tick, auth, rbac }))
		t.Cleanup(srv.Close)
		_, events := follow(t, srv.URL, "user:viewer")
		next(t, events)
		auth.err.Store(&models.Error{Kind: models.KindUnavailable, Op: "authn.Recheck"})
		for range 2 * heartbeats {
			next(t, events) // not being able to ask is no revocation
		}
		auth.err.Store(&models.Error{Kind: models.KindUnauthorised, Rule: "revoked"})
		ended(t, events)
	}
}

func TestAStreamEndsWhenItsCallersRoleIsTakenAway(t *testing.T) {
	p := newPlatform()
	srv := liveServer(t, p, time.Hour)
	_, events := follow(t, srv.URL, "user:viewer")
	next(t, events)
	p.fails("Grants", errors.New("down"))
	for range 2 * heartbeats {
		next(t, events) // not being able to ask is no revocation
	}
	p.mu.Lock()
	p.broken = map[string]error{}
	p.grants = map[string][]models.Role{}
	p.mu.Unlock()
	ended(t, events)
}

func TestEachEventIsANewReadingAndTheFirstComesAtOnce(t *testing.T) {
	made := 0
	h := newHub(tick, func(context.Context) (*frame, error) { made++; return &frame{}, nil })
	sub, leave, err := h.follow("user:viewer")
	require.NoError(t, err)
	defer leave()
	seen := map[*frame]bool{}
	for range 5 {
		f := <-sub.frames
		assert.False(t, seen[f], "the same reading twice")
		seen[f] = true
	}
	h.mu.Lock()
	h.every = time.Hour // the frame at hand counts as recent, and no tick comes to help
	h.mu.Unlock()
	second, leave2, err := h.follow("user:operator")
	require.NoError(t, err)
	defer leave2()
	assert.Len(t, second.frames, 1)
}

func TestOneCallerHasABoundedNumberOfStreams(t *testing.T) {
	srv := liveServer(t, newPlatform(), time.Hour)
	var open []*http.Response
	for range maxStreamsPerSubject {
		res, events := follow(t, srv.URL, "user:viewer")
		require.Equal(t, 200, res.StatusCode)
		next(t, events)
		open = append(open, res)
	}
	res, _ := follow(t, srv.URL, "user:viewer")
	assert.Equal(t, 429, res.StatusCode)
	assert.NotEmpty(t, res.Header.Get("Retry-After"))
	res, _ = follow(t, srv.URL, "user:operator")
	assert.Equal(t, 200, res.StatusCode, "another caller is not hurt")
	require.NoError(t, open[0].Body.Close())
	require.Eventually(t, func() bool {
		res, _ := follow(t, srv.URL, "user:viewer")
		return res.StatusCode == 200
	}, 10*time.Second, 20*time.Millisecond, "a stream that was left makes room")
}

func TestNobodyReadsWhenNobodyFollows(t *testing.T) {
	p := newPlatform()
	c := p.config(t).withDefaults()
	s := &server{Config: c, read: &reader{Config: c}}
	h := newHub(time.Millisecond, s.snapshot)
	sub, leave, err := h.follow("user:viewer")
	require.NoError(t, err)
	<-sub.frames
	leave()
	assert.Nil(t, h.stop)
	assert.Empty(t, h.perSub)
	_, leave, err = h.follow("user:viewer")
	require.NoError(t, err, "and begins again")
	leave()
}

func TestASlowReaderGetsTheNewestAndHoldsUpNobody(t *testing.T) {
	h := newHub(time.Hour, func(context.Context) (*frame, error) { return nil, errors.New("not now") })
	slow, leave, err := h.follow("user:viewer")
	require.NoError(t, err)
	defer leave()
	var last *frame
	for range 5 {
		last = &frame{}
		h.publish(last)
	}
	assert.Same(t, last, <-slow.frames)
}

func TestTheNewestSecondIsAlsoOneDocument(t *testing.T) {
	p := newPlatform()
	h := p.handler(t)
	s := get[models.LiveSnapshot](t, h, request{path: base + "/metrics/realtime", as: "viewer"}, 200)
	assert.Len(t, s.Services, 1)
	assert.Len(t, s.Decisions, 1)
	again := get[models.LiveSnapshot](t, h, request{path: base + "/metrics/realtime", as: "viewer"}, 200)
	assert.Len(t, again.Decisions, 1, "each document is whole")
}

// serve runs Serve on loopback and gives its address and what ends it.
func serve(t *testing.T, h http.Handler, grace time.Duration) (url string, stop context.CancelFunc, done <-chan error) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	result := make(chan error, 1)
	go func() { result <- Serve(ctx, l, h, grace) }()
	return "http://" + l.Addr().String(), cancel, result
}

func within(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(10 * time.Second):
		require.Fail(t, "the server does not stop")
		return nil
	}
}

func TestStoppingEndsStreamsAtOnceAndLetsRequestsEnd(t *testing.T) {
	p := newPlatform()
	begun, release := make(chan struct{}), make(chan struct{})
	h := p.handler(t, func(c *Config) {
		c.LiveInterval, c.Auth = tick, signedIn{noon.Add(time.Hour)}
		c.Catalogue = waiting{p, begun, release}
	})
	url, stop, done := serve(t, h, time.Minute)
	slow := make(chan int, 1)
	go func() {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, url+base+"/services/api", nil)
		req.Header.Set("Authorization", "user:viewer")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			slow <- 0
			return
		}
		_ = res.Body.Close()
		slow <- res.StatusCode
	}()
	<-begun
	_, events := follow(t, url, "user:viewer")
	next(t, events)
	stop()
	ended(t, events)
	select {
	case err := <-done:
		require.Fail(t, "stopped before a request had ended", "%v", err)
	default:
	}
	close(release)
	assert.Equal(t, 200, <-slow)
	assert.NoError(t, within(t, done))
}

// waiting answers for one service only when it is released.
type waiting struct {
	*platform
	begun, release chan struct{}
}

func (w waiting) Service(ctx context.Context, name models.ServiceName) (models.Service, error) {
	close(w.begun)
	select {
	case <-w.release:
	case <-ctx.Done():
	}
	return w.platform.Service(ctx, name)
}

func TestARequestThatOutlastsTheGraceIsCutOffAndSaid(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	url, stop, done := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(begun)
		<-release
	}), 20*time.Millisecond)
	go func() {
		res, err := http.Get(url)
		if err == nil {
			_ = res.Body.Close()
		}
	}()
	<-begun
	stop()
	assert.ErrorContains(t, within(t, done), "cut off")
}

func TestAnOversizedBodyIsAnsweredOverARealConnection(t *testing.T) {
	p := newPlatform()
	url, _, _ := serve(t, p.handler(t), time.Second)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+base+"/metrics", strings.NewReader(strings.Repeat(" ", 20<<20)))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token(t, "writer"))
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	assert.Equal(t, 413, res.StatusCode)
}

func TestAListenerThatFailsIsSaid(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	assert.ErrorContains(t, Serve(t.Context(), l, http.NotFoundHandler(), time.Second), "api.Serve")
}
