package season

import (
	"math"
	"math/rand/v2"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// Season is the generated part of a season.
type Season struct {
	Start    time.Time
	Days     int
	Weddings []Wedding // in the order of their ceremonies; some begin before Start or after the end
	opts     Options
	rate     []float32 // expected requests in each second
}

// Generate makes a season.
func Generate(o Options) (Season, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return Season{}, err
	}
	o.Start = o.Start.UTC()
	weddings, err := draw(o)
	if err != nil {
		return Season{}, err
	}
	s := Season{Start: o.Start, Days: o.Days, Weddings: weddings, opts: o, rate: base(o)}
	kernel := perSecond()
	for _, w := range weddings {
		s.celebrate(w, kernel)
	}
	return s, nil
}

// Seconds is the length of the season.
func (s Season) Seconds() int { return len(s.rate) }

// Load draws the requests of each second of [from, to), from Poisson distributions. A
// second's draw depends on the seed and the minute it is in, so that parts of a season
// can be drawn apart.
func (s Season) Load(from, to int) []float64 {
	from, to = max(from, 0), min(to, len(s.rate))
	if from >= to {
		return nil
	}
	out := make([]float64, to-from)
	for minute := from / 60; minute*60 < to; minute++ {
		src := rand.NewPCG(s.opts.Seed, 0x10ad_0000_0000+uint64(minute))
		for t := minute * 60; t < min(to, minute*60+60); t++ {
			if n := poisson(float64(s.rate[t]), src); t >= from {
				out[t-from] = n
			}
		}
	}
	return out
}

// Minutes draws the mean requests per second of each full minute of [from, to).
func (s Season) Minutes(from, to int) []float64 {
	load := s.Load(from, to)
	out := make([]float64, len(load)/60)
	for i := range out {
		sum := 0.0
		for _, n := range load[60*i : 60*i+60] {
			sum += n
		}
		out[i] = sum / 60
	}
	return out
}

// Expected is the intensity that a second's requests are drawn from.
func (s Season) Expected(second int) float64 { return float64(s.rate[second]) }

func poisson(lambda float64, src rand.Source) float64 {
	if lambda <= 0 {
		return 0
	}
	return distuv.Poisson{Lambda: lambda, Src: src}.Rand()
}

// The platform's own load wanders around its profile: an hour differs from what is
// usual by some percent, and the next hour differs alike.
const (
	wanderSigma = 0.02
	wanderKeeps = 0.9
)

// base is the platform without weddings: planning couples, suppliers, administration.
// Low at four in the morning, a shoulder at noon, the peak at nine in the evening, and
// more on Sundays, when couples plan.
func base(o Options) []float32 {
	rng := rand.New(rand.NewPCG(o.Seed, 0xba5e)) //nolint:gosec // a season has to be repeatable
	out := make([]float32, o.Days*86400)
	mean := 0.0
	for m := range 1440 {
		mean += dayProfile(float64(m)/60) / 1440
	}
	last := wanderSigma * rng.NormFloat64()
	next := last
	for t := range out {
		if t%3600 == 0 {
			last, next = next, wanderKeeps*next+wanderSigma*rng.NormFloat64()
		}
		at := o.Start.Add(time.Duration(t) * time.Second)
		hour := float64(at.Hour()) + float64(at.Minute())/60 + float64(at.Second())/3600
		along := float64(t%3600) / 3600
		wander := math.Exp(last + (next-last)*along)
		out[t] = float32(o.BaseRPS * dayProfile(hour) / mean * weekdayLevel(at.Weekday()) * wander)
	}
	return out
}

func dayProfile(hour float64) float64 {
	hump := func(middle, width float64) float64 {
		off := math.Abs(hour - middle)
		off = min(off, 24-off)
		return math.Exp(-off * off / (2 * width * width))
	}
	return 0.35 + 0.45*hump(12.5, 3) + 0.75*hump(20.5, 2.7)
}

func weekdayLevel(d time.Weekday) float64 {
	switch d {
	case time.Sunday:
		return 1.15
	case time.Saturday:
		return 0.9
	case time.Friday:
		return 0.95
	default:
		return 1
	}
}

// knot is a point of the course of a wedding.
type knot struct {
	minute float64 // from the ceremony
	level  float64 // of the busiest moment
}

// course is how busy one guest is: the way and the programme from two hours before,
// phones away during the ceremony, photographs when it ends, speeches, the party.
func course() []knot {
	return []knot{
		{-120, 0}, {-60, 0.18}, {-30, 0.30}, {-5, 0.48}, {0, 0.30}, {5, 0.20}, {28, 0.20},
		{32, 0.90}, {36, 1}, {50, 0.80}, {90, 0.52}, {150, 0.42}, {178, 0.40}, {182, 0.66}, {200, 0.60},
		{240, 0.42}, {300, 0.46}, {360, 0.30}, {420, 0.14}, {480, 0},
	}
}

// Kernel is the load of one guest, from 0 to 1 of the busiest moment, minutes after the
// ceremony's begin.
func Kernel(minute float64) float64 {
	knots := course()
	if !(minute > knots[0].minute && minute < knots[len(knots)-1].minute) {
		return 0
	}
	i := 1
	for knots[i].minute < minute {
		i++
	}
	a, b := knots[i-1], knots[i]
	return a.level + (b.level-a.level)*(minute-a.minute)/(b.minute-a.minute)
}

// perSecond lists the kernel for each second of a wedding's course.
func perSecond() []float32 {
	knots := course()
	first, last := knots[0].minute*60, knots[len(knots)-1].minute*60
	out := make([]float32, int(last-first))
	for i := range out {
		out[i] = float32(Kernel((first + float64(i)) / 60))
	}
	return out
}

// celebrate adds a wedding's load. Who is late is late with all of it.
func (s Season) celebrate(w Wedding, kernel []float32) {
	scale := float32(w.active * s.opts.RPSPerGuest)
	if scale == 0 {
		return
	}
	first := int(w.Start.Add(w.late).Sub(s.Start)/time.Second) + int(course()[0].minute)*60
	for i := max(0, -first); i < len(kernel) && first+i < len(s.rate); i++ {
		s.rate[first+i] += scale * kernel[i]
	}
}
