package replay

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/wedsync/scalability/models"
)

// demoDay is the load of a wedding platform with a day pressed into length. It is a
// function of seed and time alone, so that a restart goes on where it stopped.
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
	demoNight   = 230.0 // at five in the morning
	demoDaytime = 330.0 // more than that at the peak of the evening
	demoPerHead = 2.6   // of one wedding guest at the ceremony
)

// hour is the length of an hour of the pressed day.
func (d demoDay) hour() time.Duration { return d.length / 24 }

// number counts the days since 1970.
func (d demoDay) number(at time.Time) int64 { return at.UnixNano() / int64(d.length) }

func (d demoDay) begin(number int64) time.Time { return time.Unix(0, number*int64(d.length)).UTC() }

// weddings gives the three weddings of a day, the same ones whenever it is asked.
func (d demoDay) weddings(number int64) []demoWedding {
	rng := rand.New(rand.NewPCG(d.seed, uint64(number))) //nolint:gosec // a demonstration has to be repeatable
	venues := []struct{ zone, region string }{
		{"Europe/London", "london"}, {"Europe/Paris", "paris"}, {"Europe/Dublin", "dublin"},
		{"America/New_York", "new-york"}, {"Europe/Rome", "tuscany"}, {"Asia/Kolkata", "jaipur"},
	}
	out := make([]demoWedding, 0, 3)
	for i, hour := range []float64{10.5, 14, 17} {
		venue := venues[rng.IntN(len(venues))]
		ceremony := d.begin(number).Add(time.Duration((hour + rng.Float64()) * float64(d.hour()))).Truncate(time.Second)
		out = append(out, demoWedding{
			Reference: fmt.Sprintf("demo-%d-%d", number, i+1), Zone: venue.zone, Region: venue.region,
			Guests: 90 + 10*rng.IntN(17), Ceremony: ceremony, End: ceremony.Add(6 * d.hour()).Truncate(time.Second),
		})
	}
	return out
}

// around gives the weddings of yesterday, today and tomorrow.
func (d demoDay) around(at time.Time) []demoWedding {
	n := d.number(at)
	return append(append(d.weddings(n-1), d.weddings(n)...), d.weddings(n+1)...)
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
		sum += float64(w.Guests) * guestLoad(float64(at.Sub(w.Ceremony))/float64(d.hour()))
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

// floor is how many replicas of the api a wedding is prepared with: the platform's own
// load and its guests at the ceremony, at 65 of 100 requests per second each.
func (d demoDay) floor(w demoWedding) int {
	return int(math.Ceil((d.base(w.Ceremony) + float64(w.Guests)*demoPerHead) / 65))
}
