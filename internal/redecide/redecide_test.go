package redecide_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/redecide"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

var noon = time.Date(2027, 6, 12, 12, 0, 0, 123456789, time.UTC)

func val[T any](v T) *T { return &v }

// inputs are an api with ten replicas at a calm load.
func inputs() scaling.Inputs {
	svc := models.DefaultServices("fleet")[0]
	svc.CapacityRPS, svc.MinReplicas, svc.MaxReplicas, svc.AbsoluteMaxReplicas = 100, 2, 50, 60
	svc.Policy.TargetUtilisation = 0.65
	ready := noon.Add(-time.Hour)
	set := models.ReplicaSet{Service: svc.Name, Spec: 10, Ready: 10, ObservedAt: noon}
	for _, id := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
		set.Replicas = append(set.Replicas, models.Replica{ID: id, Phase: models.ReplicaReady, OrderedAt: ready, ReadyAt: &ready})
	}
	signal := func(m models.MetricName, v float64) models.Signal {
		return models.Signal{Metric: m, Avg2: &v, Avg6: &v, Avg60: &v, Avg300: &v, Max60: &v, AgeSeconds: 0.5, Completeness: 1}
	}
	return scaling.Inputs{
		Now: noon, State: scaling.State{Ring: []scaling.Recommendation{{At: noon.Add(-time.Minute), N: 10}}},
		Observation: models.Observation{
			Service: svc, At: noon, Replicas: &set, Gaps: []string{"the forecast could not be read (timeout)"},
			Signals:      []models.Signal{signal(models.MetricThroughput, 630.1), signal(models.MetricCPU, 0.63)},
			Reservations: []models.Reservation{}, Requests: []models.DecisionRequest{},
		},
	}
}

// evaluated is the record of a decision on inputs.
func evaluated(t *testing.T, in scaling.Inputs) models.Evaluation {
	t.Helper()
	e, _ := scaling.Decide(in)
	e.DecisionID = "d1"
	made, err := json.Marshal(e)
	require.NoError(t, err)
	from, err := json.Marshal(in)
	require.NoError(t, err)
	return models.Evaluation{Service: e.Service, At: e.At, Policy: e.PolicyVersion, InputsHash: e.InputsHash, Explanation: made, Inputs: from}
}

// archive is the ports of a previewer.
type archive struct {
	e      models.Evaluation
	err    error
	claims []models.Reservation
	asked  time.Time
	scope  models.Scope
}

func (a *archive) EvaluationAt(context.Context, models.ServiceName, time.Time) (models.Evaluation, error) {
	return a.e, a.err
}

func (a *archive) ActiveReservations(ctx context.Context, _ models.ServiceName, at time.Time) ([]models.Reservation, error) {
	a.asked, a.scope = at, models.ScopeFrom(ctx)
	return a.claims, nil
}

func preview(t *testing.T, a *archive, c models.PreviewChanges) models.Explanation {
	t.Helper()
	if a.e.Service == "" {
		a.e = evaluated(t, inputs())
	}
	p := &redecide.Previewer{Evaluations: a, Claims: a}
	e, err := p.Preview(t.Context(), models.PreviewRequest{Service: models.ServiceAPI, Changes: c})
	require.NoError(t, err)
	return e
}

func floor(n int, from, until time.Time) models.Reservation {
	return models.Reservation{ID: "r1", Service: models.ServiceAPI, Kind: models.ReservationFloor, Replicas: n, From: from, Until: until, Holder: "user:olga", Reason: "a rehearsal"}
}

func TestARecordedDecisionComesOutTheSame(t *testing.T) {
	in := inputs()
	for name, change := range map[string]func(){
		"calm": func() {},
		"a spike": func() {
			in.Spike = &models.Spike{Service: models.ServiceAPI, SeenAt: noon, FirstSampleAt: noon, RPS: 1900.3}
		},
		"a floor":         func() { in.Observation.Reservations = []models.Reservation{floor(31, noon, noon.Add(time.Hour))} },
		"nothing is read": func() { in.Observation.Replicas, in.Observation.Signals = nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			in = inputs()
			change()
			res, err := redecide.Replay(evaluated(t, in))
			require.NoError(t, err)
			assert.True(t, res.Identical, "%v", res.Differences)
			assert.Empty(t, res.Differences)
			assert.Equal(t, "d1", res.Explanation.DecisionID)
		})
	}
}

func TestARecordThatWasTouchedIsFound(t *testing.T) {
	e := evaluated(t, inputs())
	var doc map[string]any
	require.NoError(t, json.Unmarshal(e.Explanation, &doc))
	doc["desired"] = 99
	doc["more"] = true
	delete(doc, "text")
	var err error
	e.Explanation, err = json.Marshal(doc)
	require.NoError(t, err)
	res, err := redecide.Replay(e)
	require.NoError(t, err)
	assert.False(t, res.Identical)
	var paths []string
	for _, d := range res.Differences {
		paths = append(paths, d.Path)
	}
	assert.Equal(t, []string{"desired", "more", "text"}, paths)
	assert.Equal(t, "99", res.Differences[0].Recorded)
	assert.Empty(t, res.Differences[2].Recorded)

	e = evaluated(t, inputs())
	e.Explanation = append(append(json.RawMessage{}, e.Explanation...), ' ')
	res, err = redecide.Replay(e)
	require.NoError(t, err)
	assert.False(t, res.Identical, "one byte is a difference")
	require.Len(t, res.Differences, 1)
	assert.Equal(t, "bytes", res.Differences[0].Path)
}

func TestInputsOfAnotherVersionAreNotDecidedOn(t *testing.T) {
	changed := inputs()
	changed.Observation.Replicas.Spec = 11
	other, err := json.Marshal(changed)
	require.NoError(t, err)
	for name, spoil := range map[string]func(*models.Evaluation){
		"a field that is not known":    func(e *models.Evaluation) { e.Inputs = json.RawMessage(`{"moon":"full",` + string(e.Inputs[1:])) },
		"another hash":                 func(e *models.Evaluation) { e.InputsHash = "sha256:0000" },
		"inputs that do not belong":    func(e *models.Evaluation) { e.Inputs = other },
		"inputs that were not kept":    func(e *models.Evaluation) { e.Inputs = nil },
		"inputs that are cut in half":  func(e *models.Evaluation) { e.Inputs = e.Inputs[:len(e.Inputs)/2] },
		"inputs of another type there": func(e *models.Evaluation) { e.Inputs = json.RawMessage(`{"now":17}`) },
	} {
		t.Run(name, func(t *testing.T) {
			e := evaluated(t, inputs())
			spoil(&e)
			_, err := redecide.Replay(e)
			require.Error(t, err)
			assert.Equal(t, models.KindConflict, models.KindOf(err))
			assert.ErrorContains(t, err, "another version")
		})
	}
}

func TestWithoutChangesAPreviewIsTheLastDecision(t *testing.T) {
	want, _ := scaling.Decide(inputs())
	assert.Equal(t, want, preview(t, &archive{}, models.PreviewChanges{}))
}

func TestWhatIsChangedDecides(t *testing.T) {
	before, _ := scaling.Decide(inputs())
	require.Equal(t, 10, before.Desired)
	for name, c := range map[string]struct {
		change models.PreviewChanges
		check  func(t *testing.T, e models.Explanation)
	}{
		"three times the load": {models.PreviewChanges{RPS: val(1900.0)}, func(t *testing.T, e models.Explanation) {
			assert.Equal(t, models.DirectionUp, e.Direction)
			assert.GreaterOrEqual(t, e.Raw, 30)
		}},
		"a busy processor": {models.PreviewChanges{CPU: val(0.95)}, func(t *testing.T, e models.Explanation) {
			assert.Greater(t, e.Raw, 10)
		}},
		"a metric that was not there": {models.PreviewChanges{ErrorRate: val(0.5), QueueDepth: val(0.0)}, func(t *testing.T, e models.Explanation) {
			assert.NotEmpty(t, e.Candidates)
		}},
		"fewer replicas": {models.PreviewChanges{Replicas: val(4)}, func(t *testing.T, e models.Explanation) {
			assert.Equal(t, []int{4, 4, 0}, []int{e.Current, e.Ready, e.Pending})
			assert.Greater(t, e.Desired, 4)
		}},
		"a higher minimum": {models.PreviewChanges{MinReplicas: val(20)}, func(t *testing.T, e models.Explanation) {
			assert.Equal(t, 20, e.Desired)
		}},
		"a lower maximum": {models.PreviewChanges{MaxReplicas: val(12), RPS: val(1900.0)}, func(t *testing.T, e models.Explanation) {
			assert.Equal(t, 12, e.Desired)
			assert.NotNil(t, e.Deficit)
		}},
		"a floor": {models.PreviewChanges{Reservations: []models.Reservation{floor(25, noon, noon.Add(time.Hour))}}, func(t *testing.T, e models.Explanation) {
			assert.Equal(t, 25, e.Desired)
			assert.Equal(t, models.ClassFloor, e.Class)
		}},
	} {
		t.Run(name, func(t *testing.T) { c.check(t, preview(t, &archive{}, c.change)) })
	}
}

func TestAnotherTimeHasItsOwnReservations(t *testing.T) {
	later := noon.Add(3 * time.Hour)
	a := &archive{claims: []models.Reservation{floor(25, later.Add(-time.Minute), later.Add(time.Hour))}}
	e := preview(t, a, models.PreviewChanges{Now: val(later.In(time.FixedZone("east", 3600)))})
	assert.Equal(t, later, e.At)
	assert.Equal(t, 25, e.Desired)
	assert.Equal(t, later, a.asked)
	assert.Equal(t, models.ScopeSystem, a.scope.Role, "also the floors that the asker may not list")

	a.asked = time.Time{}
	e = preview(t, a, models.PreviewChanges{Now: &later, Reservations: []models.Reservation{}})
	assert.Zero(t, a.asked)
	assert.Equal(t, 10, e.Desired, "none is what was asked for")
}

func TestBoundsThatContradictEachOtherAreRefused(t *testing.T) {
	a := &archive{e: evaluated(t, inputs())}
	p := &redecide.Previewer{Evaluations: a, Claims: a}
	for name, c := range map[string]struct {
		change models.PreviewChanges
		field  string
	}{
		"over the safety cap":     {models.PreviewChanges{MaxReplicas: val(61)}, "changes.maxReplicas"},
		"minimum over maximum":    {models.PreviewChanges{MinReplicas: val(51)}, "changes.minReplicas"},
		"maximum under minimum":   {models.PreviewChanges{MaxReplicas: val(1)}, "changes.maxReplicas"},
		"both against each other": {models.PreviewChanges{MinReplicas: val(9), MaxReplicas: val(8)}, "changes.minReplicas"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := p.Preview(t.Context(), models.PreviewRequest{Service: models.ServiceAPI, Changes: c.change})
			var e *models.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, models.KindInvalid, e.Kind)
			assert.Equal(t, c.field, e.Field)
		})
	}
}

func TestAServiceThatWasNeverEvaluatedSaysSo(t *testing.T) {
	a := &archive{err: models.NotFound("service", "api")}
	_, err := (&redecide.Previewer{Evaluations: a, Claims: a}).Preview(t.Context(), models.PreviewRequest{Service: models.ServiceAPI})
	assert.Equal(t, models.KindNotFound, models.KindOf(err))
	require.ErrorContains(t, err, "was not evaluated yet")
	a.err = models.Unavailable("store", errors.New("down"))
	_, err = (&redecide.Previewer{Evaluations: a, Claims: a}).Preview(t.Context(), models.PreviewRequest{Service: models.ServiceAPI})
	assert.Equal(t, models.KindUnavailable, models.KindOf(err))
}
