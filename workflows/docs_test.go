package workflows_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

func TestTheGuideNamesEverythingOfTheContract(t *testing.T) {
	raw, err := os.ReadFile("../docs/workflows.md")
	require.NoError(t, err)
	guide := string(raw)
	names := []string{
		workflows.AutoscaleType, workflows.ScaleUpType, workflows.ScaleDownType, workflows.MaintenanceType, workflows.WeddingDayType,
		workflows.SignalWeddingAdded, workflows.SignalWeddingMoved, workflows.SignalWeddingCancelled, workflows.UpdateExtend, workflows.UpdateEnd, workflows.UpdateRaiseFloor,
		workflows.SignalSpike, workflows.SignalReservationChanged, workflows.SignalOperationFinished, workflows.SignalSettings, workflows.SignalSupersede,
		workflows.UpdatePause, workflows.UpdateResume, workflows.UpdateOverride, workflows.UpdateApprove, workflows.UpdateReject, workflows.QueryState, workflows.QueryExplanation,
		workflows.SearchAttributeService().GetName(), workflows.SearchAttributeOutcome().GetName(),
		workflows.SearchAttributeWeddingDate().GetName(), workflows.SearchAttributeSeverity().GetName(), workflows.MemoSentence,
	}
	names = append(names, workflows.SeasonPreparationType, workflows.SeasonDueType, workflows.SignalCalendarChanged, workflows.UpdateAmendPlan, workflows.UpdateSkipGate)
	for _, o := range models.Outcomes() {
		names = append(names, string(o))
	}
	for _, j := range workflows.MaintenanceJobs() {
		names = append(names, string(j))
	}
	for _, n := range names {
		assert.Contains(t, guide, "`"+n+"`")
	}
}
