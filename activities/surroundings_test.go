package activities_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

func observed(t *testing.T, o *activities.Observer) models.Observation {
	t.Helper()
	obs, err := o.Observe(t.Context(), activities.ObserveInput{Service: models.ServiceAPI})
	require.NoError(t, err)
	return obs
}

func TestAWholeObservationHoldsCalendarModeUsualPeakAndBudget(t *testing.T) {
	p := steady()
	obs := observed(t, p.whole())
	assert.Empty(t, obs.Gaps)
	assert.Equal(t, p.calendar, obs.Calendar)
	assert.Equal(t, models.ModeWeddingDay, obs.Mode, "guests come within ninety minutes")
	assert.Equal(t, p.usual, obs.UsualRPS)
	assert.Equal(t, p.peak, obs.Signals[0].Max7Days)
	assert.Nil(t, obs.Signals[1].Max7Days, "of throughput alone")
	assert.Equal(t, &models.Budget{Hour: 20, Day: 300, SpentDay: 40}, obs.Limits.Budget)
	assert.Nil(t, obs.Disturbance, "load does not fall")
	assert.Equal(t, scaling.Lead(obs.Service), p.within, "a forecast looks no further ahead because guests are expected: they have their floors")
}

func TestAModeNeedsItsSwitchAndAWeddingThatIsNear(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*platform, *activities.Observer)
		want   models.Mode
	}{
		"a wedding is near":         {func(*platform, *activities.Observer) {}, models.ModeWeddingDay},
		"it does not switch itself": {func(_ *platform, o *activities.Observer) { o.WeddingDays = false }, models.ModeNormal},
		"the wedding is cancelled":  {func(p *platform, _ *activities.Observer) { p.calendar.Windows[0].Cancelled = true }, models.ModeNormal},
		"somebody declared an emergency": {func(p *platform, o *activities.Observer) {
			o.Emergencies = true
			p.reservations = append(p.reservations, models.Reservation{ID: "e1", Service: models.ServiceAPI, Kind: models.ReservationEmergency, From: now.Add(-time.Minute), Until: now.Add(time.Hour)})
		}, models.ModeEmergency},
		"an emergency where they are switched off": {func(p *platform, o *activities.Observer) {
			p.reservations = append(p.reservations, models.Reservation{ID: "e1", Service: models.ServiceAPI, Kind: models.ReservationEmergency, From: now.Add(-time.Minute), Until: now.Add(time.Hour)})
		}, models.ModeWeddingDay},
		"there is no calendar": {func(p *platform, _ *activities.Observer) { p.calendar = nil }, models.ModeNormal},
	} {
		t.Run(name, func(t *testing.T) {
			p := steady()
			o := p.whole()
			c.change(p, o)
			assert.Equal(t, c.want, observed(t, o).Mode)
		})
	}
}

// The decision looks at the age of a calendar: the observation only has to keep it.
func TestTheLastCopyOfTheCalendarCountsWhenItCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := steady()
		o := p.whole()
		first := observed(t, o)
		p.calendar = nil
		for how, fault := range map[string]func(context.Context) error{
			"away": func(context.Context) error { return errAway }, "hanging": hang,
		} {
			synctest.Wait()
			p.faults["calendar"] = fault
			obs := observed(t, o)
			assert.Equal(t, first.Calendar, obs.Calendar, how)
			assert.Equal(t, models.ModeWeddingDay, obs.Mode, how)
			assert.Empty(t, obs.Gaps, how)
			time.Sleep(time.Minute) // what hangs is given up
		}
		synctest.Wait() // whoever still reads has read
		delete(p.faults, "calendar")
		assert.Nil(t, observed(t, o).Calendar, "what is read again counts")
	})
}

func TestWhatChangesSlowlyIsNotReadEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := steady()
		o := p.whole()
		o.Now = time.Now
		reads := 0
		p.faults["peak"] = func(context.Context) error { reads++; return nil }
		for range 100 { // fifty minutes of observations
			observed(t, o)
			time.Sleep(30 * time.Second)
		}
		assert.Equal(t, 1, reads)
		p.peak = val(1200.0)
		time.Sleep(20 * time.Minute)
		assert.InDelta(t, 900, *observed(t, o).Signals[0].Max7Days, 0, "nobody waits for a newer copy")
		synctest.Wait()
		assert.InDelta(t, 1200, *observed(t, o).Signals[0].Max7Days, 0)
		p.faults["peak"] = func(context.Context) error { return errAway }
		time.Sleep(23 * time.Hour)
		obs := observed(t, o)
		assert.InDelta(t, 1200, *obs.Signals[0].Max7Days, 0)
		assert.Empty(t, obs.Gaps, "a copy of today still counts")
		time.Sleep(2 * time.Hour)
		obs = observed(t, o)
		assert.Nil(t, obs.Signals[0].Max7Days)
		assert.Equal(t, []string{"the largest load of seven days could not be read (unavailable)"}, obs.Gaps)
	})
}

func TestWithoutTheHotStoreTheCopyAtRestIsObserved(t *testing.T) {
	p := steady()
	p.atRest = []models.Signal{{Metric: models.MetricThroughput, Avg60: val(240.0), AgeSeconds: 20, Completeness: 1, Snapshot: true}}
	o := p.whole()
	assert.False(t, observed(t, o).Signals[0].Snapshot, "the hot store comes first")
	p.faults["signals"] = func(context.Context) error { return errAway }
	obs := observed(t, o)
	require.Len(t, obs.Signals, 1)
	assert.True(t, obs.Signals[0].Snapshot)
	assert.Equal(t, p.peak, obs.Signals[0].Max7Days)
	assert.Equal(t, []string{"the metrics could not be read (unavailable)"}, obs.Gaps)
	p.faults["rest"] = func(context.Context) error { return errAway }
	assert.Empty(t, observed(t, o).Signals, "missing, and not zero")
	p.signals = nil
	delete(p.faults, "signals")
	assert.Empty(t, observed(t, o).Signals, "a service that is silent is not read elsewhere")
}

// falling is a signal of load that has halved.
func falling() []models.Signal {
	return []models.Signal{{Metric: models.MetricThroughput, Avg60: val(100.0), Avg300: val(300.0), AgeSeconds: 1, Completeness: 1}}
}

func TestWhatElseFallsIsLookedAtWhereLoadFalls(t *testing.T) {
	p := steady()
	p.signals = falling()
	p.others = map[models.ServiceName][]models.Signal{
		models.ServiceAuth: falling(), models.ServiceMedia: falling(), models.ServiceSearch: {{Metric: models.MetricThroughput, Avg60: val(250.0), Avg300: val(300.0)}},
	}
	obs := observed(t, p.whole())
	require.NotNil(t, obs.Disturbance)
	assert.Equal(t, models.Disturbance{FallingServices: 3}, *obs.Disturbance)
	p.faults["others"] = func(context.Context) error { return errAway }
	assert.Equal(t, []string{"whether other services fall too could not be read"}, observed(t, p.whole()).Gaps)
}

// telling is an actuator that knows what happened.
type telling struct {
	*platform
	known models.Disturbance
	err   error
}

func (a telling) Disturbance(context.Context, models.ServiceName) (models.Disturbance, error) {
	return a.known, a.err
}

func TestADeploymentIsSeenByItsTemplateOrToldByTheActuator(t *testing.T) {
	p := steady()
	p.signals = falling()
	p.set.Template = "v1"
	o := p.whole()
	assert.Nil(t, observed(t, o).Disturbance.DeployedAt, "it was there when we came")
	p.set.Template = "v2"
	assert.Equal(t, &now, observed(t, o).Disturbance.DeployedAt)
	assert.Equal(t, &now, observed(t, o).Disturbance.DeployedAt, "it is remembered")

	later := now.Add(time.Second)
	o.Actuator = telling{platform: p, known: models.Disturbance{DeployedAt: &later, HealthyShare: val(0.8)}}
	assert.Equal(t, models.Disturbance{FallingServices: 1, DeployedAt: &later, HealthyShare: val(0.8)}, *observed(t, o).Disturbance)
	o.Actuator = telling{platform: p, err: errAway}
	obs := observed(t, o)
	assert.Equal(t, []string{"what was done to the service could not be read (unavailable)"}, obs.Gaps)
	assert.Equal(t, &now, obs.Disturbance.DeployedAt)
}
