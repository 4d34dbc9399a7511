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
