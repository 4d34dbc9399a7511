package store

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func TestReservationsCountWhileTheyAreActive(t *testing.T) {
	s := fresh(t)
	ended := aReservation("ended")
	at := noon.Add(30 * time.Minute)
	ended.EndedAt, ended.EndedBy = &at, "user:olga"
	media := aReservation("media")
	media.Service = models.ServiceMedia
	newer, later := aReservation("newer"), aReservation("later")
	newer.CreatedAt = noon.Add(time.Second)
	later.From, later.Until = noon.Add(time.Hour), noon.Add(2*time.Hour)
	all := []models.Reservation{newer, aReservation("old"), ended, media, later}
	for _, r := range all {
		require.NoError(t, s.CreateReservation(t.Context(), r))
	}
	for name, at := range map[string]time.Time{
		"before": noon.Add(-time.Microsecond), "at its start": noon, "just before the end of one": at.Add(-time.Microsecond), "at the end of one": at,
		"at its end": noon.Add(time.Hour), "after all": noon.Add(3 * time.Hour),
	} {
		t.Run(name, func(t *testing.T) {
			want := []string{}
			for _, r := range []models.Reservation{ended, later, aReservation("old"), newer} { // oldest first, then by ID
				if r.ActiveAt(at) {
					want = append(want, r.ID)
				}
			}
			found, err := s.ActiveReservations(t.Context(), models.ServiceAPI, at)
			require.NoError(t, err)
			got := []string{}
			for _, r := range found {
				got = append(got, r.ID)
				assert.True(t, r.ActiveAt(at))
			}
			assert.Equal(t, want, got)
		})
	}

	list, err := s.Reservations(t.Context(), "", nil)
	require.NoError(t, err)
	require.Len(t, list, 5)
	assert.Equal(t, newer, list[0], "newest first, as it was given")
	list, err = s.Reservations(t.Context(), models.ServiceMedia, nil)
	require.NoError(t, err)
	assert.Equal(t, []models.Reservation{media}, list)
	list, err = s.Reservations(t.Context(), models.ServiceAPI, &at)
	require.NoError(t, err)
	assert.Len(t, list, 2)
}

func TestAReservationEndsOnce(t *testing.T) {
	s := fresh(t)
	require.NoError(t, s.CreateReservation(t.Context(), aReservation("r")))
	assertError(t, s.CreateReservation(t.Context(), aReservation("r")), models.KindConflict, "id")
	at := noon.Add(time.Minute)
	got, err := s.EndReservation(t.Context(), "r", "user:anna", at)
	require.NoError(t, err)
	assert.Equal(t, &at, got.EndedAt)
	assert.Equal(t, "user:anna", got.EndedBy)
	stored, err := s.Reservation(t.Context(), "r")
	require.NoError(t, err)
	assert.Equal(t, stored, got)
	again, err := s.EndReservation(t.Context(), "r", "user:olga", at.Add(time.Minute))
	require.NoError(t, err)
	assert.Equal(t, stored, again, "the first end counts")

	require.NoError(t, s.CreateReservation(t.Context(), aReservation("over")))
	over, err := s.EndReservation(t.Context(), "over", "user:anna", noon.Add(time.Hour))
	require.NoError(t, err)
	assert.Nil(t, over.EndedAt, "it had ended by itself")
	_, err = s.EndReservation(t.Context(), "nobody", "user:anna", at)
	assertError(t, err, models.KindNotFound, "id")
	bad := aReservation("bad")
	bad.Until = bad.From
	assertError(t, s.CreateReservation(t.Context(), bad), models.KindInvalid, "")
}

func TestTheNewestEvaluationIsKept(t *testing.T) {
	s := fresh(t)
	state := models.ScalingState{Service: models.ServiceMedia, TickedAt: noon.AddDate(-10, 0, 0), Spec: 4, Ready: 3, Pending: 1, Desired: 5, Paused: true, PausedBy: "user:olga", Operation: "d1", Explanation: &models.Explanation{Text: "5 replicas"}}
	require.NoError(t, s.SaveScalingState(t.Context(), state))
	older := state
	older.TickedAt, older.Desired = state.TickedAt.Add(-time.Second), 99
	require.NoError(t, s.SaveScalingState(t.Context(), older))
	other := models.ScalingState{Service: models.ServiceAPI, TickedAt: state.TickedAt}
	require.NoError(t, s.SaveScalingState(t.Context(), other))
	got, err := s.ScalingStates(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []models.ScalingState{other, state}, got, "in the fixed order")

	next := state
	next.TickedAt, next.Paused, next.PausedBy, next.Operation, next.Explanation = state.TickedAt.Add(30*time.Second), false, "", "", nil
	require.NoError(t, s.SaveScalingState(t.Context(), next))
	got, err = s.ScalingStates(t.Context())
	require.NoError(t, err)
	assert.Equal(t, next, got[1])

	ahead := state
	ahead.TickedAt = now().Add(time.Hour)
	require.NoError(t, s.SaveScalingState(t.Context(), ahead))
	require.NoError(t, s.SaveScalingState(t.Context(), next))
	got, err = s.ScalingStates(t.Context())
	require.NoError(t, err)
	assert.Equal(t, next, got[1], "a clock that ran ahead is forgotten")
}

func TestHealthSnapshotsAreKept(t *testing.T) {
	ownerURL, appURL := database(t)
	s := open(t, appURL).As(system)
	h := models.Health{Database: true, ScalingEngine: true, LoadPredictor: true, CheckedAt: noon}.WithOverall()
	snapshot := models.HealthSnapshot{ID: "h1", At: noon, Overall: h.OverallHealth, Health: h}
	require.NoError(t, s.SaveHealthSnapshot(t.Context(), snapshot))
	require.NoError(t, s.SaveHealthSnapshot(t.Context(), snapshot))
	n, code := try(t, connect(t, ownerURL), system, "SELECT FROM system_health_snapshots WHERE overall = 'degraded' AND (health->>'database')::boolean")
	assert.Empty(t, code)
	assert.Equal(t, int64(1), n)
}

func rollup(at time.Time, sum float64, count int64) models.MetricRollup {
	return models.MetricRollup{Timestamp: at, Service: models.ServiceAPI, Metric: models.MetricThroughput, WindowSecs: 10, SampleCount: count, Sum: sum, Min: 1, Max: 9, Last: 5, Source: "api-1"}
}

func TestHourlyLoadIsTheMeanOfTheSamples(t *testing.T) {
	ownerURL, appURL := database(t)
	s := open(t, appURL).As(system)
	hour := time.Date(2027, 6, 12, 10, 0, 0, 0, time.UTC)
	cpu := rollup(hour, 0.5, 1)
	cpu.Metric = models.MetricCPU
	media := rollup(hour, 7, 1)
	media.Service = models.ServiceMedia
	require.NoError(t, s.SaveRollups(t.Context(), nil))
	require.NoError(t, s.As(models.Scope{Role: models.ScopeIngest}).SaveRollups(t.Context(), []models.MetricRollup{
		rollup(hour, 100, 10), rollup(hour.Add(59*time.Minute+50*time.Second), 400, 10), rollup(hour.Add(2*time.Hour), 30, 3),
		rollup(hour.Add(3*time.Hour), 30, 3), rollup(hour.Add(-time.Second), 1e6, 1), cpu, media,
	}))
	want := []models.HourlyLoad{{Hour: hour, MeanRPS: 25, Samples: 20}, {Hour: hour.Add(2 * time.Hour), MeanRPS: 10, Samples: 3}}
	got, err := s.HourlyLoad(t.Context(), models.ServiceAPI, hour, hour.Add(3*time.Hour))
	require.NoError(t, err)
	assert.Equal(t, want, got, "the hour without samples is absent")
	none, err := s.HourlyLoad(t.Context(), models.ServiceSearch, hour, hour.Add(3*time.Hour))
	require.NoError(t, err)
	assert.Equal(t, []models.HourlyLoad{}, none)

	require.NoError(t, s.SaveRollups(t.Context(), []models.MetricRollup{rollup(hour.Add(2*time.Hour), 30, 3)}), "a window may come again")
	n, _ := try(t, connect(t, ownerURL), system, `SELECT FROM scalability_metrics WHERE "timestamp" = $1 AND window_seconds = 10 AND min = 1 AND max = 9 AND last = 5 AND source = 'api-1'`, hour.Add(2*time.Hour))
	assert.Equal(t, int64(2), n)
}

func TestRollupsThatAreNoNumbersAreRefusedWhole(t *testing.T) {
	s := fresh(t)
	for name, v := range map[string]float64{"NaN": math.NaN(), "infinite": math.Inf(1)} {
		t.Run(name, func(t *testing.T) {
			assertError(t, s.SaveRollups(t.Context(), []models.MetricRollup{rollup(noon, 1, 1), rollup(noon, v, 1)}), models.KindInvalid, "rollups[1]")
		})
	}
	bad := rollup(noon, 1, 1)
	bad.Source = "a\x00"
	assertError(t, s.SaveRollups(t.Context(), []models.MetricRollup{bad}), models.KindInvalid, "source")
	got, err := s.HourlyLoad(t.Context(), models.ServiceAPI, noon.Add(-time.Hour), noon.Add(time.Hour))
	require.NoError(t, err)
	assert.Empty(t, got)
}

func TestDatabaseStatusTellsOfPoolAndTables(t *testing.T) {
	s := fresh(t)
	require.NoError(t, s.SaveRollups(t.Context(), []models.MetricRollup{rollup(noon, 1, 1)}))
	st, err := s.DatabaseStatus(t.Context())
	require.NoError(t, err)
	assert.True(t, st.Reachable)
	assert.Positive(t, st.LatencyMS)
	assert.Equal(t, 8, st.MaxConnections)
	assert.Positive(t, st.OpenConnections)
	assert.NotEmpty(t, st.Version)
	assert.Positive(t, st.TableBytes["scalability_metrics"], "with its partitions")
	assert.Contains(t, st.TableBytes, "security_audit_logs")
	assert.NotContains(t, st.TableBytes, "scalability_metrics_default")
}

func TestTheCopyAtRestSaysThatItIsOne(t *testing.T) {
	s := fresh(t)
	at := noon.Truncate(10 * time.Second) // the newest window ends 10 s later
	var rows []models.MetricRollup
	for i := range 36 { // six minutes
		rows = append(rows, rollup(at.Add(-time.Duration(i)*10*time.Second), float64(100+100*(i/6)), 10))
	}
	other := rollup(at, 300, 10) // another process saw the same window
	other.Source = "api-2"
	media := rollup(at, 7, 1)
	media.Service = models.ServiceMedia
	require.NoError(t, s.SaveRollups(t.Context(), append(rows, other, media)))
	got, err := s.SignalsAtRest(t.Context(), models.ServiceAPI, at.Add(40*time.Second))
	require.NoError(t, err)
	require.Len(t, got, 1)
	sig := got[0]
	assert.Equal(t, models.MetricThroughput, sig.Metric)
	assert.True(t, sig.Snapshot)
	assert.InDelta(t, 30, sig.AgeSeconds, 1e-6, "since the end of the newest window")
	assert.InDelta(t, 1, sig.Completeness, 1e-9)
	assert.InDelta(t, (20+5*10)/6.0, *sig.Avg60, 1e-9, "means of windows, each of all its samples")
	assert.InDelta(t, (20+5*10+6*20+6*30+6*40+2*50)/26.0, *sig.Avg300, 1e-9, "of the 26 windows that began in the last five minutes")
	assert.InDeltaSlice(t, []float64{10, 10, 10, 10, 20}, sig.Recent, 1e-9)
	assert.Nil(t, sig.Avg6, "nothing is known of the newest seconds")
	none, err := s.SignalsAtRest(t.Context(), models.ServiceSearch, at)
	require.NoError(t, err)
	assert.Empty(t, none)
	old, err := s.SignalsAtRest(t.Context(), models.ServiceAPI, at.Add(6*time.Minute))
	require.NoError(t, err)
	assert.Empty(t, old, "what is older than five minutes is missing")
}

func TestTheLargestMinuteIsKnownAfterADay(t *testing.T) {
	s := fresh(t)
	start := noon.Truncate(time.Minute).Add(-24 * time.Hour)
	var rows []models.MetricRollup
	for i := range 24*60 - 1 {
		rows = append(rows, rollup(start.Add(time.Duration(i)*time.Minute), 50, 10))
	}
	rows[700].Sum = 900
	ancient := rollup(noon.Add(-8*24*time.Hour), 1e6, 1)
	require.NoError(t, s.SaveRollups(t.Context(), append(rows, ancient)))
	got, err := s.LargestMinute(t.Context(), models.ServiceAPI, noon)
	require.NoError(t, err)
	assert.Nil(t, got, "less than a day says nothing of what is impossible")
	require.NoError(t, s.SaveRollups(t.Context(), []models.MetricRollup{rollup(start.Add(-time.Minute), 50, 10), rollup(start.Add(700*time.Minute+10*time.Second), 100, 10)}))
	got, err = s.LargestMinute(t.Context(), models.ServiceAPI, noon)
	require.NoError(t, err)
	require.NotNil(t, got)
	assert.InDelta(t, 50, *got, 1e-9, "the mean of its minute")
}

func TestWhatAServiceHasCostIsCountedFromTheDayAndTheMonth(t *testing.T) {
	s := fresh(t)
	now := time.Date(2027, 6, 12, 0, 3, 0, 0, time.UTC)
	at := func(back time.Duration) time.Time { return now.Add(-back) }
	saveEvaluations(t, s, // at half a unit an hour
		anEvaluation(models.ServiceAPI, at(13*24*time.Hour), 50),  // in May
		anEvaluation(models.ServiceAPI, at(50*time.Hour), 12),     // five minutes of June
		anEvaluation(models.ServiceAPI, at(4*time.Minute), 6),     // a minute of yesterday, one of today
		anEvaluation(models.ServiceAPI, at(2*time.Minute), 12),    // until now
		anEvaluation(models.ServiceSearch, at(2*time.Minute), 99), // another service
	)
	got, err := s.Spent(t.Context(), models.ServiceAPI, now)
	require.NoError(t, err)
	assert.InDelta(t, (6+2*12)/60.0/2, got.SpentDay, 1e-9)
	assert.InDelta(t, (5*12+2*6+2*12)/60.0/2, got.SpentMonth, 1e-9)
	none, err := s.Spent(t.Context(), models.ServiceMedia, now)
	require.NoError(t, err)
	assert.Equal(t, models.Budget{}, none)
}
