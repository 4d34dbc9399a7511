package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/internal/devstack"
	"github.com/wedsync/scalability/internal/devstack/devstacktest"
	"github.com/wedsync/scalability/internal/store"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

func TestMain(m *testing.M) { os.Exit(devstacktest.Main(m)) }

// decided is a database in which one decision was made the way the worker does it.
func decided(t *testing.T) (*store.Store, string) {
	t.Helper()
	owner, app := devstacktest.Postgres(t)
	require.NoError(t, store.Migrate(t.Context(), owner, devstack.AppRole, nil))
	pool, err := store.Open(t.Context(), store.Options{URL: app, MaxConnections: 2})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	st := pool.As(models.Scope{Role: models.ScopeSystem, Subject: "test"})
	_, err = st.SeedServices(t.Context(), models.DefaultServices("fleet"))
	require.NoError(t, err)

	svc, err := st.Service(t.Context(), models.ServiceAPI)
	require.NoError(t, err)
	now, load := time.Now().UTC(), 10*svc.CapacityRPS
	in := scaling.Inputs{Now: now, Observation: models.Observation{
		Service: svc, At: now, Replicas: &models.ReplicaSet{Service: svc.Name, Spec: 4, Ready: 4, ObservedAt: now},
		Signals: []models.Signal{{Metric: models.MetricThroughput, Avg2: &load, Avg6: &load, Avg60: &load, Avg300: &load, Max60: &load, Completeness: 1}},
	}}
	made, err := activities.Decider{}.Decide(t.Context(), in)
	require.NoError(t, err)
	e := made.Explanation
	require.Equal(t, models.DirectionUp, e.Direction)
	e.DecisionID = "d1"
	recorder := &activities.Recorder{Decisions: st, States: st, Evaluations: st}
	require.NoError(t, recorder.RecordDecision(t.Context(), models.Decision{
		ID: "d1", Service: svc.Name, CreatedAt: now, ExpiresAt: now.Add(time.Minute), RequestedBy: "autoscale/api", Class: e.Class,
		Direction: e.Direction, FromReplicas: e.Current, ToReplicas: e.Desired, Sentence: e.Text, Explanation: &e,
	}))
	require.NoError(t, recorder.SaveState(t.Context(), activities.StateInput{
		ScalingState: models.ScalingState{Service: svc.Name, TickedAt: now, Spec: 4, Desired: e.Desired, Explanation: &e}, Inputs: &in,
	}))
	return st, app
}

func TestADecisionIsDecidedAgainFromItsRecord(t *testing.T) {
	st, url := decided(t)
	t.Setenv("DATABASE_URL", url)
	out, _, err := run(t, "decisions", "replay", "d1")
	require.NoError(t, err)
	assert.True(t, strings.HasSuffix(out, "\nidentical\n"), out)
	assert.Contains(t, out, "api at ")
	out, _, err = run(t, "decisions", "replay", "--service", "api")
	require.NoError(t, err)
	assert.Contains(t, out, "identical")

	e, err := st.EvaluationOf(t.Context(), "d1")
	require.NoError(t, err)
	e.At = e.At.Add(time.Second)
	e.Explanation = json.RawMessage(strings.Replace(string(e.Explanation), `"current":4`, `"current":5`, 1))
	require.NoError(t, st.SaveEvaluation(t.Context(), models.ScalingState{Service: e.Service, TickedAt: e.At}, e))
	out, _, err = run(t, "decisions", "replay", "--service", "api")
	require.ErrorContains(t, err, "1 differences")
	assert.Regexp(t, `current +5 +4`, out)
	out, _, err = run(t, "decisions", "replay", "--service", "api", "--at", e.At.Add(-time.Millisecond).Format(time.RFC3339Nano))
	require.NoError(t, err)
	assert.Contains(t, out, "identical", "the one before")

	e.At = e.At.Add(time.Second)
	e.InputsHash = "sha256:0"
	require.NoError(t, st.SaveEvaluation(t.Context(), models.ScalingState{Service: e.Service, TickedAt: e.At}, e))
	_, _, err = run(t, "decisions", "replay", "--service", "api")
	require.ErrorContains(t, err, "another version")
}

func TestDecisionsAreListedAndShownFromTheRunningStack(t *testing.T) {
	_, url := decided(t)
	t.Setenv("DATABASE_URL", "")
	root := t.TempDir()
	_, _, err := run(t, "decisions", "list", "--root", root)
	require.ErrorContains(t, err, "DATABASE_URL is not set")
	raw, err := json.Marshal(devstack.DevFile{Postgres: url})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(root, "dev.json"), raw, 0o600))
	out, _, err := run(t, "decisions", "list", "--root", root, "--service", "api")
	require.NoError(t, err)
	assert.Contains(t, out, "d1")
	assert.Contains(t, out, "open (executing)")
	out, _, err = run(t, "decisions", "list", "--root", root, "--service", "media")
	require.NoError(t, err)
	assert.NotContains(t, out, "d1")
	out, _, err = run(t, "decisions", "show", "d1", "--root", root)
	require.NoError(t, err)
	for _, part := range []string{"Scale api 4→", "cost per hour", "candidate throughput", "autoscale/api"} {
		assert.Contains(t, out, part)
	}
	out, _, err = run(t, "decisions", "show", "d1", "--json", "--root", root)
	require.NoError(t, err)
	var d models.Decision
	require.NoError(t, json.Unmarshal([]byte(out), &d))
	assert.NotNil(t, d.CostPerHourAfter)
}

func TestADecisionThatCannotBeReplayedSaysWhy(t *testing.T) {
	st, url := decided(t)
	t.Setenv("DATABASE_URL", url)
	old := models.Decision{
		ID: "old", Service: models.ServiceAPI, CreatedAt: time.Now().AddDate(0, 0, -31), ExpiresAt: time.Now(), RequestedBy: "x",
		Explanation: &models.Explanation{}, Status: models.DecisionExecuting,
	}
	recent, asked := old, old
	recent.ID, recent.CreatedAt = "recent", time.Now().Add(-time.Hour)
	asked.ID, asked.Explanation, asked.Status = "asked", nil, models.DecisionProposed
	for _, d := range []models.Decision{old, recent, asked} {
		require.NoError(t, st.RecordDecision(t.Context(), d))
	}
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"nobody made it":           {[]string{"nobody"}, `there is no decision "nobody"`},
		"retention dropped it":     {[]string{"old"}, "dropped by retention"},
		"it was not kept":          {[]string{"recent"}, "were not kept"},
		"nobody decided on it":     {[]string{"asked"}, "decided on by nobody"},
		"never evaluated":          {[]string{"--service", "media"}, "no evaluation of media"},
		"not evaluated until then": {[]string{"--service", "api", "--at", "2020-01-01T00:00:00Z"}, "no evaluation of api"},
		"no such service":          {[]string{"--service", "dance"}, "--service"},
		"no such time":             {[]string{"--service", "api", "--at", "noon"}, "--at"},
		"neither ID nor service":   {nil, "give the ID"},
		"both":                     {[]string{"d1", "--service", "api"}, "give the ID"},
		"a time without a service": {[]string{"d1", "--at", "2020-01-01T00:00:00Z"}, "--at goes with --service"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := run(t, append([]string{"decisions", "replay"}, c.args...)...)
			require.ErrorContains(t, err, c.says)
		})
	}
}
