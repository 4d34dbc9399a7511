package scaling_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

// The others of the invariants are in property_test.go (worse signals, bounds, demand,
// the same again, the same bytes) and floors_test.go (the clocks).

// claimed is the largest floor of the record: of reservations and of the calendar.
func claimed(e models.Explanation) int {
	n := 0
	for _, c := range e.Candidates {
		by, _, _ := strings.Cut(c.By, ":")
		if c.Used && (by == "reservation" || by == "reservations" || by == "window" || by == "calendar") {
			n = max(n, c.N)
		}
	}
	return n
}

func TestAFloorIsReachedOrADeficitSaysWhyNot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, _ := scaling.Decide(draw(t))
		if want := claimed(e); e.Desired < want {
			require.NotNil(t, e.Deficit, e.Text)
			require.GreaterOrEqual(t, e.Desired+e.Deficit.Replicas, want, e.Text)
			require.NotEmpty(t, e.Deficit.Remedies)
			require.NotEmpty(t, flag(e, "capacity_deficit"))
		}
	})
}

func TestEveryFloorIsReachedFromEverySpecBelowIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.IntRange(3, 30).Draw(t, "floor")
		cur := rapid.IntRange(1, want-1).Draw(t, "current")
		e, _ := scaling.Decide(with(serving(cur, rapid.Float64Range(0, 90*float64(cur)).Draw(t, "load")), reserve(floor(want))))
		require.GreaterOrEqual(t, e.Desired, want, e.Text)
	})
}

func TestPausedKilledOrFrozenNothingChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t)
		switch rapid.IntRange(0, 3).Draw(t, "stopped by") {
		case 0:
			in.Paused = true
		case 1:
			in.KillSwitch = true
		case 2:
			in.Observation.Mode = models.ModeFreeze
		default:
			reserve(models.Reservation{Kind: models.ReservationFreeze})(&in)
		}
		e, state := scaling.Decide(in)
		require.Equal(t, e.Current, e.Desired, e.Text)
		require.Equal(t, models.DirectionHold, e.Direction)
		require.Equal(t, models.PlanNone, e.Plan)
		require.Equal(t, in.State.LastUpAt, state.LastUpAt)
		require.Equal(t, in.State.LastDownAt, state.LastDownAt)
	})
}

func TestShadowDecidesAsEverAndRemembersNoMove(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t)
		real, _ := scaling.Decide(in)
		in.Shadow = true
		e, state := scaling.Decide(in)
		require.Equal(t, real.Desired, e.Desired)
		require.Equal(t, "shadow", e.Mode)
		require.Equal(t, in.State.LastUpAt, state.LastUpAt)
		require.Equal(t, in.State.LastDownAt, state.LastDownAt)
	})
}

// Within ten minutes no scale-in follows growth, but for a ceiling, and for what a surge
// left behind that a trusted forecast says is over; and no growth follows a scale-in, but
// for what is firm or worth it.
func TestNoChangeOfDirectionWithinTenMinutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t)
		in.State.LastUpAt, in.State.LastDownAt = nil, nil
		recent := ago(time.Duration(rapid.IntRange(0, 599).Draw(t, "since")) * time.Second)
		if rapid.Bool().Draw(t, "went up") {
			in.State.LastUpAt = recent
			e, _ := scaling.Decide(in)
			if e.Direction == models.DirectionDown && shaping(e, "passed") == "" {
				require.Equal(t, models.ClassCap, e.Class, "only a ceiling takes it away: %s", e.Text)
			}
			return
		}
		in.State.LastDownAt = recent
		e, _ := scaling.Decide(in)
		if e.Direction == models.DirectionUp && (e.Class == models.ClassReactive || e.Class == models.ClassForecast) && e.Mode != "emergency" {
			require.Greater(t, float64(e.Raw), 1.15*float64(e.Current), e.Text)
		}
	})
}

func TestMoneyNeverTakesWhatIsNeededNow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t)
		in.Observation.Limits = models.Limits{}
		free, _ := scaling.Decide(in)
		in.Observation.Limits.Budget = &models.Budget{Hour: rapid.Float64Range(0.01, 10).Draw(t, "an hour")}
		bound, _ := scaling.Decide(in)
		require.LessOrEqual(t, bound.Desired, free.Desired)
		needed := 0
		for _, c := range bound.Candidates {
			if c.Used && c.By != "forecast" && c.By != "forecast_p99" && c.By != "current" && c.By != "before_fall" && c.By != "usual" {
				needed = max(needed, c.N)
			}
		}
		require.GreaterOrEqual(t, bound.Desired, min(free.Desired, needed), "%s\n%s", free.Text, bound.Text)
		if in.Observation.Mode != models.ModeNormal {
			require.Equal(t, free.Desired, bound.Desired, "money is no object: %s", bound.Text)
		}
	})
}

func TestEachCapThatBindsIsInTheSentence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, _ := scaling.Decide(draw(t))
		for _, c := range e.Caps {
			if c.Bound {
				require.Contains(t, e.Text, "limited to")
				require.Contains(t, e.BindingReason, "limited to")
			}
		}
	})
}

func TestNumbersThatAreNoneHold(t *testing.T) {
	for name, broken := range map[string]func(*scaling.Inputs){
		"capacity NaN":      func(in *scaling.Inputs) { in.Observation.Service.CapacityRPS = math.NaN() },
		"capacity infinite": func(in *scaling.Inputs) { in.Observation.Service.CapacityRPS = math.Inf(1) },
		"capacity negative": func(in *scaling.Inputs) { in.Observation.Service.CapacityRPS = -1 },
		"capacity none":     func(in *scaling.Inputs) { in.Observation.Service.CapacityRPS = 0 },
		"target NaN":        func(in *scaling.Inputs) { in.Observation.Service.Policy.TargetUtilisation = math.NaN() },
		"learned NaN": func(in *scaling.Inputs) {
			in.Observation.Learned = &models.Learned{CapacityP50RPS: math.NaN(), StartupP95Seconds: math.Inf(1)}
		},
		"start-up endless":    func(in *scaling.Inputs) { in.Observation.Service.StartupP95Seconds = math.Inf(1) },
		"kernel NaN":          func(in *scaling.Inputs) { in.Observation.Calendar.Kernel.P90[3] = math.NaN() },
		"kernel without step": func(in *scaling.Inputs) { in.Observation.Calendar.Kernel.StepMinutes = 0 },
		"kernel empty":        func(in *scaling.Inputs) { in.Observation.Calendar.Kernel.P90 = nil },
		"base NaN":            func(in *scaling.Inputs) { in.Observation.Calendar.BaseRPS = math.NaN() },
		"forecast NaN":        func(in *scaling.Inputs) { trusted(math.NaN(), nil)(in) },
		"record NaN": func(in *scaling.Inputs) {
			trusted(900, func(f *models.ForecastPoint) { f.WAPE7Days = val(math.NaN()) })(in)
		},
		"budget NaN": func(in *scaling.Inputs) {
			in.Observation.Limits.Budget = &models.Budget{Hour: math.NaN(), Day: math.NaN()}
		},
		"usual infinite": func(in *scaling.Inputs) { in.Observation.UsualRPS = val(math.Inf(1)) },
	} {
		t.Run(name, func(t *testing.T) {
			e, state := scaling.Decide(with(serving(10, 640), windows(at(-time.Hour, 100)), broken))
			assert.Equal(t, 10, e.Desired, e.Text)
			marshal(t, e)
			marshal(t, state)
		})
	}
}
