package forecast

import "math"

const (
	// power of the inverse error in a weight: the members of one series are alike, so the
	// best one is to have most of the say.
	power      = 8
	memoryDays = 28 // that an error is remembered
)

// record is how the members did: the mean absolute error of each, over all hours and by
// hour of the day.
type record struct {
	errs []score
}

type score struct {
	all    float64
	byHour hours
	days   int
}

// take scores the forecasts of a day.
func (r *record) take(members []hours, actual, measured []float64) {
	if r.errs == nil {
		r.errs = make([]score, len(members))
	}
	for k := range members {
		s, sum, n := &r.errs[k], 0.0, 0
		rate := math.Max(1/float64(s.days+1), 1.0/memoryDays)
		for h, y := range actual {
			if math.IsNaN(measured[h]) || math.IsNaN(members[k][h]) {
				continue
			}
			e := math.Abs(y - members[k][h])
			s.byHour[h] += rate * (e - s.byHour[h])
			sum += e
			n++
		}
		if n > 0 {
			s.all += rate * (sum/float64(n) - s.all)
			s.days++
		}
	}
}

// weights of the members for an hour: inverse errors to a power, of that hour
// and of all; a member that cannot forecast, or was never judged, has none. Where none was
// judged the last that can forecast stands alone.
func (r *record) weights(members []hours, hour int) []float64 {
	out := make([]float64, len(members))
	total, last := 0.0, -1
	for k := range members {
		if math.IsNaN(members[k][hour]) {
			continue
		}
		last = k
		if r.errs == nil || r.errs[k].days == 0 {
			continue
		}
		e := r.errs[k].all + r.errs[k].byHour[hour]
		out[k] = math.Pow(e+1e-9, -power)
		total += out[k]
	}
	for k := range out {
		if total > 0 {
			out[k] /= total
		}
	}
	if total == 0 && last >= 0 {
		out[last] = 1
	}
	return out
}

// blend is the weighted sum of the members, NaN where there is none.
func (r *record) blend(members []hours) (out hours) {
	for h := range out {
		w := r.weights(members, h)
		sum, total := 0.0, 0.0
		for k := range members {
			if w[k] > 0 {
				sum += w[k] * members[k][h]
				total += w[k]
			}
		}
		out[h] = sum / total
	}
	return out
}
