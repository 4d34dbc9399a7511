package scaling

import (
	"math"

	"github.com/wedsync/scalability/models"
)

// Decide says how many replicas a service is to have, and why. The explanation's
// DecisionID is left to the caller. The steps, in order:
//
//	quality    which signals can be trusted, and may capacity be removed at all
//	candidates what measured demand, forecast and reservations each ask for
//	combine    the largest of them: the raw need
//	shape      dead-bands, step limits and the rules that hold a scale-in back
//	cap        the ceilings, in order; what they cut off is a deficit
//
// Replicas that are ordered and on their way count as capacity: the result is a spec.
func Decide(in Inputs) (models.Explanation, State) {
	d := &decision{in: in, obs: in.Observation, svc: in.Observation.Service, policy: in.Observation.Service.Policy, next: in.State.clone()}
	d.open()
	if d.obs.Replicas == nil {
		d.holdUnread()
		return d.close()
	}
	d.judgeSignals()
	d.updatePanic()
	d.demandCandidates()
	d.forecastCandidate()
	d.floorCandidates()
	d.combine()
	d.shape()
	d.cap()
	return d.close()
}

// decision is the working state of one evaluation.
type decision struct {
	in     Inputs
	obs    models.Observation
	svc    models.Service
	policy models.ScalingPolicy
	next   State
	out    models.Explanation

	quality  signals
	panicked bool
	demand   int  // largest used demand candidate
	known    bool // some demand candidate could be used
	floor    int  // largest floor
	raw      int
	driver   models.Class // what the raw need comes from
	binding  string       // the reason of the candidate or rule that decided
}

// epsilon keeps 3.0000000001 replicas from becoming four.
const epsilon = 1e-9

func ceil(x float64) int { return int(math.Ceil(x - epsilon)) }

// open fills what is known before anything is decided.
func (d *decision) open() {
	d.out = models.Explanation{
		Service: d.svc.Name, At: d.in.Now, PolicyVersion: d.policy.Version, InputsHash: hash(d.in),
		Mode: d.mode(), Class: models.ClassHold, Gaps: d.obs.Gaps,
		Candidates: []models.Candidate{}, Shaping: []models.Shaping{}, Caps: []models.Cap{},
	}
}

func (d *decision) mode() string {
	switch {
	case d.in.Paused:
		return "paused"
	case d.in.Shadow:
		return "shadow"
	case d.reserved(models.ReservationFreeze) != nil:
		return "freeze"
	default:
		return "normal"
	}
}

// holdUnread is the answer where the actuator could not be read: nobody knows from
// what to scale, so nothing is written.
func (d *decision) holdUnread() {
	d.out.Class = models.ClassFailsafe
	d.out.BindingReason = "the replicas could not be read"
}

func (d *decision) cur() int { return d.obs.Replicas.Spec }

// combine takes the largest candidate. Without any usable demand the current spec is a
// candidate too: what is missing removes nothing.
func (d *decision) combine() {
	d.take(d.svc.MinReplicas, models.ClassSteady, "the minimum of the service")
	if !d.known {
		d.take(d.cur(), models.ClassFailsafe, d.quality.blindReason())
	}
	d.out.Raw = d.raw
	d.next.remember(d.in.Now, d.raw)
}

// take raises the raw need to n and notes what it comes from.
func (d *decision) take(n int, class models.Class, why string) {
	if n > d.raw {
		d.raw, d.driver, d.binding = n, class, why
	}
}

// note records a shaping rule and its effect.
func (d *decision) note(rule, effect string) {
	d.out.Shaping = append(d.out.Shaping, models.Shaping{Rule: rule, Effect: effect})
}

// close derives direction, cost, counterfactual and the sentence.
func (d *decision) close() (models.Explanation, State) {
	e := &d.out
	if r := d.obs.Replicas; r != nil {
		e.Current, e.Ready, e.Pending = r.Spec, r.Ready, r.Pending()
		d.direct()
		e.CostDeltaHour = float64(e.Desired-e.Current) * d.svc.CostPerReplicaHour
		e.Counterfactual = counterfactual(d.obs)
	}
	e.Text = sentence(*e, d.obs)
	return d.out, d.next
}

// direct sets direction and class from desired, and remembers when capacity moved. A
// shadowed decision keeps its direction but is not remembered: nothing moves.
func (d *decision) direct() {
	e := &d.out
	now := d.in.Now
	switch {
	case e.Desired > e.Current:
		e.Direction, e.Class = models.DirectionUp, d.driver
		if !d.in.Shadow {
			d.next.LastUpAt = &now
		}
	case e.Desired < e.Current:
		e.Direction = models.DirectionDown
		if e.Class != models.ClassCap {
			e.Class = models.ClassSteady
		}
		if !d.in.Shadow {
			d.next.LastDownAt = &now
		}
	case e.Class != models.ClassFailsafe:
		e.Class = models.ClassHold
	}
	if e.BindingReason == "" {
		e.BindingReason = d.binding
	}
}

// reserved finds the first active reservation of a kind.
func (d *decision) reserved(kind models.ReservationKind) *models.Reservation {
	for i, r := range d.obs.Reservations {
		if r.Kind == kind && r.ActiveAt(d.in.Now) {
			return &d.obs.Reservations[i]
		}
	}
	return nil
}
