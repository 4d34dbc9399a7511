package activities_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
)

// ledger notes in order what was written, and fails what fails names.
type ledger struct {
	wrote   []string
	fails   map[string]error
	reports []models.OutcomeReport
	entries []models.AuditEntry
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
	assert.Equal(t, []models.AuditEntry{{
		At: now, Actor: "svc:autoscale", Action: "capacity.change", Object: "service/api/decision/d1", Decision: models.AuditAllow,
		Rule: "verified", RequestID: "d1", Context: map[string]string{"reason": "served as well"},
	}}, l.entries)
	assert.Equal(t, []models.OutcomeReport{closing(true).Report}, l.reports)
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
	require.Error(t, r.SaveState(t.Context(), models.ScalingState{}))
	require.Error(t, r.RecordDecision(t.Context(), models.Decision{}))
	assert.Equal(t, []string{"audit"}, l.wrote)
}

func TestCountingIsOptional(t *testing.T) {
	l := &ledger{}
	r := &activities.Recorder{Decisions: l, States: l, Audit: l}
	require.NoError(t, r.RecordDecision(t.Context(), models.Decision{}))
	require.NoError(t, r.SaveState(t.Context(), models.ScalingState{}))
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
