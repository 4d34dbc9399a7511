package evaluate

import (
	"context"
	"errors"

	"github.com/wedsync/scalability/internal/forecast/classic"
	"github.com/wedsync/scalability/internal/forecast/panel"
	"github.com/wedsync/scalability/internal/forecast/score"
)

// M4 is what the forecasts of the competition's hourly series came to.
type M4 struct {
	Series     int       `json:"series"`
	Methods    []M4Row   `json:"methods"` // ours last
	MSIS       float64   `json:"msis"`
	Coverage95 float64   `json:"coverage95"`
	ByLead     []float64 `json:"byLead"` // MASE of ours by hour ahead
}

// M4Row is one method.
type M4Row struct {
	Method string  `json:"method"`
	SMAPE  float64 `json:"smape"`
	MASE   float64 `json:"mase"`
	OWA    float64 `json:"owa"`
}

// Ours is the row of our forecasts.
func (m M4) Ours() M4Row { return m.Methods[len(m.Methods)-1] }

// seasonality of hourly series in the competition.
const seasonality = 24

// JudgeM4 forecasts the hours after each series and scores them as the competition does.
func JudgeM4(ctx context.Context, series []Series, progress func(int, int, string)) (M4, error) {
	if len(series) == 0 {
		return M4{}, errors.New("evaluate: no M4 series")
	}
	histories := make([][]float64, len(series))
	horizon := 0
	for i, s := range series {
		histories[i] = s.Train
		horizon = max(horizon, len(s.Future))
	}
	ours, err := panel.Make(ctx, histories, panel.Options{Horizon: horizon, Progress: progress})
	if err != nil {
		return M4{}, err
	}
	out := M4{Series: len(series), ByLead: make([]float64, horizon)}
	add := func(name string, method func(i int) []float64) {
		row := M4Row{Method: name}
		for i, s := range series {
			f := method(i)[:len(s.Future)]
			row.SMAPE += score.SMAPE(s.Future, f) / float64(len(series))
			row.MASE += score.MASE(s.Future, f, score.Scale(s.Train, seasonality)) / float64(len(series))
		}
		out.Methods = append(out.Methods, row)
	}
	add("Naive", func(i int) []float64 { return classic.Naive(histories[i], horizon) })
	for name, method := range map[string]func([]float64, int, int) []float64{
		"sNaive": classic.SeasonalNaive, "Naive2": classic.Naive2, "SES": classic.SES, "Theta": classic.Theta,
	} {
		add(name, func(i int) []float64 { return method(histories[i], seasonality, horizon) })
	}
	add("WedSync", func(i int) []float64 { return ours[i].Point })
	out.finish(series, ours)
	return out, nil
}

// finish puts the methods in the usual order, and adds OWA and the intervals.
func (m *M4) finish(series []Series, ours []panel.Forecast) {
	byName := map[string]M4Row{}
	for _, r := range m.Methods {
		byName[r.Method] = r
	}
	m.Methods = m.Methods[:0]
	for _, name := range []string{"Naive", "sNaive", "Naive2", "SES", "Theta", "WedSync"} {
		r := byName[name]
		r.OWA = score.OWA(r.SMAPE, r.MASE, byName["Naive2"].SMAPE, byName["Naive2"].MASE)
		m.Methods = append(m.Methods, r)
	}
	n := float64(len(series))
	for i, s := range series {
		scale, h := score.Scale(s.Train, seasonality), len(s.Future)
		m.MSIS += score.MSIS(s.Future, ours[i].Lower[:h], ours[i].Upper[:h], 0.05, scale) / n
		m.Coverage95 += 100 * score.Coverage(s.Future, ours[i].Lower[:h], ours[i].Upper[:h]) / n
		for lead, y := range s.Future {
			m.ByLead[lead] += score.MASE([]float64{y}, ours[i].Point[lead:lead+1], scale) / n
		}
	}
}
