package panel

import "github.com/wedsync/scalability/internal/forecast/linear"

const (
	furthest = 2*week + 1 // lag of the autoregression
	fewest   = 2 * 40     // rows to fit it on
	arShrink = 0.003      // of the mean square of a lag
)

// lags of the autoregression: the newest hours, and those around one, two and more days,
// one and two weeks ago.
func lags() []int {
	return []int{
		1, 2, 3, 4, 5, 6, 7, 8, 12, 22, 23, 24, 25, 26, 47, 48, 49, 72, 96, 120, 143, 144, 145,
		166, 167, 168, 169, 170, 191, 192, 193, 216, 335, 336, 337,
	}
}

// autoregressed forecasts hour by hour from the hours before, which carries any period
// and the newest hours on.
func (w *work) autoregressed() ([]*member, error) {
	m := newMember("autoregression", len(w.z))
	err := w.each(len(w.z), func(i int) error {
		for _, fit := range []int{origins - 1, 0} {
			a, ok := fitAutoregression(w.known(i, fit))
			for o := range origins {
				if ok && fitted(o) == fit {
					m.at[o][i] = a.forecast(w.known(i, o), w.horizon)
				}
			}
		}
		return nil
	})
	return []*member{m}, err
}

type autoregression struct {
	mean   float64
	lags   []int
	w      []float64
	lo, hi float64 // what was seen, and half as much on either side
}

func fitAutoregression(y []float64) (autoregression, bool) {
	a := autoregression{lags: lags()}
	if len(y) < furthest+fewest {
		return a, false
	}
	a.lo, a.hi = y[0], y[0]
	for _, v := range y {
		a.mean += v / float64(len(y))
		a.lo, a.hi = min(a.lo, v), max(a.hi, v)
	}
	room := (a.hi - a.lo) / 2
	a.lo, a.hi = a.lo-room, a.hi+room
	n := linear.NewNormal(len(a.lags) + 1)
	row := make([]float64, len(a.lags)+1)
	for t := furthest; t < len(y); t++ {
		a.fill(row, y, t)
		n.Add(row, y[t]-a.mean, 1)
	}
	shrink := 0.0
	for k := range a.lags {
		shrink += arShrink * n.Moment(k) / float64(len(a.lags))
	}
	var err error
	a.w, err = n.Solve(func(k int) float64 {
		if k == len(a.lags) {
			return 0
		}
		return shrink + 1e-9
	}, nil)
	return a, err == nil
}

func (a autoregression) fill(row, y []float64, t int) {
	for k, lag := range a.lags {
		row[k] = y[t-lag] - a.mean
	}
	row[len(a.lags)] = 1
}

// forecast stays within what was seen and half as much on either side: an unstable fit
// must not run away.
func (a autoregression) forecast(y []float64, horizon int) []float64 {
	out := make([]float64, len(y), len(y)+horizon)
	copy(out, y)
	row := make([]float64, len(a.w))
	for range horizon {
		out = append(out, 0)
		a.fill(row, out, len(out)-1)
		out[len(out)-1] = min(max(a.mean+linear.Dot(a.w, row), a.lo), a.hi)
	}
	return out[len(y):]
}
