package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
)

// Maintenance runs one recurring duty once.
func Maintenance(ctx workflow.Context, in MaintenanceInput) (MaintenanceResult, error) {
	m := &maintenance{in: in, result: MaintenanceResult{Job: in.Job, Changed: []string{}, Text: string(in.Job) + " runs"}}
	if err := workflow.SetQueryHandler(ctx, QueryState, func() (MaintenanceResult, error) { return m.result, nil }); err != nil {
		return m.result, err
	}
	return m.run(ctx)
}

type maintenance struct {
	in     MaintenanceInput
	result MaintenanceResult
}

func (m *maintenance) run(ctx workflow.Context) (MaintenanceResult, error) {
	duty, err := m.duty(ctx)
	if err != nil {
		return m.result, err
	}
	var report activities.Report
	if err := duty.Get(ctx, &report); err != nil {
		return m.result, err
	}
	m.result.Changed = append(m.result.Changed, report.Changed...)
	m.result.Text = fmt.Sprintf("%s: %d changes", m.in.Job, len(report.Changed))
	return m.result, nil
}

// duty starts the activity of the job. The budgets of the jobs that run each minute
// end before the next one is due.
func (m *maintenance) duty(ctx workflow.Context) (workflow.Future, error) {
	switch m.in.Job {
	case JobPartitions:
		in := activities.RetentionInput{MetricsDays: m.in.MetricsRetentionDays, AuditDays: m.in.AuditRetentionDays}
		return workflow.ExecuteActivity(within(ctx, 5*time.Minute, 20*time.Minute), maintainer.KeepPartitions, in), nil
	case JobSnapshots:
		return workflow.ExecuteActivity(within(ctx, 15*time.Second, 45*time.Second), maintainer.SnapshotHealth), nil
	case JobReconcile:
		return workflow.ExecuteActivity(within(ctx, 30*time.Second, 50*time.Second), maintainer.Reconcile), nil
	case JobAuditVerify:
		return workflow.ExecuteActivity(within(ctx, time.Hour, 3*time.Hour), maintainer.VerifyTrail), nil
	case JobPredictions:
		return workflow.ExecuteActivity(within(ctx, 10*time.Minute, 30*time.Minute), maintainer.RefreshPredictions), nil
	case JobCalendarFeeds:
		return workflow.ExecuteActivity(within(ctx, 10*time.Minute, 15*time.Minute), maintainer.ReadCalendarFeeds), nil
	case JobWeddingDays:
		return workflow.ExecuteActivity(within(ctx, time.Minute, 30*time.Minute), dayKeeper.StartWeddingDays), nil
	case JobRefit:
		return workflow.ExecuteActivity(within(ctx, 5*time.Minute, 20*time.Minute), maintainer.RefitForecasts), nil
	case JobForecasts:
		return workflow.ExecuteActivity(within(ctx, 2*time.Minute, 10*time.Minute), maintainer.UpdateForecasts), nil
	case JobAccuracy:
		return workflow.ExecuteActivity(within(ctx, 2*time.Minute, 10*time.Minute), maintainer.ScoreForecasts), nil
	default:
		err := models.Invalid("job", m.in.Job, fmt.Sprintf("must be one of %v", MaintenanceJobs()))
		return nil, temporal.NewNonRetryableApplicationError(err.Error(), string(models.KindInvalid), nil)
	}
}
