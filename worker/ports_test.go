package worker_test

import (
	"context"
	"errors"
	"time"

	"github.com/wedsync/scalability/activities"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/worker"
)

// nothing is a world in which nothing can be read: autoscalers hold, and go round.
type nothing struct{}

var errAway = errors.New("away")

func (nothing) Service(context.Context, models.ServiceName) (models.Service, error) {
	return models.Service{}, errAway
}
func (nothing) Services(context.Context) ([]models.Service, error) { return nil, errAway }
func (nothing) Signals(context.Context, models.ServiceName, time.Time) ([]models.Signal, error) {
	return nil, errAway
}
func (nothing) ActiveReservations(context.Context, models.ServiceName, time.Time) ([]models.Reservation, error) {
	return nil, errAway
}
func (nothing) OpenRequests(context.Context, models.ServiceName) ([]models.DecisionRequest, error) {
	return nil, errAway
}
func (nothing) Describe(context.Context, models.ServiceName) (models.ReplicaSet, error) {
	return models.ReplicaSet{}, errAway
}
func (nothing) Apply(context.Context, models.ApplyRequest) (models.ApplyResult, error) {
	return models.ApplyResult{}, errAway
}
func (nothing) SaveScalingState(context.Context, models.ScalingState) error { return nil }

func still() worker.Activities {
	n := nothing{}
	return worker.Activities{
		Observer: &activities.Observer{Catalogue: n, Signals: n, Claims: n, Actuator: n, Now: time.Now},
		Recorder: &activities.Recorder{States: n},
	}
}
