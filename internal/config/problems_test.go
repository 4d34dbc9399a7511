package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMessages(t *testing.T) {
	cases := map[string]struct {
		environ []string
		want    []string
	}{
		"a word for a number": {[]string{"SCALABILITY_CPU_THRESHOLD_WARNING=abc"},
			[]string{`SCALABILITY_CPU_THRESHOLD_WARNING="abc": want a number from 0 to 100`}},
		"a zero where none is allowed": {[]string{"AUDIT_LOG_RETENTION_DAYS=0"},
			[]string{`AUDIT_LOG_RETENTION_DAYS="0": want a whole number from 1 to 3650`}},
		"an unknown channel": {[]string{"ALERT_CHANNELS=email,fax"},
			[]string{`ALERT_CHANNELS="email,fax": want a list, separated by commas, of email, slack, pagerduty, sms, phone`}},
		"a warning that is not below the critical value": {[]string{"SCALABILITY_CPU_THRESHOLD_WARNING=90"},
			[]string{`SCALABILITY_CPU_THRESHOLD_WARNING="90": want a number below SCALABILITY_CPU_THRESHOLD_CRITICAL, which is 90`}},
		"a critical value of zero": {[]string{"SCALABILITY_MEMORY_THRESHOLD_CRITICAL=0"},
			[]string{`SCALABILITY_MEMORY_THRESHOLD_WARNING="80": want a number below SCALABILITY_MEMORY_THRESHOLD_CRITICAL, which is 0`}},
		"a refused value is not compared as well": {[]string{"SCALABILITY_CPU_THRESHOLD_WARNING=99", "SCALABILITY_CPU_THRESHOLD_CRITICAL=900"},
			[]string{`SCALABILITY_CPU_THRESHOLD_CRITICAL="900": want a number from 0 to 100`}},
		"all at once": {[]string{"LOG_LEVEL=loud", "WEDSYNC_ENV=prod", "RATE_LIMIT_REQUESTS=-5"},
			[]string{`WEDSYNC_ENV="prod": want one of development, staging, production`,
				`RATE_LIMIT_REQUESTS="-5": want a whole number from 1 to 1000000`,
				`LOG_LEVEL="loud": want one of debug, info, warn, error`}},
		"a huge value is cut": {[]string{"LOG_LEVEL=" + strings.Repeat("x", 5000)},
			[]string{`LOG_LEVEL="` + strings.Repeat("x", 120) + `…": want one of debug, info, warn, error`}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Load(c.environ)
			require.Error(t, err)
			assert.Equal(t, c.want, strings.Split(err.Error(), "\n"))
		})
	}
}

func TestNoMessageAndNoListingShowsASecret(t *testing.T) {
	long := strings.Repeat("hunter2", 10)
	environments := map[string][]string{
		"good": {"DATABASE_URL=postgres://app:hunter2@db/x?password=hunter2&sslmode=require&sslkey=hunter2", "REDIS_URL=redis://:hunter2@cache:6379/0",
			"DATABASE_OWNER_URL=postgres://owner:hunter2@db/x", "AUTH_TOKEN_SECRET=" + long, "AUTH_METRICS_WRITER_TOKEN=hunter2"},
		"bad": {"DATABASE_URL=host=db password=hunter2", "REDIS_URL=cache:hunter2", "DATABASE_OWNER_URL=hunter2", "AUTH_TOKEN_SECRET=hunter2",
			"AUTH_METRICS_WRITER_TOKEN=hunter2\x00", "AUTH_JWKS_URL=http://id.example/?key=hunter2", "OTEL_EXPORTER_OTLP_ENDPOINT=https://u:hunter2@c",
			"FLEET_URL=http://fleet?token=hunter2", "API_ADDRESS=u:hunter2@host"},
		"misspelt": {"WEDSYNC_TOKEN_SECRET=" + long, "RATE_LIMIT_PASSWORD=hunter2"},
	}
	for name, environ := range environments {
		t.Run(name, func(t *testing.T) {
			cfg, err := Load(environ)
			if name == "bad" {
				assert.Len(t, Problems(err), len(environ))
			} else {
				require.NoError(t, err)
			}
			asJSON, jsonErr := json.Marshal(cfg)
			require.NoError(t, jsonErr)
			var lines strings.Builder
			slog.New(slog.NewJSONHandler(&lines, nil)).Info("x", "database", cfg.Database.URL, "cfg", cfg)
			all := fmt.Sprint(err, errors.Join(cfg.ValidateFor(API), cfg.ValidateFor(Fleet)), cfg.Effective(), cfg.Warnings(),
				string(asJSON), lines.String()) + fmt.Sprintf("%v %+v %#v %s %q", cfg, cfg, cfg, cfg.Database.URL, cfg.Auth.TokenSecret)
			assert.Contains(t, all, "WEDSYNC_ENV")
			if at := strings.Index(all, "hunter2"); at >= 0 {
				assert.Fail(t, "a secret is shown", "%s", all[max(0, at-80):at+10])
			}
		})
	}
}

func TestMaskedAddressesStayReadable(t *testing.T) {
	cases := map[string]string{
		"postgres://app:hunter2@db:5432/wedsync?sslmode=require": "postgres://app:***@db:5432/wedsync?sslmode=require",
		"postgres://app@db/wedsync":                              "postgres://app@db/wedsync",
		"redis://:hunter2@cache:6379/0":                          "redis://:***@cache:6379/0",
		"https://id.example/jwks?p=policy":                       "https://id.example/jwks?p=***",
		"postgres:///wedsync?host=/run/postgresql&password=x":    "postgres:///wedsync?host=/run/postgresql&password=***",
	}
	for raw, want := range cases {
		assert.Equal(t, want, maskURL(raw))
	}
	assert.Equal(t, mask, maskURL("postgres://%zz"))
}

func TestValidateFor(t *testing.T) {
	secret := "AUTH_TOKEN_SECRET=" + strings.Repeat("s", 32)
	stores := []string{"DATABASE_URL=postgres://app:pw@db/x", "REDIS_URL=redis://cache:6379/0"}
	with := func(more ...string) []string { return append(append([]string(nil), stores...), more...) }
	cases := map[string]struct {
		process Process
		environ []string
		want    []string
	}{
		"api with a secret":  {API, with(secret, "AUTH_ISSUER=i"), nil},
		"api with a key set": {API, with("AUTH_JWKS_URL=https://id.example/jwks", "AUTH_ISSUER=i"), nil},
		"api with both":      {API, with(secret, "AUTH_JWKS_URL=https://id.example/jwks", "AUTH_ISSUER=i"), []string{"AUTH_TOKEN_SECRET, AUTH_JWKS_URL, AUTH_DISCOVERY: want exactly one of the three"}},
		"one secret for both": {API, with(secret, "AUTH_ISSUER=i", "AUTH_OIDC_ISSUER=https://id.example", "AUTH_OIDC_CLIENT_ID=wedsync", "AUTH_SESSION_SECRET="+strings.Repeat("s", 32)),
			[]string{"AUTH_SESSION_SECRET: want another secret than AUTH_TOKEN_SECRET: what signs sessions signs nothing else"}},
		"api with nothing":     {API, nil, []string{"DATABASE_URL is not set: want postgres://user:password@host:port/database", "REDIS_URL is not set: want redis://user:password@host:port/database", "AUTH_ISSUER is not set: want the issuer, up to 255 characters", "AUTH_TOKEN_SECRET, AUTH_JWKS_URL, AUTH_DISCOVERY is not set: want exactly one of the three"}},
		"api, refused already": {API, []string{"DATABASE_URL=x", "REDIS_URL=x", "AUTH_ISSUER=i", "AUTH_TOKEN_SECRET=x"}, nil},
		"worker":               {Worker, stores, nil},
		"worker with nothing":  {Worker, nil, []string{"DATABASE_URL is not set: want postgres://user:password@host:port/database", "REDIS_URL is not set: want redis://user:password@host:port/database"}},
		"fleet":                {Fleet, []string{"AUTH_METRICS_WRITER_TOKEN=t"}, nil},
		"fleet with nothing":   {Fleet, nil, []string{"AUTH_METRICS_WRITER_TOKEN is not set: want a bearer token"}},
		"replay with nothing":  {Replay, nil, []string{"AUTH_METRICS_WRITER_TOKEN is not set: want a bearer token"}},
		"migrate":              {Migrate, []string{"DATABASE_OWNER_URL=postgres://owner:pw@db/x"}, nil},
		"migrate as the app":   {Migrate, stores, []string{"DATABASE_OWNER_URL is not set: want postgres://user:password@host:port/database"}},
		"token":                {Token, []string{secret, "AUTH_ISSUER=i"}, nil},
		"token with nothing":   {Token, nil, []string{"AUTH_TOKEN_SECRET is not set: want a secret of at least 32 bytes", "AUTH_ISSUER is not set: want the issuer, up to 255 characters"}},
		"config":               {Inspect, nil, nil},
		"unknown":              {"cook", nil, []string{"config: unknown process cook"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cfg, _ := Load(c.environ)
			err := cfg.ValidateFor(c.process)
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			assert.Equal(t, c.want, strings.Split(err.Error(), "\n"))
		})
	}
}

func TestForProcessReadsTheEnvironmentOfTheProcess(t *testing.T) {
	for _, v := range variables() {
		t.Setenv(v.name, "")
	}
	t.Setenv("LOG_LEVEL", "loud")
	_, err := ForProcess(Migrate)
	problems := Problems(err)
	require.Len(t, problems, 2, "what is wrong and what is missing come together")
	assert.Equal(t, "LOG_LEVEL", problems[0].Variable)
	assert.Equal(t, "DATABASE_OWNER_URL", problems[1].Variable)
	assert.True(t, problems[1].Missing)
	t.Setenv("LOG_LEVEL", "debug")
	cfg, err := ForProcess(Inspect)
	require.NoError(t, err)
	assert.Equal(t, "debug", cfg.Telemetry.LogLevel)
}

func TestACertificateAndItsKeyGoTogether(t *testing.T) {
	cfg, err := Load([]string{"DATABASE_URL=postgres://app:pw@127.0.0.1/x", "REDIS_URL=redis://127.0.0.1:6379/0", "AUTH_ISSUER=us",
		"AUTH_TOKEN_SECRET=" + strings.Repeat("s", 32), "API_TLS_CERT_FILE=/etc/api.pem", "TEMPORAL_TLS_KEY_FILE=/etc/temporal.key"})
	require.NoError(t, err)
	require.ErrorContains(t, cfg.ValidateFor(API), "API_TLS_KEY_FILE")
	require.ErrorContains(t, cfg.ValidateFor(API), "goes with TEMPORAL_TLS_KEY_FILE")
	require.ErrorContains(t, cfg.ValidateFor(Worker), "TEMPORAL_TLS_CERT_FILE")
}

func TestWarnings(t *testing.T) {
	cases := map[string]struct {
		environ []string
		want    []string
	}{
		"nothing":             {nil, nil},
		"others' variables":   {[]string{"HOME=/root", "PATH=/bin", "DATABASE_NAME=x", "AUTH_FOO=x", "WEDSYNC_DATA=/x", "WEDSYNC_CACHE_DIR=/x"}, nil},
		"a letter too few":    {[]string{"SCALABILITY_CPU_THRESHOLD_WARNIN=70"}, []string{"SCALABILITY_CPU_THRESHOLD_WARNIN: is not a known variable and has no effect; did you mean SCALABILITY_CPU_THRESHOLD_WARNING?"}},
		"letters exchanged":   {[]string{"ALERT_CHANELS=email"}, []string{"ALERT_CHANELS: is not a known variable and has no effect; did you mean ALERT_CHANNELS?"}},
		"nothing like it":     {[]string{"WEDDING_CAKE=3"}, []string{"WEDDING_CAKE: is not a known variable and has no effect"}},
		"in order":            {[]string{"WEDSYNC_ZZZZZZZZZZZZ=1", "AUDIT_LOG_RETENTION_DAY=1"}, []string{"AUDIT_LOG_RETENTION_DAY: is not a known variable and has no effect; did you mean AUDIT_LOG_RETENTION_DAYS?", "WEDSYNC_ZZZZZZZZZZZZ: is not a known variable and has no effect"}},
		"a very long name":    {[]string{"RBAC_" + strings.Repeat("X", 100000) + "=1"}, []string{"RBAC_" + strings.Repeat("X", 100000) + ": is not a known variable and has no effect"}},
		"open in development": {[]string{"WEDSYNC_ENV=development", "API_ADDRESS=0.0.0.0:8080", "METRICS_ADDRESS=:9464"}, []string{"API_ADDRESS: other machines can reach this development process at 0.0.0.0:8080", "METRICS_ADDRESS: other machines can reach this development process at :9464"}},
		"open in production":  {[]string{"API_ADDRESS=0.0.0.0:8080"}, nil},
		"in the clear": {[]string{"DATABASE_URL=postgres://app:pw@db/x", "REDIS_URL=redis://cache:6379/0", "TEMPORAL_ADDRESS=temporal:7233"},
			[]string{"DATABASE_URL: names another machine, which is spoken to in the clear; add sslmode=verify-full and sslrootcert",
				"REDIS_URL: names another machine, which is spoken to in the clear; use rediss://",
				"TEMPORAL_ADDRESS: names another machine, which is spoken to in the clear; set TEMPORAL_TLS"}},
		"encrypted":                       {[]string{"DATABASE_URL=postgres://app:pw@db/x?sslmode=verify-full", "REDIS_URL=rediss://cache:6379/0", "TEMPORAL_ADDRESS=temporal:7233", "TEMPORAL_TLS=true"}, nil},
		"on this machine, or by a socket": {[]string{"DATABASE_URL=postgres://app@/x?host=/run/postgresql", "REDIS_URL=redis://127.0.0.1:6379/0"}, nil},
		"two providers of names":          {[]string{"AUTH_JWKS_URL=https://id.example/keys", "AUTH_ISSUER=https://id.example", "AUTH_OIDC_ISSUER=https://other.example"}, []string{"AUTH_OIDC_ISSUER: is another provider than AUTH_ISSUER: the same subject at both is the same person here"}},
		"one provider of names":           {[]string{"AUTH_DISCOVERY=true", "AUTH_ISSUER=https://id.example/", "AUTH_OIDC_ISSUER=https://id.example"}, nil},
		"tokens of our own":               {[]string{"AUTH_TOKEN_SECRET=" + strings.Repeat("s", 32), "AUTH_ISSUER=wedsync", "AUTH_OIDC_ISSUER=https://id.example"}, nil},
		"closed in development":           {[]string{"WEDSYNC_ENV=development", "API_ADDRESS=[::1]:8080", "METRICS_ADDRESS=localhost:1"}, nil},
		"the owner's door left open":      {[]string{"DATABASE_OWNER_URL=postgres://owner:pw@db/x"}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cfg, err := Load(c.environ)
			require.NoError(t, err)
			var got []string
			for _, w := range cfg.Warnings() {
				got = append(got, w.String())
			}
			assert.Equal(t, c.want, got)
		})
	}
}

func TestProblemsOfOtherErrors(t *testing.T) {
	assert.Empty(t, Problems(nil))
	assert.Empty(t, Problems(errors.New("x")))
	assert.Len(t, Problems(fmt.Errorf("start: %w", errors.Join(Problem{Variable: "A"}, Problem{Variable: "B"}))), 2)
}

func FuzzLoad(f *testing.F) {
	for name, values := range goodAndBad() {
		f.Add(name, values[0][0])
		f.Add(name, values[1][0])
	}
	f.Add("WEDSYNC_ENVV", "x")
	f.Fuzz(func(t *testing.T, name, value string) {
		cfg, err := Load([]string{name + "=" + value})
		problems := Problems(err)
		if err != nil {
			assert.NotEmpty(t, problems, "every error is a Problem: %v", err)
			assert.LessOrEqual(t, len(err.Error()), 2000)
		}
		assert.Len(t, cfg.Effective(), len(variables()))
		assert.Less(t, cfg.Thresholds.CPUWarning+cfg.Thresholds.MemoryWarning, 200.1)
		for _, p := range problems {
			if s, _ := cfg.setting(p.Variable); strings.HasPrefix(s.Allowed, "a secret") || strings.Contains(s.Allowed, "password") {
				assert.Empty(t, p.Value)
			}
		}
		_, err = json.Marshal(cfg.Effective())
		assert.NoError(t, err)
	})
}

func TestOfTwoEquallyNearNamesTheFirstIsMeant(t *testing.T) {
	known := map[string]bool{"ABCDEX": true, "ABCDEY": true, "ABCDEZ": true}
	for range 50 { // maps have no order
		assert.Equal(t, "ABCDEX", nearest("ABCDEF", known))
	}
	assert.Empty(t, nearest("QRSTUV", known))
}
