package loadtest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/wedsync/scalability/models"
)

// Bounds of what is sent to an address.
const (
	maxInFlight    = 512
	requestTimeout = 10 * time.Second
	maxAnswerBytes = 64 << 10
	lookBack       = windowSeconds * time.Second
	// offerLasts is how long an offer is kept up without another one: a test that died
	// sends nothing more.
	offerLasts = 5 * time.Second
)

// Web is a target and a gauge over the addresses of a test installation. It sends GET
// requests at a steady rate whether they are answered or not, up to a number in flight, and
// measures them itself; what the installation has behind its address it cannot see.
type Web struct {
	address string
	client  *http.Client
	now     func() time.Time

	mu      sync.Mutex
	service models.ServiceName
	rps     float64
	offered time.Time // last offer
	stop    context.CancelFunc
	samples []shot
}

// shot is one request that ended, or was not sent since too many were in flight.
type shot struct {
	at     time.Time
	took   time.Duration
	failed bool
}

// NewWeb makes a target of an address, in which {service} stands for the service's name.
func NewWeb(address string) *Web {
	return &Web{
		address: address, now: time.Now,
		client: &http.Client{
			Timeout:       requestTimeout,
			Transport:     &http.Transport{MaxIdleConnsPerHost: maxInFlight, MaxConnsPerHost: maxInFlight},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Offer sends so many requests a second from now on, for some seconds.
func (w *Web) Offer(ctx context.Context, service models.ServiceName, rps float64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	changed := w.stop == nil || w.service != service || w.rps != rps
	w.offered = w.now()
	if !changed {
		return nil
	}
	w.end()
	w.service, w.rps = service, rps
	// The sending outlives the call that asked for it, and ends with Stop or by itself.
	sending, stop := context.WithCancel(context.WithoutCancel(ctx))
	w.stop = stop
	go w.send(sending, strings.ReplaceAll(w.address, "{service}", string(service)), rps)
	return nil
}

// Stop ends all that was offered.
func (w *Web) Stop(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.end()
	w.samples = nil
	return nil
}

// end stops the sending. The caller holds the lock.
func (w *Web) end() {
	if w.stop != nil {
		w.stop()
		w.stop = nil
	}
}

func (w *Web) send(ctx context.Context, url string, rps float64) {
	pace := rate.NewLimiter(rate.Limit(rps), max(1, int(rps/100)))
	free := make(chan struct{}, maxInFlight)
	for pace.Wait(ctx) == nil && w.wanted() {
		select {
		case free <- struct{}{}:
			go func() {
				defer func() { <-free }()
				w.shoot(ctx, url)
			}()
		default:
			w.keep(shot{at: w.now(), took: requestTimeout, failed: true}) // it answers slower than it is asked
		}
	}
}

// wanted says whether the offer is still kept up.
func (w *Web) wanted() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now().Sub(w.offered) < offerLasts
}

func (w *Web) shoot(ctx context.Context, url string) {
	began := w.now()
	failed := w.ask(ctx, url) != nil
	if ctx.Err() != nil {
		return // cut off by us
	}
	end := w.now()
	w.keep(shot{at: end, took: end.Sub(began), failed: failed})
}

var errServer = errors.New("the server failed")

func (w *Web) ask(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "wedsync-load-test")
	res, err := w.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswerBytes)); err != nil {
		return err
	}
	if res.StatusCode >= http.StatusInternalServerError || res.StatusCode == http.StatusTooManyRequests {
		return errServer
	}
	return nil
}

// keep remembers what ended within the last seconds.
func (w *Web) keep(s shot) {
	w.mu.Lock()
	defer w.mu.Unlock()
	old := slices.IndexFunc(w.samples, func(o shot) bool { return s.at.Sub(o.at) <= lookBack })
	if old < 0 {
		old = len(w.samples)
	}
	w.samples = append(w.samples[old:], s)
}

// Look measures the last seconds. Replicas and connections are not known here.
func (w *Web) Look(context.Context, models.ServiceName) (models.LoadTestSample, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	var took []time.Duration
	failed := 0
	for _, s := range w.samples {
		if now.Sub(s.at) > lookBack {
			continue
		}
		took = append(took, s.took)
		if s.failed {
			failed++
		}
	}
	if len(took) == 0 {
		return models.LoadTestSample{}, nil
	}
	slices.Sort(took)
	p95 := float64(took[(len(took)*95-1)/100].Microseconds()) / 1000
	errorRate := float64(failed) / float64(len(took))
	return models.LoadTestSample{OfferedRPS: float64(len(took)) / lookBack.Seconds(), P95MS: &p95, ErrorRate: &errorRate}, nil
}
