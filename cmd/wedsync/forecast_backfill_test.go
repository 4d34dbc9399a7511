package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/devstack"
	"github.com/wedsync/scalability/internal/devstack/devstacktest"
	"github.com/wedsync/scalability/internal/predictor"
	"github.com/wedsync/scalability/internal/store"
	"github.com/wedsync/scalability/models"
)

func backfilled(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := forecastCommand()
	var out bytes.Buffer
	cmd.SetArgs(append([]string{"backfill"}, args...))
	cmd.SetOut(&out)
	cmd.SetErr(&bytes.Buffer{})
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// TestALoadedPastIsForecastFromAfterARestart goes the whole way: a file, Postgres, models,
// forecasts that are stored and scored, and a second process that forecasts the same.
func TestALoadedPastIsForecastFromAfterARestart(t *testing.T) {
	ownerURL, appURL := devstacktest.Postgres(t)
	require.NoError(t, store.Migrate(t.Context(), ownerURL, devstack.AppRole, nil))
	t.Setenv("DATABASE_URL", appURL)
	now := time.Now().UTC().Truncate(time.Hour)
	course := func(h time.Time) float64 {
		return 200 + 100*math.Sin(2*math.Pi*float64(h.Hour())/24) + 10*math.Sin(float64(h.Unix()/3600%977))
	}
	var text strings.Builder
	text.WriteString("timestamp,rps\n")
	for h := now.Add(-60 * 24 * time.Hour); h.Before(now); h = h.Add(time.Hour) {
		fmt.Fprintf(&text, "%s,%g\n", h.Format(time.RFC3339), course(h))
	}
	file := filepath.Join(t.TempDir(), "past.csv")
	require.NoError(t, os.WriteFile(file, []byte(text.String()), 0o600))
	out, err := backfilled(t, "--csv", file, "--service", "api")
	require.NoError(t, err)
	assert.Contains(t, out, "1440 new or changed")
	out, err = backfilled(t, "--csv", file, "--service", "api")
	require.NoError(t, err)
	assert.Contains(t, out, " 0 new or changed")

	st, err := store.Open(t.Context(), store.Options{URL: appURL})
	require.NoError(t, err)
	t.Cleanup(func() { _ = st.Close() })
	st = st.As(models.Scope{Role: models.ScopeSystem, Subject: "test"})
	_, err = st.SeedServices(t.Context(), models.DefaultServices("fleet"))
	require.NoError(t, err)
	process := func() *predictor.Predictor {
		return predictor.New(predictor.Options{History: st, Calendar: st, Catalogue: st, Rollups: st, Ledger: st, Weddings: true})
	}
	p := process()
	fitted, err := p.Refit(t.Context(), now)
	require.NoError(t, err)
	assert.Equal(t, []models.ServiceName{models.ServiceAPI}, fitted)
	ask := func(p *predictor.Predictor) models.Prediction {
		got, err := p.Predict(t.Context(), models.PredictionRequest{TimeHorizonHours: 24, IncludeWeddingContext: true, Quantiles: []float64{0.1, 0.9}}, now)
		require.NoError(t, err)
		return got
	}
	first := ask(p)
	for _, x := range first.Points {
		assert.InDelta(t, course(x.At), x.P50, 0.2*course(x.At))
	}
	assert.Equal(t, first, ask(process()), "a restart forecasts the same")

	for at := now.Add(-30 * time.Hour); at.Before(now); at = at.Add(time.Hour) {
		_, err := process().Update(t.Context(), at)
		require.NoError(t, err)
		at = at.Add(5 * time.Hour) // not each hour: each is a restart
	}
	n, err := p.Score(t.Context(), now)
	require.NoError(t, err)
	assert.Positive(t, n)
	acc, err := p.Accuracy(t.Context(), models.ServiceAPI, 7, now)
	require.NoError(t, err)
	require.NotEmpty(t, acc.Rows)
	assert.Greater(t, *acc.Rows[0].Accuracy, 85.0)
	assert.True(t, acc.Gate.Trusted, acc.Gate.Reason)
}

func TestABackfillSaysWhatIsWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "past.csv")
	require.NoError(t, os.WriteFile(file, []byte("timestamp,rps\n2026-01-01T00:00:00Z,many\n"), 0o600))
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"a bad line":     {[]string{"--csv", file, "--service", "api"}, "line 2, rps"},
		"no such file":   {[]string{"--csv", file + "x", "--service", "api"}, "past.csvx"},
		"a service":      {[]string{"--csv", file, "--service", "cake"}, "cake"},
		"no source":      {[]string{"--service", "api"}, "csv"},
		"two sources":    {[]string{"--service", "api", "--csv", file, "--prometheus", "x", "--query", "x", "--from", "x"}, "csv"},
		"a bad begin":    {[]string{"--service", "api", "--prometheus", "http://127.0.0.1:1", "--query", "x", "--from", "may"}, "--from"},
		"without a time": {[]string{"--service", "api", "--prometheus", "http://127.0.0.1:1", "--query", "x"}, "from"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := backfilled(t, c.args...)
			require.ErrorContains(t, err, c.says)
		})
	}
}
