package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnEvaluationNeedsItsData(t *testing.T) {
	run := func(args ...string) error {
		cmd := forecastCommand()
		cmd.SetArgs(append([]string{"evaluate"}, args...))
		cmd.SetOut(&bytes.Buffer{})
		cmd.SetErr(&bytes.Buffer{})
		return cmd.ExecuteContext(t.Context())
	}
	t.Setenv("WEDSYNC_DATA", "")
	require.ErrorContains(t, run(), "WEDSYNC_DATA")
	require.ErrorContains(t, run("--data", t.TempDir()), "hourly-train.csv.gz")
	require.ErrorContains(t, run("--data", t.TempDir(), "--suite", "best"), "no suite")
}
