package forecast_test

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/wedsync/scalability/internal/forecast"
)

var monday = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// platform is a load with a day, a week and noise of a share of itself.
func platform(hours int, noise float64) []float64 {
	rng := rand.New(rand.NewPCG(1, 2))
	out := make([]float64, hours)
	for t := range out {
		v := 200 + 100*math.Sin(2*math.Pi*float64(t%24-8)/24)
		if t/24%7 >= 5 {
			v *= 1.5
		}
		out[t] = v * math.Exp(noise*rng.NormFloat64())
	}
	return out
}

// brings adds events to a load: each brings size for some hours around its start.
func brings(load []float64, events []forecast.Event) []float64 {
	out := append([]float64{}, load...)
	for _, e := range events {
		for i, share := range []float64{0.1, 0.5, 1, 1, 0.8, 0.4, 0.1} {
			if t := int(e.Start) - 2 + i; t < len(out) {
				out[t] += share * e.Size
			}
		}
	}
	return out
}

// scattered are two events a day at hours and of sizes that history does not tell.
func scattered(days int) []forecast.Event {
	rng := rand.New(rand.NewPCG(3, 4))
	var out []forecast.Event
	for d := range days {
		for range 2 {
			out = append(out, forecast.Event{
				ID: string(rune('A'+d%26)) + string(rune('0'+len(out)%10)), Start: float64(24*d + 8 + rng.IntN(12)), Size: 50 + 250*rng.Float64(),
			})
		}
	}
	return out
}

func observed(o forecast.Options, load []float64, events ...forecast.Event) *forecast.Model {
	if o.Start.IsZero() {
		o.Start = monday
	}
	m := forecast.New(o)
	m.Book(events...)
	for _, v := range load {
		m.Observe(v)
	}
	return m
}

// accuracy is that of the forecasts made at each midnight from an hour on.
func accuracy(m *forecast.Model, load []float64, from int) float64 {
	missed, served := 0.0, 0.0
	for t, v := range load {
		if t >= from && t%24 == 0 {
			for _, p := range m.Forecast(min(24, len(load)-t)) {
				missed += math.Abs(p.Expected - load[p.Hour])
				served += load[p.Hour]
			}
		}
		m.Observe(v)
	}
	return 100 * (1 - missed/served)
}
