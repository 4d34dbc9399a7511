package activities_test

import (
	"context"
	"encoding/json"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

func TestAnObservationHoldsEverythingThatWasRead(t *testing.T) {
	p := steady()
	p.reservations = []models.Reservation{{ID: "r1"}}
	p.requests = []models.DecisionRequest{{DecisionID: "d2"}}
	obs, err := p.observer().Observe(t.Context(), activities.ObserveInput{Service: models.ServiceAPI, InFlight: "d1"})
	require.NoError(t, err)
	assert.Equal(t, models.Observation{
		Service: p.service, At: now, Replicas: &p.set, Signals: p.signals, Forecast: p.forecast,
		Reservations: p.reservations, Requests: p.requests, Limits: p.limits,
		Operation: &models.OperationRef{DecisionID: "d1", Outcome: models.OutcomeVerified},
	}, obs)
	assert.Equal(t, 80*time.Second, p.within, "the forecast is asked for the lead time")
}

func TestOnlyAnOperationInFlightIsAskedFor(t *testing.T) {
	p := steady()
	p.faults["decision"] = func(context.Context) error { return errAway }
	obs, err := p.observer().Observe(t.Context(), activities.ObserveInput{Service: models.ServiceAPI})
	require.NoError(t, err)
	assert.Nil(t, obs.Operation)
	assert.Empty(t, obs.Gaps)
}

func TestWithoutAForecasterThereIsNoForecastAndNoGap(t *testing.T) {
	p := steady()
	o := p.observer()
	o.Forecaster = nil
	obs, err := o.Observe(t.Context(), activities.ObserveInput{Service: models.ServiceAPI})
	require.NoError(t, err)
	assert.Nil(t, obs.Forecast)
	assert.Empty(t, obs.Gaps)
}

// Each part may fail, hang with its context or hang without minding it: the others are
// there in time, and the gap is named. What one part has to do with another is its own
// matter: without the catalogue entry there is nothing to ask limits and forecasts for.
func TestAPartThatFailsOrHangsIsAGap(t *testing.T) {
	parts := map[string]struct {
		gap    string
		absent func(models.Observation) bool
	}{
		"catalogue": {"the catalogue", func(o models.Observation) bool {
			return o.Service.Name == "" && o.Limits.Quota == nil && o.Forecast == nil
		}},
		"describe":     {"the replicas", func(o models.Observation) bool { return o.Replicas == nil }},
		"signals":      {"the metrics", func(o models.Observation) bool { return o.Signals != nil && len(o.Signals) == 0 }},
		"reservations": {"the reservations", func(o models.Observation) bool { return o.Reservations != nil && len(o.Reservations) == 0 }},
		"requests":     {"the requests", func(o models.Observation) bool { return o.Requests != nil && len(o.Requests) == 0 }},
		"decision":     {"the decision in flight", func(o models.Observation) bool { return o.Operation == nil }},
		"limits":       {"the limits", func(o models.Observation) bool { return o.Limits.Quota == nil }},
		"forecast":     {"", func(o models.Observation) bool { return o.Forecast == nil }},
		"calendar":     {"the calendar", func(o models.Observation) bool { return o.Calendar == nil && o.Mode == models.ModeNormal }},
		"usual":        {"what is usual at this hour", func(o models.Observation) bool { return o.UsualRPS == nil }},
		"peak":         {"the largest load of seven days", func(o models.Observation) bool { return o.Signals[0].Max7Days == nil }},
		"spent":        {"what was spent", func(o models.Observation) bool { return o.Limits.Budget.SpentDay == 0 && o.Limits.Budget.Hour == 20 }},
	}
	faults := map[string]struct {
		f     func(context.Context) error
		cause string
	}{
		"is away":                   {func(context.Context) error { return errAway }, "unavailable"},
		"fails in its own way":      {func(context.Context) error { return assert.AnError }, "internal"},
		"hangs":                     {hang, "timeout"},
		"hangs and does not listen": {deaf, "timeout"},
	}
	for port, part := range parts {
		for how, fault := range faults {
			t.Run(port+" "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := steady()
					p.reservations = []models.Reservation{{ID: "r1"}}
					p.requests = []models.DecisionRequest{{DecisionID: "d2"}}
					p.faults[port] = fault.f
					t.Cleanup(func() { time.Sleep(2 * time.Hour) }) // the deaf one ends too
					began := time.Now()
					obs, err := p.whole().Observe(t.Context(), activities.ObserveInput{Service: models.ServiceAPI, InFlight: "d1"})
					require.NoError(t, err)
					assert.LessOrEqual(t, time.Since(began), 4*time.Second)
					assert.True(t, part.absent(obs), "%+v", obs)
					if part.gap == "" {
						assert.Empty(t, obs.Gaps, "a forecast only raises: without one nothing is unsafe")
						return
					}
					assert.Equal(t, []string{part.gap + " could not be read (" + fault.cause + ")"}, obs.Gaps)
				})
			})
		}
	}
}

func TestARequestIsNotSeenBeforeItsReservation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := steady()
		p.reservations = []models.Reservation{{ID: "r1"}}
		p.requests = []models.DecisionRequest{
			{DecisionID: "whole", ReservationID: "r1", CreatedAt: now},
			{DecisionID: "torn", ReservationID: "r2", CreatedAt: now.Add(-9 * time.Second)},
			{DecisionID: "over", ReservationID: "r3", CreatedAt: now.Add(-11 * time.Second)},
		}
		obs, err := p.observer().Observe(t.Context(), activities.ObserveInput{Service: models.ServiceAPI})
		require.NoError(t, err)
		var ids []string
		for _, r := range obs.Requests {
			ids = append(ids, r.DecisionID)
		}
		assert.Equal(t, []string{"whole", "over"}, ids, "one whose reservation is long over is answered")
	})
}

func TestGapsStandInTheOrderOfTheQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := steady()
		p.faults["catalogue"], p.faults["requests"] = hang, func(context.Context) error { return errAway }
		p.faults["signals"] = func(context.Context) error { time.Sleep(time.Second); return errAway }
		obs, err := p.observer().Observe(t.Context(), activities.ObserveInput{Service: models.ServiceAPI})
		require.NoError(t, err)
		assert.Equal(t, []string{
			"the catalogue could not be read (timeout)", "the metrics could not be read (unavailable)", "the requests could not be read (unavailable)",
		}, obs.Gaps)
	})
}

func TestACancelledObservationIsAllGaps(t *testing.T) {
	p := steady()
	for _, port := range []string{"catalogue", "describe", "signals", "reservations", "requests"} {
		p.faults[port] = hang
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	obs, err := p.observer().Observe(ctx, activities.ObserveInput{Service: models.ServiceAPI})
	require.NoError(t, err)
	assert.Len(t, obs.Gaps, 5)
	assert.Contains(t, obs.Gaps, "the replicas could not be read (cancelled)")
}

// A NaN cannot travel to the workflow: the observation would be lost with it, each time.
func TestANumberThatCannotTravelIsAGap(t *testing.T) {
	p := steady()
	p.signals[0].Avg60 = val(math.NaN())
	p.forecast.P95 = math.Inf(1)
	p.limits.HourBudget = val(math.NaN())
	obs, err := p.observer().Observe(t.Context(), activities.ObserveInput{Service: models.ServiceAPI})
	require.NoError(t, err)
	_, err = json.Marshal(obs)
	require.NoError(t, err)
	assert.Empty(t, obs.Signals)
	assert.Nil(t, obs.Forecast)
	assert.Equal(t, []string{"the metrics could not be read (invalid)", "the limits could not be read (invalid)"}, obs.Gaps)
}

func TestWithoutTheCatalogueNothingIsDecided(t *testing.T) {
	p := steady()
	p.faults["catalogue"] = func(context.Context) error { return errAway }
	obs, err := p.observer().Observe(t.Context(), activities.ObserveInput{Service: models.ServiceAPI})
	require.NoError(t, err)
	res, err := activities.Decider{}.Decide(t.Context(), scaling.Inputs{Now: now, Observation: obs})
	require.NoError(t, err)
	assert.Equal(t, models.DirectionHold, res.Explanation.Direction)
	assert.Equal(t, 4, res.Explanation.Desired)
	assert.Equal(t, []string{"the catalogue could not be read (unavailable)"}, res.Explanation.Gaps)
}

func TestTheDeciderIsThePolicy(t *testing.T) {
	obs, err := steady().observer().Observe(t.Context(), activities.ObserveInput{Service: models.ServiceAPI})
	require.NoError(t, err)
	in := scaling.Inputs{Now: now, Observation: obs}
	e, s := scaling.Decide(in)
	res, err := activities.Decider{}.Decide(t.Context(), in)
	require.NoError(t, err)
	assert.Equal(t, activities.DecideResult{Explanation: e, State: s}, res)
}

// record is what is learned of a service.
type record struct {
	learned models.Learned
	err     error
}

func (r record) Learned(context.Context, models.ServiceName, time.Time) (models.Learned, error) {
	return r.learned, r.err
}

func TestWhatWasLearnedIsObservedAndItsAbsenceIsNoGap(t *testing.T) {
	known := models.Learned{CapacityP50RPS: 98, StartupP95Seconds: 31}
	for name, c := range map[string]struct {
		record activities.LearnedReader
		want   *models.Learned
	}{
		"something is known":  {record{learned: known}, &known},
		"the record is short": {record{}, nil},
		"it cannot be read":   {record{err: errAway}, nil},
		"nobody keeps it":     {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			o := steady().observer()
			o.Learned = c.record
			obs, err := o.Observe(t.Context(), activities.ObserveInput{Service: models.ServiceAPI})
			require.NoError(t, err)
			assert.Equal(t, c.want, obs.Learned)
			assert.Empty(t, obs.Gaps)
		})
	}
}
