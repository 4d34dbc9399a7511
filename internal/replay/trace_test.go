package replay

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/models"
)

func read(t *testing.T, file string) Trace {
	t.Helper()
	tr, err := ReadFile(filepath.Join("testdata", file))
	require.NoError(t, err)
	return tr
}

func TestReadsBothFormsAndFindsThePeriod(t *testing.T) {
	for _, c := range []struct {
		file   string
		period time.Duration
		length int
		start  string
		first  float64
	}{
		{"minutes.csv", time.Minute, 6, "1998-06-10 15:28:00", 6000},
		{"seconds.csv", time.Second, 4, "1995-07-01 00:00:00", 10},
		{"column.txt.gz", time.Second, 5, "", 52},
		{"headed.txt", time.Second, 2, "", 52},
	} {
		t.Run(c.file, func(t *testing.T) {
			tr := read(t, c.file)
			assert.Equal(t, c.period, tr.Period)
			assert.Equal(t, c.length, tr.Len())
			if c.start == "" {
				assert.True(t, tr.Start.IsZero())
			} else {
				assert.Equal(t, c.start, tr.Start.Format(time.DateTime))
			}
			count, ok := tr.Count(0)
			assert.True(t, ok)
			assert.InDelta(t, c.first, count, 0)
		})
	}
}

func TestAMissingPeriodIsMissingAndHeld(t *testing.T) {
	tr := read(t, "minutes.csv")
	_, ok := tr.Count(3)
	assert.False(t, ok)
	assert.InDelta(t, 200, tr.Rate(3*time.Minute, 4*time.Minute), 1e-9, "15:31 is held at the level of 15:30")
	assert.InDelta(t, 300, tr.Rate(4*time.Minute, 5*time.Minute), 1e-9)
}

func TestBadTracesAreNamedByFileLineAndValue(t *testing.T) {
	for _, c := range []struct{ name, text, says string }{
		{"empty", "", "holds no counts"},
		{"header only", "period,count\n", "holds no counts"},
		{"one row", "period,count\n1998-06-10 15:30:00,1\n", "at least two"},
		{"not a time", "period,count\nyesterday,1\n", `line 2: "yesterday"`},
		{"not a count", "period,count\n1998-06-10 15:30:00,many\n", `line 2: "many"`},
		{"negative", "5\n-1\n", `line 2: "-1"`},
		{"nan", "5\nNaN\n", `line 2: "NaN"`},
		{"infinite", "inf\n5\n", `line 1: "inf"`},
		{"huge", "5\n1e300\n", `line 2: "1e300"`},
		{"backwards", "period,count\n1998-06-10 15:30:00,1\n1998-06-10 15:29:00,1\n", "later than the row before"},
		{"twice", "period,count\n1998-06-10 15:30:00,1\n1998-06-10 15:30:00,1\n", "later than the row before"},
		{"off the minute", "period,count\n1998-06-10 15:30:00,1\n1998-06-10 15:31:00,1\n1998-06-10 15:31:30,1\n", "full minute"},
		{"a century apart", "period,count\n1900-01-01 00:00:00,1\n1900-01-01 00:00:01,1\n2000-01-01 00:00:00,1\n", "longer than"},
		{"no comma", "period,count\n1998-06-10 15:30:00\n", "a time and a count"},
		{"long line", strings.Repeat("9", 5000), "longer than any line"},
		{"rather long line", "1\n" + strings.Repeat("9", 500), "longer than any line"},
		{"other header", "period,count,extra\n", "UTC time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read("x.csv", strings.NewReader(c.text))
			require.ErrorContains(t, err, c.says)
			assert.Contains(t, err.Error(), "x.csv")
		})
	}
	_, err := ReadFile(filepath.Join("testdata", "none.csv"))
	require.ErrorIs(t, err, os.ErrNotExist)
	plain := filepath.Join(t.TempDir(), "plain.gz")
	require.NoError(t, os.WriteFile(plain, []byte("5\n"), 0o600))
	_, err = ReadFile(plain)
	require.ErrorContains(t, err, "not a gzip file")
}

func TestSelectByTimeAndOffset(t *testing.T) {
	tr := read(t, "minutes.csv")
	for _, c := range []struct {
		from, to string
		start    string
		length   int
	}{
		{"", "", "15:28", 6},
		{"1998-06-10 15:29", "", "15:29", 5},
		{"1998-06-10T15:29:00Z", "1998-06-10 15:31:00", "15:29", 2},
		{"2m", "1998-06-10 15:33", "15:30", 3},
		{"60s", "2m", "15:29", 1},
	} {
		got, err := tr.Select(c.from, c.to)
		require.NoError(t, err, "%v", c)
		assert.Equal(t, c.start, got.Start.Format("15:04"), "%v", c)
		assert.Equal(t, c.length, got.Len(), "%v", c)
	}
	for _, c := range []struct{ from, to, says string }{
		{"noon", "", "must be a UTC time"},
		{"1998-06-11", "", "must lie in the trace, which covers 1998-06-10 15:28:00 to 1998-06-10 15:34:00"},
		{"-1m", "", "must lie in the trace"},
		{"3m", "", "no count for the first period"},
		{"2m", "1m", "later than from"},
	} {
		_, err := tr.Select(c.from, c.to)
		require.ErrorContains(t, err, c.says)
		assert.Equal(t, models.KindInvalid, models.KindOf(err))
	}
	_, err := read(t, "column.txt.gz").Select("1998-06-10 15:29", "")
	require.ErrorContains(t, err, "give an offset")
}

func TestAGapLongerThanFivePeriodsIsRefused(t *testing.T) {
	gap := func(to string) error {
		tr, err := Read("gap", strings.NewReader("period,count\n1998-06-10 15:00:00,1\n1998-06-10 15:01:00,1\n"+to+",1\n"))
		require.NoError(t, err)
		_, err = tr.Select("", "")
		return err
	}
	require.NoError(t, gap("1998-06-10 15:07:00"), "five are held")
	require.ErrorContains(t, gap("1998-06-10 15:08:00"), "1998-06-10 15:07:00")
}

func TestScalingDrawsAnewAndNeverMultiplies(t *testing.T) {
	var text strings.Builder
	for range 4000 {
		text.WriteString("1\n")
	}
	tr, err := Read("flat", strings.NewReader(text.String()))
	require.NoError(t, err)
	same, err := tr.Scale(Scaling{Factor: 1, Seed: 1})
	require.NoError(t, err)
	assert.Equal(t, tr, same)
	big, err := tr.Scale(Scaling{Factor: 100, Seed: 1})
	require.NoError(t, err)
	mean, variance := moments(big.counts)
	assert.InDelta(t, 100, mean, 1)
	assert.InDelta(t, 100, variance, 10, "a Poisson draw, where multiplied counts would have none at all")
	again, err := tr.Scale(Scaling{Factor: 100, Seed: 1})
	require.NoError(t, err)
	assert.Equal(t, big.counts, again.counts, "the seed decides")
	other, err := tr.Scale(Scaling{Factor: 100, Seed: 2})
	require.NoError(t, err)
	assert.NotEqual(t, big.counts, other.counts)
	for _, f := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		_, err := tr.Scale(Scaling{Factor: f, Seed: 1})
		assert.Equal(t, models.KindInvalid, models.KindOf(err))
	}
}

func moments(xs []float64) (mean, variance float64) {
	for _, x := range xs {
		mean += x / float64(len(xs))
	}
	for _, x := range xs {
		variance += (x - mean) * (x - mean) / float64(len(xs))
	}
	return mean, variance
}

func TestRatesAddUpToTheCounts(t *testing.T) {
	tr := read(t, "minutes.csv")
	rapid.Check(t, func(t *rapid.T) {
		step := time.Duration(rapid.IntRange(1, 400).Draw(t, "step")) * time.Second
		sum := 0.0
		for at := time.Duration(0); at < tr.Duration(); at += step {
			end := min(at+step, tr.Duration())
			sum += tr.Rate(at, at+step) * (end - at).Seconds()
		}
		require.InDelta(t, 6000+9000+12000+12000+18000+6000, sum, 1e-6)
	})
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"1\n2\n", "count\n1\n", "period,count\n1998-06-10 15:28:00,6000\n1998-06-10 15:29:00,9000\n",
		"\n\n5\n", "\ufeff5\n", ",", "period,count\n1998-06-10 15:28:00,6\n1998-06-10 15:28:07,9\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tr, err := Read("fuzz", strings.NewReader(text))
		if err != nil {
			return
		}
		require.Positive(t, tr.Len())
		require.Contains(t, []time.Duration{time.Second, time.Minute}, tr.Period)
		_, ok := tr.Count(0)
		require.True(t, ok)
		if tr.Len() < 10000 {
			rate := tr.Rate(0, tr.Duration())
			require.False(t, math.IsNaN(rate) || math.IsInf(rate, 0) || rate < 0)
			_, err = tr.Scale(Scaling{Factor: 1.5, Seed: 1})
			require.NoError(t, err)
		}
	})
}

// TestPublicTraces reads the public traces that a developer has fetched.
func TestPublicTraces(t *testing.T) {
	dir := os.Getenv("WEDSYNC_DATA")
	if dir == "" {
		t.Skip("WEDSYNC_DATA is not set: it names a folder with worldcup98/ and traces/")
	}
	for _, c := range []struct {
		file, from, to string
		period         time.Duration
		atLeast        float64 // requests per second at the busiest minute of the window
	}{
		{"worldcup98/requests_per_minute.csv.gz", "", "", time.Minute, 2500},
		{"worldcup98/requests_per_minute.csv.gz", "1998-06-15 00:00", "1998-06-16 00:00", time.Minute, 2500},
		{"traces/nasa_per_second.txt.gz", "", "", time.Second, 5},
		{"traces/twitter_per_second.txt.gz", "", "", time.Second, 50},
	} {
		t.Run(c.file, func(t *testing.T) {
			path := filepath.Join(dir, c.file)
			if _, err := os.Stat(path); err != nil {
				t.Skipf("%s is missing", path)
			}
			tr, err := ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, c.period, tr.Period)
			tr, err = tr.Select(c.from, c.to)
			require.NoError(t, err)
			peak := 0.0
			for at := time.Duration(0); at < tr.Duration(); at += time.Minute {
				peak = max(peak, tr.Rate(at, at+time.Minute))
			}
			t.Logf("%s: %s, busiest minute %.0f req/s", c.file, tr.Span(), peak)
			assert.Greater(t, peak, c.atLeast)
		})
	}
}
