package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/internal/forecast/minute"
	"github.com/wedsync/scalability/internal/simulate"
	"github.com/wedsync/scalability/internal/simulate/suite"
)

func sample() suite.Report {
	r := suite.Report{Suite: "headline", Seed: 7, Seeds: 2, Notes: []string{"missed: <b>something</b>"}}
	for _, p := range []string{suite.Engine, suite.HPA} {
		for i, target := range []float64{0.8, 0.6} {
			r.Rows = append(r.Rows, suite.Row{
				Load: "wedding", Part: suite.PartTune, Seed: 7, Policy: p, Target: target,
				Result: simulate.Result{ViolationMinutes: float64(10 - 10*i), ReplicaHours: 100 * float64(i+1), Days: 2},
			})
		}
	}
	r.Chosen = r.Rows[:1]
	minutes := make([]simulate.Minute, 180)
	for i := range minutes {
		minutes[i] = simulate.Minute{At: time.Date(2026, 9, 5, 0, i, 0, 0, time.UTC), Load: 100, Ready: 4, Spec: 4, Violation: i == 90}
	}
	r.Pictures = []suite.Picture{{Load: "wedding", Policy: suite.Engine, Target: 0.8, Replica: 50, Minutes: minutes}}
	r.Goals = []suite.Goal{{Name: "a", Met: true, Interval: suite.Interval{Value: 0.1, Low: 0.05, High: 0.2, Seeds: 2}}, {Name: "b", Interval: suite.Interval{Seeds: 2}}}
	r.Chosen[0].Forecast = &minute.Foresight{WAPE: 0.123, Coverage95: 0.951, Bias: -0.042, Judged: 9}
	r.Scalars = []suite.Scalar{{Load: "wedding", Policy: suite.Engine, CostPerDay: 321.5, ViolationsPerDay: 0.25, ViolationsReached: true, Seeds: 2}}
	r.Decision = suite.Decisions{Count: 77, PerSecond: 200000, P50Micros: 3.5, P99Micros: 12.5}
	r.Steps = []suite.Step{{Policy: suite.Engine, OrderedMaxSeconds: 4, Phases: 60}}
	r.Faults = []suite.Fault{{Fault: "x", Policy: suite.HPA, Seed: 7, HarmfulRemovals: 3}, {Fault: "x", Policy: suite.HPA, Seed: 8, HarmfulRemovals: 4}}
	return r
}

func TestThePageStandsAloneAndSaysWhatIsMissed(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Page(&b, sample()))
	text := b.String()
	assert.NotRegexp(t, `(?i)(src|href|url|@import)\s*[=(]`, text, "nothing is fetched")
	assert.NotContains(t, text, "<script")
	assert.NotContains(t, text, "<b>something</b>", "text is text")
	assert.Contains(t, text, "1 of 2 goals are missed")
	assert.Contains(t, text, "0.050 – 0.200")
	assert.Equal(t, 2, strings.Count(text, "<svg"), "a front and a day")
	assert.NotContains(t, text, "NaN")
	for _, figure := range []string{"<td>0.123</td><td>0.951</td><td>-0.042</td>", "≥ 321.5", "<td>0.25</td>", "99 of 100 at most 12.5 µs", "200000 a second"} {
		assert.Contains(t, text, figure)
	}
	assert.Contains(t, text, "<td>7</td>", "the seeds' harm is summed")
}

func TestPicturesAreWellFormed(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Page(&b, sample()))
	for _, svg := range regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(b.String(), -1) {
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
		}
		assert.Contains(t, svg, "<polyline")
	}
}

func TestWhatIsDrawnStaysOnTheCanvas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rows []suite.Row
		for range rapid.IntRange(1, 12).Draw(t, "n") {
			rows = append(rows, suite.Row{Policy: suite.HPA, Result: simulate.Result{
				Days:             rapid.Float64Range(0.1, 100).Draw(t, "days"),
				ViolationMinutes: rapid.Float64Range(0, 1e5).Draw(t, "violations"),
				ReplicaHours:     rapid.Float64Range(0, 1e6).Draw(t, "cost"),
			}})
		}
		c := frontChart("x", rows, nil)
		for _, d := range c.Series[0].Dots {
			assert.True(t, d.X >= left && d.X <= width-right && d.Y >= above && d.Y <= height-beneath, "%+v", d)
		}
		assert.LessOrEqual(t, len(c.X), 25)
		for _, mark := range c.X {
			assert.True(t, mark.At >= left && mark.At <= width-right)
		}
	})
	assert.InDelta(t, 1, step(0, 5), 1e-9)
	assert.InDelta(t, 1, step(math.NaN(), 5), 1e-9)
	assert.InDelta(t, 20, step(97, 5), 1e-9)
	assert.Equal(t, []float64{7, 10, 15, 20, 30}, decades(6, 40))
}

func TestTheFilesHoldEveryRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "out")
	require.NoError(t, Write(dir, sample()))
	raw, err := os.ReadFile(filepath.Join(dir, JSONFile))
	require.NoError(t, err)
	var back suite.Report
	require.NoError(t, json.Unmarshal(raw, &back))
	assert.Len(t, back.Rows, 4)
	f, err := os.Open(filepath.Join(dir, CSVFile))
	require.NoError(t, err)
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	assert.Len(t, lines, 5)
	assert.Equal(t, "engine", lines[1][3])
	_, err = os.Stat(filepath.Join(dir, PageFile))
	require.NoError(t, err)
	require.Error(t, Write(filepath.Join(dir, CSVFile), sample()), "a file is no folder")
}
