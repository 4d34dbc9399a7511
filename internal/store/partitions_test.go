package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func TestAMigrationLeavesPartitionsForTwoWeeks(t *testing.T) {
	ownerURL, appURL := database(t)
	s := open(t, appURL).As(system)
	made, err := s.EnsurePartitions(t.Context(), time.Now(), partitionsAhead)
	require.NoError(t, err)
	assert.Empty(t, made)
	conn := connect(t, ownerURL)
	for _, at := range []time.Time{time.Now().AddDate(0, 0, -1), time.Now(), time.Now().AddDate(0, 0, partitionsAhead)} {
		require.NoError(t, s.SaveRollups(t.Context(), []models.MetricRollup{rollup(at, 1, 1)}))
	}
	n, code := try(t, conn, system, "SELECT FROM scalability_metrics WHERE tableoid = 'scalability_metrics_default'::regclass")
	assert.Empty(t, code)
	assert.Zero(t, n)
	n, _ = try(t, conn, system, "SELECT FROM scalability_metrics")
	assert.Equal(t, int64(3), n)
}

func TestEnsurePartitionsMakesDaysAndMonths(t *testing.T) {
	s := fresh(t)
	at := time.Date(2031, 12, 30, 23, 30, 0, 0, time.FixedZone("west", -3600)) // the 31st in UTC
	made, err := s.EnsurePartitions(t.Context(), at, 2)
	require.NoError(t, err)
	assert.Equal(t, []string{
		"scalability_metrics_p20311230", "scalability_metrics_p20311231", "scalability_metrics_p20320101", "scalability_metrics_p20320102",
		"scaling_evaluations_p20311230", "scaling_evaluations_p20311231", "scaling_evaluations_p20320101", "scaling_evaluations_p20320102",
		"security_audit_logs_p203112", "security_audit_logs_p203201",
	}, made)
	made, err = s.EnsurePartitions(t.Context(), at.AddDate(0, 0, 1), 2)
	require.NoError(t, err)
	assert.Equal(t, []string{"scalability_metrics_p20320103", "scaling_evaluations_p20320103"}, made)
}

const auditRow = `INSERT INTO security_audit_logs (id, at, actor, action, object, decision, rule, request_id, remote_ip)
	VALUES ($1, $2, 'user:olga', 'read', '/', 'allow', '', '', '')`

// keepAudit commits an entry as the audit writer does.
func keepAudit(t *testing.T, appURL, id string, at time.Time) {
	t.Helper()
	conn := connect(t, appURL)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "SELECT set_config('wedsync.role', 'system', true)")
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), auditRow, id, at)
	require.NoError(t, err)
	require.NoError(t, tx.Commit(t.Context()))
}

func TestRowsWithoutAPartitionAreKeptAndMovedLater(t *testing.T) {
	ownerURL, appURL := database(t)
	s := open(t, appURL).As(system)
	at := time.Date(2031, 3, 3, 23, 59, 59, 999999000, time.UTC)
	require.NoError(t, s.SaveRollups(t.Context(), []models.MetricRollup{rollup(at, 60, 3), rollup(at.Add(time.Microsecond), 40, 2)}))
	keepAudit(t, appURL, "e1", at)
	conn := connect(t, ownerURL)
	where := "SELECT FROM scalability_metrics WHERE tableoid = $1::text::regclass"
	n, _ := try(t, conn, system, where, "scalability_metrics_default")
	require.Equal(t, int64(2), n)

	made, err := s.EnsurePartitions(t.Context(), at, 1)
	require.NoError(t, err)
	assert.Contains(t, made, "scalability_metrics_p20310303")
	for name, want := range map[string]int64{"scalability_metrics_default": 0, "scalability_metrics_p20310303": 1, "scalability_metrics_p20310304": 1} {
		n, code := try(t, conn, system, where, name)
		assert.Empty(t, code)
		assert.Equal(t, want, n, name)
	}
	n, _ = try(t, conn, system, "SELECT FROM security_audit_logs WHERE tableoid = 'security_audit_logs_p203103'::regclass AND id = 'e1'")
	assert.Equal(t, int64(1), n)
	load, err := s.HourlyLoad(t.Context(), models.ServiceAPI, at.Add(-time.Hour), at.Add(time.Hour))
	require.NoError(t, err)
	assert.Len(t, load, 2)
}

func TestMonthsOfTheTrailThatNobodyMadeInTimeAreMadeLater(t *testing.T) {
	ownerURL, appURL := database(t)
	s := open(t, appURL).As(system)
	month := func(back int) time.Time {
		return time.Now().UTC().AddDate(0, 0, 1-time.Now().UTC().Day()).AddDate(0, -back, 3)
	}
	for i, back := range []int{2, 2, 3, 14} { // while the worker was away
		keepAudit(t, appURL, fmt.Sprint("e", i), month(back))
	}
	conn := connect(t, ownerURL)
	inDefault := "SELECT FROM security_audit_logs WHERE tableoid = 'security_audit_logs_default'::regclass"
	n, _ := try(t, conn, system, inDefault)
	require.Equal(t, int64(4), n)
	made, err := s.EnsurePartitions(t.Context(), time.Now(), partitionsAhead)
	require.NoError(t, err)
	for _, back := range []int{2, 3, 14} {
		assert.Contains(t, made, "security_audit_logs_p"+month(back).Format("200601"))
	}
	n, _ = try(t, conn, system, inDefault)
	assert.Zero(t, n)
	n, _ = try(t, conn, system, "SELECT FROM security_audit_logs")
	assert.Equal(t, int64(4), n, "nothing is lost")
	made, err = s.EnsurePartitions(t.Context(), time.Now(), partitionsAhead)
	require.NoError(t, err)
	assert.Empty(t, made)
}

func TestDropPartitionsKeepsWhatIsWithinRetention(t *testing.T) {
	ownerURL, appURL := database(t)
	s := open(t, appURL).As(system)
	today := time.Now().UTC().Truncate(24 * time.Hour)
	day := func(n int) time.Time { return today.AddDate(0, 0, n) }
	_, err := s.EnsurePartitions(t.Context(), day(-8), 7)
	require.NoError(t, err)
	_, err = s.EnsurePartitions(t.Context(), today.AddDate(-1, -2, 0), 1)
	require.NoError(t, err)
	old := rollup(day(-50), 1, 1) // waits in the default partition
	require.NoError(t, s.SaveRollups(t.Context(), []models.MetricRollup{old, rollup(day(-8), 1, 1), rollup(day(-7), 1, 1), rollup(today, 1, 1)}))
	for _, at := range []time.Time{day(-8), day(-6)} {
		require.NoError(t, s.SaveHealthSnapshot(t.Context(), models.HealthSnapshot{ID: at.String(), At: at, Overall: models.OverallHealthy}))
	}
	oldest, older := anEvaluation(models.ServiceAPI, day(-50), 1), anEvaluation(models.ServiceAPI, day(-8), 1)
	older.Starts = []models.Replica{{ID: "r", OrderedAt: day(-8)}}
	saveEvaluations(t, s, oldest, older, anEvaluation(models.ServiceAPI, day(-7), 1), anEvaluation(models.ServiceAPI, today, 1))
	keepAudit(t, appURL, "old", today.AddDate(-1, -2, 0))
	keepAudit(t, appURL, "young", day(-300))

	dropped, err := s.DropPartitions(t.Context(), time.Now(), 7, 365)
	require.NoError(t, err)
	assert.Contains(t, dropped, "scalability_metrics_p"+day(-8).Format("20060102"))
	assert.NotContains(t, dropped, "scalability_metrics_p"+day(-7).Format("20060102"))
	assert.Contains(t, dropped, "scaling_evaluations_p"+day(-8).Format("20060102"))
	assert.NotContains(t, dropped, "scaling_evaluations_p"+day(-7).Format("20060102"))
	assert.NotContains(t, dropped, "security_audit_logs_p"+today.AddDate(-1, -2, 0).Format("200601"), "the trail is dropped by its own door")

	conn := connect(t, ownerURL)
	for statement, want := range map[string]int64{
		"SELECT FROM scalability_metrics":     2,
		"SELECT FROM scaling_evaluations":     2,
		"SELECT FROM replica_starts":          0,
		"SELECT FROM system_health_snapshots": 1,
		"SELECT FROM security_audit_logs":     2,
	} {
		n, _ := try(t, conn, system, statement)
		assert.Equal(t, want, n, statement)
	}
	dropped, err = s.DropPartitions(t.Context(), time.Now(), 7, 365)
	require.NoError(t, err)
	assert.Equal(t, []string{}, dropped)
}

func TestAClockThatRunsAheadDropsNothing(t *testing.T) {
	s := fresh(t)
	dropped, err := s.DropPartitions(t.Context(), time.Now().AddDate(5, 0, 0), 2, 60)
	require.NoError(t, err)
	assert.Empty(t, dropped)
}

func TestPartitionsAreKeptBySystemAloneWithinBounds(t *testing.T) {
	_, appURL := database(t)
	s := open(t, appURL)
	for _, role := range []models.ScopeRole{models.ScopeIngest, models.ScopeAdmin, models.ScopeOperator, models.ScopeViewer, models.ScopeCoordinator, "nonsense"} {
		other := s.As(models.Scope{Role: role, Subject: "user:x"})
		_, err := other.EnsurePartitions(t.Context(), noon, 1)
		assertError(t, err, models.KindForbidden, "")
		_, err = other.DropPartitions(t.Context(), noon, 30, 365)
		assertError(t, err, models.KindForbidden, "")
	}
	s = s.As(system)
	for name, call := range map[string]func() ([]string, error){
		"no days ahead":       func() ([]string, error) { return s.EnsurePartitions(t.Context(), noon, 0) },
		"many days ahead":     func() ([]string, error) { return s.EnsurePartitions(t.Context(), noon, 367) },
		"another century":     func() ([]string, error) { return s.EnsurePartitions(t.Context(), noon.AddDate(100, 0, 0), 1) },
		"no retention":        func() ([]string, error) { return s.DropPartitions(t.Context(), noon, 0, 365) },
		"negative retention":  func() ([]string, error) { return s.DropPartitions(t.Context(), noon, 30, -1) },
		"endless retention":   func() ([]string, error) { return s.DropPartitions(t.Context(), noon, 1<<20, 365) },
		"no audit retention":  func() ([]string, error) { return s.DropPartitions(t.Context(), noon, 30, 0) },
		"before the calendar": func() ([]string, error) { return s.EnsurePartitions(t.Context(), time.Time{}, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := call()
			assertError(t, err, models.KindInvalid, "")
		})
	}
}
