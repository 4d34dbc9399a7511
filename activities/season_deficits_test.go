package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wedsync/scalability/models"
)

func TestOfManyShortWeeksTheWorstOfEachServiceCounts(t *testing.T) {
	week := func(n int) time.Time { return time.Date(2027, 5, 3+7*n, 0, 0, 0, 0, time.UTC) }
	all := []models.PlanDeficit{
		{Service: models.ServiceAPI, Ceiling: "policy maximum", Week: week(0), Replicas: 5},
		{Service: models.ServiceAPI, Ceiling: "policy maximum", Week: week(1), Replicas: 9},
		{Service: models.ServiceAPI, Ceiling: "policy maximum", Week: week(2), Replicas: 9},
		{Service: models.ServiceMedia, Ceiling: "policy maximum", Week: week(2), Replicas: 1},
		{Ceiling: "database", Week: week(1), Replicas: 3},
	}
	worst := worstDeficits(all)
	assert.Len(t, worst, 3)
	assert.Equal(t, week(1), worst[deficitKey{models.ServiceAPI, "policy maximum"}].Week)
	assert.Equal(t, []string{"a", "b", "c"}, unique([]string{"a", "b", "a", "c", "b"}))
}
