package scaling

import (
	"math"
	"time"

	"github.com/wedsync/scalability/models"
)

// Inputs is all that a decision is made from; Now is the only time it knows.
type Inputs struct {
	Now         time.Time          `json:"now"`
	Observation models.Observation `json:"observation"`
	Spike       *models.Spike      `json:"spike,omitempty"` // set on the fast path
	State       State              `json:"state"`
	InFlight    bool               `json:"inFlight"` // an operation runs: no scale-in
	Paused      bool               `json:"paused"`
	Shadow      bool               `json:"shadow"`               // decide as ever, nothing is carried out
	KillSwitch  bool               `json:"killSwitch,omitempty"` // nothing is changed anywhere
}

// Decide says how many replicas a service is to have, and why. The explanation's
// DecisionID is left to the caller. The steps, in order:
//
//	readable   without replicas or a usable catalogue entry nothing is changed
//	quality    which signals can be trusted, and may capacity be removed at all
//	candidates what measured demand, forecast, reservations and calendar each ask for
//	combine    the largest of them: the raw need
//	shape      dead-bands, step limits and the rules that hold a scale-in back
//	cap        the ceilings, in order; what they cut off is a deficit
//	close      urgency, plan, approval, cost, what others would have done, the sentence
//
// Replicas that are ordered and on their way count as capacity: the result is a spec.
func Decide(in Inputs) (models.Explanation, State) {
	d := decision{in: &in, obs: &in.Observation, svc: &in.Observation.Service, policy: &in.Observation.Service.Policy, next: in.State}
	d.open()
	d.updatePanic() // also when nothing can be read: a spike is told only once
	if why := d.unreadable(); why != "" {
		d.holdUnread(why)
		return d.close()
	}
	d.countReplicas()
	d.calibrate()
	d.judgeSignals()
	d.watch()
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
	in     *Inputs
	obs    *models.Observation
	svc    *models.Service
	policy *models.ScalingPolicy
	next   State
	out    models.Explanation

	u, kappa, certified float64 // target, capacity per replica, and the capacity that is sure
	start95             float64 // seconds from order to ready
	holdAfterUp         int     // seconds
	stabilisation       int     // seconds
	downShare           float64

	quality     signals
	pending     int // replicas on their way
	crashing    int // replicas that fail to start
	worked      int // replicas that the newest seconds of cpu tell of
	panicked    bool
	unread      bool                   // nothing could be decided
	known       bool                   // some demand candidate could be used
	trusted     bool                   // the forecast's record is good
	rate        int                    // what measured throughput asks for
	demand      int                    // largest used demand candidate
	measured    int                    // the same without what a panic remembers
	usual       int                    // what this hour of the week asks for
	floor       int                    // largest floor
	floorSoon   int                    // what the calendar asks for within half an hour
	foreseen    int                    // what a forecast with a good record asks for
	stepless    int                    // of it what passes the step limit
	static      int                    // what a schedule of the weddings would hold
	ceremony    *models.CalendarWindow // that holds a scale-in back
	calendarOld bool
	raw         need // largest candidate
	firm        need // largest candidate that no dead-band or step limit holds off
	driver      need // what the result comes from: raw, or firm where raw was held off

	scratch [512]byte // for the sentence in the making
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
		Service: d.name(), At: d.in.Now, PolicyVersion: d.policy.Version, InputsHash: fingerprint(d.in),
		Mode: d.mode(), Class: models.ClassHold, Gaps: d.obs.Gaps,
		Candidates: make([]models.Candidate, 0, 6+len(d.obs.Reservations)), Shaping: make([]models.Shaping, 0, 1), Caps: make([]models.Cap, 0, 5),
	}
}

// name is known from the replicas where the catalogue could not be read.
func (d *decision) name() models.ServiceName {
	if d.svc.Name == "" && d.obs.Replicas != nil {
		return d.obs.Replicas.Service
	}
	return d.svc.Name
}

// unreadable says why nothing can be decided, "" when all that is needed was read.
// Bounds that contradict each other, as those of an empty catalogue entry do, would
// clamp any need to nonsense.
func (d *decision) unreadable() string {
	r, s := d.obs.Replicas, d.svc
	switch {
	case r == nil:
		return "the replicas could not be read"
	case r.Spec < 0 || r.Ready < 0 || r.Spec > mostReplicas || r.Ready > mostReplicas:
		return d.line().s("the replicas that were read are impossible (spec ").n(r.Spec).s(", ready ").n(r.Ready).s(")").text()
	case s.Name == "":
		return "the catalogue could not be read"
	case s.MinReplicas < 0 || s.MaxReplicas < max(s.MinReplicas, 1) || s.AbsoluteMaxReplicas < s.MaxReplicas:
		return d.line().s("the catalogue's bounds contradict each other (minimum ").n(s.MinReplicas).s(", maximum ").n(s.MaxReplicas).
			s(", absolute maximum ").n(s.AbsoluteMaxReplicas).s(")").text()
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
	since := d.in.Now
	if d.next.UnreadSince == nil {
		d.next.UnreadSince = &since
	} else {
		since = *d.next.UnreadSince
	}
	if blind := d.in.Now.Sub(since); blind >= unreadAlert {
		d.flag("unreadable", models.FlagWarning, d.line().s(why).s(" for ").whole(blind.Seconds()).s(" s: nothing is changed").text())
	}
}

func (d *decision) cur() int { return d.obs.Replicas.Spec }

// countReplicas counts once what is asked for often, and keeps it for the next time.
func (d *decision) countReplicas() {
	r := d.obs.Replicas
	for i := range r.Replicas {
		switch r.Replicas[i].Phase {
		case models.ReplicaPending:
			d.pending++
		case models.ReplicaCrashing:
			d.crashing++
		case models.ReplicaReady:
		}
	}
	d.next.UnreadSince = nil
	d.next.Seen = &Capacity{At: d.in.Now, Spec: r.Spec, Ready: r.Ready}
	d.worked = r.Ready
	if before := d.in.State.Seen; before != nil && r.Ready > before.Ready && d.in.Now.Sub(before.At) <= mixedFor {
		from := *before
		if g := d.next.Grew; g != nil && d.in.Now.Sub(g.At) < mixedFor {
			from = *g
		}
		d.next.Grew = &Capacity{At: d.in.Now, Spec: from.Spec, Ready: from.Ready}
	}
	switch g := d.next.Grew; {
	case g == nil:
	case d.in.Now.Sub(g.At) < newestSpan:
		d.worked = min(r.Ready, g.Ready)
	case d.in.Now.Sub(g.At) > mixedFor:
		d.next.Grew = nil
	}
}

const (
	// newestSpan is how long the newest seconds' mean tells of replicas that were fewer.
	newestSpan = 8 * time.Second
	// mixedFor is how long growth is remembered, and evaluations belong together.
	mixedFor = 60 * time.Second
)

// combine takes the largest candidate. Without any usable demand the current spec is a
// candidate too: what is missing removes nothing. After a fall that looks like an
// outage the needs of the time before are one: the people are still there.
func (d *decision) combine() {
	d.candidate(models.Candidate{By: "min", N: d.svc.MinReplicas, Why: "the minimum of the service"}, models.ClassSteady)
	if !d.known {
		d.candidate(models.Candidate{By: "current", N: d.cur(), Why: d.blindReason()}, models.ClassFailsafe)
	}
	d.next.Ring = remember(d.in.State.Ring, Recommendation{d.in.Now, max(d.raw.n, d.unseen())}, ringSpan, d.cur())
	if d.quality.suspect { // with what is remembered now, so that the next look asks for no more
		d.next.SuspectNeed = max(d.next.SuspectNeed, largest(d.next.Demand, d.in.Now.Add(-d.suspectHold())))
	}
	if before := d.next.SuspectNeed; d.quality.suspect && before > d.raw.n {
		why := d.line().n(before).s(" were needed before load fell while the service looked ill: an outage is no lull").text()
		d.candidate(models.Candidate{By: "before_fall", Quality: models.QualitySuspectLow, N: before, Why: why}, models.ClassReactive)
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
	if (!shaped || d.emergency()) && n.n > d.firm.n {
		d.firm = n
	}
}

// note records a shaping rule and its effect.
func (d *decision) note(rule, effect string) {
	d.out.Shaping = append(d.out.Shaping, models.Shaping{Rule: rule, Effect: effect})
}

func (d *decision) flag(name string, level models.FlagLevel, text string) {
	d.out.Flags = append(d.out.Flags, models.Flag{Name: name, Level: level, Text: text})
}

// reserved finds the first active reservation of a kind.
func (d *decision) reserved(kind models.ReservationKind) *models.Reservation {
	for i := range d.obs.Reservations {
		if r := &d.obs.Reservations[i]; r.Kind == kind && r.ActiveAt(d.in.Now) {
			return r
		}
	}
	return nil
}
