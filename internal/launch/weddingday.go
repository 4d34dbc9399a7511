package launch

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

// daysAhead is how far ahead a date's workflow runs: a wedding that is booked within it
// starts its day.
const daysAhead = 8 * 24 * time.Hour

// StartWeddingDay starts the workflow of a date; one that runs already is answered as it
// is.
func (l *Launcher) StartWeddingDay(ctx context.Context, date, region, actor string) (models.WorkflowRun, error) {
	return l.RunWeddingDay(ctx, workflows.WeddingDayInput{Date: date, Region: region}, actor)
}

// RunWeddingDay is StartWeddingDay with a day that passes faster, or with figures of its own.
func (l *Launcher) RunWeddingDay(ctx context.Context, in workflows.WeddingDayInput, actor string) (models.WorkflowRun, error) {
	const op = "launch.StartWeddingDay"
	options, err := l.day(in.Date, in.Region, "Started by "+actor+".")
	if err != nil {
		return models.WorkflowRun{}, err
	}
	options.WorkflowExecutionErrorWhenAlreadyStarted = true
	options.WorkflowIDConflictPolicy = enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL
	ctx, cancel := l.bounded(ctx)
	defer cancel()
	run, err := l.o.Client.ExecuteWorkflow(ctx, options, workflows.WeddingDayType, in)
	var running *serviceerror.WorkflowExecutionAlreadyStarted
	switch {
	case errors.As(err, &running):
		return models.WorkflowRun{WorkflowID: options.ID, RunID: running.RunId, AlreadyRunning: true, URL: l.runURL(options.ID, running.RunId)}, nil
	case err != nil:
		return models.WorkflowRun{}, classify(op, options.ID, err)
	}
	return models.WorkflowRun{WorkflowID: options.ID, RunID: run.GetRunID(), URL: l.runURL(options.ID, run.GetRunID())}, nil
}

// EnsureWeddingDay starts a date's workflow unless it runs, and says whether it did.
func (l *Launcher) EnsureWeddingDay(ctx context.Context, date, region string) (bool, error) {
	run, err := l.StartWeddingDay(ctx, date, region, "the daily look at the calendar")
	return err == nil && !run.AlreadyRunning, err
}

// day is how a date's workflow is started.
func (l *Launcher) day(date, region, sentence string) (client.StartWorkflowOptions, error) {
	id := workflows.WeddingDayID(date, region)
	if t, err := parseID(id); err != nil || t.family != familyWeddingDay {
		if _, bad := time.Parse(time.DateOnly, date); bad != nil {
			return client.StartWorkflowOptions{}, models.Invalid("date", date, "must be a date as in 2027-06-12")
		}
		return client.StartWorkflowOptions{}, models.Invalid("region", region, "must be absent, or 1 to 60 of letters, digits and _.:+-")
	}
	return client.StartWorkflowOptions{
		ID: id, TaskQueue: l.o.TaskQueue, WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		Memo:                  map[string]any{workflows.MemoSentence: sentence},
		TypedSearchAttributes: temporal.NewSearchAttributes(workflows.SearchAttributeWeddingDate().ValueSet(date)),
	}, nil
}

// CommandWeddingDay extends, ends or raises, and answers with the day's own words. What the
// day refuses is KindInvalid with its reason; KindNotFound: it does not run.
func (l *Launcher) CommandWeddingDay(ctx context.Context, c models.WeddingDayCommand) (models.WeddingDayAnswer, error) {
	const op = "launch.CommandWeddingDay"
	var name string
	var request any
	switch c.Action {
	case models.WeddingDayExtend:
		name, request = workflows.UpdateExtend, workflows.ExtendRequest{WeddingID: c.WeddingID, Until: c.Until, Actor: c.Actor, Reason: c.Reason}
	case models.WeddingDayEnd:
		name, request = workflows.UpdateEnd, workflows.EndRequest{WeddingID: c.WeddingID, Actor: c.Actor, Reason: c.Reason}
	case models.WeddingDayRaise:
		name, request = workflows.UpdateRaiseFloor, workflows.RaiseRequest{
			Service: c.Service, Replicas: c.Replicas, Until: c.Until, WeddingID: c.WeddingID, Bounded: c.Bounded, Actor: c.Actor, Reason: c.Reason,
		}
	default:
		return models.WeddingDayAnswer{}, models.Invalid("action", c.Action, "must be one of extend, end, raise_floor")
	}
	id := workflows.WeddingDayID(c.Date, c.Region)
	if _, err := parseID(id); err != nil {
		return models.WeddingDayAnswer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*l.o.Timeout)
	defer cancel()
	options := client.UpdateWorkflowOptions{WorkflowID: id, UpdateName: name, Args: []any{request}, WaitForStage: client.WorkflowUpdateStageCompleted}
	if c.RequestID != "" {
		options.UpdateID = name + "/" + c.RequestID
	}
	handle, err := l.o.Client.UpdateWorkflow(ctx, options)
	var answer models.WeddingDayAnswer
	if err == nil {
		err = handle.Get(ctx, &answer)
	}
	if err != nil {
		return models.WeddingDayAnswer{}, refused(op, id, err)
	}
	return answer, nil
}

// CancelWeddingDay ends a date's workflow: what it reserved is released.
func (l *Launcher) CancelWeddingDay(ctx context.Context, date, region, actor, reason string) error {
	return l.cancel(ctx, workflows.WeddingDayID(date, region), actor, reason)
}

// WeddingChanged tells the days that a wedding belongs and belonged to, whether its date or
// its region moved or not. before is nil for a new one. Within the week ahead a day that
// does not run is started, where days start by themselves.
func (l *Launcher) WeddingChanged(ctx context.Context, before *models.Wedding, after models.Wedding, actor string) error {
	message := workflows.WeddingChanged{WeddingID: after.ID, Actor: actor}
	signal := workflows.SignalWeddingMoved
	switch {
	case after.Status == models.WeddingCancelled:
		signal = workflows.SignalWeddingCancelled
	case before == nil || before.Status == models.WeddingCancelled:
		signal = workflows.SignalWeddingAdded
	}
	errs := []error{l.tellDay(ctx, after.WeddingDate, after.Region, signal, message)}
	if before != nil && (before.WeddingDate != after.WeddingDate || before.Region != after.Region) {
		errs = append(errs, l.tellDay(ctx, before.WeddingDate, before.Region, workflows.SignalWeddingMoved, message))
	}
	now := time.Now()
	if l.o.WeddingDays && signal != workflows.SignalWeddingCancelled && after.EndsAt.After(now) && after.StartsAt.Before(now.Add(daysAhead)) {
		_, err := l.StartWeddingDay(ctx, after.WeddingDate, "", actor)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// tellDay signals the day of a date and that of its region. One that does not run needs no
// word: it reads the calendar when it starts.
func (l *Launcher) tellDay(ctx context.Context, date, region, signal string, message workflows.WeddingChanged) error {
	var errs []error
	for _, id := range []string{workflows.WeddingDayID(date, ""), workflows.WeddingDayID(date, region)} {
		if _, err := parseID(id); err != nil {
			continue // a region of free text has no day of its own
		}
		if err := l.signal(ctx, "launch.WeddingChanged", id, signal, message); err != nil && models.KindOf(err) != models.KindNotFound {
			errs = append(errs, fmt.Errorf("%s: %w", id, err))
		}
		if region == "" {
			break
		}
	}
	return errors.Join(errs...)
}
