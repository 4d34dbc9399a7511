package scaling

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"time"

	"github.com/wedsync/scalability/models"
)

// canonicalForm names the encoding below. It changes when the encoding does, so that a
// hash of before is never taken for a hash of other inputs.
const canonicalForm = "wedsync/scaling/inputs/3"

// Fingerprint is what a decision on these inputs has for InputsHash.
func Fingerprint(in Inputs) string { return fingerprint(&in) }

// fingerprint is the SHA-256 of the canonical form of all inputs, so that a stored
// decision can be shown to come from them. The form is the fields in the order below,
// with nothing left out:
//
//	text       length as uvarint, bytes
//	whole      varint
//	fraction   8 bytes, IEEE 754, little-endian; every NaN is the same
//	time       seconds since 1970 as varint, nanoseconds as uvarint: an instant, without its zone
//	yes or no  one byte
//	optional   one byte, 0 or 1, and the value where it is 1
//	list       length as uvarint, elements; none and empty are the same
//
// Inputs that were stored and read back give the same hash.
func fingerprint(in *Inputs) string {
	var space [6144]byte
	c := canon{b: space[:0]}
	c = c.str(canonicalForm)
	c = c.time(in.Now)
	c = c.observation(&in.Observation)
	c = c.some(in.Spike != nil)
	if in.Spike != nil {
		c = c.spike(in.Spike)
	}
	c = c.state(&in.State)
	c = c.bools(in.InFlight, in.Paused, in.Shadow, in.KillSwitch)
	sum := sha256.Sum256(c.b)
	var text [7 + 2*sha256.Size]byte
	copy(text[:], "sha256:")
	hex.Encode(text[7:], sum[:])
	return string(text[:])
}

// canon writes the canonical form. Its methods take it and give it back, so that its
// bytes can stay where they are.
type canon struct{ b []byte }

func (c canon) str(s string) canon {
	c.b = append(binary.AppendUvarint(c.b, uint64(len(s))), s...)
	return c
}

func (c canon) strs(list []string) canon {
	c = c.length(len(list))
	for _, s := range list {
		c = c.str(s)
	}
	return c
}

func (c canon) length(n int) canon { return canon{binary.AppendUvarint(c.b, uint64(n))} } //nolint:gosec // a length is not negative

func (c canon) whole(n int64) canon { return canon{binary.AppendVarint(c.b, n)} }

func (c canon) ints(list ...int) canon {
	for _, n := range list {
		c.b = binary.AppendVarint(c.b, int64(n))
	}
	return c
}

func (c canon) float(v float64) canon {
	bits := math.Float64bits(v)
	if v != v {
		bits = 0x7ff8_0000_0000_0001
	}
	c.b = binary.LittleEndian.AppendUint64(c.b, bits)
	return c
}

func (c canon) floats(list ...float64) canon {
	for _, v := range list {
		c = c.float(v)
	}
	return c
}

func (c canon) bools(list ...bool) canon {
	for _, v := range list {
		c = c.some(v)
	}
	return c
}

// some writes whether an optional value follows, and says so.
func (c canon) some(there bool) canon {
	if there {
		return canon{append(c.b, 1)}
	}
	return canon{append(c.b, 0)}
}

func (c canon) time(t time.Time) canon {
	c.b = binary.AppendVarint(c.b, t.Unix())
	c.b = binary.AppendUvarint(c.b, uint64(t.Nanosecond())) //nolint:gosec // from 0 to 999,999,999
	return c
}

func (c canon) maybeTime(t *time.Time) canon {
	c = c.some(t != nil)
	if t != nil {
		c = c.time(*t)
	}
	return c
}

func (c canon) maybeFloat(v *float64) canon {
	c = c.some(v != nil)
	if v != nil {
		c = c.float(*v)
	}
	return c
}

func (c canon) maybeInt(v *int) canon {
	c = c.some(v != nil)
	if v != nil {
		c = c.ints(*v)
	}
	return c
}

func (c canon) observation(o *models.Observation) canon {
	c = c.service(&o.Service)
	c = c.time(o.At)
	c = c.some(o.Replicas != nil)
	if o.Replicas != nil {
		c = c.replicas(o.Replicas)
	}
	c = c.length(len(o.Signals))
	for i := range o.Signals {
		c = c.signal(&o.Signals[i])
	}
	c = c.some(o.Forecast != nil)
	if o.Forecast != nil {
		c = c.forecast(o.Forecast)
	}
	c = c.length(len(o.Reservations))
	for i := range o.Reservations {
		c = c.reservation(&o.Reservations[i])
	}
	c = c.length(len(o.Requests))
	for i := range o.Requests {
		r := &o.Requests[i]
		c = c.str(r.DecisionID)
		c = c.str(r.ReservationID)
		c = c.str(r.Actor)
		c = c.time(r.CreatedAt)
	}
	c = c.limits(&o.Limits)
	c = c.some(o.Operation != nil)
	if o.Operation != nil {
		c = c.str(o.Operation.DecisionID)
		c = c.str(string(o.Operation.Outcome))
	}
	c = c.strs(o.Gaps)
	c = c.str(string(o.Mode))
	c = c.some(o.Calendar != nil)
	if o.Calendar != nil {
		c = c.calendar(o.Calendar)
	}
	c = c.some(o.Learned != nil)
	if o.Learned != nil {
		l := o.Learned
		c = c.floats(l.CapacityP50RPS, l.CapacityP10RPS, l.StartupP50Seconds, l.StartupP95Seconds)
		c = c.maybeTime(l.CertifiedAt)
		c = c.ints(l.FailedStarts10Min)
	}
	c = c.some(o.Disturbance != nil)
	if o.Disturbance != nil {
		c = c.maybeTime(o.Disturbance.DeployedAt)
		c = c.ints(o.Disturbance.FallingServices)
		c = c.maybeFloat(o.Disturbance.HealthyShare)
	}
	c = c.maybeFloat(o.UsualRPS)
	return c
}

func (c canon) service(s *models.Service) canon {
	c = c.str(string(s.Name))
	c = c.str(string(s.Tier))
	c = c.str(s.Actuator)
	c = c.floats(s.CapacityRPS, s.StartupP50Seconds, s.StartupP95Seconds, s.CostPerReplicaHour, s.SLOResponseTimeMS)
	c = c.ints(s.MinReplicas, s.MaxReplicas, s.AbsoluteMaxReplicas, s.Zones, s.ConnectionsPerReplica)
	p := &s.Policy
	c = c.str(p.Version)
	c = c.floats(p.TargetUtilisation, p.DeadBandUp, p.DeadBandDown, p.UpFactor, p.DownStepShare, p.PanicUtilisation)
	c = c.ints(p.UpStep, p.HoldAfterUpSeconds, p.DownStabilisationSeconds, p.DownPeriodSeconds, p.PanicSeconds, p.ReadyDeadlineSeconds,
		p.SoakSeconds, p.MeasurementIntervalSeconds, p.Measurements, p.OperationDeadlineSeconds)
	c = c.whole(p.MinimumRequests)
	c = c.whole(s.Revision)
	c = c.time(s.CreatedAt)
	c = c.time(s.UpdatedAt)
	return c
}

func (c canon) replicas(r *models.ReplicaSet) canon {
	c = c.str(string(r.Service))
	c = c.ints(r.Spec, r.Ready)
	c = c.whole(r.Generation)
	c = c.time(r.ObservedAt)
	c = c.length(len(r.Replicas))
	for i := range r.Replicas {
		x := &r.Replicas[i]
		c = c.str(x.ID)
		c = c.str(string(x.Phase))
		c = c.ints(x.Restarts)
		c = c.time(x.OrderedAt)
		c = c.maybeTime(x.ReadyAt)
	}
	c = c.strs(r.Writers)
	c = c.str(r.Rollout)
	return c.str(r.Template)
}

func (c canon) signal(s *models.Signal) canon {
	c = c.str(string(s.Metric))
	c = c.maybeFloat(s.Avg2)
	c = c.maybeFloat(s.Avg6)
	c = c.maybeFloat(s.Avg60)
	c = c.maybeFloat(s.Avg300)
	c = c.maybeFloat(s.Max60)
	c = c.floats(s.AgeSeconds, s.Completeness, s.IntervalSeconds)
	c = c.maybeFloat(s.Max7Days)
	c = c.length(len(s.Recent))
	c = c.floats(s.Recent...)
	c = c.bools(s.Snapshot)
	return c
}

func (c canon) forecast(f *models.ForecastPoint) canon {
	c = c.floats(f.P50, f.P95, f.P99, f.LookAheadP90, f.P70, f.VerifiedP70)
	c = c.time(f.IssuedAt)
	c = c.str(f.Model)
	c = c.bools(f.Trusted, f.Calendar)
	c = c.str(f.Reason)
	c = c.maybeFloat(f.WAPE7Days)
	c = c.maybeFloat(f.Coverage95)
	c = c.maybeFloat(f.HistoryDays)
	return c
}

func (c canon) reservation(r *models.Reservation) canon {
	c = c.str(r.ID)
	c = c.str(string(r.Service))
	c = c.str(string(r.Kind))
	c = c.ints(r.Replicas, r.Guests)
	c = c.time(r.From)
	c = c.time(r.Until)
	c = c.str(r.Holder)
	c = c.str(r.Reason)
	c = c.str(r.WeddingID)
	c = c.time(r.CreatedAt)
	c = c.str(r.CreatedBy)
	c = c.maybeTime(r.EndedAt)
	c = c.str(r.EndedBy)
	return c
}

func (c canon) limits(l *models.Limits) canon {
	c = c.some(l.Database != nil)
	if l.Database != nil {
		c = c.ints(l.Database.MaxConnections, l.Database.Reserved, l.Database.OtherUsers, l.Database.PerReplica)
	}
	c = c.maybeInt(l.Quota)
	c = c.maybeFloat(l.HourBudget)
	c = c.length(len(l.Downstream))
	for i := range l.Downstream {
		c = c.str(l.Downstream[i].Name)
		c = c.floats(l.Downstream[i].RPS, l.Downstream[i].Calls)
	}
	c = c.some(l.Budget != nil)
	if l.Budget != nil {
		c = c.floats(l.Budget.Hour, l.Budget.Day, l.Budget.Month, l.Budget.SpentDay, l.Budget.SpentMonth)
	}
	c = c.maybeInt(l.SchedulableHeadroom)
	return c
}

func (c canon) calendar(x *models.Calendar) canon {
	c = c.time(x.ReadAt)
	c = c.float(x.BaseRPS)
	c = c.length(len(x.Windows))
	for i := range x.Windows {
		w := &x.Windows[i]
		c = c.str(w.ID)
		c = c.time(w.Start)
		c = c.time(w.End)
		c = c.ints(w.Guests)
		c = c.bools(w.Confirmed, w.Cancelled)
		c = c.str(w.TimeZone)
	}
	c = c.some(x.Kernel != nil)
	if x.Kernel != nil {
		c = c.ints(x.Kernel.FromMinutes, x.Kernel.StepMinutes)
		c = c.length(len(x.Kernel.P90))
		c = c.floats(x.Kernel.P90...)
		c = c.length(len(x.Kernel.P50))
		c = c.floats(x.Kernel.P50...)
	}
	return c
}

func (c canon) spike(s *models.Spike) canon {
	c = c.str(string(s.Service))
	c = c.time(s.SeenAt)
	c = c.time(s.FirstSampleAt)
	c = c.float(s.RPS)
	c = c.str(s.Reason)
	return c
}

func (c canon) state(s *State) canon {
	c = c.recommendations(s.Ring)
	c = c.maybeTime(s.LastUpAt)
	c = c.maybeTime(s.LastDownAt)
	c = c.maybeTime(s.PanicUntil)
	c = c.ints(s.PanicMax)
	c = c.float(s.PanicRPS)
	c = c.maybeTime(s.BlindSince)
	c = c.maybeTime(s.SuspectAt)
	c = c.ints(s.SuspectNeed)
	c = c.maybeTime(s.UnreadSince)
	c = c.capacity(s.Seen)
	c = c.capacity(s.Grew)
	c = c.recommendations(s.Demand)
	c = c.some(s.Decay != nil)
	if s.Decay != nil {
		c = c.time(s.Decay.At)
		c = c.float(s.Decay.Share)
	}
	return c
}

func (c canon) capacity(x *Capacity) canon {
	c = c.some(x != nil)
	if x != nil {
		c = c.time(x.At)
		c = c.ints(x.Spec, x.Ready)
	}
	return c
}

func (c canon) recommendations(list []Recommendation) canon {
	c = c.length(len(list))
	for i := range list {
		c = c.time(list[i].At)
		c = c.ints(list[i].N)
	}
	return c
}
