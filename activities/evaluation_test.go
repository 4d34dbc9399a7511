package activities_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

// calm is four replicas that have served for an hour, at 240 requests/s and 60 %.
func calm() models.Observation {
	ready := now.Add(-time.Hour)
	set := models.ReplicaSet{Service: models.ServiceAPI, Spec: 4, Ready: 4}
	for _, id := range []string{"a", "b", "c", "d"} {
		set.Replicas = append(set.Replicas, models.Replica{ID: id, Phase: models.ReplicaReady, OrderedAt: ready.Add(-20 * time.Second), ReadyAt: &ready})
	}
	return models.Observation{
		Service: models.DefaultServices("fleet")[0], At: now, Replicas: &set, Signals: []models.Signal{
			{Metric: models.MetricThroughput, Avg60: val(240.0), Completeness: 1},
			{Metric: models.MetricCPU, Avg60: val(0.6), Completeness: 1},
		},
	}
}

// kept is the record of an evaluation on an observation.
func kept(t *testing.T, obs models.Observation) models.Evaluation {
	t.Helper()
	l := &ledger{}
	r := recorder(l)
	r.Evaluations = l
	require.NoError(t, r.SaveState(t.Context(), activities.StateInput{
		ScalingState: models.ScalingState{Explanation: &models.Explanation{}}, Inputs: &scaling.Inputs{Now: now, Observation: obs},
	}))
	require.Len(t, l.evaluations, 1)
	return l.evaluations[0]
}

func TestAMomentSaysWhatAReplicaServesOnlyWhenItIsCalm(t *testing.T) {
	got := kept(t, calm()).CapacityRPS
	require.NotNil(t, got)
	assert.InDelta(t, 100, *got, 1e-9, "240 ÷ (4 · 0.6)")
	for name, spoil := range map[string]func(*models.Observation){
		"no replicas were read":       func(o *models.Observation) { o.Replicas = nil },
		"none is ready":               func(o *models.Observation) { o.Replicas.Spec, o.Replicas.Ready, o.Replicas.Replicas = 0, 0, nil },
		"one is on its way":           func(o *models.Observation) { o.Replicas.Spec = 5 },
		"one came just now":           func(o *models.Observation) { o.Replicas.Replicas[3].ReadyAt = val(now.Add(-59 * time.Second)) },
		"one crashes":                 func(o *models.Observation) { o.Replicas.Replicas[0].Phase = models.ReplicaCrashing },
		"load is missing":             func(o *models.Observation) { o.Signals = o.Signals[1:] },
		"use is missing":              func(o *models.Observation) { o.Signals = o.Signals[:1] },
		"the minute has holes":        func(o *models.Observation) { o.Signals[0].Completeness = 0.4 },
		"it is a copy at rest":        func(o *models.Observation) { o.Signals[1].Snapshot = true },
		"nobody comes":                func(o *models.Observation) { o.Signals[0].Avg60 = val(0.0) },
		"the replicas are near idle":  func(o *models.Observation) { o.Signals[1].Avg60 = val(0.29) },
		"the replicas are overloaded": func(o *models.Observation) { o.Signals[1].Avg60 = val(0.97) },
	} {
		t.Run(name, func(t *testing.T) {
			obs := calm()
			spoil(&obs)
			assert.Nil(t, kept(t, obs).CapacityRPS)
		})
	}
}

func TestStartsAreRecordedWhileTheyAreRecent(t *testing.T) {
	at := func(ago time.Duration) time.Time { return now.Add(-ago) }
	obs := calm()
	obs.Replicas.Replicas = []models.Replica{
		{ID: "started", Phase: models.ReplicaReady, OrderedAt: at(time.Minute), ReadyAt: val(at(30 * time.Second))},
		{ID: "fails", Phase: models.ReplicaCrashing, OrderedAt: at(time.Minute)},
		{ID: "on its way", Phase: models.ReplicaPending, OrderedAt: at(time.Minute)},
		{ID: "was there", Phase: models.ReplicaReady, OrderedAt: at(time.Minute), ReadyAt: val(at(time.Minute))},
		{ID: "long ago", Phase: models.ReplicaReady, OrderedAt: at(time.Hour), ReadyAt: val(at(59 * time.Minute))},
		{ID: "crashes after it served", Phase: models.ReplicaCrashing, OrderedAt: at(time.Minute), ReadyAt: val(at(time.Second))},
	}
	var ids []string
	for _, r := range kept(t, obs).Starts {
		ids = append(ids, r.ID)
	}
	assert.Equal(t, []string{"started", "fails"}, ids)
	obs.Replicas = nil
	assert.Empty(t, kept(t, obs).Starts)
}
