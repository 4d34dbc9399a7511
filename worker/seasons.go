package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

// seasonLead is how many days before its first a season's preparation begins.
const seasonLead = 35

// seasonCatchUp is how late a preparation still begins of itself, when Temporal was away.
const seasonCatchUp = 7 * 24 * time.Hour

// ensureSeason creates the yearly schedule of a season, or brings it up to date. It also
// looks now, so that an installation that is made within a season prepares for what is
// left of it; a season is started once.
func ensureSeason(ctx context.Context, o Options, d activities.SeasonDefinition) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	first, err := time.Parse(time.DateOnly, "2001-"+d.First) // of a year without a leap day
	if err != nil {
		return models.Invalid("season", d.First, "must begin at a day as 03-20")
	}
	begin := first.AddDate(0, 0, -seasonLead)
	note := fmt.Sprintf("Begins the preparation of %s, %d days before %s.", d.Name, seasonLead, d.First)
	spec := client.ScheduleSpec{
		TimeZoneName: d.TimeZone,
		Calendars: []client.ScheduleCalendarSpec{{
			Month: []client.ScheduleRange{{Start: int(begin.Month())}}, DayOfMonth: []client.ScheduleRange{{Start: begin.Day()}}, Hour: []client.ScheduleRange{{Start: 1}},
		}},
	}
	action := &client.ScheduleWorkflowAction{
		ID: workflows.SeasonDueID(d.Name), Workflow: workflows.SeasonDueType, TaskQueue: o.TaskQueue,
		Args: []any{workflows.SeasonDueInput{Definition: d}}, Memo: map[string]any{workflows.MemoSentence: note},
	}
	schedules := o.Client.ScheduleClient()
	_, err = schedules.Create(ctx, client.ScheduleOptions{
		ID: workflows.SeasonScheduleID(d.Name), Spec: spec, Action: action, Note: note,
		Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, CatchupWindow: seasonCatchUp, TriggerImmediately: true,
	})
	if err == nil {
		return nil
	}
	if !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return fmt.Errorf("worker.EnsureSchedules: season %s: %w", d.Name, err)
	}
	handle := schedules.GetHandle(ctx, workflows.SeasonScheduleID(d.Name))
	err = handle.Update(ctx, client.ScheduleUpdateOptions{DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
		s := in.Description.Schedule
		s.Spec, s.Action = &spec, action
		return &client.ScheduleUpdate{Schedule: &s}, nil
	}})
	if err == nil {
		err = handle.Trigger(ctx, client.ScheduleTriggerOptions{Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP})
	}
	if err != nil {
		return fmt.Errorf("worker.EnsureSchedules: season %s: %w", d.Name, err)
	}
	return nil
}
