package launch

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

const (
	checkAge = 3 * time.Second // an answer younger than this is given again
	// pollerAge is how long ago the last worker may have asked for work: one that waits
	// asks again after a minute.
	pollerAge = 90 * time.Second
)

// Check is the health of the scaling engine: Temporal answers, a worker asks for work, and
// the autoscaler of each service runs.
func (l *Launcher) Check(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock() // callers at the same time share one answer
	if !l.checked.IsZero() && time.Since(l.checked) < checkAge {
		return l.health
	}
	err := l.check(ctx)
	if ctx.Err() == nil {
		l.checked, l.health = time.Now(), err
	}
	return err
}

func (l *Launcher) check(ctx context.Context) error {
	ctx, cancel := l.bounded(ctx)
	defer cancel()
	if err := l.checkWorker(ctx); err != nil {
		return err
	}
	for _, service := range models.ServiceNames() {
		if err := l.checkAutoscaler(ctx, service); err != nil {
			return err
		}
	}
	return nil
}

func (l *Launcher) checkAutoscaler(ctx context.Context, service models.ServiceName) error {
	const op = "launch.Check"
	id := workflows.AutoscaleID(service)
	// Not by a list query: lists lag behind, and a run that continues as new is gone for
	// a moment.
	res, err := l.o.Client.DescribeWorkflowExecution(ctx, id, "")
	var missing *serviceerror.NotFound
	switch {
	case errors.As(err, &missing):
		return models.Unavailable(op, fmt.Errorf("%s was never started", id))
	case err != nil:
		return classify(op, id, err)
	case !running(res.GetWorkflowExecutionInfo()):
		return models.Unavailable(op, fmt.Errorf("%s does not run: it is %s", id, statusOf(res.GetWorkflowExecutionInfo().GetStatus())))
	}
	return nil
}

func (l *Launcher) checkWorker(ctx context.Context) error {
	const op = "launch.Check"
	res, err := l.o.Client.DescribeTaskQueue(ctx, l.o.TaskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return classify(op, l.o.TaskQueue, err)
	}
	for _, p := range res.GetPollers() {
		if time.Since(p.GetLastAccessTime().AsTime()) < pollerAge {
			return nil
		}
	}
	return models.Unavailable(op, fmt.Errorf("no worker asks for work on task queue %s", l.o.TaskQueue))
}
