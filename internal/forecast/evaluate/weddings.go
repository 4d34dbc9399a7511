package evaluate

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/wedsync/scalability/internal/forecast"
)

// Mix says how many weddings are laid on a real load, and what share of all requests
// their guests make.
type Mix struct {
	PerDay float64
	Share  float64
}

// String names a mix like the headline.
func (m Mix) String() string { return fmt.Sprintf("%.0fat%.0f", m.PerDay, 100*m.Share) }

// What the weddings are like; docs/forecast.md has the reasons.
const (
	dayScatter    = 1.0  // of the number of weddings from day to day, as a logarithm, beyond month and weekday
	mostScatter   = 1.5  // times dayScatter: venues are limited
	guestScatter  = 0.6  // of the guests
	usualGuests   = 110  // their median
	loadScatter   = 0.35 // of what the guests of one wedding do
	lateScatter   = 0.25 // hours by which a ceremony begins early or late
	eveScatter    = 0.8  // of how much the guests look things up beforehand
	usualEve      = 0.03 // of the load at the ceremony
	firstCeremony = 11   // o'clock
	ceremonySpan  = 8    // hours
)

// Superpose lays weddings on a load. The calendar knows day, hour, booked guests and type
// of each; it knows nothing of how many come, what they do, and how late it gets.
func Superpose(h Hourly, m Mix, seed uint64) Hourly {
	rng := rand.New(rand.NewPCG(seed, 0x3edd)) //nolint:gosec // a test has to be repeatable
	out := h
	out.Name = fmt.Sprintf("%s with %.0f weddings a day at %.0f %%", h.Name, m.PerDay, 100*m.Share)
	out.Events, out.Load = nil, slices.Clone(h.Load)
	brought := make([]float64, len(h.Load))
	for d, rate := range rates(h, m.PerDay, rng) {
		n := int(distuv.Poisson{Lambda: rate, Src: rng}.Rand())
		for i := range n {
			out.Events = append(out.Events, celebrate(brought, d, i, rng))
		}
	}
	slices.SortFunc(out.Events, func(a, b forecast.Event) int { return cmp.Compare(a.Start, b.Start) })
	own, theirs := 0.0, 0.0
	for t, v := range h.Load {
		if !math.IsNaN(v) {
			own, theirs = own+v, theirs+brought[t]
		}
	}
	scale := own / theirs * m.Share / (1 - m.Share)
	for t := range out.Load {
		out.Load[t] += scale * brought[t]
	}
	return out
}

// rates are the expected weddings of each day, by month and weekday and by chance.
func rates(h Hourly, perDay float64, rng *rand.Rand) []float64 {
	months := [12]float64{.35, .45, .6, .8, 1.2, 1.7, 1.6, 1.7, 1.6, 1, .5, .5}
	weekdays := [7]float64{.9, .35, .35, .45, .6, 1.35, 3} // from Sunday
	out := make([]float64, len(h.Load)/24)
	total := 0.0
	for d := range out {
		date := h.Start.AddDate(0, 0, d)
		out[d] = months[date.Month()-1] * weekdays[date.Weekday()] * math.Exp(dayScatter*min(max(rng.NormFloat64(), -mostScatter), mostScatter))
		total += out[d]
	}
	for d := range out {
		out[d] *= perDay * float64(len(out)) / total
	}
	return out
}

// kinds are the types of weddings and the load of their guests.
func kinds() []struct {
	name string
	load float64
} {
	return []struct {
		name string
		load float64
	}{{"intimate", 0.8}, {"classic", 1}, {"classic", 1}, {"party", 1.3}}
}

// celebrate adds the load of one wedding.
func celebrate(brought []float64, d, i int, rng *rand.Rand) forecast.Event {
	booked := math.Round(min(max(usualGuests*math.Exp(guestScatter*rng.NormFloat64()), 20), 400))
	start := float64(24*d+firstCeremony) + float64(rng.IntN(2*ceremonySpan))/2
	kind := kinds()[rng.IntN(len(kinds()))]
	came := booked * (0.85 + 0.25*rng.Float64())
	load := came * kind.load * math.Exp(loadScatter*rng.NormFloat64())
	late := lateScatter * rng.NormFloat64()
	eve := usualEve * math.Exp(eveScatter*rng.NormFloat64()-eveScatter*eveScatter/2)
	for t := max(0, int(start)-49); t < min(len(brought), int(start)+26); t++ {
		brought[t] += load * attention(float64(t)+0.5-start-late, eve)
	}
	return forecast.Event{ID: fmt.Sprintf("%d-%d", d, i), Start: start, Size: booked, Tags: []string{"type " + kind.name}}
}

// attention is the load of one guest over h, the hours since the ceremony, as a share of
// its peak: they look the way up from two days before, come, share photographs, leave, and
// look at the photographs of others.
func attention(h, eve float64) float64 {
	switch {
	case h < -48 || h > 24:
		return 0
	case h < -3:
		return eve * math.Exp((h+3)/14)
	case h < 0:
		return eve + (1-eve)*math.Pow(1+h/3, 1.5)
	case h < 5:
		return 1 - 0.4*h/5
	case h < 9:
		return 0.6 - 0.45*(h-5)/4
	default:
		return 0.15 * math.Exp(-(h-9)/5)
	}
}

// last cuts a load to its last days, from a midnight on.
func (h Hourly) last(days int) Hourly {
	cut := max(0, len(h.Load)-days*24) / 24 * 24
	h.Start = h.Start.Add(time.Duration(cut) * time.Hour)
	h.Load = h.Load[cut:]
	return h
}
