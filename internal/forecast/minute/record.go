package minute

import "math"

const (
	recordBins = 400 // of the logarithms of actual over forecast …
	recordLow  = -1.5
	recordStep = 0.0075
	clampLow   = -0.2
	clampHigh  = 0.7
)

// outcome is a forecast and what came.
type outcome struct {
	minute  int
	had     float64
	guess   float64
	covered bool
}

func (o outcome) bin() int {
	return max(0, min(recordBins-1, int((math.Log(o.had/o.guess)-recordLow)/recordStep)))
}

// record is how a predictor did within the last seven days.
type record struct {
	outcomes []outcome
	first    int // of those that count
	bins     [recordBins]int
	off, had float64
	covered  int
	cached   quantiles
}

type quantiles struct{ p90, p95, p99 float64 }

func (r *record) count() int { return len(r.outcomes) - r.first }

func (r *record) add(o outcome) {
	r.outcomes = append(r.outcomes, o)
	r.take(o, 1)
	for r.outcomes[r.first].minute <= o.minute-weekMinutes {
		r.take(r.outcomes[r.first], -1)
		r.first++
	}
	if o.minute%10 == 0 || r.cached == (quantiles{}) {
		r.cached = quantiles{r.quantile(0.90), r.quantile(0.95), r.quantile(0.99)}
	}
}

func (r *record) take(o outcome, sign int) {
	r.bins[o.bin()] += sign
	r.off += float64(sign) * math.Abs(o.had-o.guess)
	r.had += float64(sign) * o.had
	if o.covered {
		r.covered += sign
	}
}

// quantiles are the factors on the median; all 1 before anything was judged.
func (r *record) quantiles() quantiles {
	if r.count() == 0 {
		return quantiles{1, 1, 1}
	}
	return r.cached
}

func (r *record) quantile(q float64) float64 {
	left := q * float64(r.count())
	at := 0
	for at < recordBins-1 && left > float64(r.bins[at]) {
		left -= float64(r.bins[at])
		at++
	}
	return math.Exp(math.Max(clampLow, math.Min(clampHigh, recordLow+recordStep*float64(at+1))))
}

// Foresight is how a predictor's medians and 95th percentiles of the largest load within
// the lead time did over the reported part.
type Foresight struct {
	WAPE       float64 `json:"wape"`       // sum of the errors by the sum of what came
	Coverage95 float64 `json:"coverage95"` // share at or below the 95th percentile
	Bias       float64 `json:"bias"`       // sum of what was expected too much, or too little, by the sum of what came
	Judged     int     `json:"judged"`     // forecasts
}

// tally adds up a Foresight.
type tally struct {
	off, had, expected float64
	covered, n         int
}

func (t *tally) add(o outcome) {
	t.off, t.had, t.expected, t.n = t.off+math.Abs(o.had-o.guess), t.had+o.had, t.expected+o.guess, t.n+1
	if o.covered {
		t.covered++
	}
}

func (t *tally) foresight() *Foresight {
	if t.n == 0 {
		return nil
	}
	return &Foresight{WAPE: t.off / t.had, Coverage95: float64(t.covered) / float64(t.n), Bias: t.expected/t.had - 1, Judged: t.n}
}

// together is how far two records were off, as the sum of the errors over the sum of
// what came, and the share that their 95th percentiles covered.
func together(a, b *record) (wape, coverage float64) {
	had := a.had + b.had
	if !(had > 0) {
		return math.Inf(1), 0
	}
	return math.Max(0, a.off+b.off) / had, float64(a.covered+b.covered) / float64(a.count()+b.count())
}
