package fleet

import (
	"fmt"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
)

// keptKeys bounds the idempotency keys that are remembered per service.
const keptKeys = 1000

// usedKey is an order that was answered.
type usedKey struct {
	Key     string    `json:"key"`
	Desired int       `json:"desired"`
	At      time.Time `json:"at"`
}

// OrderCount counts the orders of a service since the fleet began, so that anyone can
// see that none was carried out twice.
type OrderCount struct {
	Applied      int `json:"applied"` // changed the spec
	NoOps        int `json:"noOps"`
	Refused      int `json:"refused"`
	DistinctKeys int `json:"distinctKeys"` // of the orders that were answered
}

// Describe is the capacity of a service as it stands.
func (p *Plant) Describe(name models.ServiceName) (models.ReplicaSet, error) {
	svc, err := p.find(name)
	if err != nil {
		return models.ReplicaSet{}, err
	}
	set := models.ReplicaSet{
		Service: name, Spec: svc.spec, Ready: len(svc.ready()), Generation: svc.generation,
		ObservedAt: p.now, Template: svc.set.Template, Replicas: make([]models.Replica, 0, len(svc.replicas)),
	}
	for _, r := range svc.replicas {
		set.Replicas = append(set.Replicas, r.Replica)
	}
	for _, f := range svc.faults.active(p.now) {
		switch f.Kind {
		case FaultRollout:
			set.Rollout = "injected"
		case FaultWriter:
			set.Writers = append(set.Writers, "injected")
		default: // of replicas or calls
		}
	}
	return set, nil
}

// DryRun says whether an order would be taken now, and changes nothing.
func (p *Plant) DryRun(req models.ApplyRequest) error {
	svc, err := p.find(req.Service)
	if err != nil {
		return err
	}
	if err := checkOrder(svc.set, req); err != nil {
		return err
	}
	if svc.spec != req.ExpectedSpec && svc.spec != req.Desired {
		return conflict("expectedSpec", req.ExpectedSpec, fmt.Sprintf("the spec has moved: it is %d", svc.spec))
	}
	return nil
}

// Apply carries out an order as models.ApplyRequest says. A key that was answered
// before changes nothing, whatever the spec is now; with another target it is refused.
func (p *Plant) Apply(req models.ApplyRequest) (models.ApplyResult, error) {
	svc, err := p.find(req.Service)
	if err != nil {
		return models.ApplyResult{}, err
	}
	res, err := p.apply(svc, req)
	switch {
	case err != nil:
		svc.orders.Refused++
		return models.ApplyResult{}, err
	case res.Outcome == models.ApplyApplied:
		svc.orders.Applied++
	default:
		svc.orders.NoOps++
	}
	res.Observed, err = p.Describe(req.Service)
	return res, err
}

func (p *Plant) apply(svc *service, req models.ApplyRequest) (models.ApplyResult, error) {
	if err := checkOrder(svc.set, req); err != nil {
		return models.ApplyResult{}, err
	}
	if i := slices.IndexFunc(svc.keys, func(k usedKey) bool { return k.Key == req.Key }); i >= 0 {
		used := svc.keys[i]
		if used.Desired != req.Desired {
			return models.ApplyResult{}, conflict("key", req.Key, fmt.Sprintf("was used for an order of %d replicas", used.Desired))
		}
		return noOp(fmt.Sprintf("this order was carried out at %s", used.At.UTC().Format(time.RFC3339))), nil
	}
	if !req.NotAfter.IsZero() && p.now.After(req.NotAfter) {
		return models.ApplyResult{}, &models.Error{
			Kind: models.KindExpired, Field: "notAfter", Value: req.NotAfter.UTC().Format(time.RFC3339Nano),
			Rule: "has passed; decide again on what is observed now",
		}
	}
	if svc.spec == req.Desired {
		svc.remember(req, p.now)
		return noOp(fmt.Sprintf("the spec is %d already", svc.spec)), nil
	}
	if svc.spec != req.ExpectedSpec {
		return models.ApplyResult{}, conflict("expectedSpec", req.ExpectedSpec, fmt.Sprintf("the spec has moved: it is %d", svc.spec))
	}
	return p.change(svc, req), nil
}

// change moves the spec and creates or removes replicas.
func (p *Plant) change(svc *service, req models.ApplyRequest) models.ApplyResult {
	from := svc.spec
	svc.spec = req.Desired
	svc.generation++
	svc.remember(req, p.now)
	for len(svc.replicas) < svc.spec {
		p.order(svc)
	}
	if n := len(svc.replicas) - svc.spec; n > 0 {
		svc.remove(n, req.Victims, p.now)
	}
	return models.ApplyResult{Outcome: models.ApplyApplied, Reason: fmt.Sprintf("spec %d → %d", from, svc.spec)}
}

func (s *service) remember(req models.ApplyRequest, now time.Time) {
	s.orders.DistinctKeys++
	s.keys = append(s.keys, usedKey{Key: req.Key, Desired: req.Desired, At: now})
	if len(s.keys) > keptKeys {
		s.keys = slices.Delete(s.keys, 0, len(s.keys)-keptKeys)
	}
}

func checkOrder(set ServiceSettings, req models.ApplyRequest) error {
	ceiling := maxReplicas
	if set.Quota > 0 {
		ceiling = set.Quota
	}
	switch {
	case req.Key == "" || len(req.Key) > 200:
		return models.Invalid("key", req.Key, "must have 1 to 200 characters")
	case req.Desired < 0 || req.Desired > ceiling:
		return models.Invalid("desired", req.Desired, fmt.Sprintf("must be from 0 to %d, what the provider allows", ceiling))
	case req.ExpectedSpec < 0:
		return models.Invalid("expectedSpec", req.ExpectedSpec, "must not be negative")
	case len(req.Victims) > maxReplicas:
		return &models.Error{Kind: models.KindTooLarge, Field: "victims", Rule: fmt.Sprintf("at most %d", maxReplicas)}
	}
	return nil
}

func noOp(reason string) models.ApplyResult {
	return models.ApplyResult{Outcome: models.ApplyNoOp, Reason: reason}
}

func conflict(field string, value any, rule string) error {
	e := models.Invalid(field, value, rule)
	e.Kind = models.KindConflict
	return e
}

// Limits gives the ceilings of a service. The connections of the other services count
// as ordered, not as held: replicas on their way will take theirs.
func (p *Plant) Limits(name models.ServiceName) (models.Limits, error) {
	svc, err := p.find(name)
	if err != nil {
		return models.Limits{}, err
	}
	var l models.Limits
	if svc.set.Quota > 0 {
		quota := svc.set.Quota
		l.Quota = &quota
	}
	if svc.set.Schedulable > 0 {
		room := max(0, svc.set.Schedulable-svc.spec)
		l.SchedulableHeadroom = &room
	}
	l.Downstream = slices.Clone(svc.set.Downstream)
	if svc.set.ConnectionsPerReplica > 0 {
		l.Database = &models.DatabaseLimit{
			MaxConnections: p.settings.DatabaseConnections, Reserved: p.settings.DatabaseReserved,
			OtherUsers: p.orderedByOthers(svc), PerReplica: svc.set.ConnectionsPerReplica,
		}
	}
	return l, nil
}

func (p *Plant) orderedByOthers(svc *service) int {
	n := 0
	for _, o := range p.services {
		if o != svc {
			n += max(o.spec*o.set.ConnectionsPerReplica, o.connections())
		}
	}
	return n
}
