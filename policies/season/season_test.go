package season_test

import (
	"fmt"
	"math"
	"testing"
	"time"
	_ "time/tzdata" // the tests need the zones, whatever the machine has

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/season"
)

func london(t require.TestingT) *time.Location {
	loc, err := time.LoadLocation("Europe/London")
	require.NoError(t, err)
	return loc
}

func summer(t require.TestingT) models.Season {
	s, err := models.SeasonOf("summer-2027", "2027-03-20", "2027-10-31", "Europe/London", time.LoadLocation)
	require.NoError(t, err)
	return s
}

func service(name models.ServiceName) models.Service {
	for _, s := range models.DefaultServices("fleet") {
		if s.Name == name {
			return s
		}
	}
	return models.Service{}
}

// days are as busy as level says, Saturdays twice so, with a wedding.
func days(s models.Season, level float64) []models.DayLoad {
	var out []models.DayLoad
	for d := s.From; d.Before(s.Until); d = d.AddDate(0, 0, 1) {
		l := models.DayLoad{Date: d.Format(time.DateOnly), PeakAt: d.Add(15 * time.Hour), PeakP50: level, PeakP95: 1.2 * level, Method: models.MethodSeasonalNaive}
		if d.Add(15*time.Hour).Weekday() == time.Saturday {
			l.PeakP95, l.Weddings, l.Guests = 2.4*level, 3, 300
		}
		out = append(out, l)
	}
	return out
}

func inputs(t require.TestingT, level float64) season.Inputs {
	s := summer(t)
	in := season.Inputs{Season: s, Zone: london(t), Now: s.From.Add(-season.PlanFrom)}
	for _, name := range []models.ServiceName{models.ServiceMedia, models.ServiceAPI} {
		in.Demands = append(in.Demands, season.Demand{Service: service(name), Days: days(s, level)})
	}
	return in
}

func TestWeeksCutTheSeasonAtLocalMidnightsAlsoWhereClocksChange(t *testing.T) {
	s := summer(t)
	weeks := season.Weeks(s.From, s.Until, london(t))
	assert.Equal(t, s.From, weeks[0].From)
	assert.Equal(t, s.Until, weeks[len(weeks)-1].Until)
	hours := map[float64]int{}
	for i, w := range weeks {
		if i > 0 {
			assert.Equal(t, weeks[i-1].Until, w.From, "no gap and no overlap")
		}
		local := w.Until.In(london(t))
		assert.Equal(t, 0, local.Hour())
		hours[w.Until.Sub(w.From).Hours()]++
	}
	assert.Equal(t, 1, hours[167], "the week in which the clocks go forward")
	assert.Equal(t, 1, hours[169], "and that in which they go back")
	assert.Equal(t, 48*time.Hour, weeks[0].Until.Sub(weeks[0].From), "from a Saturday to the first Monday")
}

func TestAPlanSaysWhatEachWeekNeedsAndCosts(t *testing.T) {
	in := inputs(t, 400)
	p := season.Build(in)
	weeks := len(season.Weeks(in.Season.From, in.Season.Until, in.Zone))
	require.Len(t, p.Weeks, 2*weeks)
	w := p.Weeks[1]
	assert.Equal(t, models.ServiceAPI, w.Service, "in the order of the services, not of the input")
	// 100 requests/s a replica, 0.8 of it sure, 0.65 of that to be used: 52.
	assert.Equal(t, 8, w.Floor) // ⌈400 / 52⌉
	assert.Equal(t, 19, w.Peak) // ⌈960 / 52⌉
	assert.Equal(t, 300, w.Guests)
	assert.InDelta(t, 0.12*(8*167+11*10), w.Cost, 1e-9, "the clocks go forward in this week")
	assert.Equal(t, 19, p.Quota[0].Needed)
	assert.Nil(t, p.Database, "no database limit is known")
	assert.Contains(t, p.Sentence, "2 services over")
	assert.Equal(t, p, season.Build(in), "the same inputs give the same plan")
}

func TestWhatACeilingDeniesIsADeficitWithRemedies(t *testing.T) {
	quota := 10
	for name, c := range map[string]struct {
		change  func(*season.Demand)
		ceiling string
		remedy  string
	}{
		"the provider's quota": {func(d *season.Demand) { d.Limits.Quota = &quota }, "quota", "ask the provider for a quota of 19 replicas of api"},
		"the policy's maximum": {func(d *season.Demand) { d.Service.MaxReplicas = 12 }, "policy maximum", "raise maxReplicas of api from 12 to 19"},
		"the safety maximum":   {func(d *season.Demand) { d.Service.MaxReplicas, d.Service.AbsoluteMaxReplicas = 15, 15 }, "absolute maximum", "raise absoluteMaxReplicas of api from 15 to 19, when its neighbours can take that"},
		"the database's connections": {func(d *season.Demand) {
			d.Limits.Database = &models.DatabaseLimit{MaxConnections: 100, Reserved: 10, PerReplica: 4}
		}, "database connections", "put a connection pooler before the database"},
	} {
		t.Run(name, func(t *testing.T) {
			in := inputs(t, 400)
			in.Demands = in.Demands[1:]
			c.change(&in.Demands[0])
			p := season.Build(in)
			require.NotEmpty(t, p.Deficits)
			assert.Equal(t, c.ceiling, p.Deficits[0].Ceiling)
			assert.Contains(t, p.Deficits[0].Remedies, c.remedy)
			assert.Contains(t, p.Sentence, "deficits")
		})
	}
}

func TestAWeekIsNamedByItsLocalMonday(t *testing.T) {
	in := inputs(t, 4000)
	p := season.Build(in)
	require.Greater(t, len(p.Deficits), 20)
	for _, d := range p.Deficits {
		named := d.Week.In(in.Zone).Format("2 Jan 2006")
		assert.Contains(t, d.Text, "week of "+named+" ")
	}
}

func TestACertificateIsWorthAFifthMoreCapacity(t *testing.T) {
	in := inputs(t, 1000)
	in.Demands = in.Demands[1:]
	doubted := season.Build(in).Weeks[1].Peak
	at := in.Now.Add(-29 * 24 * time.Hour)
	in.Demands[0].Learned = &models.Learned{CapacityP10RPS: 100, CertifiedAt: &at}
	in.Demands[0].Service.MaxReplicas, in.Demands[0].Service.AbsoluteMaxReplicas = 100, 100
	assert.Equal(t, 37, season.Build(in).Weeks[1].Peak) // ⌈2400 / 65⌉
	old := in.Now.Add(-31 * 24 * time.Hour)
	in.Demands[0].Learned.CertifiedAt = &old
	assert.Equal(t, 47, season.Build(in).Weeks[1].Peak) // ⌈2400 / 52⌉
	assert.Equal(t, 30, doubted, "held by the policy's maximum")
}

func TestAPersonsFigureStandsAndWeeksThatAreOverStay(t *testing.T) {
	in := inputs(t, 400)
	week := in.Season.From.AddDate(0, 0, 24)
	in.Edits = []models.SeasonEdit{{Service: models.ServiceAPI, Week: &week, Floor: 12, Peak: 25}, {Service: models.ServiceMedia, Floor: 9}}
	p := season.Build(in)
	assert.Equal(t, []int{12, 25}, []int{p.Weeks[4].Floor, p.Weeks[4].Peak})
	assert.Equal(t, 8, p.Weeks[5].Floor)
	assert.Equal(t, 24, p.Weeks[40].Peak, "held by a ceiling all the same")
	in.Prior, in.Now = &p, in.Season.From.AddDate(0, 0, 40)
	for i := range in.Demands {
		in.Demands[i].Days = days(in.Season, 800)
	}
	next := season.Build(in)
	assert.Equal(t, p.Weeks[2], next.Weeks[2], "over")
	assert.Greater(t, next.Weeks[8].Floor, p.Weeks[8].Floor)
}

func TestMoreWithinTheBoundsIsTakenAndBeyondIsAskedFor(t *testing.T) {
	in := inputs(t, 400)
	was := season.Build(in)
	b := models.DefaultSeasonBounds()
	for name, c := range map[string]struct {
		level float64
		want  models.AmendmentVerdict
	}{
		"the same":    {400, models.AmendmentNone},
		"less":        {300, models.AmendmentWithin},
		"a bit more":  {425, models.AmendmentWithin},
		"much more":   {600, models.AmendmentAsk},
		"dearer only": {440, models.AmendmentAsk},
	} {
		t.Run(name, func(t *testing.T) {
			bounds := b
			if name == "dearer only" {
				bounds.ReplicaShare = 1
				bounds.CostShare = 0.01
			}
			next := inputs(t, c.level)
			a := season.Compare(was, season.Build(next), bounds, next.Now)
			assert.Equal(t, c.want, a.Verdict, a.Text)
		})
	}
}

func TestPropertiesOfPlans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := inputs(t, rapid.Float64Range(0, 5000).Draw(t, "level"))
		in.Now = in.Season.From.Add(time.Duration(rapid.IntRange(-800, 5000).Draw(t, "hours")) * time.Hour)
		for i := range in.Demands {
			d := &in.Demands[i]
			d.Service.Zones = rapid.IntRange(1, 4).Draw(t, "zones")
			if rapid.Bool().Draw(t, "has quota") {
				q := rapid.IntRange(0, 60).Draw(t, "quota")
				d.Limits.Quota = &q
			}
			if rapid.Bool().Draw(t, "odd") {
				d.Days[3].PeakP95, d.Days[4].PeakP50 = math.Inf(1), math.NaN()
			}
		}
		p := season.Build(in)
		require.Equal(t, p, season.Build(in))
		spans := season.Weeks(in.Season.From, in.Season.Until, in.Zone)
		require.Len(t, p.Weeks, len(spans)*len(in.Demands))
		sum := 0.0
		for i, w := range p.Weeks {
			svc := service(w.Service)
			require.Equal(t, spans[i%len(spans)].From, w.From)
			require.LessOrEqual(t, svc.MinReplicas, w.Floor)
			require.LessOrEqual(t, w.Floor, w.Peak)
			require.LessOrEqual(t, w.Peak, max(w.Wanted, svc.MinReplicas))
			require.LessOrEqual(t, w.Peak, svc.AbsoluteMaxReplicas)
			require.GreaterOrEqual(t, w.Cost, 0.0)
			sum += w.Cost
		}
		require.InDelta(t, sum, p.Cost, 1e-6)

		more := in
		more.Demands = nil
		factor := rapid.Float64Range(1, 3).Draw(t, "factor")
		for _, d := range in.Demands {
			d.Days = append([]models.DayLoad{}, d.Days...)
			for i := range d.Days {
				d.Days[i].PeakP50 *= factor
				d.Days[i].PeakP95 *= factor
			}
			more.Demands = append(more.Demands, d)
		}
		next := season.Build(more)
		for i, w := range p.Weeks {
			require.GreaterOrEqual(t, next.Weeks[i].Peak, w.Peak, "more load never plans less")
			require.GreaterOrEqual(t, next.Weeks[i].Floor, w.Floor)
		}
		b := models.SeasonBounds{ReplicaShare: rapid.Float64Range(0, 1).Draw(t, "share"), CostShare: 10}
		clipped := season.Clip(p, next, b)
		require.NotEqual(t, models.AmendmentAsk, season.Compare(p, clipped, b, in.Now).Verdict, "what is clipped is within")
		require.True(t, season.Same(clipped, season.Clip(p, clipped, b), in.Now), "clipping again changes nothing")
		if season.Compare(p, next, b, time.Time{}).Verdict != models.AmendmentAsk {
			require.True(t, season.Same(next, clipped, time.Time{}), "what is within is not clipped")
		}
		for _, c := range season.Claims(p, in.Now) {
			require.True(t, c.Until.After(in.Now))
		}
	})
}

func TestEachStepEndsSoThatThePreparationDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := summer(t)
		v := season.View{Now: s.From.Add(-time.Duration(rapid.IntRange(0, 1000).Draw(t, "ahead")) * time.Hour), From: s.From, Until: s.Until}
		for _, g := range models.GateNames() {
			v.Gates = append(v.Gates, models.SeasonGate{Gate: g, Due: season.Due(s.From, g)})
		}
		agreeAt := v.Now.Add(time.Duration(rapid.IntRange(0, 8000).Draw(t, "agreed after")) * time.Hour)
		fails := rapid.SampledFrom(models.GateNames()).Draw(t, "fails")
		forecastFails := rapid.Bool().Draw(t, "forecast fails")
		done := map[season.Action]int{}
		for n := 0; ; n++ {
			require.Less(t, n, 5000, "it goes in circles: %v", done)
			if v.Ask != nil && !v.Now.Before(agreeAt) {
				v.Approved, v.Ask, v.Reserve = v.Ask.Version, nil, true
			}
			step := season.Next(v)
			done[step.Action]++
			switch step.Action {
			case season.Wait:
				require.True(t, step.At.After(v.Now), "a wait is for what is to come: %v at %v", step.At, v.Now)
				v.Now = step.At
				if v.Ask != nil && agreeAt.After(v.Now) && agreeAt.Before(v.Now.Add(24*time.Hour)) {
					v.Now = agreeAt
				}
			case season.Plan:
				v.PlannedAt, v.Replan, v.Recalendar = v.Now, false, nil
				v.PlanFailed = forecastFails && done[season.Plan]%3 == 0
				if v.PlanFailed {
					break
				}
				v.Version++
				if v.Approved == 0 && v.Ask == nil {
					v.Ask = &season.Ask{Version: v.Version, AskedAt: v.Now, ExpiresAt: v.Now.Add(7 * 24 * time.Hour)}
				}
			case season.Remind:
				v.Ask.Reminders++
			case season.Lapse:
				require.False(t, v.Ask.Lapsed)
				v.Ask.Lapsed = true
			case season.Reserve:
				require.Positive(t, v.Approved, "nothing is reserved that nobody agreed to")
				v.Reserve, v.ReservedAt = false, v.Now
			case season.Gate, season.Miss:
				require.Positive(t, v.Approved)
				for i := range v.Gates {
					if v.Gates[i].Gate != step.Gate {
						continue
					}
					require.False(t, v.Now.Before(v.Gates[i].Due), "not before it is due")
					v.Gates[i].Status, v.Gates[i].FinishedAt = models.GatePassed, v.Now
					if step.Gate == fails {
						v.Gates[i].Status = models.GateFailed
					}
					if step.Action == season.Miss {
						v.Gates[i].Status = models.GateMissed
					}
				}
			case season.WindDown, season.Close:
				require.LessOrEqual(t, done[season.Remind], 2)
				if step.Action == season.WindDown {
					for _, g := range v.Gates {
						require.Contains(t, []models.GateStatus{models.GatePassed, models.GateMissed}, g.Status, "each gate has an end")
					}
				}
				return
			}
		}
	})
}

func ExampleNext() {
	from := time.Date(2027, 3, 20, 0, 0, 0, 0, time.UTC)
	v := season.View{
		Now: from.AddDate(0, 0, -20), From: from, Until: from.AddDate(0, 7, 0), Version: 1, Approved: 1,
		PlannedAt: from.AddDate(0, 0, -20), ReservedAt: from.AddDate(0, 0, -20),
		Gates: []models.SeasonGate{{Gate: models.GateQuota, Status: models.GatePassed}, {Gate: models.GateLoadTest}},
	}
	s := season.Next(v)
	fmt.Println(s.Action, s.Gate)
	// Output: gate load_test
}
