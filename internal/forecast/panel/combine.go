package panel

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// power of the inverse error in the weights: a member with twice the error counts a
// sixteenth.
const power = 4

// combine weighs the members of each series and puts intervals around the sum.
func (w *work) combine(members []*member, coverage float64) []Forecast {
	out := make([]Forecast, len(w.z))
	judged := make([][]residual, len(w.z))
	for i := range w.z {
		errors := w.errors(members, i)
		weights := inverse(errors, 0)
		out[i].Weights = map[string]float64{}
		for k, m := range members {
			out[i].Weights[m.name] = weights[k]
		}
		for o := 1; o < origins; o++ {
			judged[i] = append(judged[i], w.residuals(i, o, sum(members, inverse(errors, o), o, i, w.horizon))...)
		}
		out[i].Point = sum(members, weights, 0, i, w.horizon)
	}
	w.intervals(out, judged, coverage)
	for i := range out {
		for h := range out[i].Point {
			out[i].Point[h] = w.back(i, out[i].Point[h])
			out[i].Lower[h] = w.back(i, out[i].Lower[h])
			out[i].Upper[h] = w.back(i, out[i].Upper[h])
		}
	}
	return out
}

// errors are the mean absolute errors of the members by origin; what did not forecast at
// an origin, or does not for the coming hours, has an infinite one.
func (w *work) errors(members []*member, i int) [][origins]float64 {
	out := make([][origins]float64, len(members))
	for k, m := range members {
		for o := range origins {
			f := m.at[o][i]
			switch {
			case !finite(f) || !finite(m.at[0][i]):
				out[k][o] = math.Inf(1)
			case o > 0:
				actual := w.known(i, o-1)
				actual = actual[len(actual)-w.horizon:]
				for h, v := range f {
					out[k][o] += math.Abs(v-actual[h]) / float64(w.horizon)
				}
			}
		}
	}
	return out
}

// inverse gives the weights by the errors at all origins that are judged but one, which
// is judged by them; 0 leaves none out. Where nothing was judged all count alike that
// can forecast.
func inverse(errors [][origins]float64, without int) []float64 {
	out := make([]float64, len(errors))
	total := 0.0
	for k, e := range errors {
		mean, n := 0.0, 0.0
		for o := 1; o < origins; o++ {
			if o != without {
				mean, n = mean+e[o], n+1
			}
		}
		out[k] = math.Pow(mean/n+1e-6, -power)
		total += out[k]
	}
	for k := range out {
		switch {
		case total > 0:
			out[k] /= total
		case !math.IsInf(errors[k][0], 1):
			out[k] = 1
		}
	}
	return out
}

func sum(members []*member, weights []float64, origin, i, horizon int) []float64 {
	out, total := make([]float64, horizon), 0.0
	for k, m := range members {
		if weights[k] == 0 || !finite(m.at[origin][i]) {
			continue
		}
		total += weights[k]
		for h, v := range m.at[origin][i] {
			out[h] += weights[k] * v
		}
	}
	for h := range out {
		out[h] /= total
	}
	return out
}

// residual is an error of the weighted sum, as a logarithm.
type residual struct {
	lead, phase int // phase: hour in the day of the series
	value       float64
}

func (w *work) residuals(i, origin int, f []float64) []residual {
	known := w.known(i, origin-1)
	start := len(known) - w.horizon
	out := make([]residual, 0, w.horizon)
	for h, v := range f {
		if start+h >= 0 && !math.IsNaN(v) {
			out = append(out, residual{h, (start + h) % day, known[start+h] - v})
		}
	}
	return out
}

// intervals puts quantiles of the errors around each point. A series has a scale for each
// lead, from its own errors; the quantiles of errors over that scale are shared, so that
// three origins of a series are enough.
func (w *work) intervals(out []Forecast, judged [][]residual, coverage float64) {
	var scaled []float64
	for i := range out {
		for k, r := range judged[i] {
			rest := slices.Concat(judged[i][:k/w.horizon*w.horizon], judged[i][min(len(judged[i]), (k/w.horizon+1)*w.horizon):])
			if len(rest) > 0 {
				scaled = append(scaled, r.value/w.scale(rest, i, r.lead, r.phase))
			}
		}
	}
	low, high := -2.0, 2.0
	if len(scaled) > 0 {
		slices.Sort(scaled)
		low = stat.Quantile((1-coverage)/2, stat.LinInterp, scaled, nil)
		high = stat.Quantile((1+coverage)/2, stat.LinInterp, scaled, nil)
	}
	for i := range out {
		n := len(w.z[i])
		for h, v := range out[i].Point {
			s := w.scale(judged[i], i, h, (n+h)%day)
			out[i].Lower = append(out[i].Lower, v+low*s)
			out[i].Upper = append(out[i].Upper, v+high*s)
		}
	}
}

// scale is the size of the errors of a series at a lead: the mean over all, drawn to that
// of the leads and of the hours of the day around it.
func (w *work) scale(list []residual, i, lead, phase int) float64 {
	all, near, n := 0.0, 0.0, 0.0
	for _, r := range list {
		a := math.Abs(r.value)
		all += a
		d := math.Abs(float64(r.phase - phase))
		d = math.Min(d, day-d)
		l := math.Abs(float64(r.lead-lead)) / 12
		k := math.Exp(-(d*d/8 + l*l/2))
		near += k * a
		n += k
	}
	if len(list) == 0 {
		return spread(w.z[i])
	}
	all /= float64(len(list))
	return (near+4*all)/(n+4) + smallError/4
}
