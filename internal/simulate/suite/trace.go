package suite

import (
	"math/rand/v2"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// Trace is a recorded load: requests in each second, as they were counted.
type Trace struct {
	Name   string
	Start  time.Time // of the first second; the traces without times get one
	Counts []float64
}

// intensity is the centred moving mean over width seconds.
func intensity(counts []float64, width int) []float32 {
	half := width / 2
	out := make([]float32, len(counts))
	sum, lo, hi := 0.0, 0, 0 // of counts[lo:hi]
	for i := range counts {
		for hi < min(len(counts), i+half+1) {
			sum += counts[hi]
			hi++
		}
		for lo < i-half {
			sum -= counts[lo]
			lo++
		}
		out[i] = float32(max(sum, 0) / float64(hi-lo))
	}
	return out
}

// drawn makes a load of another size. Counts of a busy second are a draw whose noise
// grows with the square root of the load; multiplied, the noise would grow with the
// load itself and every policy would fail for its sake. So the counts are smoothed to
// an intensity, the intensity is scaled, and counts are drawn anew from a fixed seed.
func drawn(rate []float32, factor float64, seed uint64) []float64 {
	src := rand.NewPCG(seed, 0x7ace)
	out := make([]float64, len(rate))
	for i, r := range rate {
		if lambda := factor * float64(r); lambda > 0 {
			out[i] = distuv.Poisson{Lambda: lambda, Src: src}.Rand()
		}
	}
	return out
}

// perMinute is the mean requests per second of each full minute.
func perMinute(load []float64) []float64 {
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
