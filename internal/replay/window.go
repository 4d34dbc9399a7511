package replay

import (
	"fmt"
	"math/rand/v2"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/wedsync/scalability/models"
)

// Select cuts a window out of a trace. From and to are a UTC time such as "1998-06-10
// 15:30" or an offset from the trace's start such as "36h30m"; "" is the trace's own
// start or end. A gap longer than five periods inside the window is refused: nobody
// knows what the load was.
func (t Trace) Select(from, to string) (Trace, error) {
	start, err := t.index("from", from, 0)
	if err != nil {
		return Trace{}, err
	}
	end, err := t.index("to", to, len(t.counts))
	if err != nil {
		return Trace{}, err
	}
	if start >= end {
		return Trace{}, models.Invalid("to", to, "must be later than from")
	}
	cut := t
	cut.counts, cut.known = t.counts[start:end], t.known[start:end]
	if !t.Start.IsZero() {
		cut.Start = t.Start.Add(time.Duration(start) * t.Period)
	}
	return cut, cut.checkGaps()
}

// index turns a time or an offset into a period.
func (t Trace) index(field, text string, empty int) (int, error) {
	if text == "" {
		return empty, nil
	}
	offset, err := t.offset(field, text)
	if err != nil {
		return 0, err
	}
	if offset < 0 || offset > t.Duration() {
		return 0, models.Invalid(field, text, "must lie in the trace, which covers "+t.Span())
	}
	return int(offset / t.Period), nil
}

func (t Trace) offset(field, text string) (time.Duration, error) {
	if d, err := time.ParseDuration(text); err == nil {
		return d, nil
	}
	for _, layout := range []string{time.RFC3339, timeLayout, "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		at, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		if t.Start.IsZero() {
			return 0, models.Invalid(field, text, "the trace has no times: give an offset such as 36h")
		}
		return at.Sub(t.Start), nil
	}
	return 0, models.Invalid(field, text, "must be a UTC time such as 1998-06-10 15:30 or an offset such as 36h30m")
}

// Span names the time that the trace covers.
func (t Trace) Span() string {
	if t.Start.IsZero() {
		return "0s to " + t.Duration().String()
	}
	return t.Start.Format(timeLayout) + " to " + t.Start.Add(t.Duration()).Format(timeLayout)
}

// checkGaps refuses what holding the level of the period before cannot bridge.
func (t Trace) checkGaps() error {
	if !t.known[0] {
		return models.Invalid("from", t.point(0), "the trace has no count for the first period of the window")
	}
	missing := 0
	for i, known := range t.known {
		if known {
			missing = 0
			continue
		}
		if missing++; missing > holdPeriods {
			return models.Invalid("from", t.point(i), fmt.Sprintf("the trace has no counts for more than %d periods around here; choose a window without this gap", holdPeriods))
		}
	}
	return nil
}

func (t Trace) point(i int) string {
	offset := time.Duration(i) * t.Period
	if at, ok := t.At(offset); ok {
		return at.Format(timeLayout)
	}
	return offset.String()
}

// held gives the count of a period, or of the last known one before it.
func (t Trace) held(i int) float64 {
	for ; i > 0 && !t.known[i]; i-- {
	}
	return t.counts[i]
}

// Scaling says how the load of a trace is changed.
type Scaling struct {
	Factor float64       // 1 keeps the trace as it is
	Smooth time.Duration // width of the moving mean; 0 = 20 s. A trace of few requests a second needs more, up to an hour
	Seed   uint64
}

// Scale makes a trace of another load.
//
// Counts of a busy second are a draw: their noise grows with the square root of the
// load. Multiplying counts would multiply the noise too, and a load a hundred times as
// large would jump about as no real one does; every policy then fails for the noise's
// sake. So the counts are smoothed to an intensity (a centred mean; counts per minute
// are smooth enough as they are), the intensity is multiplied, and new counts are drawn
// from Poisson distributions with a fixed seed.
func (t Trace) Scale(s Scaling) (Trace, error) {
	if !(s.Factor > 0 && s.Factor <= 1e6) {
		return Trace{}, models.Invalid("scale", s.Factor, "must be above 0 and at most 1000000")
	}
	if s.Smooth < 0 || s.Smooth > time.Hour {
		return Trace{}, models.Invalid("smooth", s.Smooth, "must be from 0s to 1h")
	}
	if s.Factor == 1 {
		return t, nil
	}
	if s.Smooth == 0 {
		s.Smooth = 20 * time.Second
	}
	src := rand.NewPCG(s.Seed, 0x7ace)
	out := t
	out.counts = make([]float64, len(t.counts))
	for i, intensity := range t.intensity(s.Smooth) {
		if lambda := s.Factor * intensity; lambda > 0 {
			out.counts[i] = distuv.Poisson{Lambda: lambda, Src: src}.Rand()
		}
	}
	return out, nil
}

// intensity is the centred moving mean of the known counts.
func (t Trace) intensity(width time.Duration) []float64 {
	half := int(width/t.Period) / 2
	sum, n := make([]float64, len(t.counts)+1), make([]int, len(t.counts)+1)
	for i, c := range t.counts {
		sum[i+1], n[i+1] = sum[i], n[i]
		if t.known[i] {
			sum[i+1], n[i+1] = sum[i]+c, n[i]+1
		}
	}
	out := make([]float64, len(t.counts))
	for i := range out {
		lo, hi := max(0, i-half), min(len(t.counts), i+half+1)
		if known := n[hi] - n[lo]; known > 0 {
			out[i] = (sum[hi] - sum[lo]) / float64(known)
		}
	}
	return out
}

// Rate is the mean requests per second over a part of the trace, [from, to); beyond
// its end the trace is silent.
func (t Trace) Rate(from, to time.Duration) float64 {
	to = min(to, t.Duration())
	from = max(from, 0)
	if from >= to {
		return 0
	}
	requests := 0.0
	for i := int(from / t.Period); i < len(t.counts); i++ {
		start := time.Duration(i) * t.Period
		if start >= to {
			break
		}
		covered := min(to, start+t.Period) - max(from, start)
		requests += t.held(i) * float64(covered) / float64(t.Period)
	}
	return requests / (to - from).Seconds()
}

// PlatformShares says how many requests each service gets for one request at the front
// door: what one page of a wedding site asks of the services behind it.
//
//	api 1.00  database 1.50  auth 0.20  storage 0.15  realtime 0.50
//	media 0.10  notifications 0.10  search 0.12  analytics 0.10
func PlatformShares() map[models.ServiceName]float64 {
	return map[models.ServiceName]float64{
		models.ServiceAPI: 1, models.ServiceDatabase: 1.5, models.ServiceAuth: 0.2,
		models.ServiceStorage: 0.15, models.ServiceRealtime: 0.5, models.ServiceMedia: 0.1,
		models.ServiceNotifications: 0.1, models.ServiceSearch: 0.12, models.ServiceAnalytics: 0.1,
	}
}

// spread gives each service its share of the front door's load.
func spread(rps float64, shares map[models.ServiceName]float64) map[models.ServiceName]float64 {
	out := make(map[models.ServiceName]float64, len(shares))
	for name, share := range shares {
		out[name] = rps * share
	}
	return out
}
