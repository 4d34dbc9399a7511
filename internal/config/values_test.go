package config

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // zones are known, whatever the machine has

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// goodAndBad are values of each variable: good ones are taken, bad ones refused.
func goodAndBad() map[string][2][]string {
	booleans := [2][]string{{"true", "false", "TRUE", "1", "0", " false "}, {"yes", "2", "tru", "on", "nil", "true,false", "0.0"}}
	percent := [2][]string{{"76", "85.5", "8e1"}, {"abc", "-1", "101", "NaN", "Inf", "-Inf", "1e400", "75%", "7 5", "100.0001"}}
	money := [2][]string{{"0", "12.5", "1e9"}, {"-1", "NaN", "Inf", "1e10", "12 EUR", "1,5"}}
	whole := func(good, bad string) [2][]string {
		return [2][]string{strings.Fields(good), append(strings.Fields(bad), "abc", "1.5", "1e3", "-1", "99999999999999999999", "1_000", "10s", "0x10", "NaN")}
	}
	web := [2][]string{
		{"https://wedsync.com", "http://127.0.0.1:8080/", "https://[::1]:8443/base", "http://localhost"},
		{"wedsync.com", "ftp://wedsync.com", "https://", "https://:8080", "https://a b", "https://a:0", "https://a:99999", "https://a?b=c", "https://a#b", "https://user:pw@a", "javascript:alert(1)", "//a", "http://-a", "http://%zz"},
	}
	dialled := [2][]string{{"temporal:7233", "127.0.0.1:1", "[::1]:7233"}, {"temporal", ":7233", "temporal:", "temporal:0", "temporal:70000", "temporal:http", "a b:1", "http://a:1", "::1:7233"}}
	listened := [2][]string{{"127.0.0.1:8080", ":8080", "0.0.0.0:80", "[::1]:8080", "localhost:0"}, {"8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:-1", "127.0.0.1:65536", "a b:80", "http://127.0.0.1:80", "a/b:80"}}
	postgres := [2][]string{
		{"postgres://app:pw@127.0.0.1:5432/wedsync?sslmode=disable", "postgresql://db/wedsync", "postgres:///wedsync?host=/run/postgresql"},
		{"mysql://a/b", "host=db dbname=wedsync password=hunter2", "postgres:app@db", "postgres://", "postgres://a:b@c:99999/d", "postgres://%zz"},
	}
	name := func(limit int) [2][]string {
		return [2][]string{{"wedsync", "a b"}, {strings.Repeat("x", limit+1), "a\nb", "a\x00b", "\x1b[31m"}}
	}
	return map[string][2][]string{
		"WEDSYNC_ENV":                              {{"development", "staging", "Production"}, {"prod", "test", "development,staging"}},
		"WEDSYNC_SITE_URL":                         web,
		"SCALABILITY_MONITORING_ENABLED":           booleans,
		"SCALABILITY_AUTO_SCALING_ENABLED":         booleans,
		"SCALABILITY_WEDDING_INTELLIGENCE_ENABLED": booleans,
		"SCALABILITY_RBAC_ENABLED":                 booleans,
		"SCALABILITY_CPU_THRESHOLD_WARNING":        percent,
		"SCALABILITY_CPU_THRESHOLD_CRITICAL":       percent,
		"SCALABILITY_MEMORY_THRESHOLD_WARNING":     percent,
		"SCALABILITY_MEMORY_THRESHOLD_CRITICAL":    {{"95", "100", "80.5"}, percent[1]},
		"SCALABILITY_RESPONSE_TIME_THRESHOLD_MS":   whole("1 500 600000", "0 600001"),
		"SCALABILITY_ERROR_RATE_THRESHOLD":         {{"0", "0.0", "0.05", "1", "5e-2"}, {"5%", "1.01", "-0.1", "NaN", "+Inf", "0,05"}},
		"WEDDING_DAY_MODE_AUTO_ENABLE":             booleans,
		"WEDDING_SEASON_MULTIPLIERS_ENABLED":       booleans,
		"WEDDING_EMERGENCY_RESPONSE_ENABLED":       booleans,
		"WEDDING_CONTACT_KEYS":                     name(8192),
		"WEDDING_PSEUDONYM_KEY":                    {{strings.Repeat("s", 16)}, {strings.Repeat("s", 15), strings.Repeat("s", 8193)}},
		"WEDDING_FEEDS_ALLOW_PRIVATE":              booleans,
		"WEDDING_SEASONS":                          {{"summer=03-20..10-31@Europe/London", "a1=03-20..10-31@UTC,b2=11-01..03-01@Asia/Kolkata"}, {"summer", "summer=3-20..10-31@UTC", "summer=03-20..10-31", "summer=03-20..10-31@UTC,", "a\x00b"}},
		"FORECAST_TIME_ZONE":                       {{"UTC", "Europe/London", "Asia/Kolkata"}, {"Local", "Mars/Olympus", "London", "../etc/passwd"}},
		"WEDDING_HOLIDAY_COUNTRIES":                {{"gb", "gb,ie", "US"}, {"uk", "gb,gb", "gb;ie"}},
		"SEASON_LOAD_TEST":                         {{"off", "fleet", "https://test.example/{service}/ping", "http://127.0.0.1:8080"}, {"on", "test.example", "https://test.example/{name}", "ftp://test.example"}},
		"SEASON_LOAD_TEST_MAX_RPS":                 whole("1 20000 10000000", "0 10000001"),
		"RBAC_AUDIT_LOGGING_ENABLED":               booleans,
		"SECURITY_THREAT_DETECTION_ENABLED":        booleans,
		"AUDIT_LOG_RETENTION_DAYS":                 whole("1 365 3650", "0 3651"),
		"AUDIT_SIGNING_KEY":                        {{"PRIVATE+KEY+wedsync-audit+1234abcd+AbCd="}, {"a\x00b"}},
		"AUDIT_SIGNING_KEY_FILE":                   {{"/etc/wedsync/audit.key"}, {"a\x00b"}},
		"AUDIT_FORMER_KEYS":                        {{"", "wedsync-audit+1234abcd+AbCd=@2027-06-12T14:00:00Z"}, {"a\x00b"}},
		"AUDIT_CHECKPOINT_COPY":                    {{"/mnt/vault", "https://vault.example/audit"}, {"a\x00b"}},
		"METRICS_SAMPLING_INTERVAL_MS":             whole("100 1000 60000", "0 99 60001"),
		"METRICS_RETENTION_DAYS":                   whole("1 30 3650", "0 3651"),
		"ANOMALY_DETECTION_ENABLED":                booleans,
		"ANOMALY_DETECTION_SENSITIVITY":            {{"low", "medium", "HIGH"}, {"max", "low,high", "0"}},
		"ALERT_CHANNELS":                           {{"email", "email, slack", "phone,sms,pagerduty,slack,email", "SMS"}, {"fax", "email,,slack", "email;slack", ",", "email,email", "email,pager duty"}},
		"AUTOSCALE_INTERVAL_SECONDS":               whole("1 30 300", "0 301"),
		"AUTOSCALE_CONTINUE_AS_NEW_EVERY":          whole("1 500 10000", "0 10001"),
		"AUTOSCALE_APPROVAL_SECONDS":               whole("1 900 86400", "0 86401"),
		"AUTOSCALE_KILL_SWITCH":                    booleans,
		"AUTOSCALE_BUDGET_HOUR":                    money,
		"AUTOSCALE_BUDGET_DAY":                     money,
		"AUTOSCALE_BUDGET_MONTH":                   money,
		"DATABASE_URL":                             postgres,
		"DATABASE_OWNER_URL":                       postgres,
		"DATABASE_MAX_CONNECTIONS":                 whole("1 200 10000", "0 10001"),
		"DATABASE_CONNECTION_TIMEOUT_MS":           whole("1 30000 600000", "0 600001"),
		"DATABASE_QUERY_TIMEOUT_MS":                whole("1 60000 3600000", "0 3600001"),
		"REDIS_URL":                                {{"redis://127.0.0.1:6379/0", "rediss://default:pw@cache:6380"}, {"127.0.0.1:6379", "http://cache", "redis:cache", "redis://", "redis://cache:0"}},
		"TEMPORAL_ADDRESS":                         dialled,
		"TEMPORAL_NAMESPACE":                       name(255),
		"TEMPORAL_TASK_QUEUE":                      name(255),
		"TEMPORAL_UI_URL":                          web,
		"TEMPORAL_PAYLOAD_KEYS":                    name(8192),
		"TEMPORAL_TLS":                             {{"true", "FALSE", "1"}, {"yes"}},
		"TEMPORAL_TLS_CA_FILE":                     name(4096),
		"TEMPORAL_TLS_CERT_FILE":                   name(4096),
		"TEMPORAL_TLS_KEY_FILE":                    name(4096),
		"TEMPORAL_TLS_SERVER_NAME":                 name(255),
		"REDIS_TLS_CA_FILE":                        name(4096),
		"API_TLS_CERT_FILE":                        name(4096),
		"API_TLS_KEY_FILE":                         name(4096),
		"API_ADDRESS":                              listened,
		"API_TRUSTED_PROXIES":                      {{"10.0.0.0/8", "10.1.2.3, fd00::/8,::1", "10.1.2.3/8"}, {"10.0.0.0/33", "proxy", "0.0.0.0/0", "::/0", "10.0.0.1,", "fe80::1%eth0", "::ffff:10.0.0.0/104"}},
		"RATE_LIMIT_REPLICAS":                      whole("1 1000", "0 1001"),
		"HTTP_SHUTDOWN_GRACE_SECONDS":              whole("0 15 300", "301"),
		"RATE_LIMIT_REQUESTS":                      whole("1 100 1000000", "0 1000001"),
		"RATE_LIMIT_WINDOW_SECONDS":                whole("1 60 3600", "0 3601"),
		"RATE_LIMIT_INGEST_REQUESTS":               whole("1 6000 10000000", "0 10000001"),
		"INGEST_MAX_PAST_SECONDS":                  whole("1 10 3600", "0 3601"),
		"INGEST_MAX_FUTURE_SECONDS":                whole("0 5 300", "301"),
		"AUTH_TOKEN_SECRET":                        {{strings.Repeat("s", 32)}, {strings.Repeat("s", 31), strings.Repeat("s", 8193)}},
		"AUTH_JWKS_URL":                            {{"https://id.example/jwks.json?p=policy", "http://127.0.0.1:9000/jwks", "http://localhost/jwks"}, {"http://id.example/jwks", "id.example", "https://", "https://user:pw@id.example", "file:///etc/passwd"}},
		"AUTH_DISCOVERY":                           {{"true", "0"}, {"maybe"}},
		"AUTH_OIDC_ISSUER":                         {{"https://id.example", "http://127.0.0.1:9000"}, {"http://id.example", "id.example"}},
		"AUTH_OIDC_CLIENT_ID":                      name(255),
		"AUTH_OIDC_CLIENT_SECRET":                  name(8192),
		"AUTH_SESSION_SECRET":                      {{strings.Repeat("s", 32)}, {strings.Repeat("s", 31), strings.Repeat("s", 8193)}},
		"AUTH_SESSION_HOURS":                       whole("1 12 168", "0 169"),
		"RATE_LIMIT_SIGN_INS":                      whole("1 20 10000", "0 10001"),
		"AUTH_ISSUER":                              name(255),
		"AUTH_AUDIENCE":                            name(255),
		"AUTH_METRICS_WRITER_TOKEN":                name(8192),
		"FLEET_URL":                                web,
		"FLEET_ADDRESS":                            listened,
		"FLEET_STATE_FILE":                         name(4096),
		"LOG_LEVEL":                                {{"debug", "INFO", "warn", "error"}, {"trace", "warning", "0"}},
		"METRICS_ADDRESS":                          listened,
		"OTEL_EXPORTER_OTLP_ENDPOINT":              web,
	}
}

func TestEveryVariableTakesItsGoodValuesAndRefusesItsBad(t *testing.T) {
	all := goodAndBad()
	assert.Len(t, all, len(variables()))
	for _, v := range variables() {
		values, ok := all[v.name]
		require.True(t, ok, "%s has no values to try", v.name)
		for _, good := range values[0] {
			_, err := Load([]string{v.name + "=" + good})
			require.NoError(t, err, "%s=%s", v.name, good)
		}
		for _, bad := range values[1] {
			cfg, err := Load([]string{v.name + "=" + bad})
			problems := Problems(err)
			if assert.Len(t, problems, 1, "%s=%q", v.name, bad) {
				assert.Equal(t, v.name, problems[0].Variable)
				assert.Equal(t, v.rule.allowed, problems[0].Allowed)
				assert.Contains(t, err.Error(), v.name)
			}
			s, _ := cfg.setting(v.name)
			assert.Equal(t, SourceDefault, s.Source)
			assert.Equal(t, v.fallback, s.Value)
		}
	}
}

func TestEveryDefaultIsAllowedAndEmptyMeansDefault(t *testing.T) {
	unset, err := Load(nil)
	require.NoError(t, err)
	for _, v := range variables() {
		if v.fallback != "" {
			_, ok := v.rule.check(v.fallback)
			assert.True(t, ok, v.name)
		}
		for _, empty := range []string{"", "  ", "\t"} {
			cfg, err := Load([]string{v.name + "=" + empty})
			require.NoError(t, err)
			assert.Equal(t, unset, cfg, "%s=%q", v.name, empty)
		}
	}
}

// TestEveryVariableHasItsField changes one variable at a time and sees the typed
// Config move.
func TestEveryVariableHasItsField(t *testing.T) {
	unset, err := Load(nil)
	require.NoError(t, err)
	all := goodAndBad()
	for _, v := range variables() {
		moved := false
		for _, good := range all[v.name][0] {
			cfg, err := Load([]string{v.name + "=" + good})
			require.NoError(t, err)
			cfg.settings, cfg.warnings, cfg.refused = unset.settings, unset.warnings, unset.refused
			moved = moved || !assert.ObjectsAreEqual(unset, cfg)
		}
		assert.True(t, moved, "%s moves no field", v.name)
	}
}

func TestTypedValues(t *testing.T) {
	cfg, err := Load([]string{
		"WEDSYNC_ENV=Development", "WEDSYNC_SITE_URL=https://wedsync.com/", "SCALABILITY_MONITORING_ENABLED=false",
		"SCALABILITY_CPU_THRESHOLD_WARNING=0", "SCALABILITY_ERROR_RATE_THRESHOLD=0",
		"SCALABILITY_RESPONSE_TIME_THRESHOLD_MS=250", "ALERT_CHANNELS= sms, Phone ", "HTTP_SHUTDOWN_GRACE_SECONDS=0",
		"INGEST_MAX_FUTURE_SECONDS=0", "ANOMALY_DETECTION_SENSITIVITY=HIGH", "LOG_LEVEL=WARN",
		"RATE_LIMIT_REQUESTS=1", "RATE_LIMIT_REQUESTS=2", "not a pair",
	})
	require.NoError(t, err)
	assert.Equal(t, Development, cfg.Environment)
	assert.Equal(t, "https://wedsync.com", cfg.SiteURL)
	assert.False(t, cfg.Features.Monitoring)
	assert.Zero(t, cfg.Thresholds.CPUWarning, "an explicit 0 is kept")
	assert.Zero(t, cfg.Thresholds.ErrorRate, "an explicit 0 is kept")
	assert.Equal(t, 250*time.Millisecond, cfg.Thresholds.ResponseTime)
	assert.Equal(t, []Channel{ChannelSMS, ChannelPhone}, cfg.Monitoring.AlertChannels)
	assert.Zero(t, cfg.API.ShutdownGrace)
	assert.Zero(t, cfg.Ingest.MaxFuture)
	assert.Equal(t, SensitivityHigh, cfg.Monitoring.AnomalySensitivity)
	assert.Equal(t, "warn", cfg.Telemetry.LogLevel)
	assert.Equal(t, 2, cfg.RateLimit.Requests, "the last of a repeated name counts")
}
