package loadtest

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// site is a test installation.
type site struct {
	*httptest.Server
	asked atomic.Int64
	code  atomic.Int64
	path  atomic.Value
}

func newSite(t *testing.T) *site {
	s := &site{}
	s.code.Store(http.StatusOK)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		s.path.Store(r.URL.Path)
		w.WriteHeader(int(s.code.Load()))
	}))
	t.Cleanup(s.Close)
	return s
}

func TestAnAddressIsLoadedMeasuredAndLeftAlone(t *testing.T) {
	s := newSite(t)
	w := NewWeb(s.URL + "/{service}/ping")
	tester, err := New(Options{Target: w, Gauge: w, MaxRPS: 1000, Every: 100 * time.Millisecond, Now: time.Now})
	require.NoError(t, err)
	res, err := tester.LoadTest(t.Context(), models.LoadTestRequest{Service: models.ServiceMedia, RPS: 200, StepSeconds: 1, SLOMS: 500}, nil)
	require.NoError(t, err)
	assert.Empty(t, res.Aborted)
	assert.InDelta(t, 200, res.PeakRPS, 1e-9)
	assert.Equal(t, "/media/ping", s.path.Load())
	assert.Zero(t, res.CapacityRPS, "what a replica serves cannot be seen from outside")
	asked := s.asked.Load()
	assert.Positive(t, asked)
	assert.LessOrEqual(t, asked, int64(700), "50 + 100 + 150 + 200 in a second each, and a little")
	require.Never(t, func() bool { return s.asked.Load() > asked+maxInFlight }, 200*time.Millisecond, 50*time.Millisecond)
}

func TestFailuresOfAnAddressAreCounted(t *testing.T) {
	s := newSite(t)
	s.code.Store(http.StatusServiceUnavailable)
	w := NewWeb(s.URL)
	require.NoError(t, w.Offer(t.Context(), models.ServiceAPI, 200))
	require.Eventually(t, func() bool {
		got, err := w.Look(t.Context(), models.ServiceAPI)
		return err == nil && got.ErrorRate != nil && *got.ErrorRate == 1 && got.P95MS != nil
	}, 5*time.Second, 20*time.Millisecond)
	require.NoError(t, w.Stop(t.Context()))
	got, err := w.Look(t.Context(), models.ServiceAPI)
	require.NoError(t, err)
	assert.Nil(t, got.ErrorRate, "nothing was measured since")
}

func TestAnOfferThatIsNotKeptUpEnds(t *testing.T) {
	s := newSite(t)
	w := NewWeb(s.URL)
	var ahead atomic.Int64
	w.now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	require.NoError(t, w.Offer(t.Context(), models.ServiceAPI, 100))
	require.Eventually(t, func() bool { return s.asked.Load() > 0 }, 5*time.Second, 10*time.Millisecond)
	ahead.Store(int64(time.Minute))
	last := int64(-1)
	require.Eventually(t, func() bool { was := last; last = s.asked.Load(); return was == last }, 5*time.Second, 200*time.Millisecond)
}
