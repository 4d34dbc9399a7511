package scaling

import (
	"fmt"
	"math"

	"github.com/wedsync/scalability/models"
)

// Decide says how many replicas a service is to have, and why. The explanation's
// DecisionID is left to the caller. The steps, in order:
//
//	readable   without replicas or a usable catalogue entry nothing is changed
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
	d.updatePanic() // also when nothing can be read: a spike is told only once
	if why := d.unreadable(); why != "" {
		d.holdUnread(why)
		return d.close()
	}
	d.judgeSignals()
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
	unread   bool // nothing could be decided
	demand   int  // largest used demand candidate
	known    bool // some demand candidate could be used
	floor    int  // largest floor
	raw      need // largest candidate
	firm     need // largest candidate that no dead-band or step limit holds off
	driver   need // what the result comes from: raw, or firm where raw was held off
}

// need is a number of replicas with what asks for it.
type need struct {
	n     int
	class models.Class
	why   string
}

// epsilon keeps 3.0000000001 replicas from becoming four.
const epsilon = 1e-9

// mostReplicas is more than any catalogue allows. Numbers beyond it are cut, since a
// float that does not fit an int becomes a negative one.
const mostReplicas = 1_000_000

// ceil rounds up to whole replicas, from 0 to mostReplicas.
func ceil(x float64) int { return whole(math.Ceil(x - epsilon)) }

func whole(x float64) int {
	if !(x > 0) {
		return 0
	}
	return int(math.Min(x, mostReplicas))
}

// open fills what is known before anything is decided.
func (d *decision) open() {
	d.out = models.Explanation{
		Service: d.name(), At: d.in.Now, PolicyVersion: d.policy.Version, InputsHash: hash(d.in),
		Mode: d.mode(), Class: models.ClassHold, Gaps: d.obs.Gaps,
		Candidates: []models.Candidate{}, Shaping: []models.Shaping{}, Caps: []models.Cap{},
	}
}

// name is known from the replicas where the catalogue could not be read.
func (d *decision) name() models.ServiceName {
	if d.svc.Name == "" && d.obs.Replicas != nil {
		return d.obs.Replicas.Service
	}
	return d.svc.Name
}

func (d *decision) mode() string {
	switch {
	case d.in.Paused:
		return "paused"
	case d.in.Shadow:
		return "shadow"
	case d.frozen() != nil:
		return "freeze"
	default:
		return "normal"
	}
}

// frozen gives the reservation that freezes the service, if one does.
func (d *decision) frozen() *models.Reservation { return d.reserved(models.ReservationFreeze) }

// unreadable says why nothing can be decided, "" when all that is needed was read.
// Bounds that contradict each other, as those of an empty catalogue entry do, would
// clamp any need to nonsense.
func (d *decision) unreadable() string {
	r, s := d.obs.Replicas, d.svc
	switch {
	case r == nil:
		return "the replicas could not be read"
	case r.Spec < 0 || r.Ready < 0 || r.Spec > mostReplicas:
		return fmt.Sprintf("the replicas that were read are impossible (spec %d, ready %d)", r.Spec, r.Ready)
	case s.Name == "":
		return "the catalogue could not be read"
	case s.MinReplicas < 0 || s.MaxReplicas < max(s.MinReplicas, 1) || s.AbsoluteMaxReplicas < s.MaxReplicas:
		return fmt.Sprintf("the catalogue's bounds contradict each other (minimum %d, maximum %d, absolute maximum %d)", s.MinReplicas, s.MaxReplicas, s.AbsoluteMaxReplicas)
	default:
		return ""
	}
}

// holdUnread keeps what is there: nobody knows from what to scale, or how far.
func (d *decision) holdUnread(why string) {
	d.unread = true
	d.out.Class, d.out.BindingReason = models.ClassFailsafe, why
	if d.obs.Replicas != nil {
		d.out.Desired = d.obs.Replicas.Spec
	}
}

func (d *decision) cur() int { return d.obs.Replicas.Spec }

// combine takes the largest candidate. Without any usable demand the current spec is a
// candidate too: what is missing removes nothing. After a fall that looks like an
// outage the needs of the time before are one: the people are still there.
func (d *decision) combine() {
	d.candidate(models.Candidate{By: "min", N: d.svc.MinReplicas, Why: "the minimum of the service"}, models.ClassSteady)
	if !d.known {
		d.candidate(models.Candidate{By: "current", N: d.cur(), Why: d.quality.blindReason()}, models.ClassFailsafe)
	}
	d.next.remember(d.in.Now, d.raw.n, d.cur())
	if before := d.next.largest(d.in.Now.Add(-suspectHold)); d.quality.suspect && before > d.raw.n {
		d.candidate(models.Candidate{By: "before_fall", Quality: models.QualitySuspectLow, N: before, Why: fmt.Sprintf("%d were needed before load fell while the service looked ill", before)}, models.ClassReactive)
	}
	d.driver = d.raw
	d.out.Raw = d.raw.n
}

// candidate records a used candidate and takes it into the need.
func (d *decision) candidate(c models.Candidate, class models.Class) {
	c.Used = true
	d.out.Candidates = append(d.out.Candidates, c)
	d.take(need{c.N, class, c.Why})
}

// take raises the raw need and notes what it comes from. The minimum, floors and panic
// are firm; measured demand and forecasts are shaped.
func (d *decision) take(n need) {
	if n.n > d.raw.n {
		d.raw = n
	}
	shaped := n.class == models.ClassReactive || n.class == models.ClassForecast
	if !shaped && n.n > d.firm.n {
		d.firm = n
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
	}
	if !d.unread {
		d.direct()
		e.Counterfactual = counterfactual(d.obs)
		if cost := d.svc.CostPerReplicaHour; finite(cost) {
			e.CostDeltaHour = float64(e.Desired-e.Current) * cost
		}
	}
	e.Text = sentence(*e, d.obs.Replicas != nil, d.driver.why)
	return d.out, d.next
}

// direct sets direction and class from desired, and remembers when capacity was to
// move: a scale-in waits after an order, whatever became of it, and what only holds
// back may be remembered too often but not too seldom. A shadowed decision keeps its
// direction but is not remembered: nothing moves.
func (d *decision) direct() {
	e := &d.out
	now := d.in.Now
	switch {
	case e.Desired > e.Current:
		e.Direction, e.Class = models.DirectionUp, d.driver.class
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
		e.BindingReason = d.driver.why
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
