package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/wedsync/scalability/workflows"
)

// catchUp is how late a job that was missed is still started. A job that is due each
// minute or hour needs no past.
const catchUp = time.Minute

// duty is how often a job runs, and whether it also runs when a worker starts: its
// results may be missing then.
type duty struct {
	every   time.Duration
	offset  time.Duration // so that not all begin at the full minute
	atStart bool
	note    string
}

func duties() map[workflows.MaintenanceJob]duty {
	return map[workflows.MaintenanceJob]duty{
		workflows.JobPartitions:    {time.Hour, 7 * time.Minute, true, "Makes partitions ahead and drops those past retention."},
		workflows.JobSnapshots:     {time.Minute, 10 * time.Second, false, "Keeps the health of each minute."},
		workflows.JobReconcile:     {time.Minute, 40 * time.Second, false, "Closes decisions that nobody works on."},
		workflows.JobAuditVerify:   {24 * time.Hour, 3 * time.Hour, false, "Verifies the audit trail each night."},
		workflows.JobPredictions:   {time.Hour, 11 * time.Minute, true, "Forecasts each coming wedding again."},
		workflows.JobCalendarFeeds: {time.Minute, 25 * time.Second, true, "Reads the calendar feeds that are due."},
		workflows.JobWeddingDays:   {24 * time.Hour, 3*time.Hour + 17*time.Minute, true, "Starts the wedding days of the dates ahead."},
		workflows.JobRefit:         {24 * time.Hour, 3*time.Hour + 20*time.Minute, false, "Learns the whole history anew."},
		workflows.JobForecasts:     {time.Hour, 2 * time.Minute, true, "Learns the last hour, and stores the forecasts of the next ones."},
		workflows.JobAccuracy:      {time.Hour, 5 * time.Minute, false, "Scores the forecasts whose hour has passed."},
	}
}

// EnsureSchedules creates the schedule of each maintenance job, or brings it up to date.
// One that a person paused stays paused.
func EnsureSchedules(ctx context.Context, o Options) error {
	var errs error
	all := duties()
	for _, job := range workflows.MaintenanceJobs() {
		errs = errors.Join(errs, ensureSchedule(ctx, o, job, all[job]))
	}
	for _, d := range o.Seasons {
		errs = errors.Join(errs, ensureSeason(ctx, o, d))
	}
	return errs
}

func ensureSchedule(ctx context.Context, o Options, job workflows.MaintenanceJob, d duty) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	spec := client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: d.every, Offset: d.offset}}}
	action := &client.ScheduleWorkflowAction{
		ID: workflows.MaintenanceID(job), Workflow: workflows.MaintenanceType, TaskQueue: o.TaskQueue,
		Args: []any{workflows.MaintenanceInput{Job: job, MetricsRetentionDays: o.MetricsRetentionDays, AuditRetentionDays: o.AuditRetentionDays}},
		Memo: map[string]any{workflows.MemoSentence: d.note},
	}
	_, err := o.Client.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID: workflows.ScheduleID(job), Spec: spec, Action: action, Note: d.note,
		Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, CatchupWindow: catchUp, TriggerImmediately: d.atStart,
	})
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, temporal.ErrScheduleAlreadyRunning):
		return fmt.Errorf("worker.EnsureSchedules: %s: %w", job, err)
	}
	if err := updateSchedule(ctx, o, job, spec, action); err != nil {
		return fmt.Errorf("worker.EnsureSchedules: %s: %w", job, err)
	}
	if !d.atStart {
		return nil
	}
	handle := o.Client.ScheduleClient().GetHandle(ctx, workflows.ScheduleID(job))
	if err := handle.Trigger(ctx, client.ScheduleTriggerOptions{Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP}); err != nil {
		return fmt.Errorf("worker.EnsureSchedules: %s: %w", job, err)
	}
	return nil
}

// updateSchedule replaces when and what, and leaves the rest of the state alone.
func updateSchedule(ctx context.Context, o Options, job workflows.MaintenanceJob, spec client.ScheduleSpec, action client.ScheduleAction) error {
	handle := o.Client.ScheduleClient().GetHandle(ctx, workflows.ScheduleID(job))
	return handle.Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			s := in.Description.Schedule
			s.Spec, s.Action = &spec, action
			s.Policy = &client.SchedulePolicies{Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, CatchupWindow: catchUp}
			return &client.ScheduleUpdate{Schedule: &s}, nil
		},
	})
}
