package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/worker"
	"github.com/wedsync/scalability/workflows"
)

// daybook is everything around wedding days, in memory: the calendar, the load, the claims.
type daybook struct {
	mu       sync.Mutex
	clock    func() time.Time
	weddings []models.Wedding
	claims   map[string]models.Reservation
	order    []string
	rows     []models.WeddingDay
	away     bool // the calendar cannot be read
	broken   bool // claims cannot be kept
	demand   func(at time.Time) *float64
	ready    func(at time.Time) int
	freeze   bool
	started  []string
	heard    []models.DayNote // what people were called for
}

func newDaybook(clock func() time.Time) *daybook {
	return &daybook{clock: clock, claims: map[string]models.Reservation{}}
}

func (b *daybook) keeper() *activities.WeddingDayKeeper {
	return &activities.WeddingDayKeeper{
		Calendar: b, Catalogue: b, Guests: b, Measurer: b, States: b, Usage: b, Claims: b, Frozen: b, Starter: b, Days: b, Escalator: b,
		Routes: func() []string { return []string{"slack", "pagerduty"} }, Now: b.clock,
	}
}

func (b *daybook) locked() func() { b.mu.Lock(); return b.mu.Unlock }

func (b *daybook) Weddings(_ context.Context, f models.WeddingFilter) ([]models.Wedding, error) {
	defer b.locked()()
	if b.away {
		return nil, models.Unavailable("calendar", errors.New("away"))
	}
	var out []models.Wedding
	for _, w := range b.weddings {
		if w.EndsAt.After(f.From) && w.StartsAt.Before(f.Until) && (f.IncludeCancelled || w.Status != models.WeddingCancelled) {
			out = append(out, w)
		}
	}
	return out, nil
}

// book adds a wedding of eight hours at a local time.
func (b *daybook) book(t *testing.T, id, zone, local string, guests int) {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	require.NoError(t, err)
	start, err := time.ParseInLocation("2006-01-02 15:04", local, loc)
	require.NoError(t, err)
	w, err := models.Wedding{
		ID: id, Reference: id, TimeZone: zone, StartsAt: start, EndsAt: start.Add(8 * time.Hour), Guests: guests, Status: models.WeddingConfirmed,
	}.Normalise(time.LoadLocation)
	require.NoError(t, err)
	defer b.locked()()
	b.weddings = append(b.weddings, w)
}

// change changes a wedding in the calendar, as the API does.
func (b *daybook) change(id string, f func(w *models.Wedding)) {
	defer b.locked()()
	for i := range b.weddings {
		if b.weddings[i].ID == id {
			f(&b.weddings[i])
			b.weddings[i], _ = b.weddings[i].Normalise(time.LoadLocation)
		}
	}
}

func (b *daybook) Service(context.Context, models.ServiceName) (models.Service, error) {
	return dayService(), nil
}

func (b *daybook) Services(context.Context) ([]models.Service, error) {
	return []models.Service{dayService()}, nil
}

func dayService() models.Service {
	s := apiService()
	s.Zones, s.Tier, s.MaxReplicas, s.AbsoluteMaxReplicas, s.StartupP95Seconds = 1, models.TierStandard, 100, 200, 60
	s.Policy = models.DefaultScalingPolicy(models.TierStandard)
	return s
}

// Calendar has two requests per second a guest, from two hours before to six after.
func (b *daybook) Calendar(context.Context, models.Service, time.Time) (*models.Calendar, error) {
	k := &models.GuestKernel{FromMinutes: -120, StepMinutes: 30}
	for range 16 {
		k.P90, k.P50 = append(k.P90, 2), append(k.P50, 1.6)
	}
	return &models.Calendar{Kernel: k, BaseRPS: 100}, nil
}

func (b *daybook) Hours(context.Context, models.ServiceName, time.Time, time.Time) ([]models.PredictionPoint, error) {
	return nil, nil
}

func (b *daybook) Measure(context.Context, models.MeasureRequest) (models.Measurement, error) {
	return models.Measurement{}, nil
}

func (b *daybook) Limits(context.Context, models.Service) (models.Limits, error) {
	quota := 60
	return models.Limits{Quota: &quota}, nil
}

func (b *daybook) ScalingStates(context.Context) ([]models.ScalingState, error) {
	defer b.locked()()
	n := b.floor(b.clock())
	if b.ready != nil {
		n = b.ready(b.clock())
	}
	return []models.ScalingState{{Service: models.ServiceAPI, Ready: n, Spec: n}}, nil
}

func (b *daybook) PeakLoad(_ context.Context, _ models.ServiceName, _, until time.Time, _ float64) (*float64, error) {
	defer b.locked()()
	if b.demand == nil {
		return nil, nil
	}
	return b.demand(until), nil
}

func (b *daybook) Savings(_ context.Context, since, until time.Time) (models.Savings, error) {
	return models.Savings{Since: since, Until: until, Services: []models.ServiceSavings{{Service: models.ServiceAPI, PeakReplicas: 12, Spending: models.Spending{ReplicaHours: 80, Cost: 4}}}}, nil
}

func (b *daybook) ViolationMinutes(context.Context, models.ServiceName, time.Time, time.Time, models.ThresholdSet) (int, error) {
	return 0, nil
}

func (b *daybook) HeldReservations(_ context.Context, holder string) ([]models.Reservation, error) {
	defer b.locked()()
	var out []models.Reservation
	for _, id := range b.order {
		if r := b.claims[id]; r.Holder == holder {
			out = append(out, r)
		}
	}
	return out, nil
}

func (b *daybook) ActiveReservations(_ context.Context, service models.ServiceName, at time.Time) ([]models.Reservation, error) {
	defer b.locked()()
	if b.freeze {
		return []models.Reservation{{Service: service, Kind: models.ReservationFreeze, Holder: "user:anna", Until: at.Add(time.Hour)}}, nil
	}
	return nil, nil
}

func (b *daybook) CreateReservation(_ context.Context, r models.Reservation) error {
	defer b.locked()()
	if b.broken {
		return models.Unavailable("claims", errors.New("away"))
	}
	if err := r.Validate(); err != nil {
		return err
	}
	if _, taken := b.claims[r.ID]; taken {
		return &models.Error{Kind: models.KindConflict, Field: "id"}
	}
	b.claims[r.ID], b.order = r, append(b.order, r.ID)
	return nil
}

func (b *daybook) EndReservation(_ context.Context, id, actor string, at time.Time) (models.Reservation, error) {
	defer b.locked()()
	r := b.claims[id]
	r.EndedAt, r.EndedBy = &at, actor
	b.claims[id] = r
	return r, nil
}

func (b *daybook) SaveWeddingDay(_ context.Context, d models.WeddingDay) error {
	defer b.locked()()
	b.rows = append(b.rows, d)
	return nil
}

func (b *daybook) EnsureWeddingDay(_ context.Context, date, region string) (bool, error) {
	defer b.locked()()
	id := workflows.WeddingDayID(date, region)
	fresh := !slices.Contains(b.started, id)
	b.started = append(b.started, id)
	return fresh, nil
}

// floor is what the engine would hold at a time: all holders' claims.
func (b *daybook) floor(at time.Time) int {
	n := 0
	for _, r := range b.claims {
		if r.Kind == models.ReservationFloor && r.ActiveAt(at) {
			n = max(n, r.Replicas)
		}
	}
	return n
}

// effects are the claims in the order they were placed.
func (b *daybook) effects() []string {
	var out []string
	for _, id := range b.order {
		r := b.claims[id]
		line := fmt.Sprintf("%s to %s: %d", r.From.Format("2 15:04"), r.Until.Format("2 15:04"), r.Replicas)
		if r.EndedAt != nil {
			line += ", ended " + r.EndedAt.Format("2 15:04")
		}
		out = append(out, line)
	}
	return out
}

func (b *daybook) notes() (texts []string) {
	for _, n := range b.rows[len(b.rows)-1].Notes {
		texts = append(texts, n.Text)
	}
	return texts
}

func (b *daybook) phases() (out []models.WeddingDayPhase) {
	for _, r := range b.rows {
		if len(out) == 0 || out[len(out)-1] != r.Phase {
			out = append(out, r.Phase)
		}
	}
	return out
}

// dayRun plays one day in skipped time, over as many runs as it takes.
type dayRun struct {
	*daybook
	t       *testing.T
	env     *testsuite.TestWorkflowEnvironment
	date    string
	every   int
	start   time.Time
	runs    int
	updates int
	events  []*event
	report  models.DayReport
	err     error
	final   workflows.WeddingDayState
}

func newDay(t *testing.T, date string, start time.Time) *dayRun {
	d := &dayRun{t: t, date: date, every: 1000, start: start}
	d.daybook = newDaybook(func() time.Time { return d.env.Now() })
	return d
}

// at arranges an event at an offset from the start.
func (d *dayRun) at(when time.Time, f func()) {
	d.events = append(d.events, &event{at: when.Sub(d.start), f: f})
}

func (d *dayRun) signal(name, id string) {
	d.env.SignalWorkflow(name, workflows.WeddingChanged{WeddingID: id, Actor: "user:anna"})
}

func (d *dayRun) update(name string, arg any) (answer *models.WeddingDayAnswer, rejected *error) {
	answer, rejected = new(models.WeddingDayAnswer), new(error)
	d.updates++
	d.env.UpdateWorkflow(name, fmt.Sprint(name, d.updates), &testsuite.TestUpdateCallback{
		OnAccept: func() {},
		OnReject: func(err error) { *rejected = err },
		OnComplete: func(v any, err error) {
			if err != nil {
				*rejected = err
			} else if a, ok := v.(models.WeddingDayAnswer); ok {
				*answer = a
			}
		},
	}, arg)
	return answer, rejected
}

func (d *dayRun) play() *dayRun {
	in, now := workflows.WeddingDayInput{Date: d.date, ContinueEvery: d.every}, d.start
	for {
		d.runs++
		require.Less(d.t, d.runs, 3000, "it ends")
		suite := testsuite.WorkflowTestSuite{}
		suite.SetLogger(silent{})
		d.env = suite.NewTestWorkflowEnvironment()
		d.env.SetStartTime(now)
		d.env.SetTestTimeout(time.Minute)
		worker.Register(d.env, worker.Activities{WeddingDay: d.keeper()})
		for _, e := range d.events {
			if !e.done {
				d.env.RegisterDelayedCallback(func() {
					if !e.done {
						e.done = true
						e.f()
					}
				}, d.start.Add(e.at).Sub(now))
			}
		}
		d.env.ExecuteWorkflow(workflows.WeddingDayType, in)
		require.True(d.t, d.env.IsWorkflowCompleted())
		err := d.env.GetWorkflowError()
		var next *workflow.ContinueAsNewError
		if errors.As(err, &next) {
			now, in = d.env.Now(), workflows.WeddingDayInput{}
			require.NoError(d.t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &in))
			continue
		}
		if d.err = err; err == nil {
			require.NoError(d.t, d.env.GetWorkflowResult(&d.report))
		} else {
			require.True(d.t, temporal.IsCanceledError(err), "%v", err)
		}
		v, err := d.env.QueryWorkflow(workflows.QueryState)
		require.NoError(d.t, err)
		require.NoError(d.t, v.Get(&d.final))
		for _, r := range d.claims {
			require.True(d.t, !r.Until.After(d.env.Now()) || r.EndedAt != nil, "nothing stays reserved: %+v", r)
			require.Equal(d.t, workflows.WeddingDayID(d.date, ""), r.Holder)
		}
		return d
	}
}

func (b *daybook) OpenRequests(context.Context, models.ServiceName) ([]models.DecisionRequest, error) {
	return nil, nil
}
