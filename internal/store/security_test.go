package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/wedsync/scalability/internal/devstack"
	"github.com/wedsync/scalability/models"
)

// guarded is a database with a row or two in each table: w1 and its rows belong to the
// coordinator carla, w2 to another one, w3 to nobody.
func guarded(t *testing.T) (ownerURL, appURL string) {
	t.Helper()
	ownerURL, appURL = database(t)
	s := open(t, appURL).As(system)
	ctx := t.Context()
	_, err := s.SeedServices(ctx, []models.Service{aService()})
	require.NoError(t, err)
	for id, coordinator := range map[string]string{"w1": "user:carla", "w2": "user:other", "w3": ""} {
		w := aWedding("ref-"+id, coordinator)
		w.ID = id
		_, err := s.CreateWedding(ctx, w)
		require.NoError(t, err)
		r := aReservation("r-" + id)
		r.WeddingID = id
		require.NoError(t, s.CreateReservation(ctx, r))
		require.NoError(t, s.write(ctx, "test", func(tx *gorm.DB) error {
			return tx.Exec("INSERT INTO wedding_contacts VALUES (?, 'k1', '\\x00', now(), 'test')", id).Error
		}))
		require.NoError(t, s.SaveWeddingPredictions(ctx, []models.WeddingPrediction{{ID: "p-" + id, WeddingID: id, WeddingDate: w.WeddingDate, Service: models.ServiceAPI, CreatedAt: noon, PeakAt: noon}}))
	}
	require.NoError(t, s.CreateReservation(ctx, aReservation("r-plain")))
	require.NoError(t, s.write(ctx, "test", func(tx *gorm.DB) error { return tx.Exec(aFeedRow("f1", "crm")).Error }))
	require.NoError(t, s.RecordDecision(ctx, aDecision("d1", models.DecisionProposed)))
	e := anEvaluation(models.ServiceAPI, noon, 3)
	e.Starts = []models.Replica{{ID: "r1", OrderedAt: noon}}
	saveEvaluations(t, s, e)
	require.NoError(t, s.SaveHealthSnapshot(ctx, models.HealthSnapshot{ID: "h1", At: noon, Overall: models.OverallHealthy}))
	require.NoError(t, s.SaveRollups(ctx, []models.MetricRollup{rollup(noon, 1, 1)}))
	_, err = s.LoadHours(ctx, models.ServiceAPI, "csv", []models.HourlyLoad{{Hour: noon, MeanRPS: 1, Samples: 1}})
	require.NoError(t, err)
	_, err = s.SaveForecasts(ctx, []models.LoadForecast{{Service: models.ServiceAPI, TargetAt: noon, LeadHours: 1, IssuedAt: noon}})
	require.NoError(t, err)
	require.NoError(t, s.GrantRole(ctx, bind("user:carla", models.RoleCoordinator)))
	require.NoError(t, s.GrantRole(ctx, bind("user:anna", models.RoleAdmin)))
	require.NoError(t, s.ProposePolicy(ctx, aPolicy("a1")))
	require.NoError(t, s.CreateServiceAccount(ctx, models.ServiceAccount{Name: "collector", Description: "delivers metrics", CreatedBy: "user:anna", CreatedAt: noon}))
	require.NoError(t, s.AddServiceKey(ctx, models.ServiceKey{ID: "k1", Account: "collector", Hash: make([]byte, 32), CreatedAt: noon, ExpiresAt: noon.Add(time.Hour)}))
	require.NoError(t, s.Revoke(ctx, models.Revocation{ID: "v1", TokenID: "t1", Reason: "lost", CreatedAt: noon, Until: noon.Add(time.Hour)}))
	require.NoError(t, s.SaveWeddingDay(ctx, aDay(aWedding("any", "").WeddingDate)))
	require.NoError(t, s.SaveWeddingDay(ctx, aDay("2027-06-19")))
	keepSeason(t, s, "summer")
	keepAudit(t, appURL, "e1", noon)
	_, err = s.RaiseAlert(ctx, anAlert("a1"))
	require.NoError(t, err)
	return ownerURL, appURL
}

func aFeedRow(id, source string) string {
	return fmt.Sprintf(`INSERT INTO calendar_feeds VALUES ('%s', 'https://x.test/', 'ics', '%s', '', '', 3600, true, '', '', NULL, NULL, '', 0, now(), 'x', now())`, id, source)
}

// The columns of the matrices below.
var scopes = []models.Scope{
	{},
	{Role: models.ScopeSystem, Subject: "worker"},
	{Role: models.ScopeIngest, Subject: "svc:collector"},
	{Role: models.ScopeAdmin, Subject: "user:anna"},
	{Role: models.ScopeOperator, Subject: "user:olga"},
	{Role: models.ScopeViewer, Subject: "user:vera"},
	{Role: models.ScopeCoordinator, Subject: "user:carla"},
	{Role: models.ScopeCoordinator},               // no subject: owns nothing, not what nobody owns
	{Role: "wedsync_root", Subject: "user:carla"}, // unknown
	{Subject: "user:carla"},                       // a subject alone
}

func TestEachScopeReadsWhatItMay(t *testing.T) {
	_, appURL := guarded(t)
	conn := connect(t, appURL)
	for table, want := range map[string][]int64{
		// rows that        none system ingest admin operator viewer carla – root –
		"services":                {0, 1, 0, 1, 1, 1, 1, 1, 0, 0},
		"weddings":                {0, 3, 0, 3, 3, 3, 1, 0, 0, 0},
		"wedding_contacts":        {0, 3, 0, 3, 0, 0, 1, 0, 0, 0},
		"calendar_feeds":          {0, 1, 0, 1, 1, 1, 1, 1, 0, 0},
		"reservations":            {0, 4, 0, 4, 4, 4, 1, 0, 0, 0},
		"wedding_predictions":     {0, 3, 0, 3, 3, 3, 1, 0, 0, 0},
		"wedding_days":            {0, 2, 0, 2, 2, 2, 1, 0, 0, 0}, // a coordinator those of the own weddings
		"scaling_states":          {0, 1, 0, 1, 1, 1, 1, 1, 0, 0},
		"scaling_evaluations":     {0, 1, 0, 1, 1, 1, 1, 1, 0, 0},
		"replica_starts":          {0, 1, 0, 1, 1, 1, 1, 1, 0, 0},
		"scalability_decisions":   {0, 1, 0, 1, 1, 1, 1, 1, 0, 0},
		"scalability_metrics":     {0, 1, 0, 1, 1, 1, 1, 1, 0, 0},
		"system_health_snapshots": {0, 1, 0, 1, 1, 1, 1, 1, 0, 0},
		"hourly_loads":            {0, 1, 0, 1, 1, 1, 1, 1, 0, 0},
		"load_forecasts":          {0, 1, 0, 1, 1, 1, 1, 1, 0, 0},
		"security_audit_logs":     {0, 1, 0, 1, 0, 0, 0, 0, 0, 0},
		"audit_streams":           {0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"audit_checkpoints":       {0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"audit_partitions":        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"role_bindings":           {0, 2, 0, 2, 2, 0, 1, 0, 0, 0}, // … and everybody the own ones
		"access_policies":         {0, 1, 0, 1, 0, 0, 0, 0, 0, 0},
		"service_accounts":        {0, 1, 0, 1, 0, 0, 0, 0, 0, 0},
		"service_keys":            {0, 1, 0, 1, 0, 0, 0, 0, 0, 0},
		"revocations":             {0, 1, 0, 1, 0, 0, 0, 0, 0, 0},
		"security_alerts":         {0, 1, 0, 1, 0, 0, 0, 0, 0, 0},
		"threat_watch":            {0, 1, 0, 0, 0, 0, 0, 0, 0, 0},
		"seasons":                 {0, 1, 0, 1, 1, 1, 1, 1, 0, 0},
		"season_plans":            {0, 1, 0, 1, 1, 1, 1, 1, 0, 0},
		"season_gates":            {0, 1, 0, 1, 1, 1, 1, 1, 0, 0},
		"capacity_certificates":   {0, 1, 0, 1, 1, 1, 1, 1, 0, 0},
		"policy_revisions":        {0, 1, 1, 1, 1, 1, 1, 1, 0, 0},
	} {
		for i, scope := range scopes {
			n, code := try(t, conn, scope, "SELECT FROM "+table)
			assert.Empty(t, code)
			assert.Equal(t, want[i], n, "%s as %+v", table, scope)
		}
	}
}

// Writes: y does it, n meets a refusal or no row.
func TestEachScopeWritesWhatItMay(t *testing.T) {
	_, appURL := guarded(t)
	conn := connect(t, appURL)
	reservation := func(kind, wedding string) string {
		return fmt.Sprintf(`INSERT INTO reservations (id, service, kind, replicas, guests, starts_at, ends_at, holder, reason, wedding_id, created_at, created_by, ended_by)
			VALUES ('new', 'api', '%s', 5, 0, now(), now() + interval '1 hour', 'x', 'y', '%s', now(), 'x', '')`, kind, wedding)
	}
	decision := func(status, outcome, finished string) string {
		return fmt.Sprintf(`INSERT INTO scalability_decisions (id, service, created_at, expires_at, requested_by, class, direction, from_replicas, to_replicas, sentence, status, outcome, outcome_reason, finished_at, workflow_id, reservation_id)
			VALUES ('new', 'api', now(), now(), 'x', '', '', 1, 2, '', '%s', '%s', '', %s, '', '')`, status, outcome, finished)
	}
	audit := func(actor string) string {
		return `INSERT INTO security_audit_logs (id, at, actor, action, object, decision, rule, request_id, remote_ip)
			SELECT * FROM unnest(ARRAY['new'], ARRAY[now()], ARRAY['` + actor + `'], ARRAY['a'], ARRAY['o'], ARRAY['deny'], ARRAY['r'], ARRAY['q'], ARRAY['ip'])`
	}
	binding := func(subject string) string {
		return "INSERT INTO role_bindings VALUES ('" + subject + "', 'scalability_viewer', now(), NULL, 'x', now())"
	}
	for _, c := range []struct{ name, statement, want string }{
		// none system ingest admin operator viewer carla – root –
		{"change a service", "UPDATE services SET zones = 2", "nynynnnnnn"},
		{"change a wedding", "UPDATE weddings SET guests = 2 WHERE id = 'w1'", "nynynnnnnn"},
		{"take a wedding over", "UPDATE weddings SET coordinator = 'user:carla' WHERE id = 'w2'", "nynynnnnnn"},
		{"change a contact", "UPDATE wedding_contacts SET key_id = 'k2' WHERE wedding_id = 'w1'", "nynynnnnnn"},
		{"forget a contact", "DELETE FROM wedding_contacts WHERE wedding_id = 'w1'", "nynynnnnnn"},
		{"read a feed from elsewhere", "UPDATE calendar_feeds SET url = 'https://y.test/'", "nynynnnnnn"},
		{"add a feed", aFeedRow("f2", "other"), "nynynnnnnn"},
		{"remove a feed", "DELETE FROM calendar_feeds", "nynynnnnnn"},
		{"revoke a key", "UPDATE service_keys SET revoked_by = 'x'", "nynynnnnnn"},
		{"take a revocation back", "UPDATE revocations SET until = now()", "nnnnnnnnnn"},
		{"forget a key", "DELETE FROM service_keys", "nnnnnnnnnn"},
		{"revoke", "INSERT INTO revocations VALUES ('new', 't2', '', 'r', 'x', now(), now())", "nynynnnnnn"},
		{"raise an alert", `INSERT INTO security_alerts (id, rule, kind, severity, claimed, at, raised_at, entries, evidence, sentence) VALUES ('new', 'spray', '', 'critical', false, now(), now(), 1, '[]', '')`, "nynnnnnnnn"},
		{"acknowledge as oneself", "UPDATE security_alerts SET acknowledged_at = now(), acknowledged_by = 'user:anna'", "nynynnnnnn"},
		{"acknowledge as another", "UPDATE security_alerts SET acknowledged_at = now(), acknowledged_by = 'user:olga'", "nynnnnnnnn"},
		{"play an alert down", "UPDATE security_alerts SET severity = 'warning'", "nnnnnnnnnn"},
		{"forget an alert", "DELETE FROM security_alerts", "nnnnnnnnnn"},
		{"look away", "UPDATE threat_watch SET leased_until = 'infinity'", "nynnnnnnnn"},
		{"add an account", "INSERT INTO service_accounts VALUES ('new', 'd', 'x', now())", "nynynnnnnn"},
		{"change a season", "UPDATE seasons SET phase = 'done'", "nynnnnnnnn"},
		{"approve a plan by hand", "UPDATE season_plans SET status = 'approved'", "nynnnnnnnn"},
		{"pass a gate by hand", "UPDATE season_gates SET status = 'passed'", "nynnnnnnnn"},
		{"certify by hand", "INSERT INTO capacity_certificates VALUES ('new', 's', 'api', 1, 1, 1, 0, now(), now())", "nynnnnnnnn"},
		{"forget a season", "DELETE FROM seasons", "nnnnnnnnnn"},
		{"reserve", reservation("floor", ""), "nynyynnnnn"},
		{"reserve for w1", reservation("floor", "w1"), "nynyynynnn"},
		{"reserve for w2", reservation("floor", "w2"), "nynyynnnnn"},
		{"reserve for w3", reservation("floor", "w3"), "nynyynnnnn"},
		{"cap for w1", reservation("cap", "w1"), "nynyynnnnn"},
		{"end that of w1", "UPDATE reservations SET ended_by = 'x' WHERE id = 'r-w1'", "nynyynynnn"},
		{"end that of w2", "UPDATE reservations SET ended_by = 'x' WHERE id = 'r-w2'", "nynyynnnnn"},
		{"move w1's to w2", "UPDATE reservations SET wedding_id = 'w2' WHERE id = 'r-w1'", "nynyynnnnn"},
		{"request", decision("proposed", "", "NULL"), "nynyynnnnn"},
		{"decide", decision("executing", "", "NULL"), "nynnnnnnnn"},
		{"decide and close", decision("closed", "no_op", "now()"), "nynnnnnnnn"},
		{"take up", "UPDATE scalability_decisions SET status = 'executing'", "nynnnnnnnn"},
		{"evaluate", "UPDATE scaling_states SET desired = 2", "nynnnnnnnn"},
		{"evaluate anew", "INSERT INTO scaling_states VALUES ('media', now(), 1, 1, 1, 1, false, '', '', NULL)", "nynnnnnnnn"},
		{"keep an evaluation", "INSERT INTO scaling_evaluations SELECT service, at + interval '1 second', '', '', '', '', 1, 1, 1, 1, 1, '', '', 1, NULL, '', '' FROM unnest(ARRAY['api'], ARRAY[now()]) AS t (service, at)", "nynnnnnnnn"},
		{"change an evaluation", "UPDATE scaling_evaluations SET desired = 2", "nnnnnnnnnn"},
		{"forget an evaluation", "DELETE FROM scaling_evaluations", "nnnnnnnnnn"},
		{"see a start", "INSERT INTO replica_starts VALUES ('api', 'r2', now(), NULL, now())", "nynnnnnnnn"},
		{"correct a start", "UPDATE replica_starts SET ready_at = now()", "nynnnnnnnn"},
		{"predict", "INSERT INTO wedding_predictions SELECT 'new', wedding_id, wedding_date, service, created_at, peak_at, 1, 1, 1, '' FROM wedding_predictions WHERE id = 'p-w1'", "nynnnnnnnn"},
		{"keep a wedding day", "UPDATE wedding_days SET text = 'x'", "nynnnnnnnn"},
		{"snapshot", "INSERT INTO system_health_snapshots VALUES ('new', now(), 'healthy', '{}')", "nynnnnnnnn"},
		{"report metrics", `INSERT INTO scalability_metrics VALUES (now(), 'api', 'cpu', 10, 1, 1, 1, 1, 1, '')`, "nyynnnnnnn"},
		{"audit olga", audit("user:olga"), "nynnynnnnn"},
		{"audit nobody", audit("anonymous"), "nynnnnnnnn"},
		{"bind another", binding("user:new"), "nynynnnnnn"},
		{"bind anna", binding("user:anna"), "nynnnnnnnn"},
		{"unbind carla", "UPDATE role_bindings SET valid_to = now() WHERE subject = 'user:carla'", "nynynnnnnn"},
		{"unbind anna", "UPDATE role_bindings SET valid_to = now() WHERE subject = 'user:anna'", "nynnnnnnnn"},
		{"turn the revision back", "UPDATE policy_revisions SET revision = 0", "nnnnnnnnnn"},
		{"change the log", "UPDATE security_audit_logs SET actor = ''", "nnnnnnnnnn"},
		{"cut the log", "DELETE FROM security_audit_logs", "nnnnnnnnnn"},
		{"empty the log", "TRUNCATE security_audit_logs", "nnnnnnnnnn"},
		{"open a stream", "INSERT INTO audit_streams (stream, process, seq, hash) VALUES ('s', 'p', 0, sha256(''))", "nynnnnnnnn"},
		{"forget the streams", "DELETE FROM audit_streams", "nnnnnnnnnn"},
		{"sign", "INSERT INTO audit_checkpoints (at, note) VALUES (now(), 'x')", "nynnnnnnnn"},
		{"forget the signatures", "DELETE FROM audit_checkpoints", "nnnnnnnnnn"},
		{"seal", "INSERT INTO audit_partitions (name, upper, rows, manifest, digest) VALUES ('p', now(), 0, '', '')", "nynnnnnnnn"},
		{"unseal", "UPDATE audit_partitions SET rows = 1", "nnnnnnnnnn"},
		{"forget a decision", "DELETE FROM scalability_decisions", "nnnnnnnnnn"},
		{"change metrics", "UPDATE scalability_metrics SET sum = 0", "nnnnnnnnnn"},
		{"load an hour", "INSERT INTO hourly_loads VALUES ('api', '2027-01-01T00:00:00Z', 1, 1, 'x')", "nynnnnnnnn"},
		{"change an hour", "UPDATE hourly_loads SET mean_rps = 2", "nynnnnnnnn"},
		{"forget a young hour", "DELETE FROM hourly_loads", "nnnnnnnnnn"},
		{"forecast", "INSERT INTO load_forecasts SELECT service, target_at, 2, issued_at, '', 1, 1, 0, 0, 0, false, false FROM unnest(ARRAY['api'], ARRAY[now()], ARRAY[now()]) AS t (service, target_at, issued_at)", "nynnnnnnnn"},
		{"score", "UPDATE load_forecasts SET actual = 2", "nynnnnnnnn"},
		{"forget a young forecast", "DELETE FROM load_forecasts", "nnnnnnnnnn"},
		{"forget metrics", "DELETE FROM scalability_metrics", "nnnnnnnnnn"},
		{"go round the table", "INSERT INTO scalability_metrics_default VALUES (now(), 'api', 'cpu', 10, 1, 1, 1, 1, 1, '')", "nnnnnnnnnn"},
		{"read round the table", "SELECT FROM scalability_metrics_default", "nnnnnnnnnn"},
		{"make the coming partitions alone", "SELECT wedsync_ensure_coming_partitions(now(), 1)", "nnnnnnnnnn"},
		{"make a partition by hand", "SELECT wedsync_make_partition('scalability_metrics', 'timestamp', 'x', now(), now() + interval '1 day')", "nnnnnnnnnn"},
		{"switch security off", "ALTER TABLE services DISABLE ROW LEVEL SECURITY", "nnnnnnnnnn"},
		{"make a table", "CREATE TABLE mine (id int)", "nnnnnnnnnn"},
		{"become the owner", "SET ROLE " + devstack.OwnerRole, "nnnnnnnnnn"},
		{"read the migrations", "SELECT FROM goose_db_version", "nnnnnnnnnn"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			for _, scope := range scopes {
				n, code := try(t, conn, scope, c.statement)
				switch {
				case code == "" && n > 0:
					got += "y"
				case code == "" || code == "42501":
					got += "n"
				default:
					got += "(" + code + ")"
				}
			}
			assert.Equal(t, c.want, got)
		})
	}
}

// What retention may do is not for the asking.
func TestSettingsGainNothing(t *testing.T) {
	_, appURL := guarded(t)
	conn := connect(t, appURL)
	for _, table := range []string{"security_audit_logs", "scalability_metrics", "scalability_decisions"} {
		tx, err := conn.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), "SELECT set_config('wedsync.role', 'system', true), set_config('wedsync.maintenance', 'on', true)")
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), "DELETE FROM "+table)
		require.ErrorContains(t, err, "permission denied")
		require.NoError(t, tx.Rollback(t.Context()))
	}
}

func TestEveryTableIsGuardedPartitionsToo(t *testing.T) {
	ownerURL, _ := guarded(t)
	conn := connect(t, ownerURL)
	rows, err := conn.Query(t.Context(), `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
		AND relkind IN ('r', 'p') AND relname <> 'goose_db_version' AND NOT (relrowsecurity AND relforcerowsecurity)`)
	require.NoError(t, err)
	open, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	assert.Empty(t, open, "tables without forced row level security")

	rows, err = conn.Query(t.Context(), `SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')`)
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	assert.Greater(t, len(all), 25, "the partitions were looked at")
	for _, table := range all {
		if table == "goose_db_version" {
			continue
		}
		n, code := try(t, conn, models.Scope{}, "SELECT FROM "+table)
		assert.Empty(t, code)
		assert.Zero(t, n, "%s: the owner reads nothing without a scope", table)
		_, code = try(t, conn, models.Scope{}, "ALTER TABLE "+table+" OWNER TO "+devstack.AppRole)
		assert.Equal(t, "42501", code)
	}
	n, code := try(t, conn, models.Scope{}, "UPDATE weddings SET guests = 1")
	assert.Empty(t, code)
	assert.Zero(t, n, "the owner changes nothing without a scope")
	_, code = try(t, conn, models.Scope{}, "INSERT INTO system_health_snapshots VALUES ('new', now(), 'healthy', '{}')")
	assert.Equal(t, "42501", code)
	n, _ = try(t, conn, system, "UPDATE security_audit_logs SET actor = ''")
	assert.Zero(t, n, "nor an entry of the log with one")
	n, _ = try(t, conn, system, "DELETE FROM security_audit_logs")
	assert.Zero(t, n)
}

func TestTheApplicationOwnsNothing(t *testing.T) {
	ownerURL, _ := database(t)
	conn := connect(t, ownerURL)
	var owned int
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_class WHERE relowner = $1::text::regrole", devstack.AppRole).Scan(&owned))
	assert.Zero(t, owned)
	rows, err := conn.Query(t.Context(), "SELECT proname || ' ' || coalesce(array_to_string(proconfig, ' '), '') FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace ORDER BY 1")
	require.NoError(t, err)
	definers, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Len(t, definers, 6, "functions with the owner's rights")
	for _, f := range definers {
		assert.Contains(t, f, "search_path=pg_catalog, pg_temp")
	}
	n, code := try(t, conn, models.Scope{}, "SELECT FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace AND has_function_privilege('public', oid, 'EXECUTE')")
	assert.Empty(t, code)
	assert.Zero(t, n, "open to all")
}

// The scope is a constant of the statement, so policies do not cost the index.
func TestPoliciesKeepTheIndexes(t *testing.T) {
	ownerURL, appURL := guarded(t)
	owner, conn := connect(t, ownerURL), connect(t, appURL)
	fill(t, owner)
	for _, c := range []struct{ statement, index string }{
		{"SELECT * FROM scalability_decisions WHERE (created_at, id) < (now(), 'x') ORDER BY created_at DESC, id DESC LIMIT 10", "idx_scalability_decisions_created_at"},
		{"SELECT * FROM scalability_decisions WHERE service = 'media' AND created_at > now() - interval '1 hour' ORDER BY created_at DESC, id DESC LIMIT 10", "idx_scalability_decisions_service"},
		{"SELECT id FROM scalability_decisions WHERE status <> 'closed' AND status = 'proposed' AND service = 'api' ORDER BY created_at, id", "idx_scalability_decisions_open"},
		{"SELECT id FROM weddings WHERE coordinator = (SELECT wedsync_subject())", "idx_weddings_coordinator"},
		{`SELECT sum(sum) FROM scalability_metrics WHERE metric = 'throughput' AND service = 'api' AND "timestamp" > now() - interval '1 hour'`, "_service_timestamp_sum"},
		{strings.NewReplacer("service = ?", "service = 'api'", ">= ?", ">= now() - interval '1 hour'", "< ?", "< now()").Replace(minuteLoads), "_service_timestamp_sum"},
		{"SELECT at FROM scaling_evaluations WHERE decision_id <> '' AND decision_id = 'f5' ORDER BY at DESC LIMIT 1", "decision_id_idx"},
		{"SELECT * FROM security_audit_logs WHERE (at, id) < (now() - interval '1 day', 'x') ORDER BY at DESC, id DESC LIMIT 51", "_at_idx"},
		{"SELECT * FROM security_audit_logs WHERE actor = 'user:f7' ORDER BY at DESC, id DESC LIMIT 51", "_actor_at_idx"},
		{"SELECT seq FROM security_audit_logs WHERE stream = 's' AND seq > 100 AND seq <= 200 ORDER BY seq LIMIT 50", "_stream_seq_idx"},
		{"SELECT spec FROM scaling_evaluations WHERE service = 'api' AND at > now() - interval '1 hour' ORDER BY at DESC", "_pkey"},
	} {
		role := "wedding_coordinator"
		if strings.Contains(c.statement, "security_audit_logs") {
			role = "scalability_admin"
		}
		tx, err := conn.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), "SELECT set_config('wedsync.role', $1, true), set_config('wedsync.subject', 'user:carla', true)", role)
		require.NoError(t, err)
		rows, err := tx.Query(t.Context(), "EXPLAIN "+c.statement)
		require.NoError(t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		assert.Contains(t, strings.Join(lines, "\n"), c.index, c.statement)
		require.NoError(t, tx.Rollback(t.Context()))
	}
}

// fill makes tables large enough for the planner to care.
func fill(t *testing.T, owner *pgx.Conn) {
	t.Helper()
	for _, statement := range []string{
		"SELECT set_config('wedsync.role', 'system', false)",
		`INSERT INTO scalability_decisions SELECT 'f' || i, (ARRAY['api', 'media', 'search'])[i % 3 + 1], now() - i * interval '1 minute', now(), 'x', '', '', 1, 2, '', NULL, 'closed', 'no_op', '', now(), NULL, '', '', NULL, NULL, NULL, NULL, NULL
			FROM generate_series(1, 5000) i`,
		`INSERT INTO weddings SELECT 'f' || i, 'f' || i, 'UTC', now(), now() + interval '1 hour', now(), 1, '', 'confirmed', 'user:f' || i, 1, now(), now() FROM generate_series(1, 5000) i`,
		`INSERT INTO scalability_metrics SELECT now() - i % 1000 * interval '10 seconds', (ARRAY['api', 'media', 'search'])[i % 3 + 1], (ARRAY['cpu', 'memory', 'throughput', 'queue_depth'])[i % 4 + 1], 10, 1, 1, 1, 1, 1, '' FROM generate_series(1, 20000) i`,
		`INSERT INTO scaling_evaluations SELECT (ARRAY['api', 'media', 'search'])[i % 3 + 1], now() - i * interval '10 seconds', CASE WHEN i % 100 = 5 THEN 'f' || i ELSE '' END, '', '', '', 1, 1, 1, 1, 1, '', '', 1, NULL, '', repeat('x', 1500)::bytea FROM generate_series(1, 20000) i`,
		`INSERT INTO security_audit_logs (id, at, actor, action, object, decision, rule, request_id, remote_ip, stream, seq)
			SELECT 'f' || i, now() - i * interval '9 seconds', 'user:f' || i % 200, 'scalability:read', 'GET /x', 'allow', 'r', '', '', 's', i FROM generate_series(1, 20000) i`,
		"ANALYSE security_audit_logs",
		"VACUUM ANALYSE scaling_evaluations",
		"VACUUM ANALYSE scalability_decisions", "VACUUM ANALYSE weddings", "VACUUM ANALYSE scalability_metrics",
	} {
		_, err := owner.Exec(t.Context(), statement)
		require.NoError(t, err, statement)
	}
}
