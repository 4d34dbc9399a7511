package scaling_test

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

// A coming wedding has a reservation, and the database has connections for eighteen
// replicas: the record says what each part asked for and what decided.
func ExampleDecide() {
	in := serving(14, 700)
	in.Observation.Reservations = []models.Reservation{{
		ID: "8f3", Service: models.ServiceAPI, Kind: models.ReservationFloor, Replicas: 22, Guests: 180,
		From: now.Add(-time.Hour), Until: now.Add(6 * time.Hour), Holder: "wedding-day/2027-06-12", Reason: "180 guests at 15:00",
	}}
	in.Observation.Limits.Database = &models.DatabaseLimit{MaxConnections: 200, Reserved: 20, PerReplica: 10}

	e, _ := scaling.Decide(in)
	fmt.Println(e.Text)
	for _, c := range e.Candidates {
		fmt.Printf("candidate %s: %d (%s)\n", c.By, c.N, c.Why)
	}
	for _, c := range e.Caps {
		fmt.Printf("ceiling %s: %d, bound %t\n", c.Cap, c.Limit, c.Bound)
	}
	fmt.Printf("deficit: %d replicas, %.0f requests/s\n", e.Deficit.Replicas, e.Deficit.RPS)
	fmt.Printf("HPA would have %d, KPA %d\n", *e.Counterfactual.HPA, *e.Counterfactual.KPA)
	// Output:
	// Scale api 14→18 (wanted 22): wedding-day/2027-06-12 reserved at least 22 until 12 Jun 20:00 UTC (180 guests at 15:00); limited to 18 by the database's connections, (200 − 20 − 0) ÷ 10.
	// candidate throughput: 11 (700 requests/s need 11 at 65 % of 100 per replica)
	// candidate utilisation: 11 (50 % of 14 ready replicas in use)
	// candidate reservation:8f3: 22 (wedding-day/2027-06-12 reserved at least 22 until 12 Jun 20:00 UTC (180 guests at 15:00))
	// candidate min: 2 (the minimum of the service)
	// ceiling absolute_max: 60, bound false
	// ceiling database_connections: 18, bound true
	// ceiling max: 30, bound false
	// deficit: 4 replicas, 260 requests/s
	// HPA would have 10, KPA 10
}

// sentence is what is said of some inputs.
type sentence struct {
	in   scaling.Inputs
	want string
}

func sentences() map[string]sentence {
	return map[string]sentence{
		"steady":     {serving(10, 640), "Keep api at 10: 640 requests/s need 10 at 65 % of 100 per replica."},
		"demand":     {serving(10, 780), "Scale api 10→12: 780 requests/s need 12 at 65 % of 100 per replica."},
		"a fraction": {serving(10, 82.54), "Scale api 10→9 (need 2): 82.5 requests/s need 2 at 65 % of 100 per replica; at most 1 fewer in one step."},
		"a step": {with(serving(10, 2600), change(models.MetricCPU, nil), change(models.MetricThroughput, minutely)),
			"Scale api 10→20 (need 40): 2600 requests/s need 40 at 65 % of 100 per replica; at most 20 until those on their way are ready."},
		"a step whose replicas start": {with(serving(10, 2600), change(models.MetricCPU, nil), change(models.MetricThroughput, minutely), func(in *scaling.Inputs) { in.Observation.Replicas = replicas(10, 10) }),
			"Keep api at 20 (need 40): at most 20 until those on their way are ready."},
		"a spike": {with(serving(10, 640), change(models.MetricCPU, nil), spike(1300, now)),
			"Scale api 10→20: spike, 1300 requests/s need 20 at 65 % of 100 per replica."},
		"a spike into a ceiling": {with(serving(10, 640), change(models.MetricCPU, nil), spike(2600, now)),
			"Scale api 10→30 (wanted 40): spike, 2600 requests/s need 40 at 65 % of 100 per replica; limited to 30 by the maximum of the catalogue."},
		"a floor":       {with(serving(4, 100), reserve(floor(9))), "Scale api 4→9: user:anna reserved at least 9 until 12 Jun 18:00 UTC (a test)."},
		"the minimum":   {serving(1, 0), "Scale api 1→2: the minimum of the service."},
		"a dead-band":   {serving(20, 1310), "Keep api at 20 (need 21): 21 is within 5 % of 20."},
		"stabilisation": {with(serving(20, 400), func(in *scaling.Inputs) { in.State = scaling.State{} }), "Keep api at 20 (need 7): 20 were needed within the last 300 s."},
		"a hold":        {with(serving(20, 400), func(in *scaling.Inputs) { in.State.LastUpAt = ago(5 * time.Minute) }), "Keep api at 20 (need 7): scale-in waits 600 s after a scale-up, 300 s left."},
		"stale metrics": {with(serving(20, 400), change(models.MetricCPU, gappy)), "Keep api at 20 (need 7): cpu is stale (1 s old, 50 % complete)."},
		"a gap":         {with(serving(20, 400), func(in *scaling.Inputs) { in.Observation.Gaps = []string{"the limits could not be read (timeout)"} }), "Keep api at 20 (need 7): not everything could be read: the limits could not be read (timeout)."},
		"a pause":       {with(serving(10, 780), func(in *scaling.Inputs) { in.Paused = true }), "Keep api at 10 (need 12): the autoscaler is paused by a person."},
		"a freeze":      {with(serving(10, 780), reserve(models.Reservation{Kind: models.ReservationFreeze})), "Keep api at 10 (need 12): user:anna froze the service until 12 Jun 18:00 UTC (a test)."},
		"a cap":         {with(serving(20, 640), reserve(most(12))), "Scale api 20→12 (need 10): limited to 12 by user:anna, who allows at most 12 (a test)."},
		"guests":        {with(serving(4, 250), windows(at(15*time.Minute, 180))), "Scale api 4→6: 180 guests of a wedding at 12 Jun 14:15 UTC need at least 6."},
		"a forecast":    {with(serving(10, 640), trusted(1600, nil)), "Scale api 10→22: 1600 requests/s are expected by the time an order of now serves."},
		"the budget": {with(serving(10, 640), trusted(1125, nil), func(in *scaling.Inputs) { in.Observation.Limits.Budget = &models.Budget{Hour: 1.5} }),
			"Scale api 10→12 (wanted 15): 1125 requests/s are expected by the time an order of now serves; limited to 12 by the budget, 1.50 an hour ÷ 0.12 per replica."},
		"the quota": {with(serving(10, 780), quota(11)), "Scale api 10→11 (wanted 12): 780 requests/s need 12 at 65 % of 100 per replica; limited to 11 by the provider's quota."},
		"an outage": {with(serving(20, 200), needed(20), change(models.MetricThroughput, fell), change(models.MetricErrorRate, func(s *models.Signal) { s.Avg60 = val(0.3) })),
			"Keep api at 20: 20 were needed before load fell while the service looked ill: an outage is no lull."},
		"a full database": {with(serving(10, 780), database(models.DatabaseLimit{MaxConnections: 100, Reserved: 10, OtherUsers: 80, PerReplica: 4})), "Keep api at 10 (wanted 12): 780 requests/s need 12 at 65 % of 100 per replica; limited to 10 by the database's connections, (100 − 10 − 80) ÷ 4."},
	}
}

func TestSentences(t *testing.T) {
	for name, c := range sentences() {
		t.Run(name, func(t *testing.T) {
			e, _ := scaling.Decide(c.in)
			assert.Equal(t, c.want, e.Text)
		})
	}
}

// TestThePageShowsWhatIsSaid holds the examples of docs/explanations.md to what is said.
func TestThePageShowsWhatIsSaid(t *testing.T) {
	page, err := os.ReadFile("../../docs/explanations.md")
	require.NoError(t, err)
	said := map[string]bool{}
	for _, c := range sentences() {
		said[c.want] = true
	}
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(string(page), -1)
	require.GreaterOrEqual(t, len(rows), 10)
	for _, row := range rows {
		assert.True(t, said[row[1]], "nothing says: %s", row[1])
	}
}

func TestAReasonThatWasWrittenOnSeveralLinesStaysOneSentence(t *testing.T) {
	in := with(serving(4, 100), reserve(floor(9)))
	in.Observation.Reservations[0].Reason = "  the\nbig day. \n"
	e, _ := scaling.Decide(in)
	assert.Equal(t, "Scale api 4→9: user:anna reserved at least 9 until 12 Jun 18:00 UTC (the big day).", e.Text)
}

func TestTheRecordHoldsEveryCandidateUsedOrNot(t *testing.T) {
	in := with(serving(10, 640), change(models.MetricCPU, nil), reserve(floor(5)))
	in.Observation.Forecast = &models.ForecastPoint{P95: 900, Reason: "three days of history are too few"}
	e, _ := scaling.Decide(in)
	used := map[string]bool{}
	for _, c := range e.Candidates {
		assert.NotEmpty(t, c.Why, c.By)
		used[c.By] = c.Used
	}
	assert.Equal(t, map[string]bool{"throughput": true, "utilisation": false, "forecast": false, "reservation:r1": true, "min": true}, used)
	assert.Equal(t, "three days of history are too few", candidate(e, "forecast").Why)
	assert.Equal(t, "v1", e.PolicyVersion)
	assert.Equal(t, now, e.At)
}

func TestCostFollowsTheChange(t *testing.T) {
	e, _ := scaling.Decide(serving(10, 780))
	assert.InDelta(t, 0.24, e.CostDeltaHour, 1e-9)
	in := serving(10, 780)
	in.Observation.Service.CostPerReplicaHour = math.NaN()
	e, _ = scaling.Decide(in)
	assert.Zero(t, e.CostDeltaHour)
}

func TestCounterfactualsRunThePublishedFormulas(t *testing.T) {
	cases := map[string]struct {
		in       scaling.Inputs
		hpa, kpa *int
	}{
		"within HPA's tolerance":        {serving(10, 650), ptr(10), ptr(10)},
		"outside":                       {serving(10, 900), ptr(13), ptr(13)},
		"KPA in panic":                  {with(serving(10, 640), change(models.MetricThroughput, func(s *models.Signal) { s.Avg6 = val(1500) })), ptr(10), ptr(22)},
		"bounded by the catalogue":      {with(serving(10, 9000), change(models.MetricCPU, func(s *models.Signal) { s.Avg60 = val(9) })), ptr(30), ptr(30)},
		"nothing without metrics":       {with(serving(10, 640), func(in *scaling.Inputs) { in.Observation.Signals = nil }), nil, nil},
		"nothing without the catalogue": {with(serving(10, 640), func(in *scaling.Inputs) { in.Observation.Service = models.Service{} }), nil, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e, _ := scaling.Decide(c.in)
			assert.Equal(t, c.hpa, e.Counterfactual.HPA)
			assert.Equal(t, c.kpa, e.Counterfactual.KPA)
		})
	}
}

func TestLeadCoversASlowStart(t *testing.T) {
	assert.Equal(t, 80*time.Second, scaling.Lead(api()))
}

func ptr[T any](v T) *T { return &v }
