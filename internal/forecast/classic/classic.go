package classic

import "math"

// Naive repeats the last value.
func Naive(history []float64, horizon int) []float64 {
	out := make([]float64, horizon)
	for i := range out {
		out[i] = history[len(history)-1]
	}
	return out
}

// SeasonalNaive repeats the last season.
func SeasonalNaive(history []float64, season, horizon int) []float64 {
	out := make([]float64, horizon)
	for i := range out {
		out[i] = history[len(history)-season+i%season]
	}
	return out
}

// Naive2 is Naive on the seasonally adjusted history.
func Naive2(history []float64, season, horizon int) []float64 {
	return adjusted(history, season, horizon, Naive)
}

// SES is simple exponential smoothing of the seasonally adjusted history; the smoothing
// and the first level have the least squared error of one step.
func SES(history []float64, season, horizon int) []float64 {
	return adjusted(history, season, horizon, smooth)
}

// Theta is the classic Theta method on the seasonally adjusted history: the mean of its
// linear trend, and of SES on the line with twice its curvature.
func Theta(history []float64, season, horizon int) []float64 {
	return adjusted(history, season, horizon, theta)
}

func adjusted(history []float64, season, horizon int, method func([]float64, int) []float64) []float64 {
	if !Seasonal(history, season) {
		return method(history, horizon)
	}
	index := indices(history, season)
	flat := make([]float64, len(history))
	for i, y := range history {
		flat[i] = y / index[i%season]
	}
	out := method(flat, horizon)
	for i := range out {
		out[i] *= index[(len(history)+i)%season]
	}
	return out
}

// Seasonal is the competition's test: whether the autocorrelation at the season passes
// the 90 % limit of Bartlett's formula, on at least three seasons.
func Seasonal(history []float64, season int) bool {
	n := len(history)
	if season < 2 || n < 3*season {
		return false
	}
	sum := 1.0
	for lag := 1; lag < season; lag++ {
		r := autocorrelation(history, lag)
		sum += 2 * r * r
	}
	return math.Abs(autocorrelation(history, season)) > 1.645*math.Sqrt(sum/float64(n))
}

func autocorrelation(y []float64, lag int) float64 {
	mean := 0.0
	for _, v := range y {
		mean += v
	}
	mean /= float64(len(y))
	top, bottom := 0.0, 0.0
	for i, v := range y {
		bottom += (v - mean) * (v - mean)
		if i >= lag {
			top += (v - mean) * (y[i-lag] - mean)
		}
	}
	return top / bottom
}

// indices are the multiplicative seasonal factors by position in the season: the mean
// ratio to the centred moving average, scaled to the mean one.
func indices(y []float64, season int) []float64 {
	sum, count := make([]float64, season), make([]float64, season)
	half := season / 2
	for i := half; i < len(y)-half; i++ {
		average := 0.0
		for j := i - half; j <= i+half; j++ {
			weight := 1.0
			if season%2 == 0 && (j == i-half || j == i+half) {
				weight = 0.5
			}
			average += weight * y[j]
		}
		sum[i%season] += y[i] / (average / float64(season))
		count[i%season]++
	}
	mean := 0.0
	for i := range sum {
		sum[i] /= count[i]
		mean += sum[i] / float64(season)
	}
	for i := range sum {
		sum[i] /= mean
	}
	return sum
}

// smooth is SES with its best smoothing, on a grid and then by golden section.
func smooth(y []float64, horizon int) []float64 {
	const low, high, steps = 0.0001, 0.9999, 200
	best, at := math.Inf(1), low
	for i := range steps + 1 {
		alpha := low + (high-low)*float64(i)/steps
		if sse, _ := smoothed(y, alpha); sse < best {
			best, at = sse, alpha
		}
	}
	width := (high - low) / steps
	alpha := golden(func(a float64) float64 { sse, _ := smoothed(y, a); return sse }, math.Max(low, at-width), math.Min(high, at+width))
	_, level := smoothed(y, alpha)
	return Naive([]float64{level}, horizon)
}

// smoothed gives the squared errors of one step under the best first level, and the last
// level. An error is linear in the first level: e(t) = a(t) − (1−α)^t · level.
func smoothed(y []float64, alpha float64) (sse, last float64) {
	ab, bb, level, b := 0.0, 0.0, 0.0, 1.0
	for _, v := range y {
		e := v - level
		ab, bb = ab+e*b, bb+b*b
		level += alpha * e
		b *= 1 - alpha
	}
	level = ab / bb
	for _, v := range y {
		e := v - level
		sse += e * e
		level += alpha * e
	}
	return sse, level
}

func golden(f func(float64) float64, low, high float64) float64 {
	const ratio = 0.6180339887498949
	a, b := high-ratio*(high-low), low+ratio*(high-low)
	fa, fb := f(a), f(b)
	for range 60 {
		if fa < fb {
			high, b, fb = b, a, fa
			a = high - ratio*(high-low)
			fa = f(a)
		} else {
			low, a, fa = a, b, fb
			b = low + ratio*(high-low)
			fb = f(b)
		}
	}
	return (low + high) / 2
}

func theta(y []float64, horizon int) []float64 {
	n := float64(len(y))
	meanX, meanY := (n+1)/2, 0.0
	for _, v := range y {
		meanY += v / n
	}
	xy, xx := 0.0, 0.0
	for i, v := range y {
		x := float64(i+1) - meanX
		xy, xx = xy+x*(v-meanY), xx+x*x
	}
	slope := xy / xx
	curved := make([]float64, len(y))
	for i, v := range y {
		curved[i] = 2*v - (meanY + slope*(float64(i+1)-meanX))
	}
	out := smooth(curved, horizon)
	for i := range out {
		line := meanY + slope*(n+float64(i+1)-meanX)
		out[i] = math.Max(0, (out[i]+line)/2)
	}
	return out
}
