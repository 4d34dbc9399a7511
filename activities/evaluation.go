package activities

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

// evaluation makes the record of one evaluation.
func evaluation(in scaling.Inputs, e models.Explanation) (models.Evaluation, error) {
	const op = "activities.SaveState"
	made, err := json.Marshal(e)
	if err != nil {
		return models.Evaluation{}, fmt.Errorf("%s: %w", op, err)
	}
	from, err := json.Marshal(in)
	if err != nil {
		return models.Evaluation{}, fmt.Errorf("%s: %w", op, err)
	}
	row := models.Evaluation{
		Service: e.Service, At: e.At, DecisionID: e.DecisionID, Policy: e.PolicyVersion, InputsHash: e.InputsHash, Mode: e.Mode,
		Ready: e.Ready, Pending: e.Pending, Raw: e.Raw, Desired: e.Desired, Class: e.Class, Direction: e.Direction,
		CostPerReplicaHour: in.Observation.Service.CostPerReplicaHour, Text: e.Text, Explanation: made, Inputs: from,
		CapacityRPS: capacity(in.Observation), Starts: starts(in.Observation),
	}
	if in.Observation.Replicas != nil {
		row.Spec = &e.Current
	}
	return row, nil
}

// What a moment must be like to say what a replica can serve.
const (
	calmFor          = time.Minute // no replica came: the means are over as long
	fewestSeconds    = 0.5         // of that minute with a sample: load and use are of the same ones
	leastUtilisation = 0.3         // below, the idle use of a replica tells more than the load
	mostUtilisation  = 0.9         // above, requests wait or fail, and the load is not what was served
)

// capacity is what one replica would serve at 100 %, in requests per second: load ÷
// (ready replicas · utilisation), by the utilisation law. Nil where the moment says nothing
// of it: capacity moves, samples are missing, or the use is too low or too high.
func capacity(obs models.Observation) *float64 {
	set := obs.Replicas
	if set == nil || set.Ready == 0 || set.Ready != set.Spec {
		return nil
	}
	for _, r := range set.Replicas {
		if r.Phase != models.ReplicaReady || r.ReadyAt == nil || obs.At.Sub(*r.ReadyAt) < calmFor {
			return nil
		}
	}
	load, used := minuteMean(obs, models.MetricThroughput), minuteMean(obs, models.MetricCPU)
	if !(load > 0 && used >= leastUtilisation && used <= mostUtilisation) {
		return nil
	}
	kappa := load / (float64(set.Ready) * used)
	return &kappa
}

// minuteMean is the mean of the last minute; 0 where it is not whole.
func minuteMean(obs models.Observation, m models.MetricName) float64 {
	s, ok := obs.Signal(m)
	if !ok || s.Avg60 == nil || s.Snapshot || s.Completeness < fewestSeconds {
		return 0
	}
	return *s.Avg60
}

// startsWithin is how long after its start a replica is still recorded: an autoscaler that
// stood still for a while misses none.
const startsWithin = time.Hour

// starts are the replicas that were ordered of late and have started, or fail to. Those
// that were ready when they were ordered were there before anybody looked.
func starts(obs models.Observation) []models.Replica {
	if obs.Replicas == nil {
		return nil
	}
	var out []models.Replica
	for _, r := range obs.Replicas.Replicas {
		started := r.Phase == models.ReplicaReady && r.ReadyAt != nil && r.ReadyAt.After(r.OrderedAt)
		if (started || r.Phase == models.ReplicaCrashing && r.ReadyAt == nil) && obs.At.Sub(r.OrderedAt) < startsWithin {
			out = append(out, r)
		}
	}
	return out
}
