package evaluate_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/forecast/classic"
	"github.com/wedsync/scalability/internal/forecast/evaluate"
	"github.com/wedsync/scalability/internal/forecast/score"
)

// data is the folder of public data; tests that need it skip where it is missing.
func data(t testing.TB, needs ...string) string {
	t.Helper()
	dir := os.Getenv("WEDSYNC_DATA")
	if dir == "" {
		t.Skip("no public data: set WEDSYNC_DATA to their folder, see docs/forecast.md")
	}
	for _, name := range needs {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Skipf("no public data: %v, see docs/forecast.md", err)
		}
	}
	return dir
}

// TestScorersGiveTheKnownFigures holds scorers and textbook methods against the figures
// published for all 414 series, and those known for the 207 odd ones.
func TestScorersGiveTheKnownFigures(t *testing.T) {
	series, _, err := evaluate.ReadM4(data(t, "m4-hourly/hourly-train.csv.gz", "m4-hourly/hourly-test.csv.gz"))
	require.NoError(t, err)
	want := map[int]map[string][3]string{
		207: {
			"Naive": {"43.097", "11.947", "3.6389"}, "sNaive": {"13.979", "1.233", ".6370"}, "Naive2": {"18.224", "2.432", "1"},
			"SES": {"17.839", "2.420", ".9870"}, "Theta": {"17.891", "2.497", "1.0042"},
		},
		414: {
			"Naive": {"43.003", "11.608", ""}, "sNaive": {"13.912", "1.193", ""}, "Naive2": {"18.383", "2.395", ""},
			"SES": {"18.094", "2.385", ""}, "Theta": {"18.138", "2.455", ""},
		},
	}[len(series)]
	if want == nil {
		t.Skipf("no figures are known for %d series", len(series))
	}
	methods := map[string]func([]float64, int, int) []float64{
		"Naive":  func(y []float64, _, h int) []float64 { return classic.Naive(y, h) },
		"sNaive": classic.SeasonalNaive, "Naive2": classic.Naive2, "SES": classic.SES, "Theta": classic.Theta,
	}
	got := map[string][2]float64{}
	for name, method := range methods {
		smape, mase := 0.0, 0.0
		for _, s := range series {
			f := method(s.Train, 24, len(s.Future))
			smape += score.SMAPE(s.Future, f) / float64(len(series))
			mase += score.MASE(s.Future, f, score.Scale(s.Train, 24)) / float64(len(series))
		}
		got[name] = [2]float64{smape, mase}
	}
	for name, figures := range want {
		assert.Equal(t, figures[0], fmt.Sprintf("%.3f", got[name][0]), "sMAPE of %s", name)
		assert.Equal(t, figures[1], fmt.Sprintf("%.3f", got[name][1]), "MASE of %s", name)
		owa := score.OWA(got[name][0], got[name][1], got["Naive2"][0], got["Naive2"][1])
		if figures[2] != "" {
			assert.InDelta(t, number(t, figures[2]), owa, 0.00005, "OWA of %s", name)
		}
	}
}

// TestWhatWasReachedIsKept guards the figures of the note, on a part of the data.
func TestWhatWasReachedIsKept(t *testing.T) {
	dir := data(t, "m4-hourly/hourly-train.csv.gz", "m4-hourly/hourly-test.csv.gz", "day-ahead/vic_elec.csv.gz", "day-ahead/i94_traffic.csv.gz")
	series, _, err := evaluate.ReadM4(dir)
	require.NoError(t, err)
	var some []evaluate.Series
	for i := 0; i < len(series); i += 3 {
		some = append(some, series[i])
	}
	m4, err := evaluate.JudgeM4(t.Context(), some, nil)
	require.NoError(t, err)
	assert.Less(t, m4.Ours().OWA, 0.45)
	assert.Less(t, m4.MSIS, 8.0)
	if testing.Short() {
		return
	}
	r, err := evaluate.Run(t.Context(), evaluate.Options{Suite: evaluate.SuiteDayAhead, Data: dir})
	require.NoError(t, err)
	assert.Greater(t, r.Headline().VicElec.Accuracy, 96.4)
	assert.Greater(t, r.Headline().I94.Accuracy, 93.0)
	for _, j := range []*evaluate.Judged{r.VicElec, r.I94} {
		assert.InDelta(t, 0.95, score.TallyOf(j.Result.DayAhead, nil).Coverage, 0.02, j.Name)
		assert.InDelta(t, 0.95, score.TallyOf(j.Result.NextHour, nil).Coverage, 0.02, j.Name)
	}
}

func number(t *testing.T, s string) (v float64) {
	_, err := fmt.Sscanf(s, "%g", &v)
	require.NoError(t, err)
	return v
}
