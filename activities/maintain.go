package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wedsync/scalability/models"
)

// partitionsAhead is how many days of partitions stand ready.
const partitionsAhead = 14

// reconcileGrace is how long after its expiry an open decision is left alone.
const reconcileGrace = 30 * time.Second

// Maintainer does the recurring duties.
type Maintainer struct {
	Partitions Partitions
	Health     HealthReader
	Snapshots  SnapshotWriter
	Decisions  DecisionReader
	Writer     DecisionWriter
	Operations OperationFinder
	Weddings   WeddingPredictor
	Feeds      FeedPoller // nil: there are no feeds
	Trail      Trail      // nil: the audit log is off
	Forecasts  ForecastKeeper
	Now        func() time.Time
}

// RetentionInput says how long to keep what.
type RetentionInput struct {
	MetricsDays int `json:"metricsDays"`
	AuditDays   int `json:"auditDays"`
}

// Report names what a duty changed.
type Report struct {
	Changed []string `json:"changed"`
}

// KeepPartitions makes partitions ahead and drops those past retention.
func (m *Maintainer) KeepPartitions(ctx context.Context, in RetentionInput) (Report, error) {
	now := m.Now()
	made, err := m.Partitions.EnsurePartitions(ctx, now, partitionsAhead)
	if err != nil {
		return Report{}, fail(err)
	}
	dropped, err := m.Partitions.DropPartitions(ctx, now, in.MetricsDays, in.AuditDays)
	if err != nil {
		return Report{Changed: made}, fail(err)
	}
	changed := append([]string{}, made...)
	for _, d := range dropped {
		changed = append(changed, "dropped "+d)
	}
	if m.Trail == nil {
		return Report{Changed: changed}, nil
	}
	retired, err := m.Trail.Retire(ctx, in.AuditDays)
	for _, d := range retired {
		changed = append(changed, "dropped "+d)
	}
	return Report{Changed: changed}, fail(err)
}

// VerifyTrail verifies the audit trail. One that is not sound is an error that a repetition
// does not mend: it is for a person.
func (m *Maintainer) VerifyTrail(ctx context.Context) (Report, error) {
	if m.Trail == nil {
		return Report{Changed: []string{"the audit log is off"}}, nil
	}
	found, sound, err := m.Trail.Verify(ctx)
	if err != nil {
		return Report{}, fail(err)
	}
	if !sound {
		return Report{}, fail(&models.Error{Kind: models.KindConflict, Op: "audit trail", Rule: found})
	}
	return Report{Changed: []string{found}}, nil
}

// SnapshotHealth keeps the health of this moment. The ID is made from the minute, so that a
// repetition does not keep it twice.
func (m *Maintainer) SnapshotHealth(ctx context.Context) (Report, error) {
	now := m.Now()
	h := m.Health.Health(ctx, now)
	id := madeID("health", now.UTC().Format("2006-01-02T15:04Z"))
	err := m.Snapshots.SaveHealthSnapshot(ctx, models.HealthSnapshot{ID: id, At: now, Overall: h.OverallHealth, Health: h})
	return Report{Changed: []string{string(h.OverallHealth)}}, fail(err)
}

// Reconcile closes decisions that nobody works on: proposed ones that expired, and
// executing ones whose workflow is gone, and the commands in the audit trail of which
// nobody heard how they ended. One that cannot be looked up does not keep the
// others open.
func (m *Maintainer) Reconcile(ctx context.Context) (Report, error) {
	now := m.Now()
	open, err := m.Decisions.OpenDecisions(ctx, now.Add(-reconcileGrace))
	if err != nil {
		return Report{}, fail(err)
	}
	rep := Report{Changed: []string{}}
	var errs []error
	if m.Trail != nil {
		closed, err := m.Trail.ReconcileIntents(ctx)
		rep.Changed = append(rep.Changed, closed...)
		errs = append(errs, err)
	}
	for _, d := range open {
		outcome, err := m.reconcile(ctx, d, now)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("decision %s: %w", d.ID, err))
		case outcome != models.OutcomeOpen:
			rep.Changed = append(rep.Changed, d.ID+" "+string(outcome))
		}
	}
	return rep, fail(errors.Join(errs...))
}

// reconcile closes one decision; open says that it was left alone.
func (m *Maintainer) reconcile(ctx context.Context, d models.Decision, now time.Time) (models.Outcome, error) {
	outcome, reason, err := m.orphan(ctx, d, now)
	if err != nil || outcome == models.OutcomeOpen {
		return models.OutcomeOpen, err
	}
	return outcome, m.Writer.CloseDecision(ctx, models.OutcomeReport{DecisionID: d.ID, Outcome: outcome, Reason: reason, FinishedAt: now})
}

// orphan says how a decision that nobody works on ended; open when somebody does.
func (m *Maintainer) orphan(ctx context.Context, d models.Decision, now time.Time) (models.Outcome, string, error) {
	expired := now.After(d.ExpiresAt.Add(reconcileGrace))
	if d.Status == models.DecisionProposed {
		if !expired {
			return models.OutcomeOpen, "", nil
		}
		return models.OutcomeExpired, "no autoscaler took it up in time; nothing was changed for it, its reservation stands until it ends", nil
	}
	state, err := m.Operations.FindOperation(ctx, d.WorkflowID)
	if err != nil {
		return models.OutcomeOpen, "", err
	}
	switch {
	case state == OperationMissing && expired:
		return models.OutcomeExpired, "its workflow was never started; nothing was changed", nil
	case state == OperationClosed:
		return models.OutcomeLost, "its workflow ended without a word; look at its history", nil
	default:
		return models.OutcomeOpen, "", nil
	}
}

// RefreshPredictions forecasts each coming wedding again.
func (m *Maintainer) RefreshPredictions(ctx context.Context) (Report, error) {
	n, err := m.Weddings.RefreshWeddings(ctx, m.Now())
	return Report{Changed: []string{fmt.Sprintf("%d predictions", n)}}, fail(err)
}

// ReadCalendarFeeds reads the calendar feeds that are due. What it reports names feeds and
// counts, never weddings.
func (m *Maintainer) ReadCalendarFeeds(ctx context.Context) (Report, error) {
	if m.Feeds == nil {
		return Report{Changed: []string{}}, nil
	}
	lines, err := m.Feeds.PollFeeds(ctx)
	return Report{Changed: append([]string{}, lines...)}, fail(err)
}

// RefitForecasts learns the whole history anew.
func (m *Maintainer) RefitForecasts(ctx context.Context) (Report, error) {
	names, err := m.Forecasts.Refit(ctx, m.Now())
	rep := Report{Changed: []string{}}
	for _, n := range names {
		rep.Changed = append(rep.Changed, string(n))
	}
	return rep, fail(err)
}

// UpdateForecasts learns the last hour and stores what is forecast of the next ones.
func (m *Maintainer) UpdateForecasts(ctx context.Context) (Report, error) {
	n, err := m.Forecasts.Update(ctx, m.Now())
	return Report{Changed: []string{fmt.Sprintf("%d forecasts", n)}}, fail(err)
}

// ScoreForecasts scores the forecasts whose hour has passed.
func (m *Maintainer) ScoreForecasts(ctx context.Context) (Report, error) {
	n, err := m.Forecasts.Score(ctx, m.Now())
	return Report{Changed: []string{fmt.Sprintf("%d scores", n)}}, fail(err)
}
