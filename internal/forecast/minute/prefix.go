package minute

import "math"

// prefix keeps sums over a record with gaps.
type prefix struct {
	sums   []float64
	counts []int
}

func (p *prefix) add(v float64) {
	sum, n := 0.0, 0
	if last := len(p.sums) - 1; last >= 0 {
		sum, n = p.sums[last], p.counts[last]
	}
	if !math.IsNaN(v) {
		sum, n = sum+v, n+1
	}
	p.sums, p.counts = append(p.sums, sum), append(p.counts, n)
}

func (p *prefix) known() int {
	if len(p.counts) == 0 {
		return 0
	}
	return p.counts[len(p.counts)-1]
}

// value is one entry; NaN where it is not known.
func (p *prefix) value(i int) float64 {
	if x, ok := p.between(i, i+1); ok {
		return x
	}
	return math.NaN()
}

func (p *prefix) between(from, to int) (float64, bool) {
	from, to = max(0, from), min(to, len(p.sums))
	if to <= from {
		return 0, false
	}
	sum, n := p.sums[to-1], p.counts[to-1]
	if from > 0 {
		sum, n = sum-p.sums[from-1], n-p.counts[from-1]
	}
	if n == 0 {
		return 0, false
	}
	return sum / float64(n), true
}

type average struct {
	sum float64
	n   int
}

func (a *average) add(v float64) { a.sum, a.n = a.sum+v, a.n+1 }

func (a average) mean() float64 { return a.sum / float64(max(1, a.n)) }
