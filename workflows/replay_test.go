package workflows_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/nexus-rpc/sdk-go/nexus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	tworker "go.temporal.io/sdk/worker"

	"github.com/wedsync/scalability/worker"
)

// replayer registers workflows for replay and needs no activities.
type replayer struct{ tworker.WorkflowReplayer }

func (replayer) RegisterActivity(any)                                         {}
func (replayer) RegisterActivityWithOptions(any, activity.RegisterOptions)    {}
func (replayer) RegisterDynamicActivity(any, activity.DynamicRegisterOptions) {}
func (replayer) RegisterNexusService(*nexus.Service)                          {}

// TestReplayHistories finds a change that would break runs in flight: each recorded
// history must replay to the same commands. A change that is meant to differ keeps the
// old way behind workflow.GetVersion.
func TestReplayHistories(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(histories, "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files, "no histories: run make histories on the version that is in use")
	for _, kind := range []string{
		"autoscale-1", "autoscale-2", "scaleup-verified", "scaleup-rolledback", "scaleup-held", "scaleup-cancelled", "scaleup-superseded",
		"scaleup-partial", "scaleup-again",
		"scaledown-verified", "scaledown-undone", "scaledown-approved", "scaledown-rejected", "scaledown-unanswered", "maintenance-partitions", "maintenance-reconcile", "maintenance-wedding_days",
		"weddingday-completed", "weddingday-continued", "weddingday-cancelled",
	} {
		assert.Contains(t, files, filepath.Join(histories, kind+".json"), "each end of each workflow is replayed")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			r := tworker.NewWorkflowReplayer()
			worker.Register(replayer{r}, worker.Activities{})
			require.NoError(t, r.ReplayWorkflowHistoryFromJSONFile(silent{}, file))
		})
	}
}
