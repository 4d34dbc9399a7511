package predictor_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/predictor"
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

// minutely is the same with three weeks of minutes.
func minutely() *minutes {
	m := newMinutes(noisy(0.2, platformDay))
	m.world = yearOld()
	return m
}

// BenchmarkForecast is what a decision asks for each 30 s: every second time the newest
// minute is taken in, and the hours look at the calendar again. p99 is that of single answers.
func BenchmarkForecast(b *testing.B) {
	m := minutely()
	for name, p := range map[string]*predictor.Predictor{"hours": m.world.predictor(), "minutes": m.predictor()} {
		b.Run(name, func(b *testing.B) {
			ask := func(at time.Time) string {
				f, err := p.Forecast(b.Context(), m.service, m.set(at), lead)
				require.NoError(b, err)
				return f.Model
			}
			for (ask(now) == "profile") != (name == "minutes") {
				time.Sleep(time.Millisecond)
			}
			var took []time.Duration
			at := now
			for b.Loop() {
				if at = at.Add(30 * time.Second); at.Minute() == 59 {
					at = at.Add(time.Minute) // at full hours the hours learn, which is measured elsewhere
					ask(at)
				}
				began := time.Now()
				ask(at)
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			sum := time.Duration(0)
			for _, x := range took {
				sum += x
			}
			b.ReportMetric(float64(sum.Microseconds())/float64(len(took)), "mean-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}

// BenchmarkReadMinutes is the time from the first question until the minutes of nine
// services serve.
func BenchmarkReadMinutes(b *testing.B) {
	m := minutely()
	for b.Loop() {
		b.StopTimer()
		p := m.predictor()
		for _, name := range models.ServiceNames() { // the hours are learned before
			_, err := p.Calendar(b.Context(), models.Service{Name: name}, now)
			require.NoError(b, err)
		}
		b.StartTimer()
		for waiting := len(models.ServiceNames()); waiting > 0; {
			waiting = 0
			for _, name := range models.ServiceNames() {
				s := m.service
				s.Name = name
				f, err := p.Forecast(b.Context(), s, now, lead)
				require.NoError(b, err)
				if f.Model != "profile" {
					waiting++
				}
			}
			time.Sleep(time.Millisecond)
		}
	}
}
