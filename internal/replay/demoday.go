package replay

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/wedsync/scalability/models"
)

// demoDay is the load of a wedding platform with a day pressed into length, and weddings
// in the time of the clock: the decision knows how guests come and go by the hour, so their
// hours cannot be pressed. It is a function of seed and time alone, so that a restart goes
// on where it stopped.
type demoDay struct {
	length time.Duration
	seed   uint64
}

// demoWedding is one wedding of a demonstration day.
type demoWedding struct {
	Reference string
	Zone      string
	Region    string
	Guests    int
	Ceremony  time.Time
	End       time.Time
}

// The shape of the platform's own day, in requests per second at the front door.
const (
	demoNight   = 160.0 // at five in the morning
	demoDaytime = 380.0 // more than that at the peak of the evening
	demoPerHead = 2.6   // of one wedding guest at the ceremony
)

// A wedding begins in each span of demoSpan, and its last guest leaves demoStay later.
const (
	demoSpan = 3 * time.Hour
	demoStay = 6 * time.Hour
)

// hour is the length of an hour of the pressed day.
func (d demoDay) hour() time.Duration { return d.length / 24 }

// number counts the days since 1970.
func (d demoDay) number(at time.Time) int64 { return at.UnixNano() / int64(d.length) }

func (d demoDay) begin(number int64) time.Time { return time.Unix(0, number*int64(d.length)).UTC() }

// wedding gives the wedding of a span of the clock, the same one whenever it is asked.
func (d demoDay) wedding(span int64) demoWedding {
	rng := rand.New(rand.NewPCG(d.seed, uint64(span))) //nolint:gosec // a demonstration has to be repeatable
	venues := []struct{ zone, region string }{
		{"Europe/London", "london"}, {"Europe/Paris", "paris"}, {"Europe/Dublin", "dublin"},
		{"America/New_York", "new-york"}, {"Europe/Rome", "tuscany"}, {"Asia/Kolkata", "jaipur"},
	}
	venue := venues[rng.IntN(len(venues))]
	ceremony := time.Unix(0, span*int64(demoSpan)).UTC().Add(time.Duration((0.2 + 0.6*rng.Float64()) * float64(demoSpan))).Truncate(time.Minute)
	return demoWedding{
		Reference: fmt.Sprintf("demo-%d", span), Zone: venue.zone, Region: venue.region,
		Guests: 40 + 10*rng.IntN(7), Ceremony: ceremony, End: ceremony.Add(demoStay),
	}
}

// around gives the weddings whose guests may be there, and those of the next day.
func (d demoDay) around(at time.Time) []demoWedding {
	now := at.UnixNano() / int64(demoSpan)
	var out []demoWedding
	for span := now - int64(demoStay/demoSpan) - 1; span <= now+int64(24*time.Hour/demoSpan); span++ {
		out = append(out, d.wedding(span))
	}
	return out
}

// guestLoad is the requests per second of one guest, h hours after the ceremony: they
// look up the way from two hours before, share photographs for two hours after, and
// are quiet by the sixth.
func guestLoad(h float64) float64 {
	switch {
	case h < -2 || h > 6:
		return 0
	case h < 0:
		return demoPerHead * (1 + h/2) * (1 + h/2)
	case h < 2:
		return demoPerHead * (1 - 0.15*h)
	default:
		return demoPerHead * 0.7 * (1 - (h-2)/4) * (1 - (h-2)/4)
	}
}

// base is the platform's own load: low at five in the morning, a shoulder at noon and
// the peak at eight in the evening.
func (d demoDay) base(at time.Time) float64 {
	h := float64(at.Sub(d.begin(d.number(at)))) / float64(d.hour())
	hump := func(middle, width float64) float64 {
		off := math.Abs(h - middle)
		off = math.Min(off, 24-off)
		return math.Exp(-off * off / (2 * width * width))
	}
	return demoNight + demoDaytime*math.Min(1, 0.55*hump(12.5, 2.5)+hump(20, 2.5))
}

// intensity is the expected load at the front door.
func (d demoDay) intensity(at time.Time) float64 {
	sum := d.base(at)
	for _, w := range d.around(at) {
		sum += float64(w.Guests) * guestLoad(at.Sub(w.Ceremony).Hours())
	}
	return sum
}

// load draws what each service gets in the second of at.
func (d demoDay) load(at time.Time) map[models.ServiceName]float64 {
	src := rand.NewPCG(d.seed, uint64(at.Unix())) //nolint:gosec // seconds since 1970 are not negative
	front := d.intensity(at)
	out := map[models.ServiceName]float64{}
	shares := PlatformShares()
	for _, name := range models.ServiceNames() {
		out[name] = distuv.Poisson{Lambda: front * shares[name], Src: src}.Rand()
	}
	return out
}
