package loadtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
)

// Target takes load. What is offered lasts until the next offer or for some seconds.
type Target interface {
	Offer(ctx context.Context, service models.ServiceName, rps float64) error
	// Stop ends all that was offered.
	Stop(ctx context.Context) error
}

// Gauge sees how a service does. What it cannot see it leaves out.
type Gauge interface {
	Look(ctx context.Context, service models.ServiceName) (models.LoadTestSample, error)
}

// Options bound a test.
type Options struct {
	Target Target
	Gauge  Gauge
	// Ceremony says whether guests are there, who are nobody's test; nil: not known.
	Ceremony func(ctx context.Context, at time.Time) (bool, error)
	MaxRPS   float64 // no test offers more
	Every    time.Duration
	Now      func() time.Time
	// Sleep waits, or gives the error of a context that ended; nil: time.After.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Tester runs bounded load tests.
type Tester struct{ o Options }

const (
	// steps are the parts of the way to the load.
	steps = 4
	// abortAfter is how long a limit may be passed before the test stops.
	abortAfter = 30 * time.Second
	// errorLimit and databaseLimit are shares.
	errorLimit    = 0.005
	databaseLimit = 0.70
	maxDuration   = time.Hour
	// blindAfter is how many looks in a row may fail: what is not seen is not loaded.
	blindAfter = 5
)

// New makes a tester.
func New(o Options) (*Tester, error) {
	switch {
	case o.Target == nil || o.Gauge == nil || o.Now == nil:
		return nil, errors.New("loadtest.New: a target, a gauge and a clock are required")
	case !(o.MaxRPS > 0):
		return nil, models.Invalid("maxRps", o.MaxRPS, "must be above 0")
	}
	if o.Every <= 0 {
		o.Every = time.Second
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	return &Tester{o}, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// LoadTest climbs to the load in four steps. It stops when the response time is above the
// SLO or errors above 0.5 % for 30 s, and at once when the database is above 70 %, when a
// ceremony takes place, or when nothing can be seen any more.
func (t *Tester) LoadTest(ctx context.Context, req models.LoadTestRequest, beat func(models.LoadTestSample)) (models.LoadTestResult, error) {
	const op = "loadtest.LoadTest"
	switch {
	case !(req.RPS > 0) || math.IsInf(req.RPS, 1):
		return models.LoadTestResult{}, models.Invalid("rps", req.RPS, "must be above 0")
	case req.StepSeconds < 1 || time.Duration(req.StepSeconds)*time.Second*steps > maxDuration:
		return models.LoadTestResult{}, models.Invalid("stepSeconds", req.StepSeconds, "must be from 1 to 900")
	}
	if req.RPS > t.o.MaxRPS {
		return models.LoadTestResult{Aborted: fmt.Sprintf("%.0f requests/s are to be shown, and tests are bounded at %.0f (SEASON_LOAD_TEST_MAX_RPS)", req.RPS, t.o.MaxRPS)}, nil
	}
	r := &run{Tester: t, req: req}
	defer func() {
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = t.o.Target.Stop(after) // what was offered ends by itself within seconds
	}()
	for step := 1; step <= steps && r.res.Aborted == ""; step++ {
		if err := r.step(ctx, req.RPS*float64(step)/steps, beat); err != nil {
			return r.res, fmt.Errorf("%s: %s: %w", op, req.Service, err)
		}
	}
	r.res.CapacityRPS = worstTenth(r.capacities)
	if r.res.Aborted == "" && r.res.PeakRPS < req.RPS {
		r.res.Aborted = "the last step was never seen to be served"
	}
	return r.res, nil
}

// run is one test.
type run struct {
	*Tester
	req        models.LoadTestRequest
	res        models.LoadTestResult
	capacities []float64
	slowSince  time.Time
	failSince  time.Time
	blind      int
}

func (r *run) step(ctx context.Context, rps float64, beat func(models.LoadTestSample)) error {
	seen := false
	for end := r.o.Now().Add(time.Duration(r.req.StepSeconds) * time.Second); r.o.Now().Before(end); {
		if err := r.o.Target.Offer(ctx, r.req.Service, rps); err != nil {
			return err
		}
		if err := r.o.Sleep(ctx, r.o.Every); err != nil {
			return err
		}
		s, err := r.look(ctx)
		if err != nil {
			return err
		}
		if beat != nil {
			beat(s)
		}
		if r.res.Aborted = r.judge(s); r.res.Aborted != "" {
			return nil
		}
		seen = seen || s.P95MS != nil && *s.P95MS <= r.req.SLOMS
	}
	if seen {
		r.res.PeakRPS = math.Max(r.res.PeakRPS, rps)
	}
	return nil
}

// look gives a sample; one that could not be had is empty but for the time.
func (r *run) look(ctx context.Context) (models.LoadTestSample, error) {
	s, err := r.o.Gauge.Look(ctx, r.req.Service)
	if ctx.Err() != nil {
		return s, ctx.Err()
	}
	if err != nil {
		s = models.LoadTestSample{}
		r.blind++
	} else {
		r.blind = 0
	}
	s.At = r.o.Now()
	if r.o.Ceremony != nil {
		if s.Ceremony, err = r.o.Ceremony(ctx, s.At); err != nil {
			return s, err
		}
	}
	r.res.Samples++
	r.res.MaxReplicas = max(r.res.MaxReplicas, s.Ready)
	if s.CapacityRPS != nil && *s.CapacityRPS > 0 {
		r.capacities = append(r.capacities, *s.CapacityRPS)
	}
	if s.P95MS != nil {
		r.res.WorstP95MS = math.Max(r.res.WorstP95MS, *s.P95MS)
	}
	return s, nil
}

// judge says why the test has to stop, "" when it goes on.
func (r *run) judge(s models.LoadTestSample) string {
	r.slowSince = since(r.slowSince, s.At, s.P95MS != nil && *s.P95MS > r.req.SLOMS)
	r.failSince = since(r.failSince, s.At, s.ErrorRate != nil && *s.ErrorRate > errorLimit)
	switch {
	case s.Ceremony:
		return "a ceremony takes place"
	case s.DatabaseShare != nil && *s.DatabaseShare > databaseLimit:
		return fmt.Sprintf("the database holds %.0f %% of its connections, more than %.0f %%", 100**s.DatabaseShare, 100*databaseLimit)
	case !r.slowSince.IsZero() && s.At.Sub(r.slowSince) >= abortAfter:
		return fmt.Sprintf("the response time is above %.0f ms for %s", r.req.SLOMS, abortAfter)
	case !r.failSince.IsZero() && s.At.Sub(r.failSince) >= abortAfter:
		return fmt.Sprintf("more than %.1f %% of the requests fail for %s", 100*errorLimit, abortAfter)
	case r.blind >= blindAfter:
		return "the service cannot be measured"
	default:
		return ""
	}
}

// since is since when something holds; zero when it does not.
func since(was, now time.Time, holds bool) time.Time {
	switch {
	case !holds:
		return time.Time{}
	case was.IsZero():
		return now
	default:
		return was
	}
}

// worstTenth is the 10th percentile; 0 of nothing.
func worstTenth(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return v[int(float64(len(v)-1)*0.1)]
}
