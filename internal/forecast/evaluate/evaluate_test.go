package evaluate_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/forecast/evaluate"
	"github.com/wedsync/scalability/internal/forecast/score"
)

// file writes one of a folder of made-up data.
func file(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
	if !strings.HasSuffix(name, ".gz") {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
}

func course(h int) float64 {
	v := 1000 + 400*math.Sin(2*math.Pi*float64(h)/24) + 30*math.Sin(float64(h*h))
	if h/24%7 >= 5 {
		v *= 0.8
	}
	return v
}

// madeUp is a folder with all files, small.
func madeUp(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var train, test strings.Builder
	for i := range 3 {
		fmt.Fprintf(&train, "H%d", i)
		fmt.Fprintf(&test, "H%d", i)
		for h := range 24 * 32 {
			fmt.Fprintf(&train, ",%.1f", course(h+7*i))
		}
		for h := range 48 {
			fmt.Fprintf(&test, ",%.1f", course(24*32+h+7*i))
		}
		train.WriteString("\n")
		test.WriteString("\n")
	}
	file(t, dir, "m4-hourly/hourly-train.csv.gz", train.String())
	file(t, dir, "m4-hourly/hourly-test.csv.gz", test.String())

	vic, traffic := &strings.Builder{}, &strings.Builder{}
	vic.WriteString("\"Time\",\"Demand\",\"Temperature\",\"Date\",\"Holiday\"\n")
	traffic.WriteString("date_time,traffic_volume,holiday,temp\n")
	start := time.Date(2013, 11, 1, 0, 0, 0, 0, time.UTC)
	for h := range 24 * 75 {
		at := start.Add(time.Duration(h) * time.Hour)
		for _, minute := range []int{0, 30} {
			half := at.Add(time.Duration(minute) * time.Minute)
			fmt.Fprintf(vic, "%s,%.2f,20,%s,%s\n", half.Format(time.DateTime), course(h)+float64(minute), half.Format(time.DateOnly), strings.ToUpper(fmt.Sprint(at.Day() == 25)))
		}
		if h%50 != 49 { // gaps
			fmt.Fprintf(traffic, "%s,%.0f,None,280\n", at.Format("1/2/06 15:04"), course(h))
		}
		if h%70 == 0 { // twice
			fmt.Fprintf(traffic, "%s,%.0f,None,280\n", at.Format("1/2/06 15:04"), course(h))
		}
	}
	file(t, dir, "day-ahead/vic_elec.csv.gz", vic.String())
	file(t, dir, "day-ahead/i94_traffic.csv.gz", traffic.String())

	cup := &strings.Builder{}
	cup.WriteString("period,count\n")
	matches := "kickoff_utc,stage,team1,team2,score,venue\n"
	begin := time.Date(1998, 4, 30, 21, 0, 0, 0, time.UTC)
	for h := range 24*55 + 3 {
		at := begin.Add(time.Duration(h) * time.Hour)
		v := course(h)
		if at.After(time.Date(1998, 6, 10, 0, 0, 0, 0, time.UTC)) && at.Hour() == 15 {
			v *= 4
		}
		fmt.Fprintf(cup, "%s,%.0f\n%s,%.0f\n", at.Format(time.DateTime), v/2, at.Add(30*time.Minute).Format(time.DateTime), v/2)
	}
	for d := 10; d <= 26; d++ {
		matches += fmt.Sprintf("1998-06-%d 15:00,Group,A,B,\"1-0\",\"Somewhere, else\"\n", d)
	}
	file(t, dir, "worldcup98/requests_per_minute.csv.gz", cup.String())
	file(t, dir, "worldcup98/matches_utc.csv", matches)
	return dir
}

func TestFilesAreReadAsTheyAre(t *testing.T) {
	dir := madeUp(t)
	vic, err := evaluate.ReadVicElec(dir)
	require.NoError(t, err)
	assert.Len(t, vic.Load, 24*75)
	assert.InDelta(t, course(5)+15, vic.Load[5], 0.01, "two half-hours are one hour")
	assert.True(t, vic.IsHoliday(time.Date(2013, 12, 25, 0, 0, 0, 0, time.UTC)))
	assert.False(t, vic.IsHoliday(time.Date(2013, 12, 24, 0, 0, 0, 0, time.UTC)))

	traffic, err := evaluate.ReadI94(dir)
	require.NoError(t, err)
	assert.True(t, math.IsNaN(traffic.Load[49]), "a gap is missing, not zero")
	assert.InDelta(t, course(70), traffic.Load[70], 0.6, "a row that is there twice counts once")

	cup, err := evaluate.ReadWorldCup(dir)
	require.NoError(t, err)
	assert.Equal(t, time.Date(1998, 4, 30, 0, 0, 0, 0, time.UTC), cup.Start)
	assert.True(t, math.IsNaN(cup.Load[0]), "the first day is not whole")
	assert.InDelta(t, course(0), cup.Load[21], 1.1)
	require.Len(t, cup.Events, 17)
	assert.InDelta(t, float64(cup.Hour(1998, 6, 10)+15), cup.Events[0].Start, 1e-9)
	assert.Equal(t, []string{"team A", "team B"}, cup.Events[0].Tags)

	series, _, err := evaluate.ReadM4(dir)
	require.NoError(t, err)
	require.Len(t, series, 3)
	assert.Len(t, series[2].Future, 48)
}

// suiteOf is the one that reads a file.
func suiteOf(name string) string {
	folder, _, _ := strings.Cut(name, "/")
	return map[string]string{"m4-hourly": evaluate.SuiteM4, "day-ahead": evaluate.SuiteDayAhead, "worldcup98": evaluate.SuiteWorldCup}[folder]
}

func TestABrokenFileIsNamed(t *testing.T) {
	for _, c := range []struct {
		name, file, content, want string
	}{
		{"a missing column", "day-ahead/vic_elec.csv.gz", "Time,Demand\n", `no column "Holiday"`},
		{"no rows", "day-ahead/vic_elec.csv.gz", "Time,Demand,Holiday\n", "has no rows"},
		{"a number that is none", "day-ahead/i94_traffic.csv.gz", "date_time,traffic_volume,holiday\n1/2/18 3:00,many,None\n", `day-ahead/i94_traffic.csv.gz, line 2, traffic_volume: "many"`},
		{"a number below nothing", "day-ahead/vic_elec.csv.gz", "Time,Demand,Holiday\n2012-01-01 00:00:00,-1,TRUE\n", `day-ahead/vic_elec.csv.gz, line 2, Demand: "-1"`},
		{"a time that is none", "worldcup98/requests_per_minute.csv.gz", "period,count\n1998-05-01 00:00:00,2\nyesterday,1\n", `worldcup98/requests_per_minute.csv.gz, line 3, period: "yesterday"`},
		{"a match at no time", "worldcup98/matches_utc.csv", "kickoff_utc,team1,team2\nsoon,A,B\n", `worldcup98/matches_utc.csv, line 2, kickoff_utc: "soon"`},
		{"a line with a field too few", "day-ahead/vic_elec.csv.gz", "Time,Demand,Holiday\n2012-01-01 00:00:00,1\n", "line 2: wrong number of fields"},
		{"a year that is wrong", "day-ahead/vic_elec.csv.gz", "Time,Demand,Holiday\n2012-01-01 00:00:00,1,TRUE\n0012-01-01 00:00:00,1,TRUE\n", "at most 30 years"},
		{"an empty file", "day-ahead/i94_traffic.csv.gz", "", "its heading"},
		{"a value of a series that is none", "m4-hourly/hourly-train.csv.gz", "H0,1,2\nH1,1,x\n", `m4-hourly/hourly-train.csv.gz, line 2, series H1, value 2: "x"`},
		{"no series with a future", "m4-hourly/hourly-test.csv.gz", "H9,1\n", "has values to be judged on in hourly-test.csv.gz"},
		{"no series that is long enough", "m4-hourly/hourly-train.csv.gz", "H0,1,2\n", "H0 has 2 hours to learn from, 192 are needed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := madeUp(t)
			file(t, dir, c.file, c.content)
			_, err := evaluate.Run(t.Context(), evaluate.Options{Suite: suiteOf(c.file), Data: dir})
			require.ErrorContains(t, err, c.want)
		})
	}
	_, err := evaluate.Run(t.Context(), evaluate.Options{Suite: evaluate.SuiteM4, Data: t.TempDir()})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = evaluate.Run(t.Context(), evaluate.Options{Suite: "best"})
	require.ErrorContains(t, err, "no suite")
	_, err = evaluate.Run(t.Context(), evaluate.Options{Suite: evaluate.SuiteM4, Seeds: -1})
	require.Error(t, err)
}

// TestTheHeadlineHasEachFigure also runs each backtest, on little data.
func TestTheHeadlineHasEachFigure(t *testing.T) {
	dir := madeUp(t)
	r, err := evaluate.Run(t.Context(), evaluate.Options{Suite: evaluate.SuiteHeadline, Data: dir, Seeds: 1})
	require.NoError(t, err)
	raw, err := json.Marshal(r.Headline())
	require.NoError(t, err)
	var got map[string]map[string]float64
	require.NoError(t, json.Unmarshal(raw, &got))
	keys := map[string][]string{
		"m4Hourly": {"owa", "smape", "mase", "msis", "coverage95"}, "vicElec": {"accuracy"}, "i94": {"accuracy"},
		"worldcup98": {"dayAhead", "oneHour"}, "superposed": {"30at30", "100at60", "calendarGain"},
	}
	require.Len(t, got, len(keys))
	for name, figures := range keys {
		assert.Len(t, got[name], len(figures), name)
		for _, f := range figures {
			assert.Contains(t, got[name], f)
		}
	}
	assert.Greater(t, got["vicElec"]["accuracy"], 95.0)
	assert.Greater(t, got["worldcup98"]["oneHour"], 80.0)
	assert.Contains(t, r.WorldCup.Split, "judged 1998-06-18", "where the trace reaches that far")
	assert.Contains(t, r.VicElec.Split, "judged 2014-01-01")
	assert.Contains(t, r.I94.Split, "judged 2013-12-16", "else the last 40 %")

	var text bytes.Buffer
	require.NoError(t, r.Write(&text))
	for _, want := range []string{"m4Hourly.owa", "Theta", "24 h ahead, from each hour", "match days", "mean of 2 at 30at30"} {
		assert.Contains(t, text.String(), want)
	}
	out := filepath.Join(t.TempDir(), "report")
	require.NoError(t, r.WriteTo(out))
	page, err := os.ReadFile(filepath.Join(out, evaluate.PageFile))
	require.NoError(t, err)
	assert.GreaterOrEqual(t, bytes.Count(page, []byte("<svg")), 8)
	assert.NotContains(t, string(page), "NaN")
	assert.NotContains(t, string(page), "http", "the page loads nothing")
}

func TestSuitesPrintTheirPartAlone(t *testing.T) {
	r, err := evaluate.Run(t.Context(), evaluate.Options{Suite: evaluate.SuiteM4, Data: madeUp(t), Every: 2})
	require.NoError(t, err)
	assert.Equal(t, 2, r.M4.Series)
	raw, err := json.Marshal(r.Headline())
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(raw), `{"m4Hourly":`), string(raw))
	assert.NotContains(t, string(raw), "vicElec")
}

func TestNoForecastSeesWhatComesAfterItsOrigin(t *testing.T) {
	load := make([]float64, 24*50)
	for h := range load {
		load[h] = course(h)
	}
	h := evaluate.Hourly{Name: "x", Start: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), Load: load}
	from := 24 * 40
	play := func() evaluate.Result {
		r, err := evaluate.Backtest(t.Context(), h, evaluate.Plan{From: from, Far: true})
		require.NoError(t, err)
		return r
	}
	before := play()
	h.Load = append([]float64{}, load...)
	for t := from + 24; t < len(load); t++ {
		h.Load[t] *= 100
	}
	after := play()
	for i := range 24 {
		assert.Equal(t, before.DayAhead[i].Forecast, after.DayAhead[i].Forecast) //nolint:testifylint // to the bit
		assert.Equal(t, before.NextHour[i].Forecast, after.NextHour[i].Forecast) //nolint:testifylint // to the bit
	}
	for i := range 168 {
		assert.Equal(t, before.Week[i].Forecast, after.Week[i].Forecast) //nolint:testifylint // to the bit
	}
}

func TestSuperposedWeddingsHaveTheirShare(t *testing.T) {
	load := make([]float64, 24*365)
	for h := range load {
		load[h] = course(h)
	}
	base := evaluate.Hourly{Name: "x", Start: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), Load: load}
	for _, mix := range evaluate.Mixes() {
		with := evaluate.Superpose(base, mix, 1)
		own, all := 0.0, 0.0
		for h := range load {
			own, all = own+load[h], all+with.Load[h]
			assert.GreaterOrEqual(t, with.Load[h], load[h])
		}
		assert.InDelta(t, mix.Share, 1-own/all, 1e-9)
		assert.InDelta(t, mix.PerDay, float64(len(with.Events))/365, 0.1*mix.PerDay)
		assert.Equal(t, with, evaluate.Superpose(base, mix, 1))
		assert.NotEqual(t, with.Load, evaluate.Superpose(base, mix, 2).Load)
	}
}

func TestGoalsSayByHowMuchTheyAreMissed(t *testing.T) {
	assert.True(t, evaluate.Goal{Is: 0.40, Want: 0.41, AtMost: true}.Met())
	assert.False(t, evaluate.Goal{Is: 0.42, Want: 0.41, AtMost: true}.Met())
	assert.True(t, evaluate.Goal{Is: 93.1, Want: 95, Within: 2}.Met())
	assert.False(t, evaluate.Goal{Is: 97.1, Want: 95, Within: 2}.Met())
	assert.False(t, evaluate.Goal{Is: evaluate.Figure(math.NaN()), Want: 1}.Met())
	r := evaluate.Report{VicElec: &evaluate.Judged{}, I94: &evaluate.Judged{}}
	r.VicElec.Result.DayAhead = []score.Record{{Actual: 100, Forecast: 94}}
	r.I94.Result.DayAhead = []score.Record{{Actual: 100, Forecast: 94}}
	var text bytes.Buffer
	require.NoError(t, r.Write(&text))
	assert.Contains(t, text.String(), "missed by 2.5")
}
