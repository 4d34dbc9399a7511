package scaling

import (
	"math"
	"time"

	"github.com/wedsync/scalability/models"
)

// Names of modes in the record besides those of models.
const (
	modeNormal = "normal"
	modePaused = "paused"
	modeShadow = "shadow"
	modeKilled = "kill_switch"
)

// On a wedding day there is more room, and capacity goes more slowly.
const (
	weddingTarget        = 0.60 // the guide's alert on cpu is at 70 % then
	weddingHoldAfterUp   = 900  // seconds
	weddingStabilisation = 900  // seconds
	weddingDownShare     = 0.05
)

// mode is the one to record: what stops changes comes first.
func (d *decision) mode() string {
	switch {
	case d.in.KillSwitch:
		return modeKilled
	case d.in.Paused:
		return modePaused
	case d.in.Shadow:
		return modeShadow
	case d.frozen() != nil || d.obs.Mode == models.ModeFreeze:
		return string(models.ModeFreeze)
	case d.obs.Mode == models.ModeNormal:
		return modeNormal
	default:
		return string(d.obs.Mode)
	}
}

func (d *decision) weddingDay() bool { return d.obs.Mode == models.ModeWeddingDay }

func (d *decision) emergency() bool { return d.obs.Mode == models.ModeEmergency }

// calibrate takes the figures that the mode and the service's own record give. What was
// learned of a replica's capacity counts within half of and half as much again as the
// catalogue says: a measurement of something else is not to scale by.
func (d *decision) calibrate() {
	d.u, d.kappa, d.start95 = d.policy.TargetUtilisation, d.svc.CapacityRPS, d.svc.StartupP95Seconds
	d.holdAfterUp, d.stabilisation, d.downShare = d.policy.HoldAfterUpSeconds, d.policy.DownStabilisationSeconds, d.policy.DownStepShare
	if d.weddingDay() {
		d.u = math.Min(d.u, weddingTarget)
		d.holdAfterUp = max(d.holdAfterUp, weddingHoldAfterUp)
		d.stabilisation = max(d.stabilisation, weddingStabilisation)
		d.downShare = math.Min(d.downShare, weddingDownShare)
	}
	d.certified = certificateDoubt * d.kappa
	l := d.obs.Learned
	if l == nil {
		return
	}
	if k := l.CapacityP50RPS; k > 0 && finite(k) {
		d.kappa = math.Max(0.5*d.svc.CapacityRPS, math.Min(k, 1.5*d.svc.CapacityRPS))
	}
	if s := l.StartupP95Seconds; s > 0 && finite(s) {
		d.start95 = s
	}
	d.certified = d.kappa
	if k := l.CapacityP10RPS; k > 0 && finite(k) {
		d.certified = math.Min(k, d.kappa)
	}
	if at := l.CertifiedAt; at == nil || d.in.Now.Sub(*at) > certificateLife {
		d.certified *= certificateDoubt
	}
}

// Lead is how long before it is needed capacity has to be ordered.
func Lead(s models.Service) time.Duration { return lead(s.StartupP95Seconds) }

// LeadOf is the lead of an observed service, by its own starts where they are known. A
// forecast looks no further: the highest of a longer time has surges in it long before
// they are due. Guests, whose times are those of a plan, have their floors ten minutes
// earlier.
func LeadOf(o models.Observation) time.Duration {
	start := o.Service.StartupP95Seconds
	if l := o.Learned; l != nil && l.StartupP95Seconds > 0 {
		start = l.StartupP95Seconds
	}
	return lead(start)
}

// leadTime is the lead of this decision.
func (d *decision) leadTime() time.Duration {
	if !finite(d.start95) {
		return lead(3600)
	}
	return lead(math.Min(d.start95, 3600))
}

const calendarLead = 10 * time.Minute

func lead(start95 float64) time.Duration {
	return time.Duration((start95 + 60) * float64(time.Second))
}

// Declared is the mode that people have declared, before what a calendar asks for.
func Declared(claims []models.Reservation, calendar models.Mode, now time.Time) models.Mode {
	for _, r := range claims {
		if r.Kind == models.ReservationEmergency && r.ActiveAt(now) {
			return models.ModeEmergency
		}
	}
	return calendar
}

// ModeAt is the mode that a calendar asks for: a wedding day while a wedding that brings
// guests is prepared, takes place or has just ended.
func ModeAt(c models.Calendar, now time.Time) models.Mode {
	for _, w := range c.Windows {
		if w.Guests > 0 && !w.Cancelled && !now.Before(w.Start.Add(-nodesAhead)) && now.Before(w.End.Add(floorAfter)) {
			return models.ModeWeddingDay
		}
	}
	return models.ModeNormal
}

// frozen gives the reservation that freezes the service, if one does.
func (d *decision) frozen() *models.Reservation { return d.reserved(models.ReservationFreeze) }

// Floor is what a calendar asks for at a time.
type Floor struct {
	Replicas int     // that have to stand
	Expected int     // that the planned load needs without a zone's headroom or doubt
	RPS      float64 // planned
	Guests   int
}

// FloorAt is the floor that Decide takes from a calendar at a time, before any decay, as on
// a wedding day. What plans ahead and what decides now count guests in one way; zero where
// guests cannot be turned into load.
func FloorAt(svc models.Service, learned *models.Learned, c models.Calendar, now time.Time) Floor {
	in := Inputs{Now: now, Observation: models.Observation{
		Service: svc, Learned: learned, Calendar: &c, Mode: models.ModeWeddingDay, Replicas: &models.ReplicaSet{Service: svc.Name},
	}}
	d := decision{in: &in, obs: &in.Observation, svc: &in.Observation.Service, policy: &in.Observation.Service.Policy}
	d.calibrate()
	d.quality.blind = true // nothing is measured of a time to come
	k, ok := courseOf(c.Kernel)
	if !ok || !finite(c.BaseRPS) || !(d.certified > 0) {
		return Floor{}
	}
	var p planned
	d.plan(&p, &k, true)
	d.calendarFloor()
	rps := c.BaseRPS + p.most(p.steps, 1)
	return Floor{Replicas: d.floor, Expected: ceil(rps / (d.kappa * d.u)), RPS: rps, Guests: p.guests}
}
