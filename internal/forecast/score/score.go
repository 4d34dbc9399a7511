package score

import "math"

// SMAPE is the symmetric mean absolute percentage error of the M4 competition:
//
//	200/n · Σ |y − f| ÷ (|y| + |f|)
//
// An hour in which both are zero has no error.
func SMAPE(actual, forecast []float64) float64 {
	sum := 0.0
	for i, y := range actual {
		if d := math.Abs(y) + math.Abs(forecast[i]); d > 0 {
			sum += 200 * math.Abs(y-forecast[i]) / d
		}
	}
	return sum / float64(len(actual))
}

// Scale is the mean absolute error of the seasonal naive method within a history,
// which MASE and MSIS divide by. It is NaN where the history is no longer than a season.
func Scale(history []float64, season int) float64 {
	sum := 0.0
	for i := season; i < len(history); i++ {
		sum += math.Abs(history[i] - history[i-season])
	}
	return sum / float64(len(history)-season)
}

// MASE is the mean absolute error over Scale.
func MASE(actual, forecast []float64, scale float64) float64 {
	return MAE(actual, forecast) / scale
}

// MAE is the mean absolute error.
func MAE(actual, forecast []float64) float64 {
	sum := 0.0
	for i, y := range actual {
		sum += math.Abs(y - forecast[i])
	}
	return sum / float64(len(actual))
}

// OWA is the overall weighted average of the M4 competition: the mean of sMAPE and MASE,
// each as a share of that of the Naive2 method on the same series.
func OWA(smape, mase, naive2SMAPE, naive2MASE float64) float64 {
	return (smape/naive2SMAPE + mase/naive2MASE) / 2
}

// MSIS is the mean scaled interval score: the width of the interval, and 2/alpha for each
// unit by which an actual value lies outside, over Scale. alpha is 0.05 for 95 %.
func MSIS(actual, lower, upper []float64, alpha, scale float64) float64 {
	sum := 0.0
	for i, y := range actual {
		sum += upper[i] - lower[i] + 2/alpha*(math.Max(0, lower[i]-y)+math.Max(0, y-upper[i]))
	}
	return sum / float64(len(actual)) / scale
}

// Coverage is the share of actual values within the interval.
func Coverage(actual, lower, upper []float64) float64 {
	in := 0
	for i, y := range actual {
		if y >= lower[i] && y <= upper[i] {
			in++
		}
	}
	return float64(in) / float64(len(actual))
}

// WAPE is Σ|y − f| ÷ Σ|y|: the error as a share of all that was served. It is NaN where
// nothing was.
func WAPE(actual, forecast []float64) float64 {
	missed, served := 0.0, 0.0
	for i, y := range actual {
		missed += math.Abs(y - forecast[i])
		served += math.Abs(y)
	}
	return missed / served
}

// Accuracy is 100 · (1 − WAPE), the platform's figure.
func Accuracy(actual, forecast []float64) float64 { return 100 * (1 - WAPE(actual, forecast)) }

// Bias is Σ(f − y) ÷ Σ|y|: above zero too much was forecast.
func Bias(actual, forecast []float64) float64 {
	over, served := 0.0, 0.0
	for i, y := range actual {
		over += forecast[i] - y
		served += math.Abs(y)
	}
	return over / served
}

// Pinball is the mean loss of a forecast of the quantile q:
//
//	q·(y − f) where y ≥ f, (1 − q)·(f − y) else
func Pinball(actual, forecast []float64, q float64) float64 {
	sum := 0.0
	for i, y := range actual {
		d := y - forecast[i]
		sum += math.Max(q*d, (q-1)*d)
	}
	return sum / float64(len(actual))
}

// Skill is 1 − the error of a method ÷ that of another: below zero the other is better.
func Skill(errorOf, errorOfOther float64) float64 { return 1 - errorOf/errorOfOther }
