package workflows

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/models"
)

func TestPlan(t *testing.T) {
	usual := models.Service{StartupP95Seconds: 20, Policy: models.DefaultScalingPolicy(models.TierCritical)}
	slow := usual
	slow.StartupP95Seconds = 200
	for name, c := range map[string]struct {
		from, target int
		class        models.Class
		service      models.Service
		want         []int
	}{
		"a spike cannot wait":                  {4, 40, models.ClassPanic, usual, []int{40}},
		"measured load cannot wait":            {4, 40, models.ClassReactive, usual, []int{40}},
		"a small floor is taken at once":       {4, 14, models.ClassFloor, usual, []int{14}},
		"a floor in waves":                     {4, 24, models.ClassFloor, usual, []int{6, 14, 24}},
		"a forecast in waves, at least one":    {10, 21, models.ClassForecast, usual, []int{12, 16, 21}},
		"waves that would not be done in time": {4, 24, models.ClassFloor, slow, []int{24}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, plan(c.from, c.target, c.class, c.service))
		})
	}
}

func TestWavesGrowToTheTarget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.IntRange(0, 5000).Draw(t, "from")
		target := from + rapid.IntRange(1, 5000).Draw(t, "change")
		class := rapid.SampledFrom([]models.Class{models.ClassFloor, models.ClassForecast, models.ClassPanic, models.ClassReactive, models.ClassFailsafe}).Draw(t, "class")
		svc := models.Service{StartupP95Seconds: rapid.Float64Range(0, 3600).Draw(t, "startup"), Policy: models.DefaultScalingPolicy(models.TierStandard)}
		waves := plan(from, target, class, svc)
		require.NotEmpty(t, waves)
		require.LessOrEqual(t, len(waves), 3)
		last := from
		for _, w := range waves {
			require.Greater(t, w, last, "each wave adds")
			last = w
		}
		require.Equal(t, target, last)
		if len(waves) > 1 {
			require.LessOrEqual(t, float64(waves[0]-from), 0.10*float64(target-from)+1, "the first wave is a trial")
		}
	})
}

func TestADecisionsIDIsAUUIDOfItsTimeAndOnlyItsOwn(t *testing.T) {
	at := time.Date(2027, 6, 12, 12, 0, 0, 123e6, time.UTC)
	seen := map[string]bool{}
	for n := range int64(1000) {
		id, err := uuid.Parse(uuidV7(at, "api\x00run", n))
		require.NoError(t, err)
		assert.Equal(t, uuid.Version(7), id.Version())
		assert.Equal(t, uuid.RFC4122, id.Variant())
		sec, ns := id.Time().UnixTime()
		assert.Equal(t, at, time.Unix(sec, ns).UTC())
		seen[id.String()] = true
	}
	assert.Len(t, seen, 1000)
	assert.True(t, seen[uuidV7(at, "api\x00run", 7)], "replay finds the same")
	assert.NotEqual(t, uuidV7(at, "a", 1), uuidV7(at, "b", 1), "another run does not")
}
