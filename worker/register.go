package worker

import (
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/workflows"
)

// Activities are the effects that a worker offers. Nil ones are registered without their
// ports, which is enough for replay.
type Activities struct {
	Observer   *activities.Observer
	Decider    activities.Decider
	Operator   *activities.Operator
	Recorder   *activities.Recorder
	Maintainer *activities.Maintainer
	WeddingDay *activities.WeddingDayKeeper
	Seasons    *activities.Seasons
}

// Register makes the workflows and activities known under the names of the contract.
func Register(r worker.Registry, a Activities) {
	for name, w := range map[string]any{
		workflows.AutoscaleType:   workflows.Autoscale,
		workflows.ScaleUpType:     workflows.ScaleUp,
		workflows.ScaleDownType:   workflows.ScaleDown,
		workflows.MaintenanceType: workflows.Maintenance,
		workflows.WeddingDayType:  workflows.WeddingDay,

		workflows.SeasonPreparationType: workflows.SeasonPreparation,
		workflows.SeasonDueType:         workflows.SeasonDue,
	} {
		r.RegisterWorkflowWithOptions(w, workflow.RegisterOptions{Name: name})
	}
	r.RegisterActivity(orEmpty(a.Observer))
	r.RegisterActivity(&a.Decider)
	r.RegisterActivity(orEmpty(a.Operator))
	r.RegisterActivity(orEmpty(a.Recorder))
	r.RegisterActivity(orEmpty(a.Maintainer))
	r.RegisterActivity(orEmpty(a.WeddingDay))
	r.RegisterActivity(orEmpty(a.Seasons))
}

func orEmpty[T any](p *T) *T {
	if p == nil {
		return new(T)
	}
	return p
}
