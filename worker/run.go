package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
)

const (
	// stopTimeout is how long activities that run get to end.
	stopTimeout = 10 * time.Second
	// deadlockTimeout is longer than the second of the SDK: on a machine that is short of cpu a
	// workflow that is merely slow would fail its task, and a person's command with it.
	deadlockTimeout = 5 * time.Second
	// firstRetry and lastRetry bound the waits while Temporal is away.
	firstRetry = 500 * time.Millisecond
	lastRetry  = 10 * time.Second
)

// Options is what a worker needs.
type Options struct {
	Client     client.Client
	TaskQueue  string
	Namespace  string // of Client, to register search attributes in; "" = default
	Activities Activities

	// Services have an autoscaler each, while AutoScaling is on.
	Services      []models.ServiceName
	AutoScaling   bool
	Interval      time.Duration // between evaluations
	ContinueEvery int           // evaluations per run
	Shadow        bool          // decide and explain, change nothing
	KillSwitch    bool          // change nothing anywhere
	ApprovalWait  time.Duration // for a person who has to agree; 0: 15 min

	// Seasons come each year.
	Seasons []activities.SeasonDefinition

	MetricsRetentionDays int
	AuditRetentionDays   int

	Log *slog.Logger
}

func (o Options) log() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}

// Run works until ctx ends, and then lets running activities end. Temporal may be away at
// the start and at any time later. The standing runs are put in place when it answers.
func Run(ctx context.Context, o Options) error {
	if o.Client == nil || o.TaskQueue == "" {
		return errors.New("worker.Run: a client and a task queue are required")
	}
	fatal := make(chan error, 1)
	w, err := start(ctx, o, fatal)
	if err != nil {
		return err
	}
	defer w.Stop()
	o.log().InfoContext(ctx, "worker started", "taskQueue", o.TaskQueue)
	ensured := make(chan error, 1)
	ensuring, stop := context.WithCancel(ctx)
	defer stop()
	go func() { ensured <- ensure(ensuring, o) }()
	for {
		select {
		case <-ctx.Done():
			o.log().Info("worker stops") //nolint:sloglint // its context has ended
			return nil
		case err := <-fatal:
			return fmt.Errorf("worker.Run: %w", err)
		case err := <-ensured:
			if err != nil && ctx.Err() == nil {
				return fmt.Errorf("worker.Run: %w", err)
			}
			ensured = nil
		}
	}
}

// start makes a worker until one could be started: a start that failed cannot be
// repeated. A context that ends is no error.
func start(ctx context.Context, o Options, fatal chan<- error) (worker.Worker, error) {
	var w worker.Worker
	err := retry(ctx, o.log(), "start", func() error {
		w = worker.New(o.Client, o.TaskQueue, worker.Options{
			WorkerStopTimeout: stopTimeout, DeadlockDetectionTimeout: deadlockTimeout,
			OnFatalError: func(err error) {
				select {
				case fatal <- err:
				default:
				}
			},
		})
		Register(w, o.Activities)
		return w.Start()
	})
	if err != nil {
		return nil, fmt.Errorf("worker.Run: %w", err)
	}
	return w, nil
}

// ensure puts the standing runs in place.
func ensure(ctx context.Context, o Options) error {
	if err := retry(ctx, o.log(), "search attributes", func() error { return EnsureSearchAttributes(ctx, o) }); err != nil {
		return err
	}
	if err := retry(ctx, o.log(), "schedules", func() error { return EnsureSchedules(ctx, o) }); err != nil {
		return err
	}
	if !o.AutoScaling {
		return retry(ctx, o.log(), "autoscalers", func() error { return CancelAutoscalers(ctx, o) })
	}
	return retry(ctx, o.log(), "autoscalers", func() error { return EnsureAutoscalers(ctx, o) })
}

// retry repeats until f succeeds or ctx ends, whose error is then the answer.
func retry(ctx context.Context, log *slog.Logger, what string, f func() error) error {
	wait := firstRetry
	for {
		err := f()
		if err == nil {
			return nil
		}
		log.WarnContext(ctx, "Temporal did not take it; it is tried again", "what", what, "error", err, "in", wait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, lastRetry)
	}
}
