//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// dataFolder holds public traces that are not part of the repository.
func dataFolder() string {
	if dir := os.Getenv("WEDSYNC_DATA"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "shared", "data")
}

func TestReplicasFollowAMatchDayOfTheWorldCup(t *testing.T) {
	trace := filepath.Join(dataFolder(), "worldcup98", "requests_per_minute.csv.gz")
	if _, err := os.Stat(trace); err != nil {
		t.Skipf("no World Cup trace at %s: set WEDSYNC_DATA to a folder with worldcup98/requests_per_minute.csv.gz", trace)
	}
	s := shared
	const name = models.ServiceAPI
	s.quick(t, name, nil)
	// The opening day, 10 June 1998: quiet before the first kick-off at 15:30, a rush around
	// both matches, quiet at night. Eighteen hours in two minutes.
	cmd := exec.CommandContext(t.Context(), "../bin/wedsync", "replay", "--trace", trace, "--api-only", "--root", s.root,
		"--from", "1998-06-10 06:00", "--to", "1998-06-11 00:00", "--speed", "540")
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	client := s.fleetClient(t)
	peak, first, last := 0, 0, 0
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for running := true; running; {
		set, err := client.Describe(t.Context(), name)
		require.NoError(t, err)
		if first == 0 {
			first = set.Spec
		}
		peak = max(peak, set.Spec)
		select {
		case err := <-ended:
			require.NoError(t, err)
			running = false
		case <-time.After(time.Second):
		}
	}
	t.Logf("replicas of the api: %d at the begin, %d at the peak", first, peak)
	assert.GreaterOrEqual(t, peak, first+3, "the replicas follow the rush of the matches")
	eventually(t, 5*time.Minute, "capacity is taken back when the day is over", func() bool {
		set, err := client.Describe(t.Context(), name)
		last = set.Spec
		return err == nil && last < peak
	})
	t.Logf("%d after it", last)
}
