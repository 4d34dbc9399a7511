package scaling_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

// Ten decisions as a person meets them at night. Whoever changes a sentence reads all of
// them again, with fresh eyes: each has to say what is done, what bound it, and why.
func TestTenDecisionsInTheWordsAPersonReads(t *testing.T) {
	limits := database(models.DatabaseLimit{MaxConnections: 200, Reserved: 20, OtherUsers: 30, PerReplica: 10})
	surge := with(serving(30, 700), trusted(700, nil), func(in *scaling.Inputs) {
		in.State.LastUpAt = ago(4 * time.Minute)
		in.State.Ring = []scaling.Recommendation{{At: now.Add(-2 * time.Minute), N: 28}, {At: now.Add(-30 * time.Second), N: 12}}
	})
	cases := []struct {
		name string
		in   scaling.Inputs
		want string
	}{
		{"calm", serving(10, 640),
			"Keep api at 10: 640 requests/s need 10 at 65 % of 100 per replica."},
		{"a spike into the database's ceiling", with(serving(10, 640), spike(2100, now), change(models.MetricCPU, nil), mode(models.ModeWeddingDay), limits),
			"Scale api 10→15 (wanted 35): spike, 2100 requests/s need 35 at 60 % of 100 per replica; limited to 15 by the database's connections, (200 − 20 − 30) ÷ 10."},
		{"a wedding in a quarter of an hour", with(serving(4, 250), windows(at(15*time.Minute, 180))),
			"Scale api 4→6: 180 guests of a wedding at 12 Jun 14:15 UTC need at least 6."},
		{"a forecast", with(serving(10, 640), trusted(1600, nil)),
			"Scale api 10→22: 1600 requests/s are expected by the time an order of now serves."},
		{"a lull", with(serving(20, 400), needed(6)),
			"Scale api 20→18 (need 7): 400 requests/s need 7 at 65 % of 100 per replica; at most 2 fewer in one step."},
		{"blind on a wedding day", with(serving(10, 640), mode(models.ModeWeddingDay), trusted(900, nil), func(in *scaling.Inputs) {
			in.Observation.Signals, in.State.BlindSince = nil, ago(11*time.Minute)
		}),
			"Scale api 10→17: 900 requests/s are expected by the time an order of now serves; a quarter more, since no metric was seen for 660 s."},
		{"an outage", with(serving(20, 200), needed(20), change(models.MetricThroughput, fell), change(models.MetricErrorRate, func(s *models.Signal) { s.Avg60 = val(0.3) })),
			"Keep api at 20: 20 were needed before load fell while the service looked ill: an outage is no lull."},
		{"money", with(serving(10, 640), trusted(1125, nil), func(in *scaling.Inputs) { in.Observation.Limits.Budget = &models.Budget{Hour: 1.5} }),
			"Scale api 10→12 (wanted 15): 1125 requests/s are expected by the time an order of now serves; limited to 12 by the budget, 1.50 an hour ÷ 0.12 per replica."},
		{"a person's cap", with(serving(20, 900), reserve(most(8))),
			"Scale api 20→8 (wanted 14): 900 requests/s need 14 at 65 % of 100 per replica; limited to 8 by user:anna, who allows at most 8 (a test); somebody has to agree, since it removes 12 of 20 at once."},
		{"a surge that has passed", surge,
			"Scale api 30→23 (need 11): 700 requests/s need 11 at 65 % of 100 per replica; a surge has passed, and at most 7 go in one step."},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e, _ := scaling.Decide(c.in)
			assert.Equal(t, c.want, e.Text)
		})
	}
}
