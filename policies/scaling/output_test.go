package scaling_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

func TestAPersonAgreesToLargeRemovalsAndBelowFloors(t *testing.T) {
	cases := map[string]struct {
		in   scaling.Inputs
		want string // the reason, "" for none
	}{
		"growth never waits":           {with(serving(4, 250), reserve(floor(30))), ""},
		"a step of ordinary size":      {with(serving(20, 400), needed(6)), ""},
		"ten of twenty":                {with(serving(20, 640), reserve(most(10))), ""},
		"eleven of twenty":             {with(serving(20, 560), reserve(most(9))), "it removes 11 of 20 at once"},
		"three of ten: few are few":    {with(serving(10, 400), reserve(most(7))), ""},
		"below a floor":                {with(serving(20, 640), reserve(floor(19), most(18))), "it goes below a floor of 19"},
		"a hold asks nobody":           {serving(10, 640), ""},
		"below the floor of a wedding": {with(serving(10, 640), windows(at(0, 450)), reserve(most(9))), "it goes below a floor of 10"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e, _ := scaling.Decide(c.in)
			if c.want == "" {
				assert.Nil(t, e.Approval, e.Text)
				return
			}
			require.NotNil(t, e.Approval, e.Text)
			assert.Equal(t, models.Approval{Permission: models.PermissionScaleStandard, Reason: c.want}, *e.Approval)
		})
	}
}

func TestHowAChangeIsCarriedOut(t *testing.T) {
	cases := map[string]struct {
		in      scaling.Inputs
		plan    models.Plan
		urgency models.Urgency
	}{
		"a hold":                        {serving(10, 640), models.PlanNone, models.UrgencyRoutine},
		"load that asks for it":         {with(serving(10, 780)), models.PlanSingle, models.UrgencySoon},
		"a spike":                       {with(serving(10, 640), spike(2600, now)), models.PlanSingle, models.UrgencyNow},
		"a large floor: a few first":    {with(serving(10, 640), reserve(floor(21))), models.PlanWaves, models.UrgencySoon},
		"a small one":                   {with(serving(10, 640), reserve(floor(20))), models.PlanSingle, models.UrgencySoon},
		"a large forecast: it is due":   {with(serving(10, 640), trusted(1600, nil)), models.PlanSingle, models.UrgencySoon},
		"a ceiling: people are waiting": {with(serving(10, 640), reserve(floor(25)), quota(22)), models.PlanWaves, models.UrgencyNow},
		"a ceremony too near for waves": {with(serving(4, 250), windows(at(15*time.Minute, 1500))), models.PlanSingle, models.UrgencySoon},
		"a scale-in":                    {with(serving(20, 400), needed(6)), models.PlanSingle, models.UrgencyRoutine},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e, _ := scaling.Decide(c.in)
			assert.Equal(t, c.plan, e.Plan, e.Text)
			assert.Equal(t, c.urgency, e.Urgency, e.Text)
			if c.plan == models.PlanNone {
				assert.Nil(t, e.ExpiresAt)
				return
			}
			require.NotNil(t, e.ExpiresAt)
			assert.Equal(t, now.Add(time.Minute), *e.ExpiresAt)
		})
	}
}

func TestAHeldScaleInSaysWhenItMayGo(t *testing.T) {
	e, _ := scaling.Decide(with(serving(20, 400), func(in *scaling.Inputs) { in.State.LastUpAt = ago(4 * time.Minute) }))
	require.NotNil(t, e.NotBefore)
	assert.Equal(t, now.Add(6*time.Minute), *e.NotBefore)
	e, _ = scaling.Decide(with(serving(20, 400), func(in *scaling.Inputs) { in.State.LastDownAt = ago(45 * time.Second) }))
	assert.Equal(t, now.Add(15*time.Second), *e.NotBefore)
	e, _ = scaling.Decide(serving(10, 640))
	assert.Nil(t, e.NotBefore)
}

func TestCapacityThatHasToWaitForNodesIsOrderedAndTold(t *testing.T) {
	room := func(n int) func(*scaling.Inputs) {
		return func(in *scaling.Inputs) { in.Observation.Limits.SchedulableHeadroom = &n }
	}
	e, _ := scaling.Decide(with(serving(10, 780), room(1)))
	assert.Equal(t, 12, e.Desired)
	assert.Equal(t, "2 more are ordered and there is room for 1: the rest waits for nodes", flag(e, "pending_capacity").Text)
	e, _ = scaling.Decide(with(serving(10, 780), room(2)))
	assert.Empty(t, e.Flags)
}

func TestADeficitIsTold(t *testing.T) {
	e, _ := scaling.Decide(with(serving(10, 780), quota(11)))
	assert.Equal(t, models.Flag{Name: "capacity_deficit", Level: models.FlagWarning, Text: "1 replica is missing for 65 requests/s"}, flag(e, "capacity_deficit"))
	e, _ = scaling.Decide(with(serving(10, 2600), quota(11)))
	assert.Equal(t, models.FlagPage, flag(e, "capacity_deficit").Level, "in a spike somebody is called")
	assert.Equal(t, "29 replicas are missing for 1885 requests/s", flag(e, "capacity_deficit").Text)
}

func TestZonesAreKeptAndBalanced(t *testing.T) {
	zones := func(n int) func(*scaling.Inputs) {
		return func(in *scaling.Inputs) { in.Observation.Service.Zones = n }
	}
	decideAll(t, map[string]ruled{
		"one in each zone is kept":                {in: with(serving(4, 10), needed(1), zones(3)), want: 3, class: models.ClassSteady},
		"and no fewer":                            {in: with(serving(3, 10), needed(1), zones(3)), want: 3, class: models.ClassHold, rule: "min_remaining"},
		"a large step leaves as many in each":     {in: with(serving(30, 400), needed(6), zones(3)), want: 27, class: models.ClassSteady},
		"rounded up, not down":                    {in: with(serving(28, 400), needed(6), zones(2)), want: 26, class: models.ClassSteady},
		"a step smaller than the zones is a step": {in: with(serving(10, 100), needed(2), zones(3)), want: 9, class: models.ClassSteady},
	})
}

func TestAfterAScaleInSmallGrowthWaits(t *testing.T) {
	turned := func(rps float64, age time.Duration) scaling.Inputs {
		return with(serving(20, rps), func(in *scaling.Inputs) { in.State.LastDownAt = ago(age) })
	}
	decideAll(t, map[string]ruled{
		"a tenth more is no reason to turn": {in: turned(1430, 9*time.Minute), want: 20, class: models.ClassHold, rule: "turning"},
		"a fifth more is":                   {in: turned(1560, 9*time.Minute), want: 24, class: models.ClassReactive},
		"later the ordinary band counts":    {in: turned(1430, 10*time.Minute), want: 22, class: models.ClassReactive},
		"a floor does not wait":             {in: with(turned(640, time.Minute), reserve(floor(21))), want: 21, class: models.ClassFloor},
		"nor does a spike":                  {in: with(turned(640, time.Minute), spike(1400, now)), want: 22, class: models.ClassPanic},
	})
}

func TestChanceIsNoSpike(t *testing.T) {
	newest := func(rps, v float64) scaling.Inputs {
		in := with(serving(3, rps), change(models.MetricThroughput, func(s *models.Signal) { s.Avg2, s.Avg6 = val(v), val(v) }))
		in.Observation.Service.CapacityRPS = 10
		return in
	}
	e, _ := scaling.Decide(with(newest(18, 23), spike(23, now)))
	assert.Equal(t, 3, e.Desired, "five in six seconds more than 108 are chance: %s", e.Text)
	e, _ = scaling.Decide(with(newest(18, 60), spike(60, now)))
	assert.Equal(t, 10, e.Desired, e.Text)
}
