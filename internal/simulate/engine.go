package simulate

import (
	"fmt"
	"math"
	"time"

	"github.com/wedsync/scalability/internal/forecast/minute"
	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

const (
	engineProbe = 2   // seconds between two looks of the probe
	engineLoop  = 30  // seconds between two evaluations in calm
	enginePanic = 6   // seconds between them in a panic: 5, on the probe's beat
	engineLag   = 1   // seconds from the end of a second until its sample can be read
	engineSlack = 0.1 // from the target to what is a spike, at least

	// shrinkIntervals is how long a scale-in is judged: two measurements, each twice as
	// long as one of growth, without a soak.
	shrinkIntervals = 4
)

// EngineOptions chooses how our engine is run.
type EngineOptions struct {
	// Calendar lets it know the windows of the scenario.
	Calendar bool
	// Target is the share of κ to run at; 0 takes the service's own.
	Target float64
	// NoForecast leaves the predictor out.
	NoForecast bool
	// Mode is what the platform is in: on a wedding day the policy is more careful.
	Mode models.Mode
	// WeddingDays takes the mode that the calendar asks for at each time instead.
	WeddingDays bool
	// Unverified lets an order be followed by the next one at once. The product verifies
	// each change: until it has, only a spike or a floor may ask for more.
	Unverified bool
	// Observe is told of every decision with its inputs. It must not keep what the
	// observation points to.
	Observe func(in scaling.Inputs, e models.Explanation)
	// Took is told how long each decision took.
	Took func(time.Duration)
}

// engine runs policies/scaling as the product does: a loop of 30 s, a probe that looks
// for spikes each 2 s and has them decided on at once, and one change at a time that is
// verified before ordinary growth asks for the next.
type engine struct {
	o       EngineOptions
	name    string
	service models.Service
	state   scaling.State
	due     int // second of the next evaluation
	op      operation
	sight   sight
	ids     []string           // of the calendar's windows
	guests  *guests            // nil without a calendar
	oracle  *minute.Forecaster // nil without a predictor

	deficit bool // the last decision had one
	begun   int
	decided int
}

// operation is a change in flight.
type operation struct {
	running  bool
	up       bool
	target   int
	started  int
	verified int // second at which it ends; 0 until its replicas are ready
}

// NewEngine is our own engine.
func NewEngine(o EngineOptions) Autoscaler {
	e := &engine{o: o, name: "engine"}
	if !o.Calendar {
		e.name = "engine without calendar"
	}
	if o.Target > 0 {
		e.name += fmt.Sprintf(" %.2f", o.Target)
	}
	return e
}

func (e *engine) Name() string            { return e.name }
func (e *engine) Interval() time.Duration { return engineProbe * time.Second }
func (e *engine) target() float64         { return e.service.Policy.TargetUtilisation }
func (e *engine) deficits() int           { return e.begun }
func (e *engine) decisions() int          { return e.decided }

func (e *engine) begin(s Scenario) {
	*e = engine{o: e.o, name: e.name, service: s.Service, due: int(scramble(s.Seed) % engineLoop)}
	if p := &e.service.Policy; e.o.Target > 0 {
		p.TargetUtilisation = e.o.Target
		p.PanicUtilisation = math.Max(p.PanicUtilisation, e.o.Target+engineSlack)
	}
	if e.o.Calendar {
		e.guests = newGuests(s.Start)
	}
	if !e.o.NoForecast {
		e.oracle = minute.New(e.events())
		e.oracle.JudgeFrom(len(s.History) + s.ReportFrom/60)
	}
}

// Desired is a look of the probe, and an evaluation when one is due.
func (e *engine) Desired(v View) int {
	e.settle(v)
	spike := probe(v, e.service.Policy)
	if spike == nil && v.Second < e.due {
		return v.Spec
	}
	in := scaling.Inputs{
		Now: v.Now, Observation: e.observe(v), Spike: spike, State: e.state, InFlight: e.op.running,
	}
	out := e.decide(in)
	e.due = v.Second + e.pace(v)
	e.count(out)
	if e.o.Observe != nil {
		e.o.Observe(in, out)
	}
	return e.act(v, out, spike != nil)
}

func (e *engine) decide(in scaling.Inputs) models.Explanation {
	began := time.Now()
	out, state := scaling.Decide(in)
	if e.o.Took != nil {
		e.o.Took(time.Since(began))
	}
	e.state = state
	return out
}

// foresight is how the predictor did, nil without one.
func (e *engine) foresight() *minute.Foresight {
	if e.oracle == nil {
		return nil
	}
	return e.oracle.Foresight()
}

// events is what the calendar's guests bring; nil without a calendar.
func (e *engine) events() minute.Events {
	if e.guests == nil {
		return nil
	}
	return e.guests.at
}

// pace is the time to the next evaluation.
func (e *engine) pace(v View) int {
	if p := e.state.PanicUntil; p != nil && v.Now.Before(*p) {
		return enginePanic
	}
	return engineLoop
}

// count counts the decisions, and the times at which a ceiling began to bind.
func (e *engine) count(out models.Explanation) {
	e.decided++
	if out.Deficit != nil && !e.deficit {
		e.begun++
	}
	e.deficit = out.Deficit != nil
}

// act orders what was decided, unless a change in flight is to be verified first.
func (e *engine) act(v View, out models.Explanation, spike bool) int {
	if out.Desired == v.Spec {
		return v.Spec
	}
	up := out.Desired > v.Spec
	if !e.o.Unverified && e.op.running && !e.outgrown(out, up, spike) {
		return v.Spec
	}
	e.op = operation{running: true, up: up, target: out.Desired, started: v.Second}
	return out.Desired
}

// outgrown says whether a change in flight gives way: a scale-in to any growth, growth to
// a spike or a floor that needs more than its target.
func (e *engine) outgrown(out models.Explanation, up, spike bool) bool {
	if !up || out.Desired <= e.op.target {
		return false
	}
	return !e.op.up || spike || out.Class == models.ClassPanic || out.Class == models.ClassFloor
}

// settle ends the change in flight: when its replicas are ready, soaked and measured, or
// at its deadline.
func (e *engine) settle(v View) {
	op, p := &e.op, e.service.Policy
	if !op.running {
		return
	}
	if op.verified == 0 && v.Ready >= v.Spec {
		op.verified = v.Second + shrinkIntervals*p.MeasurementIntervalSeconds
		if op.up {
			op.verified = v.Second + p.SoakSeconds + p.Measurements*p.MeasurementIntervalSeconds
		}
	}
	if op.verified > 0 && v.Second >= op.verified || v.Second-op.started >= p.OperationDeadlineSeconds {
		e.due = min(e.due, v.Second) // the next change may be due
		op.running = false
	}
}

const (
	surgeSeconds = 6   // that the probe looks at
	clearlyOver  = 1.5 // one second alone counts from this multiple of the threshold
)

// probe is the look at the stream of samples that the product's ingestion takes, with κ
// the capacity of a replica, r the ready ones and u their target:
//
//	threshold  min(trigger · r · κ, κ · u · (2·r − 1))   most of what is ready is used,
//	           or twice as much is needed
//	spike      the mean of 6 s (two have samples), of 2 s (both have), or one second that
//	           is 1.5 times the threshold, is above it
func probe(v View, p models.ScalingPolicy) *models.Spike {
	var recent [surgeSeconds]float64
	var known [surgeSeconds]bool
	for i := range recent {
		recent[i], known[i] = v.Metrics.At(Throughput, engineLag+i)
	}
	if !known[0] {
		return nil
	}
	kappa, ready := v.Service.CapacityRPS, float64(v.Ready)
	threshold := 0.0
	if v.Ready > 0 {
		threshold = math.Min(p.PanicUtilisation*ready*kappa, kappa*p.TargetUtilisation*(2*ready-1))
	}
	rate := surge(recent, known, threshold)
	if !(rate > threshold) {
		return nil
	}
	first := v.Now.Add(-(engineLag + 1) * time.Second)
	return &models.Spike{Service: v.Service.Name, SeenAt: v.Now, FirstSampleAt: first, RPS: rate}
}

// surge is the largest of the rates that count.
func surge(recent [surgeSeconds]float64, known [surgeSeconds]bool, threshold float64) float64 {
	sum, n := 0.0, 0
	rate := 0.0
	for i := range recent {
		if known[i] {
			sum += recent[i]
			n++
		}
		if i == 1 && n == 2 {
			rate = sum / 2
		}
	}
	if n >= 2 {
		rate = math.Max(rate, sum/float64(n))
	}
	if recent[0] >= clearlyOver*threshold {
		rate = math.Max(rate, recent[0])
	}
	return rate
}
