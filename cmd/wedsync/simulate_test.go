package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tracesIn writes two traces of half a day into a folder.
func tracesIn(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "traces"), 0o700))
	for _, name := range []string{"twitter", "nasa"} {
		f, err := os.Create(filepath.Join(dir, "traces", name+"_per_second.txt.gz"))
		require.NoError(t, err)
		z := gzip.NewWriter(f)
		for i := range 12 * 3600 {
			fmt.Fprintln(z, 3+i/1800%2*(2+i%3))
		}
		require.NoError(t, z.Close())
		require.NoError(t, f.Close())
	}
	return dir
}

func TestTheHeadlineIsOneObject(t *testing.T) {
	out := filepath.Join(t.TempDir(), "report")
	stdout, stderr, err := run(t, "simulate", "--suite", "headline", "--json", "--data", tracesIn(t), "--targets", "0.6,0.8", "--weeks", "2", "--seed", "3", "--out", out)
	require.NoError(t, err)
	var got map[string]map[string]*float64
	d := json.NewDecoder(strings.NewReader(stdout))
	require.NoError(t, d.Decode(&got))
	assert.False(t, d.More(), "exactly one object")
	keys := map[string][]string{
		"step": {"orderedMaxSeconds"}, "wedding": {"violationsVsKPA", "costVsKPA", "costVsHPAEqualViolations"},
		"twitter": {"violationsVsBestReactive", "costVsBestReactive"}, "nasa": {"violationsVsAWSEqualCost"},
		"flipsPerDay": {"engine", "hpa"}, "faults": {"harmfulRemovals"},
	}
	assert.Len(t, got, len(keys))
	for group, names := range keys {
		assert.Len(t, got[group], len(names), group)
		for _, n := range names {
			assert.NotNil(t, got[group][n], "%s.%s", group, n)
		}
	}
	assert.Contains(t, stderr, "seed 3")
	assert.NotContains(t, stderr, "\r", "no bar where nobody watches")
	for _, name := range []string{"report.html", "report.json", "runs.csv", "equal.csv"} {
		assert.FileExists(t, filepath.Join(out, name))
	}
}

func TestSimulateSaysWhatIsMissing(t *testing.T) {
	_, _, err := run(t, "simulate", "--data", "")
	require.ErrorContains(t, err, "WEDSYNC_DATA")
	_, _, err = run(t, "simulate", "--data", t.TempDir())
	require.ErrorIs(t, err, os.ErrNotExist)
	_, _, err = run(t, "simulate", "--suite", "some", "--data", tracesIn(t))
	require.ErrorContains(t, err, "headline, full or faults")
	_, _, err = run(t, "simulate", "--fleet-users", "3")
	require.ErrorContains(t, err, "1000")
}

func TestATraceOfMinutesIsSpreadOverSeconds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shop.csv")
	require.NoError(t, os.WriteFile(path, []byte("period,count\n2026-06-01 10:00:00,60\n2026-06-01 10:01:00,120\n2026-06-01 10:03:00,60\n"), 0o600))
	got, err := readTrace("shop", path)
	require.NoError(t, err)
	require.Len(t, got.Counts, 240)
	assert.InDelta(t, 1, got.Counts[59], 1e-9)
	assert.InDelta(t, 2, got.Counts[150], 1e-9, "a missing minute has the count before it")
	assert.Equal(t, time.Date(2026, 6, 1, 10, 0, 0, 0, time.UTC), got.Start)
}

func TestTheBarSaysHowFarItIs(t *testing.T) {
	assert.Equal(t, "["+strings.Repeat("█", 15)+strings.Repeat("·", 15)+"]  50 %  10s left  nasa engine", barLine(2, 4, 10*time.Second, "nasa engine"))
	assert.Contains(t, barLine(4, 4, time.Second, ""), "100 %  0s left")
}
