package scaling_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

func TestAForecastHasToEarnTrust(t *testing.T) {
	in := func(change func(*models.ForecastPoint)) scaling.Inputs {
		return with(serving(10, 640), trusted(1125, change))
	}
	cases := map[string]struct {
		change func(*models.ForecastPoint)
		why    string // it is not used for, "" where it is
	}{
		"a good record":                    {nil, ""},
		"no record: its own word counts":   {func(f *models.ForecastPoint) { f.WAPE7Days, f.Coverage95, f.HistoryDays = nil, nil, nil }, ""},
		"its own word against itself":      {func(f *models.ForecastPoint) { f.Trusted, f.Reason = false, "it learns" }, "it learns"},
		"a quarter of an hour old":         {func(f *models.ForecastPoint) { f.IssuedAt = now.Add(-15 * time.Minute) }, ""},
		"older":                            {func(f *models.ForecastPoint) { f.IssuedAt = now.Add(-901 * time.Second) }, "the forecast is older than 15 min"},
		"three days with a record":         {func(f *models.ForecastPoint) { f.HistoryDays = val(3) }, ""},
		"three days without":               {func(f *models.ForecastPoint) { f.HistoryDays, f.WAPE7Days = val(3), nil }, "3 days of history are too few"},
		"two weeks without a record":       {func(f *models.ForecastPoint) { f.HistoryDays, f.WAPE7Days = val(14), nil }, ""},
		"less than three days":             {func(f *models.ForecastPoint) { f.HistoryDays = val(2.5) }, "2.5 days of history are too few"},
		"often wrong":                      {func(f *models.ForecastPoint) { f.WAPE7Days = val(0.36) }, "it was wrong by 36 % over seven days, more than 35 %"},
		"its percentile covers too little": {func(f *models.ForecastPoint) { f.Coverage95 = val(0.89) }, "its 95th percentile covered 89 % of seven days, not 90 % to 99 %"},
		"or everything":                    {func(f *models.ForecastPoint) { f.Coverage95 = val(1) }, "its 95th percentile covered 100 % of seven days, not 90 % to 99 %"},
		"far over what is needed":          {func(f *models.ForecastPoint) { f.P70 = 2400 }, "it asks for 32, over three times what is needed or usual, without a reason in the calendar"},
		"with a wedding as the reason":     {func(f *models.ForecastPoint) { f.P70, f.Calendar = 2250, true }, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e, _ := scaling.Decide(in(c.change))
			got := candidate(e, "forecast")
			assert.Equal(t, c.why == "", got.Used, got.Why)
			if c.why == "" {
				assert.Equal(t, models.ClassForecast, e.Class, e.Text)
				return
			}
			assert.Equal(t, c.why, got.Why)
			assert.Zero(t, got.N)
			assert.Equal(t, 10, e.Desired, e.Text)
		})
	}
	usual := with(in(func(f *models.ForecastPoint) { f.P70 = 2250 }), func(in *scaling.Inputs) { in.Observation.UsualRPS = val(700) })
	e, _ := scaling.Decide(usual)
	assert.Equal(t, 30, e.Desired, "usual at this hour is reason enough: %s", e.Text)
}

func TestTheModeChoosesTheQuantile(t *testing.T) {
	quantiles := func(f *models.ForecastPoint) { f.P50, f.P70, f.P95, f.P99 = 700, 800, 900, 1000 }
	n := func(in scaling.Inputs, by string) models.Candidate {
		e, _ := scaling.Decide(in)
		return candidate(e, by)
	}
	assert.InDelta(t, 800, *n(with(serving(10, 640), trusted(0, quantiles)), "forecast").Value, 1e-9)
	assert.InDelta(t, 1000, *n(with(serving(10, 640), trusted(0, quantiles), mode(models.ModeWeddingDay)), "forecast_p99").Value, 1e-9)
	blind := func(in *scaling.Inputs) { in.Observation.Signals = nil }
	assert.InDelta(t, 900, *n(with(serving(10, 640), trusted(0, quantiles), mode(models.ModeWeddingDay), blind), "forecast").Value, 1e-9)
	none := func(f *models.ForecastPoint) { f.P50, f.P70, f.P95 = 800, 0, 1600 }
	assert.InDelta(t, 998, *n(with(serving(10, 640), trusted(0, none)), "forecast").Value, 1, "between median and 95th, as errors are spread")
}

func TestAnOrderForARiseTakesAllOfIt(t *testing.T) {
	rise := func(soon, later float64) scaling.Inputs {
		return with(serving(10, 640), trusted(soon, func(f *models.ForecastPoint) { f.VerifiedP70, f.Calendar = later, true }))
	}
	decideAll(t, map[string]ruled{
		"what comes before the order is verified is taken along": {in: rise(1125, 1500), want: 20, class: models.ClassForecast},
		"the beginning of a far larger one waits":                {in: rise(900, 1800), want: 10, class: models.ClassHold},
		"a rise that is well under way does not":                 {in: rise(1125, 2250), want: 30, class: models.ClassForecast},
		"what is less later changes nothing":                     {in: rise(1125, 700), want: 15, class: models.ClassForecast},
	})
}

func TestAForecastOfMoreHoldsScaleInBack(t *testing.T) {
	ahead := func(p90 float64) func(*models.ForecastPoint) {
		return func(f *models.ForecastPoint) { f.LookAheadP90 = p90 }
	}
	decideAll(t, map[string]ruled{
		"as much as stands is wanted soon": {in: with(serving(20, 900), needed(14), trusted(900, ahead(1500))), want: 20, class: models.ClassHold, rule: "look_ahead"},
		"less is a bound":                  {in: with(serving(30, 1400), needed(22), trusted(1400, ahead(2100))), want: 28, class: models.ClassSteady},
		"no more than is expected anyway":  {in: with(serving(20, 900), needed(14), trusted(900, ahead(900))), want: 18, class: models.ClassSteady},
		"not one that has no trust":        {in: with(serving(20, 900), needed(14), trusted(900, func(f *models.ForecastPoint) { f.LookAheadP90, f.Trusted = 1500, false })), want: 18, class: models.ClassSteady},
	})
}

func TestASurgeThatHasPassedIsReleasedFaster(t *testing.T) {
	surge := func(changes ...func(*scaling.Inputs)) scaling.Inputs {
		in := with(serving(100, 700), trusted(700, nil), func(in *scaling.Inputs) {
			in.Observation.Service.MaxReplicas, in.Observation.Service.AbsoluteMaxReplicas = 200, 200
			in.State.LastUpAt = ago(3 * time.Minute)
			in.State.Ring = []scaling.Recommendation{{At: now.Add(-2 * time.Minute), N: 95}, {At: now.Add(-30 * time.Second), N: 12}}
		})
		return with(in, changes...)
	}
	load := func(rps float64) func(*scaling.Inputs) {
		return change(models.MetricThroughput, func(s *models.Signal) { s.Avg60 = val(rps) })
	}
	decideAll(t, map[string]ruled{
		"a quarter in one step": {in: surge(), want: 75, class: models.ClassSteady, rule: "passed"},
		"whatever was expected of it a minute ago": {in: surge(func(in *scaling.Inputs) {
			in.State.Ring = []scaling.Recommendation{{At: now.Add(-59 * time.Second), N: 95}}
		}), want: 75, class: models.ClassSteady, rule: "passed"},
		"not without a forecast":                       {in: surge(func(in *scaling.Inputs) { in.Observation.Forecast = nil }), want: 100, class: models.ClassHold, rule: "hold_after_up"},
		"nor where it expects more":                    {in: surge(trusted(6000, func(f *models.ForecastPoint) { f.Calendar = true })), want: 100, class: models.ClassHold, rule: "hold_after_up"},
		"nor where the minute's mean needs six tenths": {in: surge(load(4000)), want: 100, class: models.ClassHold, rule: "hold_after_up"},
		"one that has begun goes on below seven tenths": {in: surge(load(4000), func(in *scaling.Inputs) {
			in.State.LastUpAt, in.State.LastDownAt = ago(5*time.Minute), ago(90*time.Second)
		}), want: 75, class: models.ClassSteady, rule: "passed"},
		"and not further": {in: surge(load(4600), func(in *scaling.Inputs) {
			in.State.LastUpAt, in.State.LastDownAt = ago(5*time.Minute), ago(90*time.Second)
		}), want: 100, class: models.ClassHold, rule: "hold_after_up"},
		"nor on a wedding day": {in: surge(mode(models.ModeWeddingDay)), want: 100, class: models.ClassHold, rule: "hold_after_up"},
	})
	e, _ := scaling.Decide(surge())
	assert.Nil(t, e.Approval)
}

func TestBlindThePlatformFliesByForecastAndHabit(t *testing.T) {
	blind := func(since time.Duration, changes ...func(*scaling.Inputs)) scaling.Inputs {
		return with(with(serving(10, 640), func(in *scaling.Inputs) {
			in.Observation.Signals = nil
			in.Observation.UsualRPS = val(900)
			in.State.BlindSince = ago(since)
		}), changes...)
	}
	decideAll(t, map[string]ruled{
		"a minute: the forecast counts, habit not yet":         {in: blind(time.Minute, trusted(900, nil)), want: 12, class: models.ClassForecast},
		"without one what stands stays":                        {in: blind(time.Minute), want: 10, class: models.ClassFailsafe},
		"after 90 s what is usual at this hour counts":         {in: blind(90 * time.Second), want: 14, class: models.ClassFailsafe},
		"on a wedding day after ten minutes a quarter more":    {in: blind(11*time.Minute, mode(models.ModeWeddingDay), trusted(900, nil)), want: 17, class: models.ClassFailsafe},
		"and the whole floor, also one that was let down once": {in: blind(11*time.Minute, mode(models.ModeWeddingDay), reserve(floor(25))), want: 25, class: models.ClassFloor},
	})
	levels := func(in scaling.Inputs) models.FlagLevel { e, _ := scaling.Decide(in); return flag(e, "blind").Level }
	e, _ := scaling.Decide(blind(90 * time.Second))
	assert.Empty(t, flag(e, "blind"))
	assert.Equal(t, models.FlagWarning, levels(blind(91*time.Second)))
	assert.Equal(t, models.FlagWarning, levels(blind(20*time.Minute)))
	assert.Equal(t, models.FlagWarning, levels(blind(10*time.Minute, mode(models.ModeWeddingDay))))
	assert.Equal(t, models.FlagPage, levels(blind(601*time.Second, mode(models.ModeWeddingDay))))
}
