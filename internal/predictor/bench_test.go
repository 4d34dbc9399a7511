package predictor_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// yearOld is a platform with a year of history of nine services and ten weddings a day.
func yearOld() *world {
	w := newWorld()
	for d := range 380 {
		for i := range 10 {
			at := now.Truncate(days).Add(time.Duration(d-365)*days + time.Duration(11+i%8)*time.Hour)
			w.weddings = append(w.weddings, wedding(strconv.Itoa(d*10+i), at, 40+(d*31+i*17)%160))
		}
	}
	slices.SortFunc(w.weddings, func(a, b models.Wedding) int { return a.StartsAt.Compare(b.StartsAt) })
	w.careless = true // the fake's pages are small: this gives all at once
	w.load = since(365*days, noisy(0.1, platformDay))
	return w
}

// BenchmarkRefit is the nightly learning of nine services.
func BenchmarkRefit(b *testing.B) {
	w := yearOld()
	p := w.predictor()
	for b.Loop() {
		got, err := p.Refit(b.Context(), now)
		require.NoError(b, err)
		require.Len(b, got, 9)
	}
}

// BenchmarkPredict answers requests from what is known; p99 is that of single answers.
func BenchmarkPredict(b *testing.B) {
	p := yearOld().predictor()
	req := models.PredictionRequest{TimeHorizonHours: 168, IncludeWeddingContext: true, Quantiles: []float64{0.1, 0.5, 0.9, 0.95}}
	_, err := p.Predict(b.Context(), req, now)
	require.NoError(b, err)
	var took []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		_, err := p.Predict(b.Context(), req, now)
		took = append(took, time.Since(began))
		require.NoError(b, err)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}
