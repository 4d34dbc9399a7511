package evaluate_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/forecast/evaluate"
)

// rewritten is the made-up data with the lines of one file changed.
func rewritten(t *testing.T, name string, change func(lines []string) []string) string {
	t.Helper()
	dir := madeUp(t)
	f, err := os.Open(filepath.Join(dir, name))
	require.NoError(t, err)
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		r, err = gzip.NewReader(f)
		require.NoError(t, err)
	}
	raw, err := io.ReadAll(r)
	require.NoError(t, err)
	file(t, dir, name, strings.Join(change(strings.Split(strings.TrimSpace(string(raw)), "\n")), "\n")+"\n")
	return dir
}

func figures(t *testing.T, suite, dir string) (string, []string) {
	t.Helper()
	r, err := evaluate.Run(t.Context(), evaluate.Options{Suite: suite, Data: dir, Seeds: 1})
	require.NoError(t, err)
	raw, err := json.Marshal(r.Headline())
	require.NoError(t, err)
	require.NoError(t, r.WriteTo(t.TempDir()))
	return string(raw), r.Notes()
}

func quoted(lines []string) []string {
	for i, l := range lines {
		cells := strings.Split(strings.ReplaceAll(l, `"`, ""), ",")
		lines[i] = `"` + strings.Join(cells, `","`) + `"` + "\r"
	}
	return lines
}

func shuffled(lines []string) []string {
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(lines)-1, func(i, j int) { lines[i+1], lines[j+1] = lines[j+1], lines[i+1] })
	return lines
}

func TestTheSameDataWrittenInAnotherWayGiveTheSameFigures(t *testing.T) {
	as := map[string]string{}
	for _, suite := range []string{evaluate.SuiteM4, evaluate.SuiteDayAhead, evaluate.SuiteWorldCup} {
		as[suite], _ = figures(t, suite, madeUp(t))
	}
	for _, c := range []struct {
		name, file string
		change     func([]string) []string
	}{
		{"quoted, with the line ends of Windows", "m4-hourly/hourly-train.csv.gz", quoted},
		{"filled up to the longest line", "m4-hourly/hourly-test.csv.gz", func(l []string) []string { l[0] += ",,,NA"; return l }},
		{"with a heading", "m4-hourly/hourly-train.csv.gz", func(l []string) []string { return append([]string{"id,V1,V2"}, l...) }},
		{"quoted, with the line ends of Windows", "day-ahead/vic_elec.csv.gz", quoted},
		{"with a mark before the heading", "day-ahead/i94_traffic.csv.gz", func(l []string) []string { l[0] = "\uFEFF" + l[0]; return l }},
		{"in another order", "day-ahead/vic_elec.csv.gz", shuffled},
		{"in another order", "worldcup98/requests_per_minute.csv.gz", shuffled},
		{"matches in another order", "worldcup98/matches_utc.csv", shuffled},
		{"with times as other programs write them", "day-ahead/vic_elec.csv.gz", func(l []string) []string {
			for i := range l[1:] {
				l[i+1] = l[i+1][:10] + "T" + l[i+1][11:19] + "Z" + l[i+1][19:]
			}
			return l
		}},
	} {
		t.Run(c.name+" "+c.file, func(t *testing.T) {
			got, notes := figures(t, suiteOf(c.file), rewritten(t, c.file, c.change))
			assert.JSONEq(t, as[suiteOf(c.file)], got)
			assert.Empty(t, notes)
		})
	}
	t.Run("not packed", func(t *testing.T) {
		dir := madeUp(t)
		packed := filepath.Join(dir, "worldcup98/requests_per_minute.csv.gz")
		f, err := os.Open(packed)
		require.NoError(t, err)
		z, err := gzip.NewReader(f)
		require.NoError(t, err)
		raw, err := io.ReadAll(z)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.NoError(t, os.Remove(packed))
		file(t, dir, "worldcup98/requests_per_minute.csv", string(raw))
		got, _ := figures(t, evaluate.SuiteWorldCup, dir)
		assert.JSONEq(t, as[evaluate.SuiteWorldCup], got)
	})
}

func TestDataWithLessInThemAreJudgedAsFarAsTheyGo(t *testing.T) {
	first := func(n int) func([]string) []string { return func(l []string) []string { return l[:min(n, len(l))] } }
	for _, c := range []struct {
		name, file string
		change     func([]string) []string
		nulls      bool
		note       string
	}{
		{"one series", "m4-hourly/hourly-train.csv.gz", first(1), false, "H1 is in one of both files alone"},
		{"a series that never changes", "m4-hourly/hourly-train.csv.gz", func(l []string) []string { l[1] = "H1" + strings.Repeat(",5", 700); return l }, false, "H1 is the same each day"},
		{"a series that is too short", "m4-hourly/hourly-train.csv.gz", func(l []string) []string { l[2] = l[2][:300]; return l }, false, "H2 has"},
		{"gaps in what is learned from", "m4-hourly/hourly-train.csv.gz", func(l []string) []string {
			for i := range l {
				cells := strings.Split(l[i], ",")
				for k := 1; k < len(cells); k += 37 {
					cells[k] = []string{"", "NA"}[k%2]
				}
				l[i] = strings.Join(cells, ",")
			}
			return l
		}, false, ""},
		{"gaps in what is judged", "m4-hourly/hourly-test.csv.gz", func(l []string) []string { l[0] = strings.Replace(l[0], ",", ",NA,", 3); return l }, false, ""},
		{"values that are missing", "day-ahead/vic_elec.csv.gz", func(l []string) []string {
			for i := 5; i < len(l); i += 11 {
				cells := strings.Split(l[i], ",")
				cells[1] = "NA"
				l[i] = strings.Join(cells, ",")
			}
			return l
		}, false, ""},
		{"some weeks missing", "day-ahead/vic_elec.csv.gz", func(l []string) []string { return append(l[:1000:1000], l[2000:]...) }, false, ""},
		{"forty days", "day-ahead/vic_elec.csv.gz", first(48 * 40), false, ""},
		{"a single row", "day-ahead/vic_elec.csv.gz", first(2), false, ""},
		{"nothing but zero", "day-ahead/vic_elec.csv.gz", func(l []string) []string {
			for i := 1; i < len(l); i++ {
				cells := strings.Split(l[i], ",")
				cells[1] = "0"
				l[i] = strings.Join(cells, ",")
			}
			return l
		}, true, "vic_elec: nothing could be judged"},
		{"no matches", "worldcup98/matches_utc.csv", first(1), false, ""},
		{"the end before the first match", "worldcup98/requests_per_minute.csv.gz", first(2 * 24 * 20), true, "World Cup 98: nothing could be judged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, notes := figures(t, suiteOf(c.file), rewritten(t, c.file, c.change))
			assert.Equal(t, c.nulls, strings.Contains(got, "null"), got)
			if c.note == "" {
				assert.Empty(t, notes)
			} else {
				require.NotEmpty(t, notes)
				assert.Contains(t, strings.Join(notes, "; "), c.note)
			}
		})
	}
}

func TestWeddingsOnLoadsThatAreTooShortAreNotJudged(t *testing.T) {
	dir := madeUp(t)
	file(t, dir, "day-ahead/vic_elec.csv.gz", "Time,Demand,Holiday\n2012-01-01 00:00:00,1,TRUE\n")
	file(t, dir, "day-ahead/i94_traffic.csv.gz", "date_time,traffic_volume,holiday\n1/2/18 3:00,5,None\n")
	got, notes := figures(t, evaluate.SuiteWeddings, dir)
	assert.JSONEq(t, `{"superposed": {"30at30": null, "100at60": null, "calendarGain": null}}`, got)
	assert.Len(t, notes, 1)
}
