package activities_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

// ledger notes in order what was written, and fails what fails names.
type ledger struct {
	wrote   []string
	fails   map[string]error
	reports []models.OutcomeReport
	entries []models.AuditEntry

	evaluations []models.Evaluation
}

func (l *ledger) write(what string) error {
	if err := l.fails[what]; err != nil {
		return err
	}
	l.wrote = append(l.wrote, what)
	return nil
}

func (l *ledger) RecordDecision(context.Context, models.Decision) error { return l.write("decision") }

func (l *ledger) CloseDecision(_ context.Context, r models.OutcomeReport) error {
	if err := l.write("outcome"); err != nil {
		return err
	}
	if err := l.fails[r.DecisionID]; err != nil {
		return err
	}
	l.reports = append(l.reports, r)
	return nil
}

func (l *ledger) SaveScalingState(context.Context, models.ScalingState) error {
	return l.write("state")
}

func (l *ledger) SaveEvaluation(_ context.Context, _ models.ScalingState, e models.Evaluation) error {
	l.evaluations = append(l.evaluations, e)
	return l.write("evaluation")
}

func (l *ledger) Record(_ context.Context, e models.AuditEntry) error {
	l.entries = append(l.entries, e)
	return l.write("audit")
}

// recorder writes to a ledger and notes what is counted.
func recorder(l *ledger) *activities.Recorder {
	return &activities.Recorder{
		Decisions: l, States: l, Audit: l,
		OnState:   func(models.ScalingState) { l.wrote = append(l.wrote, "counted state") },
		OnOutcome: func(activities.CloseInput) { l.wrote = append(l.wrote, "counted outcome") },
	}
}

func closing(changed bool) activities.CloseInput {
	return activities.CloseInput{
		Service: models.ServiceAPI, Changed: changed, Actor: "svc:autoscale",
		Report: models.OutcomeReport{DecisionID: "d1", Outcome: models.OutcomeVerified, Reason: "served as well", FinishedAt: now},
	}
}

func TestAChangeIsAuditedBeforeItIsClosed(t *testing.T) {
	l := &ledger{}
	require.NoError(t, recorder(l).CloseDecision(t.Context(), closing(true)))
	assert.Equal(t, []string{"audit", "outcome", "counted outcome"}, l.wrote)
	require.Len(t, l.entries, 1)
	assert.Len(t, l.entries[0].ID, 36)
	assert.Equal(t, []models.AuditEntry{{
		ID: l.entries[0].ID, At: now, Actor: "svc:autoscale", Action: "capacity.change", Object: "service/api/decision/d1", Decision: models.AuditAllow,
		Rule: "verified", RequestID: "d1", Context: map[string]string{"reason": "served as well"},
	}}, l.entries)
	assert.Equal(t, []models.OutcomeReport{closing(true).Report}, l.reports)
}

func TestARepeatedCloseIsTheSameAuditEntry(t *testing.T) {
	l := &ledger{fails: map[string]error{"outcome": errAway}}
	r := recorder(l)
	require.Error(t, r.CloseDecision(t.Context(), closing(true)))
	l.fails = nil
	require.NoError(t, r.CloseDecision(t.Context(), closing(true)))
	other := closing(true)
	other.Report.Outcome = models.OutcomeRolledBack
	require.NoError(t, r.CloseDecision(t.Context(), other))
	require.Len(t, l.entries, 3)
	assert.Equal(t, l.entries[0], l.entries[1], "same ID, same time: the log keeps it once")
	assert.NotEqual(t, l.entries[0].ID, l.entries[2].ID, "another outcome is another entry")
}

// A decision is made, travels to the recorder as JSON and is kept: what is kept hashes to
// what the decision says it was made from.
func TestAnEvaluationIsKeptWithWhatItWasMadeFrom(t *testing.T) {
	p := steady()
	obs, err := p.observer().Observe(t.Context(), activities.ObserveInput{Service: models.ServiceAPI})
	require.NoError(t, err)
	in := scaling.Inputs{Now: now, Observation: obs, Spike: &models.Spike{Service: models.ServiceAPI, SeenAt: now, FirstSampleAt: now, RPS: 900.1}}
	made, err := activities.Decider{}.Decide(t.Context(), in)
	require.NoError(t, err)
	made.Explanation.DecisionID = "d1"

	raw, err := json.Marshal(activities.StateInput{ScalingState: models.ScalingState{Service: models.ServiceAPI, Spec: 4, Explanation: &made.Explanation}, Inputs: &in})
	require.NoError(t, err)
	var sent activities.StateInput
	require.NoError(t, json.Unmarshal(raw, &sent))
	l := &ledger{}
	r := recorder(l)
	r.Evaluations = l
	require.NoError(t, r.SaveState(t.Context(), sent))
	assert.Equal(t, []string{"evaluation", "counted state"}, l.wrote, "the state is kept with it, in one transaction")
	require.Len(t, l.evaluations, 1)
	e := l.evaluations[0]
	assert.Equal(t, []any{models.ServiceAPI, now, "d1", made.Explanation.Desired, 4}, []any{e.Service, e.At, e.DecisionID, e.Desired, *e.Spec})
	var kept scaling.Inputs
	require.NoError(t, json.Unmarshal(e.Inputs, &kept))
	assert.Equal(t, e.InputsHash, scaling.Fingerprint(kept))
	want, err := json.Marshal(made.Explanation)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(e.Explanation), "byte by byte")

	sent.Inputs.Observation.Replicas = nil
	require.NoError(t, r.SaveState(t.Context(), sent))
	assert.Nil(t, l.evaluations[1].Spec, "what could not be read is not known")
}

func TestAnEvaluationOfAnOlderWorkflowIsKeptAsAState(t *testing.T) {
	l := &ledger{}
	r := recorder(l)
	r.Evaluations = l
	require.NoError(t, r.SaveState(t.Context(), activities.StateInput{ScalingState: models.ScalingState{Explanation: &models.Explanation{}}}))
	require.NoError(t, r.SaveState(t.Context(), activities.StateInput{Inputs: &scaling.Inputs{}}), "nothing was decided")
	assert.Equal(t, []string{"state", "counted state", "state", "counted state"}, l.wrote)
}

func TestADecisionThatChangedNothingIsNotAudited(t *testing.T) {
	l := &ledger{}
	require.NoError(t, recorder(l).CloseDecision(t.Context(), closing(false)))
	assert.Equal(t, []string{"outcome", "counted outcome"}, l.wrote)
}

func TestWithoutItsAuditEntryAChangeStaysOpen(t *testing.T) {
	l := &ledger{fails: map[string]error{"audit": errAway}}
	err := recorder(l).CloseDecision(t.Context(), closing(true))
	assert.Equal(t, models.KindUnavailable, activities.KindOf(err))
	assert.Empty(t, l.wrote, "neither closed nor counted")
}

func TestWhatWasNotWrittenIsNotCounted(t *testing.T) {
	l := &ledger{fails: map[string]error{"outcome": errAway, "state": errAway, "decision": errAway}}
	r := recorder(l)
	require.Error(t, r.CloseDecision(t.Context(), closing(true)))
	require.Error(t, r.SaveState(t.Context(), activities.StateInput{}))
	require.Error(t, r.RecordDecision(t.Context(), models.Decision{}))
	assert.Equal(t, []string{"audit"}, l.wrote)
}

func TestCountingIsOptional(t *testing.T) {
	l := &ledger{}
	r := &activities.Recorder{Decisions: l, States: l, Audit: l}
	require.NoError(t, r.RecordDecision(t.Context(), models.Decision{}))
	require.NoError(t, r.SaveState(t.Context(), activities.StateInput{}))
	require.NoError(t, r.CloseDecision(t.Context(), closing(false)))
	assert.Equal(t, []string{"decision", "state", "outcome"}, l.wrote)
}

// The kind of an error survives the way through Temporal, and only what a repetition can
// cure is repeated.
func TestErrorsKeepTheirKindAndSayWhetherToRetry(t *testing.T) {
	cases := map[string]struct {
		err   error
		kind  models.Kind
		retry bool
	}{
		"invalid":              {models.Invalid("x", 1, "no"), models.KindInvalid, false},
		"not found":            {models.NotFound("x", 1), models.KindNotFound, false},
		"conflict":             {&models.Error{Kind: models.KindConflict}, models.KindConflict, false},
		"expired":              {&models.Error{Kind: models.KindExpired}, models.KindExpired, false},
		"forbidden":            {&models.Error{Kind: models.KindForbidden}, models.KindForbidden, false},
		"unauthorised":         {&models.Error{Kind: models.KindUnauthorised}, models.KindUnauthorised, false},
		"too large":            {&models.Error{Kind: models.KindTooLarge}, models.KindTooLarge, false},
		"rate limited":         {&models.Error{Kind: models.KindRateLimited}, models.KindRateLimited, true},
		"unavailable":          {errAway, models.KindUnavailable, true},
		"unclassified":         {errors.New("oops"), models.KindInternal, true},
		"wrapped":              {fmt.Errorf("store: %w", models.NotFound("x", 1)), models.KindNotFound, false},
		"of a version to come": {&models.Error{Kind: "novel"}, models.KindInternal, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := recorder(&ledger{fails: map[string]error{"decision": c.err}}).RecordDecision(t.Context(), models.Decision{})
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			assert.Equal(t, !c.retry, app.NonRetryable())
			assert.NotEmpty(t, app.Type())
			assert.Equal(t, c.kind, activities.KindOf(fmt.Errorf("activity: %w", err)))
			assert.ErrorIs(t, err, c.err, "the cause is kept")
		})
	}
}

func TestErrorsOfOthersAreInternal(t *testing.T) {
	assert.Equal(t, models.KindInternal, activities.KindOf(nil))
	assert.Equal(t, models.KindInternal, activities.KindOf(errors.New("oops")))
	assert.Equal(t, models.KindInternal, activities.KindOf(temporal.NewApplicationError("oops", "PanicError")))
	assert.Equal(t, models.KindInternal, activities.KindOf(temporal.NewCanceledError()))
}
