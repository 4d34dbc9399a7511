package scaling_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

func TestAWeddingDayHasMoreRoomAndGivesUpLess(t *testing.T) {
	day := mode(models.ModeWeddingDay)
	decideAll(t, map[string]ruled{
		"replicas run at 60 %":                {in: with(serving(10, 640), day), want: 11, class: models.ClassReactive},
		"growth has no step limit":            {in: with(serving(5, 1500), change(models.MetricCPU, nil), change(models.MetricThroughput, minutely), day), want: 25, class: models.ClassReactive},
		"a scale-in waits a quarter hour":     {in: with(serving(20, 400), needed(6), day, func(in *scaling.Inputs) { in.State.LastUpAt = ago(14 * time.Minute) }), want: 20, class: models.ClassHold, rule: "hold_after_up"},
		"for the needs of that time too":      {in: with(serving(20, 400), day), want: 20, class: models.ClassHold, rule: "stabilisation"},
		"and takes a twentieth":               {in: with(serving(20, 400), needed(6), day), want: 19, class: models.ClassSteady},
		"a lower target of the service stays": {in: with(serving(10, 540), day, func(in *scaling.Inputs) { in.Observation.Service.Policy.TargetUtilisation = 0.5 }), want: 11, class: models.ClassReactive},
	})
	e, _ := scaling.Decide(with(serving(10, 640), day))
	assert.Equal(t, "wedding_day", e.Mode)
}

func TestAnEmergencyTakesCapacityAndGivesNone(t *testing.T) {
	emergency := mode(models.ModeEmergency)
	decideAll(t, map[string]ruled{
		"growth passes the dead-band":  {in: with(serving(20, 1310), emergency), want: 21, class: models.ClassReactive},
		"and the step limit":           {in: with(serving(5, 1500), change(models.MetricCPU, nil), change(models.MetricThroughput, minutely), emergency), want: 24, class: models.ClassReactive},
		"nothing is removed":           {in: with(serving(20, 400), needed(6), emergency), want: 20, class: models.ClassHold, rule: "emergency"},
		"a hard ceiling is one still":  {in: with(serving(5, 1500), emergency, quota(12)), want: 12, class: models.ClassPanic},
		"the safety maximum even more": {in: with(serving(10, 9000), emergency, func(in *scaling.Inputs) { in.Observation.Service.MaxReplicas = 60 }), want: 60, class: models.ClassPanic},
	})
	e, _ := scaling.Decide(with(serving(4, 250), emergency, reserve(floor(25))))
	assert.Equal(t, models.UrgencyNow, e.Urgency)
	assert.Equal(t, models.PlanSingle, e.Plan, "verified afterwards")
}

func TestTheKillSwitchAndAFrozenPlatform(t *testing.T) {
	killed := func(in *scaling.Inputs) { in.KillSwitch = true }
	low := func(in *scaling.Inputs) {
		in.Observation.Service.MaxReplicas, in.Observation.Service.AbsoluteMaxReplicas = 4, 8
	}
	decideAll(t, map[string]ruled{
		"the kill switch keeps what is too small": {in: with(serving(4, 780), killed, reserve(floor(20))), want: 4, class: models.ClassHold, rule: "kill_switch"},
		"and what is too large":                   {in: with(serving(20, 100), killed, low), want: 20, class: models.ClassHold, rule: "absolute_max"},
		"a frozen platform too":                   {in: with(serving(4, 780), mode(models.ModeFreeze), reserve(floor(20))), want: 4, class: models.ClassHold, rule: "freeze"},
		"but not over the safety maximum":         {in: with(serving(10, 100), mode(models.ModeFreeze), low), want: 8, class: models.ClassCap},
	})
	for want, in := range map[string]scaling.Inputs{
		"kill_switch": with(serving(4, 100), killed, func(in *scaling.Inputs) { in.Paused, in.Shadow = true, true }),
		"freeze":      with(serving(4, 100), mode(models.ModeFreeze)),
		"emergency":   with(serving(4, 100), mode(models.ModeEmergency)),
	} {
		e, _ := scaling.Decide(in)
		assert.Equal(t, want, e.Mode)
	}
}

func TestMoney(t *testing.T) {
	budget := func(b models.Budget) func(*scaling.Inputs) {
		return func(in *scaling.Inputs) { in.Observation.Limits.Budget = &b }
	}
	hour := func(v float64) func(*scaling.Inputs) { return budget(models.Budget{Hour: v}) } // a replica is 0.12
	more := trusted(1125, nil)                                                              // 15 replicas
	decideAll(t, map[string]ruled{
		"it limits what is only expected":     {in: with(serving(10, 640), more, hour(1.5)), want: 12, class: models.ClassForecast},
		"never what is needed now":            {in: with(serving(10, 780), hour(0.6)), want: 12, class: models.ClassReactive},
		"nor a floor":                         {in: with(serving(10, 640), reserve(floor(22)), hour(0.6)), want: 22, class: models.ClassFloor},
		"it removes nothing":                  {in: with(serving(20, 1170), hour(1.2)), want: 20, class: models.ClassHold},
		"on a wedding day it limits nothing":  {in: with(serving(11, 640), trusted(1125, nil), mode(models.ModeWeddingDay), hour(1.5)), want: 17, class: models.ClassForecast},
		"the older field still counts":        {in: with(serving(10, 640), more, func(in *scaling.Inputs) { in.Observation.Limits.HourBudget = val(1.5) }), want: 12, class: models.ClassForecast},
		"no price, no limit":                  {in: with(serving(10, 640), more, hour(1.5), func(in *scaling.Inputs) { in.Observation.Service.CostPerReplicaHour = 0 }), want: 15, class: models.ClassForecast},
		"a budget of nothing is none":         {in: with(serving(10, 640), more, hour(0)), want: 15, class: models.ClassForecast},
		"it stands behind all other ceilings": {in: with(serving(10, 640), more, hour(1.5), quota(11)), want: 11, class: models.ClassForecast},
	})
	e, _ := scaling.Decide(with(serving(10, 640), more, hour(1.5)))
	require.NotNil(t, e.Deficit)
	assert.Equal(t, "budget", e.Deficit.Cap)
	assert.Contains(t, e.Deficit.Remedies, "raise the budget")
	e, _ = scaling.Decide(with(serving(11, 640), trusted(1125, nil), mode(models.ModeWeddingDay), hour(1.5)))
	assert.Equal(t, "17 replicas cost 2.04 an hour, over the budget of 1.50: an administrator has to know", flag(e, "budget_exceeded").Text)

	e, _ = scaling.Decide(with(serving(10, 780), budget(models.Budget{Hour: 5, Day: 40, SpentDay: 26})))
	require.NotNil(t, e.Cost)
	assert.Equal(t, models.Cost{Hour: 1.44, DayForecast: 40.4, Budget: 40}, *e.Cost, "26 until 14:00, ten hours at twelve replicas")
	assert.Equal(t, "today will cost 40.40 at this size, over the budget of 40.00", flag(e, "day_budget").Text)
	e, _ = scaling.Decide(serving(10, 780))
	assert.Nil(t, e.Cost)
}

func TestWhatIsBehindAServiceLimitsIt(t *testing.T) {
	behind := func(ls ...models.DownstreamLimit) func(*scaling.Inputs) {
		return func(in *scaling.Inputs) { in.Observation.Limits.Downstream = ls }
	}
	decideAll(t, map[string]ruled{
		"one call each":        {in: with(serving(10, 780), behind(models.DownstreamLimit{Name: "mail", RPS: 1150})), want: 11, class: models.ClassReactive},
		"two calls each":       {in: with(serving(10, 780), behind(models.DownstreamLimit{Name: "mail", RPS: 2200, Calls: 2})), want: 11, class: models.ClassReactive},
		"the tightest counts":  {in: with(serving(10, 780), behind(models.DownstreamLimit{Name: "a", RPS: 5000}, models.DownstreamLimit{Name: "b", RPS: 1100})), want: 11, class: models.ClassReactive},
		"it removes nothing":   {in: with(serving(10, 780), behind(models.DownstreamLimit{Name: "mail", RPS: 100})), want: 10, class: models.ClassHold},
		"a limit that is none": {in: with(serving(10, 780), behind(models.DownstreamLimit{Name: "mail", RPS: -1})), want: 12, class: models.ClassReactive},
	})
	e, _ := scaling.Decide(with(serving(10, 780), behind(models.DownstreamLimit{Name: "mail", RPS: 2200, Calls: 2})))
	assert.Equal(t, "Scale api 10→11 (wanted 12): 780 requests/s need 12 at 65 % of 100 per replica; limited to 11 by what mail can take, 2200 requests/s ÷ 2 each ÷ 100 per replica.", e.Text)
	assert.Contains(t, e.Deficit.Remedies, "scale mail first")
	assert.InDelta(t, 20, e.Deficit.ETASeconds, 1e-9, "a replica takes as long to start")
}
