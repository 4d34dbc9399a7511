package evaluate

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/wedsync/scalability/internal/forecast/classic"
	"github.com/wedsync/scalability/internal/forecast/panel"
	"github.com/wedsync/scalability/internal/forecast/score"
)

// M4 is what the forecasts of the competition's hourly series came to.
type M4 struct {
	Series     int       `json:"series"`
	LeftOut    []string  `json:"leftOut,omitempty"` // series that cannot be judged, and why
	Methods    []M4Row   `json:"methods"`           // ours last
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
	series, leftOut := judgeable(series)
	if len(series) == 0 {
		return M4{}, fmt.Errorf("evaluate: m4-hourly has no series that can be judged: %s", strings.Join(leftOut[:min(3, len(leftOut))], "; "))
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
	out := M4{Series: len(series), LeftOut: leftOut, ByLead: make([]float64, horizon)}
	add := func(name string, method func(i int) []float64) {
		row := M4Row{Method: name}
		for i, s := range series {
			came, f := s.came(), s.at(method(i))
			row.SMAPE += score.SMAPE(came, f) / float64(len(series))
			row.MASE += score.MASE(came, f, score.Scale(s.Train, seasonality)) / float64(len(series))
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
	n, judged := float64(len(series)), make([]float64, len(m.ByLead))
	for i, s := range series {
		scale, came := score.Scale(s.Train, seasonality), s.came()
		m.MSIS += score.MSIS(came, s.at(ours[i].Lower), s.at(ours[i].Upper), 0.05, scale) / n
		m.Coverage95 += 100 * score.Coverage(came, s.at(ours[i].Lower), s.at(ours[i].Upper)) / n
		for lead, y := range s.Future {
			if !math.IsNaN(y) {
				m.ByLead[lead] += score.MASE([]float64{y}, ours[i].Point[lead:lead+1], scale)
				judged[lead]++
			}
		}
	}
	for lead := range m.ByLead {
		m.ByLead[lead] /= judged[lead]
	}
}

// came is what came after a series, as far as it is known.
func (s Series) came() []float64 { return s.at(s.Future) }

// at are the values of the hours whose load is known.
func (s Series) at(values []float64) []float64 {
	out := make([]float64, 0, len(s.Future))
	for lead, y := range s.Future {
		if !math.IsNaN(y) {
			out = append(out, values[lead])
		}
	}
	return out
}

// judgeable parts the series that can be judged from those that cannot: errors are scaled
// by the differences from day to day, of which a course without any has none.
func judgeable(all []Series) (series []Series, leftOut []string) {
	for _, s := range all {
		switch scale := score.Scale(s.Train, seasonality); {
		case len(s.Train) < panel.Shortest:
			leftOut = append(leftOut, fmt.Sprintf("%s has %d hours to learn from, %d are needed", s.ID, len(s.Train), panel.Shortest))
		case len(s.Future) > panel.MaxHorizon:
			leftOut = append(leftOut, fmt.Sprintf("%s has %d hours to be judged on, at most %d are possible", s.ID, len(s.Future), panel.MaxHorizon))
		case len(s.came()) == 0:
			leftOut = append(leftOut, s.ID+" has no hour to be judged on")
		case !(scale > 0):
			leftOut = append(leftOut, s.ID+" is the same each day: errors have no scale")
		default:
			series = append(series, s)
		}
	}
	return series, leftOut
}
