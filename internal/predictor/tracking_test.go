package predictor_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/predictor"
	"github.com/wedsync/scalability/models"
)

// ledger keeps forecasts in memory, and scores them by what the world brings.
type ledger struct {
	w     *world
	rows  []models.LoadForecast
	rolls int
}

func (l *ledger) RollHours(context.Context, time.Time) (int, error) {
	l.rolls++
	return 0, nil
}

func (l *ledger) SaveForecasts(_ context.Context, rows []models.LoadForecast) (int, error) {
	n := 0
	for _, r := range rows {
		if !slices.ContainsFunc(l.rows, func(x models.LoadForecast) bool {
			return x.Service == r.Service && x.LeadHours == r.LeadHours && x.TargetAt.Equal(r.TargetAt)
		}) {
			l.rows = append(l.rows, r)
			n++
		}
	}
	return n, nil
}

func (l *ledger) ScoreForecasts(_ context.Context, at time.Time) (int, error) {
	n := 0
	for i := range l.rows {
		r := &l.rows[i]
		if v, ok := l.w.load(r.TargetAt); ok && r.Actual == nil && r.TargetAt.Add(time.Hour).Before(at) {
			r.Actual = &v
			n++
		}
	}
	return n, nil
}

func (l *ledger) Forecasts(_ context.Context, s models.ServiceName, lead int, from, until time.Time) ([]models.LoadForecast, error) {
	var out []models.LoadForecast
	for _, r := range l.rows {
		if r.Service == s && (lead == 0 || lead == r.LeadHours) && r.Actual != nil && !r.TargetAt.Before(from) && r.TargetAt.Before(until) {
			out = append(out, r)
		}
	}
	return out, nil
}

func TestForecastsAreStoredScoredAndJudgeTheGate(t *testing.T) {
	w := booked(30)
	l := &ledger{w: w}
	var gates []models.ForecastGate
	p := predictor.New(predictor.Options{
		History: w, Calendar: w, Catalogue: w, Rollups: l, Ledger: l, Weddings: true, Holiday: func(d time.Time) bool { return d.Day() == 14 },
		OnGate: func(g models.ForecastGate) { gates = append(gates, g) },
	})
	w.loads = map[models.ServiceName]func(time.Time) (float64, bool){models.ServiceMedia: since(0, platformDay)} // the others are silent
	end := now.Add(4 * days)
	w.clock = end
	for at := now; at.Before(end); at = at.Add(time.Hour) {
		_, err := p.Update(t.Context(), at)
		require.NoError(t, err)
	}
	again, err := p.Update(t.Context(), end.Add(-time.Hour))
	require.NoError(t, err)
	assert.Zero(t, again, "a repetition stores nothing")
	assert.Equal(t, 4*24+1, l.rolls)
	n, err := p.Score(t.Context(), end)
	require.NoError(t, err)
	assert.Positive(t, n)
	require.Len(t, gates, 9)
	assert.True(t, gates[0].Trusted, gates[0].Reason)
	assert.False(t, gates[5].Trusted)

	got, err := p.Accuracy(t.Context(), models.ServiceAPI, 7, end)
	require.NoError(t, err)
	groups := map[models.ForecastGroup]models.AccuracyRow{}
	for _, r := range got.Rows {
		if r.LeadHours == 24 {
			groups[r.Group] = r
		}
	}
	all := groups[models.GroupAll]
	assert.Equal(t, 3*24, all.Hours)
	for _, v := range []*float64{all.Accuracy, all.WAPE, all.MASE24, all.MASE168, all.SMAPE, all.Bias, all.Pinball10, all.Pinball50, all.Pinball90, all.Pinball95, all.Coverage, all.Width} {
		require.NotNil(t, v)
	}
	assert.Greater(t, *all.Accuracy, 85.0)
	assert.Less(t, *all.MASE168, 0.6, "far better than last week's hours")
	assert.Equal(t, 24, groups[models.GroupHolidays].Hours)
	assert.Equal(t, all.Hours, groups[models.GroupWeddings].Hours, "each day has weddings")
	assert.NotContains(t, groups, models.GroupPlain)
	_, err = p.Accuracy(t.Context(), models.ServiceAPI, 121, end)
	assert.Equal(t, models.KindInvalid, models.KindOf(err))

	// What was served counts: forecasts that were far off close the gate.
	for i := range l.rows {
		l.rows[i].Expected *= 2
	}
	_, err = p.Score(t.Context(), end)
	require.NoError(t, err)
	assert.False(t, gates[9].Trusted)
	assert.Contains(t, gates[9].Reason, "35 % is allowed")
	assert.NotEmpty(t, p.Gates(t.Context(), end))
}

func TestARefitNamesTheServicesThatHaveEnoughHistory(t *testing.T) {
	w := booked(20)
	w.loads = map[models.ServiceName]func(time.Time) (float64, bool){models.ServiceMedia: since(20*days, platformDay), models.ServiceSearch: since(5*days, platformDay)}
	p := w.predictor()
	got, err := p.Refit(t.Context(), now)
	require.NoError(t, err)
	assert.Equal(t, []models.ServiceName{models.ServiceAPI, models.ServiceMedia}, got)
	w.away["history"] = true
	_, err = p.Refit(t.Context(), now.Add(25*time.Hour))
	require.ErrorIs(t, err, errAway)
}
