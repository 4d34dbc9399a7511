package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func TestATimelineJoinsWhatWasMeasuredWithWhatThereWas(t *testing.T) {
	s := fresh(t)
	ctx := t.Context()
	from := time.Date(2027, 6, 12, 12, 0, 0, 0, time.UTC)
	require.NoError(t, s.SaveRollups(ctx, []models.MetricRollup{rollup(from, 100, 2), rollup(from.Add(10*time.Minute), 300, 1)}))
	saveEvaluations(t, s, anEvaluation(models.ServiceAPI, from.Add(time.Minute), 3), anEvaluation(models.ServiceAPI, from.Add(2*time.Minute), 5),
		anEvaluation(models.ServiceAPI, from.Add(6*time.Minute), 4))
	got, err := s.Timeline(ctx, models.ServiceAPI, from, from.Add(time.Hour), 5*time.Minute)
	require.NoError(t, err)
	require.Len(t, got, 3)
	assert.Equal(t, from, got[0].At)
	require.NotNil(t, got[0].RPS)
	assert.InDelta(t, 50, *got[0].RPS, 1e-9)
	require.NotNil(t, got[0].Spec)
	assert.InDelta(t, 4, *got[0].Spec, 1e-9)
	assert.Nil(t, got[1].RPS, "not measured is not zero")
	assert.Nil(t, got[2].Spec)
	other, err := s.Timeline(ctx, models.ServiceMedia, from, from.Add(time.Hour), 5*time.Minute)
	require.NoError(t, err)
	assert.Empty(t, other)
}
