package activities

import (
	"context"
	"sync"
	"time"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

// readDisturbance asks what else could make load fall, where it does fall: at other times
// nobody would look at the answer. One that could not be read is a gap: people who cannot
// get in have not gone home.
func (o *Observer) readDisturbance(ctx context.Context, g *gatherer, obs *models.Observation) {
	deployed := o.memory.templates.changed(obs.Replicas, obs.At)
	t, ok := obs.Signal(models.MetricThroughput)
	if !ok || !scaling.Falls(t) {
		return
	}
	d := &models.Disturbance{DeployedAt: deployed}
	obs.Disturbance = d
	others := &gatherer{ctx: ctx}
	for _, name := range models.ServiceNames() {
		if name == obs.Service.Name {
			d.FallingServices++
			continue
		}
		read(others, string(name), func(ctx context.Context) ([]models.Signal, error) { return o.Signals.Signals(ctx, name, obs.At) },
			func(s []models.Signal) {
				if t, ok := (models.Observation{Signals: s}).Signal(models.MetricThroughput); ok && scaling.Falls(t) {
					d.FallingServices++
				}
			})
	}
	if teller, ok := o.Actuator.(DisturbanceReader); ok {
		read(g, "what was done to the service", func(ctx context.Context) (models.Disturbance, error) {
			return teller.Disturbance(ctx, obs.Service.Name)
		}, func(told models.Disturbance) {
			d.HealthyShare = told.HealthyShare
			if at := told.DeployedAt; at != nil && (d.DeployedAt == nil || at.After(*d.DeployedAt)) {
				d.DeployedAt = at
			}
		})
	}
	if len(others.wait()) > 0 {
		obs.Gaps = append(obs.Gaps, "whether other services fall too could not be read")
	}
}

// templates remembers from what each service's replicas are made, to see a deployment.
type templates struct {
	mu sync.Mutex
	of map[models.ServiceName]template
}

type template struct {
	name string
	at   *time.Time // of the change to it; nil: it was there when we came
}

// changed gives when the template that is in use now came, nil where that was not seen.
func (t *templates) changed(set *models.ReplicaSet, now time.Time) *time.Time {
	if set == nil || set.Template == "" {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil {
		t.of = map[models.ServiceName]template{}
	}
	before, known := t.of[set.Service]
	if known && before.name == set.Template {
		return before.at
	}
	next := template{name: set.Template}
	if known {
		next.at = &now
	}
	t.of[set.Service] = next
	return next.at
}
