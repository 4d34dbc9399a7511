package verification

import (
	"math"
	"slices"
)

const (
	enoughSamples = 20     // of each group, for a rank test
	mostSamples   = 200    // of each group: the test compares each with each
	slowTolerance = 0.25   // of the old ones' median
	z98           = 2.3263 // of the normal distribution, 98 % two-sided
)

// slowdown compares response times by the test of Mann and Whitney: shift is the lower
// bound of the 98 % confidence interval of how much slower new is than old (Hodges and
// Lehmann), allowed what may be ignored: a quarter of the old median, or 10 ms. Not ok:
// there are too few samples.
//
//	the interval begins at the k-th smallest of all n·m differences,
//	k = n·m/2 − z·√(n·m·(n+m+1)/12)
func slowdown(fresh, old []float64) (shift, allowed float64, ok bool) {
	a, b := usable(fresh), usable(old)
	n, m := len(a), len(b)
	if n < enoughSamples || m < enoughSamples {
		return 0, 0, false
	}
	diffs := make([]float64, 0, n*m)
	for _, x := range a {
		for _, y := range b {
			diffs = append(diffs, x-y)
		}
	}
	slices.Sort(diffs)
	nm := float64(n * m)
	k := int(math.Floor(nm/2 - z98*math.Sqrt(nm*float64(n+m+1)/12)))
	slices.Sort(b)
	return diffs[max(0, k)], max(slowTolerance*b[m/2], responseMarginMS), true
}

// usable drops what is no time and keeps the newest.
func usable(samples []float64) []float64 {
	out := make([]float64, 0, len(samples))
	for _, s := range samples {
		if v, ok := known(&s); ok {
			out = append(out, v)
		}
	}
	return out[max(0, len(out)-mostSamples):]
}
