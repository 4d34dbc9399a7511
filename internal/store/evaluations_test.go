package store

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// anEvaluation has numbers and texts that a JSON column would write in another way.
func anEvaluation(service models.ServiceName, at time.Time, spec int) models.Evaluation {
	e := models.Evaluation{
		Service: service, At: at, Policy: "v1", InputsHash: "sha256:x", Mode: "normal", Spec: &spec, Ready: spec, Raw: spec, Desired: spec,
		CostPerReplicaHour: 0.5, Text: "Keep " + string(service),
		Explanation: json.RawMessage(`{"text":"5 \u003c 6","value":-0,"b":1e-7,"a":[1.50,null]}`),
		Inputs:      json.RawMessage(`{"now":"` + at.Format(time.RFC3339Nano) + `","ring":null}`),
	}
	if spec < 0 {
		e.Spec = nil
	}
	return e
}

func stateOf(e models.Evaluation) models.ScalingState {
	return models.ScalingState{Service: e.Service, TickedAt: e.At, Spec: e.Desired, Desired: e.Desired}
}

func saveEvaluations(t *testing.T, s *Store, all ...models.Evaluation) {
	t.Helper()
	for _, e := range all {
		require.NoError(t, s.SaveEvaluation(t.Context(), stateOf(e), e))
	}
}

func TestAnEvaluationComesBackByteByByte(t *testing.T) {
	s := fresh(t)
	at := noon.Add(789 * time.Nanosecond) // finer than the database
	e := anEvaluation(models.ServiceAPI, at, 4)
	e.DecisionID = "d1"
	kappa := 98.5
	e.CapacityRPS = &kappa
	saveEvaluations(t, s, e, e)
	again := e
	again.Desired = 99
	require.NoError(t, s.SaveEvaluation(t.Context(), stateOf(e), again), "a repetition adds nothing")

	want := e
	want.At = noon
	got, err := s.EvaluationOf(t.Context(), "d1")
	require.NoError(t, err)
	assert.Equal(t, want, got)
	got, err = s.EvaluationAt(t.Context(), models.ServiceAPI, time.Time{})
	require.NoError(t, err)
	assert.Equal(t, want, got)

	states, err := s.ScalingStates(t.Context())
	require.NoError(t, err)
	require.Len(t, states, 1, "kept in the same transaction")
	assert.Equal(t, 4, states[0].Desired)

	_, err = s.EvaluationOf(t.Context(), "nobody")
	assertError(t, err, models.KindNotFound, "decisionId")
	_, err = s.EvaluationOf(t.Context(), "")
	assertError(t, err, models.KindNotFound, "decisionId")
	_, err = s.EvaluationAt(t.Context(), models.ServiceMedia, time.Time{})
	assertError(t, err, models.KindNotFound, "service")
}

func TestAStateIsNotKeptWithoutItsEvaluation(t *testing.T) {
	s := fresh(t)
	e := anEvaluation(models.ServiceAPI, noon, 4)
	e.Starts = []models.Replica{{ID: "a", OrderedAt: noon.AddDate(300000, 0, 0)}} // no time of Postgres
	require.Error(t, s.SaveEvaluation(t.Context(), stateOf(e), e))
	states, err := s.ScalingStates(t.Context())
	require.NoError(t, err)
	assert.Empty(t, states)
	e.Text = "a\x00"
	assertError(t, s.SaveEvaluation(t.Context(), stateOf(e), e), models.KindInvalid, "text")
}

func TestEvaluationsAreListedNewestFirst(t *testing.T) {
	s := fresh(t)
	var all []models.Evaluation
	for i := range 5 {
		all = append(all, anEvaluation(models.ServiceAPI, noon.Add(time.Duration(i)*12*time.Hour), i+1)) // over partitions
	}
	saveEvaluations(t, s, all...)
	saveEvaluations(t, s, anEvaluation(models.ServiceMedia, noon.Add(time.Hour), 9))
	for name, c := range map[string]struct {
		filter models.EvaluationFilter
		want   []int
	}{
		"all":               {models.EvaluationFilter{}, []int{5, 4, 3, 2, 1}},
		"since, inclusive":  {models.EvaluationFilter{Since: all[3].At}, []int{5, 4}},
		"until, exclusive":  {models.EvaluationFilter{Until: all[1].At}, []int{1}},
		"before, exclusive": {models.EvaluationFilter{Before: all[3].At, Limit: 2}, []int{3, 2}},
		"limit":             {models.EvaluationFilter{Limit: 1}, []int{5}},
	} {
		t.Run(name, func(t *testing.T) {
			c.filter.Service = models.ServiceAPI
			found, err := s.Evaluations(t.Context(), c.filter)
			require.NoError(t, err)
			got := []int{}
			for _, e := range found {
				got = append(got, e.Desired)
				assert.Empty(t, e.Inputs, "a list has no inputs")
				assert.Equal(t, string(all[0].Explanation), string(e.Explanation))
			}
			assert.Equal(t, c.want, got)
		})
	}
	at, err := s.EvaluationAt(t.Context(), models.ServiceAPI, all[2].At.Add(time.Hour))
	require.NoError(t, err)
	assert.Equal(t, all[2], at, "the last one until then")
	_, err = s.EvaluationAt(t.Context(), models.ServiceAPI, noon.Add(-time.Second))
	assertError(t, err, models.KindNotFound, "service")
}

func TestSavingsCountTheTimeThatIsKnown(t *testing.T) {
	s := fresh(t)
	_, err := s.SeedServices(t.Context(), models.DefaultServices("fleet"))
	require.NoError(t, err)
	minute := func(m float64) time.Time { return noon.Add(time.Duration(m * float64(time.Minute))) }
	saveEvaluations(t, s,
		anEvaluation(models.ServiceAPI, minute(-9), 50), // speaks until −4
		anEvaluation(models.ServiceAPI, minute(-1), 4),  // 0 to 2: 2 min of 4
		anEvaluation(models.ServiceAPI, minute(2), 10),  // 2 to 5: 3 min of 10
		anEvaluation(models.ServiceAPI, minute(5), -1),  // not read: missing until 6
		anEvaluation(models.ServiceAPI, minute(6), 2),   // 6 to 11, then nobody looked
		anEvaluation(models.ServiceAPI, minute(28), 6),  // 28 to 30, the end
		anEvaluation(models.ServiceAPI, minute(30), 99),
		anEvaluation(models.ServiceSearch, minute(10), 3), // 10 to 15
	)
	got, err := s.Savings(t.Context(), noon, minute(30))
	require.NoError(t, err)
	require.Len(t, got.Services, len(models.ServiceNames()), "the whole catalogue")
	api := got.Services[0]
	assert.Equal(t, models.ServiceAPI, api.Service)
	assert.Equal(t, int64(4), api.Evaluations)
	assert.Equal(t, 10, api.PeakReplicas)
	used, covered := (2*4+3*10+5*2+2*6)/60.0, (2+3+5+2)/60.0
	for what, pair := range map[string][2]float64{
		"covered": {covered, api.CoveredHours}, "share": {12.0 / 30, api.CoveredShare}, "used": {used, api.ReplicaHours},
		"static": {10 * covered, api.StaticReplicaHours}, "cost": {used / 2, api.Cost}, "static cost": {5 * covered, api.StaticCost},
		"saved": {5*covered - used/2, api.Saved}, "saved share": {1 - used/(10*covered), api.SavedShare},
		"total hours": {used + 3*5/60.0, got.Total.ReplicaHours}, "total share": {(12.0/30 + 5.0/30) / 9, got.Total.CoveredShare},
		"total saved": {5*covered - used/2, got.Total.Saved},
	} {
		assert.InDelta(t, pair[0], pair[1], 1e-9, what)
	}
	media := got.Services[5]
	assert.Equal(t, models.ServiceSavings{Service: models.ServiceMedia}, media, "nothing is known: nothing is claimed")

	_, err = s.Savings(t.Context(), noon, noon)
	assertError(t, err, models.KindInvalid, "until")
}

func TestWhatARecordIsTooShortForIsNotLearned(t *testing.T) {
	s := fresh(t)
	learned := func() models.Learned {
		l, err := s.Learned(t.Context(), models.ServiceAPI, noon)
		require.NoError(t, err)
		return l
	}
	assert.Equal(t, models.Learned{}, learned())
	e := anEvaluation(models.ServiceAPI, noon.Add(-time.Minute), 4)
	for i := range 60 { // the ten oldest took an hour and count no more
		ordered := noon.Add(-3*time.Hour + time.Duration(i)*time.Minute)
		took := time.Duration(i-9) * time.Second
		if i < 10 {
			took = time.Hour
			ordered = ordered.Add(-3 * time.Hour)
		}
		ready := ordered.Add(took)
		e.Starts = append(e.Starts, models.Replica{ID: fmt.Sprint("r", i), OrderedAt: ordered, ReadyAt: &ready})
	}
	slow := models.Replica{ID: "slow", OrderedAt: noon.Add(-time.Minute)}
	e.Starts = append(e.Starts, slow, models.Replica{ID: "lost", OrderedAt: noon.Add(-time.Minute)})
	few := e
	few.Starts = e.Starts[10:19]
	saveEvaluations(t, s, few)
	assert.Zero(t, learned().StartupP95Seconds, "nine starts say nothing")
	saveEvaluations(t, s, e)
	l := learned()
	assert.InDelta(t, 25.5, l.StartupP50Seconds, 1e-6, "of 1 to 50 s")
	assert.InDelta(t, 47.55, l.StartupP95Seconds, 1e-6)
	assert.Equal(t, 2, l.FailedStarts10Min)

	ready := slow.OrderedAt.Add(50 * time.Second)
	slow.ReadyAt = &ready
	later := anEvaluation(models.ServiceAPI, noon, 4)
	later.Starts = []models.Replica{slow}
	saveEvaluations(t, s, later)
	assert.Equal(t, 1, learned().FailedStarts10Min, "it serves after all")
	ready = ready.Add(time.Hour)
	later.At = noon.Add(time.Second)
	saveEvaluations(t, s, later)
	assert.InDelta(t, 48.55, learned().StartupP95Seconds, 1e-6, "the first time it was ready counts")

	for i := range 40 {
		kappa := 100 + float64(i)
		m := anEvaluation(models.ServiceAPI, noon.Add(-time.Duration(i+5)*time.Minute), 4)
		m.CapacityRPS = &kappa
		saveEvaluations(t, s, m)
	}
	old := anEvaluation(models.ServiceAPI, noon.Add(-25*time.Hour), 4)
	old.CapacityRPS = new(float64)
	saveEvaluations(t, s, old)
	l = learned()
	assert.InDelta(t, 119.5, l.CapacityP50RPS, 1e-9)
	assert.InDelta(t, 103.9, l.CapacityP10RPS, 1e-9)
}

func TestADecisionSaysWhatItCosts(t *testing.T) {
	s := fresh(t)
	svc := aService()
	svc.CostPerReplicaHour = 0.25
	_, err := s.SeedServices(t.Context(), []models.Service{svc})
	require.NoError(t, err)
	costs := func(id string) [2]float64 {
		d, err := s.Decision(t.Context(), id)
		require.NoError(t, err)
		require.NotNil(t, d.CostPerHourBefore)
		return [2]float64{*d.CostPerHourBefore, *d.CostPerHourAfter}
	}
	asked := aDecision("d1", models.DecisionProposed) // 2 → 5
	asked.ReservationID = "r1"
	require.NoError(t, s.RequestScale(t.Context(), aReservation("r1"), asked))
	assert.Equal(t, [2]float64{0.5, 1.25}, costs("d1"))
	taken := aDecision("d1", models.DecisionExecuting)
	taken.FromReplicas, taken.ToReplicas = 4, 8
	require.NoError(t, s.RecordDecision(t.Context(), taken))
	assert.Equal(t, [2]float64{1, 2}, costs("d1"))
	r := verified("d1")
	require.NoError(t, s.CloseDecision(t.Context(), r))
	assert.Equal(t, [2]float64{1, 2}, costs("d1"), "nobody said what is left")

	require.NoError(t, s.RecordDecision(t.Context(), aDecision("d2", models.DecisionExecuting)))
	r = verified("d2")
	left := 3
	r.Outcome, r.FinalReplicas = models.OutcomeRolledBack, &left
	require.NoError(t, s.CloseDecision(t.Context(), r))
	assert.Equal(t, [2]float64{0.5, 0.75}, costs("d2"), "what is left is what it costs")

	said := aDecision("d3", models.DecisionExecuting)
	said.CostPerHourBefore = new(float64)
	*said.CostPerHourBefore = math.Pi
	require.NoError(t, s.RecordDecision(t.Context(), said))
	assert.Equal(t, [2]float64{math.Pi, 1.25}, costs("d3"))
	unknown := aDecision("d4", models.DecisionExecuting)
	unknown.Service = models.ServiceMedia
	require.NoError(t, s.RecordDecision(t.Context(), unknown))
	d, err := s.Decision(t.Context(), "d4")
	require.NoError(t, err)
	assert.Nil(t, d.CostPerHourBefore, "no price is no cost of zero")
}
